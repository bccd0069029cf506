"""What the printer of index forms writes, the reader reads back as the same expression."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.calculus.accumulation import backward
from backprove.notation import building as b
from backprove.notation import declare, lower
from backprove.notation.axes import Axis, Index
from backprove.notation.equality import compare
from backprove.notation.expressions import Expr, Tensor
from backprove.notation.index_reader import read_index_formula
from backprove.notation.index_text import index_text
from backprove.notation.known_values import surely_positive

SYMBOLS = declare(
    {"X": "n d", "W": "k d", "A": "m m", "w": "d", "z": "k", "x": "n", "t": "", "k1": "k k"}
)
SIZES = {
    s: a.shape[i]
    for s, a, i in [("n", SYMBOLS["X"], 0), ("d", SYMBOLS["X"], 1), ("k", SYMBOLS["z"], 0)]
}


def back(tensor: Tensor) -> Expr:
    """The printed formula, read again and put over the axes of the original."""
    formula = read_index_formula(index_text(tensor), SYMBOLS, expected_axes=tensor.shape)
    mapping = {a: Index.of(t) for a, t in zip(formula.tensor.axes, tensor.axes, strict=True)}
    return b.substitute(formula.tensor.body, mapping)


def same(body: Expr, tensor: Tensor) -> bool:
    """One expression, or two that are proved equal: common conditions are printed once."""
    return body is tensor.body or compare(Tensor(tensor.axes, body), tensor).proved


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """A random tensor over three axes of sizes n, d and k."""
    axes = tuple(Axis(SIZES[s]) for s in "ndk")
    return Tensor(axes, draw(terms(axes, 3)))


@st.composite
def terms(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int) -> Expr:
    """A random scalar expression over free axes."""
    kind = draw(st.sampled_from(LEAVES if depth == 0 else [*LEAVES, *INNER]))
    n, d, k = ([a for a in axes if a.size == SIZES[s]] for s in "ndk")
    pick = lambda among: draw(st.sampled_from(among))  # noqa: E731
    if kind == "number":
        return b.num(draw(st.fractions(-3, 3, max_denominator=7)))
    if kind == "entry":
        name = pick(["X", "W", "w", "z", "x", "t", "k1"])
        along = {"n": n, "d": d, "k": k}
        return b.ref(SYMBOLS[name], *(pick(along[str(s)]) for s in SYMBOLS[name].shape))
    if kind == "bracket":
        return pick([b.delta, lambda i, j: b.bracket("<=", Index.of(i) - j)])(pick(k), pick(k + n))
    if kind == "softmax":
        inner = Axis(SIZES["k"])
        return b.bind("softmax", [inner], b.ref(SYMBOLS["z"], inner), [pick(k)])
    below = lambda: draw(terms(axes, depth - 1))  # noqa: E731
    if kind == "add":
        return b.add(below(), below())
    if kind == "mul":
        return b.mul(below(), below())
    if kind == "power":
        exponents = [2, -1, 3]
        base = below()
        return b.power(base, pick(exponents)) if surely_positive(base) else b.power(base, 2)
    if kind == "function":
        return b.fn(pick(["exp", "tanh", "sigmoid", "relu", "sin"]), below())
    if kind == "test":
        return b.indicator(pick([">", ">="]), below())
    if kind == "where":
        return b.where(b.indicator(">", below()), below(), below())
    bound = Axis(SIZES[pick("ndk")])
    body = draw(terms((*axes, bound), depth - 1))
    # A sum over an index that runs along no axis of an array cannot be printed with its range.
    along = {"n": "x", "d": "w", "k": "z"}[str(bound.size)]
    return b.total([bound], b.mul(body, b.ref(SYMBOLS[along], bound)))


LEAVES = ["number", "entry", "bracket", "softmax"]
INNER = ["add", "mul", "power", "function", "test", "where", "sum", "mul"]


@settings(max_examples=150, deadline=None)
@given(tensors())
def test_a_printed_expression_is_read_back_as_itself(tensor: Tensor) -> None:
    assert same(back(tensor), tensor)


DERIVED = [
    ("X @ W.T", "W"),
    ("sum((X @ w - x)**2)", "w"),
    ("softmax(z)", "z"),
    ("norm(w)", "w"),
    ("norm(w)**2", "w"),
    ("w**2", "w"),
    ("inv(A)", "A"),
    ("logdet(A)", "A"),
    ("trace(A @ A)", "A"),
    ("tanh(W @ w)", "W"),
    ("relu(X @ w)", "w"),
    ("log(sum(exp(z)))", "z"),
    ("logsumexp(z)", "z"),
    ("mean(X, axis=0)", "X"),
    ("softmax(X @ W.T)", "X"),
    ("cumsum(x)", "x"),
    ("x[1:] - x[:-1]", "x"),
    ("x[::-1]", "x"),
    ("max(z)", "z"),
    ("outer(x, z)", "z"),
    ("z / sum(z)", "z"),
    ("(X - mean(X, axis=0)) / sqrt(var(X, axis=0) + 1)", "X"),
]


@pytest.mark.parametrize(("text", "wrt"), DERIVED)
def test_a_printed_derivative_is_read_back_as_itself(text: str, wrt: str) -> None:
    program = lower(text, SYMBOLS)
    array = SYMBOLS[wrt]
    (value,) = [v for v in program.inputs if v.array is array]
    adjoint = backward(program, [array]).tensor(value)
    tensor = Tensor(adjoint.axes, b.inline(adjoint.body, program.definitions))
    assert same(back(tensor), tensor)
