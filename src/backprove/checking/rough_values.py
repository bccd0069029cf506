"""Rough values of written formulas, for searching among thousands of small edits.

Every node of a formula's syntax tree is an array at one point. In an index formula each letter,
free or bound, has a dimension of its own, so that ``X[i,l]*[j==k]`` is looked up, compared and
multiplied literally. Replacing one node then costs only the way from that node to the root. The
readings are a sieve: whatever passes is read again by the package before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from backprove import functions
from backprove.notation.effort import spend
from backprove.notation.index_syntax import DELTAS
from backprove.notation.index_tree import walk
from backprove.notation.syntax import Node


class NotRead(Exception):
    """This reader does not know a construct; the search goes on without it."""


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _logsumexp(x: np.ndarray, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def _norm(x: np.ndarray, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    return np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))


def _square_only(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    def guarded(x: np.ndarray) -> Any:
        if np.ndim(x) != 2:
            raise ValueError("a matrix is needed")
        return function(x)

    return guarded


ARRAY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "mean": np.mean, "var": np.var, "prod": np.prod, "max": np.max, "min": np.min,
    "norm": _norm, "softmax": _softmax, "log_softmax": lambda x, axis=-1: np.log(_softmax(x, axis)),
    "logsumexp": _logsumexp, "cumsum": np.cumsum, "where": np.where, "outer": np.outer,
    "kron": np.kron, "diag": np.diag, "trace": _square_only(np.trace), "inv": np.linalg.inv,
    "det": np.linalg.det, "logdet": lambda x: np.linalg.slogdet(x)[1], "eye": np.eye,
    "tril": np.tril, "triu": np.triu, "ones": np.ones, "zeros": np.zeros, "dot": np.dot,
    "stack": np.stack, "concatenate": np.concatenate, "transpose": np.transpose,
    "reshape": np.reshape, "einsum": np.einsum, "clip": np.clip, "matmul": np.matmul,
}  # fmt: skip
"""What this reader knows beside the elementwise functions."""

_WORDS = {"None": None, "newaxis": None, "True": True, "False": False, "pi": np.pi, "e": np.e}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "**": np.power,
    "@": np.matmul,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass
class Reader:
    """Reads nodes at one point.

    Attributes:
        names: the value of every symbol and of every named size.
        letters: for each index letter, its positions along a dimension of its own.
        dims: the dimension of each letter.
    """

    names: Mapping[str, Any]
    letters: Mapping[str, np.ndarray]
    dims: Mapping[str, int]

    def value(self, node: Node) -> Any:
        """The value of a node and of all below it."""
        if node.kind == "binder":
            return None
        if node.kind == "subscript" and node.children[0].value in DELTAS:
            return self.combine(node, [None, *(self.value(c) for c in node.children[1:])])
        return self.combine(node, [self.value(c) for c in node.children])

    def combine(self, node: Node, values: Sequence[Any]) -> Any:
        """The value of a node from those of its children."""
        spend(1)
        value = self._combined(node, values)
        return value.astype(float) if getattr(value, "dtype", None) == np.bool_ else value

    def _combined(self, node: Node, values: Sequence[Any]) -> Any:
        match node.kind:
            case "number":
                number = Fraction(node.value)
                return int(number) if number.denominator == 1 else float(number)
            case "name":
                return self._name(str(node.value))
            case "string":
                return node.value
            case "unary":
                return -values[0]
            case "binary":
                return self._binary(str(node.value), values[0], values[1])
            case "compare":
                return _COMPARE[str(node.value)](values[0], values[1])
            case "bracket" | "keyword":
                return values[0]
            case "transpose":
                return np.asarray(values[0]).T
            case "none":
                return None
            case "slice":
                return slice(*values)
            case "list" | "tuple":
                return tuple(values)
            case "subscript":
                return self._subscript(node, values)
            case "total":
                return self._total(node, values)
            case "call":
                return self._call(node, values)
        raise NotRead(node.kind)

    def _name(self, name: str) -> Any:
        if name in self.letters:
            return self.letters[name]
        if name in self.names:
            return self.names[name]
        if name in _WORDS:
            return _WORDS[name]
        raise NotRead(name)

    @staticmethod
    def _binary(operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(right, int) and right < 0:
            left = np.asarray(left, dtype=float)
        return _BINARY[operator](left, right)

    @staticmethod
    def _subscript(node: Node, values: Sequence[Any]) -> Any:
        if node.children[0].value in DELTAS and values[0] is None:
            return np.equal(values[1], values[2])
        at = tuple(values[1:])
        array = np.asarray(values[0])
        for index, size in zip(at, array.shape, strict=False):
            if isinstance(index, np.ndarray) and (index.min() < 0 or index.max() >= size):
                raise ValueError("an index outside of its axis")
        return array[at]

    def _total(self, node: Node, values: Sequence[Any]) -> Any:
        if node.value not in ("sum", "Σ", "∑"):
            raise NotRead(str(node.value))
        body = np.asarray(values[-1], dtype=float)
        for binder in node.children[:-1]:
            if binder.kind != "binder" or str(binder.value) not in self.dims:
                raise NotRead(binder.kind)
            dim = self.dims[str(binder.value)]
            length = self.letters[str(binder.value)].size
            whole = body.ndim == len(self.dims)
            if whole and body.shape[dim] == length:
                body = body.sum(axis=dim, keepdims=True)
            else:
                body = body * length
        return body

    @staticmethod
    def _call(node: Node, values: Sequence[Any]) -> Any:
        options = {
            str(c.value): v
            for c, v in zip(node.children, values, strict=True)
            if c.kind == "keyword"
        }
        plain = [v for c, v in zip(node.children, values, strict=True) if c.kind != "keyword"]
        name = str(node.value)
        if name in ARRAY_FUNCTIONS:
            return ARRAY_FUNCTIONS[name](*plain, **options)
        record = functions.ELEMENTWISE.get(name)
        if record is None or options:
            raise NotRead(name)
        return record.value(*(np.asarray(v, dtype=float) for v in plain))


def letter_sizes(node: Node, free: Mapping[str, int], reader: Reader) -> dict[str, int]:
    """The number of positions of every letter of an index formula.

    Args:
        node: the right side.
        free: those of the free letters.
        reader: reads the arrays that bound letters run along.
    """
    found = dict(free)
    bound = {str(n.value) for n in walk(node) if n.kind == "binder"}
    for at in walk(node):
        if at.kind != "subscript" or at.children[0].value in DELTAS:
            continue
        items = [str(c.value) if c.kind == "name" else "" for c in at.children[1:]]
        if bound & set(items) - set(found):
            shape = np.shape(reader.value(at.children[0]))
            found.update({w: s for w, s in zip(items, shape, strict=False) if w in bound})
    if bound - set(found):
        raise NotRead("a bound letter without an axis")
    return found


def positions(sizes: Mapping[str, int]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """For each letter its positions along a dimension of its own, and that dimension."""
    rank = len(sizes)
    letters = {
        name: np.arange(size).reshape([-1 if k == a else 1 for k in range(rank)])
        for a, (name, size) in enumerate(sizes.items())
    }
    return letters, {name: a for a, name in enumerate(sizes)}
