"""What is worth knowing about a data set before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.datasets.dataset import Dataset
from backprove.results import Block, Evidence, Heading, Result, Table, Text

_WIDE = 100.0  # features whose spreads differ by more than this make one step size fit few of them
_FEW = 5  # training examples of a class on average


@dataclass(eq=False)
class Review(Result):
    """Class balance, repeated examples and features that tell nothing.

    Args:
        data: name of the data set.
        balance: for each part the number of examples of each class.
        class_names: what each class is called.
        across: examples of dev and of test whose features also occur in train, by part.
        constant: features that are the same in all training examples, by number.
        scales: smallest and largest standard deviation of the other features.
        notes: what was done to read the data.
    """

    data: str
    balance: dict[str, list[int]]
    class_names: tuple[str, ...]
    across: dict[str, int]
    constant: tuple[int, ...]
    scales: tuple[float, float]
    notes: tuple[str, ...]

    @property
    def warnings(self) -> list[str]:
        """What can spoil conclusions, in sentences."""
        found = [
            f"{count} {part} examples have the same features as a training example: the "
            f"{part} accuracy can be too high."
            for part, count in self.across.items()
            if count
        ]
        if self.constant:
            shown = ", ".join(map(str, self.constant[:10]))
            more = "" if len(self.constant) <= 10 else f" and {len(self.constant) - 10} more"
            found.append(f"The features {shown}{more} are constant in train: they tell nothing.")
        low, high = self.scales
        if high > _WIDE * low > 0:
            found.append(
                f"The standard deviations of the features reach from {low:.3g} to {high:.3g}; "
                "features are used as they are, and one step size will not suit all of them."
            )
        train = self.balance["train"]
        if max(train) > 0.9 * sum(train):
            found.append(
                f"{max(train) / sum(train):.0%} of the training examples have one class: an "
                "accuracy must be read beside that of the constant prediction."
            )
        if len(train) > 2 and sum(train) < _FEW * len(train):
            found.append(
                f"{sum(train)} training examples have {len(train)} classes: too few of each to "
                "learn from. Is the column of labels one that numbers the examples?"
            )
        for part in ("dev", "test"):
            unseen = sum(
                count for seen, count in zip(train, self.balance[part], strict=True) if not seen
            )
            if unseen:
                found.append(
                    f"{unseen} {part} examples have a class that no training example has: they "
                    "cannot be told."
                )
        return found

    def blocks(self) -> list[Block]:
        names = self.class_names or tuple(map(str, range(len(self.balance["train"]))))
        rows = [
            (part, sum(counts), *counts[:_MOST_COLUMNS]) for part, counts in self.balance.items()
        ]
        columns = ("part", "examples", *(f"class {name}" for name in names[:_MOST_COLUMNS]))
        return [
            Heading(f"Data {self.data}"),
            *(Text(f"{note[0].upper()}{note[1:]}.") for note in self.notes),
            *map(Text, self.warnings),
            Table(columns, rows, caption="Number of examples in each part and class."),
            Evidence("measured", "No value is missing: what lacks values is not trained on."),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "data",
            "data": self.data,
            "balance": self.balance,
            "class_names": list(self.class_names),
            "duplicates_across_parts": self.across,
            "constant_features": list(self.constant),
            "missing": 0,
            "notes": list(self.notes),
            "warnings": self.warnings,
        }


_MOST_COLUMNS = 10


def review(data: Dataset) -> Review:
    """Look at a data set before training.

    Args:
        data: the data set.

    Returns:
        What was found.

    >>> from backprove.datasets import load
    >>> found = review(load("reviews"))
    >>> found.balance["train"], found.constant
    ([4344, 4261], ())
    """
    train = data.features[data.train]
    seen = {(row + 0.0).tobytes() for row in train}
    # A repeated sentence has the same features to the last bit; −0 and 0 are the same number.
    across = {
        part: sum((row + 0.0).tobytes() in seen for row in data.features[getattr(data, part)])
        for part in ("dev", "test")
    }
    spreads = train.std(axis=0, dtype=np.float64)
    constant = np.flatnonzero(np.ptp(train, axis=0) == 0)
    varied = np.delete(spreads, constant)
    return Review(
        data=data.name,
        balance={
            part: np.bincount(data.labels[getattr(data, part)], minlength=data.classes).tolist()
            for part in ("train", "dev", "test")
        },
        class_names=data.class_names,
        across=across,
        constant=tuple(int(at) for at in constant),
        scales=(float(varied.min()), float(varied.max())) if len(varied) else (0.0, 0.0),
        notes=data.notes,
    )
