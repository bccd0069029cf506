"""The data sets that come with the package."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np

from backprove.datasets.dataset import Dataset
from backprove.errors import DataError


@dataclass(frozen=True)
class Builtin:
    """A shipped file of numbers and the digest that it must have."""

    file: str
    datasheet: str
    sha256: str
    source: str


BUILTIN: Mapping[str, Builtin] = MappingProxyType(
    {
        "reviews": Builtin(
            file="reviews.npz",
            datasheet="reviews.md",
            sha256="8ca3c177769a9d7c50c582a9dd6c57c2cb2eaa01ecf414482b041de76d2333e2",
            source="10,605 sentences of movie reviews with mean human ratings (Hutto and Gilbert, "
            "ICWSM 2014), each as the mean of its GloVe 6B 50-dimensional word vectors "
            "(Pennington, Socher, Manning, EMNLP 2014).",
        )
    }
)
"""The built-in data sets by name."""


@cache
def load(name: str) -> Dataset:
    """A built-in data set; its file is checked against its digest first.

    Args:
        name: a key of :data:`BUILTIN`.

    Returns:
        The data set, with read-only arrays; loaded once a process.

    Raises:
        DataError: no such data set, or its file is missing or damaged.

    >>> data = load("reviews")
    >>> len(data.train), len(data.dev), len(data.test)
    (8605, 1000, 1000)
    """
    if name not in BUILTIN:
        raise DataError(
            f"There is no built-in data set '{name}'.", hint=f"Built in: {', '.join(BUILTIN)}."
        )
    entry = BUILTIN[name]
    path = resources.files("backprove.datasets").joinpath(entry.file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The file {entry.file} cannot be read.", hint=_REINSTALL) from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise DataError(f"The file {entry.file} is damaged: wrong SHA-256.", hint=_REINSTALL)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        part = arrays["split"]
        fields = {
            "features": arrays["features"].astype(np.float32),
            "labels": arrays["labels"].astype(np.int32),
            "ratings": arrays["ratings"],
            **{key: np.flatnonzero(part == i) for i, key in enumerate(("train", "dev", "test"))},
        }
    for array in fields.values():
        array.setflags(write=False)
    return Dataset(name=name, source=entry.source, **fields)


_REINSTALL = "Install backprove again."
