"""How much the learning rate matters: curves over it, where they turn, and which one to choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import TYPE_CHECKING

from backprove.studies.factors import Configuration

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study

MOST_STEPS = 6
"""Rounds of an extension: each adds at most one learning rate at each end of an arm."""

_RANGE = (1e-8, 1e4)
_LADDER = (1, 3)  # times powers of ten: about half a decade a step


@dataclass(frozen=True)
class Arm:
    """Configurations that differ in the learning rate only.

    Args:
        label: what they have in common and other arms have not.
        points: by learning rate, ascending.
    """

    label: str
    points: tuple[ConfigurationResult, ...]

    @property
    def best(self) -> ConfigurationResult | None:
        """The one with the highest mean dev accuracy; none if no rate gives runs that learn."""
        usable = [point for point in self.points if _usable(point)]
        return max(usable, key=_accuracy, default=None)

    def turned(self, region: float) -> tuple[bool, bool]:
        """Whether the curve turns down at its low and at its high end.

        It has turned where the accuracy at the end is lower than the best by more than the region,
        or where a run at the end is at chance or diverged while another rate learns.

        Args:
            region: as a share.
        """
        best = self.best
        if best is None:
            return False, False
        low, high = (self._fell(best, end, region) for end in (self.points[0], self.points[-1]))
        return low, high

    def _fell(self, best: ConfigurationResult, end: ConfigurationResult, region: float) -> bool:
        return not _usable(end) or _accuracy(best) - _accuracy(end) > region


@dataclass(frozen=True)
class Judged:
    """An arm at the learning rate that dev chose, trained again from fresh seeds.

    Args:
        arm: its label.
        lr: the learning rate with the highest mean dev accuracy.
        result: the runs from the fresh seeds; test was not looked at to choose.
    """

    arm: str
    lr: float
    result: ConfigurationResult


def arms(study: Study) -> tuple[Arm, ...]:
    """The arms of a study, with the learning rates that were added to it.

    Args:
        study: the study.

    Returns:
        Those with at least two learning rates, in the order of the study.
    """
    others = [name for name in study.varied if name != "lr"]
    together: dict[Configuration, list[ConfigurationResult]] = {}
    for result in (*study.configurations, *study.extensions):
        together.setdefault(replace(result.configuration, lr=0.0), []).append(result)
    return tuple(
        Arm(
            label=configuration.text(others) if others else "all",
            points=tuple(sorted(points, key=lambda point: point.configuration.lr)),
        )
        for configuration, points in together.items()
        if len(points) > 1
    )


def steps_beyond(found: Sequence[Arm], region: float) -> Iterator[Configuration]:
    """The next learning rates of the arms whose curves have not turned.

    Args:
        found: the arms so far.
        region: as a share.

    Yields:
        Configurations one step of the ladder 1, 3, 10 beyond an end.
    """
    for arm in found:
        for end, turned, up in zip(
            (arm.points[0], arm.points[-1]), arm.turned(region), (False, True), strict=True
        ):
            rate = next_rate(end.configuration.lr, up=up)
            if not turned and _RANGE[0] <= rate <= _RANGE[1]:
                yield replace(end.configuration, lr=rate)


def next_rate(rate: float, *, up: bool) -> float:
    """The rate of the ladder 1, 3, 10, 30, ... at least a factor of two away.

    >>> next_rate(0.125, up=True), next_rate(0.0125, up=False)
    (0.3, 0.003)
    """
    decade = floor(log10(rate))
    ladder = [
        float(f"{step}e{power}") for power in range(decade - 2, decade + 3) for step in _LADDER
    ]
    if up:
        return min(value for value in ladder if value >= 2 * rate)
    return max(value for value in ladder if value <= rate / 2)


def _usable(point: ConfigurationResult) -> bool:
    failed = point.incomparable or point.outcome == "at_chance"
    return not failed and point.summary("dev_score")["mean"] is not None


def _accuracy(point: ConfigurationResult) -> float:
    mean = point.summary("dev_score")["mean"]
    assert mean is not None
    return mean
