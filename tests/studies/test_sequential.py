"""Looks until it is decided: the error probability holds, shown by simulation."""

from __future__ import annotations

import os

import numpy as np
import pytest

from backprove.studies import Study, study
from backprove.studies.statistics import LEVEL, exact_p, fewest_pairs, looks, paired
from studies.test_studies import toy

REGION = 0.01
TIMES = int(os.environ.get("BACKPROVE_STUDIES", "100"))
"""Simulated studies: 100 by default, 500 in CI."""


def verdict(differences: np.ndarray, level: float) -> str:
    """The rule of a single comparison, on differences whose examples add no noise of their own."""
    found = paired(differences, np.tile(differences, (200, 1)), REGION, level)
    if len(differences) < fewest_pairs(level):
        return "not_decided"
    if found.p_outside < level and max(map(abs, found.interval)) <= REGION:
        return "equivalent"
    return "better" if found.p < level and found.p_exact < level else "not_decided"


def share_decided(wrong: str, shift: float, spread: float, plan: tuple[int, ...], level: float):
    stream = np.random.default_rng(17)
    count = 0
    for _ in range(TIMES):
        differences = stream.normal(shift, spread, plan[-1])
        first = next(
            (v for n in plan if (v := verdict(differences[:n], level)) != "not_decided"), ""
        )
        count += first == wrong
    return count / TIMES


def test_looking_again_and_again_keeps_false_verdicts_rare():
    plan = looks(8, 12)  # up to 12 seeds the exact test counts all sign patterns, fast
    level = LEVEL / len(plan)
    allowed = LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / TIMES)
    assert share_decided("better", 0.0, 0.03, plan, level) <= allowed
    # A true difference just outside of the region is the hardest case to call equivalent.
    assert share_decided("equivalent", 0.01, 0.006, plan, level) <= allowed


def test_one_look_keeps_false_verdicts_rare_too():
    allowed = LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / TIMES)
    assert share_decided("better", 0.0, 0.03, (8,), LEVEL) <= allowed
    assert share_decided("equivalent", 0.01, 0.006, (8,), LEVEL) <= allowed


def test_looking_at_full_level_each_time_would_err_too_often():
    assert share_decided("better", 0.0, 0.03, (6, 8, 10, 12), 0.05) > 0.06


def test_with_five_seeds_no_data_can_reach_five_percent():
    assert min(exact_p(np.full(5, value)) for value in (1e-6, 1.0, 1e6)) == 0.0625
    assert fewest_pairs() == 6


@pytest.mark.parametrize(
    ("first", "most", "planned"),
    [(8, 32, (8, 12, 18, 27, 32)), (8, 8, (8,)), (2, 4, (2, 3, 4)), (1, 2, (1, 2))],
)
def test_looks_grow_by_half_up_to_the_cap(first, most, planned):
    assert looks(first, most) == planned


def test_seeds_are_added_until_the_cap_and_every_look_has_its_level():
    found = study(toy(), hidden="none,8", lr=0.05, epochs=1, seeds=6, until_decided=True,
                  most_seeds=9)  # fmt: skip
    assert isinstance(found, Study)
    assert found.looks == (6, 9)
    assert len(found.seeds) in found.looks
    (only,) = found.comparisons
    assert only.level == LEVEL / 2
    assert (len(found.seeds) == 9) or only.verdict != "not_decided" or only.seeds_needed is None
    assert any("each at a level of 0.025" in str(block) for block in found.blocks())
