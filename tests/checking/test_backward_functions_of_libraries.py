"""No false alarm on the functions of JAX and PyTorch, and errors planted in custom rules."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from collections.abc import Callable
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backprove.checking.backward_functions import check_grad, check_jvp, check_vjp
from backprove.errors import InputError
from checking import layers

ALL_SLIPS = os.environ.get("BACKPROVE_ALL_SLIPS") == "1"
"""Otherwise every second slip through JAX and the others through PyTorch; NumPy has them all."""

SPARE = 0 if ALL_SLIPS else 1
"""Slips that a part of them may leave unnamed beyond the share of the whole."""

X = 2 * np.random.default_rng(2).normal(size=(3, 4))
JAX_FUNCTIONS = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_tanh identity leaky_relu log1mexp log_sigmoid "
    "log_softmax logmeanexp logsumexp mish relu relu6 selu sigmoid silu soft_sign softmax softplus "
    "sparse_plus sparse_sigmoid squareplus standardize tanh"
).split()


@pytest.mark.parametrize("name", JAX_FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_function_of_jax_nn_is_called_wrong(name: str, dtype: type) -> None:
    x = (np.abs(X) + 0.1 if name == "log1mexp" else X).astype(dtype)
    verdict = check_vjp(getattr(jax.nn, name), None, x, points=2 if dtype is np.float64 else 1)
    allowed = ("right",) if dtype is np.float64 else ("right", "undecided")
    assert verdict.kind in allowed, verdict.message


def test_a_function_of_jax_that_stays_in_single_precision_is_undecided() -> None:
    verdict = check_vjp(lambda x: jnp.tanh(x.astype(jnp.float32)), X)
    assert verdict.kind == "undecided" and "at this precision" in verdict.message


class _JaxNamespace(types.ModuleType):
    random = np.random

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)


def _jax_layers() -> dict[str, Callable[[], layers.Layer]]:
    """The same layers, written in JAX: the module once more, with another array library."""
    spec = importlib.util.spec_from_file_location("checking.jax_layers", layers.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["checking.jax_layers"] = module
    spec.loader.exec_module(module)
    vars(module).update(np=_JaxNamespace("jax_numpy"), _erf=jax.scipy.special.erf)
    return module.LAYERS


def with_rule(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Any]:
    @jax.custom_vjp
    def function(*inputs: Any) -> Any:
        return forward(*inputs)

    def forth(*inputs: Any) -> Any:
        return forward(*inputs), inputs

    def back(inputs: Any, g: Any) -> Any:
        given = backward(g, *inputs)
        parts = list(given) if isinstance(given, tuple) else [given]
        return tuple(parts + [None] * (len(inputs) - len(parts)))

    function.defvjp(forth, back)
    return function


REFUSED_BY_JAX = ("no sum over the batch", "square left out")
"""Slips whose gradient has another shape than the input: JAX itself refuses the rule."""

SUMMED_BY_TORCH = "no sum over the batch"
"""No slip in PyTorch, which sums a gradient over the axes along which its input was broadcast."""


def slips_of(made: layers.Layer, first: int) -> dict[str, Any]:
    """The slips that one library is tried with, all of them in CI."""
    assert len(made.slips) >= 5
    return dict(islice(made.slips.items(), 0 if ALL_SLIPS else first, None, 1 if ALL_SLIPS else 2))


@pytest.mark.parametrize("layer", layers.LAYERS)
def test_custom_rules_of_jax_are_judged(layer: str) -> None:
    made = _jax_layers()[layer]()
    assert check_vjp(with_rule(made.forward, made.backward), *made.inputs, points=2).kind == "right"
    slips, named = slips_of(made, 0), 0
    for slip, (backward, mistakes, _) in slips.items():
        verdict = check_vjp(with_rule(made.forward, backward), *made.inputs, points=2)
        assert verdict.kind == "wrong", (slip, verdict.message)
        named += verdict.mistake in mistakes or slip in REFUSED_BY_JAX
    assert named >= 0.8 * len(slips) - SPARE


def test_a_custom_jvp_and_a_gradient_of_jax_are_judged() -> None:
    @jax.custom_jvp
    def twice(x: Any) -> Any:
        return 2 * jnp.sin(x)

    twice.defjvp(lambda primals, tangents: (twice(*primals), jnp.cos(primals[0]) * tangents[0]))
    assert check_jvp(twice, None, X).mistake == "missing_factor"
    assert check_grad(lambda x: jnp.sum(jnp.sin(x)), None, X).kind == "right"


def test_parameters_in_a_mapping_are_refused_with_advice() -> None:
    with pytest.raises(InputError, match="one array per input"):
        check_vjp(lambda p: p["w"], None, {"w": X})


def _torch_cases() -> list[str]:
    return (
        "celu elu gelu gelu_tanh glu hardshrink hardsigmoid hardswish hardtanh leaky_relu "
        "log_softmax logsigmoid mish relu relu6 selu silu softmax softmin softplus softshrink "
        "softsign tanhshrink tanh sigmoid threshold normalize prelu "
        "rms_norm layer_norm batch_norm group_norm instance_norm local_response_norm "
        "mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
        "binary_cross_entropy_with_logits cross_entropy cross_entropy_soft nll_loss kl_div "
        "poisson_nll_loss gaussian_nll_loss soft_margin_loss hinge_embedding_loss "
        "multilabel_soft_margin_loss multi_margin_loss triplet_margin_loss cosine_embedding_loss "
        "margin_ranking_loss cosine_similarity pdist pairwise_distance "
        "scaled_dot_product_attention linear bilinear"
    ).split()


def _torch_case(name: str) -> tuple[Callable[..., Any], list[Any], list[str] | None]:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    f = torch.nn.functional
    torch.manual_seed(0)
    x, y = 2 * torch.randn(3, 4), torch.randn(3, 4)
    w, b, image = torch.randn(4), torch.randn(4), torch.randn(2, 3, 4)
    part, sign = 0.05 + 0.9 * torch.rand(3, 4), torch.sign(torch.randn(3, 4))
    labels, log_p, q = torch.tensor([0, 2, 1]), torch.log_softmax(x, 1), torch.softmax(y, 1)
    cases: dict[str, tuple[Callable[..., Any], list[Any]]] = {
        "gelu_tanh": (lambda x: f.gelu(x, approximate="tanh"), [x]),
        "threshold": (lambda x: f.threshold(x, 0.1, -1.0), [x]),
        "prelu": (f.prelu, [x, torch.rand(4)]),
        "rms_norm": (lambda x, w: f.rms_norm(x, (4,), w), [x, w]),
        "layer_norm": (lambda x, w, b: f.layer_norm(x, (4,), w, b), [x, w, b]),
        "batch_norm": (lambda x, w, b: f.batch_norm(x, None, None, w, b, training=True), [x, w, b]),
        "group_norm": (lambda x, w, b: f.group_norm(x, 2, w, b), [x, w, b]),
        "instance_norm": (f.instance_norm, [image]),
        "local_response_norm": (lambda x: f.local_response_norm(x, 2), [image]),
        "binary_cross_entropy": (f.binary_cross_entropy, [part, part.flip(0)]),
        "binary_cross_entropy_with_logits": (f.binary_cross_entropy_with_logits, [x, part]),
        "cross_entropy": (f.cross_entropy, [x, labels]),
        "cross_entropy_soft": (f.cross_entropy, [x, q]),
        "nll_loss": (f.nll_loss, [log_p, labels]),
        "kl_div": (lambda a, b: f.kl_div(a, b, reduction="batchmean"), [log_p, q]),
        "poisson_nll_loss": (f.poisson_nll_loss, [x, part]),
        "gaussian_nll_loss": (f.gaussian_nll_loss, [x, y, part]),
        "multi_margin_loss": (f.multi_margin_loss, [x, labels]),
        "triplet_margin_loss": (f.triplet_margin_loss, [x, y, part]),
        "cosine_embedding_loss": (f.cosine_embedding_loss, [x, y, torch.tensor([1, -1, 1])]),
        "margin_ranking_loss": (f.margin_ranking_loss, [x, y, sign]),
        "multilabel_soft_margin_loss": (f.multilabel_soft_margin_loss, [x, (sign + 1) / 2]),
        "scaled_dot_product_attention": (f.scaled_dot_product_attention, [x, y, part]),
        "linear": (f.linear, [x, y, torch.randn(3)]),
        "bilinear": (f.bilinear, [x, y, torch.randn(2, 4, 4)]),
    }
    if name in ("log_softmax", "softmax", "softmin"):
        return (lambda x: getattr(f, name)(x, dim=1)), [x], None
    if name in ("soft_margin_loss", "hinge_embedding_loss"):
        return getattr(f, name), [x, sign], ["input"]
    if name in cases:
        return *cases[name], None
    two = name in (
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "cosine_similarity",
        "pairwise_distance",
    )
    return getattr(f, name), [x, y] if two else [x], None


@pytest.mark.torch
@pytest.mark.parametrize("name", _torch_cases())
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
def test_no_function_of_torch_nn_functional_is_called_wrong(name: str, double: bool) -> None:
    fn, inputs, wrt = _torch_case(name)
    cast = [v.double() if double and v.is_floating_point() else v for v in inputs]
    names = ["input", *(f"input{k}" for k in range(1, len(cast)))]
    verdict = check_vjp(fn, None, *cast, names=names, wrt=wrt, points=2)
    assert verdict.kind in ("right", "right_under") or (not double and verdict.kind == "undecided")


@pytest.mark.torch
@pytest.mark.parametrize("layer", layers.LAYERS)
def test_autograd_functions_of_torch_are_judged(layer: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    made = layers.LAYERS[layer]()

    def function(rule: Callable[..., Any]) -> Callable[..., Any]:
        class Layer(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                ctx.save_for_backward(*inputs)
                value = made.forward(*(t.detach().numpy() for t in inputs))
                return torch.from_numpy(np.array(value))

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                given = rule(g.numpy(), *(t.detach().numpy() for t in ctx.saved_tensors))
                parts = list(given) if isinstance(given, tuple) else [given]
                parts += [None] * (len(ctx.saved_tensors) - len(parts))
                return tuple(None if p is None else torch.from_numpy(np.array(p)) for p in parts)

        return Layer.apply

    inputs = [torch.from_numpy(v) for v in made.inputs]
    assert check_vjp(function(made.backward), None, *inputs, points=2).kind == "right"
    slips, named = slips_of(made, 1), 0
    for slip, (rule, mistakes, _) in slips.items():
        verdict = check_vjp(function(rule), None, *inputs, points=2)
        if slip == SUMMED_BY_TORCH:
            assert verdict.kind == "right", verdict.message
            continue
        assert verdict.kind == "wrong", (slip, verdict.message)
        named += verdict.mistake in mistakes
    assert named >= 0.75 * len(slips) - SPARE


@pytest.mark.torch
def test_the_parameters_of_a_torch_module_are_judged() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3), torch.nn.GELU())
    verdict = check_vjp(module, torch.from_numpy(X).float())
    assert verdict.kind == "right" and "0.weight" in verdict.message and "1.bias" in verdict.message


@pytest.mark.torch
def test_an_input_that_autograd_leaves_out_counts_as_zero() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    x = torch.from_numpy(X)
    verdict = check_vjp(lambda x, w: x * w.detach(), None, x, x + 1)
    assert verdict.mistake == "missing_path" and "gradient of w" in verdict.message


def test_a_function_of_numpy_without_a_backward_function_is_refused() -> None:
    for fn in (np.tanh, lambda v: np.tanh(v) * 2):
        with pytest.raises(InputError, match="No backward function was given") as caught:
            check_vjp(fn, X)
        assert "check_vjp(forward, backward, x)" in caught.value.hint


def test_what_is_no_function_of_the_inputs_is_refused_with_what_to_give() -> None:
    for fn, inputs, said in (
        ("tanh(x)", (X,), "bp.check"),
        (np.tanh, (lambda g, x: g,), "check_vjp(forward, backward, x, w)"),
    ):
        with pytest.raises(InputError) as caught:
            check_vjp(fn, *inputs)  # type: ignore[arg-type]
        assert said in caught.value.hint


@pytest.mark.torch
def test_functions_of_torch_are_known_as_such_whatever_the_inputs_are() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 3 * g * ctx.saved_tensors[0]

    for x in (X, torch.from_numpy(X)):
        assert check_vjp(Square.apply, x).kind == "wrong"
        assert check_vjp(lambda x: 2 * Square.apply(x), x).kind == "wrong"
    assert check_vjp(torch.tanh, X).kind == "right"
    with pytest.raises(InputError) as caught:
        check_vjp(Square, X)
    assert "Square.apply" in caught.value.hint
    with pytest.raises(InputError) as caught:
        check_vjp(torch.nn.Linear, X)
    assert "Give an instance: Linear(...)" in caught.value.hint


@pytest.mark.parametrize("error", [1.0, 2.0])
def test_what_is_no_tensor_reaches_an_autograd_function_as_it_is(error: float) -> None:
    torch = pytest.importorskip("torch")

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, k: float, how: str, axes: tuple[int, ...]) -> Any:
            assert (type(k), how, axes) == (float, "same", (0, 1))
            ctx.k = k
            return x * k

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.k * error, None, None, None

    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    verdict = check_vjp(Scale.apply, x, 1.5, "same", (0, 1))
    assert verdict.kind == ("right" if error == 1 else "wrong")
    assert "1.5" not in verdict.message
