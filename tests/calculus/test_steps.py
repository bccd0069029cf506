"""The steps of a derivation end with its answer, and each has the orientation of the answer."""

from __future__ import annotations

import pytest

from backprove.calculus import derive

SHAPES = {"A": "m n", "S": "n n", "x": "n", "X": "p n", "W": "q n"}


@pytest.mark.parametrize("layout", ["numerator", "denominator"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "text", ["x @ S @ x", "tanh(A @ x)", "softmax(x)", "x[::2]*x[::2]", "sum(x)"]
)
def test_the_last_step_is_the_answer(text: str, order: int, layout: str):
    found = derive(text, "x", SHAPES, order=order, layout=layout)
    assert found.steps[-1].after == found.index_form
    assert found.steps[-1].error is not None and found.steps[-1].error < 1e-6


def test_the_last_step_of_a_convention_is_the_answer():
    found = derive("logdet(S)", "S", SHAPES, domain={"S": "spd"}, structured=True)
    assert found.steps[-1].rule == "symmetric-matrix convention"
    assert found.steps[-1].after == found.index_form


def test_the_chain_rule_writes_the_output_first():
    steps = {s.rule: s.after for s in derive("A @ x", "x", SHAPES).steps}
    assert steps["chain rule"] == "A[i,j]"
    assert steps["result"] == "J[i,j] = A[i,j]"
