"""Tables for a terminal: aligned columns that wrap, and records when even that is too wide."""

from __future__ import annotations

from collections.abc import Sequence

from backprove.views.numerals import Value, align_decimals, format_value, is_number
from backprove.views.plain_math import plain_prose
from backprove.views.text_layout import clean, display_width, padded, wrapped

_GAP = 2
_NARROWEST = 8


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[Value]], width: int) -> list[str]:
    """A table as aligned lines of at most ``width`` columns.

    Args:
        columns: the headings.
        rows: the cells; numbers are aligned at the decimal point.
        width: columns of the terminal.

    >>> print("\\n".join(table_lines(["node", "value"], [["h1", 0.0], ["h2", 20.0855]], 80)))
    node    value
    ----  -------
    h1     0
    h2    20.0855
    """
    if not columns or not rows:
        return [clean(" | ".join(columns)), "(no rows)"] if columns else []
    count = len(columns)
    cells = [[_shown(value) for value in row[:count]] for row in rows]
    cells = [row + [""] * (count - len(row)) for row in cells]
    numeric = [_is_numeric(rows, at) for at in range(count)]
    for at in (at for at in range(count) if numeric[at]):
        for row, text in zip(cells, align_decimals([row[at] for row in cells]), strict=True):
            row[at] = text
    headings = [_shown(heading) for heading in columns]
    widths = _fitted(headings, cells, numeric, width)
    if widths is None:
        return _records(headings, cells, width)
    ruled = ["-" * each for each in widths]
    lines = _row_lines(headings, widths, numeric)
    lines.append((" " * _GAP).join(ruled))
    for row in cells:
        lines.extend(_row_lines(row, widths, numeric))
    return lines


def _shown(value: Value) -> str:
    """A cell as text; only plain strings may hold marks, a typeset cell brings its own text."""
    return clean(plain_prose(value) if isinstance(value, str) else format_value(value))


def _is_numeric(rows: Sequence[Sequence[Value]], at: int) -> bool:
    values = [row[at] for row in rows if at < len(row) and row[at] != ""]
    return bool(values) and all(is_number(value) for value in values)


def _fitted(
    headings: list[str], cells: list[list[str]], numeric: list[bool], width: int
) -> list[int] | None:
    """Column widths that fit, shrinking the widest text column first; None if they cannot."""
    widths = [
        max(display_width(text) for text in (heading, *(row[at] for row in cells)))
        for at, heading in enumerate(headings)
    ]
    # No column gets narrower than its longest word: a torn word is worse than a record.
    floors = [
        widths[at]
        if numeric[at]
        else min(widths[at], max(_NARROWEST, _longest_word([headings[at], *column])))
        for at, column in enumerate(zip(*cells, strict=True))
    ]
    room = width - _GAP * (len(widths) - 1)
    if sum(floors) > room:
        return None
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda at: widths[at] - floors[at])
        widths[widest] -= 1
    return widths


def _longest_word(texts: Sequence[str]) -> int:
    return max((display_width(word) for text in texts for word in text.split()), default=0)


def _row_lines(row: Sequence[str], widths: list[int], numeric: list[bool]) -> list[str]:
    columns = [
        [text] if right else (wrapped(text, width) or [""])
        for text, width, right in zip(row, widths, numeric, strict=True)
    ]
    height = max(len(column) for column in columns)
    return [
        (" " * _GAP)
        .join(
            padded(column[at] if at < len(column) else "", width, right=right)
            for column, width, right in zip(columns, widths, numeric, strict=True)
        )
        .rstrip()
        for at in range(height)
    ]


def _records(headings: list[str], cells: list[list[str]], width: int) -> list[str]:
    """One line per cell, for a table that no shrinking makes fit."""
    lines: list[str] = []
    for row in cells:
        lines += [""] * bool(lines)
        for heading, text in zip(headings, row, strict=True):
            if text.strip():
                lines += wrapped(f"{heading}: {text.strip()}", width, hang=2)
    return lines
