"""One record per named function: value, derivatives, domain, kinks, asymptotes, LaTeX, source.

>>> from backprove.functions import lookup
>>> lookup("sigmoid").derivative
'sigmoid(x)*(1 - sigmoid(x))'
>>> lookup("relu").kinks[0].taken
0.0
"""

from __future__ import annotations

from backprove.functions.description import AxisDescription, FunctionDescription, describe
from backprove.functions.figure import FunctionFigure, function_figure
from backprove.functions.records import (
    Asymptote,
    AxisRecord,
    FunctionRecord,
    Interval,
    Invariant,
    Kink,
)
from backprove.functions.table import ALIASES, ALONG_AXIS, ELEMENTWISE, lookup, lookup_axis

__all__ = [
    "ALIASES",
    "ALONG_AXIS",
    "ELEMENTWISE",
    "Asymptote",
    "AxisDescription",
    "AxisRecord",
    "FunctionDescription",
    "FunctionFigure",
    "FunctionRecord",
    "Interval",
    "Invariant",
    "Kink",
    "describe",
    "function_figure",
    "lookup",
    "lookup_axis",
]
