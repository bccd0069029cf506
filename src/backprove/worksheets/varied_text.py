"""Another expression of the same kind, and other values, drawn from a stream of random numbers.

Only words are exchanged: a function for one of its family, a whole number for another. So shapes,
the number of operations, signs, powers and what is asked stay as they are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator

from backprove.errors import BackproveError
from backprove.notation.syntax import Node, parse

FAMILIES = (
    ("sigmoid", "tanh", "softplus", "silu"),
    ("relu", "relu6", "hardtanh"),
    ("sin", "cos"),
    ("sinh", "cosh"),
    ("log", "log1p"),
    ("ln", "log1p"),
    ("sum", "mean"),
    ("softmax", "log_softmax"),
)
"""Functions that may stand for each other; each takes the same arguments and the same shapes."""

_LITERAL = {"eye", "ones", "zeros", "reshape", "transpose", "einsum", "clip"}
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")

Edit = tuple[int, int, str]


def varied_expression(text: str, symbols: Collection[str], stream: random.Random) -> str:
    """An expression of the same kind.

    Args:
        text: a numpy-like expression; one that cannot be read so stays as it is.
        symbols: names that are no functions, whatever they are called.
        stream: where the choices come from.

    >>> varied_expression("tanh(W @ x) + 2*b", {"W", "x", "b"}, random.Random(1))
    'sigmoid(W @ x) + 7*b'
    """
    try:
        tree = parse(text)
    except BackproveError:
        return text
    return _edited(text, [e for e in _edits(tree, text, stream) if e[2] not in symbols])


def varied_values(text: str, stream: random.Random) -> str:
    """Numbers of the same sign and the same number of decimals; 0 stays 0.

    >>> varied_values("[1, -2.5, 0]", random.Random(1))
    '[3, -2.7, 0]'
    """
    edits = []
    for found in _NUMBER.finditer(text):
        edits.append((found.start(), found.end(), _number(found.group(), stream)))
    return _edited(text, edits)


def _number(text: str, stream: random.Random) -> str:
    value = float(text)
    if value == 0:
        return text
    if "." not in text:
        choices = range(1, max(6, 2 * int(value) + 1))
        return str(stream.choice([n for n in choices if n != int(value)]))
    decimals = len(text.split(".")[1])
    # What is below 1 stays below: it may be a probability or the argument of log(1 - x).
    factor = stream.uniform(0.5, 1.0 if value < 1 else 1.5)
    drawn = round(value * factor, decimals)
    return f"{drawn or value:.{decimals}f}"


def _edits(node: Node, text: str, stream: random.Random) -> Iterator[Edit]:
    """Changes of words, from the outside in; indices, axes and sizes are left alone."""
    if node.kind == "call":
        name = str(node.value)
        start = node.span.start
        choices = [n for family in FAMILIES if name in family for n in family if n != name]
        if choices and text.startswith(name, start):
            yield start, start + len(name), stream.choice(choices)
        if name in _LITERAL:
            return
    if node.kind == "binary" and node.value in ("+", "-", "*", "/"):
        yield from _factors(node, text, stream)
    children = node.children[:1] if node.kind == "subscript" else node.children
    for child in children:
        if child.kind != "keyword":
            yield from _edits(child, text, stream)


def _factors(node: Node, text: str, stream: random.Random) -> Iterator[Edit]:
    """Other whole numbers that are added, multiplied or divided by; powers stay."""
    for child in node.children:
        written = text[child.span.start : child.span.end]
        if child.kind == "number" and written.isdecimal() and 2 <= int(written) <= 20:
            drawn = stream.choice([n for n in range(2, 10) if n != int(written)])
            yield child.span.start, child.span.end, str(drawn)


def _edited(text: str, edits: list[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
