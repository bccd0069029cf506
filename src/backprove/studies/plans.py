"""What is to be trained, before anything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backprove.datasets import Dataset
from backprove.studies.factors import Configuration


@dataclass(frozen=True)
class Wanted:
    """One study to train.

    Args:
        configurations: its declared configurations.
        extend: whether learning rates are added until the curves turn.
        judge: whether each arm is judged on test at the learning rate that dev chose.
        title: what it is about; empty if it stands alone.
        name: what claims call it.
    """

    configurations: Sequence[Configuration]
    extend: bool = False
    judge: bool = False
    title: str = ""
    name: str = ""


@dataclass(frozen=True)
class Frame:
    """What all studies of one question share.

    Args:
        data: the data set.
        seeds: the seeds of the first look.
        split: ``seeded`` or ``fixed``.
        region: points of accuracy.
        looks: at how many seeds verdicts are read; empty if once.
    """

    data: Dataset
    seeds: tuple[int, ...]
    split: str
    region: float
    looks: tuple[int, ...]
