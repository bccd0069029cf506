"""Numbers and small arrays as people write them inside of formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

MAX_SHOWN_ENTRIES = 12


def number(value: Any) -> str:
    """A number with six significant digits.

    >>> number(40.171073846), number(2.0), number(1e-10), number(float("nan"))
    ('40.1711', '2', '1e-10', 'NaN')
    """
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    mantissa, _, exponent = f"{value + 0.0:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def number_latex(value: Any) -> str:
    r"""A number in LaTeX.

    >>> print(number_latex(1e-10), number_latex(float("inf")))
    10^{-10} \infty
    """
    text = number(value)
    if text == "NaN":
        return r"\mathrm{NaN}"
    text = text.replace("∞", r"\infty")
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return mantissa
    lead = {"1": "", "-1": "-"}.get(mantissa, rf"{mantissa} \cdot ")
    return f"{lead}10^{{{exponent}}}"


def shown(value: Any) -> str:
    """A number, a small array in full, or the shape and the norm of a larger one.

    >>> import numpy as np
    >>> shown(np.eye(2)), shown(np.ones((64, 10)))
    ('[[1, 0], [0, 1]]', '64×10, from 1 to 1, norm 25.2982')
    """
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return number(array)
    if array.size <= MAX_SHOWN_ENTRIES:
        return _nested(array)
    finite = array[np.isfinite(array)]
    spread = f"from {number(finite.min())} to {number(finite.max())}" if finite.size else ""
    broken = array.size - finite.size
    parts = [extents(array.shape), spread, f"norm {number(_norm(finite))}"]
    if broken:
        parts.append(f"{broken} of {array.size} entries not finite")
    return ", ".join(p for p in parts if p)


def _norm(array: np.ndarray) -> float:
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(array))


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return number(array)
    return "[" + ", ".join(_nested(part) for part in array) + "]"


def extents(shape: tuple[int, ...]) -> str:
    """The shape of an array, as ``64×10``; ``scalar`` without axes."""
    return "×".join(map(str, shape)) or "scalar"


def count_text(count: int) -> str:
    """An exact count; beyond 15 digits its power of ten as well.

    >>> count_text(1_200_000), count_text(2**80)
    ('1,200,000', 'about 1.2e24')
    """
    if count < 10**15:
        return f"{count:,}"
    exponent = math.floor(math.log10(count))
    lead = 10 ** (math.log10(count) - exponent)
    return f"about {lead:.1f}e{exponent}"


def plain_data(value: Any, limit: int = 10_000) -> Any:
    """A number or array as JSON holds it: nested lists, with texts for what is not finite.

    Args:
        value: a number or an array.
        limit: arrays with more entries become their shape and norm.
    """
    array = np.asarray(value, dtype=float)
    if array.size > limit:
        return {"shape": list(array.shape), "summary": shown(array)}
    return _plain(array.tolist())


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if math.isfinite(value) else number(value)


__all__ = [
    "count_text",
    "extents",
    "number",
    "number_latex",
    "plain_data",
    "shown",
]
