"""Words for the structure of a derivative: ``diagonal``, ``identity + rank 1``, ``rank K-1``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backprove.errors import InputError, Span
from backprove.notation.axes import Size
from backprove.notation.syntax import Node, parse

STRUCTURES = (
    "zero",
    "constant",
    "identity",
    "scaled identity",
    "diagonal",
    "block-diagonal",
    "kronecker",
    "kronecker sum",
    "permutation",
    "lower triangular",
    "upper triangular",
    "triangular",
    "banded",
    "symmetric",
    "antisymmetric",
    "orthogonal",
    "positive semidefinite",
    "positive definite",
    "negative semidefinite",
    "singular",
    "invertible",
    "sparse",
    "dense",
)
"""Words of structure that a claim may state, beside ``rank 1``, ``rank n-1``, ``full rank``, ..."""

SYNONYMS = {
    "kronecker product": "kronecker",
    "skew-symmetric": "antisymmetric",
    "psd": "positive semidefinite",
    "positive semi-definite": "positive semidefinite",
    "negative semi-definite": "negative semidefinite",
    "nonsingular": "invertible",
    "regular": "invertible",
    "multiple of the identity": "scaled identity",
}

_NOWHERE = Span(0, 0)
_NUMBERS = {"one": "1", "two": "2", "three": "3"}
_WORDS = "|".join(
    re.escape(word).replace(r"\-", r"[\s-]").replace(r"\ ", r"\s+")
    for word in sorted((*STRUCTURES, *SYNONYMS), key=len, reverse=True)
)
_SIZE = r"[^\W_]\w*"
_RANK = rf"(?:min\(\s*{_SIZE}\s*,\s*{_SIZE}\s*\)|{_SIZE}(?:\s*[-+*]\s*{_SIZE})*)"
_PLUS = (
    r"\s*(?:\+|\bplus\b)\s*(?:an?\s+|something\s+of\s+)?(?:matrix\s+of\s+)?"
    rf"(?:(?P<low>low)[\s-]+rank|rank[\s-]+(?P<added>{_RANK}))"
)
_PHRASE = re.compile(
    r"^\s*(?:(?:the\s+)?(?:jacobian|hessian|gradient|derivative|j|h)\s+is\s+|is\s+|has\s+)?"
    r"(?P<negated>not\s+)?(?:an?\s+|the\s+|of\s+)?"
    rf"(?:(?P<word>{_WORDS})(?:{_PLUS})?"
    rf"(?:\s+with\s+(?:(?P<count>{_SIZE})\s+)?blocks\s+(?:of\s+(?:shape\s+|size\s+)?)?"
    rf"(?P<rows>{_SIZE})\s*(?:×|\bx\b|\bby\b)\s*(?P<columns>{_SIZE}))?"
    rf"|(?P<full>full)\s+rank|rank(?:[\s-]+|\s*=\s*)(?P<rank>{_RANK}))"
    r"(?:\s+(?:matrix|tensor))?\s*\.?\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class StructurePhrase:
    """A statement about structure.

    Attributes:
        word: the whole statement in its usual form, such as ``diagonal + rank 1``.
        base: its first part: ``diagonal``; ``rank`` for a rank alone.
        negated: True for ``not diagonal``.
        rank: the sizes whose minimum the rank is; empty if there is none.
        low: True for ``identity plus low rank``.
        blocks: rows and columns of a block; empty if not said.
        count: the number of blocks; None if not said.
        span: where the statement stands.
    """

    word: str
    base: str
    negated: bool
    rank: tuple[Size, ...] = ()
    low: bool = False
    blocks: tuple[Size, ...] = ()
    count: Size | None = None
    span: Span = _NOWHERE


def structure_phrase(text: str) -> StructurePhrase | None:
    """The statement about structure that a line is, or None.

    >>> structure_phrase("The Jacobian is not diagonal plus rank one.").word
    'diagonal + rank 1'
    >>> [str(s) for s in structure_phrase("block-diagonal with blocks of K×K").blocks]
    ['K', 'K']
    """
    found = _PHRASE.match(text)
    if found is None:
        return None
    start = found.start("word") if found["word"] else found.start("rank")
    start = found.start("full") if found["full"] else start
    span = Span(start, len(text.rstrip().rstrip(".").rstrip()))
    negated = bool(found["negated"])
    if found["full"]:
        return StructurePhrase("full rank", "full rank", negated, span=span)
    try:
        if found["rank"]:
            rank, shown = _sizes(found["rank"])
            return StructurePhrase(f"rank {shown}", "rank", negated, rank, span=span)
        base = _base(found["word"])
        word, rank = base, ()
        if found["low"]:
            word = f"{base} + low rank"
        elif found["added"]:
            rank, shown = _sizes(found["added"])
            word = f"{base} + rank {shown}"
        if word != base and base not in ("identity", "scaled identity", "diagonal"):
            return None
        blocks = tuple(Size.of(_size(found[k])) for k in ("rows", "columns") if found[k])
        count = Size.of(_size(found["count"])) if found["count"] else None
        if blocks and base != "block-diagonal":
            return None
        low = bool(found["low"])
        return StructurePhrase(word, base, negated, rank, low, blocks, count, span)
    except InputError:
        return None


def _base(word: str) -> str:
    plain = re.sub(r"\s+", " ", word.lower())
    plain = plain.replace("block diagonal", "block-diagonal").replace("semi def", "semi-def")
    plain = plain.replace("skew symmetric", "skew-symmetric")
    return SYNONYMS.get(plain, plain)


def _size(text: str) -> int | str:
    text = _NUMBERS.get(text.lower(), text)
    return int(text) if text.isdigit() else text


def _sizes(text: str) -> tuple[tuple[Size, ...], str]:
    """The sizes of ``min(m, n)``, or the one of ``K-1``, and how they are written."""
    inner = re.match(r"min\((.*)\)$", text.strip(), re.IGNORECASE)
    parts = inner[1].split(",") if inner else [text]
    sizes = tuple(_polynomial(parse(_NUMBERS.get(p.strip().lower(), p))) for p in parts)
    return sizes, f"min({', '.join(map(str, sizes))})" if inner else str(sizes[0])


def _polynomial(node: Node) -> Size:
    if node.kind == "name":
        return Size.named(str(node.value))
    if node.kind == "number":
        return Size.of(int(node.value))
    first, second = map(_polynomial, node.children)
    return {"+": first + second, "-": first - second, "*": first * second}[str(node.value)]
