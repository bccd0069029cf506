"""Pictures of the plane show what the network computes, and where a proof meets."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from backprove.results import Plane
from backprove.theorems import represent
from backprove.theorems.given_weights import given_weights
from backprove.theorems.plane_picture import plane_of

SHAPES = {
    "relu": lambda z: max(z, 0),
    "abs": abs,
    "threshold": lambda z: int(z > 0),
    "linear": lambda z: z,
}
XOR = {"points": [["0", "0"], ["0", "1"], ["1", "0"], ["1", "1"]], "targets": list("0110")}


def output(problem: dict[str, Any], weights: dict[str, Any], x: tuple[float, float]) -> float:
    network = problem["network"]
    h: list[float] = list(x)
    if network["hidden"]:
        shape = SHAPES[network["hidden"][0]]
        h = [
            shape(sum(float(Fraction(w)) * v for w, v in zip(row, x, strict=True)) + float(b))
            for row, b in weights["hidden"]
        ]
    last, constant = weights["output"]
    z = sum(float(Fraction(w)) * v for w, v in zip(last, h, strict=True)) + float(constant)
    if "skip" in weights:
        z += sum(float(Fraction(w)) * v for w, v in zip(weights["skip"], x, strict=True))
    return SHAPES[network["output"]](z)


def shaded(plane: Plane, x: tuple[float, float]) -> bool:
    def within(region: Any) -> bool:
        corners = [*region, region[0]]
        turns = [
            (b[0] - a[0]) * (x[1] - a[1]) - (b[1] - a[1]) * (x[0] - a[0])
            for a, b in pairwise(corners)
        ]
        return all(t >= 0 for t in turns) or all(t <= 0 for t in turns)

    return any(within(region) for region in plane.regions)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("last", ["linear", "relu", "threshold", "abs"])
@pytest.mark.parametrize("hidden", ["relu", "abs", "threshold", "linear", None])
def test_what_is_shaded_is_where_the_output_is_high(
    hidden: str | None, last: str, skip: bool
) -> None:
    stream = random.Random(3)
    for _ in range(12):
        units = stream.randint(1, 3)
        skipped = skip and hidden is not None
        network = {"hidden": hidden and [hidden, units], "output": last}
        problem = {**XOR, "by": "exact", "network": {**network, "bias": True, "skip": skipped}}

        def numbers(count: int) -> list[str]:
            return [str(Fraction(stream.randint(-4, 4), 2)) for _ in range(count)]

        weights: dict[str, Any] = {"output": [numbers(units if hidden else 2), "1"]}
        if hidden:
            biases = [stream.randint(-1, 1) for _ in range(units)]
            weights["hidden"] = [[numbers(2), str(b)] for b in biases]
        if skipped:
            weights["skip"] = numbers(2)
        plane = plane_of(problem, weights)
        assert plane is not None
        for _ in range(150):
            x = stream.uniform(-0.49, 1.49), stream.uniform(-0.49, 1.49)
            value = output(problem, weights, x)
            near = [output(problem, weights, (x[0] + d, x[1] + e)) for d in (-1e-6, 1e-6)
                    for e in (-1e-6, 1e-6)]  # fmt: skip
            if len({v > 0.5 for v in [value, *near]}) == 1:
                assert shaded(plane, x) == (value > 0.5), (weights, x)


def test_the_picture_of_the_solved_problem() -> None:
    weights = {"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [1, -2], "b2": 0}
    found = given_weights("xor", "relu(2)+linear(1)", weights)
    (plane,) = [block for block in found.blocks() if isinstance(block, Plane)]
    assert [line.name for line in plane.lines] == ["unit 1: x1 + x2 = 0", "unit 2: x1 + x2 - 1 = 0"]
    assert [mark.kind for mark in plane.marks] == ["open", "closed", "closed", "open"]
    assert shaded(plane, (0.5, 0.5)) and not shaded(plane, (1.0, 1.0))


@pytest.mark.parametrize("network", ["relu(1)", "threshold(1)", "linear(1)"])
def test_a_proof_for_one_unit_shows_where_high_and_low_points_meet(network: str) -> None:
    plane = represent("xor", network=network).picture
    assert plane is not None
    assert [mark.at for mark in plane.marks if mark.kind == "cross"] == [(0.5, 0.5)]
    assert {line.name for line in plane.lines} == {"between high points", "between low points"}


def test_a_point_inside_others_meets_their_average() -> None:
    found = represent([[0, 0], [4, 0], [0, 4], [1, 1]], [0, 0, 0, 1], "threshold(1)")
    assert found.possible is False and found.picture is not None
    assert [m.at for m in found.picture.marks if m.kind == "cross"] == [(1.0, 1.0)]


def test_no_meeting_is_drawn_where_the_proof_is_another() -> None:
    for asked in ({"network": "threshold(1)", "bias": False}, {"network": "relu(1)+linear(1)"}):
        plane = represent("xor", **asked).picture
        assert plane is not None and not plane.lines
    assert represent("parity3", network="relu(1)").picture is None
    assert represent([[0], [1], [2]], [0, 1, 0], "relu(1)").picture is None


def test_a_single_place_and_a_long_strip_are_drawn() -> None:
    for points in ([[2, 3], [2, 3]], [[0, 0], [1000, 1]]):
        plane = represent(points, [1, 1], "relu(1)").picture
        assert plane is not None and plane.marks


def test_a_curved_region_is_not_shaded() -> None:
    plane = represent("xor", network="square(1)+linear(1)").picture
    assert plane is not None and plane.lines and not plane.regions
