"""NaN and infinity are traced to the node that makes them, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import backprove as bp

ZERO = np.zeros(3)
JAX_CASES: dict[str, tuple[Callable[..., Any], Any, str, str]] = {
    "square of a norm": (lambda x: jnp.linalg.norm(x) ** 2, ZERO, "sqrt", "sum(x**2)"),
    "square by hand": (lambda x: jnp.sqrt(jnp.sum(x * x)) ** 2, ZERO, "sqrt", "sum(x**2)"),
    "norm times norm": (
        lambda x: jnp.linalg.norm(x) * jnp.sqrt(jnp.dot(x, x) + 1),
        ZERO,
        "sqrt",
        "norm(x) has a kink at 0",
    ),
    "log of softmax": (
        lambda x: jnp.log(jax.nn.softmax(x)),
        np.array([0.0, 1000, 3]),
        "log",
        "log_softmax(x)",
    ),
    "log of sigmoid": (
        lambda x: jnp.log(jax.nn.sigmoid(x)),
        np.array([-1000.0, 1]),
        "log",
        "log_sigmoid(x)",
    ),
    "normalised": (lambda x: x / jnp.linalg.norm(x), ZERO, "div", "sqrt(sum(x**2) + eps)"),
    "softplus": (lambda x: jnp.log(1 + jnp.exp(x)), np.array([1.0, 800]), "exp", "logaddexp(0, x)"),
    "logsumexp": (lambda x: jnp.log(jnp.sum(jnp.exp(x))), np.array([0.0, 800]), "exp", "logsumexp"),
    "sigmoid": (lambda x: 1 / (1 + jnp.exp(-x)), np.array([-800.0, 1]), "exp", "sigmoid(x)"),
    "softmax": (
        lambda x: jnp.exp(x) / jnp.sum(jnp.exp(x)),
        np.array([800.0, 1]),
        "exp",
        "softmax(x)",
    ),
    "where outside alone": (
        lambda x: jnp.where(x > 0.5, jnp.sqrt(x), 0.0),
        np.array([0.0, 1, 2]),
        "sqrt",
        "where computes both branches",
    ),
    "sinc": (
        lambda x: jnp.where(x != 0, jnp.sin(x) / x, 1.0),
        np.array([0.0, 1, 2]),
        "div",
        "where computes both branches",
    ),
    "entropy": (lambda x: jnp.sum(x * jnp.log(x)), np.array([0.0, 1]), "log", "xlogy"),
}


@pytest.mark.parametrize("case", JAX_CASES)
def test_jax_functions_are_traced_to_the_node_with_its_line_and_a_repair(case: str) -> None:
    fn, x, node, advice = JAX_CASES[case]
    verdict = bp.check_vjp(fn, x)
    assert verdict.kind != "right"
    assert f"begins at `{node}` (test_nonfinite.py, line " in verdict.message, verdict.message
    assert advice in verdict.message


def test_the_values_that_meet_are_told() -> None:
    message = bp.check_vjp(lambda x: jnp.linalg.norm(x) ** 2, ZERO).message
    assert "its operand is 0 there, its slope is ∞, and the upstream gradient is 0: 0·∞ is nan" in (
        message
    )


@pytest.mark.parametrize(
    ("fn", "x"),
    [
        (lambda x: jnp.sum(x**2), ZERO),
        (jax.nn.log_softmax, np.array([0.0, 1000, 3])),
        (lambda x: jnp.logaddexp(0, x), np.array([1.0, 800])),
        (
            lambda x: jnp.where(x > 0.5, jnp.sqrt(jnp.where(x > 0.5, x, 1)), 0.0),
            np.array([0.0, 1, 2]),
        ),
        (jax.nn.sigmoid, np.array([-800.0, 1])),
    ],
)
def test_the_advised_forms_are_right(fn: Callable[..., Any], x: np.ndarray) -> None:
    verdict = bp.check_vjp(fn, x)
    assert verdict.kind == "right" and "begins at" not in verdict.message


def test_overflow_in_single_precision_is_traced_too() -> None:
    verdict = bp.check_vjp(lambda x: jnp.log(1 + jnp.exp(x)), np.array([1.0, 100], np.float32))
    assert verdict.kind == "undecided"
    assert "begins at `exp`" in verdict.message and "softplus" in verdict.message


def norm_squared(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x**2).sum()) ** 2


def gradient(x: np.ndarray) -> np.ndarray:
    norm = np.sqrt((x**2).sum())
    return 2 * norm * (x / norm)


def test_numpy_code_is_traced_to_its_line() -> None:
    message = bp.check_grad(norm_squared, gradient, ZERO).message
    assert "Invalid value encountered in divide (test_nonfinite.py, line " in message
    assert "`return 2 * norm * (x / norm)`" in message and "guard the denominator" in message
    message = bp.check_vjp(lambda x: np.log(x), lambda g, x: g / x, np.array([0.0, 1])).message
    assert "Divide by zero encountered in log" in message


@pytest.mark.torch
def test_autograd_of_torch_is_traced_to_the_operation() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    verdict = bp.check_vjp(lambda x: torch.sqrt((x**2).sum()) ** 2, torch.zeros(3).double())
    assert "The nan begins in the backward of `sqrt` (test_nonfinite.py, line" in verdict.message
    assert "keep the operand of sqrt above 0" in verdict.message
