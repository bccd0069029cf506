"""A definition whose value depends on entries outside of its operands is refused."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.notation import building as b
from backprove.notation import declare, lower
from backprove.notation.axes import Axis, Index
from backprove.notation.evaluation import run_program
from backprove.notation.operations import Builder, Program


def neighbour(guarded: bool) -> Program:
    """``x[i + 1]`` for all ``i``: the last one lies outside."""
    symbols, builder = declare({"x": "n"}), Builder()
    x = builder.symbol(symbols["x"])
    axis = Axis(x.shape[0])
    entry = x.entry(Index.of(axis) + 1)
    if guarded:
        entry = b.mul(b.bracket("<=", Index.of(axis) - x.shape[0] + 2), entry)
    value = builder.operation("next", [x], [axis], entry, template="next({0})", latex="")
    return builder.program(value, symbols)


def values(program: Program) -> np.ndarray:
    (x,) = program.inputs
    found = run_program(program, {x.array: np.arange(1.0, 5.0)}, {"n": 4})
    return found[program.output.array]


def test_a_wrong_index_does_not_pass_as_the_entry_at_the_edge() -> None:
    with pytest.raises(AssertionError, match=r"next\(x\) reads entries outside .*'n': 4"):
        values(neighbour(guarded=False))


def test_an_index_under_a_condition_may_leave_its_array() -> None:
    assert values(neighbour(guarded=True)).tolist() == [2, 3, 4, 0]


@pytest.mark.parametrize(
    "text",
    ["concatenate([x, 2*x])[::-1]", "reshape(kron(x, x), (-1, 1))", "tril(outer(x, x))[1:, ::2]"],
)
def test_operations_of_the_language_read_inside(text: str) -> None:
    program = lower(text, declare({"x": "n"}))
    (x,) = program.inputs
    run_program(program, {x.array: np.arange(1.0, 5.0)}, {"n": 4})
    assert program.read_inside
