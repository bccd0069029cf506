"""Code for index forms: every node becomes an array whose axes are the node's free axes.

Products over shared indices become einsum calls, deltas identity matrices, other conditions on
indices comparisons of index grids. A node that is used twice, or whose text grows long, becomes a
temporary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.calculus.code_writer import ATOM, POWER, PRODUCT, SUM, Text, Writer, number
from backprove.notation.axes import Axis, Floor, Index, Size
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
from backprove.notation.index_writing import sides_of

_LONG = 56
_LETTERS = "ijklmnopqrstuvwxyzabcdefghIJKLMNOPQRSTUVWXYZABCDEFGH"


@dataclass(frozen=True)
class Piece:
    """Printed code of an array, and the axis that each of its dimensions stands for."""

    axes: tuple[Axis, ...]
    text: Text


@dataclass
class IndexCode:
    """Prints index forms.

    Attributes:
        writer: takes the statements.
        assumed: sizes known to be >= 0, from the slices of the expression.
    """

    writer: Writer
    assumed: frozenset[Size] = frozenset()
    _memo: dict[Expr, Piece] = field(default_factory=dict)
    _uses: dict[Expr, int] = field(default_factory=dict)

    def tensor(self, tensor: Tensor) -> str:
        """The text of the dense array of a tensor; statements before it go to the writer."""
        self._count(tensor.body)
        piece = self._wanted(tensor.body, tensor.axes)
        shape = [a.size for a in tensor.axes]
        if piece.text.python:
            return self.writer.full(shape, piece.text.text).text
        shown = self._spread(piece, tensor.axes)
        if set(piece.axes) == set(tensor.axes):
            return shown.text
        alias = self.writer.target.alias
        return f"{alias}.broadcast_to({shown.text}, {self.writer.shape(shape)})"

    def _count(self, root: Expr) -> None:
        """How often each node is used by others; a temporary pays from two on."""
        seen: set[Expr] = set()
        stack = [root]
        while stack:
            expr = stack.pop()
            if expr in seen:
                continue
            seen.add(expr)
            for child in expr.children():
                self._uses[child] = self._uses.get(child, 0) + 1
                stack.append(child)

    # --- nodes ------------------------------------------------------------------------------

    def piece(self, expr: Expr) -> Piece:
        """The array of a node."""
        known = self._memo.get(expr)
        if known is None:
            known = self._compute(expr, ())
            text = known.text.text
            simple = isinstance(expr, (Num, Named)) or text.replace("_", "").isalnum()
            if not simple and not known.text.python:
                if len(text) > _LONG or self._uses.get(expr, 0) > 1:
                    known = Piece(known.axes, Text(self.writer.temporary(text)))
            self._memo[expr] = known
        return known

    def _wanted(self, expr: Expr, axes: tuple[Axis, ...]) -> Piece:
        """The array of a node that is used once, with its axes in the order of ``axes``."""
        known = self._memo.get(expr)
        return known if known is not None else self._compute(expr, axes)

    def _compute(self, expr: Expr, wanted: tuple[Axis, ...]) -> Piece:
        match expr:
            case Num():
                return Piece((), number(expr.value))
            case Named():
                return Piece((), self._named(expr))
            case Ref():
                return self._gather(Text(self.writer.names[expr.array]), expr.array, expr.at)
            case Bracket():
                return self._bracket(expr)
            case Test():
                condition = self._condition(expr)
                return Piece(condition.axes, self.writer.indicator(condition.text))
            case Add():
                return self._add(expr, wanted)
            case Mul():
                return self._product(list(expr.factors), expr.coefficient, (), wanted)
            case Sum():
                return self._sum(expr, wanted)
            case Fn():
                parts = [self.piece(a) for a in expr.args]
                axes = _union(parts)
                return Piece(
                    axes, self.writer.call(expr.name, *(self._spread(p, axes) for p in parts))
                )
            case Where():
                return self._where(expr)
            case Bind():
                return self._bind(expr)
        raise TypeError(type(expr).__name__)

    def _named(self, expr: Named) -> Text:
        if expr.kind == "constant":
            return Text(f"{self.writer.target.alias}.{expr.name}", python=True)
        return self.writer.named_size(expr.name)

    # --- sums and products ------------------------------------------------------------------

    def _add(self, expr: Add, wanted: tuple[Axis, ...]) -> Piece:
        parts: list[tuple[Fraction, Piece]] = []
        for term, coefficient in expr.terms:
            shared = self._uses.get(term, 0) > 1 or not wanted
            if shared:
                parts.append((coefficient, self.piece(term)))
            else:
                piece = self._wanted(term, wanted)
                if len(piece.text.text) > _LONG and not piece.text.python:
                    piece = Piece(piece.axes, Text(self.writer.temporary(piece.text.text)))
                parts.append((coefficient, piece))
        parts.sort(key=lambda part: part[0] < 0)
        axes = _union([p for _, p in parts])
        if set(axes) <= set(wanted):
            axes = tuple(a for a in wanted if a in axes)
        shown = ""
        for coefficient, part in parts:
            shown = _append(shown, coefficient, self._spread(part, axes))
        if expr.constant:
            shown = _append(shown, expr.constant, None)
        return Piece(axes, Text(shown, SUM, python=all(p.text.python for _, p in parts)))

    def _sum(self, expr: Sum, wanted: tuple[Axis, ...]) -> Piece:
        body = expr.body
        if isinstance(body, Mul) and len(body.factors) > 1:
            return self._product(list(body.factors), body.coefficient, expr.bound, wanted)
        piece = self.piece(body)
        kept = tuple(a for a in piece.axes if a not in expr.bound)
        positions = [k for k, a in enumerate(piece.axes) if a in expr.bound]
        option = (
            "" if not kept else f"axis={positions[0] if len(positions) == 1 else (*positions,)}"
        )
        return Piece(kept, Text(f"{piece.text.within(ATOM)}.sum({option})"))

    def _product(
        self,
        factors: list[tuple[Expr, Fraction]],
        coefficient: Fraction,
        bound: tuple[Axis, ...],
        wanted: tuple[Axis, ...],
    ) -> Piece:
        parts = [(self.piece(base), exponent) for base, exponent in factors]
        parts.sort(
            key=lambda part: part[0].text.text[:1] in "(123456789" or "eye" in part[0].text.text
        )
        arrays = [(p, e) for p, e in parts if p.axes]
        scalars = [(p, e) for p, e in parts if not p.axes]
        axes = _union([p for p, _ in arrays])
        if len({frozenset(p.axes) for p, _ in arrays}) <= 1 and not bound:
            return self._entrywise(arrays + scalars, axes, coefficient)
        kept = tuple(a for a in axes if a not in bound)
        if set(kept) <= set(wanted):
            kept = tuple(a for a in wanted if a in kept)
        contracted = Piece(kept, self._einsum(arrays, kept))
        if not scalars and coefficient == 1:
            return contracted
        return self._entrywise([*scalars, (contracted, Fraction(1))], kept, coefficient)

    def _einsum(self, arrays: list[tuple[Piece, Fraction]], kept: tuple[Axis, ...]) -> Text:
        letters: dict[Axis, str] = {}
        for axis in (*kept, *_union([p for p, _ in arrays])):
            letters.setdefault(axis, _LETTERS[len(letters)])
        terms = ",".join("".join(letters[a] for a in p.axes) for p, _ in arrays)
        out = "".join(letters[a] for a in kept)
        shown = ", ".join(_power(p.text, e).text for p, e in arrays)
        target = self.writer.target
        options = ", optimize=True" if target.name == "numpy" and len(arrays) > 2 else ""
        return Text(f'{target.alias}.einsum("{terms}->{out}", {shown}{options})')

    def _entrywise(
        self, parts: list[tuple[Piece, Fraction]], axes: tuple[Axis, ...], coefficient: Fraction
    ) -> Piece:
        texts = [(self._spread(p, axes), e) for p, e in parts]
        top = [self._root(t, e) for t, e in texts if e > 0]
        bottom = [self._root(t, -e) for t, e in texts if e < 0]
        python = all(t.python for t, _ in texts)
        if len(top) == 1 and not bottom and coefficient == 1:
            return Piece(axes, Text(top[0].text, top[0].strength, python))
        lead = "-" if coefficient == -1 and top else ""
        size = number(abs(coefficient))
        if abs(coefficient) != 1 or not top:
            top.insert(0, size if size.strength != PRODUCT else Text(f"({size.text})", ATOM))
        shown = " * ".join(t.within(PRODUCT) for t in top)
        if coefficient < 0 and not lead:
            lead = "-"
        shown = lead + shown + "".join(f" / {t.within(POWER)}" for t in bottom)
        return Piece(axes, Text(shown, PRODUCT, python))

    def _root(self, base: Text, exponent: Fraction) -> Text:
        if exponent.denominator == 2 and not base.python:
            root = self.writer.call("sqrt", base)
            return _power(root, Fraction(exponent.numerator))
        return _power(base, exponent)

    # --- conditions and indices -------------------------------------------------------------

    def _condition(self, expr: Expr) -> Piece:
        """A condition as a boolean array."""
        if isinstance(expr, Test):
            inner = self.piece(expr.value)
            text = f"{inner.text.within(SUM)} {expr.relation} 0"
            return Piece(inner.axes, Text(text, -1, inner.text.python))
        if isinstance(expr, Bracket):
            sides = [self._index(i) for i in sides_of(expr.index)]
            axes = _union(sides)
            left, right = (self._spread(s, axes).text for s in sides)
            return Piece(axes, Text(f"{left} {expr.relation} {right}", -1, not axes))
        inner = self.piece(expr)
        return Piece(inner.axes, Text(f"{inner.text.text} != 0", -1, inner.text.python))

    def _bracket(self, expr: Bracket) -> Piece:
        terms = expr.index.terms
        if expr.relation == "==" and len(terms) == 2 and not expr.index.offset.terms:
            (first, c1), (second, c2) = terms
            if isinstance(first, Axis) and isinstance(second, Axis) and first.size == second.size:
                if c1.constant in (1, -1) and c2.constant == -c1.constant:
                    return Piece((first, second), self.writer.eye(first.size))
        condition = self._condition(expr)
        return Piece(condition.axes, self.writer.indicator(condition.text))

    def _index(self, index: Index) -> Piece:
        """The values of an index over the grid of its axes."""
        parts: list[tuple[Size, Piece]] = []
        for atom, coefficient in index.terms:
            if isinstance(atom, Floor):
                inner = self._index(atom.index)
                divisor = self.writer.size(atom.divisor).within(POWER)
                text = Text(f"{inner.text.within(PRODUCT)} // {divisor}", PRODUCT)
                parts.append((coefficient, Piece(inner.axes, Text(f"({text.text})"))))
            else:
                parts.append((coefficient, Piece((atom,), self.writer.arange(atom.size))))
        parts.sort(key=lambda part: part[0].constant is not None and part[0].constant < 0)
        axes = _union([p for _, p in parts])
        shown = ""
        for coefficient, part in parts:
            text = self._spread(part, axes)
            constant = coefficient.constant
            if constant is not None:
                shown = _append(shown, Fraction(constant), text)
            else:
                product = Text(
                    f"{self.writer.size(coefficient).within(ATOM)} * {text.text}", PRODUCT
                )
                shown = _append(shown, Fraction(1), product)
        if index.offset.terms or not parts:
            shown = _append_size(shown, self.writer, index.offset)
        single = len(parts) == 1 and not index.offset.terms and parts[0][0] == 1
        return Piece(axes, Text(shown, ATOM if single else SUM, python=not parts))

    def _within(self, index: Index, size: Size) -> bool:
        if index.surely_within(size):
            return True
        limits = index.bounds()
        if limits is None:
            return False
        low, high = limits
        lower = low.surely_nonnegative() or low in self.assumed
        gap = size - 1 - high
        return lower and (gap.surely_nonnegative() or gap in self.assumed)

    def _gather(self, whole: Text, array: Array | None, at: Sequence[Index], shape=None) -> Piece:  # type: ignore[no-untyped-def]
        """Entries of an array at indices; positions outside are cut to the edge (and guarded)."""
        shape = shape if array is None else array.shape
        if not shape:
            return Piece((), whole)
        plain = [i.axis for i in at]
        distinct = len(set(plain)) == len(plain)
        if distinct and all(
            a is not None and a.size == s for a, s in zip(plain, shape, strict=True)
        ):
            return Piece(tuple(a for a in plain if a is not None), whole)
        slices = self._slices(at, shape)
        if slices is not None:
            axes, shown = slices
            return Piece(axes, Text(f"{whole.within(ATOM)}[{', '.join(shown)}]"))
        parts = [self._position(i, s) for i, s in zip(at, shape, strict=True)]
        axes = _union(parts)
        listed = [self._spread(p, axes).text for p in parts]
        return Piece(axes, Text(f"{whole.within(ATOM)}[{', '.join(listed)}]"))

    def _position(self, index: Index, size: Size) -> Piece:
        piece = self._index(index)
        if self._within(index, size):
            return piece
        last = self.writer.size(size - 1).text
        if not piece.axes:
            return Piece((), Text(f"min(max({piece.text.text}, 0), {last})", python=True))
        return Piece(
            piece.axes, Text(f"{self.writer.target.alias}.clip({piece.text.text}, 0, {last})")
        )

    def _slices(
        self, at: Sequence[Index], shape: Sequence[Size]
    ) -> tuple[tuple[Axis, ...], list[str]] | None:
        """Positions and slices, if every index is one of the two and surely inside."""
        axes: list[Axis] = []
        shown: list[str] = []
        for index, size in zip(at, shape, strict=True):
            if not self._within(index, size):
                return None
            if not index.terms:
                shown.append(self.writer.size(index.offset).text)
                continue
            axis, step = index.terms[0]
            if len(index.terms) > 1 or not isinstance(axis, Axis) or axis in axes:
                return None
            if step.constant is None or step.constant < 1:
                return None
            axes.append(axis)
            shown.append(self._slice_text(index.offset, axis.size, step.constant, size))
        return tuple(axes), shown

    def _slice_text(self, start: Size, length: Size, step: int, size: Size) -> str:
        stop = start + (length - 1) * step + 1
        begin = "" if start == 0 else self.writer.size(start).text
        end = "" if stop == size else self.writer.size(stop).text
        return f"{begin}:{end}" + (f":{step}" if step != 1 else "")

    # --- choices and slices -----------------------------------------------------------------

    def _where(self, expr: Where) -> Piece:
        parts = [self._condition(expr.condition), self.piece(expr.yes), self.piece(expr.no)]
        axes = _union(parts)
        condition, yes, no = (self._spread(p, axes) for p in parts)
        both = condition.python and yes.python and no.python
        if yes.python and not both:
            yes = Text(self.writer.array(yes))
        if no.python and not both:
            no = Text(self.writer.array(no))
        if condition.python:
            shown = f"({yes.text} if {condition.text} else {no.text})"
            return Piece(axes, Text(shown, python=both))
        alias = self.writer.target.alias
        return Piece(axes, Text(f"{alias}.where({condition.text}, {yes.text}, {no.text})"))

    def _bind(self, expr: Bind) -> Piece:
        inner = self.piece(expr.body)
        free = tuple(a for a in inner.axes if a not in expr.bound)
        order = (*free, *expr.bound)
        text = self._spread(inner, order)
        if set(inner.axes) != set(order):
            text = Text(self.writer.array(text)) if text.python else text
            shape = self.writer.shape(a.size for a in order)
            text = Text(f"{self.writer.target.alias}.broadcast_to({text.text}, {shape})")
        last = tuple(range(-len(expr.bound), 0))
        result = self.writer.slices(expr.kind, text.text, last)
        if not expr.at:
            return Piece(free, result)
        at = [*map(Index.of, free), *expr.at]
        own = expr.bound if len(expr.at) > 1 or len(expr.bound) == 1 else expr.bound[:1]
        shape = [*(a.size for a in free), *(a.size for a in own)]
        return self._gather(result, None, at, shape)

    def _spread(self, piece: Piece, axes: tuple[Axis, ...]) -> Text:
        """The text so that it broadcasts against an array over ``axes``."""
        if piece.axes == axes or not piece.axes:
            return piece.text
        wanted = [a for a in axes if a in piece.axes]
        text = piece.text
        order = [piece.axes.index(a) for a in wanted]
        if order != sorted(order):
            text = self._transposed(text, order)
        start = axes.index(wanted[0])
        shown = [":" if a in wanted else "None" for a in axes[start:]]
        if "None" not in shown:
            return text
        return Text(f"{text.within(ATOM)}[{', '.join(shown)}]")

    def _transposed(self, text: Text, order: list[int]) -> Text:
        if len(order) == 2:
            return Text(f"{text.within(ATOM)}.T")
        if self.writer.target.torch:
            return Text(f"{text.within(ATOM)}.permute({', '.join(map(str, order))})")
        return Text(f"{text.within(ATOM)}.transpose({', '.join(map(str, order))})")


def _append(shown: str, coefficient: Fraction, term: Text | None) -> str:
    """One more summand; ``None`` stands for 1."""
    size = number(abs(coefficient))
    if term is None:
        piece = size.text
    elif abs(coefficient) == 1:
        piece = term.within(PRODUCT)
    else:
        piece = f"{size.within(POWER)} * {term.within(POWER)}"
    if not shown:
        return f"-{piece}" if coefficient < 0 else piece
    return f"{shown} {'-' if coefficient < 0 else '+'} {piece}"


def _append_size(shown: str, writer: Writer, offset: Size) -> str:
    if not shown:
        return writer.size(offset).text
    if all(c < 0 for _, c in offset.terms):
        return f"{shown} - {writer.size(-offset).within(PRODUCT)}"
    return f"{shown} + {writer.size(offset).within(PRODUCT)}"


def _power(base: Text, exponent: Fraction) -> Text:
    if exponent == 1:
        return base
    if base.text == "0" and exponent < 0:
        return Text('float("inf")', ATOM, python=True)
    if exponent < 0:
        below = _power(base, -exponent)
        return Text(f"1 / {below.within(POWER)}", PRODUCT, base.python)
    shown = number(exponent)
    return Text(f"{base.within(ATOM)} ** {shown.within(POWER)}", POWER, base.python)


def _union(parts: Sequence[Piece]) -> tuple[Axis, ...]:
    """All axes of the parts; the longest part gives the order."""
    ordered = sorted(parts, key=lambda p: -len(p.axes))
    return tuple(dict.fromkeys(a for p in ordered for a in p.axes))


__all__ = ["IndexCode", "Piece"]
