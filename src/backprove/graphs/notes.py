"""Trouble at a node, in sentences: NaN, overflow, poles, kinks, saturation.

A note is about the numbers of one run. Saturation is a rule of thumb (a slope below one percent of
the greatest slope of the function) and says so; everything else is a fact about the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from backprove import functions
from backprove.functions import FunctionRecord
from backprove.functions.records import number_text
from backprove.graphs.compiled import Compiled, compiled
from backprove.graphs.nodes import GraphNode
from backprove.notation.expressions import Array
from backprove.notation.lowering import lower

SATURATED = 0.01
"""A slope below this share of the function's greatest slope counts as saturated."""

_LARGEST = "about 1.8e308"


def node_notes(
    node: GraphNode, operands: Sequence[Any], value: Any, slopes: Sequence[Any]
) -> list[str]:
    """Sentences about one node.

    Args:
        node: the node.
        operands: the values of its distinct operands.
        value: its value.
        slopes: its local derivatives, where they are known.

    >>> from backprove.graphs import graph
    >>> graph("relu(x)").run(x=0.0).notes["f"][0]
    'At a kink: relu has no derivative where x == 0; 0 is taken.'
    """
    with np.errstate(all="ignore"):
        return list(_notes(node, [np.asarray(o) for o in operands], np.asarray(value), slopes))


def _notes(
    node: GraphNode, operands: Sequence[np.ndarray], value: np.ndarray, slopes: Sequence[Any]
) -> Iterator[str]:
    if node.value.kind != "operation":
        if not np.all(np.isfinite(value)):
            yield f"The value that was given is not finite{_share(~np.isfinite(value))}."
        return
    yield from _nonfinite(node, operands, value)
    record = functions.ELEMENTWISE.get(node.operation)
    if record is not None and len(operands) == record.arity:
        yield from _outside(record, operands)
        yield from _kinks(record, operands)
        yield from _flat(record, operands, value)
    yield from _arithmetic(node, operands)
    if np.all(np.isfinite(value)) and any(not np.all(np.isfinite(s)) for s in slopes):
        yield "The value is finite, but a local derivative is not: its slope is infinite here."


def _nonfinite(node: GraphNode, operands: Sequence[np.ndarray], value: np.ndarray) -> Iterator[str]:
    bad = ~np.isfinite(value)
    if not bad.any():
        return
    kinds = ["NaN"] * bool(np.isnan(value).any()) + ["∞"] * bool(np.isinf(value).any())
    what = " and ".join(kinds)
    passed = [
        name
        for name, operand in zip(dict.fromkeys(node.operands), operands, strict=True)
        if not np.all(np.isfinite(operand))
    ]
    if passed:
        yield f"{what}{_share(bad)}: passed on from {', '.join(passed)}."
    elif np.isnan(value).any():
        yield f"{what}{_share(bad)} appears here first: the operands are finite."
    else:
        yield (
            f"{what}{_share(bad)} appears here first: a pole, or overflow "
            f"(float64 ends at {_LARGEST})."
        )


def _outside(record: FunctionRecord, operands: Sequence[np.ndarray]) -> Iterator[str]:
    domain = record.domain
    for operand in operands:
        low = operand < domain.low if domain.low_closed else operand <= domain.low
        high = operand > domain.high if domain.high_closed else operand >= domain.high
        bad = (low | high) & np.isfinite(operand)
        if bad.any():
            yield f"Outside of the domain {domain} of {record.name}{_share(bad)}."


def _kinks(record: FunctionRecord, operands: Sequence[np.ndarray]) -> Iterator[str]:
    for kink in record.kinks:
        at = _holds(kink.condition, operands)
        if at.any():
            known = np.isfinite(kink.taken)
            taken = f"{number_text(kink.taken)} is taken" if known else "no value is taken"
            yield (
                f"At a kink{_share(at)}: {record.name} has no derivative where {kink.condition}; "
                f"{taken}."
            )


def _holds(condition: str, operands: Sequence[np.ndarray]) -> np.ndarray:
    """Where a condition of a function record holds."""
    return np.asarray(_compiled_text(condition, len(operands))(operands) == 1)


@cache
def _compiled_text(text: str, arity: int) -> Compiled:
    """A text of a function record as a function of its arguments."""
    arrays = [Array(name, ()) for name in "xy"[:arity]]
    body = lower(text, {a.name: a for a in arrays}).tensor().body
    return compiled(body, {a: k for k, a in enumerate(arrays)})


def _flat(
    record: FunctionRecord, operands: Sequence[np.ndarray], value: np.ndarray
) -> Iterator[str]:
    low, high = record.range.low, record.range.high
    at_end = np.zeros(value.shape, dtype=bool)
    if not record.range.low_closed and np.isfinite(low):
        at_end |= value == low
    if not record.range.high_closed and np.isfinite(high):
        at_end |= value == high
    inputs_finite = np.ones((), dtype=bool)
    for operand in operands:
        inputs_finite = inputs_finite & np.isfinite(operand)
    at_end &= inputs_finite
    if at_end.any():
        yield (
            f"Rounded to the end of its range{_share(at_end)}: the exact value lies inside "
            f"{record.range}."
        )
    bounded = np.isfinite(low) and np.isfinite(high)
    if record.arity == 1 and bounded and record.monotone == "increasing" and record.lipschitz:
        slope = np.asarray(_compiled_text(record.derivatives[0], 1)([operands[0]]))
        flat = (np.abs(slope) < SATURATED * record.lipschitz) & np.isfinite(operands[0])
        if flat.any():
            greatest = number_text(record.lipschitz)
            yield (
                f"Saturated{_share(flat)}: the slope is below 1% of its greatest value {greatest} "
                "(rule of thumb), so little gradient passes."
            )


def _arithmetic(node: GraphNode, operands: Sequence[np.ndarray]) -> Iterator[str]:
    if node.operation == "divide":
        divisor = operands[-1]
        if (divisor == 0).any():
            yield f"Division by zero{_share(divisor == 0)}."
    elif node.operation == "power":
        exponent = node.value.inputs[1].number
        if exponent is None:
            return
        base = operands[0]
        if exponent < 0 and (base == 0).any():
            yield f"A negative power of zero{_share(base == 0)}."
        if exponent.denominator % 2 == 0 and (base < 0).any():
            yield f"An even root of a negative number{_share(base < 0)}."
    elif node.operation.startswith("compare"):
        first, second = operands[0], operands[-1]
        tie = np.asarray(first == second)
        if tie.any() and len(operands) == 2:
            yield (
                f"At a jump{_share(tie)}: both sides are equal, and the comparison has no "
                "derivative; 0 is taken."
            )


def _share(where: np.ndarray) -> str:
    """In how many entries; nothing for a number."""
    where = np.asarray(where)
    return f" in {int(where.sum())} of {where.size} entries" if where.ndim else ""
