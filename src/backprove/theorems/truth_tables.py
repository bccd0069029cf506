"""Points and targets by name, by number, or from a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

from backprove.errors import DataError, InputError, Span

MAX_INPUTS = 6
_GATES: dict[str, Callable[[Sequence[int]], bool]] = {
    "xor": lambda bits: sum(bits) % 2 == 1,
    "parity": lambda bits: sum(bits) % 2 == 1,
    "xnor": lambda bits: sum(bits) % 2 == 0,
    "and": all,
    "or": any,
    "nand": lambda bits: not all(bits),
    "nor": lambda bits: not any(bits),
    "majority": lambda bits: 2 * sum(bits) > len(bits),
    "implies": lambda bits: not bits[0] or bool(bits[-1]),
}
Points = list[list[Fraction]]


def read_problem(text: str) -> tuple[Points, list[Fraction]]:
    """The points and targets that a text names.

    Args:
        text: ``xor``, ``and3``, ``parity4``, ``majority3`` (two inputs without a number);
            ``0b0110``, the values for 00, 01, 10, 11 from left to right; ``6/2``, the same as a
            number and the count of inputs; or the path of a CSV file whose last column is the
            target.

    Returns:
        The points (n, inputs), in the order 00, 01, 10, ... for tables, and the n targets.

    Raises:
        InputError: the text names no table and no file.
        DataError: the file cannot be read, or an entry is no finite number.

    >>> [int(target) for target in read_problem("6/2")[1]]
    [0, 1, 1, 0]
    """
    word = text.strip().lower()
    named = re.fullmatch(r"([a-z]+?)([0-9]{0,2})", word)
    if named and named[1] in _GATES:
        inputs = int(named[2] or 2)
        return _table(text, inputs, [_GATES[named[1]](bits) for bits in _cube(text, inputs)])
    bits = re.fullmatch(r"0b([01]{2,64})", word)
    if bits:
        inputs = len(bits[1]).bit_length() - 1
        return _table(text, inputs, [bit == "1" for bit in bits[1]])
    number = re.fullmatch(r"([0-9]{1,20})/([0-9]{1,2})", word)
    if number:
        inputs = int(number[2])
        rows = len(_cube(text, inputs))
        if int(number[1]) >= 2**rows:
            raise _unread(text, f"a table of {inputs} inputs is a number below 2^{rows}")
        return _table(text, inputs, [bit == "1" for bit in f"{int(number[1]):0{rows}b}"])
    if word.endswith(".csv") or Path(text).is_file():
        return _from_csv(Path(text))
    raise _unread(text, "expected a truth table (xor, and3, parity3, 0b0110, 6/2) or a CSV file")


def _cube(text: str, inputs: int) -> list[tuple[int, ...]]:
    if not 1 <= inputs <= MAX_INPUTS:
        raise _unread(text, f"a truth table has 1 to {MAX_INPUTS} inputs")
    return list(product((0, 1), repeat=inputs))


def _table(text: str, inputs: int, values: list[bool]) -> tuple[Points, list[Fraction]]:
    cube = _cube(text, inputs)
    if len(values) != len(cube):
        raise _unread(text, "a table has 2, 4, 8, ... entries")
    return [[Fraction(bit) for bit in bits] for bits in cube], [Fraction(v) for v in values]


def _unread(text: str, why: str) -> InputError:
    return InputError(f"'{text[:40]}' cannot be read: {why}.", text=text, span=Span(0, len(text)))


def _from_csv(path: Path) -> tuple[Points, list[Fraction]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}.") from None
    if rows and all(_is_name(entry) for entry in rows[0]):
        rows = rows[1:]
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{path} has no points; expected columns of inputs and one of targets.")
    points: Points = []
    targets: list[Fraction] = []
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]) or not all(_is_number(entry) for entry in row):
            raise DataError(
                f"{path}: data row {number} is {', '.join(row)[:60]}; expected "
                f"{len(rows[0])} finite numbers."
            )
        *point, target = (Fraction(entry.strip()) for entry in row)
        points.append(point)
        targets.append(target)
    return points, targets


def _is_number(text: str) -> bool:
    decimal = r"([0-9]{1,30}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][-+]?[0-9]{1,2})?"
    return (
        re.fullmatch(rf"\s*[-+]?({decimal}|[0-9]{{1,30}}/[1-9][0-9]{{0,29}})\s*", text) is not None
    )


def _is_name(text: str) -> bool:
    """Whether an entry can name a column: what is empty, NaN, infinite or a number cannot."""
    try:
        float(text)
    except ValueError:
        return bool(text.strip()) and not _is_number(text)
    return False
