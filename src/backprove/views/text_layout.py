"""Wrapping and padding of plain text by display width."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

WIDTH = 80


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Text without control characters, which could move the cursor or recolour a terminal.

    >>> clean("a\\x1b[31mb\\tc")
    'a�[31mb c'
    """
    return "".join(
        char
        if not unicodedata.category(char).startswith("C") or (keep_lines and char == "\n")
        else (" " if char in "\n\t\r" else _shown_format(char))
        for char in text
    )


def _shown_format(char: str) -> str:
    # Format characters such as a soft hyphen or a joiner are harmless; overrides of the writing
    # direction are not, they can make a wrong index look right.
    if unicodedata.category(char) == "Cf" and unicodedata.bidirectional(char) == "BN":
        return char
    return "\N{REPLACEMENT CHARACTER}"


def display_width(text: str) -> int:
    """Columns that a text takes in a terminal.

    >>> display_width("J[i,j]"), display_width("C̄"), display_width("維")
    (6, 1, 2)
    """
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Text filled up with blanks to a display width, left-aligned unless ``right``."""
    fill = " " * max(0, width - display_width(text))
    return fill + text if right else text + fill


def wrapped(text: str, width: int, *, hang: int = 0, keep_spaces: bool = False) -> list[str]:
    """Text broken into lines of at most ``width`` columns at blanks.

    A word longer than a line is broken after a comma, a bracket or an operator where it has
    one, and otherwise stays whole.

    Args:
        text: one paragraph.
        width: columns per line.
        hang: blanks before every line but the first.
        keep_spaces: keep runs of blanks, as in a formula that aligns itself.

    >>> wrapped("the index i in [i==k] should be j", 20, hang=2)
    ['the index i in', '  [i==k] should be j']
    """
    text = clean(text)
    words = text.split(" ") if keep_spaces else text.split()
    parts = [part for word in words for part in _parts(word, width - hang)]
    lines: list[str] = []
    line = ""
    for blank, part in parts:
        glue = " " if blank and line.strip() else ""
        if keep_spaces and blank and line:
            glue = " "
        if line and display_width(line + glue + part) > width:
            lines.append(line.rstrip())
            line = " " * hang + part
        else:
            line += glue + part
    return [*lines, line.rstrip()] if line.strip() else lines


def _parts(word: str, room: int) -> list[tuple[bool, str]]:
    """A word, cut where it may break if it is too long; True marks a blank before the part."""
    if display_width(word) <= room:
        return [(True, word)]
    parts: list[str] = [""]
    for char in word:
        parts[-1] += char
        if char in ",+-*/@=)]|":
            parts.append("")
    return [(number == 0, part) for number, part in enumerate(parts) if part]


def indented(lines: Sequence[str], by: int) -> list[str]:
    """Lines moved to the right; empty ones stay empty."""
    return [" " * by + line if line else "" for line in lines]
