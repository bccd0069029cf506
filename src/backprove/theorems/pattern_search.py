"""Weights that give all targets, or a tree of contradictions that no weights do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, islice, product
from math import gcd, lcm
from time import monotonic
from typing import Any

import numpy as np

from backprove.theorems.certificates import check_certificate, lines_of
from backprove.theorems.exact_programs import Solution, contradiction, solution, solve

Problem = dict[str, Any]
_CHUNK, _MAX_COMBINATIONS, _MAX_COLUMNS = 4096, 200_000, 200


class Exhausted(Exception):
    """A budget ran out before the question was decided."""


@dataclass
class Search:
    """One search with its budget.

    Args:
        problem: what to represent, as in a certificate.
        max_cases: the most cases it looks at.
        seconds: the longest it takes, about.
    """

    problem: Problem
    max_cases: int
    seconds: float

    def __post_init__(self) -> None:
        self.cases = 0
        self._end = monotonic() + self.seconds
        hidden = self.problem["network"]["hidden"]
        self.hidden, self.units = hidden or ("", 0)

    def certificate(self) -> dict[str, Any] | None:
        """A certificate of weights or of impossibility; None where arithmetic left it open.

        Raises:
            Exhausted: a budget ran out.
        """
        for weights in self._small():
            found = self._accepted(weights)
            if found:
                return found
        signs = self.units + 1 if self.hidden in ("relu", "abs") else 1
        cases = []
        for negative in range(signs):
            tree = self._grow(negative, {})
            if tree is None or "problem" in tree:
                return tree
            cases.append(tree)
        proof = {"kind": "impossible", "problem": self.problem, "cases": cases}
        return proof if check_certificate(proof, self.problem) else None

    def _accepted(self, weights: dict[str, Any]) -> dict[str, Any] | None:
        found = {"kind": "weights", "problem": self.problem, "weights": weights}
        return found if check_certificate(found, self.problem) else None

    def _grow(self, negative: int, sides: dict[tuple[int, int], bool]) -> dict[str, Any] | None:
        """A tree of contradictions, or a certificate of weights, or None."""
        self.cases += 1
        if self.cases > self.max_cases:
            raise Exhausted(f"{self.max_cases} cases")
        if monotonic() > self._end:
            raise Exhausted(f"{self.seconds:g} seconds")
        lines = lines_of(self.problem, negative, sides)
        multipliers = contradiction(lines)
        if multipliers is not None:
            return {"multipliers": {name: str(value) for name, value in multipliers.items()}}
        values = solution(lines)
        if values is not None:
            found = self._accepted(self._weights(values, negative))
            if found:
                return found
        place = self._undecided(values or {}, sides)
        if place is None:
            return None
        branches: dict[str, Any] = {}
        for name, side in (("active", True), ("inactive", False)):
            branch = self._grow(negative, {**sides, place: side})
            if branch is None or "problem" in branch:
                return branch
            branches[name] = branch
        return {"split": list(place), **branches}

    def _undecided(
        self, values: Solution, sides: dict[tuple[int, int], bool]
    ) -> tuple[int, int] | None:
        """Where the lines say least about what a unit does."""
        points = range(len(self.problem["points"]))
        units = range(self.units if self.hidden in ("relu", "abs", "threshold") else 0)
        places = [(i, j) for i in points for j in units if (i, j) not in sides]
        if self.problem["network"]["output"] == "abs":
            places += [(i, self.units) for i in points if (i, self.units) not in sides]
        if not places:
            return None
        if self.hidden not in ("relu", "abs"):
            return places[0]
        return max(places, key=lambda place: self._gap(values, *place))

    def _gap(self, values: Solution, i: int, j: int) -> Fraction:
        z = self._argument(values, i, j)
        h = abs(z) if self.hidden == "abs" else max(z, Fraction(0))
        return abs(values.get(("h", i, j), Fraction(0)) - h)

    def _argument(self, values: Solution, i: int, j: int) -> Fraction:
        point = [Fraction(x) for x in self.problem["points"][i]]
        z = sum(
            (values.get(("w", j, n), Fraction(0)) * x for n, x in enumerate(point)), Fraction(0)
        )
        return z + values.get(("b", j), Fraction(0))

    def _weights(self, values: Solution, negative: int) -> dict[str, Any]:
        inputs = range(len(self.problem["points"][0]))

        def at(*key: Any) -> Fraction:
            return values.get(key, Fraction(0))

        affine = [str(at("v", n)) for n in inputs]
        constant = values.get("c", Fraction(0))
        network = self.problem["network"]
        if network["output"] == "tanh" and not network["bias"]:
            return self._halved(affine)
        if not self.units:
            return {"output": [affine, str(constant)]}
        units: list[Any] = []
        last: list[str] = []
        for j in range(self.units):
            row, bias = [at("w", j, n) for n in inputs], at("b", j)
            factor = Fraction(-1 if j < negative else 1)
            if self.hidden in ("relu", "abs"):
                size = _common(*row, bias)
                row, bias, factor = [w / size for w in row], bias / size, factor * size
            elif self.hidden == "threshold":
                factor = at("u", j)
            else:
                row, bias = [at("v", n) if j == 0 else Fraction(0) for n in inputs], Fraction(0)
            units.append([[str(w) for w in row], str(bias)])
            last.append(str(factor))
        weights: dict[str, Any] = {"hidden": units, "output": [last, str(constant)]}
        if network["skip"]:
            zeros = ["0"] * len(affine)
            weights["skip"] = zeros if self.hidden == "linear" else affine
        return weights

    def _halved(self, affine: list[str]) -> dict[str, Any]:
        return {"output": [[str(Fraction(v) / 2) for v in affine], "0"]}

    def _small(self) -> Iterator[dict[str, Any]]:
        """Weights with hidden units of small whole numbers, the plainest first."""
        network = self.problem["network"]
        if self.hidden not in ("relu", "abs", "threshold", "square") or network["skip"]:
            return
        if network["output"] != "linear" or self.problem["by"] != "exact":
            return
        units, columns = self._small_units()
        targets = [Fraction(t) for t in self.problem["targets"]]
        right = np.array([float(t) for t in targets])
        ones = np.ones((len(targets), 1 if network["bias"] else 0))
        for size in range(min(self.units, len(units)) + 1):
            choices = islice(combinations(range(len(units)), size), _MAX_COMBINATIONS)
            while chunk := list(islice(choices, _CHUNK)):
                if monotonic() > self._end:
                    return
                chosen = np.array(chunk, int).reshape(len(chunk), size)
                stacked = np.moveaxis(columns[:, chosen], 1, 0)
                matrix = np.concatenate(
                    [stacked, np.broadcast_to(ones, (len(chunk), *ones.shape))], 2
                )
                if not matrix.shape[2]:
                    continue
                best = np.linalg.pinv(matrix) @ right
                off = np.abs(np.einsum("cij,cj->ci", matrix, best) - right).max(axis=1)
                for row in np.flatnonzero(off < 1e-7):
                    exact = [[Fraction(int(v)) for v in line] for line in matrix[row]]
                    values = solve(exact, targets)
                    if values is not None:
                        yield self._padded([units[n] for n in chunk[row]], values)

    def _padded(self, units: list[tuple[int, ...]], values: list[Fraction]) -> dict[str, Any]:
        inputs = len(self.problem["points"][0])
        missing = self.units - len(units)
        hidden = [[list(unit[:-1]), unit[-1]] for unit in units]
        hidden += [[[0] * inputs, 0]] * missing
        last = [str(v) for v in values[: len(units)]] + ["0"] * missing
        constant = str(values[-1]) if self.problem["network"]["bias"] else "0"
        return {"hidden": hidden, "output": [last, constant]}

    def _small_units(self) -> tuple[list[tuple[int, ...]], np.ndarray]:
        points = [[Fraction(x) for x in point] for point in self.problem["points"]]
        inputs = len(points[0])
        if inputs > 4 or any(x.denominator > 1 or abs(x) > 1000 for p in points for x in p):
            return [], np.zeros((len(points), 0))
        array = np.array([[int(x) for x in point] for point in points])
        biases = range(-inputs, inputs + 1) if self.problem["network"]["bias"] else (0,)
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        every = [(*w, b) for w in product((-1, 0, 1), repeat=inputs) for b in biases if any(w)]
        every.sort(key=lambda u: (sum(x < 0 for x in u[:-1]), sum(map(abs, u)), u[-1] > 0))
        for unit in every:
            z = array @ np.array(unit[:-1]) + unit[-1]
            shapes = {"relu": np.maximum(z, 0), "abs": abs(z), "square": z * z}
            h = shapes.get(self.hidden, (z > 0).astype(int))
            if len(set(h.tolist())) > 1 or not self.problem["network"]["bias"]:
                known.setdefault(tuple(h.tolist()), unit)
        chosen = list(known.items())[:_MAX_COLUMNS]
        columns = np.array([h for h, _ in chosen], float).reshape(len(chosen), len(points)).T
        return [unit for _, unit in chosen], columns


def _common(*values: Fraction) -> Fraction:
    """The largest number that divides all values a whole number of times; 1 if all are zero."""
    bottom = lcm(*(value.denominator for value in values))
    top = gcd(*(int(value * bottom) for value in values))
    return Fraction(top, bottom) if top else Fraction(1)
