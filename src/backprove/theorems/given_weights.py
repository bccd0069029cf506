"""Weights that somebody gives for a small network, evaluated exactly on every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backprove.errors import SetupError
from backprove.results import Block, Evidence, Heading, Result, Table, Text
from backprove.theorems.certificates import check_certificate
from backprove.theorems.network_text import read_layers
from backprove.theorems.plane_picture import plane_of
from backprove.theorems.theorem import Fact
from backprove.theorems.truth_tables import read_problem

_EXACT = ("relu", "abs", "square", "threshold", "linear")


@dataclass
class GivenWeights(Result):
    """What a network with given weights computes.

    Args:
        subject: the table and the network.
        fits: whether every target is met.
        rows: for each point its inputs, arguments and activations of the hidden layer, the output
            and the target, all exact.
        certificate: data that :mod:`backprove.theorems.certificates` re-checks.
    """

    subject: str
    fits: bool
    rows: list[tuple[list[Fraction], list[Fraction], list[Fraction], Fraction, Fraction]]
    certificate: dict[str, Any]

    @property
    def facts(self) -> dict[str, Fact]:
        """``fits``, and the columns ``z``, ``h`` and ``y`` of the table."""
        columns = {
            "z": ([row[1] for row in self.rows], "arguments of the hidden units"),
            "h": ([row[2] for row in self.rows], "activations of the hidden units"),
            "y": ([row[3] for row in self.rows], "outputs"),
        }
        facts = {
            name: Fact(value, "proved", text)  # type: ignore[arg-type]
            for name, (value, text) in columns.items()
        }
        return {"fits": Fact(self.fits, "proved", "every target is met"), **facts}

    def blocks(self) -> list[Block]:
        said = "meet every target" if self.fits else "miss a target"
        rows = [[_tuple(x), _tuple(z), _tuple(h), str(y), str(t)] for x, z, h, y, t in self.rows]
        picture = plane_of(self.certificate["problem"], self.certificate["weights"])
        return [
            Heading(self.subject),
            Evidence("proved", f"These weights {said}; all numbers are exact."),
            Table(["x", "z", "h", "output", "target"], rows, "Layer by layer"),
            Text("Rows of W1 belong to units: z = W1 x + b1."),
            *([picture] if picture else []),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "given_weights",
            "subject": self.subject,
            "fits": self.fits,
            "rows": [
                {"x": _texts(x), "z": _texts(z), "h": _texts(h), "y": str(y), "target": str(t)}
                for x, z, h, y, t in self.rows
            ],
            "certificate": self.certificate,
        }


def given_weights(table: str, network: str, weights: Mapping[str, Any]) -> GivenWeights:
    """What a network with one hidden layer and these weights computes, exactly.

    Args:
        table: a truth table, or a CSV file.
        network: such as ``relu(2)+linear(1)``; both activations take rationals to rationals.
        weights: ``W1`` (units, inputs), ``b1`` (units,), ``W2`` (units,) and ``b2``; biases are 0
            where they are left out.

    Raises:
        SetupError: a shape does not fit, or an activation leaves the rationals.

    >>> W = {"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [1, -2], "b2": 0}
    >>> given_weights("xor", "relu(2)+linear(1)", W).fits
    True
    """
    points, targets = read_problem(table)
    layers = read_layers(network)
    if len(layers) != 2 or any(name not in _EXACT for name, _ in layers):
        raise SetupError(
            f"{network} cannot be evaluated exactly; expected one hidden layer of "
            f"{', '.join(_EXACT)} units"
        )
    (hidden, units), (output, _) = layers
    w1 = _matrix(weights.get("W1"), units, len(points[0]))
    b1 = _vector(weights.get("b1", [0] * units), units, "b1")
    w2 = _vector(weights.get("W2"), units, "W2")
    b2 = _vector([weights.get("b2", 0)], 1, "b2")[0]
    unknown = set(weights) - {"W1", "b1", "W2", "b2"}
    if unknown:
        raise SetupError(f"'{min(unknown)}' is none of W1, b1, W2, b2")
    rows = []
    for point, target in zip(points, targets, strict=True):
        x = [Fraction(value) for value in point]
        z = [_dot(row, x) + b for row, b in zip(w1, b1, strict=True)]
        h = [_applied(hidden, value) for value in z]
        rows.append((x, z, h, _applied(output, _dot(w2, h) + b2), Fraction(target)))
    certificate = {
        "kind": "weights",
        "problem": {
            "points": [_texts(row[0]) for row in rows],
            "targets": [str(row[4]) for row in rows],
            "network": {"hidden": [hidden, units], "output": output, "bias": True, "skip": False},
            "by": "exact",
        },
        "weights": {
            "hidden": [[_texts(row), str(b)] for row, b in zip(w1, b1, strict=True)],
            "output": [_texts(w2), str(b2)],
        },
    }
    fits = all(row[3] == row[4] for row in rows)
    assert fits == check_certificate(certificate).valid, "table and certificate disagree"
    return GivenWeights(f"{table} with {network} and given weights", fits, rows, certificate)


def _vector(value: Any, length: int, name: str) -> list[Fraction]:
    if (
        not isinstance(value, list)
        or len(value) != length
        or any(isinstance(v, list) for v in value)
    ):
        raise SetupError(f"{name} has to be {length} numbers")
    return [Fraction(each) for each in value]


def _matrix(value: Any, rows: int, columns: int) -> list[list[Fraction]]:
    if not isinstance(value, list) or len(value) != rows:
        raise SetupError(f"W1 has to be {rows} rows of {columns} numbers")
    return [_vector(row, columns, "a row of W1") for row in value]


def _dot(left: list[Fraction], right: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _applied(name: str, z: Fraction) -> Fraction:
    values = {
        "relu": max(z, Fraction(0)),
        "abs": abs(z),
        "square": z * z,
        "threshold": Fraction(z > 0),
        "linear": z,
    }
    return values[name]


def _texts(values: list[Fraction]) -> list[str]:
    return [str(value) for value in values]


def _tuple(values: list[Fraction]) -> str:
    return f"({', '.join(map(str, values))})"
