"""Certificates about networks: those that are given hold, and no broken one is accepted."""

from __future__ import annotations

import ast
import copy
import os
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprove.functions import ELEMENTWISE
from backprove.theorems import network_certificates as checker
from backprove.theorems.dense import DenseNetwork, activation, start
from backprove.theorems.depth import collapse
from backprove.theorems.dropout import dropout
from backprove.theorems.gradient_support import gradient_support
from backprove.theorems.network_certificates import (
    NETWORK_KINDS,
    Refused,
    check_network_certificate,
)
from backprove.theorems.symmetry import XOR, symmetry
from theorems.test_symmetry import planted


def certificates() -> list[dict[str, Any]]:
    found = [
        symmetry("tanh(3)+relu(2)+linear(1)", init="constant:0.5", steps=0).certificate,
        symmetry(planted(3, [[2, 1], [2]]), steps=0).certificate,
        gradient_support("relu(2)+tanh(2)+linear(1)", steps=0).certificate,
        gradient_support(start("relu(2)+linear(1)", 2, "zeros", bias=-1.0), steps=0).certificate,
        collapse("linear(3)+linear(1)", inputs=2).certificate,
        dropout(masks=0).certificate,
        gradient_support(dead_units(), data=XOR, steps=0).certificate,
    ]
    parts = [part for each in found if each for part in each.get("parts", [each])]
    return [dict(part) for part in parts if part["kind"] in NETWORK_KINDS]


def dead_units() -> DenseNetwork:
    """A network of which two units are off for all examples of XOR, and only for them."""
    network = start("relu(3)+tanh(2)+linear(1)", 2, "normal:1", seed=4)
    network.layers[0].biases[:] = [-9.0, 0.3, -8.0]
    return network


MUTATIONS = int(os.environ.get("BACKPROVE_MUTATIONS", "1000"))
"""Broken certificates that are tried; 10,000 before a change is accepted."""

CERTIFICATES = certificates()
KNOWN = {"linear", *ELEMENTWISE}


def accepted(data: Any) -> bool:
    try:
        check_network_certificate(data)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("data", CERTIFICATES, ids=lambda data: data["kind"])
def test_what_the_theorems_give_is_accepted(data: dict[str, Any]) -> None:
    check_network_certificate(data)


def test_it_imports_nothing_of_the_package() -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [n.name for n in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.startswith(("backprove", "numpy", "scipy"))]


def test_what_it_knows_of_activations_is_what_the_records_say() -> None:
    zero = np.zeros(1)
    for name, record in ELEMENTWISE.items():
        if record.arity == 1 and 0.0 in record.domain:
            act = activation(name)
            assert (float(act.value(zero)[0]) == 0) == (name in checker.ZERO_AT_ZERO), name
            if name != "sqrt":
                assert (float(act.slope(zero)[0]) == 0) == (name in checker.FLAT_AT_ZERO), name


def test_a_unit_that_is_off_for_the_examples_may_move_for_others() -> None:
    (data,) = [each for each in CERTIFICATES if "examples" in each]
    assert accepted(data)
    assert not accepted({key: value for key, value in data.items() if key != "examples"})
    assert not accepted({**data, "examples": [*data["examples"], ["100", "-100"]]})
    assert not accepted({**data, "examples": []})


def mutated(data: dict[str, Any], stream: random.Random) -> dict[str, Any]:
    """A copy with one leaf, list or field changed."""
    found = copy.deepcopy(data)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in list(items):
            places.append((value, key))
            if isinstance(each, (dict, list)):
                walk(each)

    walk(found)
    holder, key = stream.choice(places)
    value = holder[key]
    options: list[Any] = ["1/3", "-2", 7, -1, None, [], {}, True, "1/0", "9" * 900, 0.5, "tanh"]
    if isinstance(value, str):
        options += [value + "1", "-" + value.lstrip("-"), "0"]
    elif isinstance(value, int):
        options += [1 - value, value + 1]
    elif isinstance(value, list):
        options += [value[:-1], value + value[:1], value[::-1]]
    holder[key] = stream.choice(options)
    return found


def still_true(data: dict[str, Any]) -> bool:
    """An independent, slow check in floats of the claims that can be run."""
    layers = [
        (
            np.array([[float(_fraction(v)) for v in row] for row in layer["weights"]]),
            np.array([float(_fraction(v)) for v in layer["biases"]]),
            # The theorem on equal units holds for any activation, also one that has no name.
            layer["activation"] if layer["activation"] in KNOWN else "tanh",
        )
        for layer in data["layers"]
    ]
    stream = np.random.default_rng(0)
    x = stream.normal(size=(6, layers[0][0].shape[0]))
    if "examples" in data:
        x = np.array([[float(_fraction(v)) for v in row] for row in data["examples"]])
    y = stream.normal(size=(len(x), layers[-1][0].shape[1]))
    hidden, z = [x], []
    for weights, biases, name in layers:
        z.append(hidden[-1] @ weights + biases)
        hidden.append(activation(name).value(z[-1]))
    if data["kind"] == "affine_map":
        weights = np.array([[float(_fraction(v)) for v in row] for row in data["weights"]])
        biases = np.array([float(_fraction(v)) for v in data["biases"]])
        return bool(np.allclose(x @ weights + biases, hidden[-1]))
    delta = (hidden[-1] - y) * activation(layers[-1][2]).slope(z[-1])
    deltas = [delta]
    for at in reversed(range(len(layers) - 1)):
        delta = activation(layers[at][2]).slope(z[at]) * (delta @ layers[at + 1][0].T)
        deltas.insert(0, delta)
    if data["kind"] == "frozen_parameters":
        for at in range(len(layers)):
            gradient, bias = hidden[at].T @ deltas[at], deltas[at].sum(axis=0)
            if (gradient != 0)[np.array(data["weights"][at], bool)].any():
                return False
            if (bias != 0)[np.array(data["biases"][at], bool)].any():
                return False
        return True
    for at, own in enumerate(data["classes"], 1):
        for number in set(own):
            members = [i for i, c in enumerate(own) if c == number]
            for array in (hidden[at], deltas[at - 1]):
                if not np.allclose(array[:, members], array[:, members[:1]], atol=1e-12):
                    return False
    return True


def _fraction(value: Any) -> Fraction:
    return Fraction(value)


def test_of_many_broken_certificates_none_is_accepted_that_does_not_hold() -> None:
    stream = random.Random(0)
    survivors = 0
    for number in range(MUTATIONS):
        data = mutated(CERTIFICATES[number % len(CERTIFICATES)], stream)
        if not accepted(data):
            continue
        survivors += 1
        if data["kind"] != "mask_average":
            assert still_true(data), data
    assert survivors < 0.15 * MUTATIONS, "most changes break a certificate"


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "affine_map"},
        {"kind": "affine_map", "layers": [], "weights": [], "biases": []},
        {"kind": "equitable_partition", "twins": False, "layers": [1], "classes": []},
        {"kind": "frozen_parameters", "layers": {}, "weights": 3, "biases": None},
        {"kind": "mask_average", "h": ["1"] * 40, "w": ["1"] * 40, "p": "1/2", "average": "1",
         "scaled": "1"},
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(data: dict[str, Any]) -> None:
    assert not accepted(data)
