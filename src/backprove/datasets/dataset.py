"""What a data set is: features, labels, perhaps ratings, and which example is used for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backprove.errors import DataError

Floats = NDArray[np.float32]
Ints = NDArray[Any]

_SPLIT_STREAM = 1  # keeps the draws of splits apart from those of weights and of data order


class Split(NamedTuple):
    """Row numbers of the examples for training, for development and for the final test."""

    train: Ints
    dev: Ints
    test: Ints


class Baseline(NamedTuple):
    """What can be reached without looking at the features.

    Args:
        loss: cross-entropy of the class shares of train, on the judged examples, in nats.
        accuracy: share of the judged examples in the class that is the largest in train.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with labels and a fixed split.

    Args:
        name: how the data set is called in results.
        features: (n, d) float32.
        labels: (n,) class numbers 0, 1, ...
        train, dev, test: row numbers of the examples of each part.
        ratings: (n,) float32, a number to predict instead of the class, if there is one.
        source: where the data comes from, one sentence.
        class_names: what each class is called, if it has a name.
        notes: what was done to read the data, such as numbering labels.

    Raises:
        DataError: wrong shapes, a value that is not finite, a single class, an empty or
            overlapping part.

    >>> x = np.eye(4, dtype=np.float32)
    >>> data = Dataset("toy", x, np.array([0, 1, 0, 1]), *map(np.array, ([0, 1], [2], [3])))
    >>> data.classes, data.width, len(data)
    (2, 4, 4)
    """

    name: str
    features: Floats
    labels: Ints
    train: Ints
    dev: Ints
    test: Ints
    ratings: Floats | None = None
    source: str = ""
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_values()
        self._check_parts()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """The number of features."""
        return self.features.shape[1]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.labels.max()) + 1

    def split(self, seed: int | None = None) -> Split:
        """The fixed split, or one in which train and dev are drawn anew.

        The test examples are the same whatever the seed: they are never trained on.

        Args:
            seed: ``None`` for the fixed split.

        Returns:
            Row numbers, in parts of the sizes of the fixed split.

        >>> x, parts = np.eye(6, dtype=np.float32), ([0, 1, 2], [3, 4], [5])
        >>> data = Dataset("toy", x, np.array([0, 1] * 3), *map(np.array, parts))
        >>> [len(part) for part in data.split(seed=3)], data.split(seed=3).test.tolist()
        ([3, 2, 1], [5])
        """
        if seed is None:
            return Split(self.train, self.dev, self.test)
        stream = np.random.Generator(np.random.PCG64([_SPLIT_STREAM, seed]))
        pool = stream.permutation(np.sort(np.concatenate([self.train, self.dev])))
        return Split(np.sort(pool[len(self.dev) :]), np.sort(pool[: len(self.dev)]), self.test)

    def baseline(self, train: Ints, judged: Ints) -> Baseline:
        """Loss and accuracy of the best constant prediction that train supports.

        Args:
            train: row numbers that give the class shares.
            judged: row numbers on which loss and accuracy are taken.

        Returns:
            The baseline; its loss is infinite where a judged class never occurs in train.
        """
        shares = np.bincount(self.labels[train], minlength=self.classes) / len(train)
        wanted = np.bincount(self.labels[judged], minlength=self.classes) / len(judged)
        present = wanted > 0
        with np.errstate(divide="ignore"):
            loss = -(wanted[present] * np.log(shares[present])).sum()
        return Baseline(float(loss), float(wanted[shares.argmax()]))

    def rating_baseline(self, train: Ints, judged: Ints, *, absolute: bool = False) -> Baseline:
        """Loss and R² of the best constant rating that train supports.

        Args:
            train: row numbers that give the constant: its mean, or its median.
            judged: row numbers on which loss and R² are taken.
            absolute: whether the loss is the absolute error instead of the squared one.

        Returns:
            The baseline, with R² as its accuracy.

        Raises:
            DataError: there are no ratings.
        """
        if self.ratings is None:
            raise DataError(f"{self.name} has no ratings.")
        known, wanted = (self.ratings[rows].astype(np.float64) for rows in (train, judged))
        constant = np.median(known) if absolute else known.mean()
        squared = float(((wanted - constant) ** 2).mean())
        loss = float(np.abs(wanted - constant).mean()) if absolute else squared
        return Baseline(loss, 1 - squared / float(wanted.var()))

    def _check_values(self) -> None:
        shape = np.shape(self.features)
        if len(shape) != 2 or 0 in shape:
            raise DataError(
                f"{self.name}: features have shape {shape}; expected (examples, features), "
                "neither of them 0."
            )
        if self.features.dtype != np.float32:
            raise DataError(f"{self.name}: features are {self.features.dtype}; expected float32.")
        rows, columns = np.nonzero(~np.isfinite(self.features))
        if len(rows):
            value = self.features[rows[0], columns[0]]
            raise DataError(
                f"{self.name}: {len(rows)} feature values are not finite, the first is {value} "
                f"in row {rows[0]}, column {columns[0]}.",
                hint="Remove these rows or fill the values in.",
            )
        if self.labels.shape != shape[:1] or self.labels.dtype.kind not in "iu":
            raise DataError(
                f"{self.name}: labels have shape {self.labels.shape} and type "
                f"{self.labels.dtype}; expected {shape[:1]} whole class numbers 0, 1, ..."
            )
        if self.labels.min() < 0:
            raise DataError(
                f"{self.name}: the label {self.labels.min()} occurs; class numbers start at 0.",
                hint="Examples without a label cannot be used: drop them.",
            )
        if self.ratings is not None and (
            self.ratings.shape != shape[:1] or not np.isfinite(self.ratings).all()
        ):
            raise DataError(f"{self.name}: expected one finite rating for each example.")

    def _check_parts(self) -> None:
        for part in ("train", "dev", "test"):
            rows = getattr(self, part)
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(rows) == 0:
                raise DataError(
                    f"{self.name}: the part '{part}' has shape {rows.shape} and type "
                    f"{rows.dtype}; expected a list of at least one row number."
                )
            if rows.min() < 0 or rows.max() >= len(self):
                raise DataError(
                    f"{self.name}: the part '{part}' names rows from {rows.min()} to "
                    f"{rows.max()}; the data set has rows 0 to {len(self) - 1}."
                )
        rows, counts = np.unique(
            np.concatenate([self.train, self.dev, self.test]), return_counts=True
        )
        if counts.max() > 1:
            raise DataError(
                f"{self.name}: row {rows[counts.argmax()]} is used {counts.max()} times; train, "
                "dev and test must not share an example."
            )
        if len(np.unique(self.labels[self.train])) < 2:
            raise DataError(
                f"{self.name}: all training examples have the label {self.labels[self.train[0]]}; "
                "at least two classes are needed."
            )
