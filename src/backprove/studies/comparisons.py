"""Which configurations are compared, and the verdict on each pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from backprove.studies.factors import entangled
from backprove.studies.statistics import (
    LEVEL,
    Difference,
    examples_needed,
    fewest_pairs,
    holm,
    paired,
    resampled_means,
    seeds_needed,
    smallest_p,
)

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study

EQUIVALENCE_NOTE = f"and two one-sided tests stay below {LEVEL:g} after Holm's correction"

Verdict = Literal["better", "equivalent", "not_decided"]


@dataclass(frozen=True)
class Comparison:
    """Two configurations that differ in one factor, over paired seeds.

    Args:
        family: the factor in which they differ, or the factors, joined by +, that change together.
        a: label of one configuration.
        b: label of the other.
        verdict: ``better`` (the sign of the difference says which), ``equivalent`` or
            ``not_decided``.
        difference: dev accuracy at the last epoch, a minus b, as a share, mean over seeds; none if
            runs diverged or only some are at chance.
        interval: its 95 % interval, over seeds and examples; none below two seeds.
        seeds: number of pairs.
        seeds_needed: about how many seeds in all would decide; none if decided, or if more seeds
            alone would not.
        reason: why there is no verdict; empty if there is one.
        probability: estimate of P(a > b), the share of seeds in which a is ahead, ties half.
        p: p-value of the verdict's test after Holm's correction within the family; of no
            difference where nothing is decided.
    """

    family: str
    a: str
    b: str
    verdict: Verdict
    difference: float | None
    interval: tuple[float, float] | None
    seeds: int
    seeds_needed: int | None
    reason: str
    probability: float | None
    p: float | None


_Pair = tuple[int, int]


def compare(study: Study) -> list[Comparison]:
    """Every pair of configurations that differ in one factor, or in factors tied together.

    Args:
        study: the study.

    Returns:
        The comparisons, each with its verdict, family by family within the order of the pairs.
    """
    pairs = _pairs(study)
    differences = _differences(study, list(pairs))
    found: list[Comparison] = []
    for family in dict.fromkeys(pairs.values()):
        members = [pair for pair, name in pairs.items() if name == family]
        known = [differences.get(pair) for pair in members]
        # A pair without a test still belongs to the family that was declared: p = 1.
        unequal = holm([1.0 if d is None else d.p for d in known])
        inside = holm([1.0 if d is None else d.p_outside for d in known])
        for pair, d, p, p_outside in zip(members, known, unequal, inside, strict=True):
            a, b = (study.configurations[i] for i in pair)
            if d is None:
                found.append(_untested(study, family, a, b))
            else:
                found.append(_tested(study, family, (a, b), d, p, p_outside, len(members)))
    return found


def _pairs(study: Study) -> dict[_Pair, str]:
    """The pairs to compare and the family of each."""
    groups = entangled([result.configuration for result in study.configurations])
    pairs = {}
    for (i, a), (j, b) in combinations(enumerate(study.configurations), 2):
        differing = {
            name
            for name in study.varied
            if getattr(a.configuration, name) != getattr(b.configuration, name)
        }
        one_group = any(differing <= set(group) for group in groups)
        # Factors that are crossed elsewhere are told apart there: no pair mixes two of them.
        if one_group and not _same_network(a, b):
            pairs[i, j] = "+".join(name for name in study.varied if name in differing)
    return pairs


def _differences(study: Study, pairs: list[_Pair]) -> dict[_Pair, Difference]:
    results = study.configurations
    tested = [
        (i, j)
        for i, j in pairs
        if not results[i].incomparable
        and not results[j].incomparable
        and {results[i].outcome, results[j].outcome} != {"at_chance"}
    ]
    if not tested:
        return {}
    rows = [run.dev_rows for run in results[0].runs]
    examples, where = np.unique(np.concatenate(rows), return_inverse=True)
    places = np.split(where, np.cumsum([len(r) for r in rows])[:-1])
    used = np.zeros((len(rows), len(examples)))
    correct = np.zeros((len(results), len(rows), len(examples)))
    for s, place in enumerate(places):
        used[s, place] = 1
        for c, result in enumerate(results):
            correct[c, s, place] = result.runs[s].dev_scores
    means = correct.sum(axis=2) / used.sum(axis=1)
    resampled = resampled_means(correct, used)
    return {
        (i, j): paired(means[i] - means[j], resampled[:, i] - resampled[:, j], study.region / 100)
        for i, j in tested
    }


def _untested(
    study: Study, family: str, a: ConfigurationResult, b: ConfigurationResult
) -> Comparison:
    reason = "; ".join(filter(None, (a.incomparable, b.incomparable)))
    return Comparison(
        family=family,
        a=a.label,
        b=b.label,
        verdict="not_decided",
        difference=None,
        interval=None,
        seeds=len(study.seeds),
        seeds_needed=None,
        reason=reason or "all runs of both ended at chance",
        probability=None,
        p=None,
    )


def _tested(
    study: Study,
    family: str,
    pair: tuple[ConfigurationResult, ConfigurationResult],
    d: Difference,
    p: float,
    p_outside: float,
    members: int,
) -> Comparison:
    region = study.region / 100
    enough = d.seeds >= fewest_pairs()
    verdict: Verdict = "not_decided"
    if enough and p_outside < LEVEL and max(map(abs, d.interval)) <= region:
        verdict = "equivalent"
    elif enough and p < LEVEL and d.p_exact < LEVEL:
        verdict = "better"
    needed, reason = None, ""
    if verdict == "not_decided":
        needed = seeds_needed(d, region, members)
        reason = _reason(study, d, members, needed)
    return Comparison(
        family=family,
        a=pair[0].label,
        b=pair[1].label,
        verdict=verdict,
        difference=d.mean,
        interval=d.interval if d.seeds > 1 else None,
        seeds=d.seeds,
        seeds_needed=needed,
        reason=reason,
        probability=d.wins,
        p=p_outside if verdict == "equivalent" else p,
    )


def _reason(study: Study, d: Difference, members: int, needed: int | None) -> str:
    if d.seeds < 2:
        return "a single seed shows no spread"
    low, high = (100 * end for end in d.interval)
    spread = f"the interval {low:+.2f} to {high:+.2f} points is too wide"
    if d.seeds < fewest_pairs():
        spread = (
            f"with {d.seeds} paired seeds an exact two-sided test cannot go below p = "
            f"{smallest_p(d.seeds):.3g}"
        )
    if needed is not None:
        return f"{spread}; about {needed} seeds in all would decide"
    examples = examples_needed(d, study.region / 100, members, study.sizes[1])
    return (
        f"{spread}; more seeds alone would not decide, about {examples} dev examples and more "
        "seeds would"
    )


def _same_network(a: ConfigurationResult, b: ConfigurationResult) -> bool:
    """Whether two configurations differ in nothing that acts: no hidden layer, no activation."""
    return replace(a.configuration, activation="") == replace(b.configuration, activation="") and (
        a.configuration.hidden == "none"
    )
