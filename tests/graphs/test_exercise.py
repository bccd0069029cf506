"""Exercises: right answers are right, named slips are the ones that were made."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backprove.checking import MISTAKES
from backprove.errors import DomainError, NotationError, UnknownName
from backprove.graphs import Exercise, graph
from graphs.random_graphs import SCALAR_INPUTS, scalar_text


def worked(hide: str | list[str] = "all") -> Exercise:
    return graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2).exercise(hide=hide)


@pytest.mark.parametrize("seed", range(8))
def test_every_right_answer_is_right_and_no_slip_is(seed: int) -> None:
    g = graph(scalar_text(seed))
    exercise = g.run({n: SCALAR_INPUTS[n] for n in g.inputs}).exercise(hide="all")
    assert len({q.symbol for q in exercise}) == len(exercise)
    for question in exercise:
        for slip in question.slips:
            assert slip.mistake in MISTAKES
            assert slip.value != question.right
            verdict = exercise.answer(question.symbol, slip.value)
            assert verdict.kind == "wrong"
            assert slip.sentence in verdict.message
        assert exercise.answer(question.symbol, question.right).kind == "right"
    assert exercise.open == []


@pytest.mark.parametrize(
    ("text", "values", "symbol", "given", "mistake", "said"),
    [
        ("exp(y)*z", {"y": 3, "z": 2}, "df/dy", "20.0855", "missing_chain", "upstream gradient"),
        ("sin(x)*y + sin(x)**2", {"x": 0.3, "y": 2}, "df/dh1", "2", "missing_path", "add up"),
        ("5*(x*y)", {"x": 3, "y": 7}, "df/dx", "5", "scalar_rule", "sum rule"),
        ("tanh(x)*y", {"x": 0.5, "y": 3}, "df/dx", "-2.35934", "sign", "sign"),
        ("x*y", {"x": 2.5, "y": 7}, "df/dx", "2.5", "wrong_variable", "not the gradient"),
        ("5*x**3", {"x": 2}, "dh1/dx", "4", "missing_factor", "exponent 3"),
        ("ln(x)*y", {"x": 100, "y": 3}, "h1", "2", "wrong_function", "log10"),
        ("x*y + z", {"x": 2, "y": 5, "z": 1}, "h1", "7", "wrong_function", "sum"),
    ],
)
def test_a_slip_is_named(
    text: str, values: dict, symbol: str, given: str, mistake: str, said: str
) -> None:
    exercise = graph(text).run(values).exercise(hide="all")
    verdict = exercise.answer(symbol, given)
    assert verdict.kind == "wrong"
    assert mistake in (verdict.mistake, *verdict.also)
    assert said in verdict.message


def test_a_rounded_answer_is_right_and_one_that_is_too_coarse_is_undecided() -> None:
    exercise = worked()
    assert exercise.answer("h2", "20.09").kind == "right"
    assert exercise.answer("h2", "20.1").kind == "right"
    assert exercise.answer("h2", "20").kind == "undecided"
    assert exercise.answer("h2", "20.2").kind == "wrong"
    assert exercise.answer("df/dy", "2*exp(3)").kind == "right"


def test_a_number_that_no_slip_gives_gets_no_invented_reason() -> None:
    verdict = worked().answer("df/dy", "17.3")
    assert (verdict.kind, verdict.mistake) == ("wrong", "wrong_value")
    assert "no slip that is known" in verdict.message


def test_the_seed_decides_what_is_drawn() -> None:
    run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
    drawn = [[q.symbol for q in run.exercise(seed, "all", 4)] for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({tuple(d) for d in drawn}) > 1


def test_arrays_are_asked_entry_by_entry() -> None:
    rng = np.random.default_rng(0)
    run = graph("sum(tanh(X @ W)**2)", {"X": "n d", "W": "d k"}).run(
        X=rng.normal(size=(4, 3)), W=rng.normal(size=(3, 2))
    )
    exercise = run.exercise(seed=5, hide=["df/dW"])
    (question,) = exercise
    at = tuple(int(k) for k in question.symbol.partition("[")[2].rstrip("]").split(","))
    assert question.right == run.gradients["W"][at]
    assert exercise.answer(question.symbol, f"{question.right:.8g}").kind == "right"


def test_what_is_not_hidden_and_what_is_no_number_is_refused() -> None:
    exercise = worked("gradients")
    with pytest.raises(UnknownName):
        exercise.answer("h2", 3)
    with pytest.raises(NotationError):
        exercise.answer("df/dy", "many")
    with pytest.raises(UnknownName):
        worked(["h9"])
    with pytest.raises(DomainError):
        graph("x").run(x=1.0).exercise()


def test_answers_at_random_are_never_called_right() -> None:
    chance = random.Random(0)
    for question in (exercise := worked()):
        for _ in range(50):
            given = question.right + chance.choice([-1, 1]) * chance.uniform(0.02, 5)
            assert exercise.answer(question.symbol, given).kind == "wrong"
