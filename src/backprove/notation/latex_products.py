"""What products, sums and powers mean, by the shapes of their operands."""

from __future__ import annotations

from typing import Protocol

from backprove.errors import NotationError, Span, Unsupported
from backprove.notation.latex_pieces import ATOM, POWER, PRODUCT, SUM, Piece, Word, joined, wrapped


class Refusing(Protocol):
    """Makes errors at places of the LaTeX."""

    def error(self, message: str, span: Span | None = None, hint: str = "") -> NotationError:
        """A notation error."""
        ...

    def unsupported(self, message: str, span: Span, hint: str = "") -> Unsupported:
        """Something outside of the subset."""
        ...


def multiply(reader: Refusing, left: Piece, right: Piece, sign: str, span: Span) -> Piece:
    """The product of two factors.

    Args:
        reader: makes the errors.
        left: the first factor.
        right: the second factor.
        sign: empty for factors side by side, ``dot``, ``times``, ``kron``, or ``*`` for entrywise.
        span: where the sign (or the second factor) stands.
    """
    whole = Span(left.span.start, right.span.end)
    if sign == "kron":
        if left.rank != 2 or right.rank != 2:
            raise reader.unsupported(
                r"'\otimes' is supported between matrices", whole, r"Write x y^\top."
            )
        return joined(span, "kron(", left, ", ", right, ")", rank=2)
    if not left.rank or not right.rank or sign in ("*", "/"):
        rank = max(left.rank, right.rank)
        row = left.row if left.rank else right.row
        if left.rank == right.rank == 1 and left.row != right.row:
            raise reader.error("an entrywise product of a row and a column", whole)
        return _between(left, right, sign if sign == "/" else "*", span, rank, row)
    if max(left.rank, right.rank) > 2:
        raise reader.unsupported(
            "a product of an array with more than two axes", whole, "Write its entries and a sum."
        )
    if sign == "times":
        raise reader.unsupported(
            "the cross product is not supported", whole, r"Write \odot or \cdot."
        )
    if left.rank == right.rank == 1:
        if not left.row and right.row and sign == "dot":
            raise reader.error(
                "a dot between a column and a row can be read in two ways",
                whole,
                r"Write x y^\top for the outer product, x^\top y for the inner one.",
            )
        if not left.row and right.row and not sign:
            return joined(span, "outer(", left, ", ", right, ")", rank=2)
        if (left.row and not right.row) or sign == "dot":
            return _between(left, right, "@", span, 0, False)
        raise reader.error(
            "a product of two vectors of the same kind",
            whole,
            r"Write x^\top y, x y^\top or x \odot y.",
        )
    if (left.rank == 1 and not left.row) or (right.rank == 1 and right.row):
        column = left if left.rank == 1 else right
        raise reader.error(
            f"the vector '{column.text}' stands on the wrong side of a matrix",
            whole,
            r"Write A x with a column, x^\top A with a row.",
        )
    rank = left.rank + right.rank - 2
    return _between(left, right, "@", span, rank, left.rank == 1)


def _between(left: Piece, right: Piece, sign: str, span: Span, rank: int, row: bool) -> Piece:
    left, right = wrapped(left, PRODUCT), wrapped(right, POWER)
    return joined(span, left, f" {sign} ", right, rank=rank, level=PRODUCT, row=row and rank == 1)


def plus(reader: Refusing, left: Piece, right: Piece, sign: Word) -> Piece:
    """The sum or the difference of two terms."""
    if left.rank == right.rank == 1 and left.row != right.row:
        raise reader.error(
            "a sum of a row and a column",
            Span(left.span.start, right.span.end),
            r"Add ^\top to one.",
        )
    right_in = wrapped(right, PRODUCT)
    rank = max(left.rank, right.rank)
    row = left.row if left.rank else right.row
    return joined(
        sign.span, left, f" {sign.text} ", right_in, rank=rank, level=SUM, row=row and rank == 1
    )


def powered(reader: Refusing, base: Piece, exponent: Piece, span: Span) -> Piece:
    """An entrywise power."""
    if exponent.rank:
        raise reader.unsupported("an array as an exponent", exponent.span)
    base, exponent = wrapped(base, ATOM), wrapped(exponent, ATOM)
    return joined(span, base, "**", exponent, rank=base.rank, level=POWER, row=base.row)


def transposed(reader: Refusing, base: Piece, span: Span) -> Piece:
    """A transpose; a column becomes a row."""
    if base.entry == 2:
        raise reader.error(
            "a transpose of an entry can be read in two ways", span, r"Write (X^\top)_{ij}."
        )
    if base.rank == 1:
        return Piece(base.parts, 1, base.level, not base.row)
    if base.rank == 2:
        return joined(span, wrapped(base, ATOM), ".T", rank=2)
    return base


def matrix_power(reader: Refusing, base: Piece, style: str, span: Span) -> Piece:
    """An inverse or an entrywise power of a matrix."""
    if style in ("-1", r"-\top", "-T"):
        inverse = joined(span, "inv(", base, ")", rank=2)
        return inverse if style == "-1" else joined(span, inverse, ".T", rank=2)
    if style == r"\prime":
        raise reader.unsupported("a prime is not supported", span, r"A transpose is A^\top.")
    raise reader.unsupported(
        "a power of a matrix can be read in two ways", span, r"Write A A or A^{\odot 2}."
    )
