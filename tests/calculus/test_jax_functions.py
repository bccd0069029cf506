"""Functions of JAX as people write them, against JAX's own derivatives."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

from backprove.calculus import Derivation, derive
from backprove.errors import Unsupported

SIZES = {"n": 4, "d": 3, "k": 2, "m": 5}

Case = tuple[Callable, str, dict[str, str]]


def drawn(shapes: dict[str, str], seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, words in shapes.items():
        shape = [SIZES.get(w) or int(w) for w in words.split()]
        found[name] = np.asarray(0.6 * rng.normal(size=shape))
        if len(shape) == 2 and shape[0] == shape[1]:
            found[name] += 1.6 * np.eye(shape[0])
    return found


def agrees(function: Callable, wrt: str, shapes: dict[str, str], order: int = 1) -> Derivation:
    """The derivation, after its value, code and derivative were compared with JAX."""
    derivation = derive(function, wrt, shapes, order=order)
    assert isinstance(derivation, Derivation)
    values = drawn(shapes, seed=len(shapes))
    with jax.enable_x64(True):
        given = {n: jnp.asarray(v) for n, v in values.items()}
        along = lambda x: function(**{**given, wrt: x})  # noqa: E731
        differentiate = jax.jacfwd if order == 1 else jax.hessian
        expected = np.asarray(jax.jit(differentiate(along))(given[wrt]))
    found = np.asarray(derivation.evaluate(values))
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-9), derivation.index_form
    return derivation


def gaussian_process(y, X, s):
    distances = jnp.sum((X[:, None] - X[None]) ** 2, -1)
    K = jnp.exp(-0.5 * distances) + (0.1 + s**2) * jnp.eye(X.shape[0])
    return -0.5 * y @ jnp.linalg.solve(K, y) - 0.5 * jnp.linalg.slogdet(K)[1]


def contrastive(a, b):
    a = a / jnp.linalg.norm(a, axis=1, keepdims=True)
    b = b / jnp.linalg.norm(b, axis=1, keepdims=True)
    return -jnp.mean(jnp.diag(nn.log_softmax(a @ b.T / 0.1)))


def causal_attention(X, W):
    scores = jnp.where(jnp.tril(jnp.ones((4, 4))) == 1, X @ W @ X.T, -1e9)
    return nn.softmax(scores, -1) @ X


FUNCTIONS: list[Case] = [
    (lambda A: jnp.linalg.inv(A), "A", {"A": "n n"}),
    (lambda A: jnp.linalg.inv(A), "A", {"A": "4 4"}),
    (lambda A: jnp.linalg.det(A), "A", {"A": "n n"}),
    (lambda A: jnp.linalg.det(A), "A", {"A": "3 3"}),
    (lambda A: jnp.linalg.slogdet(A)[1], "A", {"A": "n n"}),
    (lambda A, b: jnp.linalg.solve(A, b), "A", {"A": "n n", "b": "n"}),
    (lambda A, B: jnp.linalg.solve(A, B), "B", {"A": "n n", "B": "n k"}),
    (lambda A: jnp.diag(A), "A", {"A": "n n"}),
    (lambda x: jnp.diag(x), "x", {"x": "n"}),
    (lambda X, W: jax.vmap(lambda r: nn.softmax(W @ r))(X), "W", {"X": "n d", "W": "k d"}),
    (lambda X, W: jax.vmap(lambda r: nn.log_softmax(W @ r))(X), "X", {"X": "n d", "W": "k d"}),
    (lambda X, W: jax.vmap(lambda r: nn.logsumexp(W @ r))(X), "W", {"X": "n d", "W": "k d"}),
    (
        lambda Q, K, V: jax.vmap(lambda q: nn.softmax(K @ q) @ V)(Q),
        "K",
        {"Q": "n d", "K": "m d", "V": "m k"},
    ),
    (lambda x: nn.glu(x), "x", {"x": "6"}),
    (lambda x: jnp.pad(x, 2), "x", {"x": "5"}),
    (lambda x: jnp.tile(x, 2), "x", {"x": "n"}),
    (lambda x: jnp.stack([x, x**2, x**3], 1), "x", {"x": "n"}),
    (lambda x: jnp.exp2(x), "x", {"x": "n"}),
    (lambda x: x[jnp.array([0, 2, 2])], "x", {"x": "5"}),
    (lambda X: X[:, jnp.array([2, 0])], "X", {"X": "n 3"}),
    (lambda X: X[jnp.array([1, 0]), jnp.array([2, 1])], "X", {"X": "2 3"}),
    (
        lambda z: -jnp.mean(nn.log_softmax(z)[jnp.arange(4), jnp.array([0, 2, 1, 0])]),
        "z",
        {"z": "4 3"},
    ),
    (lambda x: jnp.array([[1.0, 2.0], [3.0, -4.5]]) @ x, "x", {"x": "2"}),
    (lambda x: jnp.arange(4.0) * x, "x", {"x": "4"}),
    (lambda x: nn.one_hot(jnp.array([0, 2]), 3) * x, "x", {"x": "2 3"}),
    (lambda x: jnp.average(x, weights=jnp.array([1.0, 2.0, 3.0])), "x", {"x": "3"}),
    (gaussian_process, "X", {"y": "4", "X": "4 d", "s": ""}),
    (gaussian_process, "s", {"y": "4", "X": "4 d", "s": ""}),
    (contrastive, "a", {"a": "n d", "b": "n d"}),
    (causal_attention, "W", {"X": "4 d", "W": "d d"}),
    (lambda x: jax.grad(lambda t: jnp.sum(jnp.tanh(t) ** 2))(x), "x", {"x": "n"}),
]


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda c: f"{FUNCTIONS.index(c)}-{c[1]}")
def test_a_function_has_the_derivative_that_jax_gives_it(case: Case) -> None:
    agrees(*case)


def test_linear_algebra_is_one_operation() -> None:
    assert agrees(lambda A: jnp.linalg.inv(A)[0], "A", {"A": "n n"}).program.operations[0].name
    derivation = agrees(lambda A: jnp.linalg.slogdet(A)[1], "A", {"A": "n n"})
    assert derivation.matrix_form == "inv(A).T"
    assert agrees(lambda A: jnp.linalg.det(A), "A", {"A": "3 3"}).matrix_form == "det(A)*inv(A).T"


def test_a_vmapped_softmax_is_a_softmax() -> None:
    derivation = agrees(lambda X: jax.vmap(nn.softmax)(X @ X.T), "X", {"X": "n d"})
    assert "softmax(" in derivation.index_form and "exp" not in derivation.index_form


def test_a_users_function_called_inv_is_not_the_inverse() -> None:
    @jax.jit
    def inv(x):
        return 1 / x

    assert agrees(lambda X: inv(X), "X", {"X": "n n"}).structure.kind == "diagonal"


@pytest.mark.parametrize(
    "function",
    [
        lambda A, B: jax.vmap(jnp.linalg.solve, (None, 0))(A, B),
        lambda A, B: jax.vmap(jnp.linalg.solve, (None, 1))(A, B),
        lambda A, B: jax.vmap(lambda b: jnp.linalg.inv(A) @ b)(B),
    ],
)
def test_solving_under_vmap_is_right_or_refused(function: Callable) -> None:
    shapes = {"A": "3 3", "B": "3 3"}
    try:
        derive(function, "B", shapes)
    except Unsupported:
        with pytest.raises(Unsupported, match=r"test_jax_functions\.py, line"):
            derive(function, "B", shapes)
    else:
        agrees(function, "B", shapes)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.scan(lambda c, t: (c + t, c * t), 0.0, x)[0],
        lambda x: lax.while_loop(lambda c: c < 3, lambda c: c + 1.0, jnp.sum(x)),
        lambda x: jnp.sort(x),
        lambda x: jnp.linalg.cholesky(jnp.outer(x, x)),
        lambda x: x.at[0].set(0.0),
        lambda x: x @ jnp.arange(100.0).reshape(4, 25),
    ],
)
def test_what_is_not_read_is_refused_by_its_name_and_line(function: Callable) -> None:
    with pytest.raises(Unsupported, match=r"test_jax_functions\.py, line \d+|constant array"):
        derive(function, "x", {"x": "4"})


def test_a_maximum_of_another_axis_than_that_of_the_sum_is_no_softmax() -> None:
    def mixed(X):
        top = lax.stop_gradient(jnp.max(X, axis=0))
        return jnp.exp(X - top[:, None])

    with pytest.raises(Unsupported, match="stop_gradient"):
        derive(mixed, "X", {"X": "4 4"})


@pytest.mark.parametrize(
    ("function", "size", "message"),
    [
        (lambda x: x[jnp.array([0, 9])], "4", "outside of its array"),
        (lambda x: x[jnp.array([0, -9])], "4", "outside of its array"),
        (lambda x: lax.dynamic_slice(x, (3,), (2,)), "4", "outside of its array"),
        (lambda x: x[7], "4", "outside of its array"),
        (lambda x: x[jnp.array([0, 2])], "n", r"named size \(test_jax_functions.py, line"),
        (lambda x: x[jnp.arange(3) + jnp.array([0, 2, 1])], "n", "named size"),
        (lambda x: x * int(x.shape[0]), "n", "named size as a number"),
        (lambda x: np.sin(x), "n", "array as numbers"),
    ],
)
def test_what_jax_moves_or_cannot_know_is_refused(function: Callable, size: str, message: str):
    with pytest.raises(Unsupported, match=message):
        derive(function, "x", {"x": size})


def test_numbers_that_are_short_fractions_are_printed_and_read_as_such() -> None:
    found = agrees(lambda x: jnp.linalg.norm(x, ord=3), "x", {"x": "n"})
    assert found.index_form == "J[i] = sign(x[i])·x[i]^2/(Σ_j abs(x[j])^3)^(2/3)"
