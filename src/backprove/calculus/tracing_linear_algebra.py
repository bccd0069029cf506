"""Functions of ``jax.numpy.linalg`` that are read as one operation, not through their pivoting.

JAX writes ``inv``, ``solve``, ``det`` and ``slogdet`` as a call of a function of that name. A call
is only read as the known function if its equations are exactly those of that function at these
shapes, so neither a function of a user with the same name, nor one under ``vmap``, is taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from backprove.calculus.equations import Tracer
from backprove.calculus.traced import Traced
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.operations import Value

Reader = Callable[[Tracer, list[Value]], list[Traced]]


def linear_algebra(tracer: Tracer, equation: Any, operands: list[Traced]) -> list[Traced] | None:
    """The outputs of a call of a function of linear algebra, or None if it is none."""
    found = _READERS.get(equation.params.get("name", ""))
    if found is None or "jaxpr" not in equation.params:
        return None
    function, reader = found
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    if any(len(s.shape) > 2 for s in shapes) or len(shapes[0].shape) != 2:
        return None
    try:
        with jax.enable_x64(True):
            own = jax.make_jaxpr(function)(*shapes).eqns[0].params["jaxpr"]
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    if _text(own) != _text(equation.params["jaxpr"]):
        return None
    return reader(tracer, [tracer.value(o, f"'{equation.params['name']}'") for o in operands])


def _text(jaxpr: Any) -> str:
    return re.sub(r"0x[0-9a-f]+", "", str(jaxpr))


def _inverse(tracer: Tracer, values: list[Value]) -> list[Traced]:
    (matrix,) = values
    axes = [Axis(s) for s in matrix.shape]
    inner = [Axis(s) for s in matrix.shape]
    body = b.bind("inv", inner, matrix.entry(*inner), axes)
    return [tracer.array("inv", [matrix], axes, body, "inv({0})")]


def _solution(tracer: Tracer, values: list[Value]) -> list[Traced]:
    matrix, right = values
    inverse = tracer.value(_inverse(tracer, [matrix])[0], "'solve'")
    row, column = (Axis(s) for s in matrix.shape)
    others = [Axis(s) for s in right.shape[1:]]
    body = b.total([column], b.mul(inverse.entry(row, column), right.entry(column, *others)))
    return [tracer.array("matmul", [inverse, right], [row, *others], body, "{0} @ {1}")]


def _determinant(tracer: Tracer, values: list[Value]) -> list[Traced]:
    (matrix,) = values
    axes = [Axis(s) for s in matrix.shape]
    body = b.bind("det", axes, matrix.entry(*axes), ())
    return [tracer.array("det", [matrix], [], body, "det({0})")]


def _sign_and_logarithm(tracer: Tracer, values: list[Value]) -> list[Traced]:
    (matrix,) = values
    axes = [Axis(s) for s in matrix.shape]
    body = b.bind("logdet", axes, matrix.entry(*axes), ())
    logarithm = tracer.array("logdet", [matrix], [], body, "logdet({0})")
    determinant = tracer.value(_determinant(tracer, values)[0], "'slogdet'")
    sign = tracer.array("sign", [determinant], [], b.fn("sign", determinant.entry()), "sign({0})")
    return [sign, logarithm]


_READERS: dict[str, tuple[Callable[..., Any], Reader]] = {
    "inv": (jnp.linalg.inv, _inverse),
    "solve": (jnp.linalg.solve, _solution),
    "det": (jnp.linalg.det, _determinant),
    "slogdet": (jnp.linalg.slogdet, _sign_and_logarithm),
}
