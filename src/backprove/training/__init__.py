"""Training many networks of one shape at once: what is a number is data, not a new program.

A :class:`Group` stacks the parameters of its models along a leading axis, spreads the stack over
all devices and trains it by one compiled program an epoch. Step sizes and activations are arrays
of that program, so a grid over them compiles once. How a model is stacked changes its numbers by
rounding only.
"""

from __future__ import annotations

from backprove.training.devices import devices
from backprove.training.group import TRAIN_MEASURED, Group
from backprove.training.histogram import BINS, HISTOGRAM, bin_edges
from backprove.training.optimisers import OPTIMISERS, Optimiser
from backprove.training.probe import LAYER_MEASURES
from backprove.training.program import Model, Program
from backprove.training.records import MEASURES, Past, Records, record
from backprove.training.schedules import SCHEDULES, Schedule, multipliers
from backprove.training.state import Learned, State
from backprove.training.weights import save_weights, weights

__all__ = [
    "BINS",
    "HISTOGRAM",
    "LAYER_MEASURES",
    "MEASURES",
    "OPTIMISERS",
    "SCHEDULES",
    "TRAIN_MEASURED",
    "Group",
    "Learned",
    "Model",
    "Optimiser",
    "Past",
    "Program",
    "Records",
    "Schedule",
    "State",
    "bin_edges",
    "devices",
    "multipliers",
    "record",
    "save_weights",
    "weights",
]
