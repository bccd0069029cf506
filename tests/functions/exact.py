"""Oracle of the function tests: definitions in mpmath, and an evaluator of the records' texts.

Nothing here is shared with the package: the definitions are written out again, and the evaluator
walks Python's syntax tree over the few nodes that the records' language has.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp
import numpy as np

from backprove.functions import ELEMENTWISE, FunctionRecord, lookup

FAMILY_MEMBERS = [
    lookup("leaky_relu", slope=0.2),
    lookup("leaky_relu", slope=-0.5),
    lookup("leaky_relu", slope=0.0),
    lookup("elu", alpha=2.0),
    lookup("elu", alpha=0.3),
    lookup("elu", alpha=-1.0),
]
RECORDS = [*ELEMENTWISE.values(), *FAMILY_MEMBERS]
CURVES = [record for record in RECORDS if record.arity == 1]


def name_of(record: FunctionRecord) -> str:
    """A readable test id."""
    return record.name + "".join(f"-{value:g}" for value in record.parameters.values())


def _clip(x: Any, low: Any, high: Any) -> Any:
    return low if x < low else high if x > high else x


def _selu(x: Any) -> Any:
    scale, alpha = mp.mpf("1.0507009873554805"), mp.mpf("1.6732632423543772")
    return scale * (x if x > 0 else alpha * mp.expm1(x))


def _gelu_tanh(x: Any) -> Any:
    return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log(1 + mp.exp(x))


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "expm1": lambda x: mp.exp(x) - 1,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "sqrt": mp.sqrt,
    "square": lambda x: x * x,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arctan": mp.atan,
    "erf": mp.erf,
    "abs": abs,
    "sign": mp.sign,
    "maximum": max,
    "minimum": min,
    "sigmoid": _sigmoid,
    "logsigmoid": lambda x: mp.log(_sigmoid(x)),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * mp.tanh(_softplus(x)),
    "gelu": lambda x: x * mp.ncdf(x),
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: max(x, mp.mpf(0)),
    "relu6": lambda x: _clip(x, 0, 6),
    "hardtanh": lambda x: _clip(x, -1, 1),
    "hardsigmoid": lambda x: _clip(x / 6 + mp.mpf(1) / 2, 0, 1),
    "selu": _selu,
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x),
}


def definition(record: FunctionRecord) -> Callable[..., Any]:
    """The function of a record in mpmath, with its parameters bound."""
    function = DEFINITIONS[record.name]

    def bound(*arguments: Any) -> Any:
        parameters = {name: mp.mpf(repr(value)) for name, value in record.parameters.items()}
        return function(*arguments, **parameters)

    return bound


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
}


def evaluate(
    text: str, names: Mapping[str, Any], functions: Mapping[str, Any], number: Callable[..., Any]
) -> Any:
    """The value of a record's text in any arithmetic.

    Args:
        text: the text.
        names: values of ``x``, ``y`` and ``pi``.
        functions: the functions that the text may call, ``where`` included.
        number: turns a literal or a truth value into a number of the arithmetic.
    """

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as literal):
                return number(literal)
            case ast.Name(id=name):
                return names[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return number(_OPERATORS[type(op)](value(left), value(right)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return functions[name](*(value(argument) for argument in arguments))
        raise AssertionError(f"not in the language of the records: {ast.dump(node)}")

    return value(ast.parse(text, mode="eval").body)


def exactly(text: str, *arguments: Any) -> Any:
    """A text in mpmath at the current precision."""
    functions = {**DEFINITIONS, "where": lambda c, a, b: a if c else b}
    names = dict(zip("xy", map(mp.mpf, arguments), strict=False), pi=mp.pi)
    return evaluate(text, names, functions, lambda literal: mp.mpf(repr(float(literal))))


def in_floats(text: str, *arguments: Any) -> Any:
    """A text in NumPy with the values of the records, as the package evaluates it."""
    functions = {name: record.value for name, record in ELEMENTWISE.items()} | {"where": np.where}
    names = dict(zip("xy", map(np.asarray, arguments), strict=False), pi=np.pi)
    return evaluate(text, names, functions, lambda literal: np.asarray(literal, dtype=float))


def as_float(value: Any) -> float:
    """A number of mpmath rounded to a float, infinite where it does not fit."""
    if abs(value) > mp.mpf("1.7976931348623157e308"):
        return float("inf") if value > 0 else float("-inf")
    return float(value)
