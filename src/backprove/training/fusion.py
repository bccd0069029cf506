"""Whether a device runs its models one after the other or as stacked products."""

from __future__ import annotations

from typing import Any

from backprove.training.program import Program
from backprove.training.steps import Inner

_SMALL = 5_000  # parameters below which stacked products beat a loop on a CPU (measured: 16 wide)


def chosen(program: Program, models: int, device: Any) -> Inner:
    """The faster way.

    Args:
        program: what the models share.
        models: how many there are on a device.
        device: the device.

    Returns:
        ``map`` or ``vmap``.
    """
    small = device.platform != "cpu" or program.mlp.parameters <= _SMALL
    return "vmap" if small else "map"
