"""What kind of statement a line is."""

from __future__ import annotations

from fractions import Fraction

import pytest

from backprove.errors import NotationError
from backprove.notation import declare
from backprove.notation.axes import Size
from backprove.notation.claims import classify_claim, number_of

SYMBOLS = declare({"X": "n d", "W": "k d", "w": "d", "z": "k", "G": "n k", "h_a": "k"})

KINDS = [
    ("J[i,j,k,l] = X[i,l]*[i==k]", "index"),
    ("J_ijkl = X_il δ_jk", "index"),
    ("J_{ijkl} = X_{il} · 1[j=k]", "index"),
    ("J[i,j] == X[i,j]", "index"),
    ("delta[j,k]", "index"),
    ("δ_jk", "index"),
    ("sum(m, X[i,m]*W[m,l])", "index"),
    ("X[i,l]*[j==k]", "index"),
    ("∂σ_i/∂z_j = σ_i(δ_ij - σ_j)", "index"),
    ("dσ_i/dz_i = z_i", "index"),
    ("J = Σ_m z_m", "index"),
    ("tanh(z) == 2*sigmoid(2*z) - 1", "equality"),
    ("tanh(z) = 2*sigmoid(2*z) - 1", "equality"),
    ("1×d", "shape"),
    ("n d k d", "shape"),
    ("(n,k,k,d)", "shape"),
    ("(n, k)", "shape"),
    ("(d,)", "shape"),
    ("n x d", "shape"),
    ("3x4", "shape"),
    ("()", "shape"),
    ("scalar", "shape"),
    ("shape d", "shape"),
    ("shape(J) = n×d", "shape"),
    ("dW = G.T @ X", "vjp"),
    ("grad_W = G.T @ X", "vjp"),
    ("W_bar = G.T @ X", "vjp"),
    ("diagonal", "structure"),
    ("J is not block diagonal", "structure"),
    ("rank one", "structure"),
    ("df/dz = df/dh3 * dh3/dz", "path"),
    ("df/dz = df/dh3 * dh3/dz = 20.0855", "path"),
    ("∂f/∂z = ∂f/∂h2·∂h3/∂z = 1·e^3 ≈ 20.0855", "path"),
    ("∂f/∂h1 = ∂f/∂h1 = 1", "path"),
    ("h2 = 20.0855", "value"),
    ("h2 ≈ 20.0855", "value"),
    ("h2 = e**3 = 20.0855", "value"),
    ("df/dx = 1", "value"),
    ("∂f/∂y = 1·2·e³ ≈ 40.171", "value"),
    ("dz = -1/4", "value"),
    ("df/dx = 1/x", "matrix"),
    ("grad = 2*X.T@(X@w-y)", "matrix"),
    ("J = diag(s) - outer(s,s) where s = softmax(z)", "matrix"),
    ("J = 0", "matrix"),
    ("H = 2*X.T @ X", "matrix"),
    ("h2 = exp(z)", "definition"),
    ("h_a = exp(z)", "definition"),
    ("2*X.T @ X", "expression"),
    ("X[0, n - 1]", "expression"),
    ("0", "expression"),
    (r"J_{ij} = \delta_{ij}", "latex"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_a_line_is_of_its_kind(text: str, kind: str) -> None:
    assert classify_claim(text, SYMBOLS).kind == kind


def test_a_shape_has_its_sizes() -> None:
    sizes = tuple(Size.of(s) for s in "nkkd")
    for text in ("n k k d", "(n,k,k,d)", "n×k×k×d", "(n×k×k×d)", "n x k x k x d"):
        assert classify_claim(text).shape == sizes
    assert classify_claim("(d,)").shape == (Size.of("d"),)
    assert classify_claim("scalar").shape == classify_claim("()").shape == ()


def test_a_path_keeps_its_steps_and_its_value() -> None:
    text = "∂f/∂z = ∂f/∂h2·∂h3/∂z = 1·e^3 ≈ 20.0855"
    claim = classify_claim(text)
    assert claim.quotient == ("f", "z")
    assert [(s.output, s.input) for s in claim.steps] == [("f", "h2"), ("h3", "z")]
    assert [text[s.span.start : s.span.end] for s in claim.steps] == ["∂f/∂h2", "∂h3/∂z"]
    assert [text[v.start : v.end] for v in claim.values] == ["1·e^3", "20.0855"]
    assert claim.approximate
    assert number_of(claim, claim.values[0]) is None
    assert number_of(claim, claim.values[1]) == Fraction("20.0855")


def test_a_gradient_names_its_variable() -> None:
    for text in ("dW = G.T @ X", "grad_W = G.T @ X", "W_bar = G.T @ X", "W_grad = G.T @ X"):
        claim = classify_claim(text, SYMBOLS)
        assert (claim.kind, claim.variable, claim.right.strip()) == ("vjp", "W", "G.T @ X")
    assert classify_claim("dQ = G.T @ X", SYMBOLS).kind == "definition"
    assert classify_claim("dQ = G.T @ X").variable == "Q"


def test_definitions_are_kept_apart() -> None:
    text = "J = diag(s) - outer(s, s) with s = softmax(z)"
    claim = classify_claim(text)
    assert claim.right.strip() == "diag(s) - outer(s, s)"
    ((name, span),) = claim.definitions
    assert (name, text[span.start : span.end]) == ("s", "softmax(z)")


def test_structure_words_are_normalised() -> None:
    claim = classify_claim("The Jacobian is not a block diagonal matrix.")
    assert (claim.word, claim.negated) == ("block-diagonal", True)
    assert classify_claim("rank-1").word == classify_claim("rank one").word == "rank 1"
    assert classify_claim("Kronecker").word == "kronecker"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("  ", ""),
        ("J = ", "="),
        ("= X", "="),
        ("with s = z", ""),
        ("df/dx = df/dh * dh/dx = X + 1", "df/dh * dh/dx = X + 1"),
        ("h = X = z", "X = z"),
        ("X + * z", "*"),
        ("h = 1 ? 2", "?"),
    ],
)
def test_what_is_no_statement_is_refused_at_its_place(text: str, part: str) -> None:
    with pytest.raises(NotationError) as caught:
        classify_claim(text, SYMBOLS)
    assert caught.value.span is not None
    assert text[caught.value.span.start : caught.value.span.end] == part
