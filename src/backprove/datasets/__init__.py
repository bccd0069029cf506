"""Data sets: the built-in ones by name, as plain numbers with a split.

>>> from backprove.datasets import load
>>> load("reviews").features.shape
(10605, 50)
"""

from __future__ import annotations

from backprove.datasets.builtin import BUILTIN, load
from backprove.datasets.dataset import Baseline, Dataset, Split

__all__ = ["BUILTIN", "Baseline", "Dataset", "Split", "load"]
