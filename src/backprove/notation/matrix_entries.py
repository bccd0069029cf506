"""Entries of arrays and conditions on indices in matrix form: slices, diagonals, identities."""

from __future__ import annotations

from dataclasses import dataclass

from backprove.notation import building as b
from backprove.notation import matrix_terms as mt
from backprove.notation.axes import Axis, Index, Size, nonnegative
from backprove.notation.expressions import Bracket, Ref
from backprove.notation.index_writing import size_latex
from backprove.notation.matrix_terms import Term


class NoMatrixForm(Exception):
    """Raised while a matrix form is searched for, with the reason."""


@dataclass(frozen=True)
class Placed:
    """A printed term and the axes of its array, in order."""

    term: Term
    axes: tuple[Axis, ...]


def reference(expr: Ref) -> Placed:
    """An array, its diagonal, or slices of it."""
    plain = [i.axis for i in expr.at]
    name = mt.atom(
        expr.array.name, kind="symmetric" if expr.array.domain in ("symmetric", "spd") else "atom"
    )
    full = all(a is not None and a.size == s for a, s in zip(plain, expr.array.shape, strict=True))
    if full and len(set(plain)) == len(plain):
        return Placed(name, tuple(a for a in plain if a is not None))
    if full and len(plain) == 2:
        (axis, _) = plain
        return Placed(mt.call("diag", name, kind="diagonal"), (axis,) if axis else ())
    return _sliced(expr, name)


def _sliced(expr: Ref, name: Term) -> Placed:
    axes: list[Axis] = []
    shown: list[str] = []
    for index, size in zip(expr.at, expr.array.shape, strict=True):
        if not _may_lie_within(index, size):
            raise NoMatrixForm(f"an index of {expr.array.name} leaves it at some entries")
        if not index.terms:
            shown.append(str(index.offset))
            continue
        axis, step = index.terms[0]
        if len(index.terms) != 1 or not isinstance(axis, Axis):
            raise NoMatrixForm(f"an index of {expr.array.name} is no slice")
        if axis in axes or step.constant is None:
            raise NoMatrixForm(f"an index of {expr.array.name} is no slice")
        axes.append(axis)
        shown.append(_slice_text(index, axis, step.constant, size))
    listed = ", ".join(shown)
    return Placed(Term(f"{name.text}[{listed}]", f"{name.latex}[{listed}]"), tuple(axes))


def _may_lie_within(index: Index, size: Size) -> bool:
    """False if the index leaves an axis, whatever the expression assumes of its sizes.

    An entry such as ``x[2]`` assumes that ``d - 3`` is not negative, so a size less a number counts
    as enough room; ``-k`` does not: NumPy would count such a position from the end.
    """
    limits = index.bounds()
    if limits is None:
        return False
    low, high = limits
    return all(
        nonnegative(room) or (len(room.terms) > 1 and nonnegative(room - _number_in(room)))
        for room in (low, size - 1 - high)
    )


def _number_in(size: Size) -> int:
    return dict(size.terms).get((), 0)


def _slice_text(index: Index, axis: Axis, step: int, size: Size) -> str:
    start = index.offset
    if step > 0:
        stop = start + (axis.size - 1) * step + 1
        begin = "" if start == 0 else str(start)
        whole = (size - start + (step - 1)).floor_divide(step) == axis.size
        end = "" if stop == size or whole else str(stop)
        return f"{begin}:{end}" + (f":{step}" if step != 1 else "")
    last = start + (axis.size - 1) * step
    begin = "" if start == size - 1 else str(start)
    end = "" if last == 0 else str(last - 1)
    if last != 0 and last.constant is None:
        raise NoMatrixForm("a slice that runs backwards to a symbolic end")
    return f"{begin}:{end}:{step}"


def condition(expr: Bracket) -> Placed:
    """An identity, rows of one, or a triangle of ones."""
    terms = expr.index.terms
    if len(terms) == 2 and all(isinstance(a, Axis) for a, _ in terms):
        (first, c1), (second, c2) = terms
        assert isinstance(first, Axis)
        assert isinstance(second, Axis)
        opposite = c1.constant in (1, -1) and c2.constant == -(c1.constant or 0)
        if opposite and first.size == second.size:
            size, offset = first.size, expr.index.offset
            if expr.relation == "==" and offset == 0:
                latex = f"I_{{{size_latex(size)}}}"
                return Placed(Term(f"eye({size})", latex, kind="eye"), (first, second))
            if expr.relation == "<=" and offset.constant is not None:
                # first - second + offset <= 0 keeps column >= row + offset: an upper triangle.
                rows, columns = (first, second) if c1.constant == 1 else (second, first)
                shift = f", k={offset}" if offset.constant else ""
                text = f"triu(ones(({size}, {size})){shift})"
                shown = size_latex(size)
                ones = rf"\mathbf{{1}}_{{{shown} \times {shown}}}"
                latex = rf"\operatorname{{triu}}\left({ones}{shift}\right)"
                return Placed(Term(text, latex), (rows, columns))
    selection = _selected_rows(expr)
    if selection is not None:
        return selection
    raise NoMatrixForm("a condition on indices has no matrix form")


def _selected_rows(expr: Bracket) -> Placed | None:
    """A delta such as [j = i + 1] as rows of the identity, ``eye(n)[1:]``."""
    if expr.relation != "==" or not all(isinstance(a, Axis) for a, _ in expr.index.terms):
        return None
    for column, coefficient in expr.index.terms:
        if coefficient.constant not in (1, -1) or not isinstance(column, Axis):
            continue
        row = b.solve(expr.index, column)
        if not row.surely_within(column.size):
            continue
        eye = f"eye({column.size})"
        if not row.terms:
            return Placed(Term(f"{eye}[{row.offset}]", rf"e_{{{row.offset}}}"), (column,))
        axis, step = row.terms[0]
        if len(row.terms) == 1 and isinstance(axis, Axis) and step.constant is not None:
            shown = _slice_text(row, axis, step.constant, column.size)
            latex = rf"\left(I_{{{column.size}}}\right)_{{{shown}}}"
            return Placed(Term(f"{eye}[{shown}]", latex), (axis, column))
    return None
