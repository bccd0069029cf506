"""What a study can vary, how people write it, and the grid of configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal

from backprove.errors import SetupError
from backprove.networks import ACTIVATIONS, INITIALISERS, hidden_text, parse_hidden
from backprove.training import OPTIMISERS

Home = Literal["mlp", "program", "model", "run"]

_FLOAT32 = (1.2e-38, 3.4e38)


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

    The fields are the factors of :data:`FACTORS`.

    >>> Configuration().text()
    'hidden 512, activation sigmoid, lr 0.01, optimizer adam, batch 64, epochs 20, initialiser \
fan_in_uniform'
    """

    hidden: str = "512"
    activation: str = "sigmoid"
    lr: float = 0.01
    optimizer: str = "adam"
    batch: int = 64
    epochs: int = 20
    initialiser: str = "fan_in_uniform"

    def text(self, names: Sequence[str] | None = None) -> str:
        """The configuration in words.

        Args:
            names: the factors to name; all by default.

        Returns:
            Names and values, separated by commas.
        """
        names = [field.name for field in fields(self)] if names is None else names
        return ", ".join(f"{name} {getattr(self, name)}" for name in names)


def _choice(
    name: str, known: Mapping[str, Any], default: str = "", home: Home = "model", field: str = ""
) -> Factor:
    allowed = f"one of {', '.join(known)}"

    def read(text: str) -> str:
        if text.lower() not in known:
            close = get_close_matches(text.lower(), list(known), n=1)
            hint = f"Did you mean {close[0]}?" if close else ""
            raise SetupError(f"{name}={text!r}; expected {allowed}.", hint=hint)
        return text.lower()

    return Factor(read, default or next(iter(known)), allowed, home, field)


def _whole(name: str, default: int, largest: int, home: Home) -> Factor:
    allowed = f"a whole number from 1 to {largest}"

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= largest):
            raise SetupError(f"{name}={text!r}; expected {allowed}.")
        return int(text)

    return Factor(read, str(default), allowed, home)


def _read_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = float("nan")
    if not (isfinite(rate) and _FLOAT32[0] <= rate <= _FLOAT32[1]):
        raise SetupError(f"lr={text!r}; expected a number above 0, such as 0.01.")
    return rate


FACTORS: Mapping[str, Factor] = MappingProxyType(
    {
        "hidden": Factor(
            lambda text: hidden_text(parse_hidden(text)),
            "none,512",
            "none, a width (512), equal widths (512x3) or widths (256-128)",
            "mlp",
        ),
        "activation": _choice("activation", ACTIVATIONS),
        "lr": Factor(_read_rate, "0.01", "a number above 0", field="learning_rate"),
        "optimizer": _choice("optimizer", OPTIMISERS, "adam", "program", "optimiser"),
        "batch": _whole("batch", 64, 1_000_000, "program"),
        "epochs": _whole("epochs", 20, 100_000, "run"),
        "initialiser": _choice("initialiser", INITIALISERS),
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
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise SetupError(f"{name}={item!r}; expected {FACTORS[name].allowed}.")
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)
