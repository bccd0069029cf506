"""Shapes, activations, initialisers, losses and the forward pass against independent values."""

from __future__ import annotations

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.errors import SetupError
from backprove.functions import lookup
from backprove.networks import (
    ACTIVATIONS,
    INITIALISERS,
    LOSSES,
    MLP,
    forward,
    hidden_text,
    initialise,
    parse_hidden,
    switch,
)

widths = st.lists(st.integers(1, 65_536), max_size=12).map(tuple)


@given(widths)
def test_the_text_of_hidden_layers_reads_back(hidden):
    assert parse_hidden(hidden_text(hidden)) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-5",
        "512x",
        "x3",
        "512x0",
        "512×-1",
        "0x3",
        "65537",
        "8x257",
        "5-0",
        "a",
        "1.5",
        "²",
        "9" * 50,
    ],
)
def test_hidden_layers_that_are_none_are_refused(text):
    with pytest.raises(SetupError, match="hidden="):
        parse_hidden(text)


def test_parameters_are_counted_with_biases():
    assert MLP(3, (4, 5), 2).parameters == 3 * 4 + 4 + 4 * 5 + 5 + 5 * 2 + 2


@pytest.mark.parametrize("name", sorted(ACTIVATIONS.keys() - {"identity"}))
def test_activations_have_the_values_and_slopes_of_the_function_table(name):
    record = lookup(name)
    with jax.enable_x64(True):
        x = jnp.array([-40.0, -3.0, -1.0, -0.3, 0.2, 1.0, 4.0, 40.0])
        np.testing.assert_allclose(ACTIVATIONS[name](x), record.value(np.asarray(x)), atol=1e-12)
        step = 1e-200  # complex step: exact to rounding
        slopes = np.imag(record.value(np.asarray(x) + 1j * step)) / step
        grads = jax.vmap(jax.grad(ACTIVATIONS[name]))(x)
        np.testing.assert_allclose(grads, slopes, atol=1e-11)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS.keys() - {"identity"}))
def test_activations_take_the_slope_of_the_table_at_kinks(name):
    for kink in lookup(name).kinks:
        slope = jax.grad(ACTIVATIONS[name])(jnp.float32(kink.at))
        assert float(slope) == pytest.approx(kink.taken)


def test_an_activation_is_chosen_by_data():
    apply = switch(("relu", "tanh", "sigmoid"))
    x = jnp.array([-1.0, 2.0])
    chosen = jax.vmap(lambda i: apply(i, x))(jnp.arange(3))
    expected = [np.maximum(x, 0), np.tanh(x), 1 / (1 + np.exp(-x))]
    np.testing.assert_allclose(chosen, expected, rtol=1e-6)


@pytest.mark.parametrize("names", [(), ("relu", "reluu")])
def test_unknown_activations_are_refused(names):
    with pytest.raises(SetupError, match="expected one of sigmoid"):
        switch(names)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("fan_in_uniform", 1 / (3 * 200)),
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 200),
        ("he_normal", 2 / 200),
        ("lecun_normal", 1 / 200),
        ("zeros", 0.0),
    ],
)
def test_first_weights_have_the_stated_variance(name, variance):
    layer, _ = initialise(MLP(200, (300,)), seed=1, initialiser=name)
    assert layer["weights"].dtype == np.float32
    assert layer["weights"].var() == pytest.approx(variance, rel=0.03)
    assert abs(layer["weights"].mean()) <= 4 * (variance / 60_000) ** 0.5
    expected = variance if name == "fan_in_uniform" else 0.0
    assert layer["biases"].var() == pytest.approx(expected, rel=0.3)


def test_every_initialiser_is_tested():
    marks = test_first_weights_have_the_stated_variance.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(INITIALISERS)


def test_equal_layers_of_different_networks_start_equal_and_seeds_differ():
    shallow, deep = initialise(MLP(5, (7,)), 3), initialise(MLP(5, (7, 7)), 3)
    np.testing.assert_array_equal(shallow[0]["weights"], deep[0]["weights"])
    assert (initialise(MLP(5, (7,)), 4)[0]["weights"] != shallow[0]["weights"]).all()
    assert (deep[1]["weights"][:5] != deep[0]["weights"]).all()


def reference_loss(name: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """In extended precision, by the textbook formula."""
    z = outputs.astype(np.longdouble)
    if name == "mse":
        return (z[:, 0] - targets) ** 2
    if name == "mae":
        return abs(z[:, 0] - targets)
    if name == "binary_cross_entropy":
        z = np.column_stack([np.zeros(len(z), np.longdouble), z[:, 0]])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(z)), targets])


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(LOSSES)), st.integers(0, 10_000), st.floats(0.01, 30))
def test_losses_are_the_textbook_formula(name, seed, scale):
    stream = np.random.default_rng(seed)
    outputs = stream.normal(0, scale, (6, 3 if name == "cross_entropy" else 1))
    targets = stream.integers(0, 3 if name == "cross_entropy" else 2, 6)
    with jax.enable_x64(True):
        given_loss = LOSSES[name].value(jnp.asarray(outputs), jnp.asarray(targets))
    expected = reference_loss(name, outputs, targets).astype(float)
    np.testing.assert_allclose(given_loss, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("z", "label", "loss", "slope"), [
    (1e4, 1, 0.0, 0.0), (-1e4, 1, 1e4, -1.0), (1e4, 0, 1e4, 1.0), (0.0, 1, np.log(2), -0.5),
    (30.0, 1, 9.357622968840175e-14, -9.357622968839737e-14),
])  # fmt: skip
def test_binary_cross_entropy_is_right_where_probabilities_round_to_0_or_1(z, label, loss, slope):
    value = LOSSES["binary_cross_entropy"].value
    both = jax.value_and_grad(lambda z: value(z[None, None], jnp.array([label]))[0])(jnp.float32(z))
    np.testing.assert_allclose(both, (loss, slope), rtol=1e-5)


def loss_of(name: str, hidden: tuple[int, ...]):
    """Compiled once: (flat parameters, activation, inputs, targets) to loss and gradient."""
    mlp = MLP(3, hidden, 4 if name == "cross_entropy" else 1)
    apply = switch(tuple(ACTIVATIONS))
    flat, restore = jax.flatten_util.ravel_pytree(
        jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), initialise(mlp, 0))
    )

    def loss(flat, activation, inputs, targets):
        outputs = forward(restore(flat), inputs, lambda z: apply(activation, z))
        return LOSSES[name].value(outputs, targets).mean()

    return flat.size, mlp.outputs, jax.jit(jax.value_and_grad(loss))


@pytest.mark.parametrize(
    ("name", "hidden"),
    [("binary_cross_entropy", (4,)), ("cross_entropy", ()), ("mse", ()), ("mae", (3,))],
)
def test_gradients_equal_central_differences(name, hidden):
    with jax.enable_x64(True):
        size, outputs, loss = loss_of(name, hidden)
        step = 1e-6
        for case in range(4 * len(ACTIVATIONS)):
            stream = np.random.default_rng(case)
            point, direction = stream.normal(size=(2, size))
            inputs, targets = stream.normal(size=(4, 3)), stream.integers(0, max(2, outputs), 4)
            rest = (jnp.int32(case % len(ACTIVATIONS)), inputs, targets)
            ahead = loss(point + step * direction, *rest)[0]
            behind = loss(point - step * direction, *rest)[0]
            slope = float(loss(point, *rest)[1] @ direction)
            assert slope == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-6, abs=1e-7)


def test_the_forward_pass_is_the_formula_and_shows_its_activations():
    mlp = MLP(3, (4, 5), 2)
    parameters = initialise(mlp, 0)
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    seen: dict[int, jax.Array] = {}
    outputs = forward(
        parameters, jnp.asarray(x), jnp.tanh, observe=lambda i, z, h: seen.update({i: h})
    )
    first, second, last = [(p["weights"], p["biases"]) for p in parameters]
    h1 = np.tanh(x @ first[0] + first[1])
    h2 = np.tanh(h1 @ second[0] + second[1])
    np.testing.assert_allclose(outputs, h2 @ last[0] + last[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen[1], h1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen[2], h2, rtol=1e-5, atol=1e-6)
