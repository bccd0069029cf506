"""Fused functions of many kinds: right ones are never refused, wrong ones always found."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import backprove as bp
from checking import fused_layers, fused_losses
from checking.fused_layers import FUSED_LAYERS, Fused
from checking.fused_losses import FUSED_LOSSES
from checking.test_backward_functions_of_libraries import with_rule
from checking.test_kernels import single

FUSED = {**FUSED_LAYERS, **FUSED_LOSSES}


def test_there_are_enough_of_them() -> None:
    assert len(FUSED) >= 40


@pytest.mark.parametrize("name", FUSED)
def test_a_right_fused_function_is_right(name: str) -> None:
    forward, backward, inputs, _ = FUSED[name]()
    verdict = bp.check_vjp(forward, backward, *inputs, points=2)
    assert verdict.kind == "right", verdict.message


@pytest.mark.parametrize("name", FUSED)
def test_a_right_fused_function_in_single_precision_is_never_wrong(name: str) -> None:
    forward, backward, inputs, _ = FUSED[name]()
    narrow = [np.asarray(v, dtype=np.float32) for v in inputs]
    verdict = bp.check_vjp(single(forward), single(backward), *narrow, points=2)
    assert verdict.kind in ("right", "undecided"), verdict.message


@pytest.mark.parametrize("name", FUSED)
def test_every_slip_of_a_fused_function_is_found(name: str) -> None:
    forward, backward, inputs, slips = FUSED[name]()
    assert len(slips) >= 2
    for slip in slips:
        verdict = bp.check_vjp(forward, partial(backward, kind=slip), *inputs, points=2)
        assert verdict.kind == "wrong" and verdict.counterexample is not None, slip


def _in_jax(module: ModuleType) -> ModuleType:
    """The module once more, with JAX in the place of NumPy in its functions."""
    name = f"{module.__name__}_in_jax"
    spec = importlib.util.spec_from_file_location(name, module.__file__)
    assert spec is not None and spec.loader is not None
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def _jax_case(module: ModuleType, name: str) -> Fused:
    made = _in_jax(module)
    case: Fused = getattr(made, name)()
    vars(made).update(np=jnp)
    return case


TRACED: list[tuple[ModuleType, str, str, str, str]] = [
    (fused_layers, "swiglu_projected", "slope of silu", "missing_path", "`exp`"),
    (fused_layers, "geglu", "one for three", "missing_factor", "lacks the factor 3"),
    (fused_layers, "causal_attention", "no row sum", "missing_path", "`reduce_sum`"),
    (fused_layers, "causal_attention", "not transposed", "transposed", "is transposed"),
    (fused_layers, "gated_residual", "skip left out", "missing_path", "`add`"),
]


@pytest.mark.parametrize(("module", "name", "slip", "mistake", "text"), TRACED)
def test_the_wrong_part_of_a_traced_function_is_named_with_its_line(
    module: ModuleType, name: str, slip: str, mistake: str, text: str
) -> None:
    forward, backward, inputs, _ = _jax_case(module, name)
    verdict = bp.check_vjp(with_rule(forward, partial(backward, kind=slip)), *inputs)
    assert verdict.kind == "wrong" and verdict.mistake == mistake, verdict.message
    assert text in verdict.message


def test_a_part_that_is_taken_for_another_one_is_not_named() -> None:
    def forward(x: Any) -> Any:
        return jnp.sin(x) * jnp.exp(x)

    def backward(g: Any, x: Any) -> Any:
        return g * jnp.cos(x) * jnp.exp(x) + g * jnp.arctan(x)

    x = np.random.default_rng(0).normal(size=(3, 2))
    verdict = bp.check_vjp(with_rule(forward, backward), x)
    assert verdict.kind == "wrong" and verdict.mistake == "wrong_value"
    assert "goes back through" not in verdict.message


@pytest.mark.parametrize(
    ("rule", "mistake", "text"),
    [
        (lambda x, g: g * jnp.cos(x) * jnp.exp(x), "missing_path", "is missing"),
        (lambda x, g: g * (jnp.cos(x) - jnp.sin(x)) * jnp.exp(x), "sign", "has the wrong sign"),
        (lambda x, g: g * (jnp.cos(x) + 2 * jnp.sin(x)) * jnp.exp(x), "extra_term", "twice"),
        (lambda x, g: g * (jnp.cos(x) * jnp.exp(x) + jnp.sin(x)), "missing_chain", "the slope of"),
    ],
)
def test_a_part_may_be_missing_turned_there_twice_or_without_its_slope(
    rule: Callable[..., Any], mistake: str, text: str
) -> None:
    @jax.custom_vjp
    def function(x: Any) -> Any:
        return jnp.sin(x) * jnp.exp(x)

    function.defvjp(lambda x: (function(x), x), lambda x, g: (rule(x, g),))
    verdict = bp.check_vjp(function, np.random.default_rng(0).normal(size=(3, 2)))
    assert verdict.mistake == mistake, verdict.message
    assert "`exp` (test_fused_functions.py, line" in verdict.message and text in verdict.message


def test_no_coefficients_are_fitted_to_as_many_points() -> None:
    """One more coefficient for each point explains anything; such terms are not named."""
    for make, slip in (
        (fused_losses.squared_hinge, "label left out"),
        (fused_losses.log_sum_exp_pooling, "second term left out"),
    ):
        forward, backward, inputs, _ = make()
        verdict = bp.check_vjp(forward, partial(backward, kind=slip), *inputs)
        assert verdict.mistake == "wrong_value" and "differs from central" in verdict.message
