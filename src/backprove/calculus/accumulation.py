"""Symbolic reverse and forward accumulation over a program.

The adjoint of a value ``h`` is the derivative of the output by ``h``: an expression over the
output's axes and the axes of ``h``. Adjoints start as a delta at the output and flow back through
one local derivative per operation, so one rule gives Jacobians of any rank (Laue, Mitterreiter,
Giesen, NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from backprove.calculus.rules import partial
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.effort import Pace, TooMuchEffort, bounded
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import ZERO, Array, Bracket, Expr, Mul, Num, Sum, Tensor
from backprove.notation.operations import Program, Value

MAX_INLINED_OPERATIONS = 120
"""Longer programs keep the names of their intermediate values in the answer."""

MAX_INLINED_DEPTH = 24
"""Programs that nest more sums than this keep them too: writing them out costs too much time."""

MAX_FACTORS = 16
"""In longer programs, adjoints with more factors get a name."""

MAX_NAMED_WEIGHT = 30
"""In longer programs, adjoints with more nodes get a name too."""

MAX_WRITTEN_WEIGHT = 2_500
"""An answer with more nodes than this is not written out: nobody could read it."""

MAX_WRITING_EFFORT = 30_000
"""What writing out may cost before the names are kept instead."""

BASE_EFFORT = 20_000
EFFORT_PER_OPERAND = 400
"""The work that a derivative may cost: published ones need at most 4,200 units in all, and long
chains, sums and networks 60 to 300 units for every operand. A unit takes about 6 microseconds."""


@dataclass(frozen=True)
class Contribution:
    """What one consumer adds to the adjoint of one of its operands.

    Attributes:
        value: the operand.
        consumer: the operation that uses it.
        local: the derivative of ``consumer`` by ``value``, over ``consumer_axes + axes``.
        consumer_axes: one axis per axis of the consumer.
        axes: one axis per axis of the operand.
        adjoint: the contribution, over ``output_axes + axes``.
    """

    value: Value
    consumer: Value
    local: Expr
    consumer_axes: tuple[Axis, ...]
    axes: tuple[Axis, ...]
    adjoint: Expr


@dataclass
class Backward:
    """All adjoints of a program, and how they came about.

    Attributes:
        output_axes: the axes of the output that every adjoint starts with.
        adjoints: for each value its axes and its adjoint, in terms of intermediate values.
        contributions: every term, in the order in which the pass made it.
        named: in a long program, parts of adjoints that got a name, in the order of the pass.
    """

    output_axes: tuple[Axis, ...]
    adjoints: dict[Value, tuple[tuple[Axis, ...], Expr]]
    contributions: list[Contribution]
    named: dict[Array, Tensor] = field(default_factory=dict)

    def tensor(self, value: Value) -> Tensor:
        """The adjoint of a value as a tensor over the output's axes and its own."""
        axes, body = self.adjoints[value]
        return Tensor((*self.output_axes, *axes), body)


def depends_on(program: Program, names: Sequence[Array]) -> set[Value]:
    """The values that depend on any of the given arrays."""
    found: set[Value] = set()
    for value in program.values:
        if value.array in names or any(i in found for i in value.inputs):
            found.add(value)
    return found


def backward(program: Program, wrt: Sequence[Array], seed: Array | None = None) -> Backward:
    """Reverse accumulation; adjoints get names in long programs, and where they grow too large.

    Args:
        program: the program of the expression.
        wrt: the arrays to differentiate by; adjoints of other inputs are not computed.
        seed: an upstream gradient of the output's shape. Without it the adjoints are full
            Jacobians; with it they are vector-Jacobian products.
    """
    if not is_long(program):
        try:
            with bounded(MAX_WRITING_EFFORT):
                return _backward(program, wrt, seed, naming=False)
        except TooMuchEffort:
            pass
    return _backward(program, wrt, seed, naming=True)


def _backward(
    program: Program, wrt: Sequence[Array], seed: Array | None, *, naming: bool
) -> Backward:
    active = depends_on(program, wrt)
    own = tuple(Axis(s) for s in program.output.shape)
    if seed is None:
        output_axes = tuple(Axis(s) for s in program.output.shape)
        start = b.mul(*(b.delta(o, a) for o, a in zip(output_axes, own, strict=True)))
    else:
        output_axes = ()
        start = b.ref(seed, *own)
    adjoints = {program.output: (own, start)}
    # A value's terms are added once all of them are known: sums of 1, 2, ..., n terms cost n².
    terms: dict[Value, list[Expr]] = {program.output: [start]}
    contributions: list[Contribution] = []
    named: dict[Array, Tensor] = {}
    pace = Pace(BASE_EFFORT, EFFORT_PER_OPERAND)
    for consumer in reversed(program.operations):
        if consumer not in adjoints or consumer not in active:
            continue
        axes, body = adjoints[consumer][0], _sum(terms.pop(consumer))
        if naming or body.weight > MAX_WRITTEN_WEIGHT:
            naming = True
            body = _shortened(body, named)
        adjoints[consumer] = axes, body
        for value in dict.fromkeys(consumer.inputs):
            if value in active:
                pace.step()
                part = _contribution(value, consumer, adjoints)
                contributions.append(part)
                adjoints[value] = part.axes, part.adjoint
                terms.setdefault(value, []).append(part.adjoint)
    for value, parts in terms.items():
        adjoints[value] = adjoints[value][0], _sum(parts)
    return Backward(output_axes, adjoints, contributions, named)


def _sum(parts: list[Expr]) -> Expr:
    return parts[0] if len(parts) == 1 else b.add(*parts)


def _shortened(adjoint: Expr, named: dict[Array, Tensor]) -> Expr:
    """The adjoint with its many factors under one name, deltas left outside.

    Without this a chain of n operations has adjoints of 1, 2, ..., n factors.
    """
    factors = adjoint.factors if isinstance(adjoint, Mul) else ((adjoint, Fraction(1)),)
    nested = any(isinstance(f, Sum) and len(f.bound) > 2 for f, _ in factors)
    if len(factors) <= MAX_FACTORS and not nested and adjoint.weight <= MAX_NAMED_WEIGHT:
        return adjoint
    lead = adjoint.coefficient if isinstance(adjoint, Mul) else Fraction(1)
    outside = [b.power(f, e) for f, e in factors if isinstance(f, Bracket)]
    inside = [b.power(f, e) for f, e in factors if not isinstance(f, Bracket)]
    body = b.mul(Num(lead), *inside)
    axes = tuple(sorted(body.axes, key=lambda a: a.key))
    array = Array(f"g{len(named) + 1}", tuple(a.size for a in axes), order=20_000 + len(named))
    named[array] = Tensor(axes, body)
    return b.mul(*outside, b.ref(array, *axes))


def with_named(
    arrays: Mapping[Array, np.ndarray], sizes: Mapping[str, int], named: Mapping[Array, Tensor]
) -> dict[Array, np.ndarray]:
    """The values of a program together with those of the named parts of adjoints."""
    values = dict(arrays)
    for array, tensor in named.items():
        values[array] = Evaluator(values, sizes).tensor(tensor)
    return values


def _contribution(
    value: Value, consumer: Value, adjoints: dict[Value, tuple[tuple[Axis, ...], Expr]]
) -> Contribution:
    consumer_axes, upstream = adjoints[consumer]
    known = adjoints.get(value)
    axes = known[0] if known else tuple(Axis(s) for s in value.shape)
    local = local_derivative(consumer, value, consumer_axes, axes)
    adjoint = b.total(consumer_axes, b.mul(upstream, local))
    return Contribution(value, consumer, local, consumer_axes, axes, adjoint)


def local_derivative(
    consumer: Value, value: Value, consumer_axes: Sequence[Axis], axes: Sequence[Axis]
) -> Expr:
    """The derivative of an operation by one of its operands, over both sets of axes."""
    definition = consumer.definition
    assert definition is not None
    mapping = {d: b.Index.of(c) for d, c in zip(definition.axes, consumer_axes, strict=True)}
    return partial(b.substitute(definition.body, mapping), value.array, axes)


def tangent(program: Program, seeds: dict[Array, Array]) -> Tensor:
    """Forward accumulation: the Jacobian-vector product of the output, in terms of values.

    Args:
        program: the program of the expression.
        seeds: for each array to differentiate by, the array that holds its tangent.
    """
    tangents: dict[Value, Tensor] = {}
    for value in program.values:
        axes = tuple(Axis(s) for s in value.shape)
        if value.array in seeds:
            tangents[value] = Tensor(axes, b.ref(seeds[value.array], *axes))
            continue
        parts = []
        for operand in dict.fromkeys(value.inputs):
            if operand in tangents:
                inner = tuple(Axis(s) for s in operand.shape)
                local = local_derivative(value, operand, axes, inner)
                mapping = dict(zip(tangents[operand].axes, map(b.Index.of, inner), strict=True))
                parts.append(
                    b.total(inner, b.mul(local, b.substitute(tangents[operand].body, mapping)))
                )
        if parts:
            tangents[value] = Tensor(axes, b.add(*parts))
    if program.output not in tangents:
        return Tensor(tuple(Axis(s) for s in program.output.shape), ZERO)
    return tangents[program.output]


def is_long(program: Program) -> bool:
    """True if the answer keeps the names of intermediate values."""
    if len(program.operations) > MAX_INLINED_OPERATIONS:
        return True
    depth: dict[Value, int] = {}
    for value in program.values:
        below = max((depth[i] for i in value.inputs), default=0)
        definition = value.definition
        binds = definition is not None and definition.body.level > 0
        depth[value] = below + binds
    return depth[program.output] > MAX_INLINED_DEPTH


def adjoint_of(passes: Backward, program: Program, array: Array) -> Tensor:
    """The adjoint of an input, zero if the output does not depend on it."""
    for value in program.values:
        if value.array is array and value in passes.adjoints:
            return passes.tensor(value)
    return Tensor((*passes.output_axes, *(Axis(s) for s in array.shape)), ZERO)


def inlined(
    body: Expr, program: Program, named: Mapping[Array, Tensor]
) -> tuple[Expr, dict[Array, Tensor]]:
    """The expression in the inputs alone, or as it is with definitions if that is too long."""
    kept = {**program.definitions, **named}
    if is_long(program) or named:
        return body, kept
    try:
        with bounded(MAX_WRITING_EFFORT):
            written = b.inline(body, program.definitions)
    except TooMuchEffort:
        return body, kept
    return (body, kept) if written.weight > MAX_WRITTEN_WEIGHT else (written, {})
