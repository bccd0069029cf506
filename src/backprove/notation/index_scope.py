"""Indices of a formula: what binds them, the sizes that they get, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.errors import NotationError, Span
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, floor_divide
from backprove.notation.expressions import ONE, ZERO, Array, Expr
from backprove.notation.index_tree import compared_relations, compared_sides, names_in, walk
from backprove.notation.lowering import Lowering
from backprove.notation.syntax import Node

Plan = Callable[[], Expr]
IndexPlan = Callable[[], Index]
NEW_AXIS = ("None", "newaxis")


@dataclass(eq=False)
class Letter:
    """An index: where it is bound, and the size of the axes that it runs along."""

    name: str
    span: Span
    size: Size | None = None
    origin: str = ""
    from_one: bool = False
    guarded_sizes: dict[Size, Span] = field(default_factory=dict)
    partners: list[Letter] = field(default_factory=list)
    axis: Axis | None = None

    def index(self) -> Index:
        assert self.axis is not None
        return Index.of(self.axis)


class IndexScope:
    """Reads what stands in subscripts and between the sides of ``[i==j]``.

    Plans are called once the sizes of all indices are known and their axes made.

    Attributes:
        text: the formula, for errors.
        symbols: the declared symbols by name.
        sizes: the names of sizes.
        scope: the indices that are bound at the moment.
    """

    def __init__(self, text: str, symbols: Mapping[str, Array], sizes: set[str]) -> None:
        self.text = text
        self.symbols = dict(symbols)
        self.sizes = sizes
        self.scope: dict[str, Letter] = {}

    def free_letters(self, node: Node, bound: frozenset[str]) -> set[tuple[str, Span]]:
        """The first use of every index that nothing binds, for a formula without a left side."""
        found: dict[str, Span] = {}
        stack = [(node, bound)]
        while stack:
            at, names = stack.pop()
            if at.kind == "total":
                names = names | {str(c.value) for c in at.children[:-1]}
            used: list[Node] = []
            bare: list[Node] = []
            if at.kind == "subscript":
                used = [n for item in at.children[1:] for n in names_in(item)]
                bare = [item for item in at.children[1:] if item.kind == "name"]
            elif at.kind == "compare" and self._only_indices(at):
                used = names_in(at)
                bare = [side for side in at.children if at.value == "==" and side.kind == "name"]
            for name in used:
                free = str(name.value) not in names and name.value not in NEW_AXIS
                if free and (name in bare or name.value not in self.sizes):
                    earlier = found.get(str(name.value), name.span)
                    found[str(name.value)] = min(earlier, name.span, key=lambda s: s.start)
            stack.extend((child, names) for child in at.children)
        return set(found.items())

    def _only_indices(self, node: Node) -> bool:
        return all(
            n.kind in ("compare", "number", "binary", "unary")
            or (n.kind == "name" and n.value not in self.symbols)
            for n in walk(node)
        )

    def pair(self, items: Sequence[Node]) -> None:
        """Remember which bare indices are set equal; their sizes may differ all the same."""
        letters = [
            self.scope[str(i.value)] for i in items if i.kind == "name" and i.value in self.scope
        ]
        for letter in letters:
            letter.partners.extend(p for p in letters if p is not letter)

    def compares_indices(self, node: Node) -> bool:
        """True if indices are compared, False if values are."""
        sides = compared_sides(node)
        kinds = [self._index_like(s) for s in sides]
        if not any(kinds) or all(s.kind == "number" for s in sides):
            return False
        names = [n for s, k in zip(sides, kinds, strict=True) if k for n in names_in(s)]
        if all(kinds):
            for name in names:
                array = self.symbols.get(str(name.value))
                if name.value in self.scope and array is not None and not array.shape:
                    raise self.error(
                        f"'{name.value}' is an index and a scalar symbol",
                        name.span,
                        "Use another letter for the index.",
                    )
            return True
        mixed = [n for n in names if n.value in self.scope and n.value not in self.sizes]
        if mixed:
            raise self.error(
                f"the index '{mixed[0].value}' is compared with a value",
                node.span,
                "Compare indices with indices, as in [i==j], or values, as in [z[i] > 0].",
            )
        return False

    def _index_like(self, node: Node) -> bool:
        """True for integers, indices, sizes and what + - * // make of them."""
        if node.kind == "number":
            return isinstance(node.value, Fraction) and node.value.denominator == 1
        if node.kind == "name":
            return node.value in self.scope or node.value not in self.symbols
        if node.kind in ("unary", "binary"):
            operators = ("+", "-", "*", "//", "**", "^")
            return node.value in operators and all(map(self._index_like, node.children))
        return False

    def comparison(self, node: Node) -> Plan:
        sides = compared_sides(node)
        relations = compared_relations(node)
        plans = [self.index(s) for s in sides]
        for first, second, relation in zip(sides, sides[1:], relations, strict=False):
            if relation == "==":
                self.pair([first, second])

        def build() -> Expr:
            indices = [p() for p in plans]
            pairs = zip(indices, indices[1:], relations, strict=False)
            factors = [_relation(r, x, y) for x, y, r in pairs]
            if ZERO in factors and "==" in relations:
                # An index never reaches its own size: the size was meant as an index.
                for side in sides:
                    if side.kind == "name" and side.value not in self.scope:
                        raise self.unbound(side)
            return b.mul(*factors)

        return build

    def index(self, node: Node) -> IndexPlan:
        """An affine index."""
        if node.kind == "number":
            value = Index.of(self._integer(node))
            return lambda: value
        if node.kind == "name":
            return self._name(node)
        if node.kind == "unary":
            inner = self.index(node.children[0])
            return lambda: -inner()
        if node.kind == "binary" and node.value in ("+", "-"):
            left, right = (self.index(c) for c in node.children)
            sign = 1 if node.value == "+" else -1
            return lambda: left() + right() * sign
        if node.kind == "binary" and node.value == "*":
            return self._scaled_index(node)
        if node.kind == "binary" and node.value == "//":
            inner, divisor = self.index(node.children[0]), self.size(node.children[1])
            self._forbid_shift(node)
            return lambda: floor_divide(inner(), divisor)
        if node.kind == "binary" and node.value in ("**", "^"):
            power = Index.of(self.size(node))
            return lambda: power
        raise self.error(
            "expected an index",
            node.span,
            "An index is a letter, or a sum such as 2*i + 1 of letters, integers and sizes.",
        )

    def _name(self, node: Node) -> IndexPlan:
        name = str(node.value)
        letter = self.scope.get(name)
        if letter is not None:
            return letter.index
        if name in self.sizes:
            size = Index.of(Size.named(name))
            return lambda: size
        raise self.unbound(node)

    def unbound(self, node: Node) -> NotationError:
        name = str(node.value)
        also = (
            f" ('{name}' is a size; entry number {name} is {name}+0)" if name in self.sizes else ""
        )
        return self.error(
            f"the index '{name}' is not bound{also}",
            node.span,
            f"Name it on the left, as in J[i,{name}] = ..., or sum over it: sum({name}, ...).",
        )

    def _scaled_index(self, node: Node) -> IndexPlan:
        first, second = node.children
        if any(n.value in self.scope for n in names_in(first)):
            first, second = second, first
        if any(n.value in self.scope for n in names_in(first)):
            raise self.error("a product of two indices", node.span, "An index has integer factors.")
        factor, inner = self.size(first), self.index(second)
        self._forbid_shift(node)
        return lambda: inner() * factor

    def _forbid_shift(self, node: Node) -> None:
        for name in names_in(node):
            letter = self.scope.get(str(name.value))
            if letter is not None and letter.from_one:
                raise self.error(
                    f"the sum over '{letter.name}' starts at 1, but entries are counted from 0",
                    node.span,
                    "Write the sum from 0, as in Σ_{m=0}^{n-1}.",
                )

    def _integer(self, node: Node) -> int:
        if not isinstance(node.value, Fraction) or node.value.denominator != 1:
            raise self.error("an index is an integer", node.span)
        if node.value > 10_000_000:
            raise self.error("the index is too large", node.span)
        return int(node.value)

    def size(self, node: Node) -> Size:
        if node.kind == "unary" and node.value == "-":
            return -self.size(node.children[0])
        return Lowering(self.text, self.symbols, self.sizes).size(node)

    def error(self, message: str, span: Span, hint: str = "") -> NotationError:
        """A notation error at a place."""
        return NotationError(message, text=self.text, span=span, hint=hint)

    def shown(self, node: Node) -> str:
        shown = self.text[node.span.start : node.span.end]
        return shown if len(shown) <= 40 else shown[:37] + "..."


def _relation(relation: str, left: Index, right: Index) -> Expr:
    """The indicator of a comparison of two indices."""
    if relation == "==":
        return b.delta(left, right)
    if relation == "!=":
        return b.sub(ONE, b.delta(left, right))
    if relation in (">", ">="):
        left, right = right, left
    return b.bracket("<=", left - right + (1 if relation in ("<", ">") else 0))
