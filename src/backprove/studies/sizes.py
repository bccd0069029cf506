"""How large a study is, said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from backprove.datasets import Dataset
from backprove.errors import SetupError
from backprove.networks import MLP, parse_hidden
from backprove.networks.mlp import Normalisation
from backprove.studies.factors import FACTORS, SCORES, Configuration
from backprove.studies.grids import Grid
from backprove.training import MEASURES, devices

ASK_ABOVE = 10_000
"""Runs above which a study asks before it trains."""

MAX_PARAMETERS = 50_000_000
_FLOPS = 5e10  # a second and device: small matrix products on one core, measured
_STEP_SECONDS = 3e-5  # of one model and batch, however small
_LAYER_SECONDS = 2.5e-5  # and of each of its layers
_COMPILE_SECONDS, _COMPILE_LAYER_SECONDS = 1.5, 0.2  # of a shape, and of each of its layers
_SAMPLE = 2_000  # configurations looked at: a grid of 10^9 is judged without being listed
_SHARED = tuple(name for name, factor in FACTORS.items() if factor.home != "model")


@dataclass(frozen=True)
class Size:
    """What a study takes, estimated.

    Args:
        configurations: how many there are.
        seeds: of each configuration.
        seconds: about how long compiling and training take.
        memory: about how many bytes the records take.
    """

    configurations: int
    seeds: int
    seconds: float
    memory: float

    @property
    def runs(self) -> int:
        """Configurations times seeds."""
        return self.configurations * self.seeds

    def __str__(self) -> str:
        return (
            f"{self.configurations:,} configurations with {self.seeds} seeds each: "
            f"{self.runs:,} runs, about {_duration(self.seconds)} and "
            f"{self.memory / 1e9:.1f} GB of memory"
        )


Confirm = Callable[[Size], bool]


def size_of(configurations: Sequence[Configuration], seeds: int, data: Dataset) -> Size:
    """About what a study takes.

    Args:
        configurations: those of the study; of many only a sample is looked at.
        seeds: how many.
        data: the data set.

    Returns:
        The size. Compiling counts :func:`compile_seconds` once for each shape, training
        :func:`epoch_seconds`, shared by the devices.
    """
    count = len(configurations)
    seconds = memory = 0.0
    chosen = _sample(configurations)
    for configuration in chosen:
        seconds += configuration.epochs * epoch_seconds(configuration, data)
        memory += 8 * len(MEASURES) * (configuration.epochs + 1)
        memory += 8 * (2 * len(data.dev) + len(data.test))
    scale = count / len(chosen) * seeds
    shapes = _shapes(configurations)
    shown = _sample(shapes)
    compiling = sum(compile_seconds(one, data) for one in shown) * len(shapes) / len(shown)
    return Size(count, seeds, seconds * scale / len(devices()) + compiling, memory * scale)


def epoch_seconds(configuration: Configuration, data: Dataset) -> float:
    """About how long one device takes for an epoch of one network, measures included.

    6 operations a weight and training example and 2 a measured one, at 50 GFLOP/s, and 30 µs a step
    and 25 µs a step and layer.
    """
    mlp, train = mlp_of(configuration, data), len(data.train)
    products = mlp.parameters * (6 * train + 2 * len(data)) / _FLOPS
    step = _STEP_SECONDS + _LAYER_SECONDS * len(mlp.hidden)
    return products + step * train / configuration.batch


def compile_seconds(configuration: Configuration, data: Dataset) -> float:
    """About how long the programs of one shape are compiled if they are compiled anew."""
    return _COMPILE_SECONDS + _COMPILE_LAYER_SECONDS * len(mlp_of(configuration, data).layers)


def _sample(configurations: Sequence[Configuration]) -> Sequence[Configuration]:
    count = len(configurations)
    if count <= _SAMPLE:
        return configurations
    return [configurations[int(at)] for at in np.linspace(0, count - 1, _SAMPLE)]


def _shapes(configurations: Sequence[Configuration]) -> Sequence[Configuration]:
    """One configuration of each shape."""
    if isinstance(configurations, Grid):
        return configurations.of(_SHARED)
    return list({shape_of(one): one for one in configurations}.values())


def shape_of(configuration: Configuration) -> tuple[Any, ...]:
    """What networks that one program trains have in common."""
    return tuple(getattr(configuration, name) for name in _SHARED)


def check_size(
    configurations: Sequence[Configuration], seeds: int, data: Dataset, confirm: Confirm | None
) -> None:
    """Refuse what cannot be trained, and ask before what takes long.

    Args:
        configurations: those of the study.
        seeds: how many.
        data: the data set.
        confirm: asked above 10,000 runs; True goes on.

    Raises:
        SetupError: not confirmed, a network that is too large, or a batch larger than train.
    """
    if len(configurations) * seeds > ASK_ABOVE:
        size = size_of(configurations, seeds, data)
        if confirm is None or not confirm(size):
            raise SetupError(
                f"The grid has {size}; above {ASK_ABOVE:,} runs a study asks first.",
                hint="Name fewer values or seeds, or confirm: --yes on the command line, "
                "confirm=lambda size: True in Python.",
            )
    units = {SCORES[c.loss] for c in configurations[:_SAMPLE]}
    if len(units) > 1:
        raise SetupError(
            f"The losses of one study are read in one unit; these give {' and '.join(units)}.",
            hint="Compare mse with mae, or train two studies.",
        )
    for configuration in configurations:
        if configuration.batch > len(data.train):
            raise SetupError(
                f"batch={configuration.batch} is larger than the {len(data.train)} training "
                f"examples of {data.name}.",
                hint=f"Give a smaller one, such as batch={max(1, len(data.train) // 4)}.",
            )
        if configuration.patience >= configuration.epochs:
            raise SetupError(
                f"patience={configuration.patience} with epochs={configuration.epochs}: training "
                "cannot stop early before its last epoch.",
                hint="Give a smaller patience, more epochs, or patience=0 to never stop early.",
            )
        if configuration.loss != "cross_entropy" and data.ratings is None:
            raise SetupError(
                f"loss={configuration.loss} predicts a number for each example, but {data.name} "
                "has classes only.",
                hint="Take loss=cross_entropy.",
            )
        parameters = mlp_of(configuration, data).parameters
        if parameters > MAX_PARAMETERS:
            raise SetupError(
                f"hidden={configuration.hidden} has {parameters} weights and biases; at most "
                f"{MAX_PARAMETERS} are supported."
            )


def mlp_of(configuration: Configuration, data: Dataset) -> MLP:
    """The network of a configuration on a data set."""
    single = configuration.loss != "cross_entropy" or data.classes == 2
    return MLP(
        data.width,
        parse_hidden(configuration.hidden),
        1 if single else data.classes,
        residual=configuration.residual,
        normalisation=cast(Normalisation, configuration.normalisation),
    )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} seconds"
