"""Sentences about a study, made from its numbers: what they support and what they do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Literal

from backprove.studies.outcomes import ERRORS, LOSS_SHARE

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study

LEVEL = 0.05

Verdict = Literal["better", "equivalent", "not_decided"]


@dataclass(frozen=True)
class Comparison:
    """Two configurations that differ in one factor, over paired seeds.

    Args:
        family: the factor in which they differ.
        a: label of one configuration.
        b: label of the other.
        verdict: ``not_decided`` as long as no test is made.
        difference: dev accuracy at the last epoch, a minus b, mean over seeds; none if one run
            diverged.
        interval: of the difference; none, for none is computed without a test.
        seeds: number of pairs.
        seeds_needed: the fewest pairs with which an exact paired test could decide at 5 %, if the
            study has fewer.
        reason: why there is no verdict.
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


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p-value that an exact paired test can give.

    Of the ``2**n`` sign patterns of n paired differences, the two most extreme ones count.

    Args:
        pairs: number of paired differences, at least 1.

    Returns:
        ``2/2**n``.

    Source: Fisher, The Design of Experiments (1935), section 21.

    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - pairs)


def fewest_pairs(level: float = LEVEL) -> int:
    """The fewest pairs with which an exact paired test can fall below a level.

    >>> fewest_pairs(0.05)
    6
    """
    return next(n for n in range(1, 64) if smallest_p(n) < level)


def compare(study: Study) -> list[Comparison]:
    """Every pair of configurations that differ in exactly one factor.

    Args:
        study: the study.

    Returns:
        The comparisons, all undecided: the study describes differences and tests none.
    """
    pairs = len(study.seeds)
    needed = fewest_pairs()
    few = pairs < needed
    reason = (
        f"with {pairs} paired seeds an exact two-sided test cannot go below p = "
        f"{smallest_p(pairs):.3g}"
        if few
        else "no test is made: the seeds share examples, so their differences are not independent"
    )
    found = []
    for a, b in combinations(study.configurations, 2):
        differing = [
            name
            for name in study.varied
            if getattr(a.configuration, name) != getattr(b.configuration, name)
        ]
        if len(differing) == 1 and not _same_network(a, b):
            difference = _mean_difference(a, b)
            found.append(
                Comparison(
                    family=differing[0],
                    a=a.label,
                    b=b.label,
                    verdict="not_decided",
                    difference=difference,
                    interval=None,
                    seeds=pairs,
                    seeds_needed=needed if few else None,
                    reason=reason if difference is not None else "a run diverged",
                )
            )
    return found


def conclude(study: Study) -> list[str]:
    """What the numbers of a study support, and what they do not.

    Args:
        study: the study.

    Returns:
        Sentences, each with its sample sizes.
    """
    return [_design(study), *_outcomes(study), *_unsupported(study)]


def method(study: Study) -> str:
    """How the numbers came about, in one paragraph."""
    drawn = (
        "each seed draws train and dev anew from the same pool and fixes the first weights and the "
        "order of the examples"
        if study.split == "seeded"
        else "each seed fixes the first weights and the order of the examples; the split is the "
        "same for all"
    )
    return (
        f"{drawn[0].upper()}{drawn[1:]}, alike for every configuration; the test examples are "
        "never trained on. Losses and accuracies are those of the parameters at the end of an "
        f"epoch. A run has learned if it is better than both the constant prediction and the "
        f"untrained network: accuracy higher by {ERRORS:g} standard errors, or loss lower by "
        f"{LOSS_SHARE:.0%} of the constant prediction's. Trained in {study.seconds:.1f} s, "
        f"compilation included, on {study.environment['device']} with JAX "
        f"{study.environment['jax']}."
    )


def _design(study: Study) -> str:
    train, dev, test = study.sizes
    configurations, seeds = len(study.configurations), len(study.seeds)
    return (
        f"{_count(configurations, 'configuration')} × {_count(seeds, 'seed')} = "
        f"{_count(configurations * seeds, 'run')} on {study.data}: {train} examples to train, "
        f"{dev} for dev, {test} for test. The constant prediction has, on "
        f"average over seeds, a dev loss of {study.baseline_loss:.4f} and "
        f"a dev accuracy of {study.baseline_accuracy:.1%}."
    )


def _outcomes(study: Study) -> Iterator[str]:
    total = len(study.configurations) * len(study.seeds)
    learned = sum(result.outcomes.get("learned", 0) for result in study.configurations)
    if learned == total:
        yield (
            "Supported: every run ends better on dev than the constant prediction and than the "
            "untrained network."
        )
    for result in study.configurations:
        bad = {outcome: n for outcome, n in result.outcomes.items() if outcome != "learned"}
        for outcome, n in bad.items():
            yield (
                f"{result.label}: {n} of {_count(len(result.runs), 'run')} ended "
                f"{outcome.replace('_', ' ')}."
            )


def _unsupported(study: Study) -> Iterator[str]:
    seeds, dev = len(study.seeds), study.sizes[1]
    share = _typical_accuracy(study)
    error = sqrt(share * (1 - share) / dev)
    if len(study.configurations) > 1:
        few = seeds < fewest_pairs()
        reason = (
            f"with {_count(seeds, 'paired seed')} the smallest p-value of an exact two-sided "
            f"paired test is {smallest_p(seeds):.3g}; below {fewest_pairs()} seeds it cannot reach "
            f"{LEVEL:g}"
            if few
            else f"the differences over {seeds} paired seeds are described, not tested"
        )
        yield f"Not supported: any ranking of the configurations; {reason}."
    yield (
        f"The standard error of one accuracy near {share:.0%} on {dev} dev examples is "
        f"{100 * error:.1f} points, seeds aside."
    )
    linear = [r for r in study.configurations if r.configuration.hidden == "none"]
    if "activation" in study.varied and linear:
        yield (
            f"Without a hidden layer no activation acts: the {len(linear)} configurations with "
            "hidden none are the same networks as far as only their activation differs."
        )
    single = [name for name in ("lr", "epochs", "batch", "optimizer") if name not in study.varied]
    if study.varied and single:
        (first, *_) = (result.configuration for result in study.configurations)
        yield (
            f"Whatever is seen across {' and '.join(study.varied)} is seen at "
            f"{first.text(single)} only; other settings can reverse it."
        )


def _same_network(a: ConfigurationResult, b: ConfigurationResult) -> bool:
    """Whether two configurations differ in nothing that acts: no hidden layer, no activation."""
    return replace(a.configuration, activation="") == replace(b.configuration, activation="") and (
        a.configuration.hidden == "none"
    )


def _mean_difference(a: ConfigurationResult, b: ConfigurationResult) -> float | None:
    first, second = a.summary("dev_score")["mean"], b.summary("dev_score")["mean"]
    return None if first is None or second is None else first - second


def _typical_accuracy(study: Study) -> float:
    """The middle dev accuracy of the study, or one half, where the standard error is largest."""
    last = [run.last("dev_score") for result in study.configurations for run in result.runs]
    finite = sorted(value for value in last if isfinite(value))
    return finite[len(finite) // 2] if finite else 0.5


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
