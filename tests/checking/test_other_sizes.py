"""Claims that are right at the usual sample sizes and wrong at others."""

from __future__ import annotations

import pytest

import backprove as bp

AT_FIVE = [
    ("mean(x)", "ones(n)/5"),
    ("n*sum(x)", "5*ones(n)"),
    ("sum(x**n)", "5*x**(n-1)"),
    ("var(x)", "2*(x - mean(x))/5"),
    ("x[-1]", "J[j] = [j==4]"),
    ("x[n//2]", "J[j] = [j==2]"),
    ("x[::2] @ x[::2]", "J[j] = 2*x[j]*([j==0] + [j==2] + [j==4])"),
    ("x[-1]", "J[j] = [j==40]"),
    ("sum(x)*((n+1)//2)", "3*ones(n)"),
    ("sum(x)*((n+1)//2)", "ones(n)*(n+1)/2"),
    ("sum(x)*((n+1)//2)", "ones(n)*(n//2 + 1)"),
]


@pytest.mark.parametrize(("f", "claim"), AT_FIVE)
def test_a_claim_that_holds_at_the_usual_sizes_alone_is_wrong(f: str, claim: str):
    verdict = bp.check(f, "x", claim, {"x": "n"})
    assert verdict.kind == "wrong"
    assert verdict.fixed and bp.check(f, "x", verdict.fixed, {"x": "n"}).kind == "right"


def test_so_is_one_of_several_sizes():
    shapes = {"X": "n d"}
    assert bp.check("mean(X)", "X", "ones((n, d))/15", shapes).kind == "wrong"
    assert bp.check("mean(X)", "X", "ones((n, d))/(n*d)", shapes).level == "proved"


@pytest.mark.parametrize("claim", ["J[j] = [j==4]", "J[j] = [j==2*2]"])
def test_a_position_that_the_expression_names_is_right(claim: str):
    assert bp.check("x[4]", "x", claim, {"x": "n"}).kind == "right"


def test_a_size_that_only_a_condition_names_has_a_value():
    claim = "J[i] = sum(j, u[j]*[1<=n*i+j])"  # n*i is at least 1 wherever i is
    verdict = bp.check("sum(kron(z, u)[1:])", "z", claim, {"z": "k", "u": "k", "x": "n"})
    assert verdict.kind == "right"


def test_an_exact_evaluation_at_small_sizes_is_a_measurement():
    verdict = bp.check("det(A @ B)", "A", "det(A)*det(B)*inv(A).T", {"A": "n n", "B": "n n"})
    assert (verdict.kind, verdict.level) == ("right", "measured")
    assert "n=2; n=3" in verdict.evidence
    fixed = bp.check("det(A @ B)", "A", "det(A)*det(B)*inv(A).T", {"A": "2 2", "B": "2 2"})
    assert (fixed.kind, fixed.level) == ("right", "proved")


def test_a_position_beyond_a_constant_array_is_no_constant():
    shapes = {"z": "k"}
    assert bp.check("(z**2)[-1]", "z", "2*z[k-1]*eye(2)[k-1]", shapes).kind == "wrong"
    assert bp.derive("sum(eye(3)[k-1]) * (z @ z)", "z", shapes).verification.passed
