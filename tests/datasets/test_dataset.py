"""What a data set accepts, and how it is split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprove.datasets import Dataset
from backprove.errors import DataError

PARTS = {"train": np.arange(6), "dev": np.array([6, 7]), "test": np.array([8, 9])}


def build(**changes) -> Dataset:
    fields = {
        "features": np.arange(20, dtype=np.float32).reshape(10, 2),
        "labels": np.arange(10) % 2,
        **PARTS,
    }
    return Dataset("toy", **(fields | changes))


def with_value(value: float) -> np.ndarray:
    features = np.zeros((10, 2), np.float32)
    features[4, 1] = value
    return features


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": with_value(np.nan)}, r"1 feature values.*nan in row 4, column 1"),
        ({"features": with_value(np.inf)}, r"inf in row 4, column 1"),
        ({"features": np.zeros(10, np.float32)}, r"shape \(10,\)"),
        ({"features": np.zeros((10, 2))}, "float64; expected float32"),
        ({"features": np.zeros((10, 0), np.float32)}, "neither of them 0"),
        ({"labels": np.zeros(10, int)}, "all training examples have the label 0"),
        ({"labels": np.array(["a", "b"] * 5)}, "whole class numbers"),
        ({"labels": np.arange(10) % 2 - 1}, r"label -1 occurs.*drop them"),
        ({"labels": np.arange(9) % 2}, r"shape \(9,\)"),
        ({"dev": np.array([], int)}, "'dev' has shape"),
        ({"dev": np.array([5, 7])}, "row 5 is used 2 times"),
        ({"test": np.array([10])}, "rows 0 to 9"),
        ({"ratings": np.full(10, np.nan, np.float32)}, "one finite rating"),
    ],
)
def test_unusable_data_is_refused_by_name(changes, message):
    with pytest.raises(DataError, match=message):
        build(**changes)


@given(st.integers(0, 2**32))
def test_a_seed_draws_train_and_dev_from_one_pool_and_leaves_test_alone(seed):
    data = build()
    split = data.split(seed)
    assert [len(part) for part in split] == [6, 2, 2]
    assert sorted([*split.train, *split.dev]) == list(range(8))
    np.testing.assert_array_equal(split.test, PARTS["test"])
    np.testing.assert_array_equal(split.dev, data.split(seed).dev)


def test_different_seeds_draw_different_splits_and_none_the_fixed_one():
    data = build()
    drawn = {tuple(data.split(seed).dev) for seed in range(40)}
    assert len(drawn) > 15
    np.testing.assert_array_equal(data.split().dev, PARTS["dev"])


def test_the_baseline_is_the_constant_prediction_of_train():
    data = build(labels=np.array([0, 0, 0, 1, 0, 1, 1, 0, 0, 1]))
    baseline = data.baseline(data.train, data.dev)
    assert baseline.accuracy == 0.5
    assert baseline.loss == pytest.approx(-(np.log(1 / 3) + np.log(2 / 3)) / 2)


def test_the_baseline_has_infinite_loss_on_a_class_that_train_never_saw():
    data = build(labels=np.array([0, 1, 0, 1, 0, 1, 2, 0, 0, 1]))
    assert data.baseline(data.train, data.dev).loss == np.inf
