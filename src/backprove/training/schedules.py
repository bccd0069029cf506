"""How the step size changes during training: a multiplier for each step, the same for all seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_WARM = 0.1  # share of all steps in which a warm-up reaches the full step size
_DROPS = (0.5, 0.75)

Progress = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """A rule for the step size.

    Args:
        factor: (steps done / all steps: floats in [0, 1), 1 / all steps) to multipliers.
        formula: the rule in words, with its constants.
        source: where it comes from.
    """

    factor: Callable[[Progress, float], Progress]
    formula: str
    source: str


def _step(done: Progress, one: float) -> Progress:
    return 0.1 ** np.sum([done >= drop for drop in _DROPS], axis=0)


def _cosine(done: Progress, one: float) -> Progress:
    return (1 + np.cos(np.pi * done)) / 2


def _warm_cosine(done: Progress, one: float) -> Progress:
    rising = np.minimum((done + one) / _WARM, 1)
    return np.where(done < _WARM, rising, _cosine((done - _WARM) / (1 - _WARM), one))


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "constant": Schedule(
            lambda done, one: np.ones_like(done), "the learning rate at every step", "the default"
        ),
        "cosine": Schedule(
            _cosine,
            "learning rate times (1 + cos(pi t/T))/2 at step t of T, from 0",
            "Loshchilov and Hutter, ICLR 2017 (SGDR), eq. 5 without restarts",
        ),
        "step": Schedule(
            _step,
            "a tenth of the learning rate from half of the steps on, a hundredth from three "
            "quarters on",
            "He, Zhang, Ren, Sun, CVPR 2016, section 4.2, at its shares of the steps",
        ),
        "warmup_cosine": Schedule(
            _warm_cosine,
            "linear from 0 to the learning rate in the first tenth of the steps, then cosine to 0",
            "Goyal et al., arXiv 1706.02677 (2017), section 2.2; Loshchilov and Hutter, ICLR 2017",
        ),
    }
)
"""Every schedule by its name."""


def multipliers(schedule: str, epoch: int, steps: int, epochs: int) -> NDArray[np.float32]:
    """What the learning rate is multiplied with at each step of an epoch.

    Args:
        schedule: a key of :data:`SCHEDULES`.
        epoch: the epoch, from 0.
        steps: steps in an epoch.
        epochs: epochs of the whole training. Steps beyond it keep the last multiplier.

    Returns:
        (steps,), each from 0 to 1.

    >>> multipliers("step", epoch=1, steps=2, epochs=2).round(3)
    array([0.1 , 0.01], dtype=float32)
    """
    total = steps * epochs
    step = np.minimum(np.arange(epoch * steps, (epoch + 1) * steps), total - 1)
    return SCHEDULES[schedule].factor(step / total, 1 / total).astype(np.float32)
