"""Identities and inequalities of a proof, as text and as certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backprove.notation.syntax import Node, parse

_OPERATIONS = {"+": "+", "-": "-", "*": "*", "@": "*", "/": "/", "**": "^"}


@dataclass(frozen=True)
class Step:
    """One line of algebra: for all values of its symbols ``left relation right``.

    Args:
        left: a formula such as ``(1 - p)*h``.
        relation: ``=``, ``>=`` or ``>``.
        right: a formula.
        excess: for inequalities the difference, written so that its sign is seen.
    """

    left: str
    relation: str
    right: str
    excess: str = ""

    def __str__(self) -> str:
        said = f"{self.left} {self.relation} {self.right}"
        if not self.excess:
            return said
        least = "> 0" if self.relation == ">" else ">= 0"
        return f"{said}, for the difference is {self.excess} {least}"


def identities(
    steps: Sequence[Step], *, positive: Sequence[str] = (), matrices: Sequence[str] = ()
) -> dict[str, Any]:
    """A certificate of some lines of algebra.

    Args:
        steps: the lines.
        positive: the symbols that stand for numbers above 0.
        matrices: the symbols that do not commute.

    >>> from backprove.theorems.algebra_certificates import check_identities
    >>> check_identities(identities([Step("(a + b)**2", "=", "a**2 + 2*a*b + b**2")]))
    """
    lines = []
    for step in steps:
        line = {"left": tree(step.left), "relation": step.relation, "right": tree(step.right)}
        lines.append(line | ({"excess": tree(step.excess)} if step.excess else {}))
    return {
        "kind": "identities",
        "positive": list(positive),
        "matrices": list(matrices),
        "lines": lines,
    }


def tree(text: str) -> Any:
    """A formula as certificates hold it.

    >>> tree("(1 - p)*h**2")
    ['*', ['-', 1, 'p'], ['^', 'h', 2]]
    """
    return _tree(parse(text))


def _tree(node: Node) -> Any:
    if node.kind == "number":
        value = Fraction(str(node.value))
        return int(value) if value.denominator == 1 else str(value)
    if node.kind == "name":
        return str(node.value)
    parts = [_tree(child) for child in node.children]
    if node.kind == "unary" and node.value == "-":
        return ["-", *parts]
    if node.kind == "binary" and node.value in _OPERATIONS:
        return [_OPERATIONS[str(node.value)], *parts]
    raise ValueError(f"'{node.value}' stands in no identity")
