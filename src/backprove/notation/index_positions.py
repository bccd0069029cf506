"""Positions in index formulas: what an index runs along, its range, and where it may end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprove.errors import ShapeError
from backprove.notation import building as b
from backprove.notation.axes import Index, Size, nonnegative
from backprove.notation.expressions import BINDERS, Array
from backprove.notation.index_scope import IndexPlan, IndexScope, Letter, Plan
from backprove.notation.index_tree import names_in
from backprove.notation.syntax import Node


class PositionReader(IndexScope):
    """Reads subscripts and the letters that sums bind.

    Attributes:
        guards: for each product around the current place, the names that its brackets guard.
    """

    def __init__(self, text: str, symbols: Mapping[str, Array], sizes: set[str]) -> None:
        super().__init__(text, symbols, sizes)
        self.guards: list[set[str]] = []

    def position(self, item: Node, size: Size, base: Node) -> IndexPlan:
        """The index at which an axis of the given size is read."""
        if item.kind == "slice":
            raise self.error(
                "a slice beside an index is not supported", item.span, "Name the index."
            )
        letter = self.scope.get(str(item.value)) if item.kind == "name" else None
        if letter is not None:
            self._use(letter, size, item, base)
            return letter.index
        if item.kind == "name":
            raise self.unbound(item)
        if item.kind == "unary" and item.children[0].kind == "number":
            plan = self.index(item)
            return lambda: plan() + size
        plan = self.index(item)
        guarded = any(self._guarded(str(n.value)) for n in names_in(item))

        def build() -> Index:
            index = plan()
            if not guarded and _surely_outside(index, size):
                raise ShapeError(
                    f"the index {self.shown(item)} leaves the axis of size {size} "
                    f"of '{self.shown(base)}'",
                    text=self.text,
                    span=item.span,
                    hint="Entries are counted from 0; guard it by a bracket such as [i<n-1].",
                )
            return index

        return build

    def _guarded(self, name: str) -> bool:
        """True if a bracket such as ``[i==j]`` is 0 where the index leaves an axis."""
        return any(name in names for names in self.guards)

    def _use(self, letter: Letter, size: Size, item: Node, base: Node) -> None:
        here = f"'{self.shown(base)}'"
        if letter.size is None and self._guarded(letter.name):
            letter.guarded_sizes.setdefault(size, item.span)
        elif letter.size is None:
            letter.size, letter.origin = size, f"in {here}"
        elif letter.size != size and not self._guarded(letter.name) and not _narrower(letter, size):
            raise ShapeError(
                f"the index '{letter.name}' runs along an axis of size {letter.size} "
                f"{letter.origin} and along one of size {size} in {here}",
                text=self.text,
                span=item.span,
                hint="An index keeps one size; use another letter, or exchange the indices.",
            )

    def delta(self, node: Node, items: list[Node]) -> Plan:
        """A product of deltas, ``δ[j,k]``."""
        if len(items) < 2:
            raise self.error("a delta needs at least two indices", node.span, "Write δ[j,k].")
        plans = [self.index(i) for i in items]
        self.pair(items)
        return lambda: b.mul(*(b.delta(plans[0](), p()) for p in plans[1:]))

    def entry_of_slice(
        self, node: Node, kind: str, letters: Sequence[Letter], items: Sequence[Node]
    ) -> list[IndexPlan]:
        """The indices behind a function of a slice, as in ``softmax_{m}(z[m])[i]``."""
        needed = BINDERS.get(kind, 0)
        several = kind in ("softmax", "argmax") and len(items) == len(letters)
        needed = len(letters) if needed < 0 or several else needed
        if len(items) != needed or (needed and needed != len(letters)):
            raise self.error(
                f"'{kind}' over {len(letters)} indices has {needed} after it, not {len(items)}",
                node.span,
                f"Write {kind}_{{m}}(z[m])" + ("[i]." if needed == 1 else "."),
            )
        sizes = [letter.size for letter in letters if letter.size is not None]
        return [self.position(i, s, node) for i, s in zip(items, sizes, strict=False)]

    def bind(self, binders: Sequence[Node]) -> list[Letter]:
        """The letters of a sum, with their ranges if these are written."""
        letters: list[Letter] = []
        for binder in binders:
            name = str(binder.value)
            if name in self.scope or any(letter.name == name for letter in letters):
                raise self.error(
                    f"the index '{name}' is already in use",
                    binder.span,
                    "A sum needs a letter of its own.",
                )
            letter = Letter(name, binder.span)
            if binder.children:
                letter.size, letter.origin = self._range(binder, letter), "of the sum"
            letters.append(letter)
        return letters

    def _range(self, binder: Node, letter: Letter) -> Size:
        """The number of values of ``m<n`` or ``m=1..n``."""
        *low, high = binder.children
        if not low:
            return self.size(high)
        start = self.size(low[0])
        if start.constant not in (0, 1):
            raise self.error("a sum starts at 0 or 1", low[0].span)
        letter.from_one = start == 1
        return self.size(high) if letter.from_one else self.size(high) + 1


def _narrower(letter: Letter, size: Size) -> bool:
    """True if the stated range of an index is surely shorter than the axis, as in ``m<n-1``."""
    stated = letter.origin in ("of the sum", "on the left") and letter.size is not None
    return stated and nonnegative(size - Size.of(letter.size or 0))


def _surely_outside(index: Index, size: Size) -> bool:
    """True if some value of the index is outside of the axis at all sizes."""
    limits = index.bounds()
    if limits is None or index.weight:  # the bounds of floors need not be reached
        return False
    return _nonnegative(limits[1] - size) or _nonnegative(-1 - limits[0])


def _nonnegative(size: Size) -> bool:
    return Index.of(size).surely_within(size + 1)
