"""Questions to the syntax tree of an index formula."""

from __future__ import annotations

from collections.abc import Sequence

from backprove.errors import Span
from backprove.notation.index_syntax import DELTAS
from backprove.notation.syntax import Node


def compared_sides(node: Node) -> list[Node]:
    """What a comparison, or a chain of them, compares."""
    first, last = node.children
    return [*(compared_sides(first) if _chained(first) else [first]), last]


def compared_relations(node: Node) -> list[str]:
    """The relations of a comparison, or of a chain of them."""
    first = node.children[0]
    return [*(compared_relations(first) if _chained(first) else []), str(node.value)]


def _chained(node: Node) -> bool:
    return node.kind == "compare" and not node.parenthesised


def walk(node: Node) -> list[Node]:
    """All nodes of a tree."""
    found, stack = [], [node]
    while stack:
        at = stack.pop()
        found.append(at)
        stack.extend(at.children)
    return found


def names_in(node: Node) -> list[Node]:
    """All names of a tree."""
    return [n for n in walk(node) if n.kind == "name"]


def whole_arrays(node: Node) -> list[Node]:
    """Names that stand for whole arrays."""
    if node.kind == "name":
        return [node]
    if node.kind in ("subscript", "total"):
        return []
    return [n for child in node.children for n in whole_arrays(child)]


def product_of(factors: Sequence[Node], span: Span) -> Node:
    """The tree of a product."""
    whole = factors[0]
    for factor in factors[1:]:
        whole = Node("binary", span, "*", (whole, factor))
    return whole


def factors_of(node: Node) -> list[Node]:
    """The factors of a product, or above the line of a fraction; the node itself if neither."""
    if node.kind == "binary" and node.value == "*":
        return [f for child in node.children for f in factors_of(child)]
    if node.kind == "binary" and node.value == "/":
        return factors_of(node.children[0])
    return [node]


def is_guard(node: Node) -> bool:
    """True for a bracket or a delta, which can hold the indices beside it inside their axes."""
    return node.kind in ("bracket", "compare") or (
        node.kind == "subscript" and node.children[0].value in DELTAS
    )


def is_full_slice(node: Node) -> bool:
    """True for ``:``."""
    return all(c.kind == "none" for c in node.children)


def summand_spans(node: Node) -> list[Span]:
    """The places of the summands."""
    if node.kind == "binary" and node.value in ("+", "-") and not node.parenthesised:
        first, second = node.children
        return [*summand_spans(first), second.span]
    return [node.span]
