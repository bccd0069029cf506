"""How the models of a stack share the devices: who fills up, and who trains which steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backprove.training.steps import Inner


@dataclass(frozen=True)
class Sharing:
    """Places of a stack that is as long on each device.

    Where there is one model more than would be even, each device but the last would wait for
    one model. Then these devices lend their last model: its copy is on the last device, and there
    it is trained for the rest of each epoch, so that all devices finish at once (McNaughton's
    wrap-around rule, Management Science 6, 1959).

    Args:
        models: how many there are.
        devices: how many there are, at most as many as models.
        inner: how a device runs its models; only a loop can stop in the middle of an epoch.

    >>> Sharing(9, 2, "map").lent, Sharing(9, 2, "map").copies
    ([4], [9])
    >>> [turn[[4, 5, 9]].tolist() for turn in Sharing(9, 2, "map").turns(100)]
    [[[0, 50], [0, 50], [0, 0]], [[0, 0], [50, 100], [50, 100]]]
    """

    models: int
    devices: int
    inner: Inner

    @property
    def slots(self) -> int:
        """Places on each device."""
        return -(-self.models // self.devices)

    @property
    def lent(self) -> list[int]:
        """The places of the models that are lent."""
        missing = self.slots * self.devices - self.models
        if self.inner == "vmap" or not 0 < missing == self.devices - 1 < self.slots:
            return []
        return [self.slots * (device + 1) - 1 for device in range(missing)]

    @property
    def copies(self) -> list[int]:
        """The places of their copies."""
        return list(range(self.models, self.models + len(self.lent)))

    @property
    def filling(self) -> list[int]:
        """For each place beyond the models the one that it has a copy of."""
        missing = self.slots * self.devices - self.models
        return self.lent or [self.models - 1] * missing

    def turns(self, steps: int) -> list[NDArray[np.int32]]:
        """The steps of an epoch that each place trains for, turn by turn.

        Args:
            steps: in an epoch.

        Returns:
            One or two arrays of the first step and the one after the last: (places, 2), or (2,) of
            stacked products. Between two turns what was lent moves to its copy, after them back.
        """
        epoch = np.array([0, steps], np.int32)
        if self.inner == "vmap":
            return [epoch]
        rest = np.tile(epoch, (self.slots * self.devices, 1))
        if not self.lent:
            rest[self.models :] = 0  # nobody needs what only fills up
            return [rest]
        # What the last device does meanwhile is the beginning of its own first model.
        cut, begun = steps // self.devices, [*self.lent, (self.devices - 1) * self.slots]
        first = np.zeros_like(rest)
        first[begun] = 0, cut
        rest[begun] = cut, steps
        rest[self.copies], rest[self.lent] = rest[self.lent], 0
        return [first, rest]
