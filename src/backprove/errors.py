"""The exception tree: every error says what was given, what was expected and what to do next.

::

    BackproveError
    ├── InputError            text or a file that a person wrote, with the position of the fault
    │   ├── NotationError     the text is not an expression, claim or statement of the language
    │   ├── ShapeError        shapes or sizes do not fit
    │   ├── UnknownName       a symbol, size or function that was never declared
    │   ├── Unsupported       understood, but outside of what backprove can do
    │   └── WorksheetError    a worksheet cannot be read
    ├── DomainError           a value lies outside the domain of an operation (log of -1)
    ├── SetupError            a network, study or training set-up is inconsistent
    └── DataError             a data set is missing, damaged or unusable
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Where in a text something stands: character offsets ``start`` to ``end`` (exclusive)."""

    start: int
    end: int


_LONGEST = 1_000


def _cut(text: str) -> str:
    """The text without the middle of what is far too long to read, such as a name of a page."""
    return text if len(text) <= _LONGEST else f"{text[:300]} ... {text[-300:]}"


class BackproveError(Exception):
    """Base of all errors that backprove raises on purpose.

    Args:
        message: what was given and what was expected, one or two sentences.
        hint: what to do next; empty if the message already says it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        message = _cut(message)
        super().__init__(message)
        self.message = message
        self.hint = _cut(hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def render(self) -> str:
        """The error as a person should read it, without a traceback."""
        return f"error: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")


class InputError(BackproveError):
    """A fault in text that a person wrote, with its position.

    Args:
        message: what was found and what was expected.
        text: the whole text that was read.
        span: the faulty part of ``text``.
        hint: the fix, if it is known.
        file: name of the file that holds the text.
        line_offset: number of lines of the file above the first line of ``text``.
        column_offset: number of columns of the file before the first line of ``text``.

    >>> print(InputError("unknown symbol 'y'", text="x + y", span=Span(4, 5)).render())
    error: unknown symbol 'y'
      line 1, column 5
      x + y
          ^
    """

    def __init__(
        self,
        message: str,
        *,
        text: str = "",
        span: Span | None = None,
        hint: str = "",
        file: str = "",
        line_offset: int = 0,
        column_offset: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.span = span
        self.file = file
        self.line_offset = line_offset
        self.column_offset = column_offset

    @property
    def line(self) -> int:
        """The line of the fault in its file, counted from 1."""
        start = self.span.start if self.span else 0
        return self.line_offset + self.text.count("\n", 0, start) + 1

    @property
    def column(self) -> int:
        """The column of the fault, counted from 1."""
        start = self.span.start if self.span else 0
        line_start = self.text.rfind("\n", 0, start) + 1
        return start - line_start + 1 + (self.column_offset if line_start == 0 else 0)

    def render(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        lines = [f"{where}error: {self.message}"]
        if self.span is not None:
            if not self.file:
                lines.append(f"  line {self.line}, column {self.column}")
            lines.extend(self._caret_lines(self.span))
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def _caret_lines(self, span: Span, width: int = 72) -> list[str]:
        line_start = self.text.rfind("\n", 0, span.start) + 1
        line_end = self.text.find("\n", line_start)
        line = self.text[line_start : len(self.text) if line_end < 0 else line_end]
        begin = span.start - line_start
        length = max(1, min(span.end, line_start + len(line)) - span.start)
        cut = max(0, begin - width // 2)
        shown = line[cut : cut + width].replace("\t", " ")
        carets = "^" * max(1, min(length, width - (begin - cut)))
        return [f"  {shown}", "  " + " " * (begin - cut) + carets]


class NotationError(InputError):
    """The text is not an expression, claim or statement of the language."""


class ShapeError(InputError):
    """Shapes or sizes do not fit; the message names the operation and both shapes."""


class UnknownName(InputError):
    """A symbol, size or function was used that nobody declared."""


class Unsupported(InputError):
    """The input is understood, but outside of what backprove can do; never answered by a guess."""


class WorksheetError(InputError):
    """A worksheet cannot be read."""


class DomainError(BackproveError):
    """A value lies outside the domain of an operation, such as the logarithm of -1."""


class SetupError(BackproveError):
    """A network, study or training set-up is inconsistent."""


class DataError(BackproveError):
    """A data set is missing, damaged or unusable."""
