"""What a variable of a jaxpr stands for while a function is traced."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from backprove.errors import Unsupported
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.expressions import Expr, Num, Tensor
from backprove.notation.operations import Builder, Value


@dataclass(frozen=True)
class Shift:
    """A stage of the stable softmax family: ``x`` less its maximum along ``axes``.

    The maximum that JAX subtracts changes no result and, under ``stop_gradient``, must not be
    differentiated; the whole chain is recognised and becomes one softmax, log-softmax or
    logsumexp.

    Attributes:
        stage: ``max``, ``shifted``, ``exp``, ``sum`` or ``log``.
        x: the operand of the whole chain.
        axes: the axes of ``x`` that the maximum runs over.
        order: the transpose of ``x`` that the maximum is subtracted from; empty for ``x`` itself.
    """

    stage: str
    x: Value
    axes: tuple[int, ...]
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Traced:
    """A variable: a broadcast view of a value, integer positions, or a number outside of the reals.

    Attributes:
        axes: one axis per dimension.
        source: the value that is viewed; None for positions and where only ``shift`` is known.
        at: the entry of ``source`` at ``axes``.
        suffix: how the view is written in NumPy behind the name, such as ``[:, None]``.
        index: integers that are affine in ``axes``.
        parts: integer positions that stand beside each other along the last axis.
        table: a constant array whose entries differ.
        special: NaN or an infinity.
        shift: the stage of a softmax that this is.
        stopped: whether ``stop_gradient`` was applied, so that only ``shift`` may be used.
    """

    axes: tuple[Axis, ...]
    source: Value | None = None
    at: tuple[Index, ...] = ()
    suffix: str = ""
    index: Index | None = None
    parts: tuple[Traced, ...] = ()
    table: np.ndarray | None = None
    special: float | None = None
    shift: Shift | None = None
    stopped: bool = False

    @staticmethod
    def of(value: Value) -> Traced:
        """A value as it is."""
        axes = tuple(Axis(s) for s in value.shape)
        return Traced(axes, value, tuple(map(Index.of, axes)))

    @property
    def shape(self) -> tuple[Size, ...]:
        """One size per dimension."""
        return tuple(a.size for a in self.axes)

    @property
    def number(self) -> Fraction | None:
        """The number, if the view shows one."""
        return self.source.number if self.source is not None else None

    def entry(self, at: tuple[Index, ...]) -> Expr:
        """The entry at given positions."""
        assert self.source is not None
        mapping = dict(zip(self.axes, at, strict=True))
        return self.source.entry(*(i.substitute(mapping) for i in self.at))

    def position(self, at: tuple[Index, ...]) -> Index:
        """The integer at given positions."""
        assert self.index is not None
        return self.index.substitute(dict(zip(self.axes, at, strict=True)))

    def with_shift(self, shift: Shift | None) -> Traced:
        """The same variable, known to be a stage of a softmax."""
        return replace(self, shift=shift)


def literal(builder: Builder, number: Any) -> Traced:
    """A constant of the traced function.

    Raises:
        Unsupported: a constant that is neither a number nor a truth value.
    """
    array = np.asarray(number)
    if array.dtype.kind not in "fiub":
        raise Unsupported(f"a constant of type {array.dtype} is not supported")
    axes = tuple(Axis(Size.of(n)) for n in array.shape)
    if array.size == 0 or (not np.all(array == array.flat[0]) and not np.all(np.isnan(array))):
        return Traced(axes, table=array)
    first = array.flat[0].item()
    if array.dtype.kind in "iu":
        return Traced(axes, index=Index.of(int(first)))
    if isinstance(first, float) and not math.isfinite(first):
        return Traced(axes, special=first)
    return Traced(axes, builder.constant(as_fraction(first)))


def as_fraction(number: float | bool) -> Fraction:
    """The short fraction whose nearest number this is, such as a third, or else its decimals.

    >>> as_fraction(1 / 3), as_fraction(0.1), as_fraction(0.3333)
    (Fraction(1, 3), Fraction(1, 10), Fraction(3333, 10000))
    """
    short = Fraction(number).limit_denominator(MAX_DENOMINATOR)
    return short if float(short) == number else Fraction(repr(number))


MAX_DENOMINATOR = 1000
"""So short a fraction that agrees in all 53 bits is what was meant."""

MAX_TABLE = 64
"""Larger constant arrays are no part of a formula that anybody reads."""


def table_tensor(builder: Builder, table: np.ndarray) -> Traced:
    """A constant array whose entries differ, as the sum of its entries at their places.

    Raises:
        Unsupported: an array with no entries, more than 64, or one that is not finite.
    """
    if not 0 < table.size <= MAX_TABLE or not np.all(np.isfinite(table)):
        raise Unsupported(
            f"the function uses a constant array of shape {table.shape}",
            hint="Make it an argument and declare its shape.",
        )
    axes = tuple(Axis(Size.of(n)) for n in table.shape)
    terms = []
    for place in np.ndindex(table.shape):
        entry = table[place].item()
        number = Num(Fraction(entry) if isinstance(entry, bool | int) else as_fraction(entry))
        terms.append(b.mul(number, *map(b.delta, axes, place)))
    return constant_tensor(builder, f"array({table.tolist()})", Tensor(axes, b.add(*terms)))


def constant_tensor(builder: Builder, text: str, tensor: Tensor) -> Traced:
    """A constant array, given by its index form."""
    return Traced.of(builder.named_constant(text, rf"\mathrm{{{text}}}", tensor))
