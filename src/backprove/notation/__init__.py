"""Notation: axes, tensor expressions in index notation, parsing, printing, evaluation.

``syntax`` reads text into a tree, ``lowering`` resolves it into a program of operations, each
defined in index notation (``expressions``, ``building``); ``index_text`` and ``matrix_form``
print, ``evaluation`` computes, ``normal_form`` and ``exact_field`` prove equality.
"""

from backprove.notation import (
    lowering_arithmetic,
    lowering_arrays,
    lowering_linear,
    lowering_reductions,
)
from backprove.notation.expressions import Array, Expr, Tensor
from backprove.notation.lowering import lower, supported_functions
from backprove.notation.operations import Program, Value
from backprove.notation.shapes import declare, parse_shape

__all__ = [
    "Array",
    "Expr",
    "Program",
    "Tensor",
    "Value",
    "declare",
    "lower",
    "lowering_arithmetic",
    "lowering_arrays",
    "lowering_linear",
    "lowering_reductions",
    "parse_shape",
    "supported_functions",
]
