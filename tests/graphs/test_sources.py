"""Graphs from named lines, JAX functions, networks with their loss, and PyTorch modules."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import backprove as bp
from backprove.errors import BackproveError, NotationError, ShapeError, Unsupported
from backprove.graphs import graph
from backprove.networks import ACTIVATIONS, LOSSES, MLP, WithLoss
from backprove.networks.forward import forward_in_training


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def test_a_named_line_gives_its_operation_that_name() -> None:
    run = graph("s = sin(x)\nt = s*y + s\nt**2").run(x=0.3, y=2.0)
    assert run.graph.operations == ["s", "h1", "t", "f"]
    assert run.graph.shared == ["s"]
    t = np.sin(0.3) * 3
    assert run.gradients["x"] == pytest.approx(2 * t * 3 * np.cos(0.3))


def test_the_last_line_names_the_output() -> None:
    run = graph("h = x*y; loss = h + h**2").run(x=2.0, y=3.0)
    assert (run.graph.output, run.values["loss"], run.values["f"]) == ("loss", 42.0, 42.0)
    assert run.gradients["x"] == 39.0


def test_one_expression_may_run_over_several_lines() -> None:
    assert graph("(x +\n y)").run(x=1.0, y=2.0).values["f"] == 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h = x\nh = y\nh", "given twice"),
        ("x*y\nh = 2\nh", "has no name"),
        ("h = x; x = 2; h", "given twice"),
        ("h = x +; h", "h = x +; h"),
    ],
)
def test_lines_that_do_not_fit_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(NotationError) as caught:
        graph(text)
    assert said in caught.value.render()
    assert caught.value.span is not None


def test_a_jax_function_has_the_values_and_gradients_that_jax_gives() -> None:
    def fn(x, w, b):
        z = jnp.tanh(x @ w + b)
        return jnp.sum(jax.nn.softmax(z, axis=1) * z)

    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(5, 3)),
        "w": rng.normal(size=(3, 4)),
        "b": rng.normal(size=4),
    }
    g = bp.graph(fn, {"x": "n d", "w": "d k", "b": "k"}, parameters=["w", "b"])
    run = g.run(values)
    expected, gradients = jax.value_and_grad(lambda v: fn(**v))(values)
    assert run.values["f"] == pytest.approx(float(expected), rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(run.gradients[name], gradient, rtol=1e-12, atol=1e-14)
    assert {n.name for n in g.nodes if n.role == "parameter"} == {"w", "b"}


def test_arguments_of_a_jax_function_without_a_shape_are_numbers() -> None:
    run = bp.graph(lambda x, y: jnp.sin(x) * y + jnp.sin(x)).run(x=0.3, y=2.0)
    assert run.graph.shared == ["h1"]
    assert run.gradients["x"] == pytest.approx(3 * np.cos(0.3))


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu_tanh"])
def test_a_network_with_its_loss_is_the_network_that_is_trained(
    normalisation: str, loss: str, activation: str
) -> None:
    if loss not in ("cross_entropy", "binary_cross_entropy", "mse", "mae"):
        pytest.skip("no graph for this loss")
    outputs = 3 if loss == "cross_entropy" else 1
    mlp = MLP(4, (5, 5), outputs, residual=True, normalisation=normalisation)  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    layers = []
    for number, (fan_in, fan_out) in enumerate(mlp.layers):
        layer = {
            "weights": rng.normal(size=(fan_in, fan_out)),
            "biases": rng.normal(size=fan_out),
        }
        if normalisation != "none" and number < 2:
            layer |= {"scale": rng.normal(size=fan_out), "shift": rng.normal(size=fan_out)}
        layers.append(layer)
    x = rng.normal(size=(7, 4))
    labels = rng.integers(outputs, size=7) if outputs > 1 else rng.integers(2, size=7)
    statistics = tuple({"mean": jnp.zeros(5), "variance": jnp.ones(5)} for _ in range(2))

    def trained(parameters):
        z, _ = forward_in_training(
            parameters,
            jnp.asarray(x),
            ACTIVATIONS[activation],
            mlp=mlp,
            statistics=statistics,
            real=jnp.ones(7, bool),
        )
        return LOSSES[loss].value(z, jnp.asarray(labels)).mean()

    g = graph(WithLoss(mlp, activation, loss, tuple(layers)))
    targets = {"Y": np.eye(outputs)[labels]} if outputs > 1 else {"y": labels}
    run = g.run(X=x, **targets)
    value, gradients = jax.value_and_grad(trained)(tuple(layers))
    assert run.values["loss"] == pytest.approx(float(value), rel=1e-12)
    for number, layer in enumerate(gradients, start=1):
        for key, short in (("weights", "W"), ("biases", "b"), ("scale", "scale")):
            if key in layer:
                found = run.gradients[f"{short}{number}"]
                np.testing.assert_allclose(found, layer[key], rtol=1e-9, atol=1e-12)
    assert set(g.groups.values()) == {"layer 1", "layer 2", "layer 3", "loss"}


@pytest.mark.torch
def test_a_pytorch_module_has_the_values_and_gradients_that_autograd_gives() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    modules = [
        nn.Sequential(
            nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3), nn.Softmax(dim=-1)
        ),
        nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.LayerNorm(6), nn.Linear(6, 2)),
        nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2), nn.Dropout(0.5)).eval(),
    ]
    for module in (m.double() for m in modules):
        x = torch.randn(6, 4, dtype=torch.double)
        g = bp.graph(module, example=[x])
        x.requires_grad_()
        out = module(x)
        upstream = torch.randn_like(out)
        out.backward(upstream)
        run = g.run({"input": x.detach().numpy()}, upstream=upstream.numpy())
        np.testing.assert_allclose(run.values["f"], out.detach().numpy(), atol=1e-14)
        np.testing.assert_allclose(run.gradients["input"], x.grad.numpy(), atol=1e-12)
        for name, parameter in module.named_parameters():
            found = run.gradients["m" + name.replace(".", "_")]
            np.testing.assert_allclose(found, parameter.grad.numpy(), atol=1e-12)
        assert len(set(g.groups.values())) >= 2


@pytest.mark.torch
def test_the_options_of_a_pytorch_operation_are_read_or_refused() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("counts", torch.tensor([1, 2, 3]))

        def forward(self, x):  # type: ignore[no-untyped-def]
            return nn.functional.mse_loss(1 / x, self.counts * (1 - x))

    # Both ends of every range, and numbers inside and outside of it.
    at = [[-3.0, -2.0, -1.0], [0.25, 0.5, 1.0], [2.0, 3.0, 6.0], [6.5, -9.0, 1.5]]
    for module in (
        nn.ReLU6(),
        nn.Hardtanh(),
        nn.Hardtanh(-2, 2),
        nn.Hardtanh(1.5, 6.0),
        nn.Hardtanh(-3, -1),
        nn.ELU(0.5),
        nn.LeakyReLU(0.3),
        nn.Softplus(),
        nn.GELU(approximate="tanh"),
        Weighted(),
    ):
        x = torch.tensor(at, dtype=torch.double, requires_grad=True)
        out = module(x)
        upstream = torch.arange(1.0, 1.0 + out.numel(), dtype=torch.double).reshape(out.shape)
        out.backward(upstream)
        g = bp.graph(module, example=[x.detach()])
        (name,) = [n for n in g.inputs if n not in g.known]
        run = g.run({name: at}, upstream=upstream.numpy())
        np.testing.assert_allclose(run.values["f"], out.detach().numpy(), atol=2e-8)
        np.testing.assert_allclose(run.gradients[name], x.grad.numpy(), atol=2e-8)
    for module in (nn.Softplus(2.0), nn.Softplus(1.0, 5.0)):
        with pytest.raises(Unsupported, match="softplus"):
            bp.graph(module, example=[torch.zeros(2)])


@pytest.mark.torch
def test_a_pytorch_module_that_cannot_be_read_says_why() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ShapeError, match="needs inputs"):
        bp.graph(torch.nn.Linear(2, 3))
    conv = torch.nn.Conv1d(1, 1, 3)
    with pytest.raises(Unsupported, match="conv1d"):
        bp.graph(conv, example=[torch.zeros(1, 1, 8)])
    drop = torch.nn.Dropout(0.5).train()
    with pytest.raises(Unsupported, match="dropout"):
        bp.graph(torch.nn.Sequential(torch.nn.Linear(2, 2), drop), example=[torch.zeros(3, 2)])


@pytest.mark.parametrize("f", [3, None, ["x"], object()])
def test_anything_else_is_refused(f: object) -> None:
    with pytest.raises(BackproveError, match="expected text"):
        graph(f)  # type: ignore[arg-type]
