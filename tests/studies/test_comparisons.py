"""Verdicts: against independent tests, by simulation, and on studies with made-up answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from backprove.errors import SetupError
from backprove.studies import Study, study
from backprove.studies.factors import Configuration
from backprove.studies.grids import entangled, grid
from backprove.studies.outcomes import Reading
from backprove.studies.statistics import (
    POWER,
    RESAMPLES,
    Difference,
    exact_p,
    fewest_pairs,
    holm,
    paired,
    resampled_means,
    seeds_needed,
    smallest_p,
)
from studies.test_studies import toy

STREAM = np.random.default_rng(5)


@pytest.mark.parametrize(("pairs", "p"), [(1, 1.0), (5, 0.0625), (6, 0.03125), (8, 0.0078125)])
def test_the_smallest_p_value_is_that_of_the_sign_flips(pairs, p):
    flips = np.array(np.meshgrid(*[[-1, 1]] * pairs)).reshape(pairs, -1)
    extreme = np.abs(flips.sum(axis=0)) == pairs
    assert smallest_p(pairs) == p == extreme.mean()


def test_six_pairs_are_the_fewest_that_can_decide_at_five_percent():
    assert fewest_pairs(0.05) == 6


@pytest.mark.parametrize("pairs", [2, 5, 8, 11])
def test_the_exact_test_counts_all_sign_patterns(pairs):
    differences = STREAM.normal(0.5, 1, pairs)
    means = [np.dot(signs, differences) for signs in product((-1, 1), repeat=pairs)]
    expected = np.mean(np.abs(means) >= abs(differences.sum()) - 1e-12)
    assert exact_p(differences) == pytest.approx(expected)


def test_equal_runs_are_no_evidence_of_a_difference():
    assert exact_p(np.zeros(8)) == 1
    same = paired(np.zeros(8), np.zeros((RESAMPLES, 8)), 0.01)
    assert (same.p, same.p_outside, same.interval, same.wins) == (1, 0, (0, 0), 0.5)


def test_without_noise_of_examples_the_test_is_the_paired_t_test():
    a, b = STREAM.normal(0.8, 0.02, 10), STREAM.normal(0.79, 0.02, 10)
    found = paired(a - b, np.tile(a - b, (RESAMPLES, 1)), 0.01)
    expected = stats.ttest_rel(a, b)
    low, high = expected.confidence_interval(0.95)
    assert found.error == pytest.approx((a - b).std(ddof=1) / np.sqrt(10), rel=0.06)
    assert found.p >= expected.pvalue * 0.999
    assert found.interval[0] <= low + 1e-12 and found.interval[1] >= high - 1e-12
    assert found.interval == pytest.approx((low, high), abs=0.1 * (high - low))
    assert found.example_error == pytest.approx(0, abs=1e-12)


def test_without_noise_of_seeds_the_error_is_that_of_the_examples():
    right = (STREAM.random(400) < 0.7).astype(float)
    correct = np.stack([np.tile(right, (6, 1)), np.zeros((6, 400))])
    means = resampled_means(correct, np.ones((6, 400)))
    found = paired(means.mean(axis=0)[0], means[:, 0] - means[:, 1], 0.01)
    share = right.mean()
    binomial = np.sqrt(share * (1 - share) / 400)
    assert found.example_error == pytest.approx(binomial, rel=0.08)
    assert binomial * 0.92 <= found.error <= 1.2 * binomial


def test_holm_is_the_step_down_rule():
    p = STREAM.random(7) / 10
    order = np.argsort(p)
    expected = np.empty(7)
    expected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(7, 0, -1)))
    np.testing.assert_allclose(holm(list(p)), expected)
    assert holm([]) == []


@pytest.mark.parametrize("shift", [0.0, 0.03])
def test_intervals_hold_the_truth_at_least_as_often_as_they_say(shift):
    """Runs that differ by seed, by example and by chance: population difference is the shift."""
    stream = np.random.default_rng(11)
    hits, rejected, times = 0, 0, 60
    for _ in range(times):
        seed_effect = stream.normal(0, 0.02, (2, 8, 1))
        hardness = stream.normal(0, 0.15, (1, 1, 300)) + stream.normal(0, 0.1, (2, 1, 300))
        chance = 0.5 + seed_effect + hardness + np.array([shift, 0]).reshape(2, 1, 1)
        right = (stream.random((2, 8, 300)) < chance).astype(float)
        resampled = resampled_means(right, np.ones((8, 300)))
        means = right.mean(axis=2)
        found = paired(means[0] - means[1], resampled[:, 0] - resampled[:, 1], 0.01)
        hits += found.interval[0] <= shift <= found.interval[1]
        rejected += found.p < 0.05 and found.p_exact < 0.05
    assert hits >= 0.93 * times
    if not shift:
        assert rejected <= 0.07 * times


def difference(mean, seed_spread, example_error, seeds=8):
    error = np.sqrt(seed_spread**2 / seeds + example_error**2)
    return Difference(mean, (0, 0), 1, 1, 1, 0.5, error, example_error, seeds)


def test_seeds_needed_are_those_that_a_paired_t_test_of_this_power_takes():
    needed = seeds_needed(difference(0.02, 0.05, 0.0), 0.01, family=1)

    def power(n):  # of the t test, by the noncentral t distribution
        far, bound = 0.02 / 0.05 * np.sqrt(n), stats.t.ppf(0.975, n - 1)
        return stats.nct.sf(bound, n - 1, far) + stats.nct.cdf(-bound, n - 1, far)

    assert needed is not None
    exact = next(n for n in range(6, 1000) if power(n) >= POWER)
    assert abs(needed - exact) <= 2
    assert seeds_needed(difference(0.02, 0.05, 0.0), 0.01, family=10) > needed
    assert seeds_needed(difference(0.02, 0.05, 0.02), 0.01, family=1) is None


@pytest.fixture(scope="module")
def trained() -> Study:
    return study(toy(), hidden="none", lr="0.1,0.2", epochs=1, seeds=8)


def made_up(
    result: Study,
    shares: tuple[float, float],
    seeds: int = 8,
    outcome: str = "learned",
    *,
    coupled: bool = True,
) -> Study:
    """The study with answers drawn anew: right with the given chance, paired by example."""
    stream = np.random.default_rng(2)
    luck = stream.random((8, 2000))
    rows = np.arange(2000)
    arms = []
    for found, share in zip(result.configurations, shares, strict=True):
        if not coupled:
            luck = stream.random((8, 2000))
        runs = tuple(
            replace(
                run,
                dev_rows=rows,
                dev_scores=(luck[s] < share + 0.004 * (s % 2)).astype(np.float32),
                reading=Reading(outcome, ""),
            )
            for s, run in enumerate(found.runs[:seeds])
        )
        arms.append(replace(found, runs=runs))
    return replace(
        result, seeds=result.seeds[:seeds], configurations=tuple(arms), sizes=(200, 2000, 100)
    )


@pytest.mark.parametrize(
    ("shares", "seeds", "verdict", "said"),
    [
        ((0.80, 0.70), 8, "better", "Supported: lr 0.1 has a dev accuracy higher by"),
        ((0.70, 0.80), 8, "better", "Supported: lr 0.2 has a dev accuracy higher by"),
        ((0.80, 0.80), 8, "equivalent", "practically equivalent, within ±1 points"),
        ((0.80, 0.798), 8, "equivalent", "practically equivalent"),
        ((0.80, 0.70), 5, "not_decided", "below 6 seeds it cannot reach 0.05"),
        ((0.80, 0.80), 5, "not_decided", "below 6 seeds it cannot reach 0.05"),
    ],
)
def test_every_comparison_ends_in_one_of_three_verdicts(trained, shares, seeds, verdict, said):
    result = made_up(trained, shares, seeds)
    (found,) = result.comparisons
    assert (found.verdict, found.seeds) == (verdict, seeds)
    text = " ".join(result.conclusions)
    assert said in text
    assert f"{seeds} paired seeds" in text
    means = [
        np.mean([run.dev_scores.mean(dtype=float) for run in c.runs]) for c in result.configurations
    ]
    assert found.difference == pytest.approx(means[0] - means[1])
    assert found.interval[0] <= found.difference <= found.interval[1]
    assert (found.reason == "") == (verdict != "not_decided")


def test_what_is_not_decided_says_how_many_seeds_would_decide(trained):
    result = made_up(trained, (0.80, 0.795), coupled=False)
    (found,) = result.comparisons
    assert found.verdict == "not_decided"
    assert found.seeds_needed is None or found.seeds_needed > 8
    assert "would" in found.reason
    assert any(s.startswith("Not decided: 1 of 1 comparison of lr") for s in result.conclusions)


def test_a_wider_region_makes_more_pairs_equivalent(trained):
    result = made_up(trained, (0.80, 0.79))
    (found,) = replace(result, region=5.0).comparisons
    assert found.verdict == "equivalent"


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        (("at_chance",) * 4 + ("learned",) * 4, "4 of 8 runs of lr 0.1 ended at chance"),
        (("diverged",) + ("learned",) * 7, "1 of 8 runs of lr 0.1 ended diverged"),
        (("diverged",) * 8, "8 of 8 runs of lr 0.1 ended diverged"),
    ],
)
def test_runs_that_failed_are_counted_and_never_averaged_away(trained, outcomes, reason):
    result = made_up(trained, (0.80, 0.70))
    first, second = result.configurations
    runs = tuple(
        replace(run, reading=Reading(outcome, ""))
        for run, outcome in zip(first.runs, outcomes, strict=True)
    )
    mixed = replace(result, configurations=(replace(first, runs=runs), second))
    (found,) = mixed.comparisons
    assert (found.verdict, found.difference, found.reason) == ("not_decided", None, reason)
    assert mixed.configurations[0].summary("dev_score")["mean"] is None
    assert any(reason.split(" ended")[1].strip() in s for s in mixed.conclusions)


def test_two_arms_at_chance_are_not_called_equivalent(trained):
    (found,) = made_up(trained, (0.5, 0.5), outcome="at_chance").comparisons
    assert (found.verdict, found.reason) == ("not_decided", "all runs of both ended at chance")


def test_zipped_factors_are_confounded_and_judged_together_only():
    result = study(
        toy(), hidden="none,8", lr="0.1,0.2", zipped="hidden,lr", epochs=1, seeds=2,
        activation="tanh,relu",
    )  # fmt: skip
    assert len(result.configurations) == 4
    families = {c.family for c in result.comparisons}
    assert families == {"hidden+lr", "activation"}
    text = " ".join(result.conclusions)
    assert "any conclusion about depth alone; depth is confounded with learning rate" in text
    assert (
        "any conclusion about learning rate alone; learning rate is confounded with depth" in text
    )
    assert "activation is confounded" not in text


def test_a_zip_with_equal_values_keeps_the_pairs_that_differ_in_one_factor():
    cells = grid({"hidden": "none,8,8x2", "lr": "0.1,0.05,0.05"}, zipped=["lr", "hidden"])
    assert [(c.hidden, c.lr) for c in cells] == [("none", 0.1), ("8", 0.05), ("8x2", 0.05)]
    assert entangled(cells) == (("hidden", "lr"),)


@pytest.mark.parametrize(
    "zipped",
    ["hidden,lr;activation,dropout", ["hidden,lr", "dropout,activation"],
     [["lr", "hidden"], ("activation", "dropout")]],
)  # fmt: skip
def test_several_zips_of_one_grid_are_crossed_with_each_other_and_confounded_within(zipped):
    cells = grid(
        {"hidden": "none,8", "lr": "0.1,0.2", "activation": "tanh,relu,gelu", "dropout": "0,0.5,0"},
        zipped=zipped,
    )  # fmt: skip
    assert [(c.hidden, c.lr, c.activation, c.dropout) for c in cells] == [
        (hidden, lr, activation, dropout)
        for hidden, lr in (("none", 0.1), ("8", 0.2))
        for activation, dropout in (("tanh", 0), ("relu", 0.5), ("gelu", 0))
    ]
    assert entangled(cells) == (("hidden", "lr"), ("activation", "dropout"))


@pytest.mark.parametrize(
    ("cells", "groups"),
    [
        ([("none", 1), ("none", 2), ("8", 1), ("8", 2)], (("hidden",), ("lr",))),
        ([("none", 1), ("8", 2)], (("hidden", "lr"),)),
        ([("none", 1), ("none", 2), ("8", 1)], (("hidden", "lr"),)),
    ],
)
def test_factors_are_entangled_unless_every_combination_occurs(cells, groups):
    assert entangled([Configuration(hidden=h, lr=lr) for h, lr in cells]) == groups


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"zipped": "hidden"}, r"at least two factors with equally many values: hidden has 2"),
        ({"zipped": "hidden,lr", "lr": "1,2,3"}, r"hidden has 2, lr has 3"),
        ({"zipped": "depth,lr"}, r"'depth' is none of hidden"),
        ({"zipped": 3}, r"zipped=3; expected names"),
        ({"zipped": "hidden,lr;lr,batch"}, r"names lr twice"),
        ({"zipped": [["hidden", 3]]}, r"expected names of factors"),
        ({"zipped": "hidden,lr;batch", "lr": "1,2"}, r"'batch'; expected at least two factors"),
        ({"zipped": "hidden,lr", "hidden": "8,8", "lr": "1,1"}, r"gives \('8', 1.0\) twice"),
        ({"region": 0}, r"region=0; expected points"),
        ({"region": "wide"}, r"region='wide'"),
    ],
)
def test_zips_and_regions_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(SetupError, match=message):
        study(toy(), **{"hidden": "none,8", "epochs": 1} | fields)
