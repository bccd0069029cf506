"""Counts that are known, by the exact search, with every certificate re-checked.

    python benchmarks/theorems.py [--quick]

Threshold functions of n inputs: 4, 14, 104, 1,882 and 94,572 for n = 1 to 5 (OEIS A000609). One
function of each class under exchanging and negating inputs and negating the output is decided;
the sizes of the classes add up to the count. Then the smallest hidden layer of ReLU units with a
linear output for all functions of two and three inputs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product

from backprove.theorems import check_certificate, represent

KNOWN = {1: 4, 2: 14, 3: 104, 4: 1882, 5: 94_572}


def images(inputs: int) -> list[tuple[int, ...]]:
    """For each exchange and negation of inputs, where the rows of a truth table go."""
    rows = list(product((0, 1), repeat=inputs))
    number = {row: at for at, row in enumerate(rows)}
    return [
        tuple(number[tuple(row[p] ^ flip[k] for k, p in enumerate(order))] for row in rows)
        for order in permutations(range(inputs))
        for flip in product((0, 1), repeat=inputs)
    ]


def canonical_threshold(inputs: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """One table of each class that may be a threshold function, and the size of the class.

    A threshold function is unate: after negating inputs it is monotone, so monotone tables are
    enough; they are built up from those of one input less.
    """
    moves = images(inputs)
    seen: set[tuple[int, ...]] = set()
    for table in monotone(inputs):
        if table in seen:
            continue
        orbit = {tuple(table[m] for m in move) for move in moves}
        orbit |= {tuple(1 - v for v in each) for each in orbit}
        seen |= orbit
        yield table, len(orbit)


def monotone(inputs: int) -> list[tuple[int, ...]]:
    """The tables of all functions that never fall when an input rises."""
    if inputs == 0:
        return [(0,), (1,)]
    smaller = monotone(inputs - 1)
    return [
        low + high
        for low in smaller
        for high in smaller
        if all(a <= b for a, b in zip(low, high, strict=True))
    ]


def count_threshold(inputs: int) -> tuple[int, int]:
    """Threshold functions of some inputs, and the classes that were decided."""
    points = [list(row) for row in product((0, 1), repeat=inputs)]
    total = classes = 0
    for table, size in canonical_threshold(inputs):
        classes += 1
        found = represent(points, list(table), "threshold(1)", by="exact")
        if found.possible is None or not check_certificate(found.certificate).valid:
            raise SystemExit(f"{table} was not decided: {found.known}")
        total += size * found.possible
    return total, classes


def relu_widths(inputs: int) -> tuple[Counter[int], int]:
    """How many functions need how many ReLU units, and the classes that were decided."""
    points = [list(row) for row in product((0, 1), repeat=inputs)]
    moves = images(inputs)
    widths: Counter[int] = Counter()
    classes = 0
    seen: set[tuple[int, ...]] = set()
    for table in product((0, 1), repeat=2**inputs):
        if table in seen:
            continue
        orbit = {tuple(table[m] for m in move) for move in moves}
        orbit |= {tuple(1 - v for v in each) for each in orbit}
        seen |= orbit
        classes += 1
        affine = represent(points, list(table), "linear(1)")
        if affine.possible:
            widths[0] += len(orbit)
            continue
        found = represent(points, list(table), "relu(1)+linear(1)", width="minimal")
        answers = [*found.narrower, found]
        if found.possible is None or not all(check_certificate(a.certificate) for a in answers):
            widths[-1] += len(orbit)
            continue
        widths[found.problem["network"]["hidden"][1]] += len(orbit)
    return widths, classes


def main() -> int:
    """Print the counts; 1 if one is not as known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out five inputs")
    quick = parser.parse_args().quick
    wrong = False
    print("threshold functions\ninputs     found     known  classes  seconds")
    for inputs, known in KNOWN.items():
        if quick and inputs == 5:
            continue
        begin = time.perf_counter()
        found, classes = count_threshold(inputs)
        wrong |= found != known
        seconds = time.perf_counter() - begin
        print(f"{inputs:6} {found:9,} {known:9,} {classes:8} {seconds:8.1f}", flush=True)
    print("\nReLU units that a function needs (linear output; -1: not decided in the budget)")
    for inputs in (2, 3):
        begin = time.perf_counter()
        widths, classes = relu_widths(inputs)
        said = ", ".join(f"{units}: {n}" for units, n in sorted(widths.items()))
        seconds = time.perf_counter() - begin
        print(f"{inputs} inputs, {classes} classes, {seconds:.1f} s: {said}", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
