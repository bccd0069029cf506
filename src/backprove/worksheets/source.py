"""The text of a worksheet, pieces of it, and errors that know where in the file they happened."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from backprove.errors import BackproveError, InputError, Span, WorksheetError

MAX_CHARACTERS = 5_000_000

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*")


@dataclass(frozen=True)
class Source:
    """A worksheet as it was written.

    Args:
        text: the whole text, with ``\\n`` at the line ends.
        file: name of the file, as errors print it; empty for a text that has no file.
    """

    text: str
    file: str = ""
    _line_starts: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        object.__setattr__(self, "_line_starts", starts)

    @classmethod
    def read(cls, path: Path) -> Source:
        """A worksheet from a file.

        Raises:
            WorksheetError: there is no such file, it cannot be read, or it is no UTF-8 text.
        """
        name = str(path)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise WorksheetError(
                f"there is no file '{name}'", file=name, hint="Check the path."
            ) from None
        except OSError as error:
            reason = "it is a folder" if path.is_dir() else error.strerror or "unknown reason"
            raise WorksheetError(f"'{name}' cannot be read: {reason}", file=name) from None
        return cls.of(raw, name)

    @classmethod
    def of(cls, raw: bytes | str, file: str = "") -> Source:
        """A worksheet from its bytes or its text.

        Raises:
            WorksheetError: the bytes are no UTF-8 text, or there are too many of them.
        """
        if len(raw) > MAX_CHARACTERS:
            raise WorksheetError(
                f"the worksheet has {len(raw):,} characters; at most {MAX_CHARACTERS:,} are read",
                file=file,
                hint="Split it into several worksheets.",
            )
        if isinstance(raw, bytes):
            try:
                raw = raw.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise _not_text(f"byte {error.start:,} is not UTF-8", file) from None
        if "\0" in raw:
            raise _not_text(f"character {raw.index(chr(0)):,} is a null character", file)
        return cls(raw.replace("\r\n", "\n").replace("\r", "\n"), file)

    @cached_property
    def without_comments(self) -> str:
        """The text with what follows ``#`` blanked out, so that all offsets stay."""
        return _COMMENT.sub(lambda found: " " * len(found.group()), self.text)

    @property
    def line_count(self) -> int:
        """Number of lines, counting an empty one after the last line break."""
        return len(self._line_starts)

    def line_start(self, line: int) -> int:
        """Offset of the first character of a line, counted from 0."""
        return self._line_starts[line] if line < self.line_count else len(self.text)

    def line_of(self, offset: int) -> int:
        """The line of a character, counted from 1."""
        return bisect_right(self._line_starts, offset)

    def line(self, line: int) -> Piece:
        """One line, counted from 0, without its line break."""
        start = self.line_start(line)
        end = self.text.find("\n", start)
        return Piece(self, start, len(self.text) if end < 0 else end)


def _not_text(why: str, file: str) -> WorksheetError:
    return WorksheetError(
        f"the worksheet is not text: {why}",
        file=file,
        hint="A worksheet is a Markdown file in UTF-8.",
    )


@dataclass(frozen=True)
class Piece:
    """A part of a worksheet that keeps its place, so that any error in it can point there.

    >>> claim = Piece(Source("derive x**2 wrt x"), 7, 11)
    >>> claim.text, claim.part(0, 1).text
    ('x**2', 'x')
    """

    source: Source
    start: int
    end: int

    @classmethod
    def of(cls, text: str) -> Piece:
        """A text that stands for itself, such as an argument of the command line."""
        return cls(Source(text), 0, len(text))

    @property
    def text(self) -> str:
        """The characters, with comments blanked out: offsets are those of the worksheet."""
        return self.source.without_comments[self.start : self.end]

    @property
    def raw(self) -> str:
        """The characters exactly as they were written."""
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        """The line in the file where the piece begins, counted from 1."""
        return self.source.line_of(self.start)

    def part(self, start: int, end: int | None = None) -> Piece:
        """The characters from ``start`` to ``end``, without blanks around them."""
        stop = self.end if end is None else min(self.end, self.start + end)
        text = self.source.without_comments[self.start + start : stop]
        begin = self.start + start + len(text) - len(text.lstrip())
        return Piece(self.source, begin, begin + len(text.strip()))

    def error(
        self, message: str, hint: str = "", kind: type[InputError] = WorksheetError
    ) -> InputError:
        """An error that points at this piece."""
        return kind(
            message,
            text=self.source.text,
            span=Span(self.start, max(self.end, self.start + 1)),
            hint=hint,
            file=self.source.file,
        )


def located(error: BackproveError, *pieces: Piece) -> InputError:
    """The same error, pointing into the worksheet.

    An error of a lower layer has its position in the text that this layer was given. That text is
    one of ``pieces``, or a part of one; where it is none of them, the error points at the first
    piece as a whole.

    Args:
        error: what the layer below said.
        pieces: the texts that were handed to it, the most likely one first.

    >>> piece = Piece(Source("derive x + y wrt x", "a.md"), 7, 12)
    >>> below = InputError("unknown symbol 'y'", text="x + y", span=Span(4, 5))
    >>> print(located(below, piece).render())
    a.md:1:12: error: unknown symbol 'y'
      derive x + y wrt x
                 ^
    """
    source = pieces[0].source
    if not isinstance(error, InputError):
        return pieces[0].error(error.message, error.hint)
    if error.text is source.text:
        return error
    span = _span_in_source(error, pieces)
    error.text, error.span, error.file = source.text, span, source.file
    error.line_offset = error.column_offset = 0
    return error


def _span_in_source(error: InputError, pieces: tuple[Piece, ...]) -> Span:
    whole = Span(pieces[0].start, max(pieces[0].end, pieces[0].start + 1))
    if not error.text or error.span is None:
        return whole
    found = sorted(
        (p for p in pieces if error.text in p.text), key=lambda p: p.text.strip() != error.text
    )
    if not found:
        return whole
    begin = found[0].start + found[0].text.find(error.text)
    return Span(begin + error.span.start, begin + max(error.span.end, error.span.start + 1))
