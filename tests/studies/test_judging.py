"""Claims about a study follow its comparisons, whatever these say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backprove.studies import Study, study
from backprove.studies.comparisons import Comparison
from backprove.studies.gaps import gaps
from backprove.studies.outcomes import Reading
from studies.test_studies import toy

A, B, C = "lr 0.1", "lr 0.2", "lr 0.3"


@pytest.fixture(scope="module")
def trained() -> Study:
    found = study(toy(), hidden="none", lr="0.1,0.2,0.3", seeds=8, epochs=2)
    assert isinstance(found, Study)
    return found


def with_verdicts(found: Study, *said: tuple[str, str, str, float]) -> Study:
    """The study with made-up comparisons: a, b, verdict, difference in points (±0.3)."""
    made = replace(found)
    made.__dict__["comparisons"] = [
        Comparison("lr", a, b, verdict, d / 100, ((d - 0.3) / 100, (d + 0.3) / 100), 8,
                   20 if verdict == "not_decided" else None,
                   "about 20 seeds in all would decide" if verdict == "not_decided" else "",
                   1.0, 0.01)
        for a, b, verdict, d in said
    ]  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("verdicts", "claim", "expected"),
    [
        ([(A, B, "better", 2)], "lr 0.1 better than 0.2", "right"),
        ([(A, B, "better", 2)], "lr 0.2 better than 0.1", "wrong"),
        ([(A, B, "better", -2)], "lr 0.1 better than 0.2", "wrong"),
        ([(A, B, "better", -2)], "lr 0.2 better than 0.1", "right"),
        ([(A, B, "better", 2)], "lr 0.1 worse than 0.2", "wrong"),
        ([(A, B, "better", 2)], "lr 0.2 worse than 0.1", "right"),
        ([(A, B, "better", 2)], "not lr 0.1 better than 0.2", "wrong"),
        ([(A, B, "equivalent", 0.1)], "lr 0.1 better than 0.2", "wrong"),
        ([(A, B, "equivalent", 0.1)], "not lr 0.1 better than 0.2", "right"),
        ([(A, B, "equivalent", 0.1)], "lr 0.1 equivalent to 0.2", "right"),
        ([(A, B, "better", 2)], "lr 0.1 equivalent to 0.2", "wrong"),
        ([(A, B, "better", -2)], "lr 0.1 equivalent to 0.2", "wrong"),
        ([(A, B, "better", 0.9)], "lr 0.1 equivalent to 0.2", "undecided"),
        ([(A, B, "not_decided", 0.2)], "lr 0.1 better than 0.2", "undecided"),
        ([(A, B, "not_decided", 0.2)], "not lr 0.1 better than 0.2", "undecided"),
        ([(A, B, "not_decided", 0.2)], "lr 0.1 equivalent to 0.2", "undecided"),
    ],
)
def test_a_claim_about_two_levels_follows_their_comparison(trained, verdicts, claim, expected):
    verdict = with_verdicts(trained, *verdicts).check(claim)
    assert verdict.kind == expected
    assert verdict.level == (None if expected == "undecided" else "measured")
    assert "8 paired seeds" in verdict.message
    opening = {"right": "Right", "wrong": "Wrong", "undecided": "Not decided"}[expected]
    assert verdict.message.startswith(opening)


@pytest.mark.parametrize(
    ("ab", "bc", "ac", "claim", "expected"),
    [
        (("better", 2), ("better", 2), ("better", 4), "lr ranked 0.1 > 0.2 > 0.3", "right"),
        (("better", 2), ("better", 2), ("better", 4), "lr smaller better", "right"),
        (("better", 2), ("better", 2), ("better", 4), "lr larger better", "wrong"),
        (("better", 2), ("not_decided", 1), ("better", 3), "lr ranked 0.1 > 0.2 > 0.3",
         "undecided"),
        (("better", 2), ("equivalent", 0), ("better", 2), "lr ranked 0.1 > 0.2 > 0.3", "wrong"),
        (("better", 2), ("not_decided", 1), ("better", -3), "lr smaller better", "wrong"),
        (("better", 2), ("better", 2), ("better", 4), "lr ranked 0.3 > 0.2", "wrong"),
        (("equivalent", 0), ("equivalent", 0), ("equivalent", 0), "lr all equivalent", "right"),
        (("equivalent", 0), ("equivalent", 0), ("not_decided", 0), "lr all equivalent",
         "undecided"),
        (("equivalent", 0), ("better", 2), ("not_decided", 0), "lr all equivalent", "wrong"),
    ],
)  # fmt: skip
def test_a_claim_about_many_must_hold_for_each(trained, ab, bc, ac, claim, expected):
    made = with_verdicts(trained, (A, B, *ab), (B, C, *bc), (A, C, *ac))
    assert made.check(claim).kind == expected


def test_compared_levels_are_turned_to_the_order_asked_for(trained):
    made = with_verdicts(trained, (A, B, "better", 2))
    (c,) = made.compare("lr 0.2 with 0.1").comparisons
    assert (c.a, c.b) == (B, A)
    assert c.difference == pytest.approx(-0.02)
    assert c.interval == pytest.approx((-0.023, -0.017))
    assert c.probability == 0


def with_gaps(found: Study, *shifts: float, outcome: str = "learned") -> Study:
    """The study with made-up gaps between dev and train loss, one for each configuration."""
    noise = np.random.default_rng(0).normal(0, 0.01, len(found.seeds))
    results = []
    for result, shift in zip(found.configurations, shifts, strict=True):
        runs = []
        for run, extra in zip(result.runs, noise, strict=True):
            values = dict(run.values)
            values["train_loss"] = np.full(3, 0.4)
            values["dev_loss"] = np.full(3, 0.4 + shift + extra * shift)
            runs.append(replace(run, values=values, reading=Reading(outcome, "")))  # type: ignore[arg-type]
        results.append(replace(result, runs=tuple(runs)))
    return replace(found, configurations=tuple(results))


def test_overfitting_less_is_a_smaller_gap_in_every_seed(trained):
    made = with_gaps(trained, 0.1, 0.2, 0.2)
    assert made.check("lr 0.1 overfits less than 0.2").kind == "right"
    assert made.check("lr 0.1 overfits more than 0.2").kind == "wrong"
    assert made.check("lr 0.2 overfits less than 0.3").kind == "undecided"
    first = next(g for g in gaps(made, "lr") if (g.a, g.b) == (A, B))
    assert first.difference == pytest.approx(-0.1, abs=0.01)


def test_networks_that_never_learned_do_not_overfit_less(trained):
    verdict = with_gaps(trained, 0.1, 0.2, 0.2, outcome="at_chance").check(
        "lr 0.1 overfits less than 0.2"
    )
    assert verdict.kind == "undecided" and "8 of 8 runs" in verdict.message


def test_outcomes_are_those_of_all_runs_or_of_some(trained):
    made = with_gaps(trained, 0.1, 0.2, 0.2, outcome="unstable")
    first = made.configurations[0]
    calm = replace(first, runs=(replace(first.runs[0], reading=Reading("learned", "")),
                                *first.runs[1:]))  # fmt: skip
    made = replace(made, configurations=(calm, *made.configurations[1:]))
    assert made.check("lr 0.1 unstable").kind == "wrong"
    assert made.check("lr 0.1 some unstable").kind == "right"
    assert made.check("lr 0.2 unstable").kind == "right"
    assert made.check("not lr 0.2 some learned").kind == "right"
