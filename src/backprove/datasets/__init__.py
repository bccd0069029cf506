"""Data sets: the built-in ones by name, and what users have, as plain numbers with a split.

>>> from backprove.datasets import load
>>> load("reviews").features.shape
(10605, 50)
"""

from __future__ import annotations

from backprove.datasets.builtin import BUILTIN, load
from backprove.datasets.dataset import Baseline, Dataset, Split
from backprove.datasets.review import Review, review
from backprove.datasets.sources import open_data

__all__ = [
    "BUILTIN",
    "Baseline",
    "Dataset",
    "Review",
    "Split",
    "load",
    "open_data",
    "review",
]
