"""From a Markdown text to its prose and its statements.

Only fenced blocks at the left margin that are marked ``backprove`` hold statements. A block that
would be passed over without a word (in a list, in HTML, misspelled, never closed) is an error: a
claim that is silently not checked is worse than one that is refused. In a LaTeX document the
statements stand in environments of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from markdown_it import MarkdownIt
from markdown_it.token import Token

from backprove.errors import WorksheetError
from backprove.worksheets.source import Piece, Source
from backprove.worksheets.tex_document import is_tex, tex_blocks

MARKS = ("backprove", "{backprove}")
MAX_STATEMENT = 200_000

_LOOKS_LIKE_A_BLOCK = re.compile(r"^[\s>*+\-\d.)]*(?:`{3,}|~{3,})\s*\{?backprove\}?\s*$", re.I)
_HINT = "Write the block at the left margin:\n```backprove\nclaim ...\n```"


@dataclass(frozen=True)
class ProsePart:
    """Markdown between two blocks of statements, with the line where it begins."""

    markdown: str
    line: int


@dataclass(frozen=True)
class StatementPart:
    """One statement as written, before anybody has read it."""

    piece: Piece


@dataclass(frozen=True)
class Document:
    """A worksheet, split.

    Args:
        title: the first heading of the first level, else the name of the file.
        parts: prose and statements in order.
    """

    title: str
    parts: tuple[ProsePart | StatementPart, ...]


def read_document(source: Source) -> Document:
    """Split a worksheet.

    Raises:
        WorksheetError: it is empty, holds no statement, or has a block that cannot be run.

    >>> text = "# Squares\\nOf a number.\\n```backprove\\nderive x**2 wrt x\\n```\\n"
    >>> document = read_document(Source(text))
    >>> document.title, [type(part).__name__ for part in document.parts]
    ('Squares', ['ProsePart', 'StatementPart'])
    """
    if not source.text.strip():
        raise WorksheetError("the worksheet is empty", file=source.file, hint=_EXAMPLE)
    if is_tex(source):
        return _tex_document(source)
    tokens, blocks = _markdown_blocks(source)
    heading, title = _title(tokens)
    return _document(source, title, list(_parts(source, blocks, heading)))


def _markdown_blocks(source: Source) -> tuple[list[Token], list[Token]]:
    """All tokens of the Markdown, and the fences that hold statements."""
    # Block structure is all that is needed here; the report renders the prose itself.
    markdown = MarkdownIt("commonmark")
    markdown.core.ruler.enableOnly(["normalize", "block"])
    tokens = markdown.parse(source.text)
    fences = [token for token in tokens if token.type == "fence" and token.map and not token.level]
    blocks = [token for token in fences if _is_marked(token, source)]
    _refuse_hidden_blocks(source, fences)
    return tokens, blocks


def block_lines(source: Source) -> list[tuple[int, int]]:
    """First line of the statements of each block and the line after them, counted from 0.

    Raises:
        WorksheetError: the worksheet has a block that cannot be run.

    >>> block_lines(Source("```backprove\\nlet x: n\\n```"))
    [(1, 2)]
    """
    if is_tex(source):
        blocks = [(first, what) for first, what in tex_blocks(source) if isinstance(what, int)]
    else:
        blocks = [_inside(source, token) for token in _markdown_blocks(source)[1]]
    return blocks


def read_block(source: Source) -> list[StatementPart]:
    """The statements of a text that is one block, without Markdown around it.

    >>> [part.piece.text for part in read_block(Source("let x: n\\nderive x wrt x"))]
    ['let x: n', 'derive x wrt x']
    """
    return list(_statements(source, 0, source.line_count))


_EXAMPLE = (
    "A statement stands in a block such as\n```backprove\nlet x: n\nderive sum(x**2) wrt x\n```"
)


def _tex_document(source: Source) -> Document:
    title, parts = "", []
    for first, what in tex_blocks(source):
        if isinstance(what, int):
            parts += _statements(source, first, what)
        elif what.startswith("# "):
            title = title or what[2:]
        else:
            parts.append(ProsePart(what, first + 1))
    return _document(source, title, parts)


def _document(source: Source, title: str, parts: Sequence[ProsePart | StatementPart]) -> Document:
    if not any(isinstance(part, StatementPart) for part in parts):
        raise WorksheetError("the worksheet holds no statement", file=source.file, hint=_EXAMPLE)
    name = re.split(r"[\\/]", source.file)[-1].rsplit(".", 1)[0]
    return Document(title or name or "Worksheet", tuple(parts))


def _is_marked(token: Token, source: Source) -> bool:
    """Whether a fenced block holds statements; a near miss of the mark is an error."""
    info = token.info.strip()
    if info in MARKS:
        return True
    line = source.line(_lines(token)[0])
    word = info.split()[0].strip("{}").lower() if info else ""
    if word == "backprove":
        raise line.error(
            f"the block is marked '{info[:60]}'; expected 'backprove' alone", "Write ```backprove."
        )
    if get_close_matches(word, ["backprove"], cutoff=0.8):
        raise line.error(
            f"the block is marked '{info[:60]}'; is 'backprove' meant?",
            "Write ```backprove, or choose a mark that is less alike.",
        )
    return False


def _lines(token: Token) -> tuple[int, int]:
    first, after = token.map or (0, 0)
    return first, after


def _refuse_hidden_blocks(source: Source, fences: list[Token]) -> None:
    """Fail on a line that opens a block for a reader, but not for Markdown."""
    inside: set[int] = set()
    for token in fences:
        inside.update(range(*_lines(token)))
    for number in range(source.line_count):
        if number not in inside and _LOOKS_LIKE_A_BLOCK.match(source.line(number).raw):
            raise source.line(number).error(
                "this block is indented, or inside of a list, a quotation or HTML, "
                "and its statements would not be run",
                _HINT,
            )


def _title(tokens: list[Token]) -> tuple[tuple[int, int], str]:
    """Lines and text of the first heading, if the worksheet begins with one of level 1."""
    if len(tokens) > 1 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return _lines(tokens[0]), re.sub(r"[`*_$]", "", tokens[1].content).strip()
    return (0, 0), ""


def _parts(
    source: Source, blocks: list[Token], heading: tuple[int, int]
) -> Iterator[ProsePart | StatementPart]:
    # The title is printed by the report, so the prose begins below it.
    at = heading[1]
    for token in blocks:
        yield from _prose(source, at, _lines(token)[0])
        yield from _statements(source, *_inside(source, token))
        at = _lines(token)[1]
    yield from _prose(source, at, source.line_count)


def _inside(source: Source, token: Token) -> tuple[int, int]:
    """The lines between the fences of a block."""
    first, after = _lines(token)
    closing = re.escape(token.markup[0]) + f"{{{len(token.markup)},}}"
    if after - 1 == first or not re.fullmatch(closing, source.line(after - 1).raw.strip()):
        raise source.line(first).error(
            "this block is never closed", f"Add a line with {token.markup} below it."
        )
    return first + 1, after - 1


def _prose(source: Source, first: int, after: int) -> Iterator[ProsePart]:
    text = source.text[source.line_start(first) : source.line_start(after)]
    if text.strip():
        yield ProsePart(text, first + 1)


def _statements(source: Source, first: int, after: int) -> Iterator[StatementPart]:
    """One statement a line; a line that is indented further than the first goes on with it."""
    current: Piece | None = None
    margin: int | None = None
    for number in range(first, after):
        line = source.line(number)
        content = line.part(0)
        if not content.text:
            continue
        indent = content.start - line.start
        margin = indent if margin is None else margin
        if current is not None and indent > margin:
            current = Piece(source, current.start, content.end)
        else:
            if current is not None:
                yield StatementPart(_bounded(current))
            current = content
    if current is not None:
        yield StatementPart(_bounded(current))


def _bounded(piece: Piece) -> Piece:
    length = piece.end - piece.start
    if length > MAX_STATEMENT:
        raise Piece(piece.source, piece.start, piece.start + 1).error(
            f"the statement has {length:,} characters; at most {MAX_STATEMENT:,} are read",
            "Split it into named parts.",
        )
    return piece
