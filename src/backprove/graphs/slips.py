"""What well-known slips give in place of the right number, at the numbers of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.graphs.records import Upstream

if TYPE_CHECKING:
    from backprove.graphs.run import Run

Found = tuple[Any, str, str]

_CONFUSED: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "add": ("the product", np.multiply),
    "multiply": ("the sum", np.add),
    "subtract": ("the other order", lambda x, y: np.subtract(y, x)),
    "divide": ("the other order", lambda x, y: np.divide(y, x)),
}


@dataclass(frozen=True)
class Slip:
    """A wrong number, the name of the mistake that leads to it, and what to say.

    Attributes:
        value: the wrong number.
        mistake: a key of :data:`backprove.checking.MISTAKES`.
        sentence: what went wrong, and the rule.
    """

    value: float
    mistake: str
    sentence: str


def value_slips(run: Run, name: str) -> Iterator[Found]:
    """Slips in the value of an operation."""
    node = run.graph.by_name[name]
    value = run.values[name]
    with np.errstate(all="ignore"):
        yield -value, "sign", "the sign is wrong."
        gradient = run.upstream_of(name)
        if isinstance(gradient, (float, np.ndarray)):
            symbol = f"∂{run.root}/∂{name}"
            yield gradient, "wrong_variable", f"that is the gradient {symbol}, not the value."
        operands = [run.values[o] for o in node.operands]
        for operand, o in zip(operands, node.operands, strict=True):
            yield operand, "wrong_function", f"that is {o} itself: '{node.formula}' is left out."
        if node.operation in _CONFUSED and len(operands) == 2:
            sign, other = _CONFUSED[node.operation]
            said = f"computed {sign} in place of {node.formula}."
            yield other(*operands), "wrong_function", said
        if node.operation == "log":
            yield np.log10(operands[0]), "wrong_function", "that is log10: ln has base e."
        if node.operation in ("sin", "cos", "tan"):
            degrees = getattr(np, node.operation)(np.deg2rad(operands[0]))
            yield degrees, "wrong_function", "computed in degrees: angles are in radians."


def local_slips(run: Run, child: str, parent: str) -> Iterator[Found]:
    """Slips in a local derivative of a number by a number."""
    local = run.partial(child, parent)
    symbol = f"∂{child}/∂{parent}"
    yield -local, "sign", "the sign is wrong."
    with np.errstate(all="ignore"):
        yield from _wrong_locals(run, child, parent)
        upstream = run.upstream_of(child)
        if np.ndim(upstream) == 0 and isinstance(upstream, float):
            said = f"that has the upstream gradient in it already; {symbol} is the local one."
            yield upstream * local, "extra_factor", said
        yield run.values[parent], "wrong_variable", f"that is the value of {parent}."
        yield run.values[child], "wrong_variable", f"that is the value of {child}."


def _wrong_locals(run: Run, child: str, parent: str) -> Iterator[Found]:
    """Wrong local derivatives by wrong rules."""
    node = run.graph.by_name[child]
    own, outcome = float(run.values[parent]), float(run.values[child])
    if node.operation in ("multiply", "divide"):
        said = f"the sum rule does not hold for {node.formula}: the other factor stays."
        yield 1.0, "scalar_rule", said
        if node.operation == "multiply" and len(set(node.operands)) == 2:
            said = f"∂{child}/∂{parent} is the other factor, not {parent} itself."
            yield own, "wrong_variable", said
        if node.operation == "multiply" and len(set(node.operands)) == 1:
            said = f"{parent} stands there twice, so both places count: the factor 2 is missing."
            yield own, "missing_factor", said
    exponent = _exponent(run, child)
    if exponent is not None:
        lowered = float(np.power(np.float64(own), exponent - 1))
        yield lowered, "missing_factor", f"the exponent {exponent:g} is missing as a factor."
        yield exponent * outcome, "wrong_function", "the exponent is not lowered by one."
    if node.operation not in ("add", "subtract", "multiply", "exp"):
        yield outcome, "wrong_function", f"{child} itself is not its derivative by {parent}."
        yield 1.0, "missing_chain", f"the derivative of '{node.formula}' is left out."


def _exponent(run: Run, child: str) -> float | None:
    node = run.graph.by_name[child]
    if node.operation == "square":
        return 2.0
    if node.operation != "power":
        return None
    number = node.value.inputs[1].number
    return None if number is None else float(number)


def gradient_slips(run: Run, name: str) -> Iterator[Found]:
    """Slips in the gradient by a node."""
    found = run.upstream[name]
    if not isinstance(found, Upstream):
        return
    with np.errstate(all="ignore"):
        yield from _gradient_slips(run, name, found)


def _gradient_slips(run: Run, name: str, found: Upstream) -> Iterator[Found]:
    yield -found.value, "sign", "the sign is wrong."
    flows = found.flows
    if len(flows) > 1:
        users = " and ".join(flow.consumer for flow in flows)
        for flow in flows:
            said = (
                f"only the path through {flow.consumer} is counted; {name} is used by {users}, "
                "and their gradients add up."
            )
            yield flow.value, "missing_path", said
        product = np.prod([np.asarray(f.value) for f in flows], axis=0)
        yield product, "scalar_rule", f"the paths through {users} add up; they are not multiplied."
    scalars = [
        (float(run.upstream_of(f.consumer)), float(run.partial(f.consumer, name)), f.consumer)
        for f in flows
        if np.ndim(run.upstream_of(f.consumer)) == np.ndim(run.values[name]) == 0
    ]
    if scalars and len(scalars) == len(flows):
        yield from _factor_slips(run, name, scalars)
    said = f"that is the value of {name}, not the gradient."
    yield run.values[name], "wrong_variable", said


def _factor_slips(run: Run, name: str, flows: list[tuple[float, float, str]]) -> Iterator[Found]:
    """One factor of the chain rule forgotten, added or taken from a wrong rule."""
    users = " and ".join(c for _, _, c in flows)
    forgotten = sum(local for _, local, _ in flows)
    said = f"the upstream gradient of {users} is missing as a factor."
    yield forgotten, "missing_chain", said
    if all(run.graph.by_name[c].operation not in ("multiply", "divide") for _, _, c in flows):
        only = sum(up for up, _, _ in flows)
        yield only, "missing_chain", f"the local derivative of {users} by {name} is missing."
    added = sum(up + local for up, local, _ in flows)
    said = f"the upstream gradient and the local derivative of {users} are added, not multiplied."
    yield added, "scalar_rule", said
    total = sum(up * local for up, local, _ in flows)
    for up, local, consumer in flows:
        for factor, mistake, sentence in _wrong_locals(run, consumer, name):
            yield total + up * (factor - local), mistake, sentence
