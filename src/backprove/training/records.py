"""What is recorded of a group of models, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backprove.training.group import Group, State

MEASURES = ("train_loss", "train_score", "dev_loss", "dev_score", "test_loss", "test_score")


@dataclass(frozen=True)
class Records:
    """The measures of every model at every epoch; epoch 0 is before training.

    Args:
        values: for each of :data:`MEASURES` an array (models, epochs + 1), float64. A score is
            NaN where the loss of its examples is not finite.
        dev_scores: (models, examples), the score of each dev example at the last epoch.
        test_scores: (models, examples), that of each test example.
        seconds: (epochs + 1,) wall-clock time of each epoch, compilation included.
    """

    values: dict[str, NDArray[np.float64]]
    dev_scores: NDArray[np.float32]
    test_scores: NDArray[np.float32]
    seconds: NDArray[np.float64]


class Past(NamedTuple):
    """Where an interrupted training goes on.

    Args:
        state: at the end of its last epoch.
        measured: the measures (models,) of each epoch up to that one, from 0 on.
        seconds: the time that each of them took.
    """

    state: State
    measured: Sequence[Mapping[str, NDArray[np.float64]]]
    seconds: Sequence[float]


def record(
    group: Group,
    epochs: int,
    on_epoch: Callable[[int, dict[str, NDArray], float], None] | None = None,
    *,
    past: Past | None = None,
    keep: Callable[[State], None] | None = None,
) -> Records:
    """Train a group and record it.

    Args:
        group: the models and their data.
        epochs: passes over the training examples.
        on_epoch: called with the epoch, the measures (models,) and the seconds after each epoch,
            from 0 on.
        past: go on from here instead of from the first weights.
        keep: called with the state after each epoch but the last; must not change it.

    Returns:
        The records. All losses of one epoch are of the same parameters: those at its end.
    """
    measured = [dict(measures) for measures in past.measured] if past else []
    seconds = list(past.seconds) if past else []
    state = past.state if past else group.start()
    for epoch in range(len(measured), epochs + 1):
        begin = perf_counter()
        if epoch:
            state = group.advance(state)
        measured.append(group.measure(state))
        seconds.append(perf_counter() - begin)
        if on_epoch is not None:
            on_epoch(epoch, measured[-1], seconds[-1])
        if keep is not None and epoch < epochs:
            keep(state)
    values = {name: np.stack([m[name] for m in measured], axis=1) for name in MEASURES}
    dev, test = (group.scores(state, part) for part in ("dev", "test"))
    return Records(values, dev, test, np.array(seconds))
