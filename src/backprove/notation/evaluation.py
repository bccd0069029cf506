"""Evaluating expressions with NumPy: every node becomes an array labelled by its free axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from backprove import functions
from backprove.errors import DomainError
from backprove.notation.axes import Axis, Floor, Index
from backprove.notation.building import size_of_name
from backprove.notation.expressions import (
    Add,
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
    Test,
    Where,
)
from backprove.notation.operations import Program, Value
from backprove.notation.traversal import subexpressions

Labelled = tuple[tuple[Axis, ...], np.ndarray]
MAX_ENTRIES = 200_000_000


@dataclass
class Evaluator:
    """Evaluates expressions at given arrays and sizes; results of shared nodes are kept.

    Attributes:
        arrays: the value of every array that the expressions refer to.
        sizes: the value of every named size.
        outside: what is read outside of an array; None takes the nearest entry. Conditions on
            indices make such entries irrelevant, so no value may depend on it.
    """

    arrays: Mapping[Array, np.ndarray]
    sizes: Mapping[str, int]
    outside: float | None = None
    _memo: dict[Expr, Labelled] = field(default_factory=dict)

    def tensor(self, tensor: Tensor) -> np.ndarray:
        """The dense array of a tensor, its axes in order."""
        return self.dense(tensor.body, tensor.axes)

    def dense(self, body: Expr, axes: Sequence[Axis]) -> np.ndarray:
        """The dense array of ``body`` over ``axes``.

        Raises:
            DomainError: the array would have more than 200 million entries.
        """
        shape = tuple(a.size.at(self.sizes) for a in axes)
        if math.prod(shape) > MAX_ENTRIES:
            raise DomainError(
                f"the dense array has {math.prod(shape):,} entries",
                hint='Evaluate with form="structured", or ask for the VJP.',
            )
        with np.errstate(all="ignore"):
            value = _spread(self.labelled(body), tuple(axes))
        return np.array(np.broadcast_to(value, shape))

    def labelled(self, expr: Expr) -> Labelled:
        """The value of a node, with one array axis for each free axis."""
        known = self._memo.get(expr)
        if known is None:
            known = self._memo[expr] = self._compute(expr)
        return known

    def _compute(self, expr: Expr) -> Labelled:
        match expr:
            case Num():
                return (), np.asarray(_number(expr.value))
            case Named():
                return (), np.asarray(self._named(expr))
            case Ref():
                return self.gather(self._array(expr.array), expr.at)
            case Bracket():
                axes, value = self.index(expr.index)
                truth = value == 0 if expr.relation == "==" else value <= 0
                return axes, truth.astype(float)
            case Test():
                axes, value = self.labelled(expr.value)
                value = np.real(value)
                relation = {">": np.greater, ">=": np.greater_equal, "==": np.equal}[expr.relation]
                truth = np.where(np.isnan(value), np.nan, relation(value, 0).astype(float))
                return axes, truth
            case Add():
                return self._add(expr)
            case Mul():
                return self._multiply(expr)
            case Sum():
                return self._sum(expr)
            case Fn():
                return self._function(expr)
            case Where():
                return self._where(expr)
            case Bind():
                return self._bind(expr)
        raise TypeError(type(expr).__name__)

    def _array(self, array: Array) -> np.ndarray:
        try:
            return self.arrays[array]
        except KeyError:
            raise DomainError(
                f"no value is given for '{array.name}'", hint=f"Pass {array.name}=..."
            ) from None

    def _named(self, expr: Named) -> float:
        return math.pi if expr.kind == "constant" else float(size_of_name(expr.name).at(self.sizes))

    def index(self, index: Index) -> Labelled:
        """The values of an index, as integers over its axes."""
        axes: tuple[Axis, ...] = ()
        value = np.asarray(index.offset.at(self.sizes))
        for atom, coefficient in index.terms:
            if isinstance(atom, Floor):
                atom_axes, atom_value = self.index(atom.index)
                atom_value = atom_value // atom.divisor.at(self.sizes)
            else:
                atom_axes, atom_value = (atom,), np.arange(atom.size.at(self.sizes))
            merged = _union([axes, atom_axes])
            value = _spread((axes, value), merged) + coefficient.at(self.sizes) * _spread(
                (atom_axes, atom_value), merged
            )
            axes = merged
        return axes, value

    def gather(self, array: np.ndarray, at: Sequence[Index]) -> Labelled:
        """Entries of an array at indices; positions outside are cut to the edge (and guarded)."""
        plain = [i.axis for i in at]
        if all(a is not None for a in plain) and len(set(plain)) == len(plain):
            fits = [
                a.size.at(self.sizes) == s for a, s in zip(plain, array.shape, strict=True) if a
            ]
            if all(fits):
                return tuple(a for a in plain if a is not None), array
        parts = [self.index(i) for i in at]
        axes = _union([p[0] for p in parts])
        asked = np.broadcast_arrays(*(_spread(p, axes) for p in parts))
        if not asked:
            return (), array
        positions = [np.clip(p, 0, n - 1) for p, n in zip(asked, array.shape, strict=True)]
        picked = array[tuple(positions)]
        if self.outside is not None:
            inside = [p == a for p, a in zip(positions, asked, strict=True)]
            picked = np.where(np.all(inside, axis=0), picked, self.outside)
        return axes, picked

    def _add(self, expr: Add) -> Labelled:
        parts = [(self.labelled(t), c) for t, c in expr.terms]
        axes = _union([p[0] for p, _ in parts])
        result = None
        for part, coefficient in parts:
            value = _spread(part, axes)
            scaled = value if coefficient == 1 else value * _number(coefficient)
            result = scaled if result is None else result + scaled
        assert result is not None
        return axes, result + _number(expr.constant) if expr.constant else result

    def _factor(self, base: Expr, exponent: Fraction) -> Labelled:
        axes, value = self.labelled(base)
        if exponent == 1:
            return axes, value
        if exponent.denominator == 1:
            whole = int(exponent)
            return axes, value**whole if whole > 0 else 1.0 / value**-whole
        if exponent.denominator == 2:
            root = np.sqrt(value)
            whole = int(exponent.numerator)
            return axes, root**whole if whole > 0 else 1.0 / root**-whole
        return axes, np.power(value, float(exponent))

    def _multiply(self, expr: Mul) -> Labelled:
        parts = [self._factor(b, e) for b, e in expr.factors]
        axes = _union([p[0] for p in parts])
        result = None
        for part in parts:
            value = _spread(part, axes)
            result = value if result is None else result * value
        assert result is not None
        return axes, result if expr.coefficient == 1 else result * _number(expr.coefficient)

    def _sum(self, expr: Sum) -> Labelled:
        body = expr.body
        if isinstance(body, Mul) and len(body.factors) > 1:
            parts = [self._factor(b, e) for b, e in body.factors]
            return self._contract(parts, expr.bound, _number(body.coefficient))
        axes, value = self.labelled(body)
        kept = tuple(a for a in axes if a not in expr.bound)
        positions = tuple(k for k, a in enumerate(axes) if a in expr.bound)
        return kept, value.sum(axis=positions)

    def _contract(self, parts: list[Labelled], bound: Sequence[Axis], scale: float) -> Labelled:
        axes = _union([p[0] for p in parts])
        letters = {a: k for k, a in enumerate(axes)}
        kept = [a for a in axes if a not in bound]
        if len(letters) > 50:
            raise DomainError("a sum over more than 50 axes cannot be evaluated")
        operands: list[object] = []
        for part_axes, value in parts:
            operands.extend((value, [letters[a] for a in part_axes]))
        result = np.einsum(*operands, [letters[a] for a in kept], optimize=len(parts) > 2)  # type: ignore[call-overload]
        return tuple(kept), np.asarray(result) if scale == 1 else result * scale

    def _function(self, expr: Fn) -> Labelled:
        parts = [self.labelled(a) for a in expr.args]
        axes = _union([p[0] for p in parts])
        values = [_spread(p, axes) for p in parts]
        if expr.name == "pow":
            return axes, np.power(*values)
        return axes, np.asarray(functions.lookup(expr.name).value(*values))

    def _where(self, expr: Where) -> Labelled:
        parts = [self.labelled(e) for e in (expr.condition, expr.yes, expr.no)]
        axes = _union([p[0] for p in parts])
        condition, yes, no = (_spread(p, axes) for p in parts)
        return axes, np.where(condition != 0, yes, no)

    def _bind(self, expr: Bind) -> Labelled:
        axes, value = self.labelled(expr.body)
        free = tuple(a for a in axes if a not in expr.bound)
        shape = tuple(a.size.at(self.sizes) for a in (*free, *expr.bound))
        stacked = np.broadcast_to(_spread((axes, value), (*free, *expr.bound)), shape)
        result = _slices(expr.kind, stacked, len(expr.bound))
        if not expr.at:
            return free, result
        return self.gather(result, [*map(Index.of, free), *expr.at])


def _slices(kind: str, value: np.ndarray, rank: int) -> np.ndarray:
    """A function of the slices over the last ``rank`` axes."""
    last = tuple(range(-rank, 0))
    real = np.real(value)
    if kind == "softmax":
        powers = np.exp(value - real.max(axis=last, keepdims=True))
        return powers / powers.sum(axis=last, keepdims=True)
    if kind == "logsumexp":
        top = real.max(axis=last, keepdims=True)
        finite = np.where(np.isfinite(top), top, 0.0)
        return np.log(np.exp(value - finite).sum(axis=last)) + finite.reshape(finite.shape[:-rank])
    if kind == "prod":
        return value.prod(axis=last)
    if kind in ("max", "min", "argmax"):
        extreme = (
            real.min(axis=last, keepdims=True)
            if kind == "min"
            else real.max(axis=last, keepdims=True)
        )
        hits = (real == extreme).astype(float)
        weights = hits / hits.sum(axis=last, keepdims=True)
        return weights if kind == "argmax" else (weights * value).sum(axis=last)
    try:
        if kind == "inv":
            return np.linalg.inv(value)
        if kind == "det":
            return np.linalg.det(value)
        if np.iscomplexobj(value):
            return np.log(np.linalg.det(value))
        return np.linalg.slogdet(value)[1]
    except np.linalg.LinAlgError as error:
        raise DomainError(f"'{kind}' of a matrix: {error}") from None


def _number(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        raise DomainError("a constant of the expression is too large for floating point") from None


def _union(groups: Sequence[Sequence[Axis]]) -> tuple[Axis, ...]:
    return tuple(dict.fromkeys(a for group in groups for a in group))


def _spread(part: Labelled, axes: tuple[Axis, ...]) -> np.ndarray:
    """The array with its axes in the order of ``axes``; axes that it lacks get size 1."""
    own, value = part
    if own == axes:
        return value
    order = [own.index(a) for a in axes if a in own]
    shape = iter(value.transpose(order).shape)
    return value.transpose(order).reshape([next(shape) if a in own else 1 for a in axes])


def run_program(
    program: Program,
    inputs: Mapping[Array, np.ndarray],
    sizes: Mapping[str, int],
    overrides: Mapping[Array, np.ndarray] | None = None,
) -> dict[Array, np.ndarray]:
    """Every value of a program, operands before what uses them.

    Args:
        program: what to compute.
        inputs: the value of each input.
        sizes: the value of each named size.
        overrides: intermediate arrays whose value is given instead of computed.
    """
    arrays: dict[Array, np.ndarray] = dict(inputs)
    for value in program.operations:
        if overrides and value.array in overrides:
            arrays[value.array] = overrides[value.array]
        else:
            assert value.definition is not None
            try:
                arrays[value.array] = Evaluator(arrays, sizes).tensor(value.definition)
                _assert_read_inside(program, value, arrays, sizes)
            except DomainError as error:
                shown = value.template.format(*(i.name for i in value.inputs))
                message = f"{value.name} = {shown}: {error.message}"
                raise DomainError(message, hint=error.hint) from None
    return arrays


OUTSIDE = 0.7310585786300049
"""A value that no entry has by chance, inside of the domain of every function."""


def _assert_read_inside(
    program: Program, value: Value, arrays: Mapping[Array, np.ndarray], sizes: Mapping[str, int]
) -> None:
    """Refuse a definition whose value depends on entries outside of its operands.

    Positions outside are cut to the edge, so that conditions on indices need not come first; a
    wrong index would pass in silence. One evaluation for each choice of sizes shows it.
    """
    key = (value.array, *sorted(sizes.items()))
    definition = value.definition
    if key in program.read_inside or definition is None:
        return
    program.read_inside.add(key)
    if _reads_whole_arrays(definition.body):
        return
    again = Evaluator(arrays, sizes, OUTSIDE).tensor(definition)
    if not np.array_equal(again, arrays[value.array], equal_nan=True):
        shown = value.template.format(*(i.name for i in value.inputs))
        raise AssertionError(
            f"{value.name} = {shown} reads entries outside of its operands at sizes {dict(sizes)}"
        )


def _reads_whole_arrays(body: Expr) -> bool:
    """True if every entry is at plain axes of the array's own sizes, which are never outside."""
    for expr in subexpressions(body):
        if isinstance(expr, Ref):
            for index, size in zip(expr.at, expr.array.shape, strict=True):
                if index.axis is None or index.axis.size != size:
                    return False
    return True
