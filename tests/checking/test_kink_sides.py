"""Conditions that differ in a narrow window alone."""

from __future__ import annotations

import pytest

import backprove as bp

SHAPES = {"x": "n", "s": "", "w": "n", "b": ""}
HUBER = "sum(where(abs(x) < 1, x**2/2, abs(x) - 0.5))"


@pytest.mark.parametrize(
    ("f", "wrt", "claim"),
    [
        ("relu(s - 0.93)", "s", "(s > 0.97)"),
        ("relu(s - 0.93)", "s", "(s > 0.9301)"),
        ("sum(relu(x - 100))", "x", "1.0*(x > 100.5)"),
        ("sum(abs(x - 3))", "x", "sign(x - 3.01)"),
        ("sum(clip(x, -1, 1))", "x", "(x > -1)*(x < 1.001)"),
        ("max(x)", "x", "J[j] = [x[j] >= max(x) - 0.001]"),
        (HUBER, "x", "clip(x, -1, 1.0001)"),
        ("relu(w @ x + b)", "w", "(w @ x + b > 1e-3)*x"),
    ],
)
def test_a_threshold_that_is_a_little_off_is_wrong(f: str, wrt: str, claim: str):
    verdict = bp.check(f, wrt, claim, SHAPES)
    assert verdict.kind == "wrong"
    if verdict.fixed:
        assert bp.check(f, wrt, verdict.fixed, SHAPES).kind == "right"


@pytest.mark.parametrize(
    ("f", "claim"),
    [
        ("sum(relu(x))", "1.0*(exp(x) > 1)"),
        ("sum(relu(x))", "1.0*(tanh(x) > 0)"),
        ("sum(relu(x)**2)", "2*maximum(x, 0)"),
        (HUBER, "clip(x, -1, 1)"),
        (HUBER, "maximum(-1, minimum(x, 1))"),
        ("max(x)", "J[j] = [x[j] >= max(x)]"),
        ("sum(abs(x - 3))", "where(x > 3, 1, -1)"),
    ],
)
def test_the_same_threshold_in_other_words_is_right(f: str, claim: str):
    assert bp.check(f, "x", claim, SHAPES).kind == "right"
