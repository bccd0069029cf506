"""The numbers that a statement stands for, read without the package.

Array text goes to :mod:`oracles.text_numpy`. In an index formula every index letter is an
array of positions along its own axis, so that ``X[i, l] * [j==k]`` is read literally: look up,
compare, multiply, for all positions at once.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oracles.text_numpy import Reader, evaluate, tree

_HEAD = re.compile(r"^\s*(grad|J|H)\s*(?:\[([^\]]*)\])?\s*=(?!=)(.*)$", re.DOTALL)


def statement(claim: str) -> tuple[str, list[str] | None, str]:
    """The name on the left, its index letters (None where there are none), and the right side."""
    found = _HEAD.match(claim)
    if found is None:
        raise SyntaxError(f"no statement: {claim}")
    head, letters, body = found.groups()
    names = None if letters is None else [n.strip() for n in letters.split(",") if n.strip()]
    return head, names, body


def claim_value(
    claim: str, values: Mapping[str, Any], output: tuple[int, ...], wrt: tuple[int, ...], order: int
) -> np.ndarray:
    """The array that a claim states, in the shape output + input (+ input)."""
    head, names, body = statement(claim)
    if (head == "H") != (order == 2) or (head == "grad" and output):
        raise SyntaxError(f"'{head}' does not fit a derivative of order {order}: {claim}")
    shape = output + wrt * order
    if names is None:
        return evaluate(body, values)
    if len(names) != len(shape) or len(set(names)) != len(names):
        raise SyntaxError(f"{len(shape)} different indices are needed: {claim}")
    return index_value(body, values, names, shape)


def index_value(
    body: str, values: Mapping[str, Any], names: Sequence[str], shape: tuple[int, ...]
) -> np.ndarray:
    """An index formula at all positions of its free indices."""
    with np.errstate(all="raise", under="ignore"):
        reader = IndexReader(values, names, shape)
        return np.broadcast_to(np.asarray(reader.visit(tree(body)), dtype=float), shape)


class IndexReader(Reader):
    """Reads formulas whose index letters stand for all their positions."""

    def __init__(
        self, values: Mapping[str, Any], names: Sequence[str], shape: tuple[int, ...]
    ) -> None:
        super().__init__(values)
        self.rank = len(shape)
        self.at = {
            name: np.arange(size).reshape([-1 if k == a else 1 for k in range(self.rank)])
            for a, (name, size) in enumerate(zip(names, shape, strict=True))
        }

    def Name(self, node: ast.Name) -> Any:
        return self.at[node.id] if node.id in self.at else super().Name(node)

    def List(self, node: ast.List) -> Any:
        if len(node.elts) == 1 and isinstance(node.elts[0], ast.Compare):
            return self.visit(node.elts[0])
        return super().List(node)

    def Subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == "delta":
            first, second = self.visit(node.slice)
            return np.asarray(first == second, dtype=float)
        if any(isinstance(part, ast.Slice) for part in ast.walk(node.slice)):
            return super().Subscript(node)
        base = np.asarray(self.visit(node.value))
        at = self.visit(node.slice)
        for index, size in zip(at if isinstance(at, tuple) else (at,), base.shape, strict=True):
            if np.any(np.asarray(index) < 0) or np.any(np.asarray(index) >= size):
                raise IndexError(ast.unparse(node))
        return base[at]

    def Call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        bound = [a.id for a in node.args[:-1] if isinstance(a, ast.Name)]
        if name != "sum" or not bound or len(bound) != len(node.args) - 1:
            return super().Call(node)
        return self._sum(bound, node.args[-1])

    def _sum(self, bound: list[str], body: ast.expr) -> Any:
        """Sums over fresh indices, one position at a time."""
        index, *rest = bound
        if index in self.at:
            raise SyntaxError(f"the index {index} is bound twice")
        total: Any = 0.0
        for position in range(self._range(index, body)):
            self.at[index] = np.asarray(position)
            total = total + (self._sum(rest, body) if rest else self.visit(body))
        del self.at[index]
        return total

    def _range(self, index: str, body: ast.expr) -> int:
        """The size of the axes that the index runs along; all must agree."""
        sizes: set[int] = set()
        for node in ast.walk(body):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) != "delta":
                at = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                for axis, item in enumerate(at):
                    if isinstance(item, ast.Name) and item.id == index:
                        sizes.add(np.shape(Reader(self.values).visit(node.value))[axis])
        if len(sizes) != 1:
            raise SyntaxError(f"the index {index} has sizes {sorted(sizes)}")
        return sizes.pop()
