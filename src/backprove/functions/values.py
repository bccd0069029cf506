"""Numerically stable NumPy values of the named functions.

Every function here takes real arrays of any shape and keeps float16, float32 and float64; integers
become float64. Complex input is for complex-step differentiation: the branch of a piecewise
function is then chosen by the real part, which continues the function analytically off its kinks.
Finite inputs of any size and infinities with a limit give values, never a floating-point warning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

_SQRT_HALF = 0.5**0.5
_GELU_TANH_SCALE = (2.0 / np.pi) ** 0.5
GELU_TANH_CUBIC = 0.044715
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def _inexact(x: ArrayLike) -> Array:
    array = np.asarray(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def _elementwise(function: Callable[..., Array]) -> Callable[..., Array]:
    """Convert the arguments; overflow to infinity and underflow to 0 are right answers here."""

    @wraps(function)
    def stable(*arguments: ArrayLike, **parameters: float) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return function(*(_inexact(argument) for argument in arguments), **parameters)

    return stable


def _towards_zero(x: Array) -> tuple[Array, Array]:
    """Whether ``Re x > 0``, and ``exp(-|x|)``, which cannot overflow."""
    positive = np.real(x) > 0
    return positive, np.exp(np.where(positive, -x, x))


def _gated(x: Array, gate: Array) -> Array:
    """``x * gate``, with limit 0 where the gate is closed (``-inf * 0`` would be NaN)."""
    closed = (gate == 0) & np.isinf(np.real(x))
    return np.where(closed, 0, x) * gate


exp = _elementwise(np.exp)
expm1 = _elementwise(np.expm1)
log = _elementwise(np.log)
sin = _elementwise(np.sin)
cos = _elementwise(np.cos)
tan = _elementwise(np.tan)
sqrt = _elementwise(np.sqrt)
sinh = _elementwise(np.sinh)
cosh = _elementwise(np.cosh)
tanh = _elementwise(np.tanh)
arctan = _elementwise(np.arctan)
square = _elementwise(np.square)


@_elementwise
def log1p(x: Array) -> Array:
    """``log(1 + x)`` without cancellation near 0, in the real part of complex numbers as well."""
    if x.dtype.kind != "c":
        return np.log1p(x)
    real, imaginary = np.real(x), np.imag(x)
    near = np.abs(real) < 0.5  # elsewhere 1 + x has lost nothing
    square_less_one = np.where(near, real * (2 + real) + imaginary**2, 0)
    modulus = np.where(
        near,
        np.log1p(square_less_one) / 2,
        np.log(np.hypot(1 + np.where(near, 0, real), imaginary)),
    )
    return (modulus + 1j * np.arctan2(imaginary, 1 + real)).astype(x.dtype, copy=False)


@_elementwise
def absolute(x: Array) -> Array:
    """``|x|``; complex input follows the branch of its real part, it is no modulus."""
    if x.dtype.kind == "c":
        return np.where(np.real(x) < 0, -x, x)
    return np.abs(x)


@_elementwise
def sign(x: Array) -> Array:
    """-1, 0 or 1 by the sign of the (real part of the) argument."""
    return np.sign(np.real(x)).astype(x.dtype)


@_elementwise
def sigmoid(x: Array) -> Array:
    """``1/(1 + exp(-x))`` with a small relative error in both tails."""
    positive, small = _towards_zero(x)
    return np.where(positive, 1, small) / (1 + small)


@_elementwise
def softplus(x: Array) -> Array:
    """``log(1 + exp(x))`` that neither overflows nor loses its left tail."""
    positive, small = _towards_zero(x)
    return np.where(positive, x, 0) + log1p(small)


@_elementwise
def logsigmoid(x: Array) -> Array:
    """``log(sigmoid(x))`` as ``-softplus(-x)``."""
    return -softplus(-x)


@_elementwise
def relu(x: Array) -> Array:
    """``max(x, 0)``."""
    return _keep_nan(x, np.where(np.real(x) > 0, x, 0))


@_elementwise
def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """``x`` above 0 and ``slope*x`` below."""
    return _gated(x, np.where(np.real(x) > 0, 1, slope).astype(x.dtype, copy=False))


@_elementwise
def elu(x: Array, alpha: float = 1.0) -> Array:
    """``x`` above 0 and ``alpha*(exp(x) - 1)`` below."""
    return np.where(np.real(x) > 0, x, alpha * np.expm1(np.where(np.real(x) > 0, 0, x)))


@_elementwise
def selu(x: Array) -> Array:
    """``SELU_SCALE * elu(x, SELU_ALPHA)``."""
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


@_elementwise
def relu6(x: Array) -> Array:
    """``min(max(x, 0), 6)``."""
    return _clipped(x, 0, 6)


@_elementwise
def hardtanh(x: Array) -> Array:
    """``min(max(x, -1), 1)``."""
    return _clipped(x, -1, 1)


@_elementwise
def hardsigmoid(x: Array) -> Array:
    """``min(max(x + 3, 0), 6)/6``."""
    return _clipped(x + 3, 0, 6) / 6


@_elementwise
def softsign(x: Array) -> Array:
    """``x/(1 + |x|)``."""
    magnitude = absolute(x)
    infinite = np.isinf(np.real(magnitude))
    return np.where(infinite, sign(x), x) / np.where(infinite, 1, 1 + magnitude)


@_elementwise
def silu(x: Array) -> Array:
    """``x*sigmoid(x)``."""
    return _gated(x, sigmoid(x))


@_elementwise
def mish(x: Array) -> Array:
    """``x*tanh(softplus(x))``."""
    return _gated(x, np.tanh(softplus(x)))


@_elementwise
def erf(x: Array) -> Array:
    """The error function."""
    from scipy.special import erf as error_function  # takes 0.15 s to import, rarely needed

    return error_function(x).astype(x.dtype, copy=False)


@_elementwise
def gelu(x: Array) -> Array:
    """``x*Phi(x)`` with the normal distribution function; erfc keeps the left tail."""
    from scipy.special import erfc  # takes 0.15 s to import, rarely needed

    return _gated(x, 0.5 * erfc(-_SQRT_HALF * x).astype(x.dtype, copy=False))


@_elementwise
def gelu_tanh(x: Array) -> Array:
    """The tanh approximation of gelu; ``(1 + tanh(u))/2`` is ``sigmoid(2*u)``."""
    inner = _GELU_TANH_SCALE * x * (1 + GELU_TANH_CUBIC * np.square(x))
    return _gated(x, sigmoid(2 * inner))


@_elementwise
def maximum(x: Array, y: Array) -> Array:
    """The larger of two numbers (by real part)."""
    if "c" in x.dtype.kind + y.dtype.kind:
        return np.where(np.real(x) >= np.real(y), x, y)
    return np.maximum(x, y)


@_elementwise
def minimum(x: Array, y: Array) -> Array:
    """The smaller of two numbers (by real part)."""
    if "c" in x.dtype.kind + y.dtype.kind:
        return np.where(np.real(x) <= np.real(y), x, y)
    return np.minimum(x, y)


def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """``exp(x)/sum(exp(x))`` along an axis, after the maximum has been subtracted.

    Args:
        x: logits, any shape.
        axis: the axis that is normalised.

    Returns:
        Probabilities, shape of ``x``.
    """
    array = _inexact(x)
    with np.errstate(under="ignore"):
        weights = np.exp(array - _pivot(array, axis))
        return weights / weights.sum(axis=axis, keepdims=True)


def logsumexp(x: ArrayLike, axis: int = -1) -> Array:
    """``log(sum(exp(x)))`` along an axis, after the maximum has been subtracted.

    Args:
        x: any shape.
        axis: the axis that is reduced.

    Returns:
        Shape of ``x`` without ``axis``.
    """
    array = _inexact(x)
    pivot = _pivot(array, axis)
    with np.errstate(under="ignore", divide="ignore"):  # log(0) = -inf if every entry is -inf
        total = np.log(np.exp(array - pivot).sum(axis=axis, keepdims=True))
    return np.squeeze(total + pivot, axis=axis)


def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """``log(softmax(x))`` along an axis, finite where softmax underflows.

    Args:
        x: logits, any shape.
        axis: the axis that is normalised.

    Returns:
        Logarithms of probabilities, shape of ``x``.
    """
    array = _inexact(x)
    shifted = array - _pivot(array, axis)
    with np.errstate(under="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _pivot(x: Array, axis: int) -> Array:
    largest = np.real(x).max(axis=axis, keepdims=True)
    return np.where(np.isinf(largest), 0, largest).astype(largest.dtype)


def _clipped(x: Array, low: float, high: float) -> Array:
    inside = np.where(np.real(x) > high, high, x)
    return _keep_nan(x, np.where(np.real(x) < low, low, inside))


def _keep_nan(x: Array, result: Array) -> Array:
    return np.where(np.isnan(np.real(x)), x, result)
