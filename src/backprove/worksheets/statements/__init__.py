"""The kinds of statements, one file each.

A module enters its class into the table when it is imported; whoever takes ``read_statement`` from
here has them all.
"""

from backprove.worksheets.statement import STATEMENTS, read_statement
from backprove.worksheets.statements import (
    claim,
    compare,
    declare,
    derive,
    function,
    graph,
    include,
    path,
    question,
    study,
    theorem,
)

__all__ = [
    "STATEMENTS",
    "claim",
    "compare",
    "declare",
    "derive",
    "function",
    "graph",
    "include",
    "path",
    "question",
    "read_statement",
    "study",
    "theorem",
]
