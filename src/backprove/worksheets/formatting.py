"""One way to write a worksheet: the statements with the same spacing everywhere.

Only blanks change. What a formatted worksheet asks is what it asked before, and formatting it
again changes nothing.
"""

from __future__ import annotations

import re

from backprove.worksheets.document import StatementPart, block_lines, read_document
from backprove.worksheets.source import Source
from backprove.worksheets.statements import read_statement

_INDENT = "    "


def format_worksheet(source: Source) -> str:
    """A worksheet with its statements in the usual spacing.

    Args:
        source: the worksheet, Markdown or LaTeX.

    Returns:
        Its text: in blocks one blank between words, statements at the margin, what continues one
        indented by four, comments two blanks behind, no blank lines at the ends of a block. The
        prose is as it was.

    Raises:
        WorksheetError: it cannot be read, so nothing is changed.

    >>> print(format_worksheet(Source("```backprove\\n let  x:n , y : m\\n\\n\\n```")))
    ```backprove
    let x: n, y: m
    ```
    """
    for part in read_document(source).parts:
        if isinstance(part, StatementPart):
            read_statement(part.piece)
    lines = source.text.split("\n")
    for first, after in reversed(list(block_lines(source))):
        lines[first:after] = _block([source.line(number).raw for number in range(first, after)])
    return "\n".join(lines)


def _block(lines: list[str]) -> list[str]:
    margin = min((_indent(line) for line in lines if line.strip()), default=0)
    first = next((line for line in lines if _code(line)[0]), "")
    margin = _indent(first) if first else margin
    formatted: list[str] = []
    for line in lines:
        code, comment = _code(line)
        continued = bool(code) and _indent(line) > margin and any(_code(f)[0] for f in formatted)
        text = (_INDENT if continued else "") + (_spaced(code, continued) if code else "")
        if comment:
            text = f"{text}  {comment}" if code else comment
        if text.strip() or (formatted and formatted[-1]):
            formatted.append(text.rstrip())
    while formatted and not formatted[-1]:
        formatted.pop()
    return formatted


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _code(line: str) -> tuple[str, str]:
    """What a line says, and its comment."""
    found = re.search(r"(?:^|(?<=\s))#.*", line)
    return (line[: found.start()].strip(), found.group().strip()) if found else (line.strip(), "")


def _spaced(code: str, continued: bool) -> str:
    code = _outside_quotes(code, lambda text: re.sub(r"[ \t]+", " ", text))
    word = code.split(" ", 1)[0]
    if continued or word != "let":
        return code
    code = _outside_brackets(code, r"\s*([:,])\s*", r"\1 ")
    return _outside_brackets(code, r"\s*(?<![=<>!])=(?!=)\s*", " = ").strip()


def _outside_quotes(code: str, change) -> str:  # type: ignore[no-untyped-def]
    parts = re.split(r"(\"[^\"\n]*\"|'[^'\n]*')", code)
    return "".join(part if at % 2 else change(part) for at, part in enumerate(parts))


def _outside_brackets(code: str, pattern: str, form: str) -> str:
    """A substitution where no bracket is open."""
    parts: list[str] = []
    begin = depth = 0
    for at, character in enumerate(code):
        if character in "([{" and not depth:
            parts.append(re.sub(pattern, form, code[begin:at]))
            begin = at
        depth += (character in "([{") - (character in ")]}" and depth > 0)
        if character in ")]}" and not depth and begin <= at:
            parts.append(code[begin : at + 1])
            begin = at + 1
    rest = code[begin:]
    return "".join(parts) + (rest if depth else re.sub(pattern, form, rest))
