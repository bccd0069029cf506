"""The difference oracle is right on functions whose derivatives are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.finite_differences import hessian, jacobian

_RANDOM = np.random.default_rng(2)
X, W, B = _RANDOM.normal(size=(3, 2)), _RANDOM.normal(size=(4, 2)), _RANDOM.normal(size=(2, 2))
z = _RANDOM.normal(size=4)
s = np.exp(z) / np.exp(z).sum()


def _softmax(z):
    weights = np.exp(z - z.max())
    return weights / weights.sum()


FACTS = [
    ("matrix product", lambda X, W: X @ W.T, "W", np.einsum("il,jk->ijkl", X, np.eye(4))),
    ("softmax", lambda z: _softmax(z), "z", np.diag(s) - np.outer(s, s)),
    ("square", lambda z: z**2, "z", np.diag(2 * z)),
    ("norm", lambda z: np.sqrt((z**2).sum()), "z", z / np.sqrt((z**2).sum())),
    ("constant", lambda z: np.ones(3), "z", np.zeros((3, 4))),
    (
        "inverse",
        lambda B: np.linalg.inv(B),
        "B",
        -np.einsum("ik,lj->ijkl", np.linalg.inv(B), np.linalg.inv(B)),
    ),
]


@pytest.mark.parametrize(("name", "function", "wrt", "want"), FACTS, ids=[f[0] for f in FACTS])
def test_jacobians_have_output_then_input_shape_and_ten_right_digits(name, function, wrt, want):
    arrays = {"X": X, "W": W, "B": B, "z": z}
    values = {key: arrays[key] for key in function.__code__.co_varnames}
    found = jacobian(function, values, wrt)
    assert found.value.shape == want.shape
    assert np.abs(found.value - want).max() < 1e-10
    assert found.error.max() < 1e-9
    assert found.agrees(want)
    assert not found.agrees(want + 1e-5)
    assert not found.agrees(want[..., :1])


def test_hessians_have_output_then_both_input_shapes():
    found = hessian(lambda w, A: w @ A @ w, {"w": z, "A": np.diag([1.0, 2, 3, 4])}, "w")
    assert np.abs(found.value - 2 * np.diag([1.0, 2, 3, 4])).max() < 1e-8
    mixed = hessian(lambda X, b: X @ b, {"X": X, "b": np.ones(2)}, "X", "b")
    want = np.einsum("ik,lm->iklm", np.eye(3), np.eye(2))
    assert mixed.value.shape == (3, 3, 2, 2)
    assert np.abs(mixed.value - want).max() < 1e-9
    total = hessian(lambda z: np.log(np.exp(z).sum()), {"z": z}, "z")
    assert np.abs(total.value - (np.diag(s) - np.outer(s, s))).max() < 1e-8


def test_steps_out_of_the_domain_are_left_out():
    found = jacobian(lambda x: np.log(x), {"x": np.array([1e-3, 2.0])}, "x")
    assert found.value[0, 0] == pytest.approx(1000.0, rel=1e-8)


def test_kinks_beside_the_point_do_no_harm():
    found = jacobian(lambda x: np.maximum(x, 0), {"x": np.array([1e-3, -1e-3])}, "x")
    assert np.allclose(found.value, np.diag([1.0, 0.0]), atol=1e-10)


def test_where_there_is_no_value_nothing_agrees():
    found = jacobian(lambda x: np.log(x), {"x": np.array(-1.0)}, "x")
    assert not found.agrees(found.value)
    assert not found.agrees(0.0)


def test_inputs_are_not_changed_and_empty_inputs_are_fine():
    x = np.arange(3.0)
    jacobian(lambda x: x * 2, {"x": x}, "x")
    assert np.array_equal(x, np.arange(3.0))
    assert jacobian(lambda x: x.sum(), {"x": np.zeros((0, 2))}, "x").value.shape == (0, 2)
