"""Markdown is split into prose and statements, and nothing is passed over silently."""

from __future__ import annotations

import pytest

from backprove.errors import WorksheetError
from backprove.worksheets.document import ProsePart, StatementPart, read_document
from backprove.worksheets.source import Source
from worksheets.fakes import block


def statements(text: str) -> list[str]:
    parts = read_document(Source.of(text)).parts
    return [part.piece.text for part in parts if isinstance(part, StatementPart)]


def prose(text: str) -> list[str]:
    parts = read_document(Source.of(text)).parts
    return [part.markdown for part in parts if isinstance(part, ProsePart)]


def test_prose_and_statements_keep_their_order() -> None:
    text = (
        "One.\n\n" + block("derive x wrt x") + "Two.\n" + block("claim 1", "claim 2") + "Three.\n"
    )
    kinds = [type(part).__name__ for part in read_document(Source.of(text)).parts]
    expected = ["ProsePart", "StatementPart", "ProsePart"] + ["StatementPart"] * 2 + ["ProsePart"]
    assert kinds == expected
    assert [p.strip() for p in prose(text)] == ["One.", "Two.", "Three."]


def test_the_title_is_the_first_heading_and_leaves_the_prose() -> None:
    text = "# The `softmax`\n\nProse.\n" + block("derive x wrt x")
    assert read_document(Source.of(text)).title == "The softmax"
    assert "softmax" not in "".join(prose(text))


def test_without_a_heading_the_title_is_the_name_of_the_file() -> None:
    assert read_document(Source.of(block("let x: n"), "a/b/notes.md")).title == "notes"
    assert read_document(Source.of(block("let x: n"))).title == "Worksheet"


def test_other_fenced_blocks_are_prose() -> None:
    text = (
        "```python\nclaim 1\n```\n" + block("claim 2") + "````\n```backprove\nclaim 3\n```\n````\n"
    )
    assert statements(text) == ["claim 2"]
    assert "claim 1" in prose(text)[0]
    assert "claim 3" in prose(text)[1]


@pytest.mark.parametrize(
    "fence", ["```backprove", "``` backprove", "~~~backprove", "```{backprove}"]
)
def test_every_form_of_the_fence_is_read(fence: str) -> None:
    assert statements(f"{fence}\nclaim 1\n{fence[:3]}\n") == ["claim 1"]


def test_comments_and_empty_lines_are_left_out() -> None:
    text = block("# a comment", "claim 1  # why", "", "   ", "#claim 2", "claim a#b")
    assert [s.strip() for s in statements(text)] == ["claim 1", "claim a#b"]


def test_a_line_that_is_indented_further_goes_on_with_the_statement_above() -> None:
    text = block("  derive x +", "      y", "    wrt x", "  claim 1")
    assert [" ".join(s.split()) for s in statements(text)] == ["derive x + y wrt x", "claim 1"]


def test_line_ends_of_other_systems_are_read() -> None:
    assert statements("Prose\r\n\r\n```backprove\r\nclaim 1\r\nclaim 2\r\n```\r\n") == [
        "claim 1",
        "claim 2",
    ]


def test_the_line_separators_of_unicode_do_not_shift_lines() -> None:
    text = "one\u2028two\x0bthree\x85four\n\n" + block("claim 1")
    part = read_document(Source.of(text)).parts[-1]
    assert isinstance(part, StatementPart)
    assert part.piece.line == 4


HIDDEN = {
    "a list": "- item\n\n  ```backprove\n  claim 1\n  ```\n",
    "a quotation": "> ```backprove\n> claim 1\n> ```\n",
    "indented code": "Prose.\n\n    ```backprove\n    claim 1\n    ```\n",
    "HTML": "<details>\n```backprove\nclaim 1\n```\n</details>\n",
    "an HTML comment": "<!--\n```backprove\nclaim 1\n```\n-->\n",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_block_that_would_not_be_run_is_an_error(text: str) -> None:
    with pytest.raises(WorksheetError, match="would not be run"):
        read_document(Source.of(block("claim 2") + "\n" + text))


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("```backprov\nclaim 1\n```\n", "is 'backprove' meant", 1),
        ("\n```Backprove\nclaim 1\n```\n", "expected 'backprove' alone", 2),
        ("```backprove title\nclaim 1\n```\n", "expected 'backprove' alone", 1),
        ("One\n\n```backprove\nclaim 1\n\nProse\n", "never closed", 3),
        ("````backprove\nclaim 1\n```\n", "never closed", 1),
        ("```backprove", "never closed", 1),
    ],
)
def test_a_damaged_block_is_an_error_at_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(WorksheetError, match=message) as caught:
        read_document(Source.of(text))
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["", "  \n\n\t\n", "Only prose.\n", "```backprove\n# no\n```\n"])
def test_a_worksheet_without_statements_is_an_error(text: str) -> None:
    with pytest.raises(WorksheetError, match=r"empty|no statement") as caught:
        read_document(Source.of(text))
    assert "```backprove" in caught.value.hint


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\x00\x00", b"abc\x00def", b"\xff\xfea\x00"])
def test_a_binary_file_is_an_error(raw: bytes) -> None:
    with pytest.raises(WorksheetError, match="not text"):
        Source.of(raw)


def test_a_byte_order_mark_is_no_error() -> None:
    assert Source.of(b"\xef\xbb\xbfabc").text == "abc"


def test_a_huge_file_is_an_error() -> None:
    with pytest.raises(WorksheetError, match="at most 5,000,000"):
        Source.of(b"x" * 5_000_001)


def test_a_huge_statement_is_an_error_with_a_position() -> None:
    with pytest.raises(WorksheetError, match="at most 200,000") as caught:
        read_document(Source.of(block("claim 1", "claim " + "x" * 200_000)))
    assert (caught.value.line, caught.value.column) == (3, 1)
    assert len(caught.value.render()) < 500
