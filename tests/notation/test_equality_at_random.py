"""Random expressions: true rewritings are never refuted, and what is proved agrees in numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backprove.errors import BackproveError
from backprove.notation import declare, lower
from backprove.notation.equality import compare
from backprove.notation.evaluation import Evaluator

SHAPES = {"x": "n", "y": "n", "a": "", "b": "", "A": "n n"}
SYMBOLS = declare(SHAPES)

LEAVES = ["x", "y", "a", "b", "2", "3", "A @ x", "A.T @ y", "0.5"]
FUNCTIONS = ["tanh", "sigmoid", "exp", "relu", "abs", "softplus", "sin", "sqrt", "sign", "silu"]
SLICES = ["sum", "softmax", "logsumexp", "max", "mean", "norm", "cumsum", "log_softmax"]


def _vector(text: str) -> str:
    return f"({text} + 0*x)"


def _combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds(
        lambda p, o, q: f"({p} {o} {q})", inner, st.sampled_from(["+", "-", "*", "/"]), inner
    )
    compared = st.builds(
        lambda p, o, q: f"({p} {o} {q})", inner, st.sampled_from([">", ">=", "=="]), inner
    )
    applied = st.builds(lambda f, p: f"{f}({p})", st.sampled_from(FUNCTIONS), inner)
    sliced = st.builds(lambda f, p: f"{f}({_vector(p)})", st.sampled_from(SLICES), inner)
    power = st.builds(lambda p, e: f"({p})**{e}", inner, st.sampled_from(["2", "3", "0.5", "(-1)"]))
    chosen = st.builds(lambda c, p, q: f"where({c} > 0, {p}, {q})", inner, inner, inner)
    both = st.builds(lambda p, q: f"maximum({p}, {q})", inner, inner)
    return st.one_of(binary, binary, compared, applied, sliced, power, chosen, both)


EXPRESSIONS = st.recursive(st.sampled_from(LEAVES), _combine, max_leaves=6)


MUTATIONS = [
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("x", "y"),
    ("y", "x"),
    ("a", "b"),
    ("2", "3"),
    ("A.T", "A"),
    ("A @", "A.T @"),
    (">=", ">"),
    (">", ">="),
    ("==", ">"),
    ("relu", "abs"),
    ("abs", "relu"),
    ("abs(", "("),
    ("sqrt(", "("),
    ("norm", "sum"),
    ("mean", "sum"),
    ("sum", "max"),
    ("maximum(", "0.5*("),
    ("**2", "**3"),
    ("0.5", "2"),
    ("sigmoid", "tanh"),
    ("softmax", "exp"),
    ("log_softmax", "softmax"),
    ("silu", "relu"),
]


def numbers(tensor, seed: int, n: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    arrays = {
        s: rng.normal(scale=spread, size=[z.at({"n": n}) for z in s.shape])
        for s in SYMBOLS.values()
    }
    return np.asarray(Evaluator(arrays, {"n": n}).tensor(tensor))


def numerically_equal(left, right) -> bool:
    """Whether two tensors agree at every random point where both are moderate numbers."""
    for seed in range(12):
        first, second = (numbers(t, seed, 2 + seed % 3, 0.3 + 0.2 * seed) for t in (left, right))
        usable = np.isfinite(first) & np.isfinite(second)
        usable &= (np.abs(first) < 1e6) & (np.abs(second) < 1e6)
        if not np.allclose(first[usable], second[usable], rtol=1e-5, atol=1e-5):
            return False
    return True


def tensors(*texts: str):
    try:
        found = [lower(t, SYMBOLS).tensor() for t in texts]
    except BackproveError:
        assume(False)
    assume(len({t.shape for t in found}) == 1)
    return found


def mutated(text: str, data: st.DataObject) -> str:
    """The text with one occurrence of something replaced."""
    possible = [m for m in MUTATIONS if m[0] in text]
    old, new = data.draw(st.sampled_from(possible or [("x", "y")]))
    places = [k for k in range(len(text)) if text.startswith(old, k)]
    assume(places)
    at = data.draw(st.sampled_from(places))
    return text[:at] + new + text[at + len(old) :]


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.data())
def test_an_expression_and_a_slip_in_it_are_equal_only_if_their_numbers_agree(text, data):
    left, right = tensors(text, mutated(text, data))
    found = compare(left, right)
    if found.status == "equal":
        assert numerically_equal(left, right)
    if found.status == "different":
        assert not numerically_equal(left, right)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS)
def test_two_random_expressions_are_equal_only_if_their_numbers_agree(first, second):
    left, right = tensors(_vector(first), _vector(second))
    if compare(left, right).status == "equal":
        assert numerically_equal(left, right)


REWRITINGS = [
    ("({0}) + ({1})", "({1}) + ({0})"),
    ("({0}) * (({1}) + ({2}))", "({0})*({1}) + ({0})*({2})"),
    ("(({0}) + ({1}))**2", "({0})**2 + 2*({0})*({1}) + ({1})**2"),
    ("exp(({0}) + ({1}))", "exp({0})*exp({1})"),
    ("tanh({0})", "2*sigmoid(2*({0})) - 1"),
    ("relu({0})", "maximum({0}, 0)"),
    ("abs({0})", "relu({0}) + relu(-({0}))"),
    ("sum({0} + 0*x)", "sum(1 + 0*x)*mean({0} + 0*x)"),
    ("softmax({0} + 0*x)", "softmax({0} + 0*x + a)"),
    ("log_softmax({0} + 0*x)", "({0}) - logsumexp({0} + 0*x)"),
    ("A @ (({0}) + 0*x)", "(({0}) + 0*x) @ A.T"),
    ("where({0} > 0, {1}, {2})", "where(({0}) <= 0, {2}, {1})"),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(REWRITINGS), EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_a_true_rewriting_is_never_refuted(rule, p, q, r):
    left, right = tensors(*(side.format(p, q, r) for side in rule))
    assert compare(left, right).status != "different"
