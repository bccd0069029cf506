"""Claims as students write them, and slips made by operators: judged, named and repaired."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backprove.checking import check
from backprove.errors import InputError
from checking.course_claims import EXERCISES, Exercise
from checking.mistake_operators import wrong_claims
from oracles.text_numpy import evaluate
from tables.claim_values import claim_value
from tables.loader import Case, cases

RIGHT = [(e, claim) for e in EXERCISES for claim in e.right]
WRONG = [(e, claim, names.split("|")) for e in EXERCISES for claim, names in e.wrong]
OUTSIDE = ("sum(softmax(X @ W + b) - Y, axis=0)/n", "J[i,j,k,l] = X[k,i]*[j==l]")
"""Right under an assumption or in another layout, which the verdict names."""

SHARE_NAMED = 0.9
SHARE_OF_OPERATORS_NAMED = 0.85


@pytest.mark.parametrize(("exercise", "claim"), RIGHT, ids=lambda v: getattr(v, "f", None))
def test_a_right_claim_in_any_form_is_proved(exercise: Exercise, claim: str) -> None:
    verdict = check(exercise.f, exercise.wrt, claim, exercise.shapes)
    assert (verdict.kind, verdict.level) == ("right", "proved"), (claim, verdict.message)


def test_slips_of_students_are_refused_named_and_repaired() -> None:
    named, missed = 0, []
    for exercise, claim, names in WRONG:
        verdict = check(exercise.f, exercise.wrt, claim, exercise.shapes)
        if claim in OUTSIDE:
            assert verdict.kind == "right_under" and verdict.under, claim
            continue
        assert verdict.kind == "wrong", (claim, verdict.message)
        assert verdict.fixed is not None, claim
        repaired = check(exercise.f, exercise.wrt, verdict.fixed, exercise.shapes)
        assert repaired.kind == "right", (claim, verdict.fixed, repaired.message)
        named += verdict.mistake in names
        if verdict.mistake not in names:
            missed.append((claim, names, verdict.mistake))
    assert named >= SHARE_NAMED * len(WRONG), missed


def slips(share: float, seed: int) -> list[tuple[Case, str, str]]:
    """Wrong claims that the operators make of right ones of the tables, a random share of them."""
    rng = random.Random(seed)
    found = []
    for case in cases():
        for claim in case.claims:
            for text, name in wrong_claims(claim, case.shapes):
                if rng.random() < share and is_wrong(case, claim, text):
                    found.append((case, text, name))
    return found


def is_wrong(case: Case, right: str, claim: str) -> bool:
    """True if a plain evaluation tells the two apart, in an array of the right shape."""
    differs = False
    for seed in (0, 1):
        values = {**case.size_values(), **case.values(seed)}
        output, wrt = np.shape(evaluate(case.f, values)), np.shape(values[case.wrt])
        expected = claim_value(right, values, output, wrt, case.order)
        try:
            with np.errstate(all="ignore"):
                given = claim_value(claim, values, output, wrt, case.order)
        except (ValueError, TypeError, SyntaxError, LookupError, NameError, ArithmeticError):
            return False
        if given.shape != expected.shape or not np.all(np.isfinite(given)):
            return False
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
        differs = differs or np.abs(given - expected).max(initial=0.0) > 1e-3 * scale
    return bool(differs)


def test_slips_made_by_operators_are_never_right_and_mostly_named() -> None:
    made = slips(share=0.012, seed=5)
    assert len(made) > 30
    named = refused = 0
    for case, claim, name in made:
        try:
            verdict = check(
                case.f, case.wrt, claim, case.shapes, order=case.order,
                domain=case.domain or None, structured=bool(case.structured),
            )  # fmt: skip
        except InputError:  # an index that is not bound has its error, and no verdict
            continue
        if verdict.kind == "right_under":
            assert verdict.under and name in ("transposed", "wrong_order", "wrong_axis"), claim
            continue
        assert verdict.kind == "wrong", (case.id, claim, verdict.message)
        refused += 1
        named += name in (verdict.mistake, *verdict.also)
    assert named >= SHARE_OF_OPERATORS_NAMED * refused
