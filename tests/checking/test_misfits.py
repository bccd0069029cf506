"""Claims whose own sizes do not meet are wrong, and the exchange that repairs them is named."""

from __future__ import annotations

import pytest

from backprove.checking import check
from backprove.errors import BackproveError

SHAPES = {"X": "n d", "W": "k d", "w": "d", "y": "n", "A": "d d"}
LINEAR = ("X @ W.T", "W")
RIDGE = ("sum((X @ w - y)**2)", "w")


@pytest.mark.parametrize(
    ("question", "claim", "mistake", "fixed"),
    [
        (LINEAR, "dW = G @ X", "transposed", "dW = G.T @ X"),
        (LINEAR, "dW = X @ G.T", "wrong_order", None),
        (LINEAR, "J[i,j,k,l] = X[l,i]*[j==k]", "transposed", "J[i,j,k,l] = X[i,l]*[j==k]"),
        (RIDGE, "2*X @ (X @ w - y)", "transposed", "2*X.T @ (X @ w - y)"),
        (RIDGE, "2*(X @ w - y) @ X.T", "transposed", "2*(X @ w - y) @ X"),
        (RIDGE, "X + y", "wrong_shape", None),
    ],
)
def test_a_misfit_is_wrong(
    question: tuple[str, str], claim: str, mistake: str | None, fixed: str | None
) -> None:
    verdict = check(*question, claim, SHAPES)
    assert verdict.kind == "wrong"
    assert mistake in (None, verdict.mistake)
    if fixed:
        assert verdict.fixed == fixed
    if verdict.fixed:
        assert check(*question, verdict.fixed, SHAPES).kind == "right"


@pytest.mark.parametrize("claim", ["J[i,j,k,l] = X[i]*[j==k]", "dW = G.T @ Q", "dW = G.T @", "Q"])
def test_what_is_no_formula_stays_an_error(claim: str) -> None:
    with pytest.raises(BackproveError):
        check(*LINEAR, claim, SHAPES)


def test_a_question_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(BackproveError, match="does not fit"):
        check("X @ W", "W", "X @ W", SHAPES)
