"""Constants outside a domain, such as ``log(0)*w`` or ``1/(w - w)``, are refused where they stand.

Such a text has no value at any point, so its derivative would be a formula about nothing.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from backprove.errors import DomainError, NotationError
from backprove.notation import building as b
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import (
    Array,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Named,
    Num,
    Ref,
    Sum,
    Tensor,
)
from backprove.notation.operations import Program, Value
from backprove.notation.traversal import names_in_index, subexpressions

MAX_ENTRIES = 10_000
"""Larger constants (``inv(eye(5000))``) are not computed here."""


def refuse_impossible_constants(program: Program) -> None:
    """Compute what depends on numbers alone.

    Raises:
        NotationError: a constant part of the text is not finite; its place is marked.
    """
    fixed: dict[Array, Tensor] = {}
    for value in program.operations:
        definition = value.definition
        assert definition is not None
        body = definition.body
        if any(i.array in fixed for i in value.inputs):
            body = b.inline(body, fixed)
        closed = [i.kind == "constant" or i.array in fixed for i in value.inputs]
        if any(closed):
            _check(value, body, program.text)
        if isinstance(body, Num) or (all(closed) and _is_closed(body)):
            fixed[value.array] = Tensor(definition.axes, body)


def _check(value: Value, body: Expr, text: str) -> None:
    for base, exponent in body.factors if isinstance(body, Mul) else ((body, Fraction(1)),):
        part = b.power(base, exponent)
        if isinstance(part, Fn) and part.name == "pow":
            _check_base(value, part, text)
        if isinstance(part, Num) or not _is_closed(part) or _entries(part) > MAX_ENTRIES:
            continue
        try:
            with np.errstate(all="ignore"):
                _, number = Evaluator({}, {}).labelled(part)
            reason = f"'{value.operation}' leaves its domain"
            if np.all(np.isfinite(number)):
                continue
        except DomainError as error:
            reason = error.message
        raise NotationError(
            f"{_shown(value, text)} is not a finite number: {reason}",
            text=text,
            span=value.span,
            hint="A constant part of the expression has no value.",
        )


def _check_base(value: Value, part: Fn, text: str) -> None:
    """Refuse ``0**s`` and ``(-2)**s``: no formula for the derivative holds at any ``s``."""
    base = part.args[0]
    if isinstance(base, Num) and base.value <= 0 and not _is_closed(part):
        raise NotationError(
            f"{_shown(value, text)}: a power of {base.value} with a variable exponent has no "
            "derivative",
            text=text,
            span=value.span,
            hint="The base must be positive; write a fixed exponent as a number.",
        )


def _shown(value: Value, text: str) -> str:
    written = text[value.span.start : value.span.end] if value.span else ""
    return written if 0 < len(written) <= 60 else f"this '{value.operation}'"


def _is_closed(expr: Expr) -> bool:
    """True if the expression holds no array, and no size but numbers."""
    for node in subexpressions(expr):
        if isinstance(node, Ref) or (isinstance(node, Named) and node.kind == "size"):
            return False
        inside = node.at if isinstance(node, Bind) else ()
        indices = (node.index,) if isinstance(node, Bracket) else inside
        if any(map(names_in_index, indices)):
            return False
        if any(a.size.constant is None for a in node.axes):
            return False
        if isinstance(node, (Sum, Bind)) and any(a.size.constant is None for a in node.bound):
            return False
    return True


def _entries(expr: Expr) -> int:
    """An upper bound on the entries of any array that the evaluation makes."""
    most = 1
    for node in subexpressions(expr):
        axes = set(node.axes) | (set(node.bound) if isinstance(node, (Sum, Bind)) else set())
        most = max(most, math.prod(a.size.constant or 1 for a in axes))
    return most


__all__ = ["refuse_impossible_constants"]
