"""The inline marks of prose blocks: `backticks` for code and $dollars$ for LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_MARKS = re.compile(r"`([^`\n]+)`|\$([^$\s](?:[^$\n]*[^$\s\\])?)\$(?!\d)")


@dataclass(frozen=True)
class Piece:
    """A stretch of prose of one kind."""

    kind: Literal["words", "code", "math"]
    text: str


def pieces(text: str) -> list[Piece]:
    """Split prose into words, code and mathematics, in order.

    A single dollar, or one that is followed by a digit after the closing mark, stays a dollar.

    >>> [(piece.kind, piece.text) for piece in pieces("`X` gives $X^2$ at $5")]
    [('code', 'X'), ('words', ' gives '), ('math', 'X^2'), ('words', ' at $5')]
    """
    found: list[Piece] = []
    position = 0
    for match in _MARKS.finditer(text):
        if match.start() > position:
            found.append(Piece("words", text[position : match.start()]))
        code, math = match.groups()
        found.append(Piece("math", math) if code is None else Piece("code", code))
        position = match.end()
    if position < len(text):
        found.append(Piece("words", text[position:]))
    return found
