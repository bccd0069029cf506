"""A program: the operations of an expression in the order in which a person writes them.

Each :class:`Value` is one simple operation. Its definition is a tensor in index notation that
refers to its operands by name, so one table of operations serves derivatives, graphs and code.
Repeated sub-expressions are one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.errors import Span
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.building import inline, ref, substitute
from backprove.notation.expressions import ZERO, Array, Bracket, Expr, Num, Tensor


@dataclass(eq=False)
class Value:
    """One value of a program.

    Attributes:
        array: name and shape; ``h1``, ``h2``, ... for operations.
        kind: ``input``, ``constant`` or ``operation``.
        operation: the name of the operation, such as ``matmul``.
        inputs: the operands.
        definition: the value in terms of its operands (operations only).
        template: numpy-like text with ``{0}``, ``{1}`` for the operands.
        latex: the same in LaTeX.
        number: the value of a constant.
        span: where it stands in the text.
    """

    array: Array
    kind: str
    operation: str = ""
    inputs: tuple[Value, ...] = ()
    definition: Tensor | None = None
    template: str = ""
    latex: str = ""
    number: Fraction | None = None
    span: Span | None = None
    attributes: tuple[object, ...] = ()

    @property
    def shape(self) -> tuple[Size, ...]:
        """One size per axis."""
        return self.array.shape

    @property
    def name(self) -> str:
        """The name, or the number of a constant."""
        return self.array.name

    def entry(self, *at: int | Size | Axis | Index) -> Expr:
        """One entry of the value."""
        if self.number is not None:
            return Num(self.number)
        if self.kind == "constant" and self.definition is not None:
            from_axes = dict(zip(self.definition.axes, map(Index.of, at), strict=True))
            return substitute(self.definition.body, from_axes)
        return ref(self.array, *at)

    @property
    def zero_by_structure(self) -> bool:
        """True if entries are 0 whatever the inputs are: ``eye(n)``, ``tril(X)``, ``x > 0``."""
        if self.kind == "constant" and self.definition is not None:
            return self.definition.body is ZERO or isinstance(self.definition.body, Bracket)
        if self.operation in ("tril", "triu") or self.operation.startswith("compare"):
            return True
        if self.operation == "diag":
            return len(self.shape) == 2
        passing = ("transpose", "negative", "multiply", "concatenate", "kron", "index")
        if self.operation in passing and self.shape:
            return any(operand.zero_by_structure for operand in self.inputs)
        return False

    def __repr__(self) -> str:
        return self.name


@dataclass
class Program:
    """All values of an expression, operands before what uses them.

    Attributes:
        values: inputs, constants and operations in written order.
        output: the value of the whole expression.
        symbols: every declared symbol, used or not.
        text: the text that was read.
        assumptions: conditions on sizes that slices and indices need, as sizes that must be >= 0.
        read_inside: operations and sizes for which it was seen that no operand is read outside of
            its array.
    """

    values: list[Value]
    output: Value
    symbols: dict[str, Array]
    text: str = ""
    assumptions: list[tuple[Size, str]] = field(default_factory=list)
    read_inside: set[tuple[object, ...]] = field(default_factory=set, repr=False, compare=False)

    @property
    def operations(self) -> list[Value]:
        """The values that compute something."""
        return [v for v in self.values if v.kind == "operation"]

    @property
    def definitions(self) -> dict[Array, Tensor]:
        """What each intermediate array stands for, in terms of its operands."""
        return {v.array: v.definition for v in self.operations if v.definition is not None}

    @property
    def inputs(self) -> list[Value]:
        """The declared symbols that the expression uses."""
        return [v for v in self.values if v.kind == "input"]

    def tensor(self) -> Tensor:
        """The whole expression in its inputs alone."""
        axes = tuple(Axis(s) for s in self.output.shape)
        return Tensor(axes, inline(self.output.entry(*axes), self.definitions))


@dataclass
class Builder:
    """Collects values; equal operations on equal operands become one value."""

    text: str = ""
    values: list[Value] = field(default_factory=list)
    assumptions: list[tuple[Size, str]] = field(default_factory=list)
    _known: dict[tuple[object, ...], Value] = field(default_factory=dict)
    _count: int = 0

    def symbol(self, array: Array, span: Span | None = None) -> Value:
        """The value of a declared symbol."""
        key = ("input", array)
        if key not in self._known:
            self._add(key, Value(array, "input", template=array.name, latex=array.name, span=span))
        return self._known[key]

    def constant(self, number: Fraction, span: Span | None = None) -> Value:
        """A number."""
        key = ("number", number)
        if key not in self._known:
            text = number_text(number)
            array = Array(text, ())
            self._add(
                key, Value(array, "constant", template=text, latex=text, number=number, span=span)
            )
        return self._known[key]

    def named_constant(
        self, text: str, latex: str, definition: Tensor, span: Span | None = None
    ) -> Value:
        """A constant tensor such as ``eye(n)`` or ``pi``."""
        key = ("constant", text, definition.shape)
        if key not in self._known:
            array = Array(text, definition.shape)
            self._add(
                key,
                Value(
                    array, "constant", definition=definition, template=text, latex=latex, span=span
                ),
            )
        return self._known[key]

    def operation(
        self,
        name: str,
        inputs: Sequence[Value],
        axes: Sequence[Axis],
        body: Expr,
        *,
        template: str,
        latex: str,
        attributes: tuple[object, ...] = (),
        span: Span | None = None,
    ) -> Value:
        """The value of an operation on ``inputs``, whose entry at ``axes`` is ``body``."""
        key = ("operation", name, tuple(id(v) for v in inputs), attributes, template)
        if key not in self._known:
            self._count += 1
            array = Array(
                f"h{self._count}", tuple(a.size for a in axes), order=10_000 + self._count
            )
            value = Value(
                array,
                "operation",
                name,
                tuple(inputs),
                Tensor(tuple(axes), body),
                template,
                latex,
                span=span,
                attributes=attributes,
            )
            self._add(key, value)
        return self._known[key]

    def _add(self, key: tuple[object, ...], value: Value) -> None:
        self._known[key] = value
        self.values.append(value)

    def assume(self, nonnegative: Size, reason: str) -> None:
        """Remember a condition on named sizes that the expression needs."""
        if not nonnegative.surely_nonnegative():
            self.assumptions.append((nonnegative, reason))

    def program(self, output: Value, symbols: dict[str, Array]) -> Program:
        """The finished program."""
        used = set(_reachable(output))
        kept = [v for v in self.values if v in used]
        return Program(kept, output, symbols, self.text, self.assumptions)


def _reachable(output: Value) -> Iterator[Value]:
    seen: set[Value] = set()
    stack = [output]
    while stack:
        value = stack.pop()
        if value not in seen:
            seen.add(value)
            yield value
            stack.extend(value.inputs)


def number_text(number: Fraction) -> str:
    """A number as people write it: 0.5, 3, 1/3."""
    if number.denominator == 1:
        return str(number.numerator)
    remaining = number.denominator
    for prime in (2, 5):
        while remaining % prime == 0:
            remaining //= prime
    if remaining == 1 and number.denominator <= 10**6:
        return repr(float(number))
    return f"{number.numerator}/{number.denominator}"
