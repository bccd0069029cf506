"""From a syntax tree to a program: names, shapes and operations are resolved here.

Operators register themselves from :mod:`lowering_arithmetic`, functions on whole arrays from
:mod:`lowering_reductions`, :mod:`lowering_arrays` and :mod:`lowering_linear`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from backprove import functions
from backprove.errors import InputError, NotationError, ShapeError, Span, UnknownName, Unsupported
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, nonnegative, shape_text
from backprove.notation.constant_domain import refuse_impossible_constants
from backprove.notation.effort import TooMuchEffort, bounded
from backprove.notation.expressions import ONE, Array, Expr, Named, Tensor
from backprove.notation.near_misses import LIBRARIES, meant_function, meant_symbol
from backprove.notation.operations import Builder, Program, Value
from backprove.notation.shapes import MAX_SIZE
from backprove.notation.syntax import Node, deep_recursion, parse

MAX_OPERATIONS = 3_000
MAX_SIZE_TERMS = 100
MAX_AXES = 32
MAX_EFFORT = 100_000
MAX_EXPONENT = 10_000


class Lowering:
    """Turns nodes into values; functions on arrays receive it as their first argument."""

    def __init__(self, text: str, symbols: Mapping[str, Array], sizes: set[str]) -> None:
        self.text = text
        self.symbols = dict(symbols)
        self.sizes = sizes
        self.builder = Builder(text)
        self.locals: dict[str, Value] = {}

    # --- errors -----------------------------------------------------------------------------

    def shape_error(self, message: str, node: Node, hint: str = "") -> ShapeError:
        """A shape error at a node."""
        return ShapeError(message, text=self.text, span=node.span, hint=hint)

    def unsupported(self, message: str, node: Node, hint: str = "") -> Unsupported:
        """Something that is understood but not supported, at a node."""
        return Unsupported(message, text=self.text, span=node.span, hint=hint)

    def notation_error(self, message: str, node: Node, hint: str = "") -> NotationError:
        """A malformed expression, at a node."""
        return NotationError(message, text=self.text, span=node.span, hint=hint)

    # --- values -----------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """The value of a node."""
        self._refuse_many(node)
        handler = NODES.get(node.kind)
        if handler is None:
            raise self.notation_error(f"a {node.kind} cannot stand here", node)
        found = handler(self, node)
        self._refuse_many(node)  # the operands of a chain are read before any operation is made
        if len(found.shape) > MAX_AXES:
            raise self.unsupported(
                f"an array of {len(found.shape)} axes; at most {MAX_AXES} are supported", node
            )
        return found

    def _refuse_many(self, node: Node) -> None:
        if len(self.builder.values) > MAX_OPERATIONS:
            raise self.unsupported(
                f"the expression has more than {MAX_OPERATIONS:,} operations and symbols",
                node,
                "Split it into named parts.",
            )

    def elementwise(
        self,
        name: str,
        operands: Sequence[Value],
        body: Callable[..., Expr],
        template: str,
        latex: str,
        node: Node,
    ) -> Value:
        """An operation on entries, with broadcasting as in NumPy."""
        axes, indices = self.broadcast([v.shape for v in operands], name, node)
        entries = [v.entry(*at) for v, at in zip(operands, indices, strict=True)]
        return self.builder.operation(
            name, operands, axes, body(*entries), template=template, latex=latex, span=node.span
        )

    def broadcast(
        self, shapes: Sequence[Sequence[Size]], name: str, node: Node
    ) -> tuple[list[Axis], list[list[Index]]]:
        """The common shape, and for each operand the index of its entry.

        Raises:
            ShapeError: two sizes differ and neither is 1.
        """
        rank = max(len(s) for s in shapes)
        sizes: list[Size] = []
        for position in range(rank):
            found = Size.of(1)
            for shape in shapes:
                at = position - rank + len(shape)
                if at < 0 or shape[at] == 1:
                    continue
                if found != 1 and found != shape[at]:
                    shown = " and ".join(shape_text(s) for s in shapes)
                    raise self.shape_error(
                        f"'{name}' of shapes {shown} does not fit: "
                        f"sizes {found} and {shape[at]} on one axis",
                        node,
                        "Sizes must be equal or 1; transpose with .T or add one with [:, None].",
                    )
                found = shape[at]
            sizes.append(found)
        axes = [Axis(s) for s in sizes]
        indices = []
        for shape in shapes:
            offset = rank - len(shape)
            indices.append(
                [
                    Index.of(0)
                    if shape[k] == 1 and sizes[k + offset] != 1
                    else Index.of(axes[k + offset])
                    for k in range(len(shape))
                ]
            )
        return axes, indices

    def refuse_zero(self, divisor: Value, node: Node) -> None:
        """Fail if a divisor is 0, or has entries that are 0 whatever the inputs are."""
        if divisor.number == 0:
            raise self.notation_error("division by zero", node)
        if divisor.zero_by_structure:
            shown = self.text[node.span.start : node.span.end][:40]
            raise self.notation_error(f"division by zero: '{shown}' has entries that are 0", node)

    # --- arguments of functions -------------------------------------------------------------

    def integer(self, node: Node, what: str) -> int:
        """A literal integer."""
        sign = 1
        while node.kind == "unary":
            sign, node = -sign, node.children[0]
        if (
            node.kind != "number"
            or not isinstance(node.value, Fraction)
            or node.value.denominator != 1
        ):
            raise self.notation_error(f"{what} must be an integer", node)
        if abs(node.value) > MAX_SIZE:
            raise self.notation_error(f"{what} is {node.value}; at most {MAX_SIZE:,} is read", node)
        return sign * int(node.value)

    def size(self, node: Node) -> Size:
        """A size: an integer, a named size, or sums, differences and products of them."""
        if node.kind == "number":
            return Size.of(self.integer(node, "a size"))
        if node.kind == "name" and isinstance(node.value, str):
            if node.value not in self.sizes:
                raise UnknownName(
                    f"'{node.value}' is not a declared size",
                    text=self.text,
                    span=node.span,
                    hint=f"Sizes in use: {', '.join(sorted(self.sizes)) or 'none'}.",
                )
            return Size.named(node.value)
        if node.kind == "binary" and node.value in ("+", "-", "*"):
            left, right = (self.size(c) for c in node.children)
            if len(left.terms) * len(right.terms) > MAX_SIZE_TERMS:
                raise self.unsupported(
                    f"the size has more than {MAX_SIZE_TERMS} terms", node, "Name it, as in 'm'."
                )
            return (
                left + right
                if node.value == "+"
                else left - right
                if node.value == "-"
                else left * right
            )
        if node.kind == "binary" and node.value in ("**", "^", "//"):
            number = self.integer(node.children[1], "a power or a divisor of a size")
            if node.value == "//" and number > 0:
                return self.size(node.children[0]).floor_divide(number)
            if node.value != "//" and 0 <= number <= 8:
                return math.prod([self.size(node.children[0])] * number, start=Size.of(1))
        raise self.notation_error("expected a size: an integer, a name, or n + 1, n*d", node)

    def size_tuple(self, node: Node) -> list[Size]:
        """A shape given as an argument."""
        if node.kind in ("tuple", "list"):
            return [self.extent(c) for c in node.children]
        return [self.extent(node)]

    def extent(self, node: Node) -> Size:
        """A size that an axis has: at least 1."""
        size = self.size(node)
        self.assume(size - 1, f"the size {size} is at least 1", node)
        return size

    def assume(self, condition: Size, reason: str, node: Node) -> None:
        """Remember that a size must be >= 0; refuse it at once if it never is."""
        if nonnegative(-1 - condition):
            raise self.shape_error(f"it can never be that {reason}", node)
        self.builder.assume(condition, reason)

    def one_axis(self, node: Node, rank: int, where: Node) -> int:
        """The single axis that ``axis=`` must name, counted from 0."""
        if node.kind in ("tuple", "list") or (self.is_none(node) and rank != 1):
            raise self.shape_error("expected one axis, as in axis=0", node)
        return self.axis_list(node, rank, where)[0]

    @staticmethod
    def is_none(node: Node) -> bool:
        """True for the word ``None``."""
        return node.kind == "name" and node.value == "None"

    def axis_list(self, node: Node | None, rank: int, where: Node) -> list[int]:
        """The axes that ``axis=`` names, counted from 0; all of them if it is absent."""
        if node is None or self.is_none(node):
            return list(range(rank))
        nodes = node.children if node.kind in ("tuple", "list") else (node,)
        found = []
        for item in nodes:
            axis = self.integer(item, "axis")
            if not -rank <= axis < rank:
                raise self.shape_error(
                    f"axis={axis} does not exist: the operand has {rank} "
                    + ("axis" if rank == 1 else "axes"),
                    item,
                    f"Axes run from {-rank} to {rank - 1}." if rank else "A scalar has no axis.",
                )
            found.append(axis % rank)
        if len(set(found)) != len(found):
            raise self.shape_error("an axis is named twice", where)
        return found

    def flag(self, node: Node | None) -> bool:
        """The value of ``keepdims=``."""
        if node is None:
            return False
        if node.kind == "name" and node.value in ("True", "False"):
            return node.value == "True"
        if node.kind == "number" and node.value in (0, 1):
            return bool(node.value)
        raise self.notation_error("expected True or False", node)

    def arguments(
        self, node: Node, positional: Sequence[str], optional: Sequence[str] = ()
    ) -> dict[str, Node]:
        """The arguments of a call by name; ``optional`` ones may be given by position as well."""
        names = [*positional, *optional]
        found: dict[str, Node] = {}
        for item in node.children:
            if item.kind == "keyword":
                name = str(item.value)
                if name not in names:
                    raise self.notation_error(
                        f"'{node.value}' has no argument '{name}'",
                        item,
                        f"It takes {', '.join(names)}.",
                    )
                value = item.children[0]
            else:
                index = len(found)
                if index >= len(names) or any(c.kind == "keyword" for c in node.children[:index]):
                    raise self.notation_error(
                        f"'{node.value}' takes at most {len(names)} arguments ({', '.join(names)})",
                        item,
                    )
                name, value = names[index], item
            if name in found:
                raise self.notation_error(f"the argument '{name}' is given twice", item)
            found[name] = value
        for name in positional:
            if name not in found:
                raise self.notation_error(f"'{node.value}' needs the argument '{name}'", node)
        return found


Handler = Callable[[Lowering, Node], Value]
FUNCTIONS: dict[str, Handler] = {}
NODES: dict[str, Handler] = {}
"""What reads a node of the syntax tree, by its kind."""
"""Functions on whole arrays, by name; elementwise ones come from :mod:`backprove.functions`."""


def function(*names: str) -> Callable[[Handler], Handler]:
    """Register a function of the language under its names."""

    def register(handler: Handler) -> Handler:
        for name in names:
            FUNCTIONS[name] = handler
        return handler

    return register


def supported_functions() -> list[str]:
    """The names of all functions of the language."""
    return sorted({*(f for f in FUNCTIONS if f.isidentifier()), *functions.ELEMENTWISE, "ln"})


def lower(
    text: str,
    symbols: Mapping[str, Array],
    *,
    sizes: set[str] | None = None,
    node: Node | None = None,
) -> Program:
    """The program of an expression.

    Args:
        text: the expression.
        symbols: the declared symbols by name.
        sizes: names of sizes beyond those in the shapes of ``symbols``.
        node: the syntax tree, if ``text`` has been parsed already.

    Raises:
        NotationError: the text is no expression.
        UnknownName: a symbol or function that is not declared.
        ShapeError: operands that do not fit.

    >>> from backprove.notation.shapes import declare
    >>> program = lower("X @ W.T", declare({"X": "n d", "W": "k d"}))
    >>> program.output.shape
    (n, k)
    """
    names = {n for a in symbols.values() for s in a.shape for n in s.names()} | (sizes or set())
    tree = node or parse(text)
    lowering = Lowering(text, symbols, names)
    try:
        with deep_recursion(), bounded(MAX_EFFORT):
            output = lowering.value(tree)
    except InputError as error:
        if not error.text:
            error.text, error.span = text, error.span or tree.span
        raise
    except TooMuchEffort:
        raise Unsupported(
            "an operation of the expression needs too much work: too many axes or sizes at once",
            text=text,
            span=tree.span,
            hint="Split it into smaller operations.",
        ) from None
    except RecursionError:
        raise Unsupported(
            "the expression applies too many operations one inside the other",
            text=text,
            span=tree.span,
            hint="Split it into named parts.",
        ) from None
    program = lowering.builder.program(output, lowering.symbols)
    refuse_impossible_constants(program)
    return program


def _number(low: Lowering, node: Node) -> Value:
    assert isinstance(node.value, Fraction)
    return low.builder.constant(node.value, node.span)


def _name(low: Lowering, node: Node) -> Value:
    name = str(node.value)
    if name in low.locals:
        return low.locals[name]
    if name in low.symbols:
        return low.builder.symbol(low.symbols[name], node.span)
    if name in ("pi", "π"):
        return low.builder.named_constant("pi", r"\pi", Tensor((), b.PI), node.span)
    if name == "e":
        return low.builder.named_constant("e", "e", Tensor((), b.fn("exp", ONE)), node.span)
    if name in low.sizes:
        value = b.size_value(Size.named(name))
        return low.builder.named_constant(name, name, Tensor((), value), node.span)
    if name in FUNCTIONS or name in functions.ELEMENTWISE:
        hint = f"'{name}' is a function; write {name}(...)."
    else:
        hint = meant_symbol(name, low.symbols)
    raise UnknownName(f"unknown symbol '{name}'", text=low.text, span=node.span, hint=hint)


def _call(low: Lowering, node: Node) -> Value:
    name = str(node.value)
    library = node.children[0] if node.children else node
    if library.value in LIBRARIES.difference(low.symbols, low.locals, low.sizes):
        hint = f"Functions stand alone and are NumPy's, as in {name}(x)."
        raise UnknownName(
            f"unknown symbol '{library.value}'", text=low.text, span=library.span, hint=hint
        )
    handler = FUNCTIONS.get(name)
    if handler is not None:
        return handler(low, node)
    try:
        record = functions.lookup(name)
    except UnknownName:
        if name in low.symbols:
            raise low.notation_error(
                f"'{name}' is a symbol, not a function",
                node,
                f"Write '{name} * (...)' for a product.",
            ) from None
        raise Unsupported(
            f"the function '{name}' is not supported",
            text=low.text,
            span=node.span,
            hint=meant_function(name, supported_functions()),
        ) from None
    return _apply_record(low, node, record)


def _apply_record(low: Lowering, node: Node, record: functions.FunctionRecord) -> Value:
    names = ["x", "y"][: record.arity]
    given = low.arguments(node, names)
    operands = [low.value(given[n]) for n in names]
    arguments = ", ".join(f"{{{k}}}" for k in range(record.arity))
    return low.elementwise(
        record.name,
        operands,
        lambda *xs: b.fn(record.name, *xs),
        f"{record.name}({arguments})",
        record.latex,
        node,
    )


def _misplaced(low: Lowering, node: Node) -> Value:
    if node.kind == "list":
        raise low.notation_error(
            "a list cannot stand here",
            node,
            "Lists are arguments, as in concatenate([x, y]); declare arrays as symbols.",
        )
    raise low.notation_error(f"a {node.kind} cannot stand here", node)


def _transpose(low: Lowering, node: Node) -> Value:
    operand = low.value(node.children[0])
    axes = [Axis(s) for s in reversed(operand.shape)]
    return low.builder.operation(
        "transpose",
        [operand],
        axes,
        operand.entry(*reversed(axes)),
        template="{0}.T",
        latex=r"{0}^{{\top}}",
        span=node.span,
    )


def _subscript(low: Lowering, node: Node) -> Value:
    return FUNCTIONS["[]"](low, node)


NODES.update(
    {
        "number": _number,
        "name": _name,
        "call": _call,
        "transpose": _transpose,
        "subscript": _subscript,
        "list": _misplaced,
        "tuple": _misplaced,
        "slice": _misplaced,
        "string": _misplaced,
        "keyword": _misplaced,
    }
)

__all__ = [
    "FUNCTIONS",
    "NODES",
    "Lowering",
    "Named",
    "Span",
    "function",
    "lower",
    "supported_functions",
]
