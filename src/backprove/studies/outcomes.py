"""How a run ended, judged against the best prediction that ignores the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backprove.datasets import Baseline, Dataset, Split

Outcome = Literal["learned", "overfitting", "at_chance", "diverged"]

SEVERITY: tuple[Outcome, ...] = ("diverged", "at_chance", "overfitting", "learned")
"""The outcomes, worst first."""

ERRORS = 3.0
"""Standard errors by which an accuracy must exceed the largest class to count as above chance."""

LOSS_SHARE = 0.02
"""Share of the constant prediction's loss by which a loss must fall to count as below chance."""

BLOWN_UP = 2.0
"""Multiple of the constant prediction's loss past which an unlearned run counts as diverged."""


@dataclass(frozen=True)
class Reading:
    """An outcome with the numbers that it was read from."""

    outcome: Outcome
    evidence: str


def read(values: Mapping[str, NDArray[np.float64]], data: Dataset, split: Split) -> Reading:
    """The outcome of one run at its last epoch.

    ``diverged``: a loss that is not finite at any epoch, or a training loss above twice that of
    the constant prediction with an accuracy no better. ``at_chance``: neither loss nor accuracy
    on train is better than the constant prediction. ``overfitting``: train is better, dev is not.
    ``learned``: both are. Better means: accuracy above the largest class by 3 standard errors, or
    loss lower by 2 %.

    Args:
        values: ``train_loss``, ``train_score``, ``dev_loss``, ``dev_score``, (epochs + 1,) each.
        data: the data set.
        split: the examples that the run used.

    Returns:
        The outcome and its evidence.
    """
    for part in ("train", "dev"):
        broken = np.flatnonzero(~np.isfinite(values[f"{part}_loss"]))
        if len(broken):
            return Reading(
                "diverged",
                f"{part} loss is {values[f'{part}_loss'][broken[0]]} at epoch {broken[0]}",
            )
    chance = {part: data.baseline(split.train, getattr(split, part)) for part in ("train", "dev")}
    ends = {
        part: Baseline(float(values[f"{part}_loss"][-1]), float(values[f"{part}_score"][-1]))
        for part in chance
    }
    above = {part: _above(ends[part], chance[part], len(getattr(split, part))) for part in chance}
    if not above["train"] and ends["train"].loss > BLOWN_UP * chance["train"].loss:
        return Reading("diverged", _evidence("train", ends["train"], chance["train"]))
    if not above["train"]:
        return Reading("at_chance", _evidence("train", ends["train"], chance["train"]))
    outcome: Outcome = "learned" if above["dev"] else "overfitting"
    return Reading(outcome, _evidence("dev", ends["dev"], chance["dev"]))


def _above(end: Baseline, chance: Baseline, examples: int) -> bool:
    error = sqrt(chance.accuracy * (1 - chance.accuracy) / examples)
    if end.accuracy > chance.accuracy + ERRORS * error:
        return True
    return isfinite(chance.loss) and end.loss < (1 - LOSS_SHARE) * chance.loss


def _evidence(part: str, end: Baseline, chance: Baseline) -> str:
    return (
        f"{part} loss {end.loss:.4f} and accuracy {end.accuracy:.1%} at the last epoch; the "
        f"constant prediction has {chance.loss:.4f} and {chance.accuracy:.1%}"
    )
