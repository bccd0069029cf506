"""What somebody means who writes a name that the language does not have."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

LIBRARIES = frozenset({"torch", "tf", "math", "jax", "scipy"})
"""Names before functions that are no names of arrays, unless one is declared so."""

_LONG = 100  # characters of no name that was mistyped

_WRITTEN_OUT = {
    "t": "X.T",
    "mm": "A @ B",
    "bmm": "A @ B",
    "tr": "trace(A)",
    "Tr": "trace(A)",
    "pow": "x**p",
    "power": "x**p",
    "add": "x + y",
    "subtract": "x - y",
    "multiply": "x * y",
    "divide": "x / y",
    "log2": "log(x)/log(2)",
    "log_2": "log(x)/log(2)",
    "log10": "log(x)/log(10)",
    "log_10": "log(x)/log(10)",
    "std": "sqrt(var(x))",
    "reciprocal": "1/x",
    "negative": "-x",
    "flip": "x[::-1]",
    "roll": "concatenate([x[-1:], x[:-1]]) for a roll by 1",
    "diff": "x[1:] - x[:-1]",
    "solve": "inv(A) @ b",
    "logaddexp": "logsumexp(stack([x, y]), axis=0)",
    "slogdet": "logdet(A), its second result",
    "tensordot": "einsum with the axes named",
    "inner": "sum(x*y), or X @ Y.T",
    "vdot": "sum(x*y)",
    "exp2": "2**x",
    "hypot": "sqrt(x**2 + y**2)",
    "average": "mean(x), or sum(w*x)/sum(w)",
    "cumprod": "exp(cumsum(log(x))) for positive x",
    "linspace": "the numbers as a symbol with its shape",
    "arange": "the numbers as a symbol with its shape",
    "mse": "the loss out: mean((a - b)**2)",
    "mse_loss": "the loss out: mean((a - b)**2)",
    "nll_loss": "the loss out: -sum(y*log(p)), or its mean over rows",
    "cross_entropy": "the loss out: -sum(y*log_softmax(z)), or its mean over rows",
    "binary_cross_entropy": "the loss out: -mean(y*log(p) + (1 - y)*log(1 - p))",
}


def meant_symbol(name: str, symbols: Collection[str]) -> str:
    """A hint to who writes a symbol that is not declared.

    >>> meant_symbol("Xw", ["X", "w"])
    'Write a product: X * w of entries, X @ w of matrices.'
    >>> meant_symbol("y_1", ["y"])
    'Entries are counted from 0: y[0] is the first.'
    """
    for at in range(1, len(name) if len(name) < _LONG else 0):
        left, right = name[:at], name[at:]
        if left in symbols and right in symbols:
            return f"Write a product: {left} * {right} of entries, {left} @ {right} of matrices."
        if left in symbols and right.removeprefix("_").isdecimal():
            return f"Entries are counted from 0: {left}[0] is the first."
    if len(name) < _LONG and (close := get_close_matches(name, symbols, 1)):
        return f"Did you mean '{close[0]}'?"
    return f"Declared: {', '.join(symbols) or 'nothing'}; declare it with its shape."


def meant_function(name: str, supported: Collection[str]) -> str:
    """A hint to who calls a function that is not supported.

    >>> meant_function("ReLU", ["relu", "exp"])
    'Did you mean relu? Supported: relu, exp.'
    """
    if name in _WRITTEN_OUT:
        return f"Write {_WRITTEN_OUT[name]}."
    close = get_close_matches(name.lower(), supported, 3)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}Supported: {', '.join(supported)}."
