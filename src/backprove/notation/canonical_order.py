"""An order of bound axes that depends on the structure alone, not on their names.

Axes are told apart by colours that are refined until nothing changes; ties are broken by trying
each member of the first tied group and keeping the least outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprove.notation.axes import Axis, Index, stable_hash
from backprove.notation.effort import spend
from backprove.notation.expressions import Add, Bind, Bracket, Expr, Mul, Ref, Sum, Test


def canonical_order(axes: Sequence[Axis], body: Expr) -> list[Axis]:
    """Bound axes in an order that depends on the structure alone, not on their names."""
    axes = list(axes)
    if len(axes) == 1:
        return axes
    colours = {a: stable_hash("size", hash(a.size)) for a in axes}
    colours = _refine(axes, body, colours)
    return _break_ties(axes, body, colours, budget=[48])


def _refine(axes: list[Axis], body: Expr, colours: dict[Axis, int]) -> dict[Axis, int]:
    for _ in range(len(axes)):
        new = {
            a: stable_hash(colours[a], coloured_hash(body, {**colours, a: -1 - colours[a]}, {}))
            for a in axes
        }
        stable = len(set(new.values())) == len(set(colours.values()))
        colours = new
        if stable or len(set(new.values())) == len(axes):
            break
    return colours


def _break_ties(
    axes: list[Axis], body: Expr, colours: dict[Axis, int], budget: list[int]
) -> list[Axis]:
    by_colour: dict[int, list[Axis]] = {}
    for a in axes:
        by_colour.setdefault(colours[a], []).append(a)
    tied = [group for _, group in sorted(by_colour.items()) if len(group) > 1]
    if not tied:
        return sorted(axes, key=lambda a: colours[a])
    best: tuple[int, list[Axis]] | None = None
    for chosen in tied[0]:
        if budget[0] <= 0 and best is not None:
            break
        budget[0] -= 1
        marked = _refine(axes, body, {**colours, chosen: stable_hash("first", colours[chosen])})
        order = _break_ties(axes, body, marked, budget)
        rank = coloured_hash(body, {a: p + 1 for p, a in enumerate(order)}, {})
        if best is None or rank < best[0]:
            best = (rank, order)
    assert best is not None
    return best[1]


def coloured_hash(expr: Expr, colours: Mapping[Axis, int], memo: dict[Expr, int]) -> int:
    """A structural hash in which the given axes count by their colour only."""
    if expr.axes.isdisjoint(colours):
        return expr.key
    known = memo.get(expr)
    if known is not None:
        return known
    spend(2)
    match expr:
        case Ref():
            parts = [_coloured_index(i, colours) for i in expr.at]
            if expr.array.domain in ("symmetric", "spd"):
                parts.sort()
            known = stable_hash("ref", expr.array.key, *parts)
        case Bracket():
            known = stable_hash("bracket", expr.relation, _coloured_index(expr.index, colours))
        case Test():
            known = stable_hash("test", expr.relation, coloured_hash(expr.value, colours, memo))
        case Mul():
            parts = [
                stable_hash(coloured_hash(b, colours, memo), e.numerator, e.denominator)
                for b, e in expr.factors
            ]
            lead = (expr.coefficient.numerator, expr.coefficient.denominator)
            known = stable_hash("mul", *lead, *sorted(parts))
        case Add():
            parts = [
                stable_hash(coloured_hash(t, colours, memo), c.numerator, c.denominator)
                for t, c in expr.terms
            ]
            lead = (expr.constant.numerator, expr.constant.denominator)
            known = stable_hash("add", *lead, *sorted(parts))
        case Sum():
            # Inner bound axes take part by their own keys; ties among them are left to chance.
            known = stable_hash(
                "sum", _coloured_binder(expr, colours), *sorted(a.key for a in expr.bound)
            )
        case Bind():
            parts = [_coloured_index(i, colours) for i in expr.at]
            if (
                expr.kind == "inv"
                and isinstance(expr.body, Ref)
                and expr.body.array.domain == "spd"
            ):
                parts.sort()
            known = stable_hash("bind", expr.kind, _coloured_binder(expr, colours), *parts)
        case _:
            parts = [coloured_hash(c, colours, memo) for c in expr.children()]
            known = stable_hash(type(expr).__name__, getattr(expr, "name", ""), *parts)
    memo[expr] = known
    return known


def _coloured_binder(expr: Sum | Bind, colours: Mapping[Axis, int]) -> int:
    return coloured_hash(expr.body, colours, {})


def _coloured_index(index: Index, colours: Mapping[Axis, int]) -> int:
    if index.axes.isdisjoint(colours):
        return index.key
    parts = []
    for atom, coefficient in index.terms:
        if isinstance(atom, Axis):
            colour = stable_hash("colour", colours[atom]) if atom in colours else atom.key
        else:
            colour = stable_hash("floor", _coloured_index(atom.index, colours), hash(atom.divisor))
        parts.append(stable_hash(colour, hash(coefficient)))
    return stable_hash("index", hash(index.offset), *sorted(parts))


def only_renames(expr: Sum | Bind, mapping: Mapping[Axis, Index]) -> bool:
    """True if a binder keeps its canonical form: other names for its axes, and no ties to order.

    Such a binder need not be opened and closed again. Doing that at every level of a nest of
    binders would cost time exponential in its depth.
    """
    if isinstance(expr, Sum) and len(expr.bound) > 1:
        return False
    if isinstance(expr, Bind) and expr.kind == "inv":
        return False
    taken = set(expr.axes).difference(mapping)
    for axis in expr.axes.intersection(mapping):
        other = mapping[axis].axis
        if other is None or other.size != axis.size or other in taken:
            return False
        taken.add(other)
    return True
