"""The theorems by name, with settings as text: what commands and worksheets ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from backprove.errors import SetupError, UnknownName
from backprove.results import Block, Heading, Result, Text
from backprove.theorems.centring import zero_centred
from backprove.theorems.dense import Rule
from backprove.theorems.depth import batching, collapse, features_of_depth, output_range
from backprove.theorems.dropout import dropout
from backprove.theorems.gradient_bounds import gradient_bounds
from backprove.theorems.gradient_support import gradient_support
from backprove.theorems.residual import residual
from backprove.theorems.saturation import saturation
from backprove.theorems.scales import initial_variance, stable_step
from backprove.theorems.symmetry import symmetry
from backprove.theorems.theorem import Fact, Theorem

_RULE = {
    "optimizer": ("name", str),
    "lr": ("lr", float),
    "l1": ("l1", float),
    "l2": ("l2", float),
    "decay": ("decay", float),
    "dropout": ("dropout", float),
    "noise": ("noise", float),
    "rule_seed": ("seed", int),
}


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no"):
        raise ValueError(text)
    return text.lower() in ("true", "yes")


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.strip("[]()").split(",") if part.strip()]


_START = {"network": str, "inputs": int, "init": str, "bias": float, "seed": int}


@dataclass(frozen=True)
class Named:
    """One theorem.

    Args:
        prove: what answers.
        settings: its settings, each with the reader of its text.
        summary: one line.
        rule: whether the settings of :class:`Rule` apply.
    """

    prove: Callable[..., Theorem]
    settings: Mapping[str, Callable[[str], Any]]
    summary: str
    rule: bool = False


THEOREMS: Mapping[str, Named] = {
    "symmetry": Named(
        symmetry, _START | {"loss": str, "steps": int}, "units that stay equal", rule=True
    ),
    "zero_gradient": Named(
        gradient_support,
        _START | {"loss": str, "steps": int, "lr": float},
        "parameters that never move",
    ),
    "dropout": Named(dropout, {"p": float, "masks": int, "seed": int}, "what is scaled, and when"),
    "residual": Named(
        residual,
        {"name": str, "width": int, "scale": float, "seed": int},
        "the Jacobian of a block is I + J",
    ),
    "zero_centred": Named(
        zero_centred,
        {"width": int, "examples": int, "seed": int},
        "tanh, the sigmoid and the signs of gradients",
    ),
    "vanishing": Named(
        gradient_bounds,
        {"network": str, "inputs": int, "init": str, "seed": int, "loss": str},
        "bounds of gradients over layers",
    ),
    "saturation": Named(
        saturation,
        {"name": str, "layers": int, "width": int, "seed": int, "positive": _truth},
        "what large weights do to bounded units",
    ),
    "collapse": Named(
        collapse,
        {"network": str, "inputs": int, "seed": int},
        "layers without activations are one map",
    ),
    "batching": Named(batching, {"seed": int}, "a batch removes one loop, not the other"),
    "features": Named(features_of_depth, {}, "what deeper layers are said to compute"),
    "initial_variance": Named(
        initial_variance,
        {"network": str, "inputs": int, "init": str, "seeds": int},
        "the scale of activations at the start, predicted and measured",
    ),
    "stable_step": Named(
        stable_step,
        {"network": str, "inputs": int, "init": str, "seed": int, "loss": str, "steps": int},
        "the largest step size, 2/λmax",
    ),
    "output_range": Named(
        output_range, {"network": str, "targets": _numbers}, "targets that no output reaches"
    ),
}
"""Every theorem that is asked by name."""


def prove(name: str, /, **settings: Any) -> Theorem:
    """A theorem by name.

    Args:
        name: a key of :data:`THEOREMS`.
        settings: its settings, as text or as values.

    Returns:
        The theorem with the run that shows it.

    Raises:
        UnknownName: there is no theorem or setting of that name.
        SetupError: a setting has a value that it cannot have.

    >>> prove("symmetry", network="tanh(4)+linear(1)", steps=0).facts["stays_equal"].value
    True
    """
    found = THEOREMS.get(name)
    if found is None:
        raise _unknown("theorem", name, THEOREMS)
    known = dict(found.settings) | (
        {key: read for key, (_, read) in _RULE.items()} if found.rule else {}
    )
    values = {}
    for key, value in settings.items():
        if key not in known:
            raise _unknown(f"setting of '{name}'", key, known)
        values[key] = _read(key, value, known[key])
    if found.rule:
        rule = {field: values.pop(key) for key, (field, _) in _RULE.items() if key in values}
        values["rule"] = Rule(**rule)
    missing = {"symmetry": "network", "zero_gradient": "network", "vanishing": "network",
               "output_range": "network"}.get(name)  # fmt: skip
    if missing and missing not in values:
        raise SetupError(f"'{name}' needs a network", hint="For example network=tanh(4)+linear(1).")
    return found.prove(**values)


def _read(key: str, value: Any, read: Callable[[str], Any]) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:
        kind = {int: "a whole number", float: "a number", _truth: "true or false"}
        raise SetupError(f"{key}={value!r}; expected {kind.get(read, 'numbers')}") from None


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> UnknownName:
    close = get_close_matches(name, list(known), n=1)
    meant = f"Is '{close[0]}' meant? " if close else ""
    return UnknownName(f"'{name}' is no {what}", hint=f"{meant}One of: {', '.join(known)}.")


@dataclass
class Experiment(Result):
    """The run that shows a theorem, without the theorem.

    Args:
        theorem: the theorem whose run it is.
    """

    theorem: Theorem

    @property
    def facts(self) -> dict[str, Fact]:
        """What was measured."""
        return {name: f for name, f in self.theorem.facts.items() if f.level == "measured"}

    def blocks(self) -> list[Block]:
        if not self.theorem.measurement:
            return [Text(f"There is no run for '{self.theorem.name}' with these settings.")]
        return [Heading(f"{self.theorem.name}: a run"), *self.theorem.measurement]

    def to_dict(self) -> dict[str, Any]:
        return self.theorem.to_dict() | {"kind": "experiment"}


def experiment(name: str, /, **settings: Any) -> Experiment:
    """The run that belongs to a theorem.

    Args:
        name: a key of :data:`THEOREMS`.
        settings: as in :func:`prove`.

    Raises:
        UnknownName, SetupError: as :func:`prove`.

    >>> sorted(experiment("zero_gradient", network="relu(2)+linear(1)", steps=20).facts)
    ['first_zero']
    """
    return Experiment(prove(name, **settings))
