"""Repaired claims without the parentheses that edits put around everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from backprove.checking.places import index_tree
from backprove.errors import BackproveError
from backprove.notation.claims import Claim
from backprove.notation.expressions import Array
from backprove.notation.syntax import Node, parse

MAX_PAIRS = 40
_MODULE = re.compile(r"(?<![\w.])(np|numpy|jnp|torch)\.(?:linalg\.)?(?=[a-z])")
_LEFT_SIDE = re.compile(r"^\s*\w+\s*(?:\[[^\]]*\])?\s*=(?!=)")


def without_modules(text: str, symbols: Mapping[str, Array]) -> str:
    """The text with blanks for ``np.`` and the like, so that every place stays what it is.

    >>> without_modules("np.diag(np.linalg.inv(X))", {})
    '   diag(          inv(X))'
    """

    def blank(found: re.Match[str]) -> str:
        return found[0] if found[1] in symbols else " " * len(found[0])

    return _MODULE.sub(blank, text)


def with_left_side(text: str, left: str) -> str:
    """The text with the left side that the claim had, if it has none of its own."""
    return f"{left.strip()} = {text}" if left.strip() and not _LEFT_SIDE.match(text) else text


def tidied_claim(text: str, known: Claim, symbols: Mapping[str, Array]) -> str:
    """A claim without the parentheses that it does not need."""
    ranks = {name: len(array.shape) for name, array in symbols.items()}
    reader = partial(index_tree, ranks=ranks) if known.kind == "index" else parse
    parts = [(known.right_span, reader), *((span, parse) for _, span in known.definitions)]
    for span, read in sorted(parts, key=lambda part: -part[0].start):
        part = text[span.start : span.end]
        shorter = tidied(part.strip(), read)
        text = text[: span.start] + part.replace(part.strip(), shorter) + text[span.end :]
    return text


def tidied(text: str, parse: Callable[[str], Node]) -> str:
    """The text without the pairs of parentheses that do not change how it is read.

    Args:
        text: a formula without a left side.
        parse: reads it as a tree.

    >>> tidied("((2*(x)))*(a + (b))", parse)
    '2*x*(a + b)'
    """
    try:
        tree = parse(text)
    except BackproveError:
        return text
    start = 0
    for _ in range(MAX_PAIRS):
        start = text.find("(", start)
        end = _closing(text, start)
        if start < 0 or end < 0:
            break
        shorter = text[:start] + text[start + 1 : end] + text[end + 1 :]
        try:
            same = _same(parse(shorter), tree)
        except BackproveError:
            same = False
        if same:
            text = shorter
        else:
            start += 1
    return text


def _closing(text: str, start: int) -> int:
    depth = 0
    for k in range(max(start, 0), len(text)):
        depth += {"(": 1, ")": -1}.get(text[k], 0)
        if depth == 0:
            return k
    return -1


def _same(one: Node, other: Node) -> bool:
    return (
        one.kind == other.kind
        and one.value == other.value
        and len(one.children) == len(other.children)
        and not _chains(one)
        and all(_same(a, b) for a, b in zip(one.children, other.children, strict=True))
    )


def _chains(node: Node) -> bool:
    """True for ``a > b > c``, which is no formula, unlike ``(a > b) > c``."""
    return node.kind == "compare" and any(
        c.kind == "compare" and not c.parenthesised for c in node.children
    )
