"""Local derivatives: one operation by one of its operands, as a formula."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from backprove.calculus.accumulation import local_derivative
from backprove.calculus.structure import Structure, classify
from backprove.graphs.nodes import GraphNode, symbol_latex
from backprove.graphs.numerals import number_latex
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.expressions import Array, Bind, Expr, Mul, Num, Sum, Tensor
from backprove.notation.index_text import IndexPrinter, names_in, printer_for
from backprove.notation.operations import Value
from backprove.notation.traversal import arrays_in

_NAME = re.compile(r"[^\W\d]\w*(?!\w|\()")


@dataclass(frozen=True, eq=False)
class LocalForm:
    """The derivative of an operation by an operand, for all values.

    Attributes:
        child: the operation.
        parent: the operand.
        tensor: the derivative over the axes of ``child``, then those of ``parent``.
        outputs: how many of these axes belong to ``child``.
    """

    child: GraphNode
    parent: GraphNode
    tensor: Tensor
    outputs: int
    _upstream: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_upstream", Array(f"d{self.child.name}", self.child.shape))

    @staticmethod
    def of(child: GraphNode, parent: GraphNode) -> LocalForm:
        """The local derivative along one edge."""
        outer = tuple(Axis(s) for s in child.shape)
        inner = tuple(Axis(s) for s in parent.shape)
        body = local_derivative(child.value, parent.value, outer, inner)
        return LocalForm(child, parent, Tensor((*outer, *inner), body), len(outer))

    @property
    def symbol(self) -> str:
        """The left-hand side, such as ``∂h3/∂z`` or ``∂h1[i,j]/∂W[k,l]``."""
        above, below = self._indexed()
        return f"∂{above}/∂{below}"

    @cached_property
    def formula(self) -> str:
        """The right-hand side in terms of the operands."""
        return self._printer.text(self.tensor.body)

    @cached_property
    def latex(self) -> str:
        """Both sides in LaTeX."""
        names = [symbol_latex(n.name) for n in (self.child, self.parent)]
        letters = [self._printer.name(a) for a in self.tensor.axes]
        above, below = (
            f"{name}_{{{''.join(at)}}}"
            if at and "_" not in name
            else f"{{{name}}}_{{{''.join(at)}}}"
            if at
            else name
            for name, at in zip(
                names, (letters[: self.outputs], letters[self.outputs :]), strict=True
            )
        )
        right = self._printer.latex(self.tensor.body)
        return rf"\frac{{\partial {above}}}{{\partial {below}}} = {right}"

    @cached_property
    def structure(self) -> Structure | None:
        """Zero, identity, diagonal, ...; None for a derivative of a number by a number."""
        if not self.tensor.axes:
            return None
        return classify(self.tensor, self.tensor.axes[: self.outputs])

    @cached_property
    def upstream_array(self) -> Array:
        """The array that :attr:`pulled_back` and nothing else refers to: the upstream gradient."""
        return self._upstream

    @cached_property
    def pulled_back(self) -> Tensor:
        """Upstream gradient times local derivative, over the axes of the operand."""
        outer, inner = self.tensor.axes[: self.outputs], self.tensor.axes[self.outputs :]
        return Tensor(inner, b.total(outer, b.mul(b.ref(self._upstream, *outer), self.tensor.body)))

    def with_numbers(self, numbers: Mapping[str, str]) -> str:
        """The formula with names replaced by numbers; only for numbers by numbers."""
        return _NAME.sub(lambda m: numbers.get(m.group(), m.group()), self.formula)

    def latex_with_value(self, value: float) -> str:
        """The LaTeX of both sides, and the value unless the formula is that number already."""
        shown = number_latex(value)
        return self.latex if self.latex.endswith(f"= {shown}") else f"{self.latex} = {shown}"

    @cached_property
    def needed(self) -> tuple[tuple[str, ...], bool]:
        """The operands that the derivative refers to, and whether it refers to the outcome.

        Where the derivative can be had from the outcome alone (exp, sigmoid, tanh, softmax), it is
        the outcome that is kept, as frameworks do.
        """
        from_outcome = own_outcome(self.child.value, self.tensor, self.outputs)
        operands = {v.array: v.name for v in self.child.value.inputs}
        arrays = arrays_in(from_outcome)
        if not any(a in operands for a in arrays):
            return (), self.child.value.array in arrays
        found = arrays_in(self.tensor.body)
        return tuple(name for array, name in operands.items() if array in found), False

    @cached_property
    def _printer(self) -> IndexPrinter:
        reserved = {self.child.name, self.parent.name} | names_in(self.tensor.body)
        return printer_for([self.tensor.body], self.tensor.axes, reserved)

    def _indexed(self) -> tuple[str, str]:
        letters = [self._printer.name(a) for a in self.tensor.axes]
        parts = []
        for node, at in (
            (self.child, letters[: self.outputs]),
            (self.parent, letters[self.outputs :]),
        ):
            parts.append(f"{node.name}[{','.join(at)}]" if at else node.name)
        return parts[0], parts[1]


def own_outcome(value: Value, tensor: Tensor, outputs: int) -> Expr:
    """The derivative with the operation itself replaced by its outcome, wherever it occurs."""
    definition = value.definition
    assert definition is not None
    outer = tensor.axes[:outputs]
    at = dict(zip(definition.axes, map(b.Index.of, outer), strict=True))
    target = b.substitute(definition.body, at)
    return _replaced(tensor.body, target, value.array, outer, {})


def _replaced(
    expr: Expr, target: Expr, array: Array, outer: tuple[Axis, ...], memo: dict[Expr, Expr]
) -> Expr:
    known = memo.get(expr)
    if known is not None:
        return known
    if expr is target:
        known = b.ref(array, *outer)
    elif isinstance(expr, Bind) and isinstance(target, Bind) and _same_slice(expr, target):
        # softmax at another entry of the same slice, as in s[i]·([i=j] - s[j]).
        moved = dict(zip((i.axis for i in target.at), expr.at, strict=True))
        known = b.ref(array, *(moved.get(a, b.Index.of(a)) for a in outer))
    elif isinstance(expr, Mul) and (root := _root(target)) is not None:
        # sqrt: with h = x^(1/2), every power of x is a power of h.
        powers = [
            b.power(b.ref(array, *outer), 2 * e)
            if base is root
            else b.power(_replaced(base, target, array, outer, memo), e)
            for base, e in expr.factors
        ]
        known = b.mul(Num(expr.coefficient), *powers)
    elif isinstance(expr, (Sum, Bind)):
        fresh, body = b.opened(expr)
        inside = _replaced(body, target, array, outer, {})
        if inside is body:
            known = expr
        elif isinstance(expr, Sum):
            known = b.total(fresh, inside)
        else:
            known = b.bind(expr.kind, fresh, inside, expr.at)
    else:
        known = b.rebuild(expr, lambda c: _replaced(c, target, array, outer, memo), lambda i: i)
    memo[expr] = known
    return known


def _root(target: Expr) -> Expr | None:
    """What the square root is taken of, if the operation is a square root."""
    if isinstance(target, Mul) and target.coefficient == 1 and len(target.factors) == 1:
        base, exponent = target.factors[0]
        return base if exponent == Fraction(1, 2) else None
    return None


def _same_slice(expr: Bind, target: Bind) -> bool:
    plain = all(i.axis is not None for i in target.at)
    return (
        plain
        and bool(target.at)
        and (expr.kind, expr.bound, expr.body) == (target.kind, target.bound, target.body)
    )
