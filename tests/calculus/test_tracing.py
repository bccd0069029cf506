"""Derivatives of traced JAX functions equal those of JAX, with named sizes kept symbolic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backprove.calculus import derive
from backprove.calculus.derivation import Derivation
from backprove.calculus.tracing import trace
from backprove.errors import ShapeError, UnknownName, Unsupported
from backprove.notation.shapes import declare

SIZES = {"n": 4, "d": 3, "k": 2, "m": 5, "h": 2}


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def dense(X: Any, W: Any, b: Any) -> Any:
    return jax.nn.relu(X @ W.T + b)


def cross_entropy(X: Any, W: Any, Y: Any) -> Any:
    return -jnp.mean(jnp.sum(Y * jax.nn.log_softmax(X @ W.T), axis=-1))


def layer_norm(X: Any, g: Any, c: Any) -> Any:
    mean = X.mean(axis=-1, keepdims=True)
    variance = X.var(axis=-1, keepdims=True)
    return g * (X - mean) * jax.lax.rsqrt(variance + 1e-5) + c


def batch_norm(X: Any, g: Any, c: Any) -> Any:
    return g * (X - X.mean(0)) / jnp.sqrt(X.var(0) + 1e-5) + c


def attention(Q: Any, K: Any, V: Any) -> Any:
    return jax.nn.softmax(Q @ K.T / jnp.sqrt(Q.shape[-1]), axis=-1) @ V


def heads(A: Any, B: Any) -> Any:
    return jnp.einsum("hnd,hmd->hnm", A, B)


def one_hot_rows(X: Any) -> Any:
    return X * jnp.eye(X.shape[0])[:, :1] + jnp.tril(X @ X.T) @ X


def nearly_logsumexp(x: Any) -> Any:
    repeated = jnp.broadcast_to(x, (3, x.shape[0]))
    return jnp.log(jnp.exp(repeated - x.max()).sum(0)) + x.max()


def nearly_softmax(X: Any, Y: Any) -> Any:
    top = jnp.exp(X - X.max(1, keepdims=True))
    bottom = jnp.exp(Y - Y.max(1, keepdims=True)).sum(1, keepdims=True)
    other = jnp.exp(X - X.max(0, keepdims=True)).sum(0, keepdims=True)
    return top / bottom + top / other


def powers(x: Any) -> Any:
    return x**2.5 + 2.0**x + x**x


CASES: list[tuple[Callable[..., Any], dict[str, str]]] = [
    (dense, {"X": "n d", "W": "k d", "b": "k"}),
    (cross_entropy, {"X": "n d", "W": "k d", "Y": "n k"}),
    (layer_norm, {"X": "n d", "g": "d", "c": "d"}),
    (batch_norm, {"X": "n d", "g": "d", "c": "d"}),
    (attention, {"Q": "n d", "K": "m d", "V": "m k"}),
    (heads, {"A": "h n d", "B": "h m d"}),
    (lambda x: jax.nn.gelu(x), {"x": "n"}),
    (lambda x: jax.nn.gelu(x, approximate=False), {"x": "n"}),
    (lambda X: jax.nn.logsumexp(X, axis=1), {"X": "n d"}),
    (lambda X: jax.nn.logsumexp(X), {"X": "n d"}),
    (lambda X: jax.nn.softmax(X, axis=0), {"X": "n d"}),
    (lambda X: jax.nn.logsumexp(X, axis=0, keepdims=True) * X, {"X": "n d"}),
    (lambda X: jax.nn.softmax(X, axis=(0, 1)) + jnp.exp(X - X.max()), {"X": "n d"}),
    (lambda x: jnp.log(jnp.exp(x[None, :] * jnp.ones((3, 1)) - x.max()).sum(0)), {"x": "n"}),
    (lambda X: (lambda e: e / e.sum(0))(jnp.exp(X - X.max(1, keepdims=True))), {"X": "n d"}),
    (lambda X: (X @ X.T)[1] * jnp.array(2.0) + X.reshape(-1, 1).sum(0), {"X": "n d"}),
    (lambda X: jax.nn.log_softmax(X, axis=0), {"X": "n d"}),
    (lambda x: jax.nn.silu(x) + jax.nn.softplus(x) + jnp.tanh(x) * x**3, {"x": "n"}),
    (lambda x: jax.nn.elu(x) + jax.nn.leaky_relu(x) + jnp.abs(x), {"x": "n"}),
    (lambda x: jnp.where(x > 0.1, jnp.sin(x), x * jnp.cos(x)), {"x": "n"}),
    (lambda x: jnp.clip(x, -0.5, 0.5) + jnp.maximum(x, x[::-1]) - jnp.sign(x), {"x": "n"}),
    (lambda X: X.reshape(-1)[1:] * 2, {"X": "n d"}),
    (lambda x, y: jnp.concatenate([x, jnp.exp(y), x]), {"x": "n", "y": "d"}),
    (lambda X: jnp.cumsum(X, axis=1) + X[0, 1] + X.sum(), {"X": "n d"}),
    (lambda X: X.max(1) * X.min(1) + X.prod(1) + jnp.linalg.norm(X), {"X": "n d"}),
    (lambda x: jnp.eye(x.shape[0]) * x + x[:, None] * jnp.log1p(x**2), {"x": "n"}),
    (lambda x: jnp.sqrt(1 + x**2) / jnp.expm1(x + 3) + jax.lax.erf(x), {"x": "n"}),
    (powers, {"x": "n"}),
    (nearly_logsumexp, {"x": "n"}),
    (nearly_softmax, {"X": "n d", "Y": "n d"}),
    (lambda X: jnp.transpose(X[:, None, :] * jnp.ones((2, 1)), (2, 0, 1)), {"X": "n d"}),
    (lambda x: jax.nn.one_hot(jnp.arange(3), 4)[0, 0] * x, {"x": "n"}),
    (lambda X: jnp.mean((X - X.mean(0)) ** 2) + jnp.var(X), {"X": "n d"}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_jacobians_of_traced_functions_equal_those_of_jax(case: int) -> None:
    function, shapes = CASES[case]
    rng = np.random.default_rng(case)
    values = {
        n: np.asarray(rng.normal(size=[SIZES[s] for s in shape.split()]))
        for n, shape in shapes.items()
    }
    if function is powers:
        values = {n: np.abs(v) + 0.2 for n, v in values.items()}
    for position, wrt in enumerate(values):
        derivation = derive(function, wrt, shapes)
        assert isinstance(derivation, Derivation)
        given = np.asarray(derivation.evaluate(values))
        arrays = [jnp.asarray(v) for v in values.values()]
        expected = np.asarray(jax.jit(jax.jacobian(function, position))(*arrays))
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)
        assert {str(s) for s in derivation.array.shape} == set(shapes[wrt].split())
        scope: dict[str, Any] = {}
        exec(compile(derivation.code("numpy", "value"), "printed", "exec"), scope)
        np.testing.assert_allclose(
            scope["value"](**values), np.asarray(function(*arrays)), rtol=1e-9, atol=1e-9
        )
        if wrt != "X":
            continue
        exec(compile(derivation.code("numpy", "jacobian"), "printed", "exec"), scope)
        names = scope["jacobian"].__code__.co_varnames
        used = {n: v for n, v in values.items() if n in names}
        np.testing.assert_allclose(scope["jacobian"](**used), expected, rtol=1e-9, atol=1e-9)


def test_named_sizes_stay_symbolic_and_values_are_numbered() -> None:
    program = trace(dense, declare({"X": "n d", "W": "k d", "b": "k"}))
    assert [str(s) for s in program.output.shape] == ["n", "k"]
    assert [v.name for v in program.operations] == ["h1", "h2", "h3", "h4"]
    assert [v.operation for v in program.operations] == ["transpose", "matmul", "add", "relu"]


def test_the_stable_softmax_of_jax_is_read_as_one_softmax() -> None:
    derivation = derive(jax.nn.softmax, "x", {"x": "k"})
    assert isinstance(derivation, Derivation)
    assert derivation.matrix_form == "diag(softmax(x)) - outer(softmax(x), softmax(x))"
    assert [v.operation for v in derivation.program.operations] == ["softmax"]


def test_functions_with_their_own_derivative_rule_are_named_in_the_text() -> None:
    program = trace(dense, declare({"X": "n d", "W": "k d", "b": "k"}))
    assert program.text.startswith("dense(X, W, b) (differentiated through the definition of relu")


@pytest.mark.parametrize(
    ("function", "primitive"),
    [
        (lambda x: jnp.sort(x), "sort"),
        (lambda x: jax.lax.stop_gradient(x) * x, "stop_gradient"),
        (lambda x: jnp.exp(x - jax.lax.stop_gradient(jnp.max(x))), "stop_gradient"),
        (lambda x: x[jnp.argmax(x)], "argmax"),
        (lambda x: jnp.floor(x) * x, "floor"),
        (lambda x: x.astype(int).astype(float), "convert_element_type"),
    ],
)
def test_an_unknown_primitive_is_an_error_with_its_name_and_line(
    function: Callable[..., Any], primitive: str
) -> None:
    with pytest.raises(Unsupported, match=primitive):
        derive(function, "x", {"x": "n"})


def test_the_line_of_an_unknown_primitive_is_given() -> None:
    with pytest.raises(Unsupported, match=r"'sort' \(test_tracing.py, line \d+\)"):
        derive(lambda x: jnp.sort(x), "x", {"x": "n"})


def test_bad_functions_are_clear_errors() -> None:
    with pytest.raises(UnknownName, match="argument 'y'"):
        derive(lambda x, y: x * y, "x", {"x": "n"})
    with pytest.raises(ShapeError, match="cannot be traced with these shapes"):
        derive(lambda x, y: x * y, "x", {"x": "n", "y": "m"})
    with pytest.raises(Unsupported, match="returns 2 arrays"):
        derive(lambda x: (x, x), "x", {"x": "n"})
    with pytest.raises(Unsupported, match="decides something by the values"):
        derive(lambda x: x if x[0] > 0 else -x, "x", {"x": "n"})
