"""What a study can vary, how people write it, and the grid of configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite, nan
from types import MappingProxyType
from typing import Any, Literal, get_args

from backprove.errors import SetupError
from backprove.networks import ACTIVATIONS, INITIALISERS, hidden_text, parse_hidden
from backprove.networks.mlp import Normalisation
from backprove.training import OPTIMISERS, SCHEDULES

Home = Literal["mlp", "program", "model", "run"]

_FLOAT32 = (1.2e-38, 3.4e38)

SCORES: Mapping[str, str] = MappingProxyType(
    {"cross_entropy": "accuracy", "mse": "R²", "mae": "R²"}
)
"""What is read beside each loss: classes are predicted, or the ratings of the data set."""


@dataclass(frozen=True)
class Factor:
    """One thing that a study can vary.

    Args:
        read: from what a person wrote (stripped text) to the value; raises SetupError.
        default: the value where nothing is written, as text.
        allowed: what is accepted, in words.
        home: what it is part of: the network's shape, the compiled program, the data of one model,
            or the run around them. Models that differ in a ``model`` factor only share a program.
        field: its name there, if it is another.
    """

    read: Callable[[str], Any]
    default: str
    allowed: str
    home: Home = "model"
    field: str = ""


@dataclass(frozen=True)
class Configuration:
    """One cell of a grid: everything about a run except its seed.

    The fields are the factors of :data:`FACTORS`; None takes the optimiser's own number.

    >>> Configuration(dropout=0.5).text()
    'hidden 512, activation sigmoid, lr 0.01, optimizer adam, batch 64, epochs 20, initialiser \
fan_in_uniform, dropout 0.5'
    """

    hidden: str = "512"
    activation: str = "sigmoid"
    lr: float = 0.01
    optimizer: str = "adam"
    batch: int = 64
    epochs: int = 20
    initialiser: str = "fan_in_uniform"
    schedule: str = "constant"
    momentum: float | None = None
    beta2: float | None = None
    weight_decay: float = 0.0
    gradient_clip: float | None = None
    dropout: float = 0.0
    residual: bool = False
    normalisation: str = "none"
    label_smoothing: float = 0.0
    input_noise: float = 0.0
    mixup: float = 0.0
    loss: str = "cross_entropy"
    patience: int = 0

    def text(self, names: Sequence[str] | None = None) -> str:
        """The configuration in words.

        Args:
            names: the factors to name; by default the main ones and all that are not as usual.

        Returns:
            Names and values, separated by commas.
        """
        if names is None:
            names = [
                field.name
                for at, field in enumerate(fields(self))
                if at < _MAIN or getattr(self, field.name) != field.default
            ]
        return ", ".join(f"{name} {shown(getattr(self, name))}" for name in names)


_MAIN = 7  # factors that every configuration in full names


def shown(value: Any) -> str:
    """A value of a factor as people write it."""
    words = {None: "default", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _choice(
    name: str, known: Mapping[str, Any], default: str = "", home: Home = "model", field: str = ""
) -> Factor:
    allowed = f"one of {', '.join(known)}"

    def read(text: str) -> str:
        if text.lower() not in known:
            close = get_close_matches(text.lower(), list(known), n=1)
            close = close or [one for one in known if text and one.startswith(text.lower())]
            hint = _between(text) or (f"Did you mean {close[0]}?" if close else "")
            raise SetupError(f"{name}={text!r}; expected {allowed}.", hint=hint)
        return text.lower()

    return Factor(read, default or next(iter(known)), allowed, home, field)


def _whole(name: str, default: int, largest: int, home: Home, least: int = 1) -> Factor:
    allowed = f"a whole number from {least} to {largest}"

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) < 12
        if not (digits and least <= int(text) <= largest):
            raise SetupError(f"{name}={text!r}; expected {allowed}.", hint=_between(text))
        return int(text)

    return Factor(read, str(default), allowed, home)


def _read_rate(text: str) -> float:
    rate = _float(text)
    if rate > 0 and not _FLOAT32[0] <= rate <= _FLOAT32[1]:
        raise SetupError(
            f"lr={text!r}; expected a number from {_FLOAT32[0]:g} to {_FLOAT32[1]:g}: networks are "
            "trained in single precision.",
            hint="Learning rates of use lie between 1e-5 and 10.",
        )
    if not rate > 0:
        raise SetupError(
            f"lr={text!r}; expected a number above 0, such as 0.01.", hint=_between(text)
        )
    return rate


def _float(text: str) -> float:
    """A number in ASCII digits, without Python's underscores; NaN if it is none."""
    try:
        return float(text) if text.isascii() and "_" not in text else nan
    except ValueError:
        return nan


def _read_hidden(text: str) -> str:
    try:
        return hidden_text(parse_hidden(text))
    except SetupError as error:
        raise SetupError(error.message, hint=error.hint or _between(text)) from None


def _between(text: str) -> str:
    """A hint to who separates values by something else."""
    several = len(text.replace(";", " ").replace("|", " ").split()) > 1
    return "Separate several values by commas." if several else ""


def _number(
    name: str, below: float, default: str = "0", home: Home = "model", *, zero: bool = True
) -> Factor:
    """A number from 0 (or above 0), or the word that leaves it out."""
    allowed = "a number " + ("from 0" if zero else "above 0")
    allowed += f", below {below:g}" if below < _FLOAT32[1] else ""
    left_out = () if default == "0" else (default, "none", "default")
    allowed += f", or {default}" if left_out else ""

    def read(text: str) -> float | None:
        if text.lower() in left_out:
            return None
        value = _float(text)
        if not (isfinite(value) and 0 <= value < below and (zero or value > 0)):
            much = " is too large" if value >= _FLOAT32[1] else ""
            raise SetupError(f"{name}={text!r}{much}; expected {allowed}.", hint=_between(text))
        return value

    return Factor(read, default, allowed, home)


def _switch(name: str, home: Home) -> Factor:
    words = {"yes": True, "true": True, "no": False, "false": False}

    def read(text: str) -> bool:
        if text.lower() not in words:
            raise SetupError(f"{name}={text!r}; expected {_SWITCH}.")
        return words[text.lower()]

    return Factor(read, "no", _SWITCH, home)


_SWITCH = "yes or no"
_HUGE = _FLOAT32[1]

FACTORS: Mapping[str, Factor] = MappingProxyType(
    {
        "hidden": Factor(
            _read_hidden,
            "none,512",
            "none, a width (512), equal widths (512x3) or widths (256-128)",
            "mlp",
        ),
        "activation": _choice("activation", ACTIVATIONS),
        "lr": Factor(_read_rate, "0.01", "a number above 0", field="learning_rate"),
        "optimizer": _choice("optimizer", OPTIMISERS, "adam", "program", "optimiser"),
        "batch": _whole("batch", 64, 1_000_000, "program"),
        "epochs": _whole("epochs", 20, 100_000, "program"),
        "initialiser": _choice("initialiser", INITIALISERS),
        "schedule": _choice("schedule", SCHEDULES, "constant", "program"),
        "momentum": _number("momentum", 1, "default"),
        "beta2": _number("beta2", 1, "default"),
        "weight_decay": _number("weight_decay", _HUGE),
        "gradient_clip": _number("gradient_clip", _HUGE, "none", "program", zero=False),
        "dropout": _number("dropout", 1),
        "residual": _switch("residual", "mlp"),
        "normalisation": _choice(
            "normalisation", dict.fromkeys(get_args(Normalisation)), "none", "mlp"
        ),
        "label_smoothing": _number("label_smoothing", 1),
        "input_noise": _number("input_noise", _HUGE),
        "mixup": _number("mixup", _HUGE),
        "loss": _choice("loss", dict.fromkeys(SCORES), "cross_entropy", "run"),
        "patience": _whole("patience", 0, 100_000, "model", least=0),
    }
)
"""Every factor by its name; each takes one value or several, separated by commas."""


def levels(name: str, written: Any, *, repeats: bool = False) -> tuple[Any, ...]:
    """The values of one factor that a person asks for.

    Args:
        name: a key of :data:`FACTORS`.
        written: a number, a text with values separated by commas, or a sequence of values.
        repeats: whether a value may occur twice, as in a list that is zipped with another.

    Returns:
        The values, in the order given.

    Raises:
        SetupError: a value that is not allowed, given twice, or no value.

    >>> levels("hidden", "none, 512x1, 512x3"), levels("lr", [0.1, "0.01"])
    (('none', '512', '512x3'), (0.1, 0.01))
    """
    factor = FACTORS[name]
    items = list(written) if isinstance(written, list | tuple) else [written]
    texts = [
        part.strip()
        for item in items
        for part in (item.split(",") if isinstance(item, str) else [_as_text(name, item)])
    ]
    if not texts or "" in texts:
        raise SetupError(
            f"{name}={written!r} has an empty value; expected {factor.allowed}, or several "
            "separated by commas."
        )
    values = tuple(factor.read(text) for text in texts)
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice and not repeats:
        raise SetupError(f"{name}={written!r} names {twice[0]} twice; name each value once.")
    return values


def _as_text(name: str, item: Any) -> str:
    if isinstance(item, bool) and FACTORS[name].allowed == _SWITCH:
        return "yes" if item else "no"
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise SetupError(f"{name}={item!r}; expected {FACTORS[name].allowed}.")
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)
