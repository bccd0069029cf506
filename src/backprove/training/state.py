"""What training changes, and what a model has learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from backprove.networks import Parameters, Statistics


class Learned(NamedTuple):
    """What a model has learned: all that is needed to use it."""

    parameters: Parameters
    statistics: Statistics


class Parked(NamedTuple):
    """A model that has stopped: its arrays, and its measures at its last epoch."""

    leaves: list[NDArray]
    measures: dict[str, NDArray]


class State(NamedTuple):
    """Everything that training changes; with the group, it determines all that follows.

    Args:
        epoch: epochs trained.
        parameters: of each model in the stack.
        optimiser: its moments.
        statistics: its running statistics of batch normalisation.
        best: what each model had learned at its best epoch, if the group keeps that.
        stack: the models in the stack, by position in the group.
        parked: the models that have stopped, by position; they may still be in the stack.
    """

    epoch: int
    parameters: Parameters
    optimiser: Any
    statistics: Statistics
    best: Learned | None
    stack: tuple[int, ...]
    parked: Mapping[int, Parked]
