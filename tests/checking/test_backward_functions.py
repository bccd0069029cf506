"""Backward functions of the usual layers: right ones are accepted, planted errors are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backprove.checking.backward_functions import check_grad, check_jvp, check_vjp
from backprove.checking.verdict import MISTAKES
from backprove.errors import InputError
from checking.layers import LAYERS

SLIPS = [(layer, slip) for layer, make in LAYERS.items() for slip in make().slips]
NOT_NAMED = {("gelu_tanh", "square left out")}
"""Slips that are found but cannot be named: three terms change at once."""
X = np.random.default_rng(5).normal(size=(3, 4))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_right_backward_function_is_right(layer: str) -> None:
    made = LAYERS[layer]()
    verdict = check_vjp(made.forward, made.backward, *made.inputs)
    assert verdict.kind == "right", verdict.message
    assert verdict.level == "measured"


@pytest.mark.parametrize(("layer", "slip"), SLIPS)
def test_a_planted_error_is_found_and_named(layer: str, slip: str) -> None:
    made = LAYERS[layer]()
    backward, mistakes, text = made.slips[slip]
    verdict = check_vjp(made.forward, backward, *made.inputs)
    assert verdict.kind == "wrong", verdict.message
    assert verdict.mistake in MISTAKES
    if (layer, slip) not in NOT_NAMED:
        assert verdict.mistake in mistakes, verdict.message
        assert text in verdict.message


def test_at_least_four_of_five_planted_errors_are_named() -> None:
    assert all(sum(s[0] == layer for s in SLIPS) >= 5 for layer in LAYERS)
    assert len(NOT_NAMED) <= 0.2 * len(SLIPS)


def test_the_counterexample_is_confirmed_by_plain_finite_differences() -> None:
    made = LAYERS["layer_norm"]()
    backward = made.slips["mean twice"][0]
    example = check_vjp(made.forward, backward, *made.inputs).counterexample
    assert example is not None
    x, gamma, beta, g = (example.inputs[n] for n in ("x", "gamma", "beta", "upstream"))
    step = np.zeros(x.shape)
    step[example.entry] = 1e-6
    rise = made.forward(x + step, gamma, beta) - made.forward(x - step, gamma, beta)
    assert np.isclose((g * rise).sum() / 2e-6, example.expected, rtol=1e-6)
    assert np.isclose(backward(g, x, gamma, beta)[0][example.entry], example.given, rtol=1e-12)


def test_the_twice_subtracted_mean_of_layer_norm_is_told_with_the_broken_invariant() -> None:
    made = LAYERS["layer_norm"]()
    verdict = check_vjp(made.forward, made.slips["mean twice"][0], *made.inputs)
    assert "mean(dy·gamma, axis=1) is subtracted twice" in verdict.message
    assert "must sum to 0 along axis 1" in verdict.message


def test_invariants_that_hold_are_part_of_the_evidence() -> None:
    evidence = check_vjp(
        LAYERS["layer_norm"]().forward,
        LAYERS["layer_norm"]().backward,
        *LAYERS["layer_norm"]().inputs,
    ).evidence
    assert "Invariant (holds): the gradient of x must sum to 0 along axis 1" in evidence
    assert "orthogonal to the normalised x along axis 1" in evidence
    assert "rows of x do not interact" in evidence


def test_interacting_rows_are_pointed_out() -> None:
    made = LAYERS["batch_norm"]()
    assert "rows of x interact" in check_vjp(made.forward, made.backward, *made.inputs).evidence

    def row_by_row(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return g * (1 - 1 / len(x))

    verdict = check_vjp(lambda x: x - x.mean(0), row_by_row, X)
    assert verdict.kind == "wrong" and verdict.mistake in ("missing_path", "missing_term")


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def test_kinks_are_reported_with_both_slopes_and_are_no_error() -> None:
    for at_zero in (0.0, 0.5, 7.0):
        verdict = check_vjp(
            relu, lambda g, x, a=at_zero: g * np.where(x == 0, a, x > 0), np.array([0.0, 1, -2])
        )
        assert verdict.kind == "right"
        assert (
            "non-differentiable at these entries: x[0] (slopes 0 from below and 1 from above)"
            in (verdict.message)
        )


def test_a_rule_that_holds_only_on_one_side_of_a_kink_is_never_simply_right() -> None:
    assert check_vjp(relu, lambda g, x: g, np.array([3.0, -1.0, 2.0])).kind == "wrong"
    verdict = check_vjp(relu, lambda g, x: g, np.array([3.0, 1.0, 2.0]))
    assert verdict.kind == "right_under" and verdict.under == ["x positive"]


def test_a_gradient_that_needs_normalised_targets_is_right_under_that() -> None:
    def loss(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -(y * (z - np.log(np.exp(z).sum(1, keepdims=True)))).sum()

    def grad(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum(1, keepdims=True) - y

    verdict = check_grad(loss, grad, X, np.eye(4)[[0, 2, 1]], wrt=["z"])
    assert verdict.kind == "right_under" and verdict.under == ["rows sum to 1 in y"]
    a = X[:, :3] + X[:, :3].T
    verdict = check_grad(lambda x, A: x @ A @ x, lambda x, A: 2 * A @ x, X[0, :3], a, wrt=["x"])
    assert verdict.under == ["A symmetric"]


def slope_of_tanh(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    return g * (1 - np.tanh(x) ** 2)


def in_single(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: function(*[np.asarray(v, dtype=np.float32) for v in values])


@pytest.mark.parametrize("error", [0.0, 1e-3, -1e-3])
@pytest.mark.parametrize("step", [None, 1e-4, 1e-6])
def test_single_precision_is_never_wrong_because_of_rounding(
    error: float, step: float | None
) -> None:
    forward = in_single(np.tanh)
    backward = in_single(lambda g, x: slope_of_tanh(g, x) * np.float32(1 + error))

    def hidden(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return backward(g, x).astype(float)

    for rule, x in ((hidden, X), (backward, X.astype(np.float32))):
        verdict = check_vjp(forward, rule, x, step=step)
        assert verdict.kind == "undecided"
        assert "at this precision" in verdict.message
        assert "rounding error" in verdict.message and "truncation error" in verdict.message


def test_cancellation_in_single_precision_is_undecided() -> None:
    def variance(x: np.ndarray) -> np.ndarray:
        return (x * x).mean(1) - x.mean(1) ** 2

    def backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return g[:, None] / 2 * (x - x.mean(1, keepdims=True))

    verdict = check_vjp(in_single(variance), in_single(backward), (1000 + X).astype(np.float32))
    assert verdict.kind == "undecided"


def test_single_precision_inputs_are_judged_in_double_where_that_is_accepted() -> None:
    x = X.astype(np.float32)
    assert check_vjp(np.tanh, slope_of_tanh, x).kind == "right"
    verdict = check_vjp(np.tanh, lambda g, x: 1.0001 * slope_of_tanh(g, x), x)
    assert verdict.kind == "wrong" and verdict.mistake == "extra_factor"


def test_a_gross_error_is_wrong_in_single_precision_too() -> None:
    verdict = check_vjp(
        in_single(np.tanh), in_single(lambda g, x: -slope_of_tanh(g, x)), X.astype(np.float32)
    )
    assert verdict.kind == "wrong" and verdict.mistake == "sign"


def test_a_small_entry_is_not_hidden_by_a_large_one() -> None:
    x = np.array([1e3, 1.0, -2.0])
    verdict = check_vjp(lambda x: x**2, lambda g, x: 2 * g * x * np.array([1, 1.001, 1]), x)
    assert verdict.kind == "wrong"


def overwrite_input(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    x *= 2
    return g


def overwrite_upstream(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    g *= 1 - np.tanh(x) ** 2
    return g


FAULTS: list[tuple[Callable[..., Any], str]] = [
    (lambda g, x: 1 / 0, "backward raises ZeroDivisionError: division by zero"),
    (lambda g, x: (g, g, g), "backward returns 3 gradients, and 1 were expected"),
    (lambda g, x: g[0], "has the shape (4,), and x has the shape (3, 4)"),
    (lambda g, x: g.astype(np.float32), "as float32, but x is float64"),
    (lambda g, x: g.astype(int), "as int64, but x is float64"),
    (lambda g, x: "no", "floating-point numbers were expected"),
    (overwrite_input, "backward changes its input x in place"),
    (overwrite_upstream, "backward changes the upstream gradient"),
]


@pytest.mark.parametrize(("backward", "text"), FAULTS)
def test_a_backward_function_that_breaks_the_contract_is_reported_as_that(
    backward: Callable[..., Any], text: str
) -> None:
    verdict = check_vjp(np.tanh, backward, X, names=["x"])
    assert verdict.kind == "wrong" and text in verdict.message


def test_a_wrong_shape_is_explained_by_its_transpose_or_its_missing_sum() -> None:
    w = np.random.default_rng(1).normal(size=(4, 2))
    verdict = check_vjp(lambda x, w: x @ w, lambda g, x, w: (g @ w.T, g.T @ x), X, w)
    assert verdict.mistake == "transposed" and "Its transpose is right" in verdict.message


def test_nan_is_reported_with_its_place() -> None:
    def norm_squared(x: np.ndarray) -> np.ndarray:
        return np.sqrt((x**2).sum()) ** 2

    def grad(x: np.ndarray) -> np.ndarray:
        norm = np.sqrt((x**2).sum())
        return 2 * norm * (x / norm)

    verdict = check_grad(norm_squared, grad, np.zeros(3))
    assert verdict.kind == "wrong" and "nan at entry [0] (3 of 3" in verdict.message
    verdict = check_vjp(np.log, lambda g, x: g / x, np.array([1.0, -1.0]))
    assert verdict.kind == "undecided" and "nan at entry [1]" in verdict.message


def test_a_random_function_is_undecided() -> None:
    rng = np.random.default_rng(0)
    verdict = check_vjp(lambda x: x * (rng.random(x.shape) > 0.5), lambda g, x: g, X)
    assert verdict.kind == "undecided" and "different values at the same inputs" in verdict.message


def test_large_inputs_are_judged_at_entries_that_are_not_moved_as_well() -> None:
    x = np.random.default_rng(3).normal(size=(40, 30))
    mask = np.where(np.arange(1200) < 1190, 1.0, 0.5).reshape(40, 30)
    assert check_vjp(np.tanh, slope_of_tanh, x).kind == "right"
    assert check_vjp(np.tanh, lambda g, x: mask * slope_of_tanh(g, x), x).kind == "wrong"


def test_a_missing_part_of_a_tangent_is_named() -> None:
    w = np.random.default_rng(1).normal(size=(4, 2))
    right = check_jvp(lambda x, w: x @ w, lambda t, x, w: t[0] @ w + x @ t[1], X, w)
    assert right.kind == "right"
    verdict = check_jvp(lambda x, w: x @ w, lambda t, x, w: t[0] @ w, X, w)
    assert verdict.mistake == "missing_path" and verdict.where == "w"


def test_inputs_that_cannot_be_judged_are_errors_that_say_what_to_do() -> None:
    with pytest.raises(InputError, match="Pass the inputs as floats"):
        check_vjp(np.square, lambda g, x: g, np.arange(3))
    with pytest.raises(InputError, match="one number as its value"):
        check_grad(np.square, lambda x: 2 * x, X)
    with pytest.raises(InputError, match="the output has the shape"):
        check_vjp(np.tanh, slope_of_tanh, X, upstream=np.ones(3))
    with pytest.raises(InputError, match="one array was expected"):
        check_vjp(lambda x: (x, x), lambda g, x: g, X)
    with pytest.raises(InputError, match="raises ValueError"):
        check_vjp(lambda x: x @ np.ones((3, 3)), lambda g, x: g, X)


def _one_entry(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    gradient = g * (1 - np.tanh(x) ** 2)
    gradient[77, 33] = 0
    return gradient


SMALL_ERRORS = [
    (np.square, lambda g, x: 2.0002 * g * x, np.arange(1.0, 7), "it is 1.0001 times"),
    (np.square, lambda g, x: 2 * g * x + 1e-5, np.arange(1.0, 7), None),
    (np.tanh, _one_entry, np.cos(np.arange(6000.0)).reshape(100, 60), None),
]


@pytest.mark.parametrize(("forward", "backward", "x", "text"), SMALL_ERRORS)
def test_a_small_error_is_not_called_a_factor_unless_it_is_one(
    forward: Any, backward: Any, x: np.ndarray, text: str | None
) -> None:
    verdict = check_vjp(forward, backward, x)
    assert verdict.kind == "wrong"
    assert (text in verdict.message) if text else (" times the right one" not in verdict.message)


def test_two_is_two_before_it_is_the_square_root_of_a_size() -> None:
    verdict = check_vjp(np.sin, lambda g, x: 2 * g * np.cos(x), np.arange(1.0, 5))
    assert (verdict.mistake, verdict.where) == ("extra_factor", "2")
    assert "it is 2 times the right one (2 is also the square root of" in verdict.message


def test_a_complex_input_beside_real_ones_is_not_passed_over() -> None:
    z, w = np.ones(3) * 1j, np.arange(1.0, 4)
    with pytest.raises(InputError, match="z holds complex numbers"):
        check_vjp(lambda z, w: abs(z) * w, lambda g, z, w: g * abs(z), z, w)
    assert check_vjp(lambda z, w: abs(z) * w, lambda g, z, w: g * abs(z), z, w, wrt=["w"]).accepted


def test_options_reach_a_function_as_they_are() -> None:
    def forward(x: Any, mask: Any, how: Any, axis: Any, activate: Any) -> Any:
        assert (mask, how, type(axis)) == (None, "twice", int)
        return activate(2 * x).sum(axis)

    def backward(g: Any, x: Any, mask: Any, how: Any, axis: Any, activate: Any) -> Any:
        assert (mask, how, type(axis)) == (None, "twice", int)
        return np.expand_dims(g, axis) * 2 * np.cos(2 * x)

    x = np.arange(12.0).reshape(3, 4)
    assert check_vjp(forward, backward, x, None, "twice", 1, np.sin).kind == "right"


@pytest.mark.parametrize("value", [[np.ones((2, 3)), np.ones(2)], {"w": np.ones(3)}])
def test_several_arrays_in_one_input_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="one array per input"):
        check_vjp(lambda p, x: x, lambda g, p, x: g, value, np.ones(3))
