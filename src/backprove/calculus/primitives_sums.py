"""Primitives that sum and reduce, in index notation."""

from __future__ import annotations

from backprove.calculus.equations import (
    Equation,
    Tracer,
    axis_option,
    primitive,
    reduced_bind,
)
from backprove.calculus.traced import Shift, Traced
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index


@primitive("reduce_sum")
def _reduce_sum(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    (x,) = operands
    reduced = tuple(eq.params["axes"])
    shift = None
    if x.shift and x.shift.stage == "exp" and x.shift.axes == reduced:
        shift = Shift("sum", x.shift.x, reduced)
        if x.stopped:
            return Traced(tuple(Axis(s) for s in eq.shape), shift=shift, stopped=True)
    value = tracer.value(x, "'reduce_sum'", eq.line)
    axes = [Axis(s) for s in value.shape]
    body = b.total([axes[k] for k in reduced], value.entry(*axes))
    kept = [a for k, a in enumerate(axes) if k not in reduced]
    return tracer.array(
        "sum", [value], kept, body, f"sum({{0}}{axis_option(reduced)})", (reduced, False)
    ).with_shift(shift)


@primitive("reduce_max", "reduce_min", "reduce_prod")
def _reduce(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], f"'{eq.name}'", eq.line)
    reduced = tuple(eq.params["axes"])
    kind = eq.name.removeprefix("reduce_")
    found = reduced_bind(tracer, kind, value, reduced)
    return found.with_shift(Shift("max", value, reduced)) if kind == "max" else found


@primitive("cumsum")
def _cumsum(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], "'cumsum'", eq.line)
    along, reverse = eq.params["axis"], eq.params["reverse"]
    axes = [Axis(s) for s in eq.shape]
    inner = Axis(eq.shape[along])
    entry = value.entry(*(inner if k == along else a for k, a in enumerate(axes)))
    distance = Index.of(inner) - Index.of(axes[along])
    body = b.total([inner], b.mul(b.bracket("<=", -distance if reverse else distance), entry))
    name = "reversed cumsum" if reverse else "cumsum"
    return tracer.array(
        name, [value], axes, body, f"{name.replace(' ', '_')}({{0}}, axis={along})", (along,)
    )


@primitive("dot_general")
def _dot_general(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    left, right = (tracer.value(o, "'dot_general'", eq.line) for o in operands)
    (over_left, over_right), (batch_left, batch_right) = eq.params["dimension_numbers"]
    axes_left = [Axis(s) for s in left.shape]
    axes_right = [Axis(s) for s in right.shape]
    pairs = [*zip(over_left, over_right, strict=True), *zip(batch_left, batch_right, strict=True)]
    for k, m in pairs:
        axes_right[m] = axes_left[k]
    free_left = [k for k in range(len(left.shape)) if k not in (*over_left, *batch_left)]
    free_right = [k for k in range(len(right.shape)) if k not in (*over_right, *batch_right)]
    output = [axes_left[k] for k in (*batch_left, *free_left)]
    output += [axes_right[k] for k in free_right]
    body = b.total(
        [axes_left[k] for k in over_left], b.mul(left.entry(*axes_left), right.entry(*axes_right))
    )
    plain = tuple(over_left) == (len(left.shape) - 1,) and tuple(over_right) == (
        max(len(right.shape) - 2, 0),
    )
    if plain and not batch_left and len(right.shape) <= 2:
        return tracer.array("matmul", [left, right], output, body, "{0} @ {1}")
    letters: dict[Axis, str] = {}
    for axis in (*axes_left, *axes_right):
        letters.setdefault(axis, "ijklmnopqrstuvwxyzabcdefgh"[len(letters)])
    terms = ["".join(letters[a] for a in group) for group in (axes_left, axes_right, output)]
    template = f'einsum("{terms[0]},{terms[1]}->{terms[2]}", {{0}}, {{1}})'
    return tracer.array("einsum", [left, right], output, body, template)
