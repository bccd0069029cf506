"""How much the runs overfit: the gap between dev and train loss, paired over seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.studies.statistics import (
    LEVEL,
    RESAMPLES,
    Difference,
    fewest_pairs,
    holm,
    paired,
    seeds_needed,
)

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study


@dataclass(frozen=True)
class Gap:
    """Two configurations that differ in one factor, by how far dev loss is above train loss.

    Args:
        a: label of one configuration.
        b: label of the other.
        level_a: the value of the factor in a.
        level_b: its value in b.
        difference: gap of a minus gap of b at the last epoch, mean over seeds, in units of the
            loss; none if a run is at chance or diverged.
        interval: its interval over seeds.
        dev_loss: dev loss of a minus that of b, mean over seeds.
        p: p-value of no difference, after Holm's correction over the comparisons of the factor.
        decided: whether the difference is surely not 0.
        seeds: number of pairs.
        reason: why nothing is decided; empty if it is.
        family: comparisons of the factor.
    """

    a: str
    b: str
    level_a: Any
    level_b: Any
    difference: float | None
    interval: tuple[float, float] | None
    dev_loss: float | None
    p: float | None
    decided: bool
    seeds: int
    reason: str
    family: int

    def turned(self) -> Gap:
        """The same as b minus a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            level_a=self.level_b,
            level_b=self.level_a,
            difference=None if self.difference is None else -self.difference,
            interval=None if self.interval is None else (-self.interval[1], -self.interval[0]),
            dev_loss=None if self.dev_loss is None else -self.dev_loss,
        )


def gaps(study: Study, factor: str) -> list[Gap]:
    """The gaps of all pairs of configurations that differ in one factor only.

    Args:
        study: the study.
        factor: in which they differ.

    Returns:
        One for each comparison of the factor on dev, tested over seeds like accuracies are, with
        Student's t, the exact paired permutation test and Holm's correction.
    """
    results = {result.label: result for result in study.configurations}
    members = [
        (results[c.a], results[c.b])
        for c in study.comparisons
        if c.family == factor and c.part == "dev"
    ]
    known = [_difference(study, a, b) for a, b in members]
    adjusted = holm([1.0 if d is None else d.p for d in known])
    level = LEVEL / max(1, len(study.looks))
    return [
        _gap(factor, pair, d, p, len(members), level)
        for pair, d, p in zip(members, known, adjusted, strict=True)
    ]


def _gap(
    factor: str,
    pair: tuple[ConfigurationResult, ConfigurationResult],
    d: Difference | None,
    p: float,
    family: int,
    level: float,
) -> Gap:
    a, b = pair
    decided = d is not None and p < level and d.p_exact < level and d.seeds >= fewest_pairs(level)
    levels = (getattr(result.configuration, factor) for result in pair)
    dev = [x.last("dev_loss") - y.last("dev_loss") for x, y in zip(a.runs, b.runs, strict=True)]
    return Gap(
        a.label,
        b.label,
        *levels,
        difference=None if d is None else d.mean,
        interval=None if d is None or d.seeds < 2 else d.interval,
        dev_loss=None if d is None else float(np.mean(dev)),
        p=None if d is None else p,
        decided=decided,
        seeds=len(a.runs),
        reason="" if decided else _reason(a, b, d, family),
        family=family,
    )


def _difference(study: Study, a: ConfigurationResult, b: ConfigurationResult) -> Difference | None:
    # A network that never learned fits train no better than dev: its gap says nothing.
    if _failed(a) or _failed(b):
        return None
    values = np.array([_of_run(x) - _of_run(y) for x, y in zip(a.runs, b.runs, strict=True)])
    if not np.isfinite(values).all():
        return None
    return paired(values, np.tile(values, (RESAMPLES, 1)), study.region / 100)


def _of_run(run: Any) -> float:
    return run.last("dev_loss") - run.last("train_loss")


def _failed(result: ConfigurationResult) -> str:
    for outcome in ("diverged", "at_chance"):
        if number := result.outcomes.get(outcome, 0):
            ended = outcome.replace("_", " ")
            return f"{number} of {len(result.runs)} runs of {result.label} ended {ended}"
    return ""


def _reason(
    a: ConfigurationResult, b: ConfigurationResult, d: Difference | None, family: int
) -> str:
    if d is None:
        return "; ".join(filter(None, (_failed(a), _failed(b)))) or "a loss is not finite"
    if d.seeds < 2:
        return "a single seed shows no spread"
    few = d.seeds < fewest_pairs()
    why = f"with {d.seeds} paired seeds no exact test can go below {LEVEL:g}" if few else (
        "the interval is too wide"
    )  # fmt: skip
    # No region counts as equal here, so only the test against 0 can decide.
    needed = seeds_needed(d, 0.0, family)
    return f"{why}; about {needed} seeds in all would decide" if needed else why
