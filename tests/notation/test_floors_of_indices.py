"""Sizes and indices with floors: what is proved about them holds at every position."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backprove.notation import building as b
from backprove.notation import declare
from backprove.notation.axes import Axis, Index, Size, floor_divide
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array, Expr
from backprove.notation.index_reader import read_index_formula

N, M = Size.named("n"), Size.named("m")
SIZES = [{"n": n, "m": m} for n, m in [(1, 1), (1, 3), (2, 3), (4, 2), (5, 3)]]


@pytest.mark.parametrize("divisor", [2, 3, 6])
def test_the_quotient_of_a_size_is_exact(divisor: int) -> None:
    rng = random.Random(divisor)
    for _ in range(200):
        size = rng.randint(-4, 4) * N + rng.randint(-3, 3) * M + rng.randint(-7, 9)
        half = size.floor_divide(2)
        for sizes in SIZES:
            assert size.floor_divide(divisor).at(sizes) == size.at(sizes) // divisor
            nested = (half + 1).floor_divide(divisor).at(sizes)
            assert nested == (size.at(sizes) // 2 + 1) // divisor


def test_sizes_that_are_equal_for_all_values_are_one_size() -> None:
    assert Size.of(9).floor_divide(2) == 4
    assert (2 * N + 1).floor_divide(2) == N
    assert (N - 1).floor_divide(2) + 1 == (N + 1).floor_divide(2)


def random_index(rng: random.Random, axes: list[Axis]) -> Index:
    """Sums of axes, their quotients and remainders by constants and named sizes."""
    total = Index.of(rng.choice([0, 0, 1, -2, N]))
    for axis in axes:
        inner = Index.of(axis) * rng.choice([1, 2, M]) + rng.choice([0, 1, N])
        divisor = rng.choice([Size.of(2), Size.of(3), N, M, 2 * N])
        quotient = floor_divide(inner, divisor)
        part = rng.choice([inner, quotient, inner - quotient * divisor, -quotient])
        total = total + part * rng.choice([0, 1, 1, -1, 2])
    return total


def test_no_position_leaves_the_bounds_of_its_index() -> None:
    rng = random.Random(1)
    bounded = 0
    for _ in range(1500):
        axes = [Axis(rng.choice([N, M, 2 * N, N * M, Size.of(3), N + 1])) for _ in range(2)]
        index = random_index(rng, axes)
        bounds = index.bounds()
        bounded += bounds is not None and index.weight > 0
        for sizes in SIZES if bounds else []:
            positions = Evaluator({}, sizes).index(index)[1]
            assert bounds and bounds[0].at(sizes) <= positions.min(), (index, bounds, sizes)
            assert positions.max() <= bounds[1].at(sizes), (index, bounds, sizes)
    assert bounded > 300


def drawn_condition(rng: random.Random, axes: list[Axis]) -> tuple[str, Index]:
    """A condition as reshapes, Kronecker products and slices with steps make them."""
    first, second, third = rng.sample(axes, 3)
    d = rng.choice([2, 3])
    quotient = floor_divide(Index.of(first), Size.of(d))
    return rng.choice(
        [
            ("==", quotient - second),
            ("==", Index.of(first) - quotient * d - second),
            ("==", Index.of(first) - Index.of(second) * d - third),
            ("==", quotient - floor_divide(Index.of(second), Size.of(d))),
            ("==", Index.of(first) - second - rng.choice([0, 1, -2])),
            ("==", Index.of(first) - Index.of(second) * d),
            ("<=", quotient - second),
            ("<=", Index.of(first) - second + rng.choice([0, 1])),
        ]
    )


def in_full(
    conditions: list[tuple[str, Index]], value: Expr, arrays: dict, axes: list[Axis]
) -> np.ndarray:
    """The product over all axes, without any of the rules for conditions."""
    evaluator = Evaluator(arrays, {})
    total = evaluator.dense(value, axes)
    for relation, index in conditions:
        own, positions = evaluator.index(index)
        truth = (positions == 0) if relation == "==" else (positions <= 0)
        shape = [(a.size.constant or 0) if a in own else 1 for a in axes]
        order = [own.index(a) for a in axes if a in own]
        total = total * truth.transpose(order).reshape(shape)
    return total


def test_sums_and_products_of_conditions_equal_those_over_every_position() -> None:
    rng = random.Random(7)
    nonzero = 0
    for case in range(700):
        axes = [Axis(Size.of(rng.choice([2, 3, 4, 6]))) for _ in range(4)]
        conditions = [drawn_condition(rng, axes) for _ in range(rng.randint(1, 4))]
        array = Array("X", tuple(a.size for a in axes))
        values = np.random.default_rng(case).normal(size=[a.size.constant or 0 for a in axes])
        value = b.ref(array, *axes)
        product = b.mul(*(b.bracket(r, i) for r, i in conditions), value)
        summed = rng.sample(axes, rng.randint(0, 3))
        kept = [a for a in axes if a not in summed]
        found = Evaluator({array: values}, {}).dense(b.total(summed, product), kept)
        full = in_full(conditions, value, {array: values}, axes)
        expected = full.sum(axis=tuple(axes.index(a) for a in summed))
        assert np.allclose(found, expected), (case, conditions, summed)
        nonzero += bool(expected.any())
    assert nonzero > 300


def test_flattening_twice_and_back_leaves_no_floors() -> None:
    row, column = Axis(N), Axis(M)
    flat = Axis(N * M)
    X = Array("X", (N, M))
    quotient = floor_divide(Index.of(flat), M)
    square = b.power(b.ref(X, quotient, Index.of(flat) - quotient * M), 2)
    assert b.total([flat], square) is b.total([row, column], b.power(b.ref(X, row, column), 2))


def test_an_index_with_a_floor_is_not_refused_for_bounds_that_it_does_not_reach() -> None:
    symbols = declare({"X": "n 6"})
    text, shape = "J[i,j] = X[i,2*j-5*(j//3)]", (N, Size.of(6))
    formula = read_index_formula(text, symbols, sizes={"n"}, expected_axes=shape)
    (array,) = symbols.values()
    X = np.arange(12.0).reshape(2, 6)
    found = Evaluator({array: X}, {"n": 2}).tensor(formula.tensor)
    assert np.array_equal(found, X[:, [0, 2, 4, 1, 3, 5]])
