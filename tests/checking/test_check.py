"""Verdicts on claims: the rows of the problem set, conventions, kinks, and equivalent forms."""

from __future__ import annotations

import pytest

from backprove.checking import check, check_equality
from backprove.errors import InputError, NotationError

LINEAR = ("X @ W.T", "W", {"X": "n d", "W": "k d"})
SOFTMAX = ("softmax(z)", "z", {"z": "K"})
RIDGE = ("sum((X @ w - y)**2)/n", "w", {"X": "n d", "w": "d", "y": "n"})

RIGHT = [
    (*LINEAR, "J[i,j,k,l] = X[i,l]*[j==k]"),
    (*LINEAR, "J[a,b,c,e] = delta[b,c]*X[a,e]"),
    (*LINEAR, r"J_{ijkl} = X_{il} \delta_{jk}"),
    (*LINEAR, "n×k×k×d"),
    (*LINEAR, "dW = G.T @ X"),
    (*SOFTMAX, "J[i,j] = softmax(z)[i]*([i==j] - softmax(z)[j])"),
    (*SOFTMAX, "J = diag(s) - outer(s, s) with s = softmax(z)"),
    (*SOFTMAX, "J[i,j] = exp(z[i])/sum(m, exp(z[m]))*([i==j] - exp(z[j])/sum(m, exp(z[m])))"),
    (*SOFTMAX, "symmetric"),
    (*RIDGE, "2*X.T @ (X @ w - y)/n"),
    (*RIDGE, "2*X.T @ X @ w/n - X.T @ (2*y)/n"),
    ("norm(w)**2", "w", {"w": "d"}, "2*w"),
    ("norm(w)**2", "w", {"w": "d"}, "1×d"),
    ("w", "w", {"w": "d"}, "identity"),
    ("tanh(z)", "z", {"z": "n"}, "diag(4/(exp(z) + exp(-z))**2)"),
    ("relu(x - 50)", "x", {"x": "n"}, "diag(x > 50)"),
]


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim"), RIGHT)
def test_a_right_claim_is_right_and_proved(f, wrt, shapes, claim) -> None:
    verdict = check(f, wrt, claim, shapes)
    assert (verdict.kind, verdict.level) == ("right", "proved")


WRONG = [
    (*LINEAR, "J[i,j,k,l] = X[i,l]*[i==k]", "wrong_delta"),  # S28
    (*LINEAR, r"J_{ijkl} = X_{il} \mathbb{1}[i=k]", "wrong_delta"),
    (*LINEAR, "n×d", "wrong_shape"),
    (*LINEAR, "dW = -G.T @ X", "sign"),
    (*SOFTMAX, "diag(softmax(z) - softmax(z)**2)", "scalar_rule"),  # S45 with S40's slip
    (*SOFTMAX, "diag(softmax(z)) + outer(softmax(z), softmax(z))", "sign"),
    (*RIDGE, "2*X.T @ (X @ w - y)", "missing_normalizer"),
    (*RIDGE, "X.T @ (X @ w - y)/n", "missing_factor"),
    (*RIDGE, "2*X.T @ (X @ w + y)/n", "sign"),
    ("sum(sin(W @ x))", "x", {"W": "n m", "x": "m"}, "W.T @ sin(W @ x)", "wrong_function"),
]


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim", "mistake"), WRONG)
def test_a_wrong_claim_is_refused_by_name_with_a_counterexample(
    f, wrt, shapes, claim, mistake
) -> None:
    verdict = check(f, wrt, claim, shapes)
    assert (verdict.kind, verdict.mistake) == ("wrong", mistake)
    if mistake != "wrong_shape":
        assert verdict.counterexample is not None
        assert verdict.counterexample.expected != verdict.counterexample.given


UNDER = [
    ("A @ x", "x", {"A": "n m", "x": "m"}, "A.T", None, "denominator layout"),
    ("x @ A @ x", "x", {"x": "n", "A": "n n"}, "2*A @ x", None, "A symmetric"),
    ("-sum(y*log_softmax(z))", "z", {"y": "n", "z": "n"}, "softmax(z) - y", None, "sum(y) = 1"),
    (*LINEAR, "kron(X, eye(k))", None, "vec(output) row-major, vec(input) column-major"),
    ("logdet(A)", "A", {"A": "n n"}, "2*inv(A) - diag(diag(inv(A)))", {"A": "symmetric"},
     "the symmetric-matrix convention for A"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim", "domain", "convention"), UNDER)
def test_a_claim_in_another_convention_names_it(f, wrt, shapes, claim, domain, convention) -> None:
    verdict = check(f, wrt, claim, shapes, domain=domain)
    assert verdict.kind == "right_under"
    assert convention in verdict.under


def test_a_declared_domain_makes_its_fact_available_or_not() -> None:
    shapes = {"y": "n", "z": "n"}
    loss = "-sum(y*log_softmax(z))"
    assert check(loss, "z", "softmax(z) - y", shapes, domain={"y": "onehot"}).kind == "right"
    refused = check(loss, "z", "softmax(z) - y", shapes, domain={"y": "real"})
    assert (refused.kind, refused.mistake) == ("wrong", "assumed_normalised")


def test_a_layout_that_was_asked_for_is_kept() -> None:
    square = {"A": "n n", "x": "n"}
    assert check("A @ x", "x", "A", square, layout="numerator").kind == "right"
    mixed = check("A @ x", "x", "A.T", square, layout="numerator")
    assert (mixed.kind, mixed.mistake) == ("wrong", "layout_mixed")


@pytest.mark.parametrize(
    ("f", "claim"),
    [
        ("relu(x - 50)", "diag(0*x)"),
        ("abs(x + 20)", "eye(n)"),
        ("where(x > 200, x**2, x)", "eye(n)"),
        ("clip(x, -300, 300)", "eye(n)"),
    ],
)
def test_a_claim_that_is_wrong_beyond_a_far_kink_only_is_refused(f: str, claim: str) -> None:
    assert check(f, "x", claim, {"x": "n"}).kind == "wrong"


def test_another_value_at_a_kink_is_no_error() -> None:
    assert check("relu(x)", "x", "diag(x >= 0)", {"x": "n"}).kind == "right"


def test_equal_sizes_never_hide_a_wrong_delta() -> None:
    claim = "J[i,j,k,l] = X[i,l]*[i==k]"
    assert check("X @ W.T", "W", claim, {"X": "n n", "W": "n n"}).kind == "wrong"
    assert check("X @ W.T", "W", claim, {"X": (3, 3), "W": (3, 3)}).kind == "wrong"


def test_a_saturated_softmax_is_not_mistaken_for_a_difference() -> None:
    f = "softmax(Q @ K.T/sqrt(d)) @ V"
    claim = (
        "J[i,j,a,b] = [i==a]*sum(r, softmax(Q @ K.T/sqrt(d))[i,r]*V[r,j]"
        "*(K[r,b] - (softmax(Q @ K.T/sqrt(d)) @ K)[i,b]))/sqrt(d)"
    )
    assert check(f, "Q", claim, {"Q": "n d", "K": "m d", "V": "m v"}).kind == "right"


EQUALITIES = [
    ("tanh(z) == 2*sigmoid(2*z) - 1", {"z": "n"}, "right"),
    ("tanh(z) == 2*sigmoid(z) - 1", {"z": "n"}, "wrong"),
    ("sqrt(x**2) == x", {"x": "n"}, "wrong"),
    ("trace(A @ B) == trace(B @ A)", {"A": "n m", "B": "m n"}, "right"),
    ("sum(softmax(z)) == 1", {"z": "n"}, "right"),
]


@pytest.mark.parametrize(("claim", "shapes", "kind"), EQUALITIES)
def test_equalities_are_judged(claim: str, shapes: dict[str, str], kind: str) -> None:
    assert check_equality(claim, shapes).kind == kind


@pytest.mark.parametrize(
    "claim",
    ["", "J[i,j,k,l] = X[i,m]*[j==k]", "J[i,j,k,l] = Q[i,l]*[j==k]", "J[i,j,k,l] = X[i,l", "2*"],
)
def test_a_claim_that_cannot_be_read_is_never_judged(claim: str) -> None:
    with pytest.raises(InputError) as caught:
        check(*LINEAR[:2], claim, LINEAR[2])
    assert caught.value.span is not None


def test_a_product_without_its_sign_is_no_shape() -> None:
    for claim in ("2 A", "A y"):
        with pytest.raises(NotationError, match="unexpected"):
            check("x @ A @ y", "A", claim, {"A": "m n", "x": "m", "y": "n"})
    assert check("A @ x", "x", "m n", {"A": "m n", "x": "n"}).kind == "right"


def test_a_lost_link_in_a_vjp_is_named_from_the_derivation() -> None:
    shapes = {"X": "n d", "W": "d k", "b": "k"}
    for claim in ("dW = X.T @ G", r"dW = X^\top G"):
        assert check("tanh(X @ W + b)", "W", claim, shapes).mistake == "missing_chain"


def test_a_term_lost_within_the_array_of_an_entry_is_named() -> None:
    shapes = {"W": "h d", "x": "d", "b": "h"}
    claim = "J[i,j] = sigmoid(W @ x)[i]*(1 - sigmoid(W @ x + b)[i])*W[i,j]"
    verdict = check("sigmoid(W @ x + b)", "x", claim, shapes)
    assert (verdict.mistake, verdict.where) == ("missing_term", "b")
