"""What is recorded of a group of models, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backprove.training.group import Group
from backprove.training.histogram import HISTOGRAM
from backprove.training.probe import LAYER_MEASURES
from backprove.training.state import State

MEASURES = ("train_loss", "train_score", "dev_loss", "dev_score", "test_loss", "test_score")


@dataclass(frozen=True)
class Records:
    """The measures of every model at every epoch; epoch 0 is before training.

    A model that stopped early keeps its last measures in the epochs after.

    Args:
        values: for each of :data:`MEASURES` an array (models, epochs + 1), float64. Those of
            train are of ``train_measured`` examples. Those of test are known before training,
            where dev was lower than ever, and at a model's last epoch; elsewhere they are NaN. A
            score is NaN, too, where the loss of its examples is not finite.
        dev_scores: (models, examples), the score of each dev example at the last epoch.
        test_scores: (models, examples), that of each test example.
        seconds: (epochs + 1,) wall-clock time of each epoch, compilation included.
        layers: for each of :data:`LAYER_MEASURES` an array (models, epochs + 1, layers), and the
            distribution of activations (models, epochs + 1, hidden layers, bins); NaN at epochs
            that were recorded before an interruption.
        last_epoch: (models,), the last epoch that each model was trained.
        best_epoch: (models,), the first epoch with the lowest finite dev loss, up to the last
            one; 0 if there is none.
        flops: of one epoch of one model; see :attr:`backprove.networks.MLP.flops`.
        train_measured: the training examples of each seed that train loss and score are of; see
            :data:`backprove.training.TRAIN_MEASURED`.
    """

    values: dict[str, NDArray[np.float64]]
    dev_scores: NDArray[np.float32]
    test_scores: NDArray[np.float32]
    seconds: NDArray[np.float64]
    layers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    last_epoch: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    best_epoch: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    flops: int = 0
    train_measured: int = 0


class Past(NamedTuple):
    """Where an interrupted training goes on.

    Args:
        state: at the end of its last epoch.
        measured: the measures (models,) of each epoch up to that one, from 0 on; those of layers
            may be missing.
        seconds: the time that each of them took.
    """

    state: State
    measured: Sequence[Mapping[str, NDArray[np.float64]]]
    seconds: Sequence[float]


class _Watch:
    """The best epoch of each model, and when it stops."""

    def __init__(self, group: Group) -> None:
        count = len(group.models)
        self.patience = np.array([model.patience for model in group.models])
        self.lowest = np.full(count, np.inf)
        self.best = np.zeros(count, np.int64)
        self.last = np.zeros(count, np.int64)
        self.stopped = np.zeros(count, bool)

    def see(self, epoch: int, dev_loss: NDArray) -> tuple[list[int], list[int]]:
        """The models that are better than ever, and those that stop now."""
        better = ~self.stopped & (dev_loss < self.lowest)  # never where the loss is NaN
        self.last[~self.stopped] = epoch
        self.lowest[better], self.best[better] = dev_loss[better], epoch
        ending = ~self.stopped & (self.patience > 0) & (epoch - self.best >= self.patience)
        self.stopped |= ending
        return np.flatnonzero(better).tolist(), np.flatnonzero(ending).tolist()


def record(
    group: Group,
    epochs: int,
    on_epoch: Callable[[int, dict[str, NDArray], float], None] | None = None,
    *,
    past: Past | None = None,
    keep: Callable[[State], None] | None = None,
    finish: Callable[[State], None] | None = None,
) -> Records:
    """Train a group and record it.

    Args:
        group: the models and their data.
        epochs: passes over the training examples.
        on_epoch: called with the epoch, the measures (models,) or (models, layers), and the
            seconds after each epoch, from 0 on.
        past: go on from here instead of from the first weights.
        keep: called with the state after each epoch but the last; must not change it.
        finish: called with the last state, for instance to save weights; must not change it.

    Returns:
        The records. All losses of one epoch are of the same parameters: those at its end.
    """
    watch = _Watch(group)
    measured = [dict(measures) for measures in past.measured] if past else []
    seconds = list(past.seconds) if past else []
    state = past.state if past else group.start()
    for epoch, measures in enumerate(measured):  # the stack is cut as it was
        state = group.stop(state, watch.see(epoch, measures["dev_loss"])[1], measures)
    if len(measured) <= epochs and not watch.stopped.all():
        group.compile(state, wait=False)  # both at once: training is needed after measuring
    for epoch in range(len(measured), epochs + 1):
        begin = perf_counter()
        if epoch and not watch.stopped.all():
            state = group.advance(state)
        if not watch.stopped.all():
            measured.append(group.measure(state))
            better, ending = watch.see(epoch, measured[-1]["dev_loss"])
            everyone = range(len(group.models)) if epoch in (0, epochs) else ()
            measured[-1] |= group.judge(state, [*better, *ending, *everyone])
        else:
            measured.append(dict(measured[-1]))
            better, ending = [], []
        state = group.stop(group.improve(state, better), ending, measured[-1])
        seconds.append(perf_counter() - begin)
        if on_epoch is not None:
            on_epoch(epoch, measured[-1], seconds[-1])
        if keep is not None and epoch < epochs:
            keep(state)
    if finish is not None:
        finish(state)
    values = {name: np.stack([m[name] for m in measured], axis=1) for name in MEASURES}
    dev, test = (group.scores(state, part) for part in ("dev", "test"))
    return Records(
        values, dev, test, np.array(seconds), _layers(measured, len(group.models)),
        watch.last, watch.best, group.program.mlp.flops * len(group.splits[0].train),
        len(group._rows["train"][0]),
    )  # fmt: skip


def _layers(measured: Sequence[Mapping[str, NDArray]], models: int) -> dict[str, NDArray]:
    layers = {}
    for name in (*LAYER_MEASURES, HISTOGRAM):
        shape = next((m[name].shape[1:] for m in measured if name in m), (0,))
        missing = np.full((models, *shape), np.nan)
        layers[name] = np.stack([m.get(name, missing) for m in measured], axis=1)
    return layers
