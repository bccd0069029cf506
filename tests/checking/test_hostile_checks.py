"""Claims that try to cost too much are judged or refused with a bounded amount of work."""

from __future__ import annotations

import pytest

import backprove as bp
from backprove.errors import BackproveError
from backprove.notation.effort import bounded

SHAPES = {"X": "n d", "W": "k d", "z": "k"}
MOST = 250_000
"""Units of work, one to two seconds."""
DELTA = "X[i,l]*[j==k]"

CLAIMS = {
    "parentheses": "J[i,j,k,l] = " + "(" * 400 + DELTA + ")" * 400,
    "many parentheses": "J[i,j,k,l] = " + "(" * 2900 + DELTA + ")" * 2900,
    "factors": "J[i,j,k,l] = [j==k]*" + "*".join(["X[i,l]"] * 120),
    "sums": "J[i,j,k,l] = [j==k]*" + "*".join(f"(X[i,l] + {n}*W[j,l])" for n in range(20)),
    "nested sums": "J[i,j,k,l] = " + "".join(f"sum(m{n}, " for n in range(30)) + DELTA + ")" * 30,
    "terms of a VJP": "dW = " + " + ".join(["G.T @ X"] * 300),
    "a chain": "dW = G.T @ " + "X @ X.T @ " * 200 + "X",
    "fractions": r"J = " + r"\frac{1}{" * 200 + "2" + "}" * 200,
    "indices": "J[" + "i," * 2900 + "] = 1",
    "open brackets": "J[" * 2900,
    "running sums": "dW = " + "cumsum(" * 30 + "G.T @ X" + ", axis=0)" * 30,
    "branches": "J[i,j,k,l] = " + "where(X[i,l] > 0, " * 30 + "X[i,l]" + ", 0)" * 30,
    "an equality": " + ".join(["X @ W.T"] * 200) + " == 200*X @ W.T",
}


def _answer(claim: str) -> str:
    """The verdict in words, or the refusal as a person reads it."""
    try:
        return bp.check("X @ W.T", "W", claim, SHAPES).message
    except BackproveError as error:
        return error.render()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_hostile_claim_is_judged_or_refused(name: str) -> None:
    with bounded(MOST):  # would raise what is no error of ours
        assert 0 < len(_answer(CLAIMS[name])) < 5000


def test_a_claim_of_many_characters_is_refused() -> None:
    with pytest.raises(BackproveError, match="at most 6,000 are read"):
        bp.check("X @ W.T", "W", "J = X" + " + X" * 2000, SHAPES)


def test_a_claim_that_is_too_deep_is_refused_at_its_place() -> None:
    with pytest.raises(BackproveError, match="too long or nested too deep") as raised:
        bp.check("softmax(z)", "z", "dz = " + "cumsum(" * 60 + "G" + ")" * 60, SHAPES)
    assert raised.value.span is not None and raised.value.hint


def test_a_wrong_claim_is_wrong_even_where_its_mistake_is_not_found_in_time() -> None:
    verdict = bp.check("softmax(z)", "z", "dz = " + "relu(" * 60 + "G" + ")" * 60, SHAPES)
    assert verdict.kind == "wrong" and verdict.counterexample is not None
