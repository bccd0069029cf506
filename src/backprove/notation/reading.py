"""Reading an expression in either script: numpy-like text, or LaTeX (which has a backslash)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from backprove.errors import InputError, NotationError
from backprove.notation.claims import classify_claim
from backprove.notation.constant_domain import refuse_impossible_constants
from backprove.notation.expressions import Array
from backprove.notation.index_reader import read_index_formula
from backprove.notation.index_text import printer_for
from backprove.notation.latex_reader import latex_to_text
from backprove.notation.lowering import lower
from backprove.notation.operations import Builder, Program
from backprove.notation.syntax import deep_recursion
from backprove.notation.traversal import arrays_in

T = TypeVar("T")


def is_latex(text: str) -> bool:
    """True if the text is LaTeX: it has a backslash, a dollar sign, or a script in braces.

    >>> is_latex(r"X W^\\top"), is_latex("X^{-1}"), is_latex("X @ W.T")
    (True, True, False)
    """
    return "\\" in text or "$" in text or "^{" in text or ("_{" in text and "Σ" not in text)


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
    return read_latex(text, symbols)


def read_latex(text: str, symbols: Mapping[str, Array]) -> Program:
    """The program of an expression in LaTeX; entries and sums of entries are one operation.

    Raises:
        NotationError, UnknownName, ShapeError, Unsupported: with the position in ``text``.

    >>> from backprove.notation.shapes import declare
    >>> read_latex(r"\\sum_{i=1}^d x_i^2", declare({"x": "d"})).output.shape
    ()
    """
    return through_latex(text, symbols, lambda plain: _read(plain, symbols))


def _read(text: str, symbols: Mapping[str, Array]) -> Program:
    with deep_recursion():
        entries = classify_claim(text, symbols).kind == "index"
    return _of_entries(text, symbols) if entries else lower(text, symbols)


def _of_entries(text: str, symbols: Mapping[str, Array]) -> Program:
    """A formula of entries and sums, such as ``\\sum_i x_i^2``, as one operation."""
    formula = read_index_formula(text, symbols)
    if len(formula.indices) > 1 and not formula.name:
        second = formula.spans[formula.indices[1]]
        raise NotationError(
            f"the order of the axes {', '.join(formula.indices)} is not said",
            text=text,
            span=second,
            hint=f"Write F_{{{''.join(formula.indices)}}} = ... with the indices in their order.",
        )
    builder = Builder(text)
    tensor = formula.tensor
    used = arrays_in(tensor.body)
    inputs = [builder.symbol(array) for array in symbols.values() if array in used]
    printer = printer_for([tensor.body], tensor.axes, symbols)
    output = builder.operation(
        "entries",
        inputs,
        tensor.axes,
        tensor.body,
        template=_literal(printer.text(tensor.body)),
        latex=_literal(printer.latex(tensor.body)),
        span=formula.body,
    )
    program = builder.program(output, dict(symbols))
    refuse_impossible_constants(program)
    return program


def _literal(text: str) -> str:
    """The text as a template without places for operands."""
    return text.replace("{", "{{").replace("}", "}}")


def through_latex(text: str, symbols: Mapping[str, Array], read: Callable[[str], T]) -> T:
    """What ``read`` makes of the plain text of a LaTeX formula; errors point into the LaTeX."""
    latex = latex_to_text(text, symbols)
    try:
        return read(latex.text)
    except InputError as error:
        latex.relocate(error)
        raise
