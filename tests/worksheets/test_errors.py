"""Errors name the file, the line, the column and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprove.errors import BackproveError, DomainError, InputError, SetupError, WorksheetError
from backprove.worksheets import run_worksheet
from worksheets.fakes import FakeEngine, block, unknown

BAD = [
    ("lett x: n", 1, "begins no statement", "Is 'let' meant?"),
    ("= 3", 1, "begins no statement", "Statements:"),
    ("derive", 1, "nothing follows 'derive'", "Usage: derive"),
    ("let x", 5, "'x' has no shape", "For example"),
    ("let x:", 5, "the shape of 'x' is missing", "For example"),
    ("let x: n, : k", 11, "a symbol is missing", ""),
    ("let 3x: n", 5, "expected the name of a symbol, found '3x'", ""),
    ("let wrt: n", 5, "begins an option", "another name"),
    ("let x: n, x: m", 11, "'x' is declared twice", "Keep one"),
    ("let x: n!", 8, "'n!' is not a size", "A size is a name"),
    ("let x: 0", 8, "sizes lie between 1", ""),
    ("let A: n×m spd", 8, "needs a square matrix", ""),
    ("derive x**2", 8, "a symbol to differentiate by is missing", "x**2 wrt NAME"),
    ("derive wrt x", 1, "the expression is missing", "Usage"),
    ("derive x wrt", 10, "nothing follows 'wrt'", ""),
    ("derive x wrt x wrt y", 16, "'wrt' is given twice", "Keep one"),
    ("derive x wrt 2", 14, "expected the name of a symbol, found '2'", ""),
    ("derive x wrt x layout sideways", 23, "is not a layout", "numerator, denominator"),
    ("claim 1 expect maybe", 16, "is not a verdict", "right_under"),
    ("claim expect wrong", 1, "the claim is missing", "Usage"),
    ("graph x", 7, "the values of the inputs are missing", "at x=1"),
    ("graph x at x", 12, "expected NAME=VALUE", "at x=1"),
    ("graph x at x=1, x=2", 17, "'x' is given twice", "Keep one"),
    ("graph x at x=1,", 12, "expected NAME=VALUE", ""),
    ("graph x at x=one", 14, "'one' is not a number", "Values look like"),
    ("graph x at x=1e999", 14, "is not a number", ""),
    ("graph x at x=NaN", 14, "is not a number", ""),
    ("graph x at x=[1, [2, true]]", 14, "is not a number", ""),
    ("graph x at x=" + "[" * 50_000, 14, "is not a number", ""),
    ("study data", 7, "expected KEY=VALUE", "study data=reviews"),
    ("study lr=1 lr=2", 12, "'lr' is given twice", "Keep one"),
    ("study lr=", 7, "the value of 'lr' is missing", ""),
    ("diagnose network=relu(2)", 1, "cannot be answered yet", "planned"),
    ("let x: n postive", 10, "'postive' would be a size", "'positive'"),
    ("let x: n×", 9, "a size is missing", "For example"),
    ("let x: n××d", 9, "a size is missing", "For example"),
    ("let x = n×d", 9, "is a shape", "Write x: n×d"),
    ("let x: n\n\tderive x wrt x", 2, "this line is indented", "left margin"),
    ("derive sum(tanh(x) wrt x", 11, "never closed", "before 'wrt'"),
    (r"derive \frac{x}{ wrt x", 16, "never closed", ""),
    ("derive x wrt x layot denominator", 14, "expected the name of a symbol", "Is 'layout' meant?"),
    ("function relux", 10, "no function named 'relux'", "relu"),
]


@pytest.mark.parametrize(
    ("line", "column", "message", "hint"), BAD, ids=[line[:40] for line, *_ in BAD]
)
def test_a_statement_that_cannot_be_read_is_an_error_at_its_place(
    line: str, column: int, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        run_worksheet("Prose.\n\n" + block("let q: n", line))
    error = caught.value
    assert message in error.message
    assert hint in error.hint
    assert (error.line, error.column) == (5 + line.count("\n"), column)
    assert "Traceback" not in error.render()
    assert len(error.render()) < 700


def test_the_message_has_file_line_column_and_caret(tmp_path: Path) -> None:
    path = tmp_path / "sheet.md"
    path.write_text("# Title\n\n" + block("let x: n", "derive x wrt 2"), encoding="utf-8")
    with pytest.raises(WorksheetError) as caught:
        run_worksheet(path)
    assert caught.value.render().splitlines() == [
        f"{path}:5:14: error: expected the name of a symbol, found '2'",
        "  derive x wrt 2",
        "               ^",
    ]


def failing(error: Exception, *lines: str) -> InputError:
    fake = FakeEngine(error=error)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        run_worksheet(block(*lines), engine=fake.engine())
    return caught.value


def test_an_error_of_a_lower_layer_points_into_the_worksheet() -> None:
    error = failing(unknown("yy", "x + yy"), "let x: n", "  ", "derive  x + yy  wrt x")
    assert type(error).__name__ == "UnknownName"
    assert (error.line, error.column) == (4, 13)


def test_an_error_in_a_continued_statement_has_the_line_of_the_slip() -> None:
    error = failing(unknown("yy", "x +\n    yy"), "let x: n", "derive x +", "    yy wrt x")
    assert (error.line, error.column) == (4, 5)
    assert error.render().splitlines()[-2:] == ["      yy wrt x", "      ^^"]


def test_an_error_in_the_expression_points_there_even_when_a_claim_brought_it_up() -> None:
    fake = FakeEngine()
    text = block("let x: n", "derive x + yy wrt x", "claim x")
    engine = fake.engine()

    def refuse(*args: object, **options: object) -> None:
        raise unknown("yy", "x + yy")

    with pytest.raises(InputError) as caught:
        run_worksheet(text, engine=type(engine)(derive=engine.derive, check=refuse))
    assert (caught.value.line, caught.value.column) == (3, 12)


@pytest.mark.parametrize("error", [DomainError("log of -1"), SetupError("no layers", hint="Add.")])
def test_an_error_without_a_position_points_at_the_statement(error: Exception) -> None:
    found = failing(error, "let x: n", "derive ln(x) wrt x")
    assert isinstance(found, WorksheetError)
    assert found.message == str(error).removesuffix(" Add.")
    assert (found.line, found.column) == (3, 8)


def test_an_error_about_a_text_that_is_not_in_the_worksheet_points_at_the_statement() -> None:
    found = failing(unknown("q", "1 + q"), "let x: n", "derive ln(x) wrt x")
    assert (found.line, found.column) == (3, 8)


@pytest.mark.parametrize("missing", ["no/such/file.md", "."])
def test_a_path_that_is_no_file_is_an_error(missing: str) -> None:
    with pytest.raises(WorksheetError, match=r"no file|is a folder"):
        run_worksheet(missing)


def test_a_claim_about_a_graph_takes_no_option_of_derivatives() -> None:
    with pytest.raises(WorksheetError, match="does not apply to the graph of line 2"):
        run_worksheet(block("graph x at x=1", "claim 1 wrt x"), engine=FakeEngine().engine())


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (("let x: n, c: scalar", "derive sum(y*u) wrt u"), "Declared: x, c."),
        (("let x: n, c: scalar", "derive sin(x)*q wrt x"), "Declared: x, c; declare"),
        (("let x: n, c: scalar", "derive sin(x) wrt x", "claim cos(q)"), "Declared: x, c; declare"),
        (("derive sum(y*u) wrt u",), "Declared: nothing."),
    ],
)
def test_what_is_declared_is_what_the_worksheet_declares(lines: tuple[str, ...], hint: str) -> None:
    with pytest.raises(BackproveError) as caught:
        run_worksheet(block(*lines))
    assert str(caught.value.hint).startswith(hint)
