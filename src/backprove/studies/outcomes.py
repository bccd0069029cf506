"""How a run ended, judged against the best prediction that ignores the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backprove.datasets import Baseline, Dataset, Split
from backprove.studies.factors import SCORES

Outcome = Literal["learned", "still_improving", "overfitting", "unstable", "at_chance", "diverged"]

SEVERITY: tuple[Outcome, ...] = (
    "diverged", "at_chance", "unstable", "overfitting", "still_improving", "learned",
)  # fmt: skip
"""The outcomes, worst first."""

ERRORS = 3.0
"""Standard errors by which an accuracy must be higher to count as better."""

LOSS_SHARE = 0.02
"""Share of the constant prediction's loss by which a loss must be lower to count as better."""

BLOWN_UP = 2.0
"""Multiple of the loss of constant prediction and untrained network that counts as diverged."""

RISE = 0.1
"""Share of the constant prediction's loss by which a loss must rise above its lowest to count."""

_LATE = 4  # still improving is read from the last quarter of the epochs


@dataclass(frozen=True)
class Reading:
    """An outcome with the numbers that it was read from."""

    outcome: Outcome
    evidence: str


def baseline_of(data: Dataset, train: Any, judged: Any, loss: str) -> Baseline:
    """Loss and score of the best constant prediction.

    Args:
        data: the data set.
        train: row numbers that the constant is taken from.
        judged: row numbers that it is judged on.
        loss: ``cross_entropy``, ``mse`` or ``mae``.
    """
    if loss == "cross_entropy":
        return data.baseline(train, judged)
    return data.rating_baseline(train, judged, absolute=loss == "mae")


def read(
    values: Mapping[str, NDArray[np.float64]],
    data: Dataset,
    split: Split,
    loss: str = "cross_entropy",
) -> Reading:
    """The outcome of one run at its last epoch.

    ``diverged``: a loss that is not finite at any epoch, or a training loss above twice that of
    the constant prediction and of the untrained network. ``at_chance``: train is not better than
    the constant prediction, or not better than the network was before training. ``unstable``: the
    train loss once rises above its lowest before by 10 % of the loss of the constant prediction.
    ``overfitting``: dev is not better than both, or the dev loss ends higher than at its lowest by
    that much while the train loss has fallen. ``still_improving``: the dev loss ends at its lowest
    and falls in the last quarter of at least 4 epochs by 2 % of that of the constant prediction.
    ``learned``: none of these. Better means: accuracy higher by 3 standard errors, or loss lower
    by 2 % of that of the constant prediction.

    Args:
        values: ``train_loss``, ``train_score``, ``dev_loss``, ``dev_score``, (epochs + 1,) each.
        data: the data set.
        split: the examples that the run used.
        loss: ``cross_entropy``, ``mse`` or ``mae``; of numbers, better means a lower loss.

    Returns:
        The outcome and its evidence.
    """
    for part in ("train", "dev"):
        losses = values[f"{part}_loss"]
        broken = np.flatnonzero(~np.isfinite(losses))
        if len(broken):
            evidence = f"{part} loss is {losses[broken[0]]} at epoch {broken[0]}"
            return Reading("diverged", evidence)
    train, dev = (_Course.of(part, values, data, split, loss) for part in ("train", "dev"))
    if train.end.loss > BLOWN_UP * max(train.chance.loss, train.start.loss):
        return Reading("diverged", train.evidence())
    if not train.improved():
        return Reading("at_chance", train.evidence())
    lost = RISE * train.chance.loss
    spikes = _spikes(values["train_loss"], lost)
    if spikes:
        return Reading("unstable", f"{spikes}; {train.evidence()}")
    rise = _rise(values["train_loss"], values["dev_loss"], lost)
    if rise or not dev.improved():
        return Reading("overfitting", "; ".join(filter(None, (rise, dev.evidence()))))
    fall = _late_fall(values["dev_loss"], LOSS_SHARE * dev.chance.loss)
    if fall:
        return Reading("still_improving", f"{fall}; {dev.evidence()}")
    return Reading("learned", dev.evidence())


def _spikes(losses: NDArray[np.float64], least: float) -> str:
    """The rises of a loss above its lowest before, in words; empty if there is none."""
    lowest = np.minimum.accumulate(losses)[:-1]
    above = losses[1:] > lowest + least
    # Epoch 0 is no achievement: a loss above that of random weights is not a spike.
    above[0] = False
    starts = np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))
    if not len(starts):
        return ""
    worst = int(np.argmax(np.where(above, losses[1:] - lowest, -np.inf)))
    times = "once" if len(starts) == 1 else f"{len(starts)} times"
    return (
        f"train loss spikes {times}, most at epoch {worst + 1}: {losses[worst + 1]:.4f} after a "
        f"lowest of {lowest[worst]:.4f}"
    )


def _rise(train: NDArray[np.float64], dev: NDArray[np.float64], least: float) -> str:
    best = int(dev.argmin())
    if dev[-1] <= dev[best] + least or train[-1] >= train[best]:
        return ""
    return (
        f"dev loss rises from {dev[best]:.4f} at epoch {best} to {dev[-1]:.4f} while train loss "
        f"falls from {train[best]:.4f} to {train[-1]:.4f}"
    )


def _late_fall(dev: NDArray[np.float64], least: float) -> str:
    epochs = len(dev) - 1
    since = epochs - epochs // _LATE
    if epochs < _LATE or dev[-1] > dev.min() or dev[since] - dev[-1] < least:
        return ""
    return f"dev loss falls from {dev[since]:.4f} at epoch {since} to {dev[-1]:.4f} at the end"


@dataclass(frozen=True)
class _Course:
    """Loss and accuracy on one part, before and after training, and without any features."""

    part: str
    examples: int
    score: str
    chance: Baseline
    start: Baseline
    end: Baseline

    @classmethod
    def of(
        cls,
        part: str,
        values: Mapping[str, NDArray[np.float64]],
        data: Dataset,
        split: Split,
        loss: str,
    ) -> _Course:
        rows = getattr(split, part)
        start, end = (
            Baseline(float(values[f"{part}_loss"][at]), float(values[f"{part}_score"][at]))
            for at in (0, -1)
        )
        chance = baseline_of(data, split.train, rows, loss)
        return cls(part, len(rows), SCORES[loss], chance, start, end)

    def improved(self) -> bool:
        # Random first weights can be better than a constant by luck: that is not learning.
        return self._better_than(self.chance) and self._better_than(self.start)

    def evidence(self) -> str:
        end, start, chance = (
            f"{value.accuracy:.1%}" if self.score == "accuracy" else f"{value.accuracy:.3f}"
            for value in (self.end, self.start, self.chance)
        )
        return (
            f"{self.part} loss {self.end.loss:.4f} and {self.score} {end} at the last epoch; "
            f"before training {self.start.loss:.4f} and {start}; the constant prediction has "
            f"{self.chance.loss:.4f} and {chance}"
        )

    def _better_than(self, other: Baseline) -> bool:
        if self.score != "accuracy":
            return self.end.loss < other.loss - LOSS_SHARE * self.chance.loss
        error = sqrt(other.accuracy * (1 - other.accuracy) / self.examples)
        more_accurate = self.end.accuracy > other.accuracy + ERRORS * error
        return more_accurate or self.end.loss < other.loss - LOSS_SHARE * self.chance.loss
