"""Numbers as people read them: six significant digits, aligned at the decimal point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from backprove.results import Cell

Value = str | int | float | Cell

FIGURE_SPACE = "\N{FIGURE SPACE}"
PUNCTUATION_SPACE = "\N{PUNCTUATION SPACE}"


def is_number(value: object) -> bool:
    """Whether a table cell holds a number (a truth value is not one).

    >>> is_number(1.5), is_number(True), is_number("2")
    (True, False, False)
    """
    return isinstance(value, Real) and not _is_truth_value(value)


def _is_truth_value(value: object) -> bool:
    return type(value).__name__ in ("bool", "bool_")  # NumPy's, without importing NumPy


def format_number(value: object) -> str:
    """A number with six significant digits; integers in full, truth values as yes or no.

    >>> format_number(40.171073846), format_number(3), format_number(3e-10), format_number(True)
    ('40.1711', '3', '3e-10', 'yes')
    >>> format_number(float("nan")), format_number(float("-inf"))
    ('NaN', '-∞')
    """
    if _is_truth_value(value):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return str(int(value))
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    mantissa, _, exponent = f"{number:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def format_value(value: Value) -> str:
    """The plain text of a table cell of any kind.

    >>> format_value(Cell("X.T", r"X^\\top")), format_value(0.5), format_value("h1")
    ('X.T', '0.5', 'h1')
    """
    if isinstance(value, Cell):
        return value.text
    return value if isinstance(value, str) else format_number(value)


def align_decimals(texts: Sequence[str], *, digit: str = " ", point: str = " ") -> list[str]:
    """Pad formatted numbers on the right, so that right-aligned ones meet at the point.

    Args:
        texts: formatted numbers.
        digit: the padding as wide as a digit.
        point: the padding as wide as a decimal point.

    >>> align_decimals(["40.171", "1", "20.0855"])
    ['40.171 ', '1     ', '20.0855']
    """
    tails = [len(text) - text.find(".") - 1 if "." in text else -1 for text in texts]
    longest = max(tails, default=-1)
    # Beside an exponent, or behind a long tail, padding would only spread the numbers.
    if longest < 0 or longest > 8 or any("e" in text for text in texts):
        return list(texts)
    return [
        text + (point if tail < 0 else "") + digit * (longest - max(tail, 0))
        for text, tail in zip(texts, tails, strict=True)
    ]
