"""The preset: its studies, what they answer, and learning rates judged on fresh seeds."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from backprove.errors import SetupError
from backprove.studies import Series, Study, course, study
from backprove.studies.outcomes import Reading
from backprove.studies.sensitivity import arms, next_rate, steps_beyond
from studies.test_studies import toy

TOY = toy()
study_module = sys.modules[study.__module__]


@pytest.fixture(scope="module")
def small() -> Series:
    """The preset with layers of 8 units instead of 512."""
    patched = pytest.MonkeyPatch()
    parts = tuple(
        replace(
            part, factors={**part.factors, "hidden": part.factors["hidden"].replace("512", "8")}
        )
        for part in course._PARTS["course"]
    )
    patched.setitem(course._PARTS, "course", parts)
    patched.setattr(course, "DEEP", "8x3")
    # Each round of an extension compiles its programs: one round shows it.
    patched.setattr(study_module, "MOST_STEPS", 1)
    try:
        found = study(TOY, preset="course", seeds=3, epochs=2)
    finally:
        patched.undo()
    assert isinstance(found, Series)
    return found


def test_the_preset_has_the_grids_of_the_exercise():
    depth, crossed, one, across, rates = course.wanted("course", {}, zipped=(), configurations=None)
    assert [(c.hidden, c.lr) for c in depth.configurations] == [
        ("none", 0.025), ("512", 0.02), ("512x2", 0.01), ("512x3", 0.001),
    ]  # fmt: skip
    assert {(c.activation, c.batch) for c in depth.configurations} == {("sigmoid", 64)}
    assert len(crossed.configurations) == 16
    assert [c.activation for c in one.configurations] == ["sigmoid", "tanh", "relu", "gelu"]
    assert {(c.hidden, c.lr, c.batch) for c in one.configurations} == {("512", 0.02, 128)}
    assert len(across.configurations) == 16
    assert {c.lr for c in rates.configurations} == {0.125, 0.1, 0.075, 0.05, 0.0125, 0.01}
    assert rates.extend and rates.judge


def test_conclusions_about_depth_alone_are_refused_where_the_rate_changes_too(small):
    (refusal, *_) = small.answers[0].sentences
    assert refusal.startswith("Not supported: any conclusion about depth alone;")
    assert "depth is confounded with learning rate" in refusal
    depth, crossed, *_ = small.studies
    assert {c.family for c in depth.comparisons} == {"hidden+lr"}
    assert {c.family for c in crossed.comparisons} == {"hidden", "lr"}


def test_every_question_has_an_answer_that_names_its_sample_sizes(small):
    assert len(small.answers) == 4
    for answer in small.answers:
        text = " ".join(answer.sentences)
        assert "seed" in text and "dev examples" in text
        assert "Not supported" in text or "Not decided" in text


def test_three_seeds_support_no_ranking_at_all(small):
    assert all(c.verdict == "not_decided" for c in small.comparisons)
    assert not any("Supported: hidden" in text for text in small.conclusions)


def test_runs_are_trained_once_and_listed_once(small):
    data = small.to_dict()
    labels = [entry["label"] for entry in data["configurations"]]
    assert len(labels) == len(set(labels)) == len(small.configurations)
    assert small.runs.height == sum(
        len(c.runs) for c in small.configurations
    ) + sum(len(j.result.runs) for s in small.studies for j in s.judged)  # fmt: skip
    json.dumps(data, allow_nan=False)


def test_labels_of_figures_come_from_the_configurations_that_were_trained(small):
    rates = small.studies[-1]
    trained = {r.configuration.lr for r in rates.configurations}
    assert {0.125, 0.0125} <= trained
    assert all(f"lr {r.configuration.lr}" in r.label for r in rates.configurations)


def test_judged_arms_use_seeds_that_chose_nothing_and_are_compared_on_test(small):
    rates = small.studies[-1]
    assert rates.judged
    for judged in rates.judged:
        assert {run.seed for run in judged.result.runs}.isdisjoint(rates.seeds)
        arm = next(arm for arm in arms(rates) if arm.label == judged.arm)
        assert arm.best is not None and arm.best.configuration.lr == judged.lr
        for run in judged.result.runs:
            assert run.test_scores.mean() == pytest.approx(run.last("test_score"))
    on_test = [c for c in rates.comparisons if c.part == "test"]
    assert {c.family for c in on_test} == {"hidden at its chosen lr"}
    a, b = (j.result for j in rates.judged[:2])
    first = next(c for c in on_test if (c.a, c.b) == (a.label, b.label))
    gaps = [
        x.last("test_score") - y.last("test_score") for x, y in zip(a.runs, b.runs, strict=True)
    ]
    assert first.difference == pytest.approx(np.mean(gaps))


def with_accuracies(found: Study, means: dict[float, float], outcome: dict[float, str]) -> Study:
    """The study with made-up dev accuracies and outcomes for each learning rate."""
    results = []
    for result in found.configurations:
        lr = result.configuration.lr
        runs = tuple(
            replace(
                run,
                values={**run.values, "dev_score": np.full(3, means[lr])},
                reading=Reading(outcome.get(lr, "learned"), ""),
            )
            for run in result.runs
        )
        results.append(replace(result, runs=runs))
    return replace(found, configurations=tuple(results))


@pytest.fixture(scope="module")
def rates() -> Study:
    found = study(TOY, hidden="none", lr="0.01,0.1,1", epochs=2, seeds=2)
    assert isinstance(found, Study)
    return found


@pytest.mark.parametrize(
    ("means", "outcome", "best", "turned", "beyond"),
    [
        ((0.70, 0.80, 0.70), {}, 0.1, (True, True), []),
        ((0.80, 0.80, 0.70), {}, 0.01, (False, True), [0.003]),
        ((0.70, 0.795, 0.80), {}, 1.0, (True, False), [3.0]),
        ((0.795, 0.80, 0.795), {}, 0.1, (False, False), [0.003, 3.0]),
        ((0.79, 0.80, 0.99), {1.0: "at_chance"}, 0.1, (False, True), [0.003]),
        ((0.50, 0.80, 0.80), {1.0: "diverged", 0.01: "at_chance"}, 0.1, (True, True), []),
        ((0.5, 0.5, 0.5), dict.fromkeys((0.01, 0.1, 1.0), "at_chance"), None, (False, False),
         [0.003, 3.0]),
    ],
)  # fmt: skip
def test_curves_turn_where_accuracy_falls_or_runs_fail(rates, means, outcome, best, turned, beyond):
    (arm,) = arms(with_accuracies(rates, dict(zip((0.01, 0.1, 1.0), means, strict=True)), outcome))
    assert (arm.best and arm.best.configuration.lr) == best
    assert arm.turned(0.01 + 1e-9) == turned
    assert [c.lr for c in steps_beyond([arm], 0.01 + 1e-9)] == beyond


@pytest.mark.parametrize(
    ("rate", "up", "following"),
    [(0.1, True, 0.3), (0.3, True, 1), (0.125, True, 0.3), (0.01, False, 0.003), (2, False, 1),
     (5e-4, False, 1e-4), (1, False, 0.3), (0.2, True, 1)],
)  # fmt: skip
def test_added_rates_are_steps_of_1_3_10(rate, up, following):
    assert next_rate(rate, up=up) == following


def test_extension_adds_rates_until_both_ends_turn_and_compares_none_of_them():
    found = study(TOY, hidden="none,8", lr="0.1,0.3", extend="lr", epochs=2, seeds=2)
    assert found.extensions
    for arm in arms(found):
        if arm.best is not None and arm.points[0].configuration.lr > 1e-8:
            low, high = arm.turned(0.01)
            assert (low and high) or len(arm.points) >= 8
    assert {c.family for c in found.comparisons} == {"hidden", "lr"}
    labels = {r.label for r in found.extensions}
    assert not labels & {c.a for c in found.comparisons}
    assert {row["lr"] for row in found.runs.rows()} > {0.1, 0.3}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": "8"}, "has its own hidden"),
        ({"zipped": "hidden,lr"}, "has its own zipped"),
        ({"epochs": "1,2"}, "takes a single value"),
    ],
)
def test_what_a_preset_fixes_cannot_be_given_beside_it(fields, message):
    with pytest.raises(SetupError, match=message):
        study(TOY, preset="course", **fields)
