"""Shapes as people write them: ``"n d"``, ``"n×d"``, ``(3, 4)``, ``""`` for a scalar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from backprove.errors import ShapeError, Span, UnknownName
from backprove.notation.axes import Size
from backprove.notation.expressions import DOMAINS, Array

ShapeLike = str | int | Size | Sequence["int | str | Size"]
MAX_SIZE = 10_000_000
MAX_RANK = 12

_WORD = re.compile(r"[^\s×,;]+")

_SPACE = re.compile(r"^(?:R|ℝ|\\mathbb\s*(?:R|\{R\}))\s*\^\s*\{?([^{}]+)\}?$")
"""The real arrays of a shape, as in ``R^{n×d}``."""


def parse_shape(shape: ShapeLike, name: str = "") -> tuple[Size, ...]:
    """One size per axis, from text, an integer, or a sequence of integers and names.

    Raises:
        ShapeError: the text is no shape, or a size is not positive or too large.

    >>> parse_shape("n×3")
    (n, 3)
    >>> parse_shape("ℝ^{n×d}"), parse_shape("")
    ((n, d), ())
    """
    if isinstance(shape, str):
        text = re.sub(r"(?<=\w)\s+(?:x|by)\s+(?=\w)", " ", _SPACE.sub(r"\1", shape.strip()))
        text = text.replace("\\times", "×")
        if text in ("", "scalar", "()"):
            return ()
        text = text.strip("()[]")
        words = [(m.group(), m.span()) for m in _WORD.finditer(text)]
        parts: list[object] = []
        for word, span in words:
            pieces = re.split(r"(?<=\d)x(?=[\w])", word)
            for piece in pieces:
                parts.append(_size_of_word(piece, text, Span(*span), name))
    elif isinstance(shape, (int, Size)):
        parts = [shape]
    elif not isinstance(shape, Iterable):
        raise ShapeError(
            f"the shape of {name} is {shape!r}" if name else f"the shape is {shape!r}",
            hint='Shapes are texts such as "n d", numbers, or sequences of them; "" is a scalar.',
        )
    else:
        parts = [
            _size_of_word(p, p, Span(0, len(p)), name) if isinstance(p, str) else p for p in shape
        ]
    if len(parts) > MAX_RANK:
        raise ShapeError(
            f"{name or 'the shape'} has {len(parts)} axes; at most {MAX_RANK} are read"
        )
    return tuple(_checked(p, name) for p in parts)


def _size_of_word(word: str, text: str, span: Span, name: str) -> Size:
    if word.isdecimal():
        if len(word) > 9:
            raise ShapeError(
                f"the size {word[:12]}... of {name or 'the shape'} is larger than {MAX_SIZE:,}",
                text=text,
                span=span,
                hint="Use a named size; the derivation does not depend on its value.",
            )
        return Size.of(int(word))
    if word.isidentifier():
        return Size.named(word)
    raise ShapeError(
        f"'{word}' is not a size",
        text=text,
        span=span,
        hint='A size is a name or a positive integer, as in "n d", "n×d" or "3 4".',
    )


def _checked(part: object, name: str) -> Size:
    if isinstance(part, bool) or not isinstance(part, (int, Size)):
        raise ShapeError(
            f"a size of {name or 'the shape'} is {part!r}; expected a name or a positive integer"
        )
    size = Size.of(part)
    value = size.constant
    if value is not None and not 1 <= value <= MAX_SIZE:
        raise ShapeError(
            f"a size of {name or 'the shape'} is {value}; sizes lie between 1 and {MAX_SIZE:,}",
            hint="Use a named size; the derivation does not depend on its value."
            if value > MAX_SIZE
            else "",
        )
    return size


def declare(
    shapes: Mapping[str, ShapeLike], domain: Mapping[str, str] | str | None = None
) -> dict[str, Array]:
    """Symbols from their shapes and domains.

    Args:
        shapes: name to shape, as :func:`parse_shape` reads it.
        domain: name to domain (see :data:`backprove.notation.expressions.DOMAINS`), or one
            domain for all symbols.

    Raises:
        ShapeError: a name, a shape or a domain that cannot be used.
        UnknownName: a domain for a symbol that has no shape.

    >>> declare({"X": "n d"})["X"].shape
    (n, d)
    """
    if not isinstance(shapes, Mapping):
        raise ShapeError(
            f'shapes is {type(shapes).__name__}; expected a mapping such as {{"X": "n d"}}'
        )
    if not isinstance(domain, str | Mapping | None):
        raise ShapeError(
            f'domain is {type(domain).__name__}; expected a mapping such as {{"y": "onehot"}}, or '
            "one domain for all symbols"
        )
    domains = dict.fromkeys(shapes, domain) if isinstance(domain, str) else dict(domain or {})
    for name in domains:
        if name not in shapes:
            raise UnknownName(
                f"a domain is given for '{name}', which has no shape",
                hint=f"Declared: {', '.join(shapes) or 'nothing'}.",
            )
    symbols: dict[str, Array] = {}
    for order, (name, shape) in enumerate(shapes.items()):
        if not isinstance(name, str) or not name.isidentifier():
            raise ShapeError(f"'{name}' is not a name for a symbol")
        kind = domains.get(name) or "real"
        if kind not in DOMAINS:
            raise ShapeError(
                f"'{kind}' is not a domain of '{name}'", hint=f"Domains: {', '.join(DOMAINS)}."
            )
        sizes = parse_shape(shape, f"'{name}'")
        if kind in ("nonsingular", "symmetric", "spd"):
            _check_square(name, kind, sizes)
        if kind in ("prob", "sum1", "onehot") and not sizes:
            raise ShapeError(f"'{name}' is a scalar; the domain {kind} needs at least one axis")
        symbols[name] = Array(name, sizes, kind, order)
    return symbols


def _check_square(name: str, kind: str, sizes: tuple[Size, ...]) -> None:
    if len(sizes) != 2 or sizes[0] != sizes[1]:
        shown = "×".join(map(str, sizes)) or "scalar"
        raise ShapeError(f"'{name}' is {shown}; the domain {kind} needs a square matrix")
