"""The checker accepts what is proved and refuses everything else."""

from __future__ import annotations

import ast
import copy
import json
import os
import random
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from backprove.functions import ELEMENTWISE
from backprove.theorems import certificates, check_certificate, represent

CASES = [
    ("xor", "relu(1)", {}),
    ("xor", "threshold(1)", {}),
    ("xor", "sigmoid(1)", {"by": "threshold"}),
    ("xor", "relu(1)+linear(1)", {}),
    ("xor", "threshold(1)+threshold(1)", {}),
    ("parity3", "relu(1)+linear(1)", {}),
    ("xor", "relu(2)+linear(1)", {}),
    ("xor", "abs(1)", {}),
    ("and", "threshold(1)", {}),
    ("and", "relu(1)", {}),
    ("majority3", "threshold(1)", {}),
    ("xor", "relu(1)+linear(1)", {"skip": True}),
    ("nor", "threshold(1)", {"bias": False}),
    ("xor", "softplus(1)", {}),
    ("xor", "relu6(1)", {"by": "threshold"}),
]

MUTATIONS = int(os.environ.get("BACKPROVE_MUTATIONS", "1000"))
"""Broken certificates that are tried; 10,000 before a change is accepted."""


@pytest.fixture(scope="module")
def proved() -> list[dict[str, Any]]:
    found = [represent(table, network=net, **more).certificate for table, net, more in CASES]
    return [each for each in found if each is not None]


def test_every_answer_carries_a_certificate_that_is_accepted(proved: list[dict]) -> None:
    assert len(proved) == len(CASES)
    for certificate in proved:
        again = json.loads(json.dumps(certificate))
        assert check_certificate(again, certificate["problem"]), certificate


def test_the_checker_imports_nothing_else_of_the_package_and_no_solver() -> None:
    tree = ast.parse(Path(certificates.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module).split(".")[0])
    assert names <= set(sys.stdlib_module_names)


def test_a_certificate_of_another_problem_is_refused(proved: list[dict]) -> None:
    for first in proved:
        for second in proved:
            same = first["problem"] == second["problem"]
            assert check_certificate(first, second["problem"]).valid == same


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        [],
        {"kind": []},
        {"kind": "weights"},
        {"kind": "impossible", "problem": {"points": [[1e3]]}},
        {"kind": "weights", "problem": {"points": [["1" * 10_000]], "targets": [0]}},
    ],
)
def test_hostile_data_is_refused_with_a_reason(hostile: Any) -> None:
    verdict = check_certificate(hostile)
    assert not verdict and verdict.reason


def test_many_mutated_certificates_are_refused_unless_still_valid(
    proved: list[dict],
) -> None:
    rng = random.Random(7)
    accepted = 0
    for number in range(MUTATIONS):
        changed = copy.deepcopy(proved[number % len(proved)])
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _mutate(rng, changed)
        if check_certificate(changed):
            accepted += 1
            assert _true(changed), changed
    assert accepted < 5000  # most mutations spoil a proof


def _mutate(rng: random.Random, data: Any) -> None:
    """One random change somewhere inside."""
    places: list[tuple[Any, Any]] = []
    stack = [data]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                stack.append(node[key])
    node, key = rng.choice(places)
    choice = rng.randrange(5)
    if choice == 0 and isinstance(node, dict):
        del node[key]
    elif choice == 1 and isinstance(node, list):
        node.append(copy.deepcopy(node[key]))
    elif choice == 2:
        other, place = rng.choice(places)
        if not isinstance(node[key], (dict, list)):
            node[key] = copy.deepcopy(other[place])
    elif isinstance(node[key], bool):
        node[key] = not node[key]
    elif isinstance(node[key], (int, str)):
        node[key] = rng.choice(
            ["0", "1", "-1", "2", "1/2", "-3/2", 0, 1, -1, 7, "relu", "linear", "abs", "x", None]
        )
    else:
        node[key] = rng.choice([None, "0", [], {}])


def _true(certificate: dict[str, Any]) -> bool:
    """Whether what a certificate claims is true, by other means than the checker's."""
    problem = certificate["problem"]
    if certificate["kind"] == "weights":
        return _fits(problem, certificate["weights"])
    return not _possible(problem)


def _fits(problem: dict[str, Any], weights: dict[str, Any]) -> bool:
    network = problem["network"]
    shapes = {
        "relu": lambda z: z * (z > 0),
        "abs": abs,
        "square": lambda z: z**2,
        "threshold": lambda z: Fraction(int(z > 0)),
        "linear": lambda z: z,
    }
    for point, target in zip(problem["points"], problem["targets"], strict=True):
        x = h = [Fraction(v) for v in point]
        if network["hidden"]:
            rule = shapes[network["hidden"][0]]
            h = [
                rule(
                    sum(Fraction(w) * v for w, v in zip(unit[0], x, strict=True))
                    + Fraction(unit[1])
                )
                for unit in weights["hidden"]
            ]
        last, constant = weights["output"]
        z = sum(Fraction(w) * v for w, v in zip(last, h, strict=True)) + Fraction(constant)
        if "skip" in weights:
            z += sum(Fraction(w) * v for w, v in zip(weights["skip"], x, strict=True))
        name = network["output"]
        if problem["by"] == "threshold":
            value = float(z) if name not in ("sigmoid", "tanh") else None
            cut = {"sigmoid": 0.0, "tanh": float(np.arctanh(0.5))}.get(name)
            above = float(z) > cut if cut is not None else shapes[name](z) > Fraction(1, 2)
            del value
            if above != (Fraction(target) == 1):
                return False
        elif name in ("sigmoid", "tanh"):
            shown = 1 / (1 + np.exp(-float(z))) if name == "sigmoid" else np.tanh(float(z))
            if abs(shown - float(Fraction(target))) > 1e-12:
                return False
        elif shapes[name](z) != Fraction(target):
            return False
    return True


def _possible(problem: dict[str, Any]) -> bool:
    """A slow search of all activation patterns, by floating-point programs."""
    from itertools import product

    network = problem["network"]
    points = [[float(Fraction(v)) for v in point] for point in problem["points"]]
    targets = [float(Fraction(t)) for t in problem["targets"]]
    hidden, units = network["hidden"] or ("none", 0)
    inputs, count = len(points[0]), len(points)
    bias = [1.0] if network["bias"] else []
    affine = [[*point, *bias] for point in points]
    width = inputs + len(bias)
    direct = network["skip"] or units == 0 or hidden == "linear"
    flips = count if network["output"] == "abs" else 0
    units = 0 if hidden == "linear" else units
    for bits in product((0, 1), repeat=count * units + flips):
        signs = product((-1, 1), repeat=units) if hidden != "threshold" else [(1,) * units]
        for sign in signs:
            # unknowns: hidden units, output weights (threshold units only), skip, constant, margin
            size = units * width + units + inputs + 2
            up, low, equal, right = [], [], [], []
            forms = []
            for i, row in enumerate(affine):
                form = np.zeros(size)
                if direct:
                    form[units * (width + 1) : units * (width + 1) + inputs] = points[i]
                if network["bias"]:
                    form[-2] = 1
                for j in range(units):
                    z = np.zeros(size)
                    z[j * width : (j + 1) * width] = row
                    on = bits[i * units + j]
                    margin = np.zeros(size)
                    margin[-1] = 1.0 if hidden == "threshold" and on else 0.0
                    up.append((1 if on else -1) * z - margin)
                    low.append(0.0)
                    if hidden == "threshold":
                        form[units * width + j] += on
                    elif hidden == "abs":
                        form += sign[j] * (1 if on else -1) * z
                    elif on:
                        form += sign[j] * z
                forms.append(form)
            sides = bits[count * units :] if flips else (1,) * count
            ok = _output(problem, forms, targets, sides, up, low, equal, right)
            if not ok:
                continue
            goal = np.zeros(size)
            goal[-1] = -1
            found = linprog(
                goal,
                A_ub=-np.array(up) if up else None,
                b_ub=-np.array(low) if low else None,
                A_eq=np.array(equal) if equal else None,
                b_eq=right or None,
                bounds=[(None, None)] * (size - 1) + [(0, 1)],
            )
            if found.status == 0 and found.x[-1] > 1e-6:
                return True
    return False


def _output(problem, forms, targets, sides, up, low, equal, right) -> bool:
    name, by = problem["network"]["output"], problem["by"]
    margin = np.zeros(len(forms[0]))
    margin[-1] = 1
    if name in certificates.INCREASING:
        pairs = [(f, g) for f, t in zip(forms, targets, strict=True)
                 for g, s in zip(forms, targets, strict=True) if t > s]  # fmt: skip
        up += [above - below - margin for above, below in pairs]
        low += [0.0] * len(pairs)
        return True
    for form, t, side in zip(forms, targets, sides, strict=True):
        if name == "abs":
            form = form if side else -form
            up.append(form)
            low.append(0.0)
        if by == "threshold":
            plain = name in ("linear", "relu", "abs")
            cut = 0.5 if plain else np.arctanh(0.5) if name == "tanh" else 0.0
            up.append(form - margin if t else -form)
            low.append(cut if t else -cut)
        elif name in ("linear", "abs") or (name == "relu" and t > 0):
            equal.append(form)
            right.append(t)
            if name == "abs" and t < 0:
                return False
        elif name == "relu" or (name == "threshold" and t == 0):
            if t < 0:
                return False
            up.append(-form)
            low.append(0.0)
        elif name == "threshold":
            if t != 1:
                return False
            up.append(form - margin)
            low.append(0.0)
        else:
            if not (0 if name == "sigmoid" else -1) < t < 1:
                return False
            equal.append(form)
            right.append(float(np.log(t / (1 - t)) if name == "sigmoid" else np.arctanh(t)))
    return True


def test_numbers_that_could_grow_without_bound_are_refused() -> None:
    network = {"hidden": None, "output": "threshold", "bias": True, "skip": False}
    points = [[f"1/{10**290 + n}"] for n in range(100)]
    problem = {"points": points, "targets": [1] * 100, "by": "exact", "network": network}
    verdict = check_certificate(
        {"kind": "weights", "problem": problem, "weights": {"output": [[1], 1]}}
    )
    assert not verdict and "denominator" in verdict.reason


def test_a_proof_that_turns_an_inequality_around_is_refused() -> None:
    # Twice the same line, once added and once taken away, would say 0 > 0 of a possible problem.
    network = {"hidden": None, "output": "threshold", "bias": True, "skip": False}
    problem = {"points": [[1], [1]], "targets": [1, 1], "by": "exact", "network": network}
    case = {"multipliers": {"point 0": 1, "point 1": -1}}
    verdict = check_certificate({"kind": "impossible", "problem": problem, "cases": [case]})
    assert not verdict and "negative" in verdict.reason


def test_a_proof_that_leaves_out_a_case_is_refused(proved: list[dict]) -> None:
    trees = [each for each in proved if len(each.get("cases", [])) > 1]
    assert trees
    for certificate in trees:
        for kept in (certificate["cases"][:-1], [*certificate["cases"], certificate["cases"][0]]):
            assert not check_certificate({**certificate, "cases": kept})
        split = copy.deepcopy(certificate)
        tree = next(case for case in split["cases"] if "split" in case)
        for name in ("active", "inactive"):
            assert not check_certificate(_without(split, tree, name))


def _without(certificate: dict[str, Any], tree: dict[str, Any], name: str) -> dict[str, Any]:
    """The certificate with one branch of a split left out."""
    cases = [
        {key: value for key, value in case.items() if key != name} if case is tree else case
        for case in certificate["cases"]
    ]
    return {**certificate, "cases": cases}


def test_a_split_of_a_point_that_is_decided_is_refused(proved: list[dict]) -> None:
    certificate = next(each for each in proved if "split" in each.get("cases", [{}])[0])
    tree = certificate["cases"][0]
    again = {"split": tree["split"], "active": tree["active"], "inactive": tree["inactive"]}
    for changed in ({**tree, "active": again}, {**tree, "split": [99, 0]}, {**tree, "split": [0]}):
        assert not check_certificate({**certificate, "cases": [changed, *certificate["cases"][1:]]})


def test_what_is_called_increasing_never_falls() -> None:
    z = np.linspace(-30, 30, 100_001)
    for name in certificates.INCREASING:
        record = ELEMENTWISE[name]
        assert record.monotone == "increasing", name
        with np.errstate(all="ignore"):
            values = record.value(z)
        steps = np.diff(values[np.isfinite(values)])
        assert (steps >= 0).all(), name


@pytest.mark.parametrize("name", sorted(certificates.INCREASING))
@pytest.mark.parametrize("by", ["exact", "threshold"])
def test_one_unit_of_any_activation_that_never_falls_cannot_give_xor(name: str, by: Any) -> None:
    found = represent("xor", network=f"{name}(1)", by=by)
    assert found.possible is False and check_certificate(found.certificate)
    assert "never falls" in found.text()
    assert represent("and", network=f"{name}(1)", by=by).possible is None
    assert represent("xor", network=f"{name}(2)+linear(1)", by=by).possible is None


@pytest.mark.parametrize("name", ["gelu", "sin", "silu", "mish", "cos", "sign", "gelu_tanh"])
def test_nothing_is_proved_of_other_activations(name: str) -> None:
    assert represent("xor", network=f"{name}(1)").possible is None


def test_random_points_are_impossible_exactly_where_no_direction_orders_them() -> None:
    stream = random.Random(11)
    seen = set()
    for _ in range(120):
        count = stream.randint(2, 5)
        points = [[stream.randint(-2, 2) for _ in range(2)] for _ in range(count)]
        known: dict[tuple[int, ...], int] = {}
        targets = [known.setdefault(tuple(p), stream.choice((0, 1, 2))) for p in points]
        found = represent(points, targets, "softplus(1)", bias=stream.random() < 0.5)
        possible = _possible(found.problem)
        assert found.possible is (None if possible else False), (points, targets)
        seen.add(found.possible)
    assert seen == {None, False}
