"""Primitives on entries and conditions, in index notation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from backprove.calculus.equations import (
    PRIMITIVES,
    Body,
    Equation,
    Handler,
    Tracer,
    aligned,
    axis_option,
    position_text,
    primitive,
    reduced_bind,
    suffix_of,
)
from backprove.calculus.traced import Shift, Traced, constant_tensor
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.expressions import ONE, Expr, Num, Tensor
from backprove.notation.leaves import num

_ENTRYWISE: dict[str, tuple[str, Body, str]] = {
    "neg": ("negative", b.neg, "-{0}"),
    "logistic": ("sigmoid", lambda x: b.fn("sigmoid", x), "sigmoid({0})"),
    "rsqrt": ("rsqrt", lambda x: b.power(x, Fraction(-1, 2)), "1/sqrt({0})"),
    "square": ("square", lambda x: b.power(x, 2), "square({0})"),
    "exp2": ("exp2", lambda x: b.fn("pow", num(2), x), "2 ** {0}"),
    "erfc": ("erfc", lambda x: b.sub(ONE, b.fn("erf", x)), "(1 - erf({0}))"),
    "atan": ("arctan", lambda x: b.fn("arctan", x), "arctan({0})"),
    "div": ("divide", b.divide, "{0} / {1}"),
    "not": ("not", lambda x: b.sub(ONE, x), "(1 - {0})"),
    "and": ("and", b.mul, "{0} * {1}"),
    "or": ("or", lambda x, y: b.sub(b.add(x, y), b.mul(x, y)), "({0} + {1} - {0} * {1})"),
    "mul": ("multiply", b.mul, "{0} * {1}"),
    "add_any": ("add", b.add, "{0} + {1}"),
    **{
        name: (name, lambda x, name=name: b.fn(name, x), f"{name}({{0}})")
        for name in ("exp expm1 log1p sin cos tan tanh sinh cosh sqrt abs sign erf".split())
    },
}


def _on_entries(name: str) -> Handler:
    own, body, template = _ENTRYWISE[name]

    def handler(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
        if eq.name in ("not", "and", "or") and np.dtype(eq.dtype) != np.bool_:
            eq.refuse("of integers is not supported")
        if all(o.index is not None for o in operands) and name in ("mul", "neg", "add_any"):
            return _positions(eq, operands)
        return tracer.entrywise(eq, own, operands, body, template)

    return handler


def _positions(eq: Equation, operands: list[Traced]) -> Traced:
    """Integer arithmetic that stays affine in the positions."""
    axes = tuple(Axis(s) for s in eq.shape)
    values = [o.position(aligned(o, axes)) for o in operands]
    if eq.name == "neg":
        return Traced(axes, index=-values[0])
    first, second = values
    if eq.name in ("add", "add_any"):
        return Traced(axes, index=first + second)
    if eq.name == "sub":
        return Traced(axes, index=first - second)
    if first.value is not None:
        return Traced(axes, index=second * first.value)
    if second.value is not None:
        return Traced(axes, index=first * second.value)
    return eq.refuse("of two varying positions is not supported")


for _name in _ENTRYWISE:
    PRIMITIVES[_name] = _on_entries(_name)


@primitive("add")
def _add(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    if all(o.index is not None for o in operands):
        return _positions(eq, operands)
    for one, other in (operands, operands[::-1]):
        log, top = one.shift, other.shift
        if log and top and (log.stage, top.stage) == ("log", "max") and _same_maximum(log, top):
            whole = reduced_bind(tracer, "logsumexp", log.x, log.axes)
            return _with_axes_kept(whole, log, eq.shape)
    return tracer.entrywise(eq, "add", operands, b.add, "{0} + {1}")


@primitive("sub")
def _sub(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    if all(o.index is not None for o in operands):
        return _positions(eq, operands)
    x, y = operands
    if y.shift and y.shift.stage == "max":
        y = replace(y, shift=_transposed(y.shift, x))
    if y.shift and y.shift.stage == "max" and _shows(x, y.shift, eq.shape):
        return _softmax_stage(tracer, eq, operands, "shifted", y.shift, b.sub, "{0} - {1}")
    if x.shift and y.shift and (x.shift.stage, y.shift.stage) == ("shifted", "log"):
        if _same_chain(x.shift, y.shift) and eq.shape == x.shift.x.shape:
            return _log_softmax(tracer, x.shift)
    return tracer.entrywise(eq, "subtract", operands, b.sub, "{0} - {1}")


@primitive("exp")
def _exp(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    (x,) = operands
    if x.shift and x.shift.stage == "shifted":
        return _softmax_stage(
            tracer, eq, operands, "exp", x.shift, lambda e: b.fn("exp", e), "exp({0})"
        )
    return tracer.entrywise(eq, "exp", operands, lambda e: b.fn("exp", e), "exp({0})")


@primitive("log")
def _log(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    (x,) = operands
    if x.shift and x.shift.stage == "sum":
        return _softmax_stage(
            tracer, eq, operands, "log", x.shift, lambda e: b.fn("log", e), "log({0})"
        )
    return tracer.entrywise(eq, "log", operands, lambda e: b.fn("log", e), "log({0})")


@primitive("abs", "sign")
def _abs(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    (x,) = operands
    if x.shift and x.shift.stage in ("sum", "exp"):
        # Sums of exponentials are positive.
        one = tracer.builder.constant(Fraction(1))
        return x if eq.name == "abs" else Traced(tuple(Axis(s) for s in eq.shape), one)
    return tracer.entrywise(eq, eq.name, operands, lambda e: b.fn(eq.name, e), f"{eq.name}({{0}})")


@primitive("div")
def _div(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    x, y = operands
    if x.shift and y.shift and (x.shift.stage, y.shift.stage) == ("exp", "sum"):
        if _same_chain(x.shift, y.shift) and eq.shape == x.shift.x.shape:
            return _softmax(tracer, x.shift)
    return tracer.entrywise(eq, "divide", operands, b.divide, "{0} / {1}")


def _transposed(shift: Shift, x: Traced) -> Shift:
    """The maximum as that of a transpose, if it is that transpose that it is subtracted from."""
    source = x.source
    if shift.order and source is not None and source.operation == "transpose":
        if source.inputs == (shift.x,) and source.attributes == shift.order:
            return Shift("max", source, tuple(shift.order.index(k) for k in shift.axes))
    return shift


def _shows(x: Traced, shift: Shift, shape: tuple[Size, ...]) -> bool:
    """True if a variable is the operand of a softmax as it is, not broadcast."""
    plain = x.at == tuple(map(Index.of, x.axes))
    identity = shift.order in ((), tuple(range(len(shape))))
    return plain and identity and x.source is shift.x and shape == shift.x.shape


def _with_axes_kept(whole: Traced, shift: Shift, shape: tuple[Size, ...]) -> Traced:
    """A reduced array, repeated along the reduced axes if the shape still has them."""
    if whole.shape == shape and len(shape) < len(shift.x.shape):
        return whole
    assert whole.source is not None
    axes = tuple(Axis(s) for s in shape)
    kept = tuple(k for k in range(len(shape)) if k not in shift.axes)
    at = tuple(
        Index.of(0) if whole.shape[m] == 1 and shape[k] != 1 else Index.of(axes[k])
        for m, k in enumerate(kept)
    )
    return Traced(axes, whole.source, at, suffix_of(kept, shape))


def _same_chain(first: Shift, second: Shift) -> bool:
    return first.x is second.x and first.axes == second.axes


def _same_maximum(log: Shift, top: Shift) -> bool:
    """True if a maximum is that of the logsumexp, perhaps taken before a transpose."""
    order = log.x.attributes
    if log.x.operation != "transpose" or log.x.inputs != (top.x,):
        return _same_chain(log, top)
    kept = [k for k in order if k not in top.axes]
    return kept == sorted(kept) and log.axes == tuple(order.index(k) for k in top.axes)  # type: ignore[type-var]


def _softmax_stage(
    tracer: Tracer,
    eq: Equation,
    operands: list[Traced],
    stage: str,
    shift: Shift,
    body: Body,
    template: str,
) -> Traced:
    """The next stage of a softmax; under ``stop_gradient`` only the stage is known."""
    own = Shift(stage, shift.x, shift.axes)
    if any(o.stopped for o in operands):
        axes = tuple(Axis(s) for s in eq.shape)
        return Traced(axes, shift=own, stopped=True)
    name = {"shifted": "subtract"}.get(stage, eq.name)
    return tracer.entrywise(eq, name, operands, body, template).with_shift(own)


def _softmax(tracer: Tracer, shift: Shift) -> Traced:
    if len(shift.axes) > 1:
        axes, body = _log_softmax_entry(shift)
        shown = f"softmax({{0}}{axis_option(shift.axes)})"
        return tracer.array("softmax of axes", [shift.x], axes, b.fn("exp", body), shown)
    along = next(iter(shift.axes))
    axes = [Axis(s) for s in shift.x.shape]
    inner = Axis(shift.x.shape[along])
    entry = shift.x.entry(*(inner if k == along else a for k, a in enumerate(axes)))
    body = b.bind("softmax", [inner], entry, [axes[along]])
    return tracer.array("softmax", [shift.x], axes, body, f"softmax({{0}}, axis={along})", (along,))


def _log_softmax(tracer: Tracer, shift: Shift) -> Traced:
    axes, body = _log_softmax_entry(shift)
    shown = f"log_softmax({{0}}{axis_option(shift.axes)})"
    name = "log_softmax" if len(shift.axes) == 1 else "log_softmax of axes"
    return tracer.array(name, [shift.x], axes, body, shown, shift.axes)


def _log_softmax_entry(shift: Shift) -> tuple[list[Axis], Expr]:
    axes = [Axis(s) for s in shift.x.shape]
    inner = [Axis(a.size) if k in shift.axes else a for k, a in enumerate(axes)]
    total = b.bind("logsumexp", [inner[k] for k in shift.axes], shift.x.entry(*inner), ())
    return axes, b.sub(shift.x.entry(*axes), total)


@primitive("max", "min")
def _extreme(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    neutral = -np.inf if eq.name == "max" else np.inf
    for one, other in (operands, operands[::-1]):
        if one.special == neutral:
            return other
        if eq.name == "max" and one.number == 0 and other.source is not None:
            return tracer.entrywise(eq, "relu", [other], lambda x: b.fn("relu", x), "relu({0})")
    name = f"{eq.name}imum"
    return tracer.entrywise(
        eq, name, operands, lambda x, y: b.fn(name, x, y), f"{name}({{0}}, {{1}})"
    )


@primitive("clamp")
def _clamp(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    def body(low: Expr, x: Expr, high: Expr) -> Expr:
        return b.fn("minimum", b.fn("maximum", x, low), high)

    return tracer.entrywise(eq, "clamp", operands, body, "clip({1}, {0}, {2})")


@primitive("integer_pow")
def _integer_pow(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    exponent = int(eq.params["y"])
    constant = Traced((), tracer.builder.constant(Fraction(exponent)))
    return tracer.entrywise(
        eq, "power", [*operands, constant], lambda x, _: b.power(x, exponent), "{0} ** {1}"
    )


@primitive("pow")
def _pow(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    exponent = operands[1].number
    if operands[1].index is not None and operands[1].index.value is not None:
        whole = operands[1].index.value.constant
        exponent = None if whole is None else Fraction(whole)
        if exponent is None:
            eq.refuse("with a symbolic exponent is not supported")
        operands = [operands[0], Traced((), tracer.builder.constant(exponent))]
    if exponent is not None:
        return tracer.entrywise(
            eq, "power", operands, lambda x, _: b.power(x, exponent), "{0} ** {1}"
        )
    return tracer.entrywise(eq, "pow", operands, lambda x, y: b.fn("pow", x, y), "{0} ** {1}")


@primitive("copy", "copy_p", "optimization_barrier")
def _identity(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    del tracer, eq
    return operands[0]


@primitive("stop_gradient")
def _stop_gradient(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    del tracer
    (x,) = operands
    if x.shift is None or x.shift.stage != "max":
        eq.refuse(
            "is not supported outside of a stable softmax",
            "Declare what must not be differentiated as a symbol of its own.",
        )
    return Traced(x.axes, shift=x.shift, stopped=True)


@primitive("convert_element_type")
def _convert(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    (x,) = operands
    before, after = np.dtype(eq.dtypes[0]), np.dtype(eq.dtype)
    if x.index is None:
        if before.kind in "fb" and after.kind == "f":
            return x
        return eq.refuse(f"from {before} to {after} is not supported")
    if after.kind in "iu":
        return x
    constant = x.index.value
    if after.kind == "f" and constant is not None:
        if constant.constant is not None:
            source = tracer.builder.constant(Fraction(constant.constant))
        else:
            text = str(constant)
            tensor = Tensor((), b.size_value(constant))
            source = tracer.builder.named_constant(text, text, tensor)
        return Traced(x.axes, source)
    return eq.refuse("of positions to numbers is not supported")


_RELATIONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _compare(relation: str) -> Handler:
    def handler(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
        if all(o.index is not None for o in operands):
            return _compare_positions(tracer, eq, operands, relation)
        body = _VALUE_TESTS[relation]
        shown = f"({{0}} {relation} {{1}})"
        if not eq.shape and all(o.source and o.source.kind == "constant" for o in operands):
            decided = _decided(relation, *(o.entry(()) for o in operands))
            if decided is not None:
                return Traced((), tracer.builder.constant(Fraction(decided)))
        return tracer.entrywise(eq, f"compare {relation}", operands, body, shown)

    return handler


_VALUE_TESTS: dict[str, Body] = {
    ">": lambda x, y: b.indicator(">", b.sub(x, y)),
    ">=": lambda x, y: b.indicator(">=", b.sub(x, y)),
    "<": lambda x, y: b.indicator(">", b.sub(y, x)),
    "<=": lambda x, y: b.indicator(">=", b.sub(y, x)),
    "==": lambda x, y: b.indicator("==", b.sub(x, y)),
    "!=": lambda x, y: b.sub(ONE, b.indicator("==", b.sub(x, y))),
}


def _decided(relation: str, first: Expr, second: Expr) -> int | None:
    """Whether a comparison of constants holds, sizes being at least 1."""
    difference = b.sub(first, second)
    if relation in (">", ">=", "!=") and b.surely_positive(difference):
        return 1
    test = _VALUE_TESTS[relation](first, second)
    return int(test.value) if isinstance(test, Num) else None


def _compare_positions(
    tracer: Tracer, eq: Equation, operands: list[Traced], relation: str
) -> Traced:
    axes = tuple(Axis(s) for s in eq.shape)
    first, second = (o.position(aligned(o, axes)) for o in operands)
    distance = first - second
    body = {
        "==": lambda: b.bracket("==", distance),
        "!=": lambda: b.sub(ONE, b.bracket("==", distance)),
        "<=": lambda: b.bracket("<=", distance),
        "<": lambda: b.bracket("<=", distance + 1),
        ">=": lambda: b.bracket("<=", -distance),
        ">": lambda: b.bracket("<=", -distance + 1),
    }[relation]()
    if isinstance(body, Num):
        return Traced(axes, tracer.builder.constant(body.value))
    names = {a: "ijklmnop"[k] for k, a in enumerate(axes)}
    shown = position_text(first, names), position_text(second, names)
    return constant_tensor(
        tracer.builder, f"[{shown[0]} {relation} {shown[1]}]", Tensor(axes, body)
    )


for _name, _relation in _RELATIONS.items():
    PRIMITIVES[_name] = _compare(_relation)


@primitive("is_finite")
def _is_finite(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    # Derivatives are those of functions of real numbers, so every value is finite.
    del operands
    return Traced(tuple(Axis(s) for s in eq.shape), tracer.builder.constant(Fraction(1)))


@primitive("select_n")
def _select(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    condition, *cases = operands
    if len(cases) != 2 or np.dtype(eq.dtypes[0]) != np.bool_:
        eq.refuse("with more than two cases is not supported")
    if condition.number is not None:
        return cases[int(condition.number)]
    no, yes = cases
    return tracer.entrywise(eq, "where", [condition, yes, no], b.where, "where({0}, {1}, {2})")
