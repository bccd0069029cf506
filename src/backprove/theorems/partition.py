"""The coarsest equitable partition of the units of a dense network, on exact values.

Units of a layer belong to one class if their biases are equal and, for every class of the layer
before and after, the sums of their weights from and to that class are equal. Refinement starts
from all units of a layer and splits until nothing splits: linear in the number of weights for each
round, never a comparison of all pairs.

Sums are compared exactly. A sum of floats is compared first through its residues by two primes,
which cannot tell equal sums apart; what they leave together is then confirmed with rationals.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from backprove.theorems.dense import DenseNetwork

Classes = tuple[NDArray[np.int64], ...]
"""For each hidden layer the class of each unit, numbered from 0 in the order of first units."""

_PRIMES = (2_147_483_647, 2_147_483_629)
_CHUNK = 1 << 22  # weights that are looked at together: bounds memory


def equitable_partition(network: DenseNetwork) -> Classes:
    """The classes of units that stay equal.

    Args:
        network: the initial values; inputs and outputs are told apart from each other.

    Returns:
        The classes of each hidden layer.

    Source: coarsest equitable partitions by refinement: Cardon and Crochemore, Theoretical
    Computer Science 19 (1982); sums over classes instead of single weights as in the lumping of
    Markov chains, Kemeny and Snell, Finite Markov Chains (1960), theorem 6.3.2.

    >>> from backprove.theorems.dense import start
    >>> [c.tolist() for c in equitable_partition(start("tanh(3)+linear(1)", 2, "constant:0.5"))]
    [[0, 0, 0]]
    """
    weights = [layer.weights for layer in network.layers]
    sizes = [network.inputs, *network.widths]
    classes = [np.arange(sizes[0]), *(np.zeros(n, np.int64) for n in sizes[1:-1])]
    classes.append(np.arange(sizes[-1]))
    for at, layer in enumerate(network.layers[:-1], 1):
        classes[at] = _numbered(layer.biases[:, None])
    pending = set(range(1, len(sizes) - 1))
    while pending:
        at = min(pending)
        pending.discard(at)
        if classes[at].max(initial=0) + 1 == sizes[at]:
            continue
        split = _split(classes, weights, at)
        if split.max(initial=0) > classes[at].max(initial=0):
            classes[at] = split
            # Sums over this layer's classes have changed for its neighbours; its own classes
            # were split by what is already known of both.
            pending |= {n for n in (at - 1, at + 1) if 1 <= n < len(sizes) - 1}
    return tuple(classes[1:-1])


def _split(
    classes: Sequence[NDArray[np.int64]], weights: Sequence[NDArray[np.float64]], at: int
) -> NDArray[np.int64]:
    """The classes of a layer, split by the sums from the layer before and to the one after."""
    own = classes[at]
    incoming = _split_by_sums(own, weights[at - 1].T, classes[at - 1])
    return _split_by_sums(incoming, weights[at], classes[at + 1])


def _split_by_sums(
    own: NDArray[np.int64], rows: NDArray[np.float64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Classes of rows, split where the sums of a row over the classes of its columns differ."""
    counts = np.bincount(own)
    if counts.max(initial=1) <= 1:
        return own
    doubtful, guess = _settled(own, rows)
    order = np.argsort(others, kind="stable")
    edges = np.flatnonzero(np.diff(others[order], prepend=-1))
    keys = np.empty((len(doubtful), 1 + 2 * len(edges)), np.int64)
    keys[:, 0] = own[doubtful]
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    for begin in range(0, len(doubtful), step):
        part = rows[doubtful[begin : begin + step]][:, order]
        for number, prime in enumerate(_PRIMES):
            sums = np.add.reduceat(_residues(part, prime), edges, axis=1) % prime
            keys[begin : begin + step, 1 + number * len(edges) : 1 + (number + 1) * len(edges)] = (
                sums
            )
    # Rows that equal the first of their class take whatever class that row gets.
    found = np.full(len(own), -1, np.int64)
    found[doubtful] = _numbered(keys)
    found = _confirmed(found, doubtful, rows, others)
    lonely = np.flatnonzero((found < 0) & (guess < 0))
    found[lonely] = found.max(initial=-1) + 1 + np.arange(len(lonely))
    found = np.where(guess >= 0, found[guess], found)
    return _numbered(found[:, None])


def _settled(
    own: NDArray[np.int64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What can be told without exact sums.

    Returns:
        The rows that are still in doubt, and for each row the first row of its class if it is the
        same entry by entry, else -1. A row that is neither is alone: the float sum of its entries
        is further from that of any other of its class than rounding can explain.
    """
    same = np.full(len(own), -1, np.int64)
    doubtful = []
    order = np.argsort(own, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(own[order])) + 1):
        if len(members) < 2:
            continue
        different = _unlike_first(rows, members)
        equal = np.setdiff1d(members[1:], different)
        same[equal] = members[0]
        rest = np.append(members[0], different)
        totals = np.array([np.add.reduce(rows[row]) for row in rest])
        slack = np.array([np.add.reduce(np.abs(rows[row])) for row in rest])
        slack = slack * rows.shape[1] * np.finfo(np.float64).eps
        by_total = np.argsort(totals, kind="stable")
        gaps = np.diff(totals[by_total]) > slack[by_total][1:] + slack[by_total][:-1] + 2 * max(
            slack
        )
        alone = np.append(gaps, True) & np.insert(gaps, 0, True)
        if not len(equal):
            doubtful.append(rest[by_total][~alone])
        else:
            doubtful.append(np.union1d(rest[by_total][~alone], members[:1]))
    return np.concatenate([*doubtful, np.empty(0, np.int64)]).astype(np.int64), same


def _residues(values: NDArray[np.float64], prime: int) -> NDArray[np.int64]:
    """Floats as residues: a float is an integer times a power of two, and 2 is a unit."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64) % prime
    shifts = exponent.astype(np.int64) - 53
    low = int(shifts.min(initial=0))
    powers = np.array([pow(2, e, prime) for e in range(low, int(shifts.max(initial=0)) + 1)])
    return (whole * powers[shifts - low]) % prime


def _confirmed(
    guess: NDArray[np.int64],
    doubtful: NDArray[np.int64],
    rows: NDArray[np.float64],
    others: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Classes whose sums are equal as rationals: what only looked equal is split."""
    found = guess.copy()
    fresh = int(guess.max(initial=-1)) + 1
    order = doubtful[np.argsort(guess[doubtful], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(guess[order])) + 1):
        if len(members) < 2:
            continue
        exact: dict[tuple[Fraction, ...], int] = {}
        for row in members:
            sums = exact_sums(rows[row], others)
            if sums not in exact:
                exact[sums], fresh = (int(guess[row]), fresh) if not exact else (fresh, fresh + 1)
            found[row] = exact[sums]
    return found


def _unlike_first(rows: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """The members whose row is not the same, entry by entry, as that of the first."""
    first = rows[members[0]]
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    parts = [members[begin : begin + step] for begin in range(0, len(members), step)]
    return np.concatenate([part[~(rows[part] == first).all(axis=1)] for part in parts])


def exact_sums(row: NDArray[np.float64], classes: NDArray[np.int64]) -> tuple[Fraction, ...]:
    """The sums of a row over the classes of its columns, as rationals.

    >>> exact_sums(np.array([0.5, 0.25, 1.0]), np.array([0, 0, 1]))
    (Fraction(3, 4), Fraction(1, 1))
    """
    sums = []
    for number in range(int(classes.max(initial=-1)) + 1):
        values, counts = np.unique(row[classes == number], return_counts=True)
        sums.append(
            sum((Fraction(v) * int(n) for v, n in zip(values, counts, strict=True)), Fraction(0))
        )
    return tuple(sums)


def _numbered(keys: NDArray) -> NDArray[np.int64]:
    """Rows of keys as numbers, equal for equal rows, in the order in which they first occur."""
    flat = np.ascontiguousarray(keys + 0)  # -0.0 becomes 0.0
    rows = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
