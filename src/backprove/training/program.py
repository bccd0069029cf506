"""What the models of a group share, and the scalars in which they differ."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf, isfinite, isnan
from typing import Any, NamedTuple

from backprove.errors import SetupError
from backprove.networks import ACTIVATIONS, INITIALISERS, LOSSES, MLP
from backprove.training.optimisers import OPTIMISERS
from backprove.training.schedules import SCHEDULES


@dataclass(frozen=True)
class Program:
    """What is compiled in: all models of a group share it.

    Args:
        mlp: shape of the networks.
        activations: the activations that occur in the group.
        loss: a key of :data:`backprove.networks.LOSSES`.
        optimiser: a key of :data:`backprove.training.OPTIMISERS`.
        batch: examples in a batch; the last batch of an epoch may be smaller.
        schedule: a key of :data:`backprove.training.SCHEDULES`.
        epochs: epochs of the whole training; the schedule is stretched over them.
        gradient_clip: the largest norm of the gradient of all parameters together; a longer one
            is scaled down to it (Pascanu, Mikolov, Bengio, ICML 2013). None leaves it alone.

    Raises:
        SetupError: an unknown name, or a number out of range.
    """

    mlp: MLP
    activations: tuple[str, ...]
    loss: str = "binary_cross_entropy"
    optimiser: str = "adam"
    batch: int = 64
    schedule: str = "constant"
    epochs: int = 20
    gradient_clip: float | None = None

    def __post_init__(self) -> None:
        for field, known in (("loss", LOSSES), ("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            if getattr(self, field) not in known:
                raise SetupError(
                    f"{field}={getattr(self, field)!r}; expected one of {', '.join(known)}."
                )
        for field in ("batch", "epochs"):
            if getattr(self, field) < 1:
                raise SetupError(
                    f"{field}={getattr(self, field)}; expected a whole number of at least 1."
                )
        clip = self.gradient_clip
        if clip is not None and not (isfinite(clip) and clip > 0):
            raise SetupError(f"gradient_clip={clip}; expected a number above 0, or None.")


@dataclass(frozen=True)
class Model:
    """What is data: the scalars in which the models of a group differ.

    Args:
        seed: fixes the split (unless it is fixed for all), the first weights, the data order, and
            everything drawn during training: models of one seed share all of it.
        learning_rate: the step size.
        activation: one of the program's activations.
        initialiser: a key of :data:`backprove.networks.INITIALISERS`.
        momentum: the first decay of the optimiser (beta 1 of adam); None takes its default.
        beta2: the decay of squared gradients; None takes the default of the optimiser.
        weight_decay: decoupled in adamw, an L2 penalty of half of it in the others; it holds for
            all learned values, biases too, as in PyTorch.
        dropout: the share of hidden activations set to 0 while training; the others are divided
            by 1 − share (Srivastava et al., JMLR 2014, section 10), so nothing is scaled later.
        label_smoothing: the share of a label that is spread over all classes (Szegedy et al.,
            CVPR 2016, section 7).
        input_noise: the deviation of normal noise on each feature while training (Bishop, Neural
            Computation 7, 1995).
        mixup: the parameter of the Beta distribution of mixing weights (Zhang et al., ICLR 2018);
            0 mixes nothing. An example is mixed with the next one of its batch.
        patience: training stops once the dev loss has not fallen below its minimum for this many
            epochs; 0 never stops.

    Raises:
        SetupError: a number out of its range, or an unknown initialiser or activation.
    """

    seed: int
    learning_rate: float
    activation: str
    initialiser: str = "fan_in_uniform"
    momentum: float | None = None
    beta2: float | None = None
    weight_decay: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    input_noise: float = 0.0
    mixup: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        for field, known in (("activation", ACTIVATIONS), ("initialiser", INITIALISERS)):
            if getattr(self, field) not in known:
                raise SetupError(
                    f"{field}={getattr(self, field)!r}; expected one of {', '.join(known)}."
                )
        for field, (below, words) in _RANGES.items():
            value = getattr(self, field)
            if value is not None and not (0 <= value < below):
                raise SetupError(f"{field}={value}; expected a number {words}.")
        if not 0 <= self.seed < 2**32:
            raise SetupError(f"seed={self.seed}; expected a whole number from 0, below 2**32.")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise SetupError(f"learning_rate={self.learning_rate}; expected a number above 0.")


_SHARE, _AMOUNT = (1, "from 0, below 1"), (inf, "of at least 0")
_RANGES = {
    "momentum": _SHARE,
    "beta2": _SHARE,
    "weight_decay": _AMOUNT,
    "dropout": _SHARE,
    "label_smoothing": _SHARE,
    "input_noise": _AMOUNT,
    "mixup": _AMOUNT,
    "patience": _AMOUNT,
}


class Scalars(NamedTuple):
    """The scalars of each model on the devices, (models,) each."""

    learning_rate: Any
    activation: Any
    seed: Any  # position among the distinct seeds
    key: Any  # (models, 2) uint32: the random stream of the seed
    momentum: Any
    beta2: Any
    weight_decay: Any
    dropout: Any
    label_smoothing: Any
    input_noise: Any


class Parts(NamedTuple):
    """Which steps are compiled in: what no model of a group uses costs it nothing."""

    weight_decay: bool
    dropout: bool
    label_smoothing: bool
    input_noise: bool
    mixup: bool


def parts_of(models: tuple[Model, ...]) -> Parts:
    """What at least one of the models uses."""
    return Parts(*(any(getattr(model, name) > 0 for model in models) for name in Parts._fields))


def refuse_foreign(program: Program, models: tuple[Model, ...]) -> None:
    """Refuse models that their program cannot train.

    Args:
        program: what they share.
        models: what they differ in.

    Raises:
        SetupError: no model, an activation that is not compiled in, or a number for something
            that the program has not.
    """
    foreign = sorted({model.activation for model in models} - set(program.activations))
    if foreign or not models:
        given = f"activation={foreign[0]!r}" if foreign else "No model"
        raise SetupError(f"{given}; expected models with {', '.join(program.activations)}.")
    rule = OPTIMISERS[program.optimiser]
    for name in ("momentum", "beta2"):
        if isnan(getattr(rule, name)) and any(getattr(m, name) is not None for m in models):
            raise SetupError(f"{name} is given, but the optimiser {program.optimiser} has none.")
    if LOSSES[program.loss].even is None and any(model.label_smoothing for model in models):
        raise SetupError(f"label_smoothing is given, but the loss {program.loss} has no labels.")


def numbers(program: Program, models: tuple[Model, ...]) -> dict[str, list[Any]]:
    """The numbers of each model with the defaults of the optimiser filled in, by field name."""
    rule = OPTIMISERS[program.optimiser]
    columns = {f.name: [getattr(model, f.name) for model in models] for f in fields(Model)}
    for name in ("momentum", "beta2"):
        default = getattr(rule, name)
        columns[name] = [default if value is None else value for value in columns[name]]
    return columns
