"""Reading an expression in either script: numpy-like text, or LaTeX (which has a backslash)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from backprove.errors import InputError
from backprove.notation.expressions import Array
from backprove.notation.latex_reader import latex_to_text
from backprove.notation.lowering import lower
from backprove.notation.operations import Program

T = TypeVar("T")


def is_latex(text: str) -> bool:
    """True if the text is LaTeX: it holds a backslash or a dollar sign.

    >>> is_latex(r"X W^\\top"), is_latex("X @ W.T")
    (True, False)
    """
    return "\\" in text or "$" in text


def read_expression(text: str, symbols: Mapping[str, Array]) -> Program:
    """The program of an expression in either script.

    Raises:
        NotationError, UnknownName, ShapeError, Unsupported: with the position in ``text``.

    >>> from backprove.notation.shapes import declare
    >>> read_expression(r"X W^\\top", declare({"X": "n d", "W": "k d"})).output.shape
    (n, k)
    """
    if not is_latex(text):
        return lower(text, symbols)
    return through_latex(text, symbols, lambda plain: lower(plain, symbols))


def through_latex(text: str, symbols: Mapping[str, Array], read: Callable[[str], T]) -> T:
    """What ``read`` makes of the plain text of a LaTeX formula; errors point into the LaTeX."""
    latex = latex_to_text(text, symbols)
    try:
        return read(latex.text)
    except InputError as error:
        latex.relocate(error)
        raise
