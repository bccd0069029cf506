"""How long the rest of a study takes, from the shapes and from what was trained so far."""

from __future__ import annotations

from collections.abc import Sequence

from backprove.datasets import Dataset
from backprove.studies.sizes import compile_seconds, epoch_seconds, shape_of
from backprove.studies.store import Cell
from backprove.training import devices


class Rest:
    """The time that is left.

    Epochs are weighed by the time that their shape is thought to take; how much longer they took
    so far, they will take on.

    Args:
        data: the data set.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._left = self._done = self._taken = 0.0
        self._compiling: dict[Cell, float] = {}  # by the first cell of each stack to come

    @property
    def seconds(self) -> float:
        """About how long what was asked for takes still."""
        slower = self._taken / self._done if self._done else 1.0
        return max(0.0, slower * self._left + sum(self._compiling.values()))

    def ask(self, stacks: Sequence[Sequence[Cell]]) -> None:
        """Count stacks that are to be trained; those of one shape follow each other."""
        last = None
        for cells in stacks:
            first = cells[0][0]
            self._left += first.epochs * self._epoch(cells)
            if shape_of(first) != last:  # the same programs are not compiled again
                self._compiling[cells[0]] = compile_seconds(first, self._data)
            last = shape_of(first)

    def skip(self, cells: Sequence[Cell], epochs: int) -> None:
        """Count epochs of a stack that need not be trained."""
        self._left -= epochs * self._epoch(cells)
        if epochs == cells[0][0].epochs:
            self._compiling.pop(cells[0], None)

    def trained(self, cells: Sequence[Cell], epochs: int, seconds: float) -> None:
        """Count what was trained of a stack, and the time that it took, compilation aside."""
        work = epochs * self._epoch(cells)
        self._left -= work
        self._done += work
        self._taken += seconds
        if epochs:
            self._compiling.pop(cells[0], None)

    def _epoch(self, cells: Sequence[Cell]) -> float:
        turns = -(-len(cells) // len(devices()))
        return turns * epoch_seconds(cells[0][0], self._data)
