"""Every statement of the tables goes through ``check``, the right ones and the wrong ones.

By default a sample that spreads over all topics is taken; ``BACKPROVE_ALL_CLAIMS=1`` takes all.
"""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

from backprove.checking.check import check
from backprove.checking.verdict import MISTAKES, Verdict
from backprove.errors import ShapeError
from oracles.text_numpy import evaluate
from tables.claim_values import claim_value
from tables.loader import Case, Wrong, cases
from tables.rewriting import other_forms

ALL = os.environ.get("BACKPROVE_ALL_CLAIMS") == "1"
STEP = 1 if ALL else 9

ASSUMING = ("assumed_symmetric", "assumed_normalised", "symmetric_convention", "transposed")
"""Mistakes that leave a claim right under an assumption or a layout that the verdict names."""

LAYOUT_IS_AN_ANSWER = {
    ("normalisation", "wrong_order"),
}
"""A Jacobian whose factors stand in the opposite order is the denominator layout's."""

SPECIAL = {
    "missing_normalizer": "missing_factor",
    "missing_chain": "missing_factor",
    "missing_path": "missing_term",
    "missing_delta": "missing_factor",
    "wrong_delta": "wrong_axis",
}
"""A name and the more general name of the same omission."""

SHARE_NAMED = 0.90 if ALL else 0.86
SHARE_NAMED_UP_TO_GENERALITY = 0.92 if ALL else 0.88


def sampled(items: list) -> list:
    """Every ``STEP``-th item."""
    return items[::STEP]


RIGHT = sampled([(c, claim) for c in cases() for claim in c.claims])
REWRITTEN = sampled(
    [(c, form) for c in cases() for claim in c.claims for form in other_forms(claim)]
)
WRONG = sampled([(c, w) for c in cases() for w in c.wrong])


def verdict_on(case: Case, claim: str) -> Verdict:
    """The verdict on a claim about a case of the tables."""
    return check(
        case.f,
        case.wrt,
        claim,
        case.shapes,
        order=case.order,
        domain=case.domain or None,
        structured=bool(case.structured),
    )


@pytest.fixture(scope="module")
def wrong_verdicts() -> list[tuple[Case, Wrong, Verdict]]:
    found, refused = [], []
    for case, wrong in WRONG:
        try:
            found.append((case, wrong, verdict_on(case, wrong.claim)))
        except ShapeError:  # an index along axes of two sizes is refused at its place
            refused.append(case.id)
    assert len(refused) <= 1, refused
    return found


@pytest.mark.parametrize(("case", "claim"), RIGHT, ids=lambda v: getattr(v, "id", None))
def test_a_published_derivative_is_right(case: Case, claim: str) -> None:
    verdict = verdict_on(case, claim)
    assert verdict.accepted, (case.id, claim, verdict.message)
    if verdict.level == "proved":
        assert verdict.evidence and "random" not in verdict.evidence


@pytest.mark.parametrize(("case", "claim"), REWRITTEN, ids=lambda v: getattr(v, "id", None))
def test_a_published_derivative_in_another_form_is_right(case: Case, claim: str) -> None:
    verdict = verdict_on(case, claim)
    assert verdict.accepted, (case.id, claim, verdict.message)


def test_no_wrong_claim_is_called_right(
    wrong_verdicts: list[tuple[Case, Wrong, Verdict]],
) -> None:
    for case, wrong, verdict in wrong_verdicts:
        if wrong.mistake in ASSUMING or (case.topic, wrong.mistake) in LAYOUT_IS_AN_ANSWER:
            assert verdict.kind in ("wrong", "right_under"), (case.id, wrong.claim)
            assert verdict.kind == "wrong" or verdict.under, (case.id, wrong.claim)
        else:
            assert verdict.kind == "wrong", (case.id, wrong.claim, verdict.message)


def test_a_plain_evaluation_confirms_every_counterexample(
    wrong_verdicts: list[tuple[Case, Wrong, Verdict]],
) -> None:
    confirmed = 0
    for case, wrong, verdict in wrong_verdicts:
        example = verdict.counterexample
        if verdict.kind != "wrong" or verdict.mistake == "wrong_shape":
            continue
        assert example is not None, (case.id, wrong.claim)
        values = {**values_of_sizes(case, example.inputs), **example.inputs}
        output = np.shape(evaluate(case.f, values))
        wrt = np.shape(example.inputs[case.wrt])
        given = claim_value(wrong.claim, values, output, wrt, case.order)
        right = claim_value(case.claims[0], values, output, wrt, case.order)
        assert given.shape == right.shape, (case.id, wrong.claim)
        assert given[example.entry] == pytest.approx(example.given, rel=1e-6, abs=1e-9)
        assert right[example.entry] == pytest.approx(example.expected, rel=1e-6, abs=1e-9)
        assert example.given != pytest.approx(example.expected, rel=1e-6, abs=1e-12)
        confirmed += 1
    assert confirmed > 0.8 * len(wrong_verdicts)


def values_of_sizes(case: Case, inputs: dict[str, np.ndarray]) -> dict[str, int]:
    """The named sizes as the counterexample has them."""
    found: dict[str, int] = {}
    for name, shape in case.shapes.items():
        for word, size in zip(shape.split(), np.shape(inputs[name]), strict=True):
            if not word.isdigit():
                found[word] = size
    return found


def test_mistakes_are_named_as_they_were_made(
    wrong_verdicts: list[tuple[Case, Wrong, Verdict]],
) -> None:
    refused = [(w, v) for _, w, v in wrong_verdicts if v.kind == "wrong"]
    exact = sum(w.mistake == v.mistake for w, v in refused)
    general = sum(same_omission(w.mistake, v.mistake) or w.mistake in v.also for w, v in refused)
    missed = Counter((w.mistake, v.mistake) for w, v in refused if w.mistake != v.mistake)
    print(f"named {exact}, up to generality {general}, of {len(refused)}", missed.most_common(12))
    assert all(v.mistake is None or v.mistake in MISTAKES for _, v in refused)
    assert exact >= SHARE_NAMED * len(refused), missed
    assert general >= SHARE_NAMED_UP_TO_GENERALITY * len(refused), missed


def same_omission(made: str, named: str | None) -> bool:
    """True if the names are equal, or one is the more general name of the other."""
    return named is not None and (
        made == named or SPECIAL.get(named) == made or SPECIAL.get(made) == named
    )
