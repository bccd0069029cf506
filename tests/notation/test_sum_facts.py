"""Facts about whole slices (Σ softmax = 1, X⁻¹ X = I) must not be used on parts of a slice."""

from __future__ import annotations

import pytest

from backprove.notation import declare, lower
from backprove.notation.axes import stable_hash
from backprove.notation.expressions import ONE, ZERO, Bracket


def body(text: str, **shapes: str):
    return lower(text, declare(shapes)).tensor().body


@pytest.mark.parametrize("size", ["5", "n"])
def test_a_whole_softmax_sums_to_one(size):
    assert body("sum(softmax(x))", x=size) is ONE


@pytest.mark.parametrize("size", ["5", "n"])
def test_a_part_of_a_softmax_does_not_sum_to_one(size):
    assert body("sum(softmax(x)[0:2])", x=size) is not ONE


def test_a_matrix_times_its_inverse_is_the_identity():
    assert isinstance(body("inv(A) @ A", A="5 5"), Bracket)


def test_part_of_a_matrix_times_part_of_its_inverse_is_not_the_identity():
    assert not isinstance(body("inv(A)[:, 0:2] @ A[0:2, :]", A="5 5"), Bracket)


def test_exponents_minus_one_and_minus_two_have_different_hashes():
    assert stable_hash("x", -1) != stable_hash("x", -2)


@pytest.mark.parametrize("size", ["5", "n"])
def test_deviations_from_the_mean_sum_to_zero(size):
    assert body("sum(x - mean(x))", x=size) is ZERO
    assert body("sum(w*(x - mean(x)))", x=size, w="") is ZERO


@pytest.mark.parametrize(
    "text", ["sum(x[1:] - mean(x))", "sum(w*(x - mean(x)))", "sum(x - mean(w))"]
)
def test_deviations_from_another_mean_do_not(text):
    assert body(text, x="n", w="n") is not ZERO
