"""Can this network give these targets at all, before anybody trains it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from math import isfinite
from numbers import Rational
from typing import Any, Literal

from backprove.errors import DataError, SetupError, Unsupported
from backprove.theorems.best_fit import BestFit, best_fit
from backprove.theorems.certificates import INCREASING
from backprove.theorems.exact_programs import solve
from backprove.theorems.network_text import MAX_UNITS, Layers, activation_record, read_layers
from backprove.theorems.pattern_search import Exhausted, Problem, Search
from backprove.theorems.representation import Representation
from backprove.theorems.truth_tables import read_problem

MAX_POINTS, MAX_INPUTS = 128, 32
_HIDDEN = ("relu", "abs", "threshold", "linear", "square")
_OUTPUT = ("linear", "relu", "threshold", "sigmoid", "tanh", "abs", "square")
By = Literal["exact", "threshold"]


def represent(
    points: Any,
    targets: Any = None,
    network: Any = "relu(1)",
    *,
    by: By = "exact",
    bias: bool = True,
    skip: bool = False,
    width: Literal["given", "minimal"] = "given",
    max_cases: int = 5000,
    seconds: float = 30.0,
) -> Representation:
    """Whether some weights of a network give all targets, with the weights or a proof.

    Args:
        points: inputs (n, d); or text, a truth table (``xor``, ``and3``, ``parity3``,
            ``majority3``, ``0b0110``, ``6/2``) or a CSV file with the target in its last column.
        targets: n numbers, if ``points`` are numbers.
        network: ``relu(1)``, one unit; ``relu(2)+linear(1)``, one hidden layer; or an MLP.
        by: ``exact``, or ``threshold``: the output is above 1/2 where the target is 1, and at or
            below it where the target is 0.
        bias: whether units have biases.
        skip: whether the inputs are also added, weighted, to the argument of the output unit.
        width: ``minimal`` looks for the smallest hidden layer, from one unit on.
        max_cases: the budget of cases of activation patterns.
        seconds: the budget of time, about, for each width.

    Returns:
        The answer: ``possible`` is None where the budget ran out or no exact method is known.

    Raises:
        DataError: numbers that are not finite, or the same point with two targets.
        Unsupported: a deeper network, or too many points.
        InputError: text that names no network or no table.

    Source: Minsky and Papert, Perceptrons (1969), for one unit; Arora, Basu, Mianjy, Mukherjee,
    ICLR 2018, theorem 2.1, for activation patterns of ReLU units.

    >>> represent("xor", network="relu(1)").possible
    False
    >>> represent("xor", network="relu(2)+linear(1)").weights["hidden"]
    [[[1, 1], 0], [[1, 1], -1]]
    """
    name = points if isinstance(points, str) else "these points"
    if isinstance(points, str):
        if targets is not None:
            raise SetupError("targets were given beside a truth table, which has its own.")
        exact_points, exact_targets = read_problem(points)
    else:
        exact_points, exact_targets = _numbers(points, targets)
    _reviewed(exact_points, exact_targets, by)
    layers = read_layers(network)
    problem: Problem = {
        "points": [[str(x) for x in point] for point in exact_points],
        "targets": [str(t) for t in exact_targets],
        "network": {
            "hidden": list(layers[0]) if len(layers) == 2 else None,
            "output": layers[-1][0],
            "bias": bool(bias),
            "skip": bool(skip) and len(layers) == 2,
        },
        "by": by,
    }
    if width == "minimal":
        return _minimal(name, problem, layers, max_cases, seconds)
    if width != "given":
        raise SetupError(f"width={width!r}; expected 'given' or 'minimal'.")
    return _decided(name, problem, max_cases, seconds)


def _minimal(
    name: str, problem: Problem, layers: Layers, max_cases: int, seconds: float
) -> Representation:
    if len(layers) != 2:
        raise SetupError(
            "the smallest width was asked of a network without a hidden layer.",
            hint="For example 'relu(1)+linear(1)'.",
        )
    narrower: list[Representation] = []
    for units in range(1, MAX_UNITS + 1):
        network = {**problem["network"], "hidden": [layers[0][0], units]}
        answer = _decided(name, {**problem, "network": network}, max_cases, seconds)
        answer = replace(answer, narrower=tuple(narrower))
        if answer.possible is not False:
            return answer
        narrower.append(answer)
    return narrower[-1]


def _decided(name: str, problem: Problem, max_cases: int, seconds: float) -> Representation:
    network = problem["network"]
    fit: BestFit | None = None
    why = _no_method(problem)
    certificate = None
    smooth = network["output"] in ("sigmoid", "tanh") and problem["by"] == "exact"
    if not why:
        search = Search(problem, max_cases, seconds)
        try:
            certificate = search.certificate()
        except Exhausted as budget:
            why = (
                f"The budget of {budget} ran out after {search.cases} cases. No weights were "
                "found and no proof was completed, so the answer is open."
            )
    possible = None if certificate is None else certificate["kind"] == "weights"
    if possible is None and smooth and network["hidden"] is None and _levels_free(problem):
        possible = True
        why = (
            "For each value among the targets, the points that have it are told apart by an "
            "affine function that is 1 on them and 0 elsewhere. The sum of these functions, each "
            "times the argument that gives its value, gives all targets; such weights are not "
            "rational, so they are not printed."
        )
    elif possible is None and not why and network["output"] in INCREASING:
        why = (
            f"{network['output']} never falls, and that alone rules nothing out here; its values "
            "are not rational, so the answer is open."
        )
    elif possible is None and not why:
        why = "Neither rational weights nor a complete proof were found, so the answer is open."
    if possible is False:
        fit = best_fit(problem)
    return Representation(
        subject=name,
        problem=problem,
        possible=possible,
        certificate=certificate,
        best_fit=fit,
        known=why,
    )


def _no_method(problem: Problem) -> str:
    """Why no exact method applies; empty if one does."""
    network = problem["network"]
    hidden = network["hidden"][0] if network["hidden"] else "linear"
    if not network["hidden"] and network["output"] in INCREASING:
        return ""
    for name, known in ((hidden, _HIDDEN), (network["output"], _OUTPUT)):
        if name not in known:
            record = activation_record(name)
            shape = (
                "monotone"
                if record and record.monotone in ("increasing", "decreasing")
                else "not known to be monotone"
            )
            return (
                f"No exact method is known here for {name}, which is {shape}: the answer is open."
            )
    if network["output"] == "square" or (hidden == "square" and network["output"] != "linear"):
        return (
            "Squares lead to quadratic equations, which are not decided here; the answer is open."
        )
    return ""


def _levels_free(problem: Problem) -> bool:
    """Whether any values for the levels of the targets are given by some affine function."""
    network = problem["network"]
    low = 0 if network["output"] == "sigmoid" else -1
    targets = [Fraction(t) for t in problem["targets"]]
    if not all(low < t < 1 for t in targets):
        return False
    rows = [[Fraction(x) for x in p] + [Fraction(1)] * network["bias"] for p in problem["points"]]
    return all(
        solve(rows, [Fraction(t == level) for t in targets]) is not None for level in set(targets)
    )


def _numbers(points: Any, targets: Any) -> tuple[list[list[Fraction]], list[Fraction]]:
    if targets is None:
        raise SetupError("points were given without targets; expected one target for each point.")
    rows = [list(_flat(point)) for point in _listed(points)]
    ends = [list(_flat(target)) for target in _listed(targets)]
    if any(len(values) != 1 for values in ends):
        raise DataError("a target is not one number; expected one target for each point.")
    found = [_exact(value) for (value,) in ends]
    exact = [[_exact(value) for value in row] for row in rows]
    if not exact or len(exact) != len(found) or len({len(row) for row in exact}) != 1:
        raise DataError(
            f"{len(exact)} points and {len(found)} targets were given; expected as many targets "
            "as points, at least one, and points of one length."
        )
    return exact, found


def _listed(values: Any) -> list[Any]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, Iterable):
        raise DataError(f"{values!r} was given; expected a list of points or targets.")
    return list(values)


def _flat(value: Any) -> Iterable[Any]:
    several = isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0
    return _listed(value) if several else [value]


def _exact(value: Any) -> Fraction:
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # a number of NumPy
    if isinstance(value, (bool, Rational)):
        return Fraction(int(value)) if isinstance(value, bool) else Fraction(value)
    if isinstance(value, float) and isfinite(value):
        return Fraction(value)
    raise DataError(f"{value!r} was given as a coordinate or target; expected a finite number.")


def _reviewed(points: list[list[Fraction]], targets: list[Fraction], by: str) -> None:
    if len(points) > MAX_POINTS or not 1 <= len(points[0]) <= MAX_INPUTS:
        raise Unsupported(
            f"{len(points)} points of {len(points[0])} inputs were given; at most {MAX_POINTS} "
            f"points of 1 to {MAX_INPUTS} inputs can be decided."
        )
    if by not in ("exact", "threshold"):
        raise SetupError(f"by={by!r}; expected 'exact' or 'threshold'.")
    if by == "threshold" and not set(targets) <= {0, 1}:
        raise DataError("targets by threshold are 0 and 1; other numbers were given.")
    known: dict[tuple[Fraction, ...], Fraction] = {}
    for point, target in zip(points, targets, strict=True):
        if known.setdefault(tuple(point), target) != target:
            place = ", ".join(str(x) for x in point)
            raise DataError(
                f"the point ({place}) has the targets {known[tuple(point)]} and {target}; no "
                "function gives both.",
                hint="Remove one of the two, or ask about the mean of the targets.",
            )
