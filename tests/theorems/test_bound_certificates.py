"""Certificates of bounds and of algebra: what they say is true by other means, changed or not."""

from __future__ import annotations

import ast
import math
import os
import random
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.functions import ELEMENTWISE
from backprove.theorems import algebra_certificates as algebra
from backprove.theorems import bound_certificates as bounds
from backprove.theorems import check_certificate, prove
from backprove.theorems.algebra_certificates import check_identities
from backprove.theorems.bound_certificates import BOUND_KINDS, RANGES, STEEPEST
from backprove.theorems.dense import activation
from backprove.theorems.identities import Step, identities
from backprove.theorems.network_certificates import Refused
from theorems.test_network_certificates import mutated

MUTATIONS = int(os.environ.get("BACKPROVE_MUTATIONS", "1000"))
"""Broken certificates that are tried; 10,000 before a change is accepted."""

ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dropout", {"masks": 0}),
    ("residual", {}),
    ("zero_centred", {"examples": 32}),
    ("vanishing", {"network": "sigmoid(3)x2+tanh(2)+linear(1)", "inputs": 2}),
    ("saturation", {}),
    ("saturation", {"name": "tanh"}),
    ("batching", {}),
    ("collapse", {"network": "linear(2)+linear(1)", "inputs": 2}),
    ("initial_variance", {"network": "relu(6)+linear(4)+linear(1)", "inputs": 5, "seeds": 1}),
    ("initial_variance", {"network": "relu(6)x2+linear(1)", "init": "normal:0.3", "seeds": 1}),
    ("stable_step", {"steps": 5}),
    ("output_range", {"network": "relu(2)+sigmoid(1)", "targets": "-1,0,0.5,3"}),
    ("output_range", {"network": "tanh(2)+relu(1)", "targets": "-1,0,2"}),
)


def certificates() -> list[dict[str, Any]]:
    """Every part of these kinds that the theorems give."""
    found = []
    for name, asked in ASKED:
        certificate = prove(name, **asked).certificate
        assert certificate is not None
        parts = certificate.get("parts", [certificate])
        found += [dict(p) for p in parts if p["kind"] in BOUND_KINDS or p["kind"] == "identities"]
    return found


CERTIFICATES = certificates()


def test_every_kind_is_among_them_and_every_one_is_accepted() -> None:
    assert {each["kind"] for each in CERTIFICATES} == {*BOUND_KINDS, "identities"}
    for each in CERTIFICATES:
        assert check_certificate(each), each["kind"]


@pytest.mark.parametrize("checker", [bounds, algebra])
def test_the_checkers_import_nothing_but_one_another(checker: Any) -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    names = [n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names]
    names += [str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert [n for n in names if n.startswith("backprove")] == [
        "backprove.theorems.network_certificates"
    ]
    assert not [n for n in names if n.startswith(("numpy", "scipy"))]


# --- the same claims by other means --------------------------------------------------------------


def true(data: Mapping[str, Any]) -> bool:
    """Whether what a certificate claims is so, in floats and by another way."""
    return {
        "identities": _identities,
        "gradient_bound": _gradient_bound,
        "slope_values": _slopes,
        "outside_range": _range,
        "variance_chain": _variances,
        "largest_eigenvalue": _eigenvalue,
        "longest_chain": _chain,
    }[data["kind"]](data)


def _floats(rows: list[list[Any]]) -> np.ndarray:
    return np.array([[float(Fraction(v)) for v in row] for row in rows])


def _identities(data: Mapping[str, Any]) -> bool:
    for seed in range(4):
        stream = random.Random(seed)
        for line in data["lines"]:
            values: dict[str, Any] = {}
            try:
                left, right = (_value(line[k], data, values, stream) for k in ("left", "right"))
            except ZeroDivisionError:
                continue
            gap = np.abs(left - right).max() if isinstance(left - right, np.ndarray) else 0
            if line["relation"] == "=" and (gap != 0 or np.any(left - right != 0)):
                return False
            if line["relation"] == ">=" and left < right:
                return False
            if line["relation"] == ">" and left <= right:
                return False
    return True


def _value(tree: Any, data: Mapping[str, Any], values: dict[str, Any], stream: Any) -> Any:
    """A formula at random numbers, or at random 2 x 2 matrices of whole numbers."""
    wide = bool(data["matrices"])

    def matrix(number: Any) -> Any:
        return np.array([[number, 0], [0, number]], object) if wide else number

    if (isinstance(tree, str) and tree[0].isalpha()) or (isinstance(tree, str) and tree[0] == "_"):
        if tree not in values:
            number = Fraction(stream.randint(1, 40), stream.randint(1, 9))
            if tree in data["matrices"]:
                entries = [[Fraction(stream.randint(-5, 5)) for _ in "ab"] for _ in "ab"]
                values[tree] = np.array(entries, object)
            else:
                sign = 1 if tree in data["positive"] else stream.choice((-1, 1))
                values[tree] = matrix(sign * number)
        return values[tree]
    if not isinstance(tree, list):
        return matrix(Fraction(tree))
    if tree[0] == "^":
        base = _value(tree[1], data, values, stream)
        power = matrix(Fraction(1))
        for _ in range(tree[2]):
            power = power @ base if wide else power * base
        return power
    parts = [_value(each, data, values, stream) for each in tree[1:]]
    found = parts[0]
    if tree[0] == "-" and len(parts) == 1:
        return -found
    for part in parts[1:]:
        if tree[0] == "+":
            found = found + part
        elif tree[0] == "-":
            found = found - part
        elif tree[0] == "*":
            found = found @ part if wide else found * part
        else:
            found = found @ matrix(1 / part[0, 0]) if wide else found / part
    return found


def _gradient_bound(data: Mapping[str, Any]) -> bool:
    z = np.concatenate([np.linspace(-8, 8, 40_001), [0.0]])
    product = 1.0
    for layer, after in pairwise(data["layers"]):
        name = layer["activation"]
        largest = 1.0 if name == "linear" else np.abs(activation(name).slope(z)).max()
        product *= largest * np.linalg.norm(_floats(after["weights"]), 2)
    return product <= float(Fraction(data["factor"])) * (1 + 1e-9)


def _slopes(data: Mapping[str, Any]) -> bool:
    for z, low, high in data["values"]:
        at = abs(float(Fraction(z)))
        slope = math.exp(-at) / (1 + math.exp(-at)) ** 2
        if data["function"] == "tanh":
            slope = 1 / math.cosh(at) ** 2
        room = 1e-13 * slope
        if not float(Fraction(low)) - room <= slope <= float(Fraction(high)) + room:
            return False
    return True


def _range(data: Mapping[str, Any]) -> bool:
    targets = np.array([float(Fraction(t)) for t in data["targets"]])
    record = activation(data["activation"]).record
    low, high = (record.range.low, record.range.high) if record else (-np.inf, np.inf)
    outside = sum(record is not None and t not in record.range for t in targets.tolist())
    gap = np.maximum(np.maximum(low - targets, targets - high), 0)
    return outside == data["outside"] and float(Fraction(data["least_error"])) <= np.mean(
        gap**2
    ) * (1 + 1e-12)


def _variances(data: Mapping[str, Any]) -> bool:
    before, square = data["inputs"], 1.0
    for (name, width), said in zip(data["layers"], data["squares"], strict=True):
        kind, _, number = data["init"].partition(":")
        variance = {
            "he_normal": lambda a, b, s: 2 / a,
            "lecun_normal": lambda a, b, s: 1 / a,
            "glorot_uniform": lambda a, b, s: 2 / (a + b),
            "normal": lambda a, b, s: s * s,
            "uniform": lambda a, b, s: s * s / 3,
        }[kind](before, width, float(Fraction(number or "0")))
        square *= before * variance
        if not math.isclose(square, float(Fraction(said)), rel_tol=1e-12, abs_tol=1e-300):
            return False
        square *= 0.5 if name == "relu" else 1.0
        before = width
    return True


def _eigenvalue(data: Mapping[str, Any]) -> bool:
    x = _floats(data["inputs"])
    z = np.column_stack([x, np.ones(len(x))])
    largest = np.linalg.eigvalsh(2 * z.T @ z / (len(x) * data["outputs"]))[-1]
    low, high = float(Fraction(data["low"])), float(Fraction(data["high"]))
    return low <= largest * (1 + 1e-12) and largest <= high * (1 + 1e-12)


def _chain(data: Mapping[str, Any]) -> bool:
    longest: list[int] = []
    for own in data["operands"]:
        longest.append(max((longest[k] + 1 for k in own), default=0))
    return max(longest) == len(data["path"]) - 1


def test_the_other_means_agree_on_what_is_unchanged() -> None:
    assert all(true(each) for each in CERTIFICATES)


def test_of_many_broken_certificates_none_is_accepted_that_does_not_hold() -> None:
    stream = random.Random(5)
    survivors = 0
    for number in range(MUTATIONS):
        data = mutated(CERTIFICATES[number % len(CERTIFICATES)], stream)
        if check_certificate(data):
            survivors += 1
            assert true(data), data
    assert survivors < 0.25 * MUTATIONS, "most changes break a certificate"


# --- algebra -------------------------------------------------------------------------------------

FALSE = [
    Step("(a + b)**2", "=", "a**2 + b**2"),
    Step("a/(a + b)", "=", "1 - b/a"),
    Step("a*b", ">=", "0", "a*b"),
    Step("a**2", ">", "0", "a**2"),
    Step("p", ">", "1", "p - 1"),
    Step("a**2 + p", ">", "2*a", "(a - 1)**2 + p"),
    Step("0", ">=", "-a**3", "a**3"),
    Step("1/a", ">=", "0", "1/a"),
]


@pytest.mark.parametrize("step", FALSE, ids=str)
def test_what_is_not_so_for_all_numbers_is_refused(step: Step) -> None:
    with pytest.raises(Refused):
        check_identities(identities([step], positive=["p"]))


@pytest.mark.parametrize(
    "step",
    [
        Step("(p + a**2)/(1 + p)", ">", "0", "(p + a**2)/(1 + p)"),
        Step("a**2 + b**2", ">=", "2*a*b", "(a - b)**2"),
        Step("1/a**2", ">", "-1", "1 + 1/a**2"),
        Step("a/b - 1", "=", "(a - b)/b"),
    ],
    ids=str,
)
def test_what_is_so_is_accepted(step: Step) -> None:
    check_identities(identities([step], positive=["p"]))


def test_matrices_do_not_commute_and_are_not_divided_by() -> None:
    for step in (Step("J @ K", "=", "K @ J"), Step("J/K", "=", "J/K"), Step("J", ">=", "J", "0")):
        with pytest.raises(Refused):
            check_identities(identities([step], matrices=["J", "K"]))
    check_identities(identities([Step("t*J @ K", "=", "J @ K*t")], matrices=["J", "K"]))


TREES = st.recursive(
    st.one_of(st.sampled_from(["a", "b", "p"]), st.integers(-3, 3)),
    lambda part: st.one_of(
        st.tuples(st.sampled_from(["+", "*", "-", "/"]), part, part).map(list),
        st.tuples(st.just("^"), part, st.integers(0, 3)).map(list),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_random_lines_that_are_accepted_hold_at_random_numbers(left: Any, right: Any) -> None:
    for line in (
        {"left": left, "relation": "=", "right": right},
        {"left": ["+", left, right], "relation": "=", "right": ["+", right, left]},
        {"left": left, "relation": ">=", "right": 0, "excess": left},
        {"left": left, "relation": ">", "right": 0, "excess": left},
    ):
        data = {"kind": "identities", "positive": ["p"], "matrices": [], "lines": [line]}
        if check_certificate(data):
            assert _identities(data)


# --- what the checkers know of activations -------------------------------------------------------


def test_slopes_are_never_steeper_than_said() -> None:
    z = np.concatenate([np.linspace(-30, 30, 200_001), [0.0]])
    for name, bound in STEEPEST.items():
        if name != "linear":
            steepest = float(np.nanmax(np.abs(activation(name).slope(z))))
            assert steepest <= float(bound) <= 1.02 * steepest, name


def test_ranges_are_those_of_the_records() -> None:
    for name, (low, high, reached) in RANGES.items():
        if name == "linear":
            continue
        known = ELEMENTWISE[name].range
        assert (low or "-inf", high or "inf") == (low or "-inf", high or "inf")
        assert float(low or "-inf") == known.low and float(high or "inf") == known.high, name
        for end in (low, high):
            assert not end or (float(end) in known) == reached, name


def test_an_exponential_is_enclosed_tightly() -> None:
    for z in (Fraction(0), Fraction(1, 3), Fraction(5), Fraction(20)):
        low, high = bounds.slope_between("sigmoid", z)
        at = math.exp(-float(z)) / (1 + math.exp(-float(z))) ** 2
        assert low <= high and math.isclose(float(low), at, rel_tol=1e-14)
        assert high - low <= low * Fraction(1, 10**12)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10**6))
def test_a_norm_is_accepted_exactly_from_the_largest_singular_value_on(
    rows: int, columns: int, seed: int
) -> None:
    matrix = np.random.default_rng(seed).integers(-9, 10, (rows, columns)) / 4
    exact = [[Fraction(v) for v in row] for row in matrix]
    norm = float(np.linalg.norm(matrix, 2))
    assert bounds.norm_at_most(exact, Fraction(norm * (1 + 1e-9) + 1e-12))
    if norm:
        assert not bounds.norm_at_most(exact, Fraction(norm * (1 - 1e-9)))


def test_a_chain_that_is_not_the_longest_is_refused() -> None:
    chain = next(each for each in CERTIFICATES if each["kind"] == "longest_chain")
    assert not check_certificate({**chain, "path": chain["path"][1:]})
    assert not check_certificate({**chain, "path": chain["path"][:-1]})
    assert not check_certificate({**chain, "ranks": [r + 1 for r in chain["ranks"]]})


def test_a_long_vector_shows_no_larger_eigenvalue() -> None:
    data = next(each for each in CERTIFICATES if each["kind"] == "largest_eigenvalue")
    longer = [str(10 * Fraction(v)) for v in data["vector"]]
    assert check_certificate({**data, "vector": longer})
    doubled = str(2 * Fraction(data["low"]))
    high = str(3 * Fraction(data["high"]))
    assert not check_certificate({**data, "vector": longer, "low": doubled, "high": high})


# --- certificates of parts -----------------------------------------------------------------------


def test_parts_are_refused_if_one_of_them_is() -> None:
    good, other = CERTIFICATES[0], CERTIFICATES[1]
    bad = {**other, "kind": "longest_chain"}
    assert check_certificate({"kind": "all_of", "parts": [good, other]})
    verdict = check_certificate({"kind": "all_of", "parts": [good, bad]})
    assert not verdict and verdict.reason.startswith("part 2")
    for parts in ([], None, [good] * 100, [{"kind": "all_of", "parts": [good]}]):
        assert not check_certificate({"kind": "all_of", "parts": parts})


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "identities"},
        {"kind": "identities", "positive": [], "matrices": [], "lines": []},
        {"kind": "identities", "positive": [], "matrices": [], "lines": [3]},
        {"kind": "identities", "positive": [], "matrices": [], "lines": [
            {"left": ["^", ["+", "a", "b", "c", "d"], 40], "relation": "=", "right": ["^", [
                "+", "d", "c", "b", "a"], 40]}]},
        {"kind": "longest_chain", "operands": [[0]], "ranks": [0], "path": [0]},
        {"kind": "longest_chain", "operands": [[], [0]], "ranks": [0, 1], "path": [1, 0]},
        {"kind": "gradient_bound", "layers": [], "slopes": [], "norms": [], "factor": "1"},
        {"kind": "largest_eigenvalue", "inputs": [], "outputs": 1, "low": 1, "high": 1,
         "vector": []},
        {"kind": "slope_values", "function": "sigmoid", "values": [["1" * 300, "0", "1"]]},
        {"kind": "variance_chain", "init": None, "inputs": 3, "layers": [["relu", 2]],
         "squares": ["1"]},
        {"kind": "outside_range", "activation": [], "targets": ["1"], "outside": 0,
         "least_error": "0"},
    ],
    ids=lambda data: data["kind"],
)  # fmt: skip
def test_what_is_malformed_is_refused_with_a_reason(data: dict[str, Any]) -> None:
    verdict = check_certificate(data)
    assert not verdict and verdict.reason
