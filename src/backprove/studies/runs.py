"""Training the runs of a study: stacked where a program can be shared, each run only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import Any

import numpy as np

from backprove.datasets import Dataset, Split
from backprove.studies.factors import FACTORS, Configuration
from backprove.studies.outcomes import Outcome, read
from backprove.studies.rest import Rest
from backprove.studies.result import Run
from backprove.studies.sizes import mlp_of, shape_of
from backprove.studies.store import Cell, Kept, Store
from backprove.training import Group, Model, Program, devices, record
from backprove.training.ahead import Ahead, begin
from backprove.training.program import refuse_foreign

_STACK_BYTES = 2**31
_COPIES = 5  # parameters, gradient, two moments, and the next parameters
_BEST = 1  # the best parameters, which a study in a folder keeps


@dataclass(frozen=True)
class Progress:
    """How far a study is; sent after each epoch of each group, and while it waits for a compiler.

    Args:
        done: epochs of single networks that are trained.
        total: epochs of single networks asked for so far; later looks and extensions add to it.
        text: what is being trained.
        epoch: the epoch just finished; 0 is the measurement before training.
        epochs: epochs of this group.
        dev_losses: dev loss of each model of the group.
        seconds: time since the study began.
        labels: each model of the group in words, in the same order.
        models: networks asked for so far.
        models_done: networks that are finished.
        outcomes: how many of those ended how.
        left: about how many seconds what was asked for takes still; before anything is trained
            this is an estimate from the shapes alone.
        group: the number of this group, from 1.
        groups: groups asked for so far.
        compiling: seconds for which this group has waited for the compiler, if it waits now. Then
            there are no losses, and the epoch is the last one that was told.
    """

    done: int
    total: int
    text: str
    epoch: int
    epochs: int
    dev_losses: tuple[float, ...]
    seconds: float
    labels: tuple[str, ...] = ()
    models: int = 0
    models_done: int = 0
    outcomes: Mapping[Outcome, int] | None = None
    left: float | None = None
    group: int = 1
    groups: int = 1
    compiling: float | None = None


Tell = Callable[[Progress], None]


class Trainer:
    """Trains what it is asked for, unless it has been trained.

    Args:
        data: the data set.
        resplit: whether each seed draws its own train and dev examples.
        progress: called after each epoch of each group.
        store: where runs are kept, if anywhere.
    """

    def __init__(
        self, data: Dataset, *, resplit: bool, progress: Tell | None = None,
        store: Store | None = None,
    ) -> None:  # fmt: skip
        self.data = data
        self._resplit = resplit
        self._progress = progress
        self._store = store
        self._runs: dict[Cell, Run] = {}
        self._splits: dict[int, Split] = {}
        self._begin = perf_counter()
        self._kept_seconds = 0.0
        self._done = self._total = self._models = self._group = self._groups = 0
        self._rest = Rest(data)

    @property
    def seconds(self) -> float:
        """Time spent, that of earlier processes on the same folder included."""
        return self._kept_seconds + perf_counter() - self._begin

    def split(self, seed: int) -> Split:
        """The examples that a seed trains on and is judged on."""
        if seed not in self._splits:
            self._splits[seed] = self.data.split(seed if self._resplit else None)
        return self._splits[seed]

    def train(self, configurations: Sequence[Configuration], seeds: Sequence[int]) -> None:
        """Train every configuration from every seed.

        Args:
            configurations: what to train; those that were trained are not trained again.
            seeds: one run each.
        """
        wanted = [
            (configuration, seed)
            for configuration in dict.fromkeys(configurations)
            for seed in seeds
            if (configuration, seed) not in self._runs
        ]
        self._total += sum(configuration.epochs for configuration, _ in wanted)
        self._models += len(wanted)
        stacks = _stacks(wanted, self.data, _COPIES + (_BEST if self._store else 0))
        self._groups += len(stacks)
        self._rest.ask(stacks)
        unfinished = [cells for cells in stacks if not self._found(cells)]
        for cells, following in zip_longest(unfinished, unfinished[1:]):
            self._enter(self._train_stack(cells, following))

    def runs(self, configuration: Configuration, seeds: Sequence[int]) -> tuple[Run, ...]:
        """The runs of a configuration, which must have been trained."""
        return tuple(self._runs[configuration, seed] for seed in seeds)

    def known(self, seeds: Sequence[int]) -> tuple[Configuration, ...]:
        """The configurations that are trained from all of these seeds."""
        configurations = dict.fromkeys(configuration for configuration, _ in self._runs)
        return tuple(c for c in configurations if all((c, seed) in self._runs for seed in seeds))

    def _found(self, cells: list[Cell]) -> bool:
        """Whether a stack is finished already; then it is taken from the folder."""
        finished = self._store.finished(cells) if self._store else None
        if finished is None:
            return False
        self._group += 1
        self._done += len(cells) * cells[0][0].epochs
        self._rest.skip(cells, cells[0][0].epochs)
        self._kept_seconds += finished[cells[0]].seconds
        self._enter(finished)
        return True

    def _train_stack(self, cells: list[Cell], following: list[Cell] | None) -> dict[Cell, Kept]:
        """Train a stack; meanwhile what the following one will run is compiled."""
        store, epochs, ahead = self._store, cells[0][0].epochs, Ahead()
        self._group += 1
        at, waited = 0, 0.0

        def wait(seconds: float) -> None:
            nonlocal waited
            waited += seconds
            self._tell(cells, at, compiling=waited)

        group = Group(
            **_trained(cells, self.data),
            resplit=self._resplit,
            keep_best=store is not None,
            waiting=wait,
        )
        past = store.past(cells, group) if store else None
        if past:
            at = past.state.epoch
            self._done += len(cells) * at
            self._rest.skip(cells, at)
            self._kept_seconds += sum(past.seconds)

        def report(epoch: int, measures: dict[str, np.ndarray], seconds: float) -> None:
            nonlocal at, waited, ahead
            if following is not None and not ahead.begun:
                ahead = begin(**_trained(following, self.data), resplit=self._resplit)
            self._done += len(cells) if epoch else 0
            self._rest.trained(cells, 1 if epoch else 0, seconds - waited)
            at, waited = epoch, 0.0
            if store is not None:
                store.keep_epoch(cells, epoch, measures, seconds)
            self._tell(cells, epoch, measures["dev_loss"])

        keep = partial(store.keep_state, cells, group) if store else None
        finish = partial(store.keep_weights, cells, group) if store else None
        try:
            records = record(group, epochs, report, past=past, keep=keep, finish=finish)
        except BaseException:
            ahead.forget()
            raise
        if store is not None:
            store.keep_runs(cells, records.dev_scores, records.test_scores)
        seconds = float(records.seconds.sum())
        return {
            cell: Kept(
                {name: array[i] for name, array in records.values.items()},
                records.dev_scores[i],
                records.test_scores[i],
                {name: array[i] for name, array in records.layers.items()},
                seconds,
            )
            for i, cell in enumerate(cells)
        }

    def _enter(self, kept: Mapping[Cell, Kept]) -> None:
        for (configuration, seed), found in kept.items():
            split = self.split(seed)
            self._runs[configuration, seed] = Run(
                seed=seed,
                values=found.values,
                reading=read(found.values, self.data, split, configuration.loss),
                dev_rows=split.dev,
                dev_scores=self._shares(configuration, split.dev, found.dev_scores),
                test_scores=self._shares(configuration, split.test, found.test_scores),
                layers=found.layers,
                patience=configuration.patience,
            )

    def _shares(self, configuration: Configuration, rows: Any, scores: Any) -> Any:
        """What each example adds to the accuracy, or to R²: the mean is the score of the run."""
        if configuration.loss == "cross_entropy" or self.data.ratings is None:
            return scores
        return 1 - scores / self.data.ratings[rows].astype(np.float64).var()

    def _tell(
        self, cells: Sequence[Cell], epoch: int, dev_losses: Iterable[float] = (),
        compiling: float | None = None,
    ) -> None:  # fmt: skip
        if self._progress is None:
            return
        first = cells[0][0]
        self._progress(
            Progress(
                done=self._done,
                total=self._total,
                text=f"hidden {first.hidden}, {len(cells)} model{'s' * (len(cells) > 1)}",
                epoch=epoch,
                epochs=first.epochs,
                dev_losses=tuple(float(loss) for loss in dev_losses),
                seconds=perf_counter() - self._begin,
                labels=tuple(c.text(("activation", "lr")) for c, _ in cells),
                models=self._models,
                models_done=len(self._runs),
                outcomes=Counter(run.outcome for run in self._runs.values()),
                left=self._rest.seconds,
                group=self._group,
                groups=self._groups,
                compiling=compiling,
            )
        )


def _stacks(cells: Sequence[Cell], data: Dataset, copies: int = _COPIES) -> list[list[Cell]]:
    """Pairs of configuration and seed that one program can train, cut to fit into memory."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(shape_of(cell[0]), []).append(cell)
    stacks = []
    for members in groups.values():
        size = 4 * copies * mlp_of(members[0][0], data).parameters
        fit = max(len(devices()), _STACK_BYTES // size)
        stacks += [members[i : i + fit] for i in range(0, len(members), fit)]
    return stacks


def _trained(cells: Sequence[Cell], data: Dataset) -> dict[str, Any]:
    """What trains a stack, by the names of the arguments of a group."""
    program = _program([configuration for configuration, _ in cells], data)
    return {"program": program, "models": [_model(*cell) for cell in cells], "data": data}


def _program(configurations: Sequence[Configuration], data: Dataset) -> Program:
    first = configurations[0]
    mlp = mlp_of(first, data)
    one_logit = first.loss == "cross_entropy" and mlp.outputs == 1
    return Program(
        mlp=mlp,
        activations=tuple(dict.fromkeys(c.activation for c in configurations)),
        loss="binary_cross_entropy" if one_logit else first.loss,
        **_fields(first, "program"),
    )


def refuse_untrainable(configurations: Sequence[Configuration], data: Dataset) -> None:
    """Refuse what a program would refuse, before anything is trained.

    Args:
        configurations: those of the study.
        data: the data set.

    Raises:
        SetupError: a number for something that the optimiser or the loss has not.
    """
    for configuration in configurations:
        refuse_foreign(_program([configuration], data), (_model(configuration, 0),))


def _model(configuration: Configuration, seed: int) -> Model:
    return Model(seed=seed, **_fields(configuration, "model"))


def _fields(configuration: Configuration, home: str) -> dict[str, Any]:
    return {
        factor.field or name: getattr(configuration, name)
        for name, factor in FACTORS.items()
        if factor.home == home
    }
