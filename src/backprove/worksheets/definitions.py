"""Names that ``let s = softmax(z)`` gives to expressions, written out where they are used.

The layers below know nothing of such names: they are given the text with every name replaced by
what it stands for, and their errors are moved back to where the name was written.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from backprove.errors import InputError, NotationError, Span
from backprove.notation.definitions import split_definitions
from backprove.notation.reading import is_latex
from backprove.notation.syntax import Token, tokenize
from backprove.worksheets.source import Piece

MAX_EXPANDED = 200_000


@dataclass(frozen=True)
class Definition:
    """An expression that has a name.

    Args:
        text: the expression, with the names in it written out.
        piece: where the definition stands.
    """

    text: str
    piece: Piece


@dataclass(frozen=True)
class Expanded:
    """A text with its names written out, and where each part of it came from.

    Args:
        text: the text for the layers below.
        piece: the text as written.
        cuts: for each run of characters its start in ``text``, its start in the piece, and the
            length of the name that stands there; 0 for characters that were copied.
    """

    text: str
    piece: Piece
    cuts: tuple[tuple[int, int, int], ...]

    def relocate(self, error: InputError) -> None:
        """Let an error that points into ``text`` point into the text as written."""
        if error.text == self.text and error.span is not None:
            start, end = self._place(error.span.start)[0], self._place(error.span.end - 1)[1]
            error.text, error.span = self.piece.text, Span(start, max(end, start + 1))

    def _place(self, offset: int) -> tuple[int, int]:
        """Start and end, in the piece, of what stands at an offset of ``text``."""
        begin, origin, name = self.cuts[bisect_right(self.cuts, (offset, 1 << 40, 0)) - 1]
        if name:
            return origin, origin + name
        return origin + offset - begin, origin + offset - begin + 1


def expand(piece: Piece, definitions: Mapping[str, Definition]) -> Expanded:
    """A text with every defined name replaced by its definition, in parentheses.

    Args:
        piece: the text as written.
        definitions: what was defined above it.

    Returns:
        The text for the layers below.

    Raises:
        WorksheetError: the text grows too long.

    >>> from backprove.worksheets.source import Source
    >>> s = Definition("softmax(z)", Piece(Source("softmax(z)"), 0, 10))
    >>> expand(Piece(Source("diag(s) - outer(s, s)"), 0, 21), {"s": s}).text
    'diag((softmax(z))) - outer((softmax(z)), (softmax(z)))'
    """
    text = piece.text
    whole = Expanded(text, piece, ((0, 0, 0),))
    if is_latex(text) or not any(name in text for name in definitions):
        return whole
    try:
        tokens = tokenize(text)
        own = {name for name, _ in split_definitions(text)[1]}
    except NotationError:
        # The layer that reads the text says what is wrong with it.
        return whole
    parts: list[str] = []
    cuts: list[tuple[int, int, int]] = []
    done = length = 0
    for token in _uses(tokens, {name for name in definitions if name not in own}):
        start, end = token.span.start, token.span.end
        meant = f"({definitions[token.text].text})"
        cuts += [(length, done, 0), (length + start - done, start, end - start)]
        parts += [text[done:start], meant]
        length, done = length + start - done + len(meant), end
        if length > MAX_EXPANDED:
            raise piece.error(
                f"written out, this text has more than {MAX_EXPANDED:,} characters",
                "Use fewer names in each other.",
            )
    cuts.append((length, done, 0))
    return Expanded("".join(parts) + text[done:], piece, tuple(cuts))


def _uses(tokens: list[Token], names: set[str]) -> Iterator[Token]:
    """The tokens that are defined names: no indices, no functions, no keyword arguments."""
    inside: list[bool] = []
    before = ""
    for at, (token, after) in enumerate(pairwise(tokens)):
        if token.text in ("[", "(", "{"):
            inside.append(token.text == "[" and _holds_indices(tokens, at, before))
        elif token.text in ("]", ")", "}") and inside:
            inside.pop()
        elif token.kind == "name" and token.text in names and not any(inside):
            if after.text not in ("(", "=") and before != ".":
                yield token
        before = token.text


def _holds_indices(tokens: list[Token], at: int, before: str) -> bool:
    """Whether a bracket holds indices: it follows a value, or compares as in ``[i==j]``.

    What is left are lists, as in ``concatenate([x, y])``.
    """
    if re.match(r"[\w\])]|\.T", before):
        return True
    end = next((t for t in tokens[at:] if t.text in ("]", "==", "!=", "<", "<=", ">", ">=")), None)
    return end is not None and end.text != "]"
