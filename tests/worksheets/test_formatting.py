"""Formatting changes blanks, never what is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprove.errors import WorksheetError
from backprove.worksheets.document import StatementPart, read_document
from backprove.worksheets.formatting import format_worksheet
from backprove.worksheets.source import Source
from worksheets.fakes import block

SHEETS = sorted((Path(__file__).parents[2] / "worksheets").glob("*.md"))


def formatted(*lines: str) -> str:
    text = format_worksheet(Source(block(*lines)))
    return text.removeprefix("```backprove\n").removesuffix("\n```\n")


def asked(text: str) -> list[str]:
    """The statements with all blanks left out."""
    parts = read_document(Source(text)).parts
    return [re.sub(r"\s", "", p.piece.text) for p in parts if isinstance(p, StatementPart)]


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("  let  X:n×d ,y : k", "let X: n×d, y: k"),
        ("let s=softmax( z , axis=0 )", "let s = softmax( z , axis=0 )"),
        ("claim   J[i,j]  =  x[i]", "claim J[i,j] = x[i]"),
        ("derive x\twrt  x   # as  above", "derive x wrt x  # as  above"),
        ("# only  words", "# only  words"),
        ('derive einsum("ij,  jk", A,  B) wrt A', 'derive einsum("ij,  jk", A, B) wrt A'),
    ],
)
def test_the_usual_spacing(written: str, usual: str) -> None:
    assert formatted(written, "function relu") == f"{usual}\nfunction relu"


def test_what_continues_a_statement_is_indented() -> None:
    assert formatted(" claim a +", "   b  *c", "", "", " let x: n", "", "") == (
        "claim a +\n    b *c\n\nlet x: n"
    )


def test_prose_is_left_alone() -> None:
    prose = "# A   title\n\nWords   with  blanks.\n\n"
    assert format_worksheet(Source(prose + block("let  x: n"))).startswith(prose)


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_the_shipped_worksheets_are_formatted(path: Path) -> None:
    source = Source.read(path)
    assert format_worksheet(source) == source.text


def test_a_worksheet_that_cannot_be_read_is_not_changed() -> None:
    with pytest.raises(WorksheetError, match="begins no statement"):
        format_worksheet(Source(block("clam  x")))


WORDS = st.sampled_from(
    ["x", "let", "a=1", "[1,  2]", "(", ")", ",", ":", "  ", "#", "'a  b'", "="]
)


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(WORDS, max_size=6)), min_size=1, max_size=5))
def test_formatting_twice_is_formatting_once(lines: list[tuple[int, list[str]]]) -> None:
    margin = lines[0][0]
    texts = [
        " " * indent + ("claim x " if indent <= margin else "y ") + " ".join(words)
        for indent, words in lines
    ]
    once = format_worksheet(Source(block(*texts)))
    assert format_worksheet(Source(once)) == once
    assert asked(once) == asked(block(*texts))
