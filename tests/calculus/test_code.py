"""Printed code runs as printed and computes what the derivation says."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from backprove.calculus import derive
from backprove.calculus.derivation import Derivation
from backprove.errors import InputError, Unsupported
from backprove.notation.evaluation import Evaluator
from oracles.jax_by_numpy import traced
from oracles.random_expressions import SHAPES as RANDOM_SHAPES
from oracles.random_expressions import random_expression
from oracles.text_jax import function_of

SHAPES = {
    "X": "n d",
    "Y": "n d",
    "W": "k d",
    "A": "n n",
    "T": "n k d",
    "x": "d",
    "p": "d",
    "y": "n",
    "z": "k",
    "s": "",
}
DOMAIN = {"p": "positive"}
SIZES = {"n": 4, "d": 3, "k": 2}

EXPRESSIONS = [
    ("X @ W.T", "W"),
    ("norm(X @ x - y)**2", "x"),
    ("norm(X, axis=1, keepdims=True)*X", "X"),
    ("softmax(X)", "X"),
    ("softmax(X, axis=0)", "X"),
    ("-sum(softmax(X)*log_softmax(Y))", "X"),
    ("log_softmax(z)", "z"),
    ("logsumexp(X, axis=1) + logsumexp(X)", "X"),
    ("(X - mean(X, axis=0))/sqrt(var(X, axis=0) + 1/100)", "X"),
    ("inv(A) @ y", "A"),
    ("logdet(A @ A.T + 3*eye(n)) + 1/7*det(A)", "A"),
    ("trace(A @ A)*eye(n) + diag(y) - diag(diag(A))", "A"),
    ("max(X, axis=1)*min(X, axis=1)", "X"),
    ("max(X) - min(X) + prod(X)", "X"),
    ("prod(X, axis=0)", "X"),
    ("exp(x)*log(p) - log1p(p)/expm1(x)", "x"),
    ("p**x + x**3 - p**(-1/2) + p**(1/3) + sqrt(p)", "p"),
    ("sin(x)*cos(x) + tan(s)*tanh(x) + arctan(x)", "x"),
    ("sinh(x) + cosh(x)*square(x)", "x"),
    ("abs(x)*sign(x) + maximum(x, p) - minimum(x, s)", "x"),
    ("relu(x) + leaky_relu(x) + elu(x) + selu(x)", "x"),
    ("leaky_relu(x, 0.2) + elu(x, 1.5)", "x"),
    ("p**tanh(where(pi <= 0.3, s, 2*pi))", "p"),
    ("gelu(x) + gelu_tanh(x) + silu(x) + mish(x)", "x"),
    ("sigmoid(x)*softplus(x) + logsigmoid(x) + erf(x)", "x"),
    ("softsign(x) + relu6(4*x) + hardtanh(x) + hardsigmoid(x)", "x"),
    ("where(x > p, x**2, s*x)", "x"),
    ("(x >= p)*x + (x < 0)*x**2 + (x != 0) - (x == p)", "x"),
    ("clip(x, -1/2, 1/2) + clip(x, -p, p)", "x"),
    ("outer(x, y) @ A", "x"),
    ("kron(W, A)", "A"),
    ("kron(sigmoid(X.T)/(1 + sum(X.T**2, axis=1, keepdims=True)), X)", "X"),
    ('einsum("nkd,k->dn", T, z)', "T"),
    ('einsum("ij,ij->i", X, Y)*y', "X"),
    ("concatenate([x[1:], y, x[:1]])", "x"),
    ("stack([x, 2*p, x**2], axis=1)", "x"),
    ("cumsum(X, axis=1) + cumsum(X, axis=0)", "X"),
    ("tril(A, k=1) @ triu(A)", "A"),
    ("reshape(X, (d, n))", "X"),
    ("reshape(T, (-1,))[::3]", "T"),
    ("transpose(T, (2, 0, 1))*y[:, None]", "T"),
    ("X[::-1, 1:]*X[:, :-1]*X[0, 1]", "X"),
    ("X[:, None, :]*W", "W"),
    ("ones((n, k)) @ W*pi + e*zeros((n, d)) + n/d", "W"),
    ("dot(x, p)*s + norm(T)", "T"),
    ("sum(T, axis=(0, 2)) + mean(T, axis=(0, 2))", "T"),
    ("Y", "X"),
    ("s**2", "s"),
    ("2*s", "s"),
    ("sum(softmax(z))", "z"),
    ("n*pi + 0*s", "s"),
    ("y[2]*X[2, 1]", "y"),
]


def _values(seed: int, shapes: dict[str, str], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {
        name: np.asarray(0.8 * rng.normal(size=[sizes[s] for s in shape.split()]))
        for name, shape in shapes.items()
    }
    if "p" in found:
        found["p"] = np.abs(found["p"]) + 0.1
    return found


def _run(
    source: str,
    target: str,
    values: dict[str, np.ndarray],
    extra: dict[str, Any],
    run_by_jax: bool = False,
) -> Any:
    """Execute the printed source alone and call its last function by the names of its arguments."""
    scope: dict[str, Any] = {}
    exec(compile(source, "printed", "exec"), scope)
    name = source.rpartition("\ndef ")[2].partition("(")[0]
    function = scope[name]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = {n: {**values, **extra}[n] for n in names}
    if target == "torch":
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        result = function(**{n: torch.tensor(v) for n, v in given.items()})
        assert result.dtype == torch.float64
        return result.numpy()
    if target == "jax" and run_by_jax:
        return np.asarray(function(**{n: jax.numpy.asarray(v) for n, v in given.items()}))
    if target == "jax":  # traced by JAX and computed without compiling, which takes most of a test
        return np.asarray(traced(function, *given.values()))
    return np.asarray(function(**given))


def _check(derivation: Derivation, target: str, values, function, wrt: str) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    expected = np.asarray(derivation.evaluate(values))
    at = values[wrt]
    output = np.asarray(function(at))
    g, v = rng.normal(size=output.shape), rng.normal(size=at.shape)
    wanted = {
        "value": output,
        "jacobian": expected,
        "vjp": np.tensordot(g, expected, output.ndim),
        "jvp": np.tensordot(expected, v, at.ndim),
    }
    for what, answer in wanted.items():
        source = derivation.code(target, what)
        given = _run(source, target, values, {"g": g, "v": v})
        assert given.shape == answer.shape, (what, source)
        np.testing.assert_allclose(
            given, answer, rtol=1e-9, atol=1e-9, err_msg=f"{what} of {derivation.f}\n{source}"
        )


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


TARGETS = ["numpy", "jax", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.fixture
def target(request: pytest.FixtureRequest) -> str:
    if request.param == "torch":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    return request.param


@pytest.mark.parametrize("target", TARGETS, indirect=True)
@pytest.mark.parametrize(("text", "wrt"), EXPRESSIONS)
def test_printed_code_agrees_with_the_derivation_and_the_value_with_the_program(
    text: str, wrt: str, target: str
) -> None:
    derivation = derive(text, wrt, SHAPES, domain=DOMAIN)
    assert isinstance(derivation, Derivation)
    values = _values(1, SHAPES, SIZES)
    function = _program_value(derivation, values, wrt)
    _check(derivation, target, values, function, wrt)


def _program_value(derivation: Derivation, values: dict[str, np.ndarray], wrt: str):  # type: ignore[no-untyped-def]
    program = derivation.program
    arrays = {program.symbols[n]: v for n, v in values.items()}
    if derivation.array not in arrays:
        arrays[derivation.array] = values[wrt]
    return lambda _: Evaluator(arrays, SIZES).tensor(program.tensor())


@pytest.mark.parametrize(
    ("text", "wrt"),
    [e for e in EXPRESSIONS[:19] if "sinh" not in e[0]]
    + [e for e in EXPRESSIONS if "einsum" in e[0]],
)
def test_printed_jacobians_equal_those_of_jax(text: str, wrt: str) -> None:
    derivation = derive(text, wrt, SHAPES, domain=DOMAIN)
    assert isinstance(derivation, Derivation)
    values = _values(2, SHAPES, SIZES)
    function = function_of(text, {**values, **SIZES}, wrt)
    expected = np.asarray(jax.jit(jax.jacobian(function))(jax.numpy.asarray(values[wrt])))
    for target in ("numpy", "jax"):
        given = _run(derivation.code(target), target, values, {}, run_by_jax=True)
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_printed_code_of_random_expressions_agrees_with_the_derivation(target: str) -> None:
    for seed in range(900_000, 900_012):
        text, wrt = random_expression(seed)
        derivation = derive(text, wrt, RANDOM_SHAPES)
        assert isinstance(derivation, Derivation)
        values = _values(seed, RANDOM_SHAPES, SIZES)
        function = _program_value(derivation, values, wrt)
        _check(derivation, target, values, function, wrt)


@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_printed_hessians_and_denominator_layout_agree_with_the_derivation(target: str) -> None:
    values = _values(3, SHAPES, SIZES)
    for options in ({"order": 2}, {"layout": "denominator"}):
        derivation = derive("log_softmax(W @ x)", "x", SHAPES, **options)
        given = _run(derivation.code(target), target, values, {})
        np.testing.assert_allclose(given, derivation.evaluate(values), rtol=1e-9, atol=1e-9)


def test_a_long_program_keeps_its_intermediate_values_in_the_printed_code() -> None:
    text = "x" + "".join(f" + sin({k}*x)" for k in range(1, 70))
    derivation = derive(text, "x", {"x": "d"})
    assert isinstance(derivation, Derivation)
    assert derivation.definitions
    values = {"x": np.linspace(-1.0, 2.0, 3)}
    given = _run(derivation.code(), "numpy", values, {})
    np.testing.assert_allclose(given, derivation.evaluate(values), rtol=1e-9, atol=1e-9)


def test_symbols_that_are_called_like_words_of_the_code_are_renamed() -> None:
    shapes = {"lambda": "n", "np": "n", "g": "n", "t1": "n", "h1": "n", "n": "n", "softmax": "n"}
    values = {name: np.linspace(0.1, 1.0 + k, 4) for k, name in enumerate(shapes)}
    text = "lambda*np*g*t1*h1*n + softmax(softmax)*exp(lambda*np)"
    derivation = derive(text, "np", shapes)
    assert isinstance(derivation, Derivation)
    source = derivation.code("numpy", "vjp")
    upstream = np.linspace(1.0, 2.0, 4)
    head = source.rpartition("\ndef vjp(")[2].partition(")")[0].split(", ")
    scope: dict[str, Any] = {}
    exec(compile(source, "printed", "exec"), scope)
    given = scope["vjp"](*(values[n.rstrip("_")] for n in head[:-1]), upstream)
    expected = upstream @ np.asarray(derivation.evaluate(values))
    np.testing.assert_allclose(given, expected, rtol=1e-9)


def test_the_printed_jacobian_of_a_matrix_product_is_one_einsum_with_an_identity() -> None:
    derivation = derive("X @ W.T", "W", {"X": "n d", "W": "k d"})
    lines = derivation.code().splitlines()
    assert lines[0] == "import numpy as np"
    assert '    return np.einsum("il,jk->ijkl", X, np.eye(k))' in lines
    assert "        n×k×k×d" in lines


def test_the_printed_value_has_one_line_per_operation() -> None:
    derivation = derive("relu(X @ W.T + z)", "W", SHAPES)
    body = derivation.code("numpy", "value").partition('"""\n')[2].rpartition('"""\n')[2]
    assert body.splitlines() == [
        "    h1 = W.T",
        "    h2 = X @ h1",
        "    h3 = h2 + z",
        "    return relu(h3)",
    ]


def test_an_unknown_target_or_kind_is_an_error_that_names_the_known_ones() -> None:
    derivation = derive("x**2", "x", {"x": "d"})
    with pytest.raises(InputError, match="'numpi'; expected numpy or jax or torch"):
        derivation.code("numpi")
    with pytest.raises(InputError, match="expected value or jacobian or vjp or jvp"):
        derivation.code("numpy", "hessian")
    with pytest.raises(Unsupported, match="order=1"):
        derive("sum(x**2)", "x", {"x": "d"}, order=2).code("numpy", "vjp")
