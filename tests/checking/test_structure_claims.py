"""Statements about structure: what is right, what is refused, and what a size decides."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.checking import check
from backprove.errors import UnknownName

SOFTMAX = ("softmax(z)", "z", {"z": "K"})
CENTRED = ("x - mean(x)", "x", {"x": "n"})
LINEAR = ("X @ W.T", "W", {"X": "n d", "W": "k d"})
ROWS = ("X @ W", "X", {"X": "n d", "W": "d k"})
UNIT = ("x/norm(x)", "x", {"x": "n"})
SUMMED = ("cumsum(x)", "x", {"x": "n"})
RESIDUAL = ("x + V @ tanh(W @ x)", "x", {"V": "d h", "W": "h d", "x": "d"})
TWICE = ("outer(a, b) @ x + outer(a, c) @ x", "x", {"a": "m", "b": "n", "c": "n", "x": "n"})

RIGHT = [
    (*SOFTMAX, "diagonal + rank 1"),
    (*SOFTMAX, "diagonal plus rank one"),
    (*SOFTMAX, "symmetric"),
    (*SOFTMAX, "rank K-1"),
    (*SOFTMAX, "not diagonal"),
    (*CENTRED, "identity plus low rank"),
    (*CENTRED, "identity + rank 1"),
    (*CENTRED, "constant"),
    (*CENTRED, "not invertible"),
    (*LINEAR, "Kronecker product"),
    (*LINEAR, "block-diagonal"),
    (*LINEAR, "constant"),
    (*LINEAR, "sparse"),
    (*ROWS, "block-diagonal with n blocks of k×d"),
    (*UNIT, "singular"),
    (*UNIT, "positive semidefinite"),
    (*SUMMED, "lower triangular"),
    (*SUMMED, "full rank"),
    (*TWICE, "rank 1"),
    ("softmax(Z)", "Z", {"Z": "n K"}, "block-diagonal with blocks of K×K"),
    ("softmax(Z)", "Z", {"Z": "n K"}, "symmetric"),
    ("X + X.T", "X", {"X": "n n"}, "symmetric"),
]
WRONG = [
    (*SOFTMAX, "diagonal"),
    (*SOFTMAX, "rank 1"),
    (*SOFTMAX, "block-diagonal"),
    (*SOFTMAX, "not symmetric"),
    (*CENTRED, "identity"),
    (*LINEAR, "dense"),
    (*LINEAR, "diagonal"),
    (*ROWS, "block-diagonal with blocks of n×n"),
    (*UNIT, "full rank"),
    (*UNIT, "constant"),
    (*SUMMED, "upper triangular"),
    (*SUMMED, "symmetric"),
    (*TWICE, "rank 2"),
    (*RESIDUAL, "symmetric"),
]


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim"), RIGHT)
def test_a_right_structure_is_right(f: str, wrt: str, shapes: dict[str, str], claim: str) -> None:
    assert check(f, wrt, claim, shapes).kind == "right"


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim"), WRONG)
def test_a_wrong_structure_is_refused_and_another_that_holds_is_given(
    f: str, wrt: str, shapes: dict[str, str], claim: str
) -> None:
    verdict = check(f, wrt, claim, shapes)
    assert (verdict.kind, verdict.mistake) == ("wrong", "wrong_structure"), verdict.message
    assert verdict.fixed is not None
    assert check(f, wrt, verdict.fixed, shapes).kind == "right"


def test_the_entry_that_refutes_a_structure_can_be_computed_again() -> None:
    found = check("softmax(z)", "z", "diagonal", {"z": "K"}).counterexample
    assert found is not None and found.given == 0.0
    z = np.exp(found.inputs["z"] - found.inputs["z"].max())
    s = z / z.sum()
    i, j = found.entry
    assert i != j and found.expected == pytest.approx(-s[i] * s[j])


def test_a_low_rank_that_depends_on_a_size_is_right_under_its_bound() -> None:
    verdict = check(*RESIDUAL[:2], "identity plus low rank", RESIDUAL[2])
    assert (verdict.kind, verdict.under) == ("right_under", ["h < d"])


def test_a_structure_is_proved_only_where_the_deltas_or_an_equality_prove_it() -> None:
    assert check(*SOFTMAX[:2], "symmetric", SOFTMAX[2]).level == "proved"
    assert check(*SOFTMAX[:2], "rank K-1", SOFTMAX[2]).level == "measured"


@pytest.mark.parametrize("claim", ["n×q", "rank q-1", "nice and tidy"])
def test_a_size_that_no_symbol_has_is_an_error_at_its_place(claim: str) -> None:
    with pytest.raises(UnknownName) as caught:
        check("x - mean(x)", "x", claim, {"x": "n"})
    assert caught.value.span is not None
    assert claim[caught.value.span.start : caught.value.span.end] in ("q", "nice", "and", "tidy")
