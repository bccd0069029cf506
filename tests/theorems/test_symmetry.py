"""Units that stay equal: planted partitions are found, and training keeps what is proved."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.theorems.dense import DenseLayer, DenseNetwork, Rule, gradients, start, train
from backprove.theorems.partition import equitable_partition, exact_sums
from backprove.theorems.symmetry import quotient, spread, symmetry, twin_classes

RULES = [
    Rule("sgd", 0.05),
    Rule("momentum", 0.01),
    Rule("adam", 0.01),
    Rule("sgd", 0.05, l2=0.01),
    Rule("adam", 0.01, decay=0.01),
]


def planted(seed: int, sizes: list[list[int]], inputs: int = 3) -> DenseNetwork:
    """A network whose hidden layers have classes of these sizes, with sums equal over classes.

    Entries within a block of two classes differ: only their sums over rows and columns agree.
    """
    stream = np.random.default_rng(seed)
    groups = [[1] * inputs, *sizes, [1]]
    layers = []
    for before, after in pairwise(groups):
        blocks = [[_block(stream, a, b) for b in after] for a in before]
        biases = np.repeat(stream.integers(-40, 40, len(after)) / 32, after)
        layers.append(DenseLayer(np.block(blocks), biases, "tanh"))
    return DenseNetwork((*layers[:-1], DenseLayer(layers[-1].weights, layers[-1].biases, "linear")))


def _block(stream: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    block = np.full((rows, columns), stream.integers(-60, 60) / 64)
    if rows > 1 and columns > 1:
        for _ in range(4):
            (i, k), (j, m) = (stream.choice(n, 2, replace=False) for n in (rows, columns))
            step = stream.integers(1, 20) / 64
            block[[i, k], [j, m]] += step
            block[[i, k], [m, j]] -= step
    return block


def is_equitable(network: DenseNetwork, classes: tuple[np.ndarray, ...]) -> bool:
    """The definition, in rationals, without the code under test."""
    known = [np.arange(network.inputs), *classes, np.arange(network.widths[-1])]
    for at in range(1, len(known) - 1):
        layer, after = network.layers[at - 1], network.layers[at]
        for number in set(known[at].tolist()):
            members = np.flatnonzero(known[at] == number)
            signatures = {
                (
                    Fraction(layer.biases[i]),
                    tuple(_sums(layer.weights[:, i], known[at - 1])),
                    tuple(_sums(after.weights[i], known[at + 1])),
                )
                for i in members
            }
            if len(signatures) > 1:
                return False
    return True


def _sums(row: np.ndarray, classes: np.ndarray) -> list[Fraction]:
    return [
        sum((Fraction(v) for v in row[classes == c]), Fraction(0)) for c in sorted(set(classes))
    ]


SIZES = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), SIZES)
def test_a_planted_partition_is_found(seed: int, sizes: list[list[int]]) -> None:
    network = planted(seed, sizes)
    found = equitable_partition(network)
    assert is_equitable(network, found)
    for own, planted_sizes in zip(found, sizes, strict=True):
        expected = np.repeat(np.arange(len(planted_sizes)), planted_sizes)
        # Two planted classes may happen to be equal; a planted class is never split.
        assert all(len(set(own[expected == c].tolist())) == 1 for c in set(expected.tolist()))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), SIZES, st.sampled_from(RULES))
def test_units_of_a_class_stay_equal_while_training(
    seed: int, sizes: list[list[int]], rule: Rule
) -> None:
    network = planted(seed, sizes)
    classes = equitable_partition(network)
    stream = np.random.default_rng(seed)
    x, y = stream.normal(size=(6, 3)), stream.normal(size=(6, 1))
    after = train(network, x, y, steps=60, rule=rule)
    assert spread(after, classes, x) < 1e-9


@pytest.mark.parametrize("rule", [*RULES, Rule("adam", 0.01, l2=0.1), Rule("sgd", 0.05, l1=0.1)])
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
def test_twins_are_equal_to_the_last_bit_after_500_steps(rule: Rule, name: str) -> None:
    network = start(f"{name}(5)+tanh(3)+linear(1)", 3, "normal:0.3", seed=3)
    first, second = network.layers[0], network.layers[1]
    first.weights[:, 4] = first.weights[:, 1]
    second.weights[4] = second.weights[1]
    classes = twin_classes(network)
    assert classes[0].tolist() == [0, 1, 2, 3, 1]
    stream = np.random.default_rng(1)
    x, y = stream.normal(size=(8, 3)), stream.normal(size=(8, 1))
    after = train(network, x, y, steps=500, rule=rule)
    assert (after.layers[0].weights[:, 4] == after.layers[0].weights[:, 1]).all()
    assert (after.layers[1].weights[4] == after.layers[1].weights[1]).all()
    assert spread(after, classes, x) == 0


@pytest.mark.parametrize("rule", [Rule("adam", 0.01, l2=0.1), Rule("sgd", 0.05, l1=0.1)])
def test_what_breaks_sums_over_classes_is_not_claimed(rule: Rule) -> None:
    network = planted(5, [[3], [3]])
    assert [own.max() for own in equitable_partition(network)] == [0, 0]
    found = symmetry(network, rule=rule, steps=300, data=(np.eye(3), np.ones((3, 1))))
    assert found.facts["stays_equal"].value is False
    assert found.facts["stays_equal"].level == "measured"
    assert [c.holds for c in found.conditions].count(False) == 1


@pytest.mark.parametrize("rule", [Rule("sgd", 0.1, dropout=0.5), Rule("sgd", 0.1, noise=0.1)])
def test_masks_and_noise_break_even_twins(rule: Rule) -> None:
    found = symmetry("tanh(4)+linear(1)", init="constant:0.5", rule=rule, steps=300)
    assert found.facts["stays_equal"].value is False
    assert found.certificate is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), SIZES)
def test_the_quotient_computes_the_same(seed: int, sizes: list[list[int]]) -> None:
    network = planted(seed, sizes)
    x = np.random.default_rng(seed).normal(size=(4, 3))
    small = quotient(network, equitable_partition(network))
    np.testing.assert_allclose(small.predict(x), network.predict(x), atol=1e-9)


def test_sums_that_only_floats_take_for_equal_are_told_apart() -> None:
    tiny = 2.0**-60
    weights = np.array([[1.0, 1.0], [tiny, 0.0], [-1.0, -1.0]])
    network = DenseNetwork(
        (
            DenseLayer(np.ones((1, 3)), np.zeros(3), "tanh"),
            DenseLayer(weights, np.zeros(2), "tanh"),
            DenseLayer(np.ones((2, 1)), np.zeros(1), "linear"),
        )
    )
    assert equitable_partition(network)[1].tolist() == [0, 1]
    assert exact_sums(weights[:, 0], np.zeros(3, np.int64)) == (Fraction(tiny),)


def test_equal_sums_of_different_weights_are_one_class() -> None:
    weights = np.array([[0.25, 0.75], [0.75, 0.25]])
    network = DenseNetwork(
        (
            DenseLayer(np.ones((1, 2)), np.zeros(2), "relu"),
            DenseLayer(weights, np.zeros(2), "relu"),
            DenseLayer(np.ones((2, 1)), np.zeros(1), "linear"),
        )
    )
    assert [own.tolist() for own in equitable_partition(network)] == [[0, 0], [0, 0]]
    assert [own.tolist() for own in twin_classes(network)] == [[0, 1], [0, 1]]


def test_different_constants_in_layers_do_not_matter() -> None:
    found = symmetry("tanh(3)+tanh(4)+linear(1)", init="constant:0.5", steps=20)
    assert found.facts["layers_break_it"].value is False
    assert found.facts["effective_width"].value == [1, 1]


def test_a_random_last_layer_over_equal_units_breaks_the_tie() -> None:
    network = start("tanh(4)+linear(1)", 2, "constant:0.5")
    network.layers[1].weights[:] = [[0.1], [0.2], [0.3], [0.4]]
    assert symmetry(network, steps=50).facts["stays_equal"].value is False


def test_a_constant_last_layer_over_random_units_is_no_symmetry() -> None:
    network = start("tanh(4)+linear(1)", 2, "normal:1")
    network.layers[1].weights[:] = 0.5
    assert symmetry(network, steps=50).facts["stays_equal"].value is False


@pytest.mark.parametrize("c", [0.5, -0.3])
def test_squares_learn_xor_from_equal_units(c: float) -> None:
    rule = Rule(lr=0.1)
    found = symmetry("square(2)+linear(1)", init=f"constant:{c}", bias=c, rule=rule, steps=2000)
    assert found.facts["all_equal"].value is True
    assert (found.facts["learns_xor"].value, found.facts["learns_xor"].level) == (True, "measured")


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "elu", "softplus"])
def test_monotone_units_that_stay_equal_cannot_learn_xor(name: str) -> None:
    found = symmetry(f"{name}(2)+linear(1)", init="constant:0.5", steps=400)
    assert (found.facts["learns_xor"].value, found.facts["learns_xor"].level) == (False, "proved")


def test_nothing_is_said_of_xor_for_other_activations_without_a_run() -> None:
    found = symmetry("gelu(2)+linear(1)", init="constant:0.5", steps=0)
    assert "learns_xor" not in found.facts


def test_gradients_of_a_class_are_constant_on_blocks() -> None:
    network = planted(7, [[2, 2], [3]])
    x = np.random.default_rng(0).normal(size=(4, 3))
    weights = gradients(network, x, np.ones((4, 1)))[1][0]
    np.testing.assert_allclose(weights[:2], weights[0, 0], atol=1e-12)
