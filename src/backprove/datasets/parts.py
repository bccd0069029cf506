"""Drawing the parts of a data set that comes without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backprove.datasets.dataset import Split
from backprove.errors import DataError

_PARTS_STREAM = 5  # other streams: splits of a seed (1), weights (2), data order (3), bootstrap (4)
_DEV = 0.2  # of what is not test: 5,000 of the 25,000 training reviews of aclImdb
_TEST = 0.2
_MOST_TEST = 10_000


def divide(labels: NDArray[np.int32], train: int | None = None) -> Split:
    """Train, dev and test drawn by a fixed seed, each with the same share of each class.

    A fifth is for test, at most 10,000, and a fifth of the rest for dev. Where a test part is
    given, test is drawn from it: all of it, at most 10,000.

    Args:
        labels: (n,) class numbers.
        train: how many examples, from the first on, are not for test; None if any can be.

    Returns:
        Row numbers, ascending.

    Raises:
        DataError: too few examples.

    >>> [len(rows) for rows in divide(np.array([0, 1] * 50))]
    [64, 16, 20]
    >>> [len(rows) for rows in divide(np.array([0, 1] * 25_000), train=25_000)]
    [20000, 5000, 10000]
    """
    rows = np.arange(len(labels))
    if train is None:
        test = _drawn(rows, labels, min(_MOST_TEST, round(_TEST * len(rows))))
        pool = np.setdiff1d(rows, test)
    else:
        pool = rows[:train]
        test = _drawn(rows[train:], labels, min(_MOST_TEST, len(rows) - train))
    dev = _drawn(pool, labels, round(_DEV * len(pool)))
    split = Split(np.setdiff1d(pool, dev), dev, test)
    if min(map(len, split)) == 0:
        raise DataError(
            f"{len(labels)} examples are too few for train, dev and test.",
            hint="Give more examples, or a column split that says train, dev or test for each.",
        )
    return split


def _drawn(rows: NDArray, labels: NDArray, wanted: int) -> NDArray:
    """Rows drawn class by class in proportion; remainders go to the largest fractions."""
    if wanted >= len(rows):
        return rows
    stream = np.random.Generator(np.random.PCG64([_PARTS_STREAM, len(rows), wanted]))
    classes = np.unique(labels[rows])
    exact = np.array([wanted * (labels[rows] == c).mean() for c in classes])
    counts = np.floor(exact).astype(int)
    for at in np.argsort(counts - exact, kind="stable")[: wanted - counts.sum()]:
        counts[at] += 1
    chosen = [
        stream.permutation(rows[labels[rows] == c])[:count]
        for c, count in zip(classes, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
