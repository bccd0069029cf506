"""The steps of a derivation: the trace of the backward pass, each checked by finite differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.calculus import numeric
from backprove.calculus.accumulation import Backward, Contribution, with_named
from backprove.errors import DomainError
from backprove.notation.axes import Axis
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Tensor
from backprove.notation.index_text import index_latex, index_text
from backprove.notation.matrix_terms import name_latex
from backprove.notation.operations import Program, Value

MAX_CHECKED_STEPS = 60

_RULES = {
    "matmul": "matrix product",
    "multiply": "product rule",
    "divide": "quotient rule",
    "add": "sum rule",
    "subtract": "sum rule",
    "negative": "sum rule",
    "power": "power rule",
    "transpose": "transpose",
    "sum": "sum over entries",
    "mean": "mean over entries",
    "index": "selection of entries",
    "softmax": "softmax rule",
    "inv": "inverse rule",
    "det": "determinant rule",
    "logdet": "log-determinant rule",
}


@dataclass(frozen=True)
class Step:
    """One step: a rule, the statement before and after, and the error measured on it.

    ``error`` is the largest deviation from finite differences of the statement ``after``,
    relative to its scale; None if it could not be measured.
    """

    rule: str
    before: str
    after: str
    latex: str
    error: float | None

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON-ready data."""
        return {
            "rule": self.rule,
            "before": self.before,
            "after": self.after,
            "latex": self.latex,
            "error": self.error,
        }


def derivation_steps(program: Program, array: Array, passes: Backward | None) -> list[Step]:
    """The forward decomposition, then one step for each term of the backward pass."""
    steps = [_forward_step(v) for v in program.operations]
    if passes is None:
        return steps
    point = _point(program)
    checked = 0
    for part in passes.contributions:
        error = None
        if point is not None and checked < MAX_CHECKED_STEPS:
            error = _local_error(part, point)
            checked += 1
        steps.append(_local_step(part, error))
        steps.append(_chain_step(part, passes.output_axes))
    final = _final_step(program, array, passes, point)
    return [*steps, final] if final else steps


def _forward_step(value: Value) -> Step:
    text = value.template.format(*(i.name for i in value.inputs))
    latex = value.latex.format(
        *(name_latex(i.name) if i.number is None else i.name for i in value.inputs)
    )
    return Step(
        "name a value", text, f"{value.name} = {text}", f"{name_latex(value.name)} = {latex}", 0.0
    )


def _point(program: Program) -> numeric.Point | None:
    try:
        (point,) = numeric.points(program, count=1, seed=2)
    except (DomainError, ValueError):
        return None
    return point


def rule_name(operation: str) -> str:
    """The rule that differentiates an operation.

    >>> rule_name("multiply"), rule_name("tanh")
    ('product rule', 'derivative of tanh')
    """
    return _RULES.get(operation, f"derivative of {operation}")


def _local_step(part: Contribution, error: float | None) -> Step:
    tensor = Tensor((*part.consumer_axes, *part.axes), part.local)
    name = f"∂{part.consumer.name}/∂{part.value.name}"
    rule = rule_name(part.consumer.operation)
    left = _partial_latex(part.consumer.name, part.value.name)
    text = index_text(tensor, "L").partition(" = ")[2]
    shown = index_latex(tensor, "L").partition(" = ")[2]
    written = part.consumer.template.format(*(i.name for i in part.consumer.inputs))
    before = f"{part.consumer.name} = {written}"
    return Step(rule, before, f"{name} = {text}", f"{left} = {shown}", error)


def _chain_step(part: Contribution, outputs: tuple[Axis, ...]) -> Step:
    tensor = Tensor((*outputs, *part.axes), part.adjoint)
    value, consumer = part.value.name, part.consumer.name
    before = f"∂f/∂{consumer} · ∂{consumer}/∂{value}"
    text = index_text(tensor, "A").partition(" = ")[2]
    latex = index_latex(tensor, "A").partition(" = ")[2]
    left = f"{_partial_latex('f', consumer)} {_partial_latex(consumer, value)}"
    return Step("chain rule", before, text, f"{left} = {latex}", None)


def _partial_latex(child: str, parent: str) -> str:
    return rf"\frac{{\partial {name_latex(child)}}}{{\partial {name_latex(parent)}}}"


def _local_error(part: Contribution, point: numeric.Point) -> float | None:
    definition = part.consumer.definition
    assert definition is not None
    at = point.values[part.value.array]
    if at.size > 400:
        return None

    def function(value: np.ndarray) -> np.ndarray:
        return Evaluator({**point.values, part.value.array: value}, point.sizes).tensor(definition)

    evaluator = Evaluator(point.values, point.sizes)
    given = evaluator.dense(part.local, (*part.consumer_axes, *part.axes))
    return numeric.compare(given, function, at).error


def _final_step(
    program: Program, array: Array, passes: Backward, point: numeric.Point | None
) -> Step | None:
    value = next((v for v in passes.adjoints if v.array is array), None)
    if value is None:
        return Step("no path", f"f does not depend on {array.name}", "J = 0", "J = 0", 0.0)
    parts = [p for p in passes.contributions if p.value is value]
    before = (
        " + ".join(f"∂f/∂{p.consumer.name}·∂{p.consumer.name}/∂{array.name}" for p in parts) or "f"
    )
    tensor = passes.tensor(value)
    error = None
    if point is not None and point.values[array].size <= 400:
        values = with_named(point.values, point.sizes, passes.named)
        given = Evaluator(values, point.sizes).tensor(tensor)

        def function(changed: np.ndarray) -> np.ndarray:
            arrays = run_program(program, {**point.inputs, array: changed}, point.sizes)
            return numeric.output_value(program, arrays, point.sizes)

        error = numeric.compare(given, function, point.values[array]).error
    rule = "sum over all paths" if len(parts) > 1 else "result"
    return Step(rule, before, index_text(tensor), index_latex(tensor), error)
