"""Which configurations are compared, and the verdict on each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backprove.studies.grids import entangled
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
Part = Literal["dev", "test"]


@dataclass(frozen=True)
class Comparison:
    """Two configurations that differ in one factor, over paired seeds.

    Args:
        family: the factor in which they differ, or the factors, joined by +, that change together.
        a: label of one configuration.
        b: label of the other.
        verdict: ``better`` (the sign of the difference says which), ``equivalent`` or
            ``not_decided``.
        difference: accuracy at the last epoch, a minus b, as a share, mean over seeds; none if
            runs diverged or only some are at chance.
        interval: its interval, over seeds and examples; none below two seeds.
        seeds: number of pairs.
        seeds_needed: about how many seeds in all would decide; none if decided, or if more seeds
            alone would not.
        reason: why there is no verdict; empty if there is one.
        probability: estimate of P(a > b), the share of seeds in which a is ahead, ties half.
        p: p-value of the verdict's test after Holm's correction within the family; of no
            difference where nothing is decided.
        part: the examples that accuracy is of: ``dev`` or ``test``.
        level: error probability of the family at this look; 1 minus it is the interval's.
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
    part: Part = "dev"
    level: float = LEVEL

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Rules:
    """How comparisons are decided.

    Args:
        region: half the width of the region of practical equivalence, as a share.
        level: error probability of a family.
        part: the examples that accuracy is of.
        examples: how many each run is judged on.
    """

    region: float
    level: float
    part: Part
    examples: int


_Pair = tuple[int, int]


def compare(study: Study) -> list[Comparison]:
    """Every pair of configurations that differ in one factor, or in factors tied together.

    A study that goes on until it is decided is judged at each look; a comparison keeps the first
    verdict that it got.

    Args:
        study: the study.

    Returns:
        The comparisons, each with its verdict, family by family within the order of the pairs; at
        the end those of chosen learning rates on test.
    """
    results = study.configurations
    configurations = [result.configuration for result in results]
    pairs = _pairs(results, study.varied, entangled(configurations))
    planned = study.looks or (len(study.seeds),)
    rules = Rules(study.region / 100, LEVEL / len(planned), "dev", study.sizes[1])
    found: list[Comparison] = []
    for seeds in (n for n in planned if n <= len(study.seeds)):
        now = decide([_first(result, seeds) for result in results], pairs, rules)
        found = [
            later if not found or found[i].verdict == "not_decided" else found[i]
            for i, later in enumerate(now)
        ]
    return [*found, *_compare_judged(study)]


def _first(result: ConfigurationResult, seeds: int) -> ConfigurationResult:
    return replace(result, runs=result.runs[:seeds])


def _compare_judged(study: Study) -> list[Comparison]:
    """Arms at the learning rates chosen on dev, on test with fresh seeds."""
    arms = [judged.result for judged in study.judged]
    others = tuple(name for name in study.varied if name != "lr")
    groups = entangled([result.configuration for result in study.configurations], others)
    pairs = {
        pair: f"{family} at its chosen lr" for pair, family in _pairs(arms, others, groups).items()
    }
    rules = Rules(study.region / 100, LEVEL, "test", study.sizes[2])
    return decide(arms, pairs, rules)


def decide(
    results: Sequence[ConfigurationResult], pairs: Mapping[_Pair, str], rules: Rules
) -> list[Comparison]:
    """The verdict on each pair.

    Args:
        results: configurations whose runs are paired by seed.
        pairs: positions of two of them, and the family of the pair.
        rules: how to decide.

    Returns:
        The comparisons, family by family within the order of the pairs.
    """
    differences = _differences(results, list(pairs), rules)
    found: list[Comparison] = []
    for family in dict.fromkeys(pairs.values()):
        members = [pair for pair, name in pairs.items() if name == family]
        known = [differences.get(pair) for pair in members]
        # A pair without a test still belongs to the family that was declared: p = 1.
        unequal = holm([1.0 if d is None else d.p for d in known])
        inside = holm([1.0 if d is None else d.p_outside for d in known])
        for pair, d, p, p_outside in zip(members, known, unequal, inside, strict=True):
            a, b = (results[i] for i in pair)
            if d is None:
                found.append(_untested(rules, family, a, b))
            else:
                found.append(_tested(rules, family, (a, b), d, p, p_outside, len(members)))
    return found


def _pairs(
    results: Sequence[ConfigurationResult],
    varied: Sequence[str],
    groups: Sequence[Sequence[str]],
) -> dict[_Pair, str]:
    """The pairs to compare and the family of each."""
    pairs = {}
    for (i, a), (j, b) in combinations(enumerate(results), 2):
        differing = {
            name
            for name in varied
            if getattr(a.configuration, name) != getattr(b.configuration, name)
        }
        one_group = any(differing <= set(group) for group in groups)
        # Factors that are crossed elsewhere are told apart there: no pair mixes two of them.
        if differing and one_group and not _same_network(a, b):
            pairs[i, j] = "+".join(name for name in varied if name in differing)
    return pairs


def _differences(
    results: Sequence[ConfigurationResult], pairs: list[_Pair], rules: Rules
) -> dict[_Pair, Difference]:
    tested = [
        (i, j)
        for i, j in pairs
        if not results[i].incomparable
        and not results[j].incomparable
        and {results[i].outcome, results[j].outcome} != {"at_chance"}
    ]
    if not tested:
        return {}
    if rules.part == "test":
        rows = [np.arange(len(run.test_scores)) for run in results[0].runs]
    else:
        rows = [run.dev_rows for run in results[0].runs]
    examples, where = np.unique(np.concatenate(rows), return_inverse=True)
    places = np.split(where, np.cumsum([len(r) for r in rows])[:-1])
    used = np.zeros((len(rows), len(examples)))
    correct = np.zeros((len(results), len(rows), len(examples)))
    for s, place in enumerate(places):
        used[s, place] = 1
        for c, result in enumerate(results):
            run = result.runs[s]
            correct[c, s, place] = run.test_scores if rules.part == "test" else run.dev_scores
    means = correct.sum(axis=2) / used.sum(axis=1)
    resampled = resampled_means(correct, used)
    return {
        (i, j): paired(
            means[i] - means[j], resampled[:, i] - resampled[:, j], rules.region, rules.level
        )
        for i, j in tested
    }


def _untested(
    rules: Rules, family: str, a: ConfigurationResult, b: ConfigurationResult
) -> Comparison:
    reason = "; ".join(filter(None, (a.incomparable, b.incomparable)))
    return Comparison(
        family=family,
        a=a.label,
        b=b.label,
        verdict="not_decided",
        difference=None,
        interval=None,
        seeds=len(a.runs),
        seeds_needed=None,
        reason=reason or "all runs of both ended at chance",
        probability=None,
        p=None,
        part=rules.part,
        level=rules.level,
    )


def _tested(
    rules: Rules,
    family: str,
    pair: tuple[ConfigurationResult, ConfigurationResult],
    d: Difference,
    p: float,
    p_outside: float,
    members: int,
) -> Comparison:
    enough = d.seeds >= fewest_pairs(rules.level)
    verdict: Verdict = "not_decided"
    if enough and p_outside < rules.level and max(map(abs, d.interval)) <= rules.region:
        verdict = "equivalent"
    elif enough and p < rules.level and d.p_exact < rules.level:
        verdict = "better"
    needed, reason = None, ""
    if verdict == "not_decided":
        needed = seeds_needed(d, rules.region, members, rules.level)
        reason = _reason(rules, d, members, needed)
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
        part=rules.part,
        level=rules.level,
    )


def _reason(rules: Rules, d: Difference, members: int, needed: int | None) -> str:
    if d.seeds < 2:
        return "a single seed shows no spread"
    spread = "the interval is too wide"
    if d.seeds < fewest_pairs(rules.level):
        spread = (
            f"with {d.seeds} paired seeds an exact two-sided test cannot go below p = "
            f"{smallest_p(d.seeds):.3g}"
        )
    if needed is not None:
        return f"{spread}; about {needed} seeds in all would decide"
    examples = examples_needed(d, rules.region, members, rules.examples)
    return (
        f"{spread}; more seeds alone would not decide, about {examples} {rules.part} examples and "
        "more seeds would"
    )


def _same_network(a: ConfigurationResult, b: ConfigurationResult) -> bool:
    """Whether two configurations differ in nothing that acts: no hidden layer, no activation."""
    return replace(a.configuration, activation="") == replace(b.configuration, activation="") and (
        a.configuration.hidden == "none"
    )
