"""The parts of the gradient of a JAX function, from its own operations.

Rules that a user gave (``custom_vjp``, ``custom_jvp``) are looked through: the operations of the
forward function say what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from backprove.checking.gradient_parts import Part
from backprove.checking.jax_functions_nonfinite import INLINED, place_of

_LOOKED_THROUGH = (*INLINED, "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")
_MAXIMA = ("reduce_max", "reduce_min")
MAX_EDGES = 400


class _TooLarge(Exception):
    """The function has more operations than are worth looking at."""


def parts_of(
    fn: Callable[..., Any],
    scenes: Sequence[tuple[Sequence[Any], np.ndarray]],
    which: int,
) -> list[list[Part]]:
    """One part for every operand of every operation that depends on the input ``which``.

    Args:
        fn: the function.
        scenes: its inputs, with an upstream gradient of the output.
        which: the position of the input whose gradient is looked at.

    Returns:
        For each scene the parts in the order of the operations; empty where there are too many.
    """
    closed = jax.make_jaxpr(fn)(*scenes[0][0])
    if len(closed.jaxpr.outvars) != 1:
        return []
    try:
        plan = _Plan(closed, scenes[0][0])
    except _TooLarge:
        return []
    whole = jax.jit(lambda values, g: _measured(plan, values, g, which))
    found = []
    for values, g in scenes:
        adjoints, slopes, gradient, frozen = whole(list(values), jnp.asarray(g))
        if np.allclose(gradient, frozen[2], rtol=1e-6, atol=1e-9):
            adjoints, slopes = frozen[:2]
        found.append(plan.parts(adjoints, slopes, int(np.size(values[which]))))
    return found


def _measured(plan: _Plan, values: list[Any], g: Any, which: int) -> tuple[Any, ...]:
    """Adjoints and slopes, and the same with maxima held fixed, which no softmax depends on."""
    found = []
    maxima = any(op in _MAXIMA for op, *_ in plan.edges)
    for frozen in (False, True) if maxima else (False,):
        plan.frozen = frozen

        def run(shifts: list[Any], x: Any) -> tuple[Any, list[Any]]:
            return plan.run([*values[:which], x, *values[which + 1 :]], shifts)

        shifts, x = plan.zeros(), values[which]
        output, back = jax.vjp(lambda s, x, run=run: run(s, x)[0], shifts, x)
        adjoints, gradient = back(g.astype(output.dtype).reshape(output.shape))
        slopes = jax.jacfwd(lambda x, run=run, shifts=shifts: run(shifts, x)[1])(x)
        found.append((adjoints, slopes, gradient))
    return (*found[0], found[-1])


class _Plan:
    """The operations of a function, run with a shift added to every operand and every outcome."""

    def __init__(self, closed: Any, values: Sequence[Any]) -> None:
        self.closed, self.frozen = closed, False
        self.edges: list[tuple[str, str, str, int]] = []
        self.shapes: list[Any] = []
        self._read(values)

    def _read(self, values: Sequence[Any]) -> None:
        self._recording = True
        self.run(values, None)
        self._recording = False

    def zeros(self) -> list[Any]:
        """No shift at all."""
        return [jnp.zeros(shape, dtype) for shape, dtype in self.shapes]

    def run(self, values: Sequence[Any], shifts: list[Any] | None) -> tuple[Any, list[Any]]:
        """The output, and the operands of all operations, in order."""
        self._next, self._seen, self._shifts = 0, [], shifts
        arguments = [(jnp.asarray(v), "") for v in values]
        (output,) = self._block(self.closed.jaxpr, self.closed.consts, arguments, "")
        return output[0], self._seen

    def _block(self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any], place: str) -> list:
        known: dict[Any, tuple[Any, str]] = dict(zip(jaxpr.invars, inputs, strict=True))
        known.update({v: (c, "") for v, c in zip(jaxpr.constvars, consts, strict=True)})

        def read(atom: Any) -> tuple[Any, str]:
            return (atom.val, "") if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            operands = [read(a) for a in equation.invars]
            here = place_of(equation) or place
            if equation.primitive.name in _LOOKED_THROUGH:
                inner = equation.params.get("call_jaxpr") or equation.params.get("jaxpr")
                inner = inner if inner is not None else equation.params["fun_jaxpr"]
                inner_consts = getattr(inner, "consts", ())
                results = self._block(getattr(inner, "jaxpr", inner), inner_consts, operands, here)
            else:
                results = self._apply(equation, operands, here)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(a) for a in jaxpr.outvars]

    def _apply(self, equation: Any, operands: Sequence[Any], place: str) -> list:
        name = equation.primitive.name
        bound = equation.primitive.get_bind_params(equation.params)
        functions, params = bound if isinstance(bound, tuple) else ((), bound)
        first = self._next
        moved = []
        for value, inner in operands:
            if jnp.issubdtype(jnp.result_type(value), jnp.floating):
                moved.append(self._shifted(value, (name, place, inner)))
            else:
                moved.append(value)
        out = equation.primitive.bind(*functions, *moved, **params)
        results = list(out) if equation.primitive.multiple_results else [out]
        if self.frozen and name in _MAXIMA:
            results = [jax.lax.stop_gradient(r) for r in results]
        if first < self._next and jnp.issubdtype(jnp.result_type(results[0]), jnp.floating):
            end = self._next
            results[0] = self._shifted(results[0], None)
            if self._recording:
                for k in range(first, end):
                    self.edges[k] = (*self.edges[k][:3], end)
        return [(r, name) for r in results]

    def _shifted(self, value: Any, label: tuple[str, str, str] | None) -> Any:
        if self._recording:
            if len(self.edges) >= MAX_EDGES:
                raise _TooLarge
            self.edges.append((*label, -1) if label else ("", "", "", -1))
            self.shapes.append((np.shape(value), jnp.result_type(value)))
            self._next += 1
            return value
        assert self._shifts is not None
        self._seen.append(value)
        self._next += 1
        return value + self._shifts[self._next - 1]

    def parts(self, adjoints: Sequence[Any], slopes: Sequence[Any], entries: int) -> list[Part]:
        """The parts, from the adjoints of all shifts and the derivatives of all operands."""
        found = []
        for (op, place, inner, outcome), passes, slope in zip(
            self.edges, adjoints, slopes, strict=True
        ):
            matrix = np.asarray(slope, dtype=float).reshape(-1, entries)
            if not op or outcome < 0 or not matrix.any():
                continue
            arrives = np.asarray(adjoints[outcome], dtype=float)
            found.append(Part(op, place, arrives, np.asarray(passes, dtype=float), matrix, inner))
        return found
