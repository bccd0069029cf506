"""Derivatives of random expressions agree with ``jax.jacobian`` and ``jax.hessian``."""

from __future__ import annotations

import os

import jax
import numpy as np
import pytest

from backprove.calculus import derive
from backprove.calculus.derivation import Derivation
from backprove.calculus.numeric import compare
from oracles.random_expressions import SHAPES, random_expression
from oracles.text_jax import function_of

CASES = int(os.environ.get("BACKPROVE_PROPERTY_CASES", "320"))
"""How many expressions: 320 by default, 1,000 in CI, 10,000 at night."""

BATCHES = 16
DIFFERENT = {"n": 4, "d": 3, "k": 2}
EQUAL = {"n": 3, "d": 3, "k": 3}


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def _values(seed: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(0.7 * rng.normal(size=[sizes[s] for s in shape.split()]))
        for name, shape in SHAPES.items()
    }


def _agrees(given: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> bool:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return given.shape == expected.shape and bool(
        np.all(np.abs(given - expected) <= tolerance * scale)
    )


@pytest.mark.parametrize("batch", range(BATCHES))
def test_jacobians_of_random_expressions_equal_those_of_jax(batch: int) -> None:
    at_kinks = 0
    for seed in range(batch, CASES, BATCHES):
        text, wrt = random_expression(seed)
        sizes = EQUAL if seed % 4 == 0 else DIFFERENT
        values = _values(seed, sizes)
        derivation = derive(text, wrt, SHAPES)
        assert isinstance(derivation, Derivation)
        given = np.asarray(derivation.evaluate(values))
        function = function_of(text, {**values, **sizes}, wrt)
        expected = np.asarray(jax.jit(jax.jacobian(function))(jax.numpy.asarray(values[wrt])))
        if not _agrees(given, expected):
            found = compare(given, lambda v, f=function: np.asarray(f(v)), values[wrt])
            assert found.skipped and found.error < 1e-6, f"seed {seed}: d({text})/d{wrt}"
            at_kinks += 1
    assert at_kinks <= 2


@pytest.mark.parametrize("batch", range(4))
def test_hessians_of_random_expressions_equal_those_of_jax(batch: int) -> None:
    for seed in range(batch, CASES // 10, 4):
        text, wrt = random_expression(50_000 + seed, depth=2)
        values = _values(seed, DIFFERENT)
        derivation = derive(text, wrt, SHAPES, order=2)
        assert isinstance(derivation, Derivation)
        given = np.asarray(derivation.evaluate(values))
        function = function_of(text, {**values, **DIFFERENT}, wrt)
        expected = np.asarray(jax.jit(jax.hessian(function))(jax.numpy.asarray(values[wrt])))
        assert _agrees(given, expected, 1e-8), f"seed {50_000 + seed}: d²({text})/d{wrt}²"
