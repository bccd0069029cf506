"""Rank-4 Jacobians flattened to matrices: Kronecker products, with both vec orders named.

Flattening the output rows first or columns first, and the input likewise, gives four matrices.
For each one that is a Kronecker product the product is named; the others are said not to be one.
"""

from __future__ import annotations

from collections.abc import Sequence

from backprove.calculus.structure import Monomial, monomials
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.expressions import Expr, Mul, Num, Tensor
from backprove.notation.matrix_form import matrix_form

_ORDERS = {0: "row-major", 1: "column-major"}


def kronecker_forms(tensor: Tensor, outputs: Sequence[Axis]) -> list[tuple[str, str]]:
    """Each choice of vec orders with the Kronecker form of the flattened Jacobian.

    Returns:
        Pairs of a description such as ``vec(F) row-major, vec(W) column-major`` and a form such as
        ``X ⊗ eye(k)``; empty if the Jacobian is not of rank 4 or is not one term.
    """
    if len(tensor.axes) != 4 or len(outputs) != 2:
        return []
    terms = monomials(tensor.body)
    if terms is None or len(terms) != 1 or terms[0].conditions:
        return []
    inputs = [a for a in tensor.axes if a not in outputs]
    blocks = _pairings(terms[0], list(outputs), inputs)
    if blocks is None:
        return []
    return _all_orders(blocks, list(outputs), inputs)


def _pairings(
    term: Monomial, outputs: list[Axis], inputs: list[Axis]
) -> dict[tuple[Axis, Axis], Expr] | None:
    """For each joined pair of an output and an input axis, the factor that joins them."""
    factors: list[Expr] = [b.delta(*pair) for pair in term.pairs]
    rest = term.rest
    scalar: list[Expr] = []
    if isinstance(rest, Mul):
        scalar.append(Num(rest.coefficient))
        factors.extend(b.power(f, e) for f, e in rest.factors)
    else:
        factors.append(rest)
    joined: dict[tuple[Axis, Axis], Expr] = {}
    for factor in factors:
        if not factor.axes:
            scalar.append(factor)
            continue
        ends = [a for a in outputs if a in factor.axes], [a for a in inputs if a in factor.axes]
        if len(ends[0]) != 1 or len(ends[1]) != 1:
            return None
        key = (ends[0][0], ends[1][0])
        joined[key] = b.mul(joined[key], factor) if key in joined else factor
    if len(joined) != 2 or len({a for key in joined for a in key}) != 4:
        return None
    first = next(iter(joined))
    joined[first] = b.mul(*scalar, joined[first])
    return joined


def _all_orders(
    blocks: dict[tuple[Axis, Axis], Expr], outputs: list[Axis], inputs: list[Axis]
) -> list[tuple[str, str]]:
    partner = dict(blocks)
    forms: list[tuple[str, str]] = []
    for output_order in (0, 1):
        for input_order in (0, 1):
            slow_output = outputs[output_order]
            slow_input = inputs[input_order]
            label = f"output {_ORDERS[output_order]}, input {_ORDERS[input_order]}"
            if (slow_output, slow_input) in partner:
                fast = (outputs[1 - output_order], inputs[1 - input_order])
                left = _text((slow_output, slow_input), partner)
                right = _text(fast, partner)
                if left and right:
                    forms.append((label, f"{left} ⊗ {right}"))
            else:
                forms.append((label, "not a plain Kronecker product"))
    return forms


def _text(key: tuple[Axis, Axis], blocks: dict[tuple[Axis, Axis], Expr]) -> str | None:
    term, _ = matrix_form(Tensor(key, blocks[key]))
    if term is None:
        return None
    return term.text if term.strength >= 3 else f"({term.text})"
