"""What kind of statement a claim is, from its form alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backprove.checking.structures import STRUCTURE_WORDS
from backprove.errors import NotationError, Span
from backprove.notation.syntax import Token, tokenize

_PARTIAL = re.compile(r"^(?:d|∂)(\w+)\s*/\s*(?:d|∂)(\w+)$")
_INDEXED = re.compile(r"^\s*([^\W\d]\w*?)\s*(?:\[([^\[\]]*)\]|_\{?([A-Za-z]+)\}?)\s*$")
_SHAPE = re.compile(r"^\(?\s*(?:\w+\s*(?:[×,x]|\s)\s*)+\w+\s*,?\s*\)?$")
LEFT_NAMES = ("J", "H", "grad", "gradient", "df", "hessian", "jacobian")


@dataclass(frozen=True)
class Claim:
    """A claim taken apart.

    Attributes:
        kind: ``index``, ``matrix``, ``vjp``, ``equality``, ``shape``, ``structure``, ``path`` or
            ``value``.
        left: the left-hand side, if there is one.
        right: the right-hand side, or the whole claim.
        indices: the free indices of an index formula.
        start: where ``right`` begins in the claim.
    """

    kind: str
    left: str
    right: str
    indices: tuple[str, ...] = ()
    start: int = 0


def classify_claim(text: str) -> Claim:
    """The kind of a claim.

    Raises:
        NotationError: the claim is empty or cannot be read.

    >>> classify_claim("J[i,j] = X[i,j]").kind, classify_claim("dW = G.T @ X").kind
    ('index', 'vjp')
    >>> classify_claim("tanh(z) == 2*sigmoid(2*z) - 1").kind, classify_claim("1×d").kind
    ('equality', 'shape')
    """
    if not text.strip():
        raise NotationError("the claim is empty", text=text, span=Span(0, 0))
    bare = text.strip()
    if bare.lower() in STRUCTURE_WORDS:
        return Claim("structure", "", bare.lower())
    if _looks_like_shape(bare):
        return Claim("shape", "", bare)
    tokens = tokenize(text)
    equals = _top_level(tokens, "=")
    if equals:
        left, start = text[: equals[0].span.start].strip(), equals[0].span.end
        return _with_left_side(text, left, start, tokens, equals)
    double = _top_level(tokens, "==")
    if double:
        return Claim(
            "equality",
            text[: double[0].span.start],
            text[double[0].span.end :],
            start=double[0].span.end,
        )
    return Claim("matrix", "", text)


def _with_left_side(
    text: str, left: str, start: int, tokens: list[Token], equals: list[Token]
) -> Claim:
    right = text[start:]
    if left == "shape":
        return Claim("shape", left, right.strip(), start=start)
    if "/" in left and _PARTIAL.match(left):
        middle = text[start : equals[1].span.start] if len(equals) > 1 else right
        kind = (
            "path"
            if "/" in middle and re.search(r"(?:d|∂)\w+\s*/\s*(?:d|∂)\w+", middle)
            else "value"
        )
        return Claim(kind, left, right, start=start)
    indexed = _INDEXED.match(left)
    if indexed:
        letters = indexed[2] if indexed[2] is not None else ",".join(indexed[3])
        names = tuple(n.strip() for n in letters.split(","))
        if all(n.isidentifier() for n in names):
            return Claim("index", indexed[1], right, names, start)
    if left in LEFT_NAMES:
        return Claim("matrix", left, right, start=start)
    if re.fullmatch(r"d[A-Za-z]\w*", left):
        return Claim("vjp", left, right, start=start)
    del tokens
    return Claim("value", left, right, start=start)


def _top_level(tokens: list[Token], word: str) -> list[Token]:
    depth, found = 0, []
    for token in tokens:
        if token.kind != "op":
            continue
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif token.text == word and depth == 0:
            found.append(token)
    return found


def _looks_like_shape(text: str) -> bool:
    if "×" in text:
        return re.fullmatch(r"\(?\s*\w+(?:\s*×\s*\w+)+\s*\)?", text) is not None
    return (
        bool(_SHAPE.match(text)) and not re.search(r"[*+/@=\-\[\]]", text) and len(text.split()) > 0
    )
