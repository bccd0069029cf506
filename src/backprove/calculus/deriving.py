"""``derive``: from an expression and a symbol to a :class:`Derivation`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backprove.calculus.accumulation import (
    MAX_WRITTEN_WEIGHT,
    adjoint_of,
    backward,
    inlined,
)
from backprove.calculus.assumed import assumed
from backprove.calculus.derivation import (
    Derivation,
    Derivations,
    allowed_effort,
)
from backprove.calculus.rules import partial
from backprove.errors import NotationError, Span, UnknownName, Unsupported
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.cancelling import cancelled
from backprove.notation.effort import TooMuchEffort, bounded
from backprove.notation.expressions import Array, Tensor
from backprove.notation.operations import Program
from backprove.notation.reading import read_expression
from backprove.notation.shapes import ShapeLike, declare

LAYOUTS = ("numerator", "denominator")
WEIGHT_PER_OPERATION = 50
_STRUCTURAL_FACTS = ("symmetric", "spd", "prob", "sum1", "onehot", "pm1", "binary")


def derive(
    f: Any,
    wrt: str | Sequence[str],
    shapes: Mapping[str, ShapeLike],
    *,
    order: int = 1,
    layout: str = "numerator",
    domain: Mapping[str, str] | str | None = None,
    structured: bool = False,
) -> Derivation | Derivations:
    """The derivative of an expression, of any rank.

    Args:
        f: an expression as text, or a Python function on JAX arrays whose argument names are the
            symbols.
        wrt: the symbol to differentiate by, or several.
        shapes: the shape of each symbol, such as ``{"X": "n d", "w": "d"}``.
        order: 1 for the Jacobian (shape: output x input), 2 for the Hessian (output x input x
            input).
        layout: ``numerator`` or ``denominator`` (input axes first).
        domain: where symbols live; used for sampling and for facts of other symbols.
        structured: for a symmetric matrix, the derivative under the symmetric-matrix convention
            (Matrix Cookbook, eq. 138) in place of the unstructured one.

    Returns:
        A derivation, or several by name if ``wrt`` is a list.

    Raises:
        NotationError, UnknownName, ShapeError, Unsupported: with the position in ``f``.

    >>> derive("X @ W.T", "W", {"X": "n d", "W": "k d"}).index_form
    'J[i,j,k,l] = X[i,l]·[j=k]'
    >>> derive("norm(w)**2", "w", {"w": "d"}).matrix_form
    '2*w'
    """
    if not isinstance(wrt, str | Iterable):
        raise NotationError(f"wrt is {wrt!r}; expected the name of a symbol, or several")
    if not isinstance(wrt, str):
        names = list(dict.fromkeys(wrt))
        if not names:
            raise NotationError(
                "wrt is empty", hint="Name the symbol to differentiate by, or several."
            )
        return Derivations(
            {n: _derive_one(f, n, shapes, order, layout, domain, structured) for n in names}
        )
    return _derive_one(f, wrt, shapes, order, layout, domain, structured)


def _derive_one(f, wrt, shapes, order, layout, domain, structured) -> Derivation:  # type: ignore[no-untyped-def]
    if order not in (1, 2):
        raise NotationError(f"order is {order!r}; expected 1 (Jacobian) or 2 (Hessian)")
    if layout not in LAYOUTS:
        raise NotationError(f"layout is {layout!r}; expected {' or '.join(LAYOUTS)}")
    symbols = declare(shapes, domain)
    if wrt not in symbols:
        raise UnknownName(
            f"'{wrt}' is not declared, so nothing can be differentiated by it",
            hint=f"Declared: {', '.join(symbols) or 'nothing'}.",
        )
    facts = symbols[wrt].domain
    plain = _without_facts(symbols, wrt)
    program, text = _program(f, plain)
    array = plain[wrt]
    try:
        with bounded(allowed_effort(program)):
            return _derived(text, wrt, program, array, facts, order, layout, structured)
    except TooMuchEffort:
        raise Unsupported(
            f"the {'derivative' if order == 1 else 'second derivative'} by {wrt} grows too large: "
            f"it needs far more work than {len(program.operations)} operations should",
            text=text,
            span=Span(0, max(1, len(text))),
            hint="Give inner parts a symbol of their own and derive them apart.",
        ) from None


def _derived(text, wrt, program, array, facts, order, layout, structured) -> Derivation:  # type: ignore[no-untyped-def]
    passes = backward(program, [array])
    tensor = adjoint_of(passes, program, array)
    outputs = tensor.axes[: len(program.output.shape)]
    body, definitions = inlined(tensor.body, program, passes.named)
    if body.weight > MAX_WRITTEN_WEIGHT + WEIGHT_PER_OPERATION * len(program.operations):
        raise TooMuchEffort  # positions of reshapes of reshapes, which no name can shorten
    axes = tensor.axes
    if order == 2:
        second = tuple(Axis(s) for s in array.shape)
        if definitions:
            body, definitions = b.inline(body, definitions), {}
        body, axes = partial(body, array, second), (*axes, *second)
    body = cancelled(assumed(body, program.assumptions))
    note = ""
    if facts in ("symmetric", "spd"):
        body, note = _symmetric_convention(body, axes, outputs, order, structured, wrt)
    elif facts in _STRUCTURAL_FACTS:
        note = (
            f"All entries of {wrt} vary independently; "
            f"its domain ({facts}) only restricts the point."
        )
    if layout == "denominator":
        axes = (*axes[len(outputs) :], *outputs)
    return Derivation(
        text,
        wrt,
        program,
        array,
        order,
        layout,
        Tensor(axes, body),
        outputs,
        definitions,
        passes,
        note,
    )


def _without_facts(symbols: dict[str, Array], wrt: str) -> dict[str, Array]:
    """Symbols whose differentiated one carries no fact that ties its entries together.

    A derivative by a symmetric matrix or a probability vector treats entries as independent;
    using the fact before differentiating would give a wrong (or zero) derivative.
    """
    array = symbols[wrt]
    if array.domain not in _STRUCTURAL_FACTS:
        return symbols
    free = Array(array.name, array.shape, "real", array.order, array.domain)
    return {**symbols, wrt: free}


def _program(f: Any, symbols: dict[str, Array]) -> tuple[Program, str]:
    if isinstance(f, str):
        return read_expression(f, symbols), f
    if isinstance(f, Program):
        return f, f.text
    if callable(f):
        from backprove.calculus.tracing import trace

        program = trace(f, symbols)
        return program, program.text
    raise NotationError(f"f is {type(f).__name__}; expected text or a function on JAX arrays")


def _symmetric_convention(body, axes, outputs, order, structured, wrt):  # type: ignore[no-untyped-def]
    """The symmetric-matrix convention: G + G.T - diag(G) (Matrix Cookbook, eq. 138)."""
    if not structured:
        return body, (
            f"Unstructured derivative: the entries of {wrt} vary independently. "
            "Ask for structured=True for the symmetric-matrix convention."
        )
    if order != 1:
        raise NotationError("structured=True is only available for order=1")
    row, column = axes[len(outputs) :]
    swapped = b.substitute(body, {row: b.Index.of(column), column: b.Index.of(row)})
    total = b.add(body, swapped, b.neg(b.mul(b.delta(row, column), body)))
    return total, f"Symmetric-matrix convention: entries {wrt}[i,j] and {wrt}[j,i] move together."
