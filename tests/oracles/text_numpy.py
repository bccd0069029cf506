"""Expression text to numbers, by Python's own grammar and NumPy alone.

A second reader of the language that shares no code with the package: the text is parsed with
``ast``, every node must be on a short list, and names map to NumPy functions. Nothing is executed
by the interpreter itself.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray
Values = Mapping[str, Any]

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
}
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def softmax(x: Array, axis: int = -1) -> Array:
    weights = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def norm(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return special.logsumexp(x, axis=axis, keepdims=keepdims)


def cumsum(x: Array, axis: int | None = None) -> Array:
    if axis is None and np.ndim(x) > 1:
        raise ValueError("cumsum of a matrix needs axis=")
    return np.cumsum(x, axis=axis)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "ln": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "square": np.square,
    "abs": np.abs,
    "sign": np.sign,
    "amax": np.max,
    "amin": np.min,
    "sum": np.sum,
    "mean": np.mean,
    "var": np.var,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": np.where,
    "clip": np.clip,
    "trace": lambda x: np.trace(x, axis1=-2, axis2=-1),
    "det": np.linalg.det,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "inv": np.linalg.inv,
    "norm": norm,
    "dot": np.dot,
    "matmul": np.matmul,
    "outer": np.outer,
    "kron": np.kron,
    "einsum": np.einsum,
    "diag": np.diag,
    "eye": np.eye,
    "ones": np.ones,
    "zeros": np.zeros,
    "concatenate": np.concatenate,
    "concat": np.concatenate,
    "ravel": np.ravel,
    "flatten": np.ravel,
    "stack": np.stack,
    "cumsum": cumsum,
    "tril": np.tril,
    "triu": np.triu,
    "reshape": np.reshape,
    "transpose": np.transpose,
    "softmax": softmax,
    "log_softmax": lambda x, axis=-1: x - special.logsumexp(x, axis=axis, keepdims=True),
    "logsumexp": logsumexp,
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0))),
    "gelu": lambda x: x * special.ndtr(x),
    "gelu_tanh": lambda x: x * special.expit(np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)),
    "silu": lambda x: x * special.expit(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "logsigmoid": lambda x: -np.logaddexp(0.0, -x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0.0)))
    ),
    "relu6": lambda x: np.minimum(np.maximum(x, 0.0), 6.0),
    "hardtanh": lambda x: np.minimum(np.maximum(x, -1.0), 1.0),
    "hardsigmoid": lambda x: np.minimum(np.maximum(x / 6 + 0.5, 0.0), 1.0),
    "erf": special.erf,
}
CONSTANTS = {"pi": np.pi, "e": np.e, "None": None, "newaxis": None}


@lru_cache(maxsize=4096)
def tree(text: str) -> ast.expr:
    """The parsed text; ``^`` is a power and ``²`` a square, as on paper."""
    return ast.parse(text.replace("^", "**").replace("²", "**2").strip(), mode="eval").body


def evaluate(text: str, values: Values) -> Array:
    """The value of an expression; ``values`` hold the arrays and the named sizes."""
    with np.errstate(all="raise", under="ignore"):
        return np.asarray(Reader(values).visit(tree(text)), dtype=float)


class Reader:
    """Walks the tree; each kind of node that the language has is one method."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def visit(self, node: ast.AST) -> Any:
        method = getattr(self, type(node).__name__, None)
        if method is None:
            raise SyntaxError(f"{type(node).__name__} is not part of the language")
        return method(node)

    def Constant(self, node: ast.Constant) -> Any:
        if node.value is not None and not isinstance(node.value, (bool, int, float, str)):
            raise SyntaxError(f"{node.value!r} is not part of the language")
        return node.value

    def Name(self, node: ast.Name) -> Any:
        if node.id in self.values:
            return self.values[node.id]
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        raise NameError(node.id)

    def BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Pow) and isinstance(left, int):
            left = left if isinstance(right, int) and right >= 0 else float(left)
        return BINARY[type(node.op)](left, right)

    def UnaryOp(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.visit(node.operand))

    def Compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1:
            raise SyntaxError("one comparison at a time")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return np.asarray(COMPARE[type(node.ops[0])](left, right), dtype=float)

    def Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.visit(item) for item in node.elts)

    def List(self, node: ast.List) -> Any:
        return [self.visit(item) for item in node.elts]

    def Slice(self, node: ast.Slice) -> slice:
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if b is None else self.visit(b) for b in bounds))

    def Subscript(self, node: ast.Subscript) -> Any:
        return np.asarray(self.visit(node.value))[self.visit(node.slice)]

    def Attribute(self, node: ast.Attribute) -> Any:
        if node.attr != "T":
            raise SyntaxError(f".{node.attr} is not part of the language")
        return np.transpose(self.visit(node.value))

    def Call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS:
            raise SyntaxError(f"{name} is not a function of the language")
        given = [self.visit(argument) for argument in node.args]
        options = {str(k.arg): self.visit(k.value) for k in node.keywords}
        if name == "where":
            given[0] = np.asarray(given[0], dtype=bool)
        return FUNCTIONS[name](*given, **options)
