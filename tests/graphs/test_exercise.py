"""Exercises: right answers are right, named slips are the ones that were made."""

from __future__ import annotations

import math
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
    assert exercise.answer("df/dy", "2.0*20.0").kind == "undecided"
    assert exercise.answer("df/dy", "2*20.0").kind == "wrong"


@pytest.mark.parametrize(
    "given",
    ["40.171", "+40.17", "4.01711e1", "4.01711*10**1", "4.01711·10^1", "2*e**3", "1*2*20.0855",
     "= 40.17", "80.342/2"],
)  # fmt: skip
def test_a_right_answer_may_be_written_in_any_usual_form(given: str) -> None:
    assert worked().answer("df/dy", given).kind == "right"


def test_a_minus_sign_and_a_comma_are_what_people_type() -> None:
    exercise = graph("x*y").run(x=1.0, y=-2.5).exercise()
    assert exercise.answer("df/dx", "−2.5").kind == "right"
    with pytest.raises(NotationError, match="comma"):
        exercise.answer("df/dx", "-2,5")


def test_an_infinite_gradient_is_answered_by_infinity_alone() -> None:
    exercise = graph("1/x + y*w").run(x=0.0, y=1.0, w=math.inf).exercise(hide="all")
    for given, kind in [("-inf", "right"), ("-∞", "right"), ("∞", "wrong"), ("3", "wrong"),
                        ("1e300", "wrong"), (-1e308, "wrong"), ("nan", "wrong")]:  # fmt: skip
        assert exercise.answer("df/dx", given).kind == kind, given
    assert exercise.answer("df/dw", "inf").kind == "wrong"


def test_a_number_as_it_is_printed_is_right() -> None:
    exercise = graph("1e8*x + y/3").run(x=1.0, y=1.0).exercise(hide="values")
    assert exercise.answer("f", "1e+08").kind == exercise.answer("f", "1e8").kind == "right"
    assert exercise.answer("f", "1.001e8").kind == "wrong"


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
