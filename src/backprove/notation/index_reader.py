"""Reading index formulas such as ``J[i,j,k,l] = X[i,l]*[j==k]`` or ``J_ijkl = X_il δ_jk``.

The entries of a formula (``X[i,l]``, brackets, sums over an index) are read here; everything
around them is an expression of scalars and goes through :mod:`lowering`, like everything in front
of a subscript, as in ``(X @ w - y)[i]``. Indices get their sizes from the axes that they run along;
only then are axes made and expressions built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from backprove.errors import InputError, ShapeError, Span, UnknownName
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, shape_text
from backprove.notation.definitions import only, split_definitions
from backprove.notation.expressions import Array, Expr, Tensor
from backprove.notation.index_positions import PositionReader
from backprove.notation.index_scope import NEW_AXIS, Letter, Plan
from backprove.notation.index_syntax import DELTAS, IndexParser
from backprove.notation.index_tree import (
    factors_of,
    is_full_slice,
    is_guard,
    names_in,
    product_of,
    summand_spans,
    walk,
    whole_arrays,
)
from backprove.notation.lowering import FUNCTIONS, Lowering, lower
from backprove.notation.operations import Program
from backprove.notation.syntax import Node, deep_recursion

TensorPlan = Callable[[], Tensor]
Pieces = list[tuple[Array, TensorPlan]]
_ENTRYWISE = {"where", "clip", "leaky_relu", "elu", "[]", "matmul"}


@dataclass(frozen=True)
class IndexFormula:
    """What an index formula says.

    Attributes:
        name: the name on the left (``J``, ``H``, ``grad``, ``dW``); ``J`` for ``∂f_i/∂x_j``; empty
            if there is no left side, in which case the indices are in alphabetical order.
        indices: the index letters, in the order of the axes.
        tensor: the claimed tensor.
        spans: the place of each index on the left (of its first use if there is no left side).
        body: the place of the right side.
        terms: the places of its summands.
        quotient: the two names of ``∂f_i/∂x_j``.
        text: the text that was read.
    """

    name: str
    indices: tuple[str, ...]
    tensor: Tensor
    spans: Mapping[str, Span]
    body: Span
    terms: tuple[Span, ...]
    quotient: tuple[str, str] | None = None
    text: str = ""


def read_index_formula(
    text: str,
    symbols: Mapping[str, Array],
    *,
    sizes: set[str] | None = None,
    expected_axes: Sequence[Size] | None = None,
    definitions: Mapping[str, Tensor] | None = None,
) -> IndexFormula:
    """Read an index formula.

    Entries are counted from 0. A letter that is bound (on the left or by a sum) is an index
    wherever an index can stand, even if a size has the same name; where a value stands, as in
    ``1/n``, the name is the size.

    Args:
        text: the formula; ``with s = softmax(z)`` after it defines names.
        symbols: the declared symbols by name.
        sizes: names of sizes beyond those in the shapes of ``symbols``.
        expected_axes: sizes that the indices on the left take, if their number agrees.
        definitions: further names and the tensors that they stand for.

    Returns:
        The formula; its tensor has one axis for each index on the left.

    Raises:
        NotationError: the text is no formula, or an index is not bound, or bound twice.
        ShapeError: an index runs along axes of different sizes, or leaves an axis.
        UnknownName: a symbol or function that is not declared.

    >>> from backprove.notation.shapes import declare
    >>> claim = read_index_formula("J_ijkl = X_il δ_jk", declare({"X": "n d", "W": "k d"}),
    ...                            expected_axes=[Size.of(s) for s in "nkkd"])
    >>> claim.indices, claim.tensor.shape
    (('i', 'j', 'k', 'l'), (n, k, k, d))
    """
    main, defined = split_definitions(text)
    declared = dict(symbols)
    stands_for: dict[Array, Tensor] = {}

    def define(name: str, tensor: Tensor) -> None:
        declared[name] = Array(name, tensor.shape)
        inlined = b.inline(tensor.body, stands_for)
        stands_for[declared[name]] = Tensor(tensor.axes, inlined)

    try:
        for name, tensor in (definitions or {}).items():
            define(name, tensor)
        for name, part in defined:
            define(name, lower(only(text, part), declared, sizes=sizes).tensor())
        reader = _Reader(only(text, main), declared, _size_names(symbols, sizes), stands_for)
        with deep_recursion():
            return replace(reader.read(expected_axes), text=text)
    except InputError as error:
        error.text = text
        raise


def _size_names(symbols: Mapping[str, Array], sizes: set[str] | None) -> set[str]:
    return {n for a in symbols.values() for s in a.shape for n in s.names()} | (sizes or set())


class _Reader(PositionReader):
    """Reads one formula: first sizes and plans, then axes and expressions."""

    def __init__(
        self,
        text: str,
        symbols: Mapping[str, Array],
        sizes: set[str],
        stands_for: Mapping[Array, Tensor],
    ) -> None:
        super().__init__(text, symbols, sizes)
        self.stands_for = stands_for
        self.parser = IndexParser(text, {n: len(a.shape) for n, a in symbols.items()})
        self.chained = False
        self.places = 0

    # --- the formula ------------------------------------------------------------------------

    def read(self, expected: Sequence[Size] | None) -> IndexFormula:
        left, body = self.parser.formula()
        indices = left.indices
        if not left.name:
            indices = tuple(sorted(self.free_letters(body, frozenset())))
        letters = [Letter(name, span) for name, span in indices]
        if expected is not None and len(expected) == len(letters):
            for letter, size in zip(letters, expected, strict=True):
                letter.size, letter.origin = size, "on the left"
        self.scope = {letter.name: letter for letter in letters}
        plan = self.plan(body)
        for letter in letters:
            self._settle(letter, expected, len(letters))
            assert letter.size is not None
            letter.axis = Axis(letter.size, letter.name)
        axes = tuple(letter.axis for letter in letters if letter.axis is not None)
        return IndexFormula(
            left.name,
            tuple(letter.name for letter in letters),
            Tensor(axes, b.inline(plan(), self.stands_for)),
            MappingProxyType({letter.name: letter.span for letter in letters}),
            body.span,
            tuple(summand_spans(body)),
            left.quotient,
        )

    def _settle(self, letter: Letter, expected: Sequence[Size] | None, count: int) -> None:
        """Make sure that the size of an index is known when its scope ends."""
        if letter.size is None and letter.guarded_sizes:
            letter.size, *others = letter.guarded_sizes
            if others:
                raise ShapeError(
                    f"the index '{letter.name}' runs along axes of sizes {letter.size} "
                    f"and {others[0]}",
                    text=self.text,
                    span=letter.guarded_sizes[others[0]],
                    hint="An index keeps one size; use another letter.",
                )
        if letter.size is None:
            known = {p.size for p in letter.partners if p.size is not None}
            if len(known) == 1:
                letter.size = known.pop()
                return
            message = f"the size of the index '{letter.name}' is not known: it runs along no axis"
            hint = "Use it along an axis of an array, or give the shape that is expected."
            if letter.name not in self.scope or self.scope[letter.name] is not letter:
                hint = f"Give its range, as in sum({letter.name}<n, ...)."
            if expected is not None and len(expected) != count and letter.name in self.scope:
                message = (
                    f"the formula has {count} indices on the left; "
                    f"expected {len(expected)}, for the shape {shape_text(expected)}"
                )
                hint = "One index for each axis: those of the output, then those of the input."
            raise ShapeError(message, text=self.text, span=letter.span, hint=hint)

    # --- expressions of scalars -------------------------------------------------------------

    def plan(self, node: Node) -> Plan:
        """A scalar expression, to be built when the axes are known."""
        program, pieces = self._lowered(node)
        if program.output.shape:
            self._refuse_array(node, program.output.shape)

        def build() -> Expr:
            return b.inline(program.output.entry(), {**program.definitions, **_built(pieces)})

        return build

    def _lowered(self, node: Node) -> tuple[Program, Pieces]:
        """The program of an expression in which every entry is an operand."""
        pieces: Pieces = []
        low = Lowering(self.text, self.symbols, self.sizes)
        tree = self._extract(node, low, pieces)
        output = low.value(tree)
        program = low.builder.program(output, low.symbols)
        given = {a for a, _ in pieces}
        for value in program.operations:
            scalars = value.inputs and not any(v.shape for v in value.inputs)
            over_axes = value.operation in FUNCTIONS and value.operation not in _ENTRYWISE
            if scalars and over_axes and any(v.array in given for v in program.values):
                raise self.error(
                    f"'{value.operation}' of a single entry",
                    value.span or node.span,
                    f"Name the index that it runs over, as in {value.operation}(m, z[m]), "
                    f"or apply it to the whole array, as in {value.operation}(z).",
                )
        return program, pieces

    def _refuse_array(self, node: Node, shape: Sequence[Size]) -> None:
        for part in whole_arrays(node):
            array = self.symbols.get(str(part.value))
            if array is not None and array.shape:
                letters = ",".join("ijklmnpqrstu"[: len(array.shape)])
                raise ShapeError(
                    f"'{array.name}' is {shape_text(array.shape)}; the formula needs its entries",
                    text=self.text,
                    span=part.span,
                    hint=f"Write {array.name}[{letters}] with your letters.",
                )
        raise ShapeError(
            f"expected a scalar, but the shape is {shape_text(shape)}",
            text=self.text,
            span=node.span,
            hint="Subscript the whole, as in (X @ w)[i].",
        )

    def _extract(self, node: Node, low: Lowering, pieces: Pieces) -> Node:
        """The tree with a name in place of each entry, bracket and sum."""
        plan: TensorPlan | None = None
        shape: tuple[Size, ...] = ()
        if node.kind == "subscript" and self._is_entry(node):
            shape, plan = self._entry(node)
        elif node.kind == "total":
            plan = _scalar(self._total(node))
        elif node.kind == "bracket":
            factors = [self._extract(c, low, pieces) for c in node.children]
            return product_of(factors, node.span)
        elif node.kind == "compare" and self.compares_indices(node):
            plan = _scalar(self.comparison(node))
        elif node.kind == "compare" and node.children[0].kind == "compare":
            raise self.error(
                "a chain of comparisons of values", node.span, "Write [a < x]*[x < b]."
            )
        elif node.kind == "name":
            self._check_value_name(node)
            return node
        elif node.kind == "binary" and self._juxtaposed(node):
            self._check_scalars(node)
            return self._extract_children(node, low, pieces)
        elif node.kind == "binary" and node.value == "//":
            if any(str(n.value) not in self.sizes for n in names_in(node)):
                raise self.error("'//' stands in subscripts and between sizes only", node.span)
            size = self.size(node)
            plan = _scalar(lambda: b.size_value(size))
        elif node.children:
            return self._extract_children(node, low, pieces)
        if plan is None:
            return node
        self.places += 1
        array = Array(f"⟨{self.places}⟩", shape)
        low.locals[array.name] = low.builder.symbol(array, node.span)
        pieces.append((array, plan))
        return Node("name", node.span, array.name)

    def _extract_children(self, node: Node, low: Lowering, pieces: Pieces) -> Node:
        # The factors of a product are guarded together, once for the whole chain.
        chained, self.chained = self.chained, False
        guards = set() if chained else self._guarded_by(node)
        self.guards.append(guards)
        children = []
        for position, child in enumerate(node.children):
            same = node.value == "*" or (node.value == "/" and position == 0)
            self.chained = node.kind == "binary" and same and child.kind == "binary"
            self.chained = self.chained and child.value in ("*", "/")
            children.append(self._extract(child, low, pieces))
        self.chained = False
        self.guards.pop()
        return Node(node.kind, node.span, node.value, tuple(children), node.parenthesised)

    def _guarded_by(self, node: Node) -> set[str]:
        """Indices that a bracket beside the children of a product (or of ``where``) restricts."""
        beside: list[Node] = []
        if node.kind == "call" and node.value == "where":
            beside = [n for n in walk(node.children[0]) if n.kind == "compare"]
        elif node.kind == "binary" and node.value in ("*", "/"):
            beside = [n for factor in factors_of(node) if is_guard(factor) for n in walk(factor)]
        found: set[str] = set()
        for part in beside:
            if part.kind == "subscript" or (part.kind == "compare" and self.compares_indices(part)):
                found |= {str(n.value) for n in names_in(part) if n.value in self.scope}
        return found

    def _juxtaposed(self, node: Node) -> bool:
        first, second = node.children
        return (first.span, second.span) in self.parser.juxtaposed

    def _check_scalars(self, node: Node) -> None:
        """Refuse a product of arrays without its operator: it can be two different products."""
        operands = [c for c in node.children if c.kind != "binary" or not self._juxtaposed(c)]
        for part in (p for operand in operands for p in whole_arrays(operand)):
            array = self.symbols.get(str(part.value))
            if array is not None and array.shape:
                raise self.error(
                    f"a product with the array '{array.name}' needs its operator",
                    node.span,
                    "Write @ for the matrix product, * for the elementwise one, "
                    "or give the array its indices.",
                )

    def _check_value_name(self, node: Node) -> None:
        name = str(node.value)
        if name in self.scope and name not in self.symbols and name not in self.sizes:
            raise self.error(
                f"the index '{name}' stands where a value is expected",
                node.span,
                "Indices stand in subscripts and in brackets such as [i==j].",
            )

    # --- entries ----------------------------------------------------------------------------

    def _is_entry(self, node: Node) -> bool:
        """True unless the subscript is one of whole arrays, such as ``x[0]`` or ``X[:, 0]``."""
        base, *items = node.children
        if node.value == "_" or base.kind == "total":
            return True
        if base.kind == "name" and base.value in DELTAS and base.value not in self.symbols:
            return True
        parts = [part for item in items for part in walk(item) if item.kind != "slice"]
        if any(p.value == "//" or (p.kind == "unary" and names_in(p)) for p in parts):
            return True
        for name in (n for item in items for n in names_in(item)):
            constant = name.value in self.sizes and name not in items
            if name.value in self.scope or not (constant or name.value in NEW_AXIS):
                return True
        return False

    def _entry(self, node: Node) -> tuple[tuple[Size, ...], TensorPlan]:
        """An entry, or the slice that is left if there are fewer indices than axes."""
        base, *items = node.children
        if base.kind == "name" and base.value in DELTAS and base.value not in self.symbols:
            return (), _scalar(self.delta(node, items))
        if base.kind == "total":
            return (), _scalar(self._total(base, items))
        shape, entry = self._base(base)
        while items and items[-1].kind == "slice" and is_full_slice(items[-1]):
            items.pop()
        if len(items) > len(shape):
            raise ShapeError(
                f"{len(items)} indices for '{self.shown(base)}', which is {shape_text(shape)}",
                text=self.text,
                span=node.span,
                hint="One index for each axis.",
            )
        if node.value == "_" and len(items) < len(shape):
            raise ShapeError(
                f"{len(items)} indices for '{self.shown(base)}', which is {shape_text(shape)}",
                text=self.text,
                span=node.span,
                hint="One index for each axis.",
            )
        at = [self.position(i, s, base) for i, s in zip(items, shape, strict=False)]
        rest = shape[len(items) :]

        def build() -> Tensor:
            axes = tuple(Axis(s) for s in rest)
            return Tensor(axes, entry([*(p() for p in at), *map(Index.of, axes)]))

        return rest, build

    def _base(self, base: Node) -> tuple[tuple[Size, ...], Callable[[list[Index]], Expr]]:
        """What stands in front of a subscript: its shape, and its entry at given indices."""
        if base.kind == "name" and (array := self.symbols.get(str(base.value))) is not None:
            return array.shape, lambda at: b.ref(array, *at)
        if base.kind == "name" and base.value in self.scope:
            raise UnknownName(
                f"unknown symbol '{base.value}'",
                text=self.text,
                span=base.span,
                hint="It is an index.",
            )
        if base.kind == "call" and base.value == "argmax":
            return self._argmax(base)
        program, pieces = self._lowered(base)

        def entry(at: list[Index]) -> Expr:
            return b.inline(program.output.entry(*at), {**program.definitions, **_built(pieces)})

        return program.output.shape, entry

    def _argmax(self, base: Node) -> tuple[tuple[Size, ...], Callable[[list[Index]], Expr]]:
        """The indicator of the greatest entry of a vector, as derivatives of ``max`` have it."""
        operand = base.children[0]
        shape, entry = self._base(operand)
        if len(shape) != 1 or len(base.children) != 1:
            raise self.error(
                "'argmax' is read for one vector", base.span, "Write argmax_{m}(Z[i,m])[j]."
            )

        def indicator(at: list[Index]) -> Expr:
            inner = Axis(shape[0])
            return b.bind("argmax", [inner], entry([Index.of(inner)]), at)

        return shape, indicator

    # --- sums -------------------------------------------------------------------------------

    def _total(self, node: Node, items: Sequence[Node] = ()) -> Plan:
        """``Σ_m body``, ``max_m(body)``, ``softmax_{m}(body)[i]``."""
        kind = str(node.value)
        *binders, body = node.children
        letters = self.bind(binders)
        outer = self.scope
        self.scope = {**outer, **{letter.name: letter for letter in letters}}
        plan = self.plan(body)
        self.scope = outer
        for letter in letters:
            self._settle(letter, None, 0)
        at = self.entry_of_slice(node, kind, letters, items)

        def build() -> Expr:
            for letter in letters:
                assert letter.size is not None
                letter.axis = Axis(letter.size, letter.name)
            axes = [letter.axis for letter in letters if letter.axis is not None]
            summand = plan()
            if kind == "sum":
                return b.total(axes, summand)
            if kind == "mean":
                count = b.mul(*(b.size_value(a.size) for a in axes))
                return b.divide(b.total(axes, summand), count)
            return b.bind(kind, axes, summand, [p() for p in at])

        return build


def _built(pieces: Pieces) -> dict[Array, Tensor]:
    return {array: plan() for array, plan in pieces}


def _scalar(plan: Plan) -> TensorPlan:
    return lambda: Tensor((), plan())


__all__ = ["IndexFormula", "read_index_formula"]
