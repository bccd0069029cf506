"""The preset ``course``: studies of depth, activation and learning rate, with their answers.

They are those of a usual course exercise: a network of no, one, two or three hidden layers of 512
units; four activations; learning rates from 0.0125 to 0.125. Where the exercise changes two things
at once, the study that keeps them apart stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backprove.errors import SetupError
from backprove.studies import answers
from backprove.studies.factors import Configuration
from backprove.studies.grids import grid
from backprove.studies.plans import Wanted
from backprove.studies.result import Study
from backprove.studies.series import Answer, Series

_DEPTHS = "none,512,512x2,512x3"
_RATES = "0.025,0.02,0.01,0.001"  # one for each depth


@dataclass(frozen=True)
class _Part:
    name: str
    title: str
    factors: Mapping[str, Any]
    zipped: str = ""
    follow: bool = False  # extend learning rates and judge each arm


_PARTS: dict[str, tuple[_Part, ...]] = {
    "course": (
        _Part(
            "depth",
            "Depth, each with the course's learning rate",
            {"hidden": _DEPTHS, "lr": _RATES},
            zipped="hidden,lr",
        ),
        _Part("crossed", "Depth and learning rate crossed", {"hidden": _DEPTHS, "lr": _RATES}),
        _Part(
            "one_layer",
            "Activations with one hidden layer",
            {"hidden": "512", "activation": "sigmoid,tanh,relu,gelu", "lr": 0.02, "batch": 128},
        ),
        _Part(
            "activations",
            "Activations across depths",
            {"hidden": _DEPTHS, "lr": _RATES, "activation": "sigmoid,tanh,relu,gelu"},
            zipped="hidden,lr",
        ),
        _Part(
            "rates",
            "Learning rates across depths",
            {"hidden": _DEPTHS, "lr": "0.125,0.1,0.075,0.05,0.0125,0.01"},
            follow=True,
        ),
    )
}

PRESETS = tuple(_PARTS)
"""The names of the presets."""

SHALLOW, DEEP = "none", "512x3"
"""The two depths that are compared early and late."""

_FREE = ("epochs", "initialiser", "optimizer")


def wanted(
    preset: str, factors: Mapping[str, Any], *, zipped: Any, configurations: Any
) -> list[Wanted]:
    """The studies of a preset.

    Args:
        preset: one of :data:`PRESETS`.
        factors: values that replace the usual ones in all studies: one of each.
        zipped, configurations: must be empty; the preset has its own.

    Returns:
        The studies, in order.

    Raises:
        SetupError: no such preset, or a factor that the preset fixes.

    >>> [len(one.configurations) for one in wanted("course", {}, zipped=(), configurations=None)]
    [4, 16, 4, 16, 24]
    """
    if preset not in PRESETS:
        raise SetupError(f"preset={preset!r}; expected {' or '.join(PRESETS)}.")
    fixed = [name for name in factors if name not in _FREE]
    if fixed or zipped or configurations:
        name = fixed[0] if fixed else "zipped" if zipped else "configurations"
        raise SetupError(
            f"The preset {preset} has its own {name}; beside it you can give data, seeds, split, "
            f"region, until_decided, {', '.join(_FREE)}.",
            hint="Leave the preset out to choose the grid yourself.",
        )
    found = []
    for part in _PARTS[preset]:
        cells = grid({**part.factors, **factors}, zipped=part.zipped)
        for name in factors:
            if len({getattr(cell, name) for cell in cells}) > 1:
                raise SetupError(f"{name}={factors[name]!r}; a preset takes a single value.")
        found.append(Wanted(_distinct(cells), part.follow, part.follow, part.title, part.name))
    return found


def _distinct(cells: Iterable[Configuration]) -> tuple[Configuration, ...]:
    return tuple(dict.fromkeys(cells))


def series(preset: str, studies: Sequence[Study]) -> Series:
    """The studies of a preset with the answers that they give.

    Args:
        preset: its name.
        studies: in the order of :func:`wanted`.
    """
    return Series(preset, tuple(studies), tuple(_answers(*studies)))


def _answers(
    depth: Study, crossed: Study, one_layer: Study, activations: Study, rates: Study
) -> Iterator[Answer]:
    yield Answer(
        "Is a deeper network better, or are all in the same range?",
        (
            *answers.refusals(depth),
            *answers.families(crossed, "hidden"),
            *answers.families(rates, "hidden", part="test"),
            *answers.largest_gap(rates, "hidden", part="test"),
        ),
    )
    yield Answer(
        "Is no hidden layer as good as three, and better in early epochs?",
        (
            *answers.pair(depth, SHALLOW, DEEP),
            *answers.early(depth, SHALLOW, DEEP),
            *answers.early(crossed, SHALLOW, DEEP),
            *answers.pair(rates, SHALLOW, DEEP, part="test"),
        ),
    )
    yield Answer(
        "Does one activation have an advantage?",
        (
            *answers.families(one_layer, "activation"),
            *answers.spreads(one_layer, "activation"),
            *answers.families(activations, "activation"),
            *answers.spreads(activations, "activation"),
        ),
    )
    yield Answer(
        "Is a smaller learning rate better across all depths?",
        (
            *answers.directions(rates),
            *answers.curves(rates),
            *answers.at_chance(rates),
        ),
    )
