"""Certificates re-checked in exact rational arithmetic, without a solver.

A certificate is plain data: the problem that it is about, and the evidence. Nothing of the rest of
the package is imported here, so that a fault there cannot make a wrong certificate pass. The
lines that a case adds up are written down here, from the problem alone; a search reads them with
:func:`lines_of` and may find multipliers in any way it likes.

=============== ======================================================================
kind            what it proves
=============== ======================================================================
``weights``     these weights give every target of the problem
``impossible``  no weights do: in each case of a complete tree of cases, multipliers add
                the inequalities up to a contradiction (Motzkin's transposition theorem)
``all_of``      what each of its ``parts`` proves
=============== ======================================================================

Certificates of other kinds have checkers of their own, as independent as this one: about networks
with given numbers :mod:`backprove.theorems.network_certificates`, about bounds
:mod:`backprove.theorems.bound_certificates`, and identities
:mod:`backprove.theorems.algebra_certificates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from math import lcm
from typing import Any

MAX_POINTS, MAX_INPUTS, MAX_UNITS, MAX_NODES, MAX_DIGITS = 128, 32, 16, 50_000, 300
MAX_WORK = 1_500_000  # entries of lines that a check writes down
MAX_PARTS = 32
_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}(/[0-9]{{1,{MAX_DIGITS}}})?\Z")
_HIDDEN = ("relu", "abs", "threshold", "linear", "square")
_OUTPUT = ("linear", "relu", "threshold", "sigmoid", "tanh", "abs", "square")
INCREASING = tuple(
    "arctan elu erf exp expm1 hardsigmoid hardtanh leaky_relu log log1p logsigmoid relu6 selu sinh "
    "softplus softsign sqrt".split()
)
"""Activations of a single unit: all that is used is that a larger output has a larger argument."""
_CASES = ("relu", "abs")
Form = dict[Any, Fraction]

OTHERS: dict[str, Callable[[Mapping[str, Any]], str]] = {}
"""Checkers of further kinds, entered by the package: each gives the reason of its refusal, or
nothing."""


@dataclass(frozen=True)
class CertificateVerdict:
    """Whether a certificate proves what it claims, and why not."""

    valid: bool
    reason: str

    def __bool__(self) -> bool:
        return self.valid


class _Refused(Exception):
    """The certificate is malformed, too large, or does not prove its claim."""


@dataclass(frozen=True)
class _Problem:
    points: list[list[Fraction]]
    targets: list[Fraction]
    hidden: str
    units: int
    output: str
    bias: bool
    skip: bool
    by: str


@dataclass(frozen=True)
class Line:
    """``form`` compared with ``right`` by ``=``, ``>=`` or ``>``."""

    form: Form
    relation: str
    right: Fraction


def check_certificate(data: Any, problem: Any = None) -> CertificateVerdict:
    """Whether a certificate proves its claim, by exact arithmetic alone.

    Args:
        data: the certificate, as JSON would give it; it may come from anybody.
        problem: the problem that it has to be about; any, if None.

    Returns:
        The verdict; a malformed certificate is refused with the reason, never an exception.

    Source: Motzkin's transposition theorem (Schrijver, Theory of Linear and Integer Programming,
    1986, corollary 7.1k).

    >>> xor = {"points": [[0], [1]], "targets": [0, 1], "by": "exact", "network":
    ...        {"hidden": None, "output": "relu", "bias": True, "skip": False}}
    >>> check_certificate({"kind": "weights", "problem": xor,
    ...                    "weights": {"output": [[1], 0]}}).valid
    True
    """
    try:
        if not isinstance(data, dict):
            raise _Refused("a certificate is a mapping")
        kind = data.get("kind")
        if kind == "all_of" and problem is None:
            _check_parts(data)
            return CertificateVerdict(True, "every line was checked in exact arithmetic")
        if isinstance(kind, str) and kind in OTHERS and problem is None:
            if reason := OTHERS[kind](data):
                raise _Refused(reason)
            return CertificateVerdict(True, "every line was checked in exact arithmetic")
        if not isinstance(kind, str) or kind not in KINDS:
            known = ", ".join([*KINDS, *OTHERS, "all_of"])
            raise _Refused(f"unknown kind; known are {known}")
        own = _problem(data.get("problem"))
        if problem is not None and _problem(problem) != own:
            raise _Refused("it is about another problem")
        KINDS[kind](own, data)
    except _Refused as refusal:
        return CertificateVerdict(False, str(refusal))
    return CertificateVerdict(True, "every line was checked in exact arithmetic")


def _check_parts(data: Mapping[str, Any]) -> None:
    parts = _fields(data, {"kind", "parts"}, "a certificate of parts")["parts"]
    if not isinstance(parts, list) or not 1 <= len(parts) <= MAX_PARTS:
        raise _Refused(f"there are 1 to {MAX_PARTS} parts")
    for number, part in enumerate(parts, 1):
        if isinstance(part, dict) and part.get("kind") == "all_of":
            raise _Refused("a part has no parts of its own")
        verdict = check_certificate(part)
        if not verdict:
            raise _Refused(f"part {number}: {verdict.reason}")


def lines_of(data: Any, negative: int, sides: Mapping[tuple[int, int], bool]) -> dict[str, Line]:
    """The lines of one case of a problem, by their names.

    Args:
        data: a problem, as in a certificate.
        negative: how many units, the first ones, have a negative output weight.
        sides: for a point and a unit, whether its argument is at or above zero.

    Returns:
        Lines in unknowns such as ``("v", n)``: weights of an affine output, ``"c"`` its
        constant; ``("w", j, n)`` and ``("b", j)``: unit j; ``("h", i, j)``: its value at point i.

    Raises:
        ValueError: the problem is malformed or too large.
    """
    try:
        return _rows(_problem(data), negative, sides)
    except _Refused as refusal:
        raise ValueError(str(refusal)) from None


def _number(value: Any) -> Fraction:
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 3 * MAX_DIGITS:
            raise _Refused("a number has too many digits")
        return Fraction(value)
    if isinstance(value, str) and len(value) <= 2 * MAX_DIGITS + 2 and _NUMBER.match(value):
        top, _, bottom = value.partition("/")
        if bottom and int(bottom) == 0:
            raise _Refused("a denominator is zero")
        return Fraction(int(top), int(bottom or 1))
    raise _Refused("a number is a whole number or text such as '-3/4'")


def _numbers(value: Any, length: int, what: str) -> list[Fraction]:
    if not isinstance(value, list) or len(value) != length:
        raise _Refused(f"{what} needs {length} numbers")
    return [_number(each) for each in value]


def _fields(value: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise _Refused(f"{what} has the fields {', '.join(sorted(names))}")
    return value


def _problem(data: Any) -> _Problem:
    fields = _fields(data, {"points", "targets", "network", "by"}, "a problem")
    points = fields["points"]
    if not isinstance(points, list) or not 1 <= len(points) <= MAX_POINTS:
        raise _Refused(f"a problem has 1 to {MAX_POINTS} points")
    inputs = len(points[0]) if isinstance(points[0], list) else 0
    if not 1 <= inputs <= MAX_INPUTS:
        raise _Refused(f"a point has 1 to {MAX_INPUTS} numbers")
    network = _fields(fields["network"], {"hidden", "output", "bias", "skip"}, "a network")
    hidden, units = network["hidden"], 0
    if hidden is not None:
        if not isinstance(hidden, list) or len(hidden) != 2:
            raise _Refused("a hidden layer is an activation and a width")
        hidden, units = hidden
        if type(units) is not int or not 1 <= units <= MAX_UNITS:
            raise _Refused(f"a hidden layer has 1 to {MAX_UNITS} units")
        if hidden not in _HIDDEN:
            raise _Refused(f"hidden activations are {', '.join(_HIDDEN)}")
    if network["output"] not in _OUTPUT and (hidden or network["output"] not in INCREASING):
        raise _Refused(f"output activations are {', '.join(_OUTPUT)}, and others of one unit")
    if not all(isinstance(network[key], bool) for key in ("bias", "skip")):
        raise _Refused("bias and skip are true or false")
    if fields["by"] not in ("exact", "threshold"):
        raise _Refused("a problem is by 'exact' or by 'threshold'")
    targets = _numbers(fields["targets"], len(points), "targets")
    if fields["by"] == "threshold" and not set(targets) <= {0, 1}:
        raise _Refused("targets by threshold are 0 and 1")
    exact = [_numbers(point, inputs, "a point") for point in points]
    _bounded([*(x for point in exact for x in point), *targets])
    return _Problem(
        points=exact,
        targets=targets,
        hidden=hidden or "",
        units=units,
        output=network["output"],
        bias=network["bias"],
        skip=network["skip"] and units > 0,
        by=fields["by"],
    )


# --- weights -------------------------------------------------------------------------------------


def _check_weights(problem: _Problem, data: Mapping[str, Any]) -> None:
    _fields(data, {"kind", "problem", "weights"}, "a certificate of weights")
    names = {"output"} | ({"hidden"} if problem.units else set())
    names |= {"skip"} if problem.skip else set()
    weights = _fields(data["weights"], names, "weights")
    inputs = len(problem.points[0])
    units: list[tuple[list[Fraction], Fraction]] = []
    if problem.units:
        if not isinstance(weights["hidden"], list) or len(weights["hidden"]) != problem.units:
            raise _Refused(f"weights of {problem.units} units were expected")
        units = [_unit(problem, unit, inputs) for unit in weights["hidden"]]
    skip = _numbers(weights["skip"], inputs, "skip") if problem.skip else [Fraction(0)] * inputs
    last, constant = _unit(problem, weights["output"], problem.units or inputs)
    _bounded([*last, constant, *skip, *(n for row, shift in units for n in (*row, shift))])
    for point, target in zip(problem.points, problem.targets, strict=True):
        layer = [_value(problem.hidden, _dot(w, point) + b) for w, b in units] or point
        z = _dot(last, layer) + _dot(skip, point) + constant
        if problem.by == "threshold":
            if _above_half(problem.output, z) != (target == 1):
                raise _Refused("a point is on the wrong side")
        elif _value(problem.output, z) != target:
            raise _Refused("a target is missed")


def _unit(problem: _Problem, data: Any, inputs: int) -> tuple[list[Fraction], Fraction]:
    if not isinstance(data, list) or len(data) != 2:
        raise _Refused("a unit is its weights and its bias")
    bias = _number(data[1])
    if bias and not problem.bias:
        raise _Refused("a network without biases has a bias")
    return _numbers(data[0], inputs, "weights of a unit"), bias


def _bounded(values: Iterable[Fraction]) -> None:
    """Refuse numbers whose sums could grow without bound: their common denominator is bounded."""
    common = 1
    for value in values:
        common = lcm(common, value.denominator)
        if common >= 10**MAX_DIGITS:
            raise _Refused("the common denominator of the numbers has too many digits")


def _dot(left: list[Fraction], right: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _value(activation: str, z: Fraction) -> Fraction:
    if activation == "relu":
        return max(z, Fraction(0))
    if activation == "abs":
        return abs(z)
    if activation == "square":
        return z * z
    if activation == "threshold":
        return Fraction(z > 0)
    if activation == "sigmoid" and z == 0:
        return Fraction(1, 2)
    if activation == "linear" or (activation == "tanh" and z == 0):
        return z
    raise _Refused(f"{activation} of {z} is not rational")


def _above_half(activation: str, z: Fraction) -> bool:
    if activation == "sigmoid":
        return z > 0
    if activation == "tanh":
        # tanh z > 1/2 where z > ln(3)/2 = 0.549306..., which lies between these two.
        if Fraction(5493, 10_000) < z < Fraction(5494, 10_000):
            raise _Refused("tanh is too close to 1/2 to tell")
        return z >= Fraction(5494, 10_000)
    return _value(activation, z) > Fraction(1, 2)


# --- impossible ----------------------------------------------------------------------------------


def _check_impossible(problem: _Problem, data: Mapping[str, Any]) -> None:
    _fields(data, {"kind", "problem", "cases"}, "a proof of impossibility")
    if problem.hidden == "square" or problem.output == "square":
        raise _Refused("no proof for squares is known here")
    signs = problem.units + 1 if problem.hidden in _CASES else 1
    if not isinstance(data["cases"], list) or len(data["cases"]) != signs:
        raise _Refused(f"a complete proof has {signs} cases of signs")
    splits = {(i, j) for i in range(len(problem.points)) for j in range(problem.units)}
    if problem.hidden == "linear":
        splits = set()
    if problem.output == "abs":
        splits |= {(i, problem.units) for i in range(len(problem.points))}
    nodes = work = 0
    cost = len(problem.points) * (problem.units + 1) * (len(problem.points[0]) + 1)
    for negative, root in enumerate(data["cases"]):
        stack: list[tuple[Any, dict[tuple[int, int], bool]]] = [(root, {})]
        while stack:
            node, sides = stack.pop()
            nodes, work = nodes + 1, work + cost
            if nodes > MAX_NODES or work > MAX_WORK:
                raise _Refused("a proof has too many cases to check")
            if isinstance(node, dict) and "split" in node:
                _fields(node, {"split", "active", "inactive"}, "a split")
                split = node["split"]
                if not isinstance(split, list) or [type(n) for n in split] != [int, int]:
                    raise _Refused("a split is a point and a unit")
                place = (split[0], split[1])
                if place not in splits or place in sides:
                    raise _Refused("a split names no undecided point and unit")
                stack.append((node["active"], {**sides, place: True}))
                stack.append((node["inactive"], {**sides, place: False}))
            else:
                _contradiction(_rows(problem, negative, sides), node)


def _contradiction(rows: Mapping[str, Line], node: Any) -> None:
    multipliers = _fields(node, {"multipliers"}, "a case")["multipliers"]
    if not isinstance(multipliers, dict) or len(multipliers) > len(rows):
        raise _Refused("multipliers are numbers by the names of lines")
    total: Form = {}
    right, strict = Fraction(0), False
    for name, text in multipliers.items():
        row, factor = rows.get(name), _number(text)
        if row is None:
            raise _Refused("a multiplier names no line of the problem")
        if factor.denominator != 1:
            raise _Refused("a multiplier is no whole number")
        if factor < 0 and row.relation != "=":
            raise _Refused("an inequality has a negative multiplier")
        strict |= row.relation == ">" and factor > 0
        right += factor * row.right
        for key, value in row.form.items():
            total[key] = total.get(key, Fraction(0)) + factor * value
    if any(total.values()):
        raise _Refused("the left sides do not cancel")
    if not (right > 0 or (right == 0 and strict)):
        raise _Refused("the sum is no contradiction")


def _rows(
    problem: _Problem, negative: int, sides: Mapping[tuple[int, int], bool]
) -> dict[str, Line]:
    """The lines that hold in one case: the first ``negative`` units have output weight -1."""
    rows: dict[str, Line] = {}
    outputs: dict[int, Form] = {}
    zero = Fraction(0)
    for i, point in enumerate(problem.points):
        form: Form = {}
        if problem.bias:
            form["c"] = Fraction(1)
        if problem.skip or problem.units == 0 or problem.hidden == "linear":
            # Linear units in between change nothing that is necessary: the whole is affine.
            form |= {("v", n): x for n, x in enumerate(point) if x}
        if problem.hidden == "threshold":
            known = [sides.get((i, j)) for j in range(problem.units)]
            for j, side in enumerate(known):
                if side is not None:
                    z = _affine(problem, j, point)
                    sign, relation = (1, ">") if side else (-1, ">=")
                    rows[f"side {i} {j}"] = Line(_times(z, sign), relation, zero)
                if side:
                    form["u", j] = Fraction(1)
            if None in known:
                continue
        if problem.hidden in _CASES:
            for j in range(problem.units):
                h = ("h", i, j)
                form[h] = Fraction(-1 if j < negative else 1)
                _unit_rows(problem, rows, i, j, sides.get((i, j)))
        outputs[i] = form
    _output_rows(problem, outputs, rows, sides)
    return rows


def _unit_rows(problem: _Problem, rows: dict[str, Line], i: int, j: int, side: bool | None) -> None:
    z, zero = _affine(problem, j, problem.points[i]), Fraction(0)
    h: Form = {("h", i, j): Fraction(1)}
    floor = z if problem.hidden == "abs" else {}
    rows[f"low {i} {j}"] = Line(_plus(h, floor), ">=", zero)
    rows[f"above {i} {j}"] = Line(_plus(h, _times(z, -1)), ">=", zero)
    if side is not None:
        rows[f"side {i} {j}"] = Line(_times(z, 1 if side else -1), ">=", zero)
        reached = _times(z, -1) if side else floor
        rows[f"equal {i} {j}"] = Line(_plus(h, reached), "=", zero)


def _output_rows(
    problem: _Problem,
    outputs: Mapping[int, Form],
    rows: dict[str, Line],
    sides: Mapping[tuple[int, int], bool],
) -> None:
    if problem.output in INCREASING:
        rows |= _rising_rows(problem, outputs)
        return
    levels: dict[Fraction, int] = {}
    never = Line({}, ">=", Fraction(1))
    for i, y in outputs.items():
        t, name = problem.targets[i], f"point {i}"
        down = _times(y, -1)
        if problem.output == "abs":
            side = sides.get((i, problem.units))
            if side is None:
                continue
            y = y if side else down
            rows[f"abs {i}"] = Line(y, ">=", Fraction(0))
            if problem.by == "threshold":
                half = Fraction(1, 2)
                rows[name] = Line(y, ">", half) if t else Line(_times(y, -1), ">=", -half)
            else:
                rows[name] = Line(y, "=", t)
        elif problem.by == "threshold":
            cut = Fraction(1, 2) if problem.output in ("linear", "relu") else Fraction(0)
            if problem.output == "tanh" and not problem.bias:
                cut = Fraction(1)  # artanh(1/2) > 0, and weights can be scaled
            rows[name] = Line(y, ">", cut) if t else Line(down, ">=", -cut)
        elif problem.output == "linear" or (problem.output == "relu" and t > 0):
            rows[name] = Line(y, "=", t)
        elif problem.output == "relu":
            rows[name] = Line(down, ">=", Fraction(0)) if t == 0 else never
        elif problem.output == "threshold":
            up = Line(y, ">", Fraction(0))
            rows[name] = up if t == 1 else Line(down, ">=", Fraction(0)) if t == 0 else never
        else:
            low = Fraction(0 if problem.output == "sigmoid" else -1)
            middle = (low + 1) / 2
            if not low < t < 1:
                rows[name] = never
            elif t == middle:
                rows[name] = Line(y, "=", Fraction(0))
            else:
                rows[name] = Line(y if t > middle else down, ">", Fraction(0))
            if t in levels:
                rows[f"level {i}"] = Line(
                    _plus(y, _times(outputs[levels[t]], -1)), "=", Fraction(0)
                )
            levels.setdefault(t, i)
    ordered = sorted(levels)
    for low, high in pairwise(ordered):
        rise = _plus(outputs[levels[high]], _times(outputs[levels[low]], -1))
        rows[f"rise {levels[high]}"] = Line(rise, ">", Fraction(0))


def _rising_rows(problem: _Problem, outputs: Mapping[int, Form]) -> dict[str, Line]:
    """What holds for every activation that never falls, also where targets are only cut at 1/2."""
    found: dict[str, Line] = {}
    for low, high in pairwise(sorted(set(problem.targets))):
        for i, j in product(outputs, outputs):
            if problem.targets[i] == high and problem.targets[j] == low:
                gap = _plus(outputs[i], _times(outputs[j], -1))
                gap = {key: value for key, value in gap.items() if value}
                found[f"rise {i} {j}"] = Line(gap, ">", Fraction(0))
    return found


def _affine(problem: _Problem, j: int, point: list[Fraction]) -> Form:
    form: Form = {("w", j, n): x for n, x in enumerate(point) if x}
    if problem.bias:
        form["b", j] = Fraction(1)
    return form


def _times(form: Form, factor: int) -> Form:
    return {key: factor * value for key, value in form.items()}


def _plus(left: Form, right: Form) -> Form:
    total = dict(left)
    for key, value in right.items():
        total[key] = total.get(key, Fraction(0)) + value
    return total


KINDS: dict[str, Callable[[_Problem, Mapping[str, Any]], None]] = {
    "weights": _check_weights,
    "impossible": _check_impossible,
}
"""The checker of each kind of certificate; another kind is another entry."""

__all__ = ["KINDS", "CertificateVerdict", "Line", "check_certificate", "lines_of"]
