"""Primitives that move entries, in index notation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backprove.calculus.equations import (
    Equation,
    Tracer,
    position_text,
    primitive,
    suffix_of,
)
from backprove.calculus.traced import MAX_TABLE, Shift, Traced, table_tensor
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, floor_divide
from backprove.notation.brackets import range_guards
from backprove.notation.expressions import Expr
from backprove.notation.lowering_arrays import unravel
from backprove.notation.operations import Value


@primitive("iota")
def _iota(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    del operands
    axes = tuple(Axis(s) for s in eq.shape)
    if np.dtype(eq.dtype).kind not in "iu":
        sizes = [s.constant for s in eq.shape]
        if None in sizes or eq.shape[eq.params["dimension"]] == 1:
            eq.refuse("of floating-point numbers is not supported")
        positions = np.indices([s or 0 for s in sizes])[eq.params["dimension"]]
        return table_tensor(tracer.builder, positions.astype(float))
    return Traced(axes, index=Index.of(axes[eq.params["dimension"]]))


@primitive("dim_as_value")
def _dim_as_value(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    del operands
    return Traced((), index=Index.of(tracer.size_of(eq.params["dim"])))


@primitive("broadcast_in_dim")
def _broadcast_in_dim(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    x = operands[0]
    dims = tuple(eq.params["broadcast_dimensions"])
    axes = tuple(Axis(s) for s in eq.shape)
    at = tuple(
        Index.of(0) if x.shape[k] == 1 and eq.shape[d] != 1 else Index.of(axes[d])
        for k, d in enumerate(dims)
    )
    if x.special is not None:
        return Traced(axes, special=x.special)
    if x.index is not None:
        return Traced(axes, index=x.position(at))
    shift = _kept_shift(x, dims, eq.shape)
    if x.stopped or x.parts:
        if shift is None:
            tracer.value(x, "'broadcast_in_dim'", eq.line)
        return Traced(axes, shift=shift, stopped=True)
    if x.suffix:
        x = Traced.of(tracer.value(x, "'broadcast_in_dim'", eq.line)).with_shift(x.shift)
    assert x.source is not None
    inner = dict(zip(x.axes, at, strict=True))
    where = tuple(i.substitute(inner) for i in x.at)
    return Traced(axes, x.source, where, suffix_of(dims, eq.shape), shift=shift)


@primitive("reshape")
def _reshape(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    x = operands[0]
    if eq.params.get("dimensions") is not None:
        eq.refuse("with dimensions= is not supported")
    if x.index is not None and x.index.value is not None:
        return Traced(tuple(Axis(s) for s in eq.shape), index=x.index)
    if x.index is not None:
        return _reshaped_positions(eq, x)
    value = tracer.value(x, "'reshape'", eq.line)
    axes = [Axis(s) for s in eq.shape]
    flat = Index.of(0)
    for axis in axes:
        flat = flat * axis.size + axis
    listed = ", ".join(map(str, eq.shape)) + ("," if len(axes) == 1 else "")
    return tracer.array(
        "reshape",
        [value],
        axes,
        value.entry(*unravel(flat, value.shape)),
        f"reshape({{0}}, ({listed}))",
        (listed,),
    )


def _reshaped_positions(eq: Equation, x: Traced) -> Traced:
    """Positions to which axes of size 1 are added or from which they are removed."""
    axes = tuple(Axis(s) for s in eq.shape)
    longer = [Index.of(a) for a in axes if a.size != 1]
    if [i.axis.size for i in longer if i.axis] != [s for s in x.shape if s != 1]:
        eq.refuse("of positions is not supported")
    remaining = iter(longer)
    at = tuple(Index.of(0) if s == 1 else next(remaining) for s in x.shape)
    return Traced(axes, index=x.position(at))


@primitive("squeeze", "expand_dims")
def _squeeze(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    x = operands[0]
    axes = tuple(Axis(s) for s in eq.shape)
    removed = {d % len(x.shape) for d in eq.params["dimensions"]}
    kept = iter(axes)
    at = tuple(Index.of(0) if k in removed else Index.of(next(kept)) for k in range(len(x.shape)))
    if x.index is not None:
        return Traced(axes, index=x.position(at))
    value = tracer.value(x, f"'{eq.name}'", eq.line)
    listed = ", ".join("0" if k in removed else ":" for k in range(len(x.shape)))
    return tracer.array("index", [value], axes, value.entry(*at), f"{{0}}[{listed}]", (listed,))


@primitive("transpose")
def _transpose(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], "'transpose'", eq.line)
    order = tuple(eq.params["permutation"])
    axes = [Axis(s) for s in eq.shape]
    at = [axes[order.index(k)] for k in range(len(order))]
    plain = order == tuple(reversed(range(len(order))))
    template = "{0}.T" if plain else f"transpose({{0}}, {order})"
    return tracer.array("transpose", [value], axes, value.entry(*at), template, order)


@primitive("rev")
def _rev(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    axes = [Axis(s) for s in eq.shape]
    flipped = eq.params["dimensions"]
    at = [Index.of(a.size - 1) - a if k in flipped else Index.of(a) for k, a in enumerate(axes)]
    if operands[0].index is not None:
        return Traced(tuple(axes), index=operands[0].position(tuple(at)))
    value = tracer.value(operands[0], "'rev'", eq.line)
    listed = ", ".join("::-1" if k in flipped else ":" for k in range(len(axes)))
    return tracer.array("index", [value], axes, value.entry(*at), f"{{0}}[{listed}]", (listed,))


@primitive("slice")
def _slice(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], "'slice'", eq.line)
    starts = [tracer.size_of(s) for s in eq.params["start_indices"]]
    steps = eq.params["strides"] or (1,) * len(starts)
    stops = [tracer.size_of(s) for s in eq.params["limit_indices"]]
    axes = [Axis(s) for s in eq.shape]
    at = [Index.of(a) * int(t) + s for a, s, t in zip(axes, starts, steps, strict=True)]
    listed = ", ".join(
        f"{s}:{e}" + (f":{t}" if t != 1 else "")
        for s, e, t in zip(starts, stops, steps, strict=True)
    )
    for start, stop, size in zip(starts, stops, value.shape, strict=True):
        tracer.builder.assume(start, "a slice starts inside of its axis")
        tracer.builder.assume(size - stop, "a slice ends inside of its axis")
    return tracer.array("slice", [value], axes, value.entry(*at), f"{{0}}[{listed}]")


def split(tracer: Tracer, eq: Equation, operands: list[Traced]) -> list[Traced]:
    """The parts of an array that is cut along one axis."""
    value, along = tracer.value(operands[0], "'split'", eq.line), eq.params["axis"]
    start, parts = Size.of(0), list[Traced]()
    for length in map(tracer.size_of, eq.params["sizes"]):
        axes = [Axis(length if k == along else s) for k, s in enumerate(value.shape)]
        at = [Index.of(a) + (start if k == along else 0) for k, a in enumerate(axes)]
        shown = f"{start}:{start + length}"
        listed = ", ".join(shown if k == along else ":" for k in range(len(axes)))
        parts.append(tracer.array("slice", [value], axes, value.entry(*at), f"{{0}}[{listed}]"))
        start = start + length
    return parts


@primitive("stack")
def _stack(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    values = [tracer.value(o, "'stack'", eq.line) for o in operands]
    along = eq.params["axis"]
    axes = [Axis(s) for s in eq.shape]
    others = [a for k, a in enumerate(axes) if k != along]
    body = values[-1].entry(*others)
    for position, value in reversed(list(enumerate(values[:-1]))):
        body = b.where(b.delta(axes[along], position), value.entry(*others), body)
    shown = ", ".join(f"{{{k}}}" for k in range(len(values)))
    return tracer.array("stack", values, axes, body, f"stack([{shown}], axis={along})", (along,))


@primitive("tile")
def _tile(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value, times = tracer.value(operands[0], "'tile'", eq.line), eq.params["reps"]
    axes = [Axis(s) for s in eq.shape]
    at = [
        Index.of(a) if t == 1 else Index.of(a) - floor_divide(Index.of(a), s) * s
        for a, s, t in zip(axes, value.shape, times, strict=True)
    ]
    return tracer.array("tile", [value], axes, value.entry(*at), f"tile({{0}}, {tuple(times)})")


@primitive("pad")
def _pad(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], "'pad'", eq.line)
    filling = tracer.value(operands[1], "'pad'", eq.line)
    axes = [Axis(s) for s in eq.shape]
    at, inside = list[Index](), list[Expr]()
    for axis, size, (low, high, between) in zip(
        axes, value.shape, eq.params["padding_config"], strict=True
    ):
        before, after = tracer.size_of(low), tracer.size_of(high)
        if between or not (before.surely_nonnegative() and after.surely_nonnegative()):
            eq.refuse("between or inside of the entries is not supported")
        position = Index.of(axis) - before
        at.append(position)
        inside += range_guards(position, size)
    body = b.where(b.mul(*inside), value.entry(*at), filling.entry())
    return tracer.array("pad", [value, filling], axes, body, "pad({0}, {1})")


@primitive("dynamic_slice")
def _dynamic_slice(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    value = tracer.value(operands[0], "'dynamic_slice'", eq.line)
    starts = [o.index.value if o.index is not None else None for o in operands[1:]]
    return _window(tracer, eq, value, starts)


def _window(tracer: Tracer, eq: Equation, value: Value, starts: Sequence[Size | None]) -> Traced:
    axes = [Axis(s) for s in eq.shape]
    at: list[Index] = []
    for axis, start, size in zip(axes, starts, value.shape, strict=True):
        if start is None:
            return eq.refuse("at positions that are computed is not supported")
        _assume(tracer, eq, start, "a slice starts inside of its axis")
        _assume(tracer, eq, size - axis.size - start, "a slice ends inside of its axis")
        at.append(Index.of(axis) + start)
    listed = ", ".join(f"{i.offset}:{i.offset + a.size}" for i, a in zip(at, axes, strict=True))
    return tracer.array("slice", [value], axes, value.entry(*at), f"{{0}}[{listed}]")


@primitive("gather")
def _gather(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    """Entries at positions that are known when the function is read, as slices need them."""
    value, starts = tracer.value(operands[0], "'gather'", eq.line), operands[1]
    numbers = eq.params["dimension_numbers"]
    if starts.table is not None:
        return _picked(tracer, eq, value, starts.table)
    columns = starts.parts or (starts,)
    if any(c.index is None for c in columns) or numbers.operand_batching_dims:
        return eq.refuse("at positions that are computed is not supported")
    axes = [Axis(s) for s in eq.shape]
    offsets = [axes[d] for d in numbers.offset_dims]
    batch = [Index.of(a) for k, a in enumerate(axes) if k not in numbers.offset_dims]
    at: list[Index] = []
    for dimension, size in enumerate(value.shape):
        index = Index.of(0)
        if dimension not in numbers.collapsed_slice_dims:
            index = Index.of(offsets.pop(0))
        if dimension in numbers.start_index_map:
            which = numbers.start_index_map.index(dimension)
            last = Index.of(0 if starts.parts else which)
            column = columns[which] if starts.parts else starts
            index = index + column.position((*batch, last))
        _assume_within(tracer, eq, index, size)
        at.append(index)
    listed = ", ".join(position_text(i, {a: "ijklmnop"[k] for k, a in enumerate(axes)}) for i in at)
    return tracer.array("gather", [value], axes, value.entry(*at), f"{{0}}[{listed}]")


def _picked(tracer: Tracer, eq: Equation, value: Value, starts: np.ndarray) -> Traced:
    """Entries at positions that a constant array lists."""
    numbers = eq.params["dimension_numbers"]
    if numbers.operand_batching_dims:
        return eq.refuse("along an axis of both arrays is not supported")
    if starts.size > MAX_TABLE:
        return eq.refuse(f"at more than {MAX_TABLE} positions is not supported")
    axes = [Axis(s) for s in eq.shape]
    batch = [a for k, a in enumerate(axes) if k not in numbers.offset_dims]
    terms: list[Expr] = []
    for place in np.ndindex(starts.shape[:-1]):
        offsets = [axes[d] for d in numbers.offset_dims]
        at: list[Index] = []
        for dimension, size in enumerate(value.shape):
            index = Index.of(0)
            if dimension not in numbers.collapsed_slice_dims:
                index = Index.of(offsets.pop(0))
            if dimension in numbers.start_index_map:
                which = numbers.start_index_map.index(dimension)
                index = index + int(starts[(*place, which)])
            _assume_within(tracer, eq, index, size)
            at.append(index)
        terms.append(b.mul(*map(b.delta, batch, place), value.entry(*at)))
    shown = starts.tolist()
    return tracer.array(
        "gather", [value], axes, b.add(*terms), f"take({{0}}, {shown})", (str(shown),)
    )


def _assume_within(tracer: Tracer, eq: Equation, index: Index, size: Size) -> None:
    if index.surely_within(size):
        return None
    limits = index.bounds()
    if limits is None or index.weight:  # the bounds of floors need not be reached
        return eq.refuse("at positions whose range is not known is not supported")
    low, high = limits
    _assume(tracer, eq, low, "a position lies inside of its axis")
    _assume(tracer, eq, size - 1 - high, "a position lies inside of its axis")
    return None


def _assume(tracer: Tracer, eq: Equation, nonnegative: Size, reason: str) -> None:
    """Remember a condition; one that holds at no sizes is refused, as JAX moves the position."""
    if (-nonnegative - 1).surely_nonnegative():
        eq.refuse("outside of its array is not supported")
    tracer.builder.assume(nonnegative, reason)


@primitive("concatenate")
def _concatenate(tracer: Tracer, eq: Equation, operands: list[Traced]) -> Traced:
    along = eq.params["dimension"]
    if all(o.index is not None for o in operands):
        if along != len(eq.shape) - 1 or any(o.shape[-1] != 1 for o in operands):
            eq.refuse("of positions is not supported")
        return Traced(tuple(Axis(s) for s in eq.shape), parts=tuple(operands))
    values = [tracer.value(o, "'concatenate'", eq.line) for o in operands]
    axes = [Axis(s) for s in eq.shape]
    offset = Size.of(0)
    pieces: list[tuple[Expr, Expr]] = []
    for value in values:
        at = [Index.of(a) for a in axes]
        at[along] = at[along] - offset
        offset = offset + value.shape[along]
        pieces.append((b.bracket("<=", Index.of(axes[along]) - offset + 1), value.entry(*at)))
    body = pieces[-1][1]
    for inside, entry in reversed(pieces[:-1]):
        body = b.where(inside, entry, body)
    shown = ", ".join(f"{{{k}}}" for k in range(len(values)))
    template = f"concatenate([{shown}], axis={along})"
    return tracer.array("concatenate", values, axes, body, template)


def _kept_shift(x: Traced, dims: tuple[int, ...], shape: tuple[Size, ...]) -> Shift | None:
    """The stage of a softmax whose reduced axes are put back."""
    shift = x.shift
    if shift is None or shift.stage not in ("max", "sum", "log"):
        return None
    rank = len(shift.x.shape)
    if len(shape) != rank:
        return None
    order = tuple(range(rank))
    kept = tuple(k for k in order if k not in shift.axes)
    if len(x.shape) < rank and dims != kept and shift.stage == "max" and len(shift.axes) == 1:
        # Under vmap the maximum is taken before the array is transposed.
        order = tuple(kept[dims.index(k)] if k in dims else shift.axes[0] for k in range(rank))
        fits = all(shape[k] in (1, shift.x.shape[order[k]]) for k in range(rank))
        return replace(shift, order=order) if fits else None
    fits = all(shape[k] in (1, shift.x.shape[k]) for k in range(rank))
    return shift if fits and dims == (order if len(x.shape) == rank else kept) else None
