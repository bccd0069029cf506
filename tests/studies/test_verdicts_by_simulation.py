"""Verdicts against simulated studies whose truth is known: how often they err and how often decide.

``BACKPROVE_STUDIES`` says how many: 100 by default, 500 in CI, 5,000 at night.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from backprove.studies import statistics
from backprove.studies.comparisons import Comparison, Rules, decide
from backprove.studies.factors import Configuration
from backprove.studies.outcomes import Reading
from backprove.studies.result import ConfigurationResult, Run
from backprove.studies.statistics import (
    LEVEL,
    POWER,
    Difference,
    fewest_pairs,
    holm,
    paired,
    seeds_needed,
)

STUDIES = int(os.environ.get("BACKPROVE_STUDIES", "100"))
EXAMPLES = 200  # judged for each seed
REGION = 0.02


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    """A standard error is then known to 5 %, which is enough to count verdicts."""
    monkeypatch.setattr(statistics, "RESAMPLES", 200)


def simulated(
    stream: np.random.Generator,
    effects: Sequence[float],
    *,
    seeds: int = 8,
    by_seed: float = 0.01,
    by_example: float = 0.05,
    own_mind: float = 0.2,
    pool: int = 600,
) -> list[Comparison]:
    """The comparisons of a study whose arms differ by known effects.

    Whether an arm is right on an example depends on how hard it is, on what the arm makes of it,
    on the seed, and on chance; mostly all arms and seeds are right on the same examples. Examples,
    arms' views of them and seeds are drawn anew.
    """
    hard, shared = stream.uniform(0.5, 0.8, pool), stream.random(pool)
    rows = [np.sort(stream.permutation(pool)[:EXAMPLES]) for _ in range(seeds)]
    results = []
    for number, effect in enumerate(effects):
        view = stream.choice([-by_example, by_example], pool)
        runs = []
        for s in range(seeds):
            share = hard + view + effect + stream.normal(0, by_seed)
            luck = np.where(stream.random(pool) < own_mind, stream.random(pool), shared)
            right = (luck < share)[rows[s]].astype(np.float32)
            runs.append(Run(s, {}, Reading("learned", ""), rows[s], right, right))
        configuration = Configuration(lr=number + 1)
        results.append(ConfigurationResult(configuration, f"lr {number}", 1, tuple(runs)))
    pairs = {(i, j): "lr" for i in range(len(effects)) for j in range(i + 1, len(effects))}
    return decide(results, pairs, Rules(REGION, LEVEL, "dev", EXAMPLES))


def allowed(rate: float, times: int) -> float:
    """A count so much above a rate has a chance below 0.1 %."""
    return rate + 3.1 * np.sqrt(rate * (1 - rate) / times)


@pytest.fixture(scope="module")
def equal_arms():
    """Studies of three arms that do not differ."""
    patched = pytest.MonkeyPatch()
    patched.setattr(statistics, "RESAMPLES", 200)
    stream = np.random.default_rng(101)
    try:
        return [simulated(stream, [0.0, 0.0, 0.0]) for _ in range(STUDIES)]
    finally:
        patched.undo()


def test_equal_arms_are_called_better_at_most_at_the_nominal_rate(equal_arms):
    wrong = sum(any(c.verdict == "better" for c in found) for found in equal_arms)
    assert wrong / STUDIES <= allowed(LEVEL, STUDIES)


def test_intervals_cover_the_truth_at_least_as_often_as_they_say(equal_arms):
    intervals = [found[0].interval for found in equal_arms]
    misses = sum(not low <= 0 <= high for low, high in intervals)
    assert misses / STUDIES <= allowed(LEVEL, STUDIES)


def test_a_large_planted_effect_is_called_better_in_its_own_direction():
    stream = np.random.default_rng(102)
    verdicts = Counter()
    for _ in range(100):
        (found,) = simulated(stream, [0.0, 0.1])
        verdicts[found.verdict, found.difference is not None and found.difference < 0] += 1
    assert verdicts["better", True] >= 95
    assert not verdicts["better", False] and not verdicts["equivalent", True]


def test_of_three_arms_only_the_better_one_is_told_apart():
    stream = np.random.default_rng(103)
    told, false, times = 0, 0, 100
    for _ in range(times):
        first, *others = simulated(stream, [0.0, 0.0, 0.12])
        told += all(c.verdict == "better" and (c.difference or 0) < 0 for c in others)
        false += first.verdict == "better"
    assert told >= 0.9 * times
    assert false / times <= allowed(LEVEL, times)


def test_arms_well_within_the_region_are_called_equivalent_where_there_is_little_noise():
    stream = np.random.default_rng(104)
    verdicts = Counter()
    for _ in range(60):
        # Both arms answer alike but for chance, and many seeds share the examples.
        found = simulated(stream, [0.0, 0.001], seeds=12, by_seed=0.0, by_example=0, own_mind=0.02)
        verdicts[found[0].verdict] += 1
    assert verdicts["equivalent"] >= 50
    assert not verdicts["better"]


def test_arms_at_the_edge_of_the_region_are_called_equivalent_at_most_at_the_nominal_rate():
    stream = np.random.default_rng(105)
    studies = [
        simulated(stream, [0.0, REGION], by_seed=0, by_example=0, own_mind=0.02)
        for _ in range(STUDIES // 2)
    ]
    wrong = sum(found[0].verdict == "equivalent" for found in studies)
    assert wrong / len(studies) <= allowed(LEVEL, len(studies))


def test_the_share_of_seeds_that_are_ahead_estimates_how_probable_that_is():
    stream = np.random.default_rng(107)
    shares = [
        simulated(stream, [0.03, 0.0], by_example=0.0, own_mind=1.0)[0].probability
        for _ in range(200)
    ]
    # The difference of two runs: two seeds, and chance in 2 × 200 answers
    chance = sum(
        np.mean(share * (1 - share)) / EXAMPLES
        for share in (np.linspace(0.5, 0.8, 1000), np.linspace(0.53, 0.83, 1000))
    )
    expected = statistics.stats.norm.cdf(0.03 / np.sqrt(2 * 0.01**2 + chance))
    assert np.mean([share for share in shares if share is not None]) == pytest.approx(
        expected, abs=0.03
    )


def decided(differences: np.ndarray, family: int) -> bool:
    """The rule, for differences without noise of examples; the exact test is left out: slow."""
    found = paired(differences, np.tile(differences, (200, 1)), 0.01)
    equal = family * found.p_outside < LEVEL and max(map(abs, found.interval)) <= 0.01
    return equal or family * found.p < LEVEL


@pytest.mark.parametrize(
    ("mean", "spread", "family"),
    [(0.02, 0.05, 1), (0.0, 0.02, 1), (0.005, 0.015, 1), (0.03, 0.04, 6), (0.001, 0.01, 3)],
)
def test_the_seeds_that_are_said_to_be_needed_decide_four_times_of_five(
    monkeypatch, mean, spread, family
):
    known = Difference(mean, (0, 0), 1, 1, 1, 0.5, spread / np.sqrt(8), 0.0, 8)
    needed = seeds_needed(known, 0.01, family)
    assert needed is not None and needed >= fewest_pairs()
    monkeypatch.setattr(statistics, "exact_p", lambda differences: 0.0)
    stream = np.random.default_rng(108)
    draws = stream.normal(mean, spread, (500, needed))
    share = np.mean([decided(draw, family) for draw in draws])
    assert POWER - 0.08 <= share <= POWER + 0.08


@pytest.mark.parametrize(
    ("mean", "region", "needed"), [(0.01, 0.0, 9), (0.0, 0.01, 9), (0.0, 0.0, None)]
)
def test_differences_without_any_spread_need_no_more_than_the_next_seed(mean, region, needed):
    known = Difference(mean, (mean, mean), 0, 0, 0, 0.5, 0.0, 0.0, 8)
    assert seeds_needed(known, region, 3) == needed


def test_holm_agrees_with_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    stream = np.random.default_rng(109)
    for count in range(1, 12):
        p = stream.random(count) ** 3
        p[stream.integers(count)] = p[0]  # equal ones
        np.testing.assert_allclose(holm(list(p)), multitest.multipletests(p, method="holm")[1])
