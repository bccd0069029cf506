"""Runs what JAX traced with NumPy: JAX differentiates, and no case has to be compiled.

Compiling the Jacobian of one small random expression takes XLA about 80 ms; tracing it and walking
over its primitives takes a few. A primitive that is not in the table is left to JAX itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from scipy import special

Array = Any
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}


def traced(function: Callable[..., Any], *arguments: Any) -> Any:
    """The value of a JAX function of arrays, computed by NumPy primitive by primitive.

    Args:
        function: any function that JAX can trace, such as ``jax.jacobian(f)``.
        arguments: its arguments, float64.

    Returns:
        The one output, or a list if there are several.
    """
    closed = jax.make_jaxpr(function)(*map(jax.numpy.asarray, arguments))
    with np.errstate(all="ignore"):
        found = _run(closed.jaxpr, closed.consts, [np.asarray(a) for a in arguments])
    return found[0] if len(found) == 1 else found


def _run(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    values: dict[Any, Any] = {}
    values.update(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Any:
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]

    for eqn in jaxpr.eqns:
        given = [read(v) for v in eqn.invars]
        name, params = eqn.primitive.name, eqn.params
        if name in _CALLS:
            inner = params[_CALLS[name]]
            results = _run(inner.jaxpr, inner.consts, given)
        elif name == "split":
            ends = np.cumsum(np.asarray(params["sizes"], int))[:-1]
            results = np.split(given[0], ends, axis=params["axis"])
        elif name in _PRIMITIVES:
            results = [np.asarray(_PRIMITIVES[name](params, *given))]
        else:
            results = eqn.primitive.bind(*map(jax.numpy.asarray, given), **params)
            results = results if eqn.primitive.multiple_results else [results]
            results = [np.asarray(r) for r in results]
            LEFT_TO_JAX[name] = LEFT_TO_JAX.get(name, 0) + 1
        for variable, value in zip(eqn.outvars, results, strict=True):
            assert value.shape == variable.aval.shape, (name, value.shape, variable.aval)
            values[variable] = value.astype(variable.aval.dtype, copy=False)
    return [read(v) for v in jaxpr.outvars]


LEFT_TO_JAX: dict[str, int] = {}
"""How often each primitive outside of the table was met."""


def _broadcast_in_dim(params: Any, x: Array, *_: Any) -> Array:
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], x.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(x.reshape(shape), params["shape"])


def _dot_general(params: Any, x: Array, y: Array) -> Array:
    (sum_x, sum_y), (batch_x, batch_y) = params["dimension_numbers"]
    of_x, of_y = list(range(x.ndim)), list(range(x.ndim, x.ndim + y.ndim))
    for a, c in zip((*sum_x, *batch_x), (*sum_y, *batch_y), strict=True):
        of_y[c] = of_x[a]
    out = [of_x[a] for a in batch_x]
    out += [of_x[a] for a in range(x.ndim) if a not in (*sum_x, *batch_x)]
    out += [of_y[a] for a in range(y.ndim) if a not in (*sum_y, *batch_y)]
    return np.einsum(x, of_x, y, of_y, out)


def _slice(params: Any, x: Array) -> Array:
    steps = params["strides"] or (1,) * x.ndim
    limits = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return x[tuple(slice(*limit) for limit in limits)]


def _dynamic_slice(params: Any, x: Array, *starts: Array) -> Array:
    sizes = params["slice_sizes"]
    begins = [
        min(max(int(s), 0), n - size) for s, n, size in zip(starts, x.shape, sizes, strict=True)
    ]
    return x[tuple(slice(s, s + size) for s, size in zip(begins, sizes, strict=True))]


def _pad(params: Any, x: Array, fill: Array) -> Array:
    config = params["padding_config"]
    spread = [
        low + high + n + max(n - 1, 0) * gap
        for (low, high, gap), n in zip(config, x.shape, strict=True)
    ]
    out = np.full([max(s, 0) for s in spread], fill)
    target, source = [], []
    for (low, _, gap), n, size in zip(config, x.shape, spread, strict=True):
        places = low + np.arange(n) * (gap + 1)
        inside = (places >= 0) & (places < size)
        target.append(places[inside])
        source.append(np.arange(n)[inside])
    out[np.ix_(*target)] = x[np.ix_(*source)]
    return out


def _iota(params: Any) -> Array:
    size = params["shape"][params["dimension"]]
    shape = [1] * len(params["shape"])
    shape[params["dimension"]] = size
    return np.broadcast_to(np.arange(size).reshape(shape), params["shape"])


def _clamp(_: Any, low: Array, x: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


def _select_n(_: Any, which: Array, *cases: Array) -> Array:
    return np.choose(np.broadcast_to(which, cases[0].shape).astype(int), cases)


def _cumulative(operation: Callable[..., Array]) -> Callable[..., Array]:
    def run(params: Any, x: Array) -> Array:
        axis = params["axis"]
        if params["reverse"]:
            return np.flip(operation(np.flip(x, axis), axis=axis), axis)
        return operation(x, axis=axis)

    return run


def _integer_pow(params: Any, x: Array) -> Array:
    return np.power(np.asarray(x, float), params["y"])


_ENTRYWISE: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "atan": np.arctan,
    "erf": special.erf,
    "erfc": special.erfc,
    "logistic": special.expit,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "max": np.maximum,
    "min": np.minimum,
    "pow": np.power,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "is_finite": np.isfinite,
    "stop_gradient": lambda x: x,
    "copy": lambda x: x,
    "copy_p": lambda x: x,
}

_PRIMITIVES: dict[str, Callable[..., Array]] = {
    **{n: (lambda _, *xs, f=f: f(*xs)) for n, f in _ENTRYWISE.items()},
    "integer_pow": _integer_pow,
    "convert_element_type": lambda p, x: x.astype(p["new_dtype"]),
    "broadcast_in_dim": _broadcast_in_dim,
    "dot_general": _dot_general,
    "reshape": lambda p, x: np.reshape(
        x if p["dimensions"] is None else np.transpose(x, p["dimensions"]), p["new_sizes"]
    ),
    "transpose": lambda p, x: np.transpose(x, p["permutation"]),
    "squeeze": lambda p, x: np.squeeze(x, tuple(p["dimensions"])),
    "expand_dims": lambda p, x: np.expand_dims(x, tuple(p["dimensions"])),
    "rev": lambda p, x: np.flip(x, tuple(p["dimensions"])),
    "concatenate": lambda p, *xs: np.concatenate(xs, axis=p["dimension"]),
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "pad": _pad,
    "iota": _iota,
    "clamp": _clamp,
    "select_n": _select_n,
    "reduce_sum": lambda p, x: np.sum(x, axis=tuple(p["axes"])),
    "reduce_max": lambda p, x: np.max(x, axis=tuple(p["axes"])),
    "reduce_min": lambda p, x: np.min(x, axis=tuple(p["axes"])),
    "reduce_prod": lambda p, x: np.prod(x, axis=tuple(p["axes"])),
    "cumsum": _cumulative(np.cumsum),
    "cumprod": _cumulative(np.cumprod),
}

__all__ = ["LEFT_TO_JAX", "traced"]
