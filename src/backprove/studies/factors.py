"""What a study can vary, how people write it, and the grid of configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import product
from math import isfinite, prod
from types import MappingProxyType
from typing import Any

from backprove.errors import SetupError
from backprove.networks import ACTIVATIONS, INITIALISERS, hidden_text, parse_hidden
from backprove.training import OPTIMISERS

MAX_MODELS = 10_000
_FLOAT32 = (1.2e-38, 3.4e38)


@dataclass(frozen=True)
class Factor:
    """One thing that a study can vary.

    Args:
        read: from what a person wrote (stripped text) to the value; raises SetupError.
        default: the value where nothing is written, as text.
        allowed: what is accepted, in words.
    """

    read: Callable[[str], Any]
    default: str
    allowed: str


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


def _choice(name: str, known: Mapping[str, Any]) -> Factor:
    allowed = f"one of {', '.join(known)}"

    def read(text: str) -> str:
        if text.lower() not in known:
            close = get_close_matches(text.lower(), list(known), n=1)
            hint = f"Did you mean {close[0]}?" if close else ""
            raise SetupError(f"{name}={text!r}; expected {allowed}.", hint=hint)
        return text.lower()

    return Factor(read, next(iter(known)), allowed)


def _whole(name: str, default: int, largest: int) -> Factor:
    allowed = f"a whole number from 1 to {largest}"

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= largest):
            raise SetupError(f"{name}={text!r}; expected {allowed}.")
        return int(text)

    return Factor(read, str(default), allowed)


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
        ),
        "activation": _choice("activation", ACTIVATIONS),
        "lr": Factor(_read_rate, "0.01", "a number above 0"),
        "optimizer": Factor(_choice("optimizer", OPTIMISERS).read, "adam", ", ".join(OPTIMISERS)),
        "batch": _whole("batch", 64, 1_000_000),
        "epochs": _whole("epochs", 20, 100_000),
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


def grid(written: Mapping[str, Any], *, seeds: int, zipped: Any = ()) -> tuple[Configuration, ...]:
    """Every combination of the values of the factors.

    Args:
        written: values of factors, as :func:`levels` takes them; the rest take their defaults.
        seeds: runs of each configuration, to judge the size of the grid.
        zipped: factors that change together, at least two with equally many values: the first
            value of each belongs to the first of the others, and so on.

    Returns:
        The configurations; the last factor varies fastest.

    Raises:
        SetupError: an unknown factor or value, zipped factors of different lengths, or a grid of
            more than 10,000 runs.

    >>> [c.hidden for c in grid({"hidden": "none,64"}, seeds=1)]
    ['none', '64']
    """
    for name in written:
        if name not in FACTORS:
            raise SetupError(f"'{name}' is no factor; expected one of {', '.join(FACTORS)}.")
    names = _names(zipped)
    chosen = {
        name: levels(name, written.get(name, factor.default), repeats=name in names)
        for name, factor in FACTORS.items()
    }
    together = _together(names, chosen)
    axes = [
        (together, list(zip(*(chosen[name] for name in together), strict=True)))
        if together and name == together[0]
        else ((name,), [(value,) for value in values])
        for name, values in chosen.items()
        if name not in together[1:]
    ]
    runs = prod(len(values) for _, values in axes) * seeds
    if runs > MAX_MODELS:
        raise SetupError(
            f"The grid has {runs // seeds} configurations with {seeds} seeds each: {runs} runs; at "
            f"most {MAX_MODELS} are trained at once.",
            hint="Name fewer values or seeds.",
        )
    return tuple(
        Configuration(
            **{
                name: value
                for (names, _), cell in zip(axes, cells, strict=True)
                for name, value in zip(names, cell, strict=True)
            }
        )
        for cells in product(*(values for _, values in axes))
    )


def _names(zipped: Any) -> list[str]:
    names = zipped.split(",") if isinstance(zipped, str) else zipped
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SetupError(f"zipped={zipped!r}; expected names of factors, such as 'hidden,lr'.")
    names = [name.strip() for name in names if name.strip()]
    for name in names:
        if name not in FACTORS:
            raise SetupError(f"zipped={zipped!r}: '{name}' is none of {', '.join(FACTORS)}.")
    return names


def _together(names: Sequence[str], chosen: Mapping[str, tuple[Any, ...]]) -> tuple[str, ...]:
    """The zipped factors in the order of the table, if they can be zipped."""
    lengths = {name: len(chosen[name]) for name in names}
    if names and (len(lengths) < 2 or len(set(lengths.values())) > 1):
        counts = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise SetupError(
            f"zipped={','.join(names)!r}; expected at least two factors with equally many values: "
            f"{counts}."
        )
    cells = list(zip(*(chosen[name] for name in names), strict=True))
    twice = [cell for i, cell in enumerate(cells) if cell in cells[:i]]
    if twice:
        raise SetupError(f"zipped={','.join(names)!r} gives {twice[0]} twice; name each once.")
    return tuple(name for name in chosen if name in lengths)


def varying(configurations: Sequence[Configuration]) -> tuple[str, ...]:
    """The factors that take more than one value."""
    return tuple(name for name in FACTORS if len({getattr(c, name) for c in configurations}) > 1)


def entangled(configurations: Sequence[Configuration]) -> tuple[tuple[str, ...], ...]:
    """The varied factors, grouped where not every combination of their values occurs.

    Args:
        configurations: those of a study.

    Returns:
        Groups of names; a group of one factor is crossed with all others.

    >>> zipped = {"hidden": "none,8", "lr": "0.1,0.2", "activation": "relu,tanh"}
    >>> entangled(grid(zipped, seeds=1, zipped="hidden,lr"))
    (('hidden', 'lr'), ('activation',))
    """
    groups: list[tuple[str, ...]] = []
    for name in varying(configurations):
        with_name = [
            group for group in groups if not all(_crossed(configurations, name, g) for g in group)
        ]
        joined = (*(other for group in with_name for other in group), name)
        groups = [group for group in groups if group not in with_name]
        groups.append(tuple(factor for factor in FACTORS if factor in joined))
    return tuple(sorted(groups, key=lambda group: list(FACTORS).index(group[0])))


def _crossed(configurations: Sequence[Configuration], f: str, g: str) -> bool:
    pairs = {(getattr(c, f), getattr(c, g)) for c in configurations}
    return len(pairs) == len({a for a, _ in pairs}) * len({b for _, b in pairs})
