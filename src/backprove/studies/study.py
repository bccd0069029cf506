"""Train a grid of networks and answer with a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np
import optax

from backprove.datasets import Dataset, load
from backprove.errors import SetupError
from backprove.networks import MLP, parse_hidden
from backprove.studies.factors import FACTORS, Configuration, grid, varying
from backprove.studies.outcomes import read
from backprove.studies.result import ConfigurationResult, Run, Study
from backprove.studies.store import Kept, Store, design_of
from backprove.training import Group, Model, Program, devices, record

FIELDS = ("data", *FACTORS, "zipped", "seeds", "split", "region")
"""The names that a study accepts in a worksheet, on the command line and in Python."""

MAX_PARAMETERS = 50_000_000
MAX_SEEDS = 1_000
_STACK_BYTES = 2**31
_COPIES = 5  # parameters, gradient, two moments, and the next parameters

_Cell = tuple[int, int]


@dataclass(frozen=True)
class Progress:
    """How far a study is; sent after each epoch of each group.

    Args:
        done: epochs of single networks that are trained.
        total: epochs of single networks in all.
        text: what is being trained.
        epoch: the epoch just finished; 0 is the measurement before training.
        epochs: epochs of this group.
        dev_losses: dev loss of each model of the group.
        seconds: time since the study began.
    """

    done: int
    total: int
    text: str
    epoch: int
    epochs: int
    dev_losses: tuple[float, ...]
    seconds: float


def study(
    data: str | Dataset = "reviews",
    hidden: Any = "none,512",
    activation: Any = "sigmoid",
    lr: Any = 0.01,
    optimizer: Any = "adam",
    batch: Any = 64,
    epochs: Any = 20,
    initialiser: Any = "fan_in_uniform",
    seeds: int | str | Sequence[int] = 8,
    split: str = "seeded",
    zipped: Any = (),
    region: Any = 1.0,
    out: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    **unknown: Any,
) -> Study:
    """Train every combination of the given values with several paired seeds.

    Each factor takes one value or several: a text with commas or a list. Features are used as
    they are, losses are cross-entropies, and no layer follows the last dense one.

    Args:
        data: name of a built-in data set, or a data set.
        hidden: hidden layers: ``none``, ``512``, ``512x3``, ``256-128``.
        activation: activation of the hidden layers, by the name in the table of functions.
        lr: step sizes.
        optimizer: ``adam``, ``sgd``, ``momentum`` or ``rmsprop``.
        batch: examples in a batch.
        epochs: passes over the training examples.
        initialiser: first weights; ``fan_in_uniform`` is the default of PyTorch.
        seeds: how many seeds, counted from 0, or the seeds themselves.
        split: ``seeded`` draws train and dev anew for each seed, ``fixed`` keeps the split of the
            data set. Test is the same in both.
        zipped: factors that change together instead of in every combination: with
            ``hidden="none,512", lr="0.1,0.01", zipped="hidden,lr"`` there are two configurations.
        region: accuracies that differ by no more than this many points count as equivalent.
        out: a folder in which every epoch is kept. If it holds the same study, killed at any
            point, training goes on from there and ends with the same numbers.
        progress: called after each epoch of each group of networks.

    Returns:
        The study.

    Raises:
        SetupError: a field or value that is not allowed; raised before anything is trained. Also
            a folder that cannot be written, is in use or holds a study of another configuration.
        DataError: the data set is missing or unusable, or the folder holds a study of other data.

    >>> result = study(hidden="none", lr="0.01,0.1", seeds=2, epochs=1)
    >>> [c.label for c in result.configurations]
    ['lr 0.01', 'lr 0.1']
    """
    refuse_unknown(unknown)
    chosen_seeds = _seeds(seeds)
    if split not in ("seeded", "fixed"):
        raise SetupError(f"split={split!r}; expected seeded or fixed.")
    written = {
        "hidden": hidden, "activation": activation, "lr": lr, "optimizer": optimizer,
        "batch": batch, "epochs": epochs, "initialiser": initialiser,
    }  # fmt: skip
    region = _region(region)
    configurations = grid(written, seeds=len(chosen_seeds), zipped=zipped)
    dataset = _dataset(data)
    _check_sizes(configurations, dataset)
    with _store(out, design_of(configurations, chosen_seeds, dataset, split)) as store:
        runs, seconds = _train(
            configurations, chosen_seeds, dataset, split == "seeded", progress, store
        )
    return _result(configurations, chosen_seeds, dataset, split, region, runs, seconds)


def refuse_unknown(unknown: Iterable[str]) -> None:
    """Refuse names that are not among :data:`FIELDS`.

    Args:
        unknown: names that somebody wrote.

    Raises:
        SetupError: one of them is no field; the nearest one is named.
    """
    name = next((name for name in unknown if name not in FIELDS), None)
    if name is not None:
        close = get_close_matches(name, FIELDS, n=1)
        raise SetupError(
            f"A study has no field '{name}'; its fields are {', '.join(FIELDS)}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )


def _seeds(seeds: int | str | Sequence[int]) -> tuple[int, ...]:
    expected = f"a number of seeds from 1 to {MAX_SEEDS}, or a list of different whole numbers"
    if isinstance(seeds, str) and seeds.isascii() and seeds.isdigit() and len(seeds) < 10:
        seeds = int(seeds)
    if isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= MAX_SEEDS:
        return tuple(range(seeds))
    if isinstance(seeds, list | tuple | range):
        given = tuple(seeds)
        whole = all(type(seed) is int and 0 <= seed < 2**32 for seed in given)
        if whole and 1 <= len(set(given)) == len(given) <= MAX_SEEDS:
            return given
    raise SetupError(f"seeds={seeds!r}; expected {expected}.")


def _region(region: Any) -> float:
    try:
        points = float("nan") if isinstance(region, bool) else float(region)
    except (TypeError, ValueError):
        points = float("nan")
    if not 0 < points <= 50:
        raise SetupError(f"region={region!r}; expected points of accuracy above 0, at most 50.")
    return points


def _dataset(data: str | Dataset) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str):
        return load(data)
    raise SetupError(
        f"data={type(data).__name__}; expected the name of a data set, such as reviews, or a "
        "backprove.datasets.Dataset."
    )


def _mlp(configuration: Configuration, data: Dataset) -> MLP:
    outputs = 1 if data.classes == 2 else data.classes
    return MLP(data.width, parse_hidden(configuration.hidden), outputs)


def _check_sizes(configurations: Sequence[Configuration], data: Dataset) -> None:
    for configuration in configurations:
        if configuration.batch > len(data.train):
            raise SetupError(
                f"batch={configuration.batch} is larger than the {len(data.train)} training "
                f"examples of {data.name}."
            )
        parameters = _mlp(configuration, data).parameters
        if parameters > MAX_PARAMETERS:
            raise SetupError(
                f"hidden={configuration.hidden} has {parameters} weights and biases; at most "
                f"{MAX_PARAMETERS} are supported."
            )


@contextmanager
def _store(out: str | Path | None, design: dict[str, Any]) -> Iterator[Store | None]:
    if out is None:
        yield None
        return
    if not isinstance(out, str | Path) or not str(out).strip():
        raise SetupError(f"out={out!r}; expected the path of a folder.")
    with closing(Store(Path(out), design)) as store:
        yield store


def _train(
    configurations: Sequence[Configuration],
    seeds: Sequence[int],
    data: Dataset,
    resplit: bool,
    progress: Callable[[Progress], None] | None,
    store: Store | None,
) -> tuple[dict[_Cell, Run], float]:
    """The run of each pair of configuration and seed, by their positions, and the seconds."""
    begin, done = perf_counter(), 0
    total = sum(c.epochs for c in configurations) * len(seeds)
    kept: dict[_Cell, Kept] = {}
    stacks = _stacks(configurations, seeds, data)
    for cells in stacks:
        first = configurations[cells[0][0]]
        finished = store.finished(cells) if store else None
        if finished is not None:
            kept |= finished
            done += len(cells) * first.epochs
            continue
        activations = tuple(dict.fromkeys(configurations[c].activation for c, _ in cells))
        group = Group(
            _program(first, data, activations),
            [_model(configurations[c], seeds[s]) for c, s in cells],
            data,
            resplit=resplit,
        )
        past = store.past(cells, group) if store else None
        done += len(cells) * past.state.epoch if past else 0

        def report(epoch: int, measures: dict[str, np.ndarray], seconds: float) -> None:
            nonlocal done
            done += len(cells) if epoch else 0  # noqa: B023 (called within this turn of the loop)
            if store is not None:
                store.keep_epoch(cells, epoch, measures, seconds)  # noqa: B023
            if progress is not None:
                text = f"hidden {first.hidden}, {len(cells)} models"  # noqa: B023
                losses = tuple(float(loss) for loss in measures["dev_loss"])
                since = perf_counter() - begin
                progress(Progress(done, total, text, epoch, first.epochs, losses, since))  # noqa: B023

        keep = partial(store.keep_state, cells, group) if store else None
        records = record(group, first.epochs, report, past=past, keep=keep)
        if store is not None:
            store.keep_runs(cells, records.dev_scores)
        for i, cell in enumerate(cells):
            values = {name: array[i] for name, array in records.values.items()}
            kept[cell] = Kept(values, records.dev_scores[i], float(records.seconds.sum()))
    trained = sum(kept[cells[0]].seconds for cells in stacks)
    return _read(kept, seeds, data, resplit), max(trained, perf_counter() - begin)


def _stacks(
    configurations: Sequence[Configuration], seeds: Sequence[int], data: Dataset
) -> list[list[_Cell]]:
    """Pairs of configuration and seed that one program can train, cut to fit into memory."""
    groups: dict[tuple[Any, ...], list[_Cell]] = {}
    for c, configuration in enumerate(configurations):
        key = (
            configuration.hidden,
            configuration.optimizer,
            configuration.batch,
            configuration.epochs,
        )
        groups.setdefault(key, []).extend((c, s) for s in range(len(seeds)))
    stacks = []
    for cells in groups.values():
        size = 4 * _COPIES * _mlp(configurations[cells[0][0]], data).parameters
        fit = max(len(devices()), _STACK_BYTES // size)
        stacks += [cells[i : i + fit] for i in range(0, len(cells), fit)]
    return stacks


def _program(first: Configuration, data: Dataset, activations: tuple[str, ...]) -> Program:
    mlp = _mlp(first, data)
    return Program(
        mlp=mlp,
        activations=activations,
        loss="binary_cross_entropy" if mlp.outputs == 1 else "cross_entropy",
        optimiser=first.optimizer,
        batch=first.batch,
    )


def _model(configuration: Configuration, seed: int) -> Model:
    return Model(
        seed=seed,
        learning_rate=configuration.lr,
        activation=configuration.activation,
        initialiser=configuration.initialiser,
    )


def _read(
    kept: Mapping[_Cell, Kept], seeds: Sequence[int], data: Dataset, resplit: bool
) -> dict[_Cell, Run]:
    splits = [data.split(seed if resplit else None) for seed in seeds]
    return {
        (c, s): Run(
            seed=seeds[s],
            values=found.values,
            reading=read(found.values, data, splits[s]),
            dev_rows=splits[s].dev,
            dev_scores=found.dev_scores,
        )
        for (c, s), found in kept.items()
    }


def _result(
    configurations: Sequence[Configuration],
    seeds: tuple[int, ...],
    data: Dataset,
    split: str,
    region: float,
    runs: dict[_Cell, Run],
    seconds: float,
) -> Study:
    names = varying(configurations) or ("hidden",)
    results = tuple(
        ConfigurationResult(
            configuration=configuration,
            label=configuration.text(names),
            parameters=_mlp(configuration, data).parameters,
            runs=tuple(runs[c, s] for s in range(len(seeds))),
        )
        for c, configuration in enumerate(configurations)
    )
    splits = [data.split(seed if split == "seeded" else None) for seed in seeds]
    baselines = [data.baseline(part.train, part.dev) for part in splits]
    on = devices()
    return Study(
        data=data.name,
        sizes=(len(data.train), len(data.dev), len(data.test)),
        baseline_loss=float(np.mean([baseline.loss for baseline in baselines])),
        baseline_accuracy=float(np.mean([baseline.accuracy for baseline in baselines])),
        region=region,
        split=split,
        seeds=seeds,
        configurations=results,
        seconds=seconds,
        environment={
            "jax": jax.__version__,
            "optax": optax.__version__,
            "numpy": np.__version__,
            "device": f"{len(on)} × {on[0].device_kind}",
        },
    )
