"""Arithmetic modulo chains of primes ``p0 = 2·p1 + 1``, ``p1 = 2·p2 + 1``, ...

In such a chain (a Cunningham chain of the first kind) the squares modulo ``p0`` form a cyclic
group of prime order ``p1``. With a generator ``g``, the map ``a -> g**a`` from the residues modulo
``p1`` turns sums into products exactly, as exp does.

Each chain here has the form ``h·Q·2**k - 1`` where ``Q`` is 8 times all odd primes up to 61.
Therefore -1 is no square and every prime up to 61 is one, modulo each member of a chain: by the
law of quadratic reciprocity, for ``p ≡ -1 (mod 8q)``.
"""

from __future__ import annotations

from collections.abc import Sequence

LENGTH = 8
_ENDS = (
    2385980652467500256108840019119,
    12157765499800251892235889854639,
    58751262773892962677817743249919,
)


def chain(end: int, length: int = LENGTH) -> tuple[int, ...]:
    """The primes of a chain, the greatest first.

    >>> chain(5, 3)
    (23, 11, 5)
    """
    return tuple((end + 1) * 2**k - 1 for k in reversed(range(length)))


CHAINS = tuple(chain(end) for end in _ENDS)
"""Chains of 8 primes of more than 100 bits; a test proves that they are prime."""


class Undefined(Exception):
    """The value does not exist at this point: a division by zero, a singular matrix."""


class NoRoot(Undefined):
    """A number has no square root modulo this prime."""


def inverse(value: int, prime: int) -> int:
    """The multiplicative inverse.

    >>> inverse(3, 7)
    5
    """
    if value % prime == 0:
        raise Undefined
    return pow(value, -1, prime)


def square_root(value: int, prime: int) -> int:
    """The square root that is a square itself, for a prime that is 3 modulo 4.

    >>> square_root(2, 7)
    4
    """
    root = pow(value, (prime + 1) // 4, prime)
    if root * root % prime != value % prime:
        raise NoRoot
    return root


Matrix = Sequence[Sequence[int]]


def determinant(matrix: Matrix, prime: int) -> int:
    """The determinant, by Gaussian elimination.

    >>> determinant([[1, 2], [3, 4]], 7)
    5
    """
    rows = [[v % prime for v in row] for row in matrix]
    result = 1
    for column in range(len(rows)):
        pivot = next((r for r in range(column, len(rows)) if rows[r][column]), None)
        if pivot is None:
            return 0
        if pivot != column:
            rows[column], rows[pivot] = rows[pivot], rows[column]
            result = -result
        result = result * rows[column][column] % prime
        factor = inverse(rows[column][column], prime)
        for r in range(column + 1, len(rows)):
            scale = rows[r][column] * factor
            rows[r] = [(v - scale * w) % prime for v, w in zip(rows[r], rows[column], strict=True)]
    return result % prime


def matrix_inverse(matrix: Matrix, prime: int) -> list[list[int]]:
    """The inverse matrix, by Gauss-Jordan elimination.

    >>> matrix_inverse([[1, 2], [3, 4]], 7)
    [[5, 1], [5, 3]]
    """
    size = len(matrix)
    rows = [
        [v % prime for v in row] + [int(r == c) for c in range(size)]
        for r, row in enumerate(matrix)
    ]
    for column in range(size):
        pivot = next((r for r in range(column, size) if rows[r][column]), None)
        if pivot is None:
            raise Undefined
        rows[column], rows[pivot] = rows[pivot], rows[column]
        factor = inverse(rows[column][column], prime)
        rows[column] = [v * factor % prime for v in rows[column]]
        for r in range(size):
            if r != column and rows[r][column]:
                scale = rows[r][column]
                rows[r] = [
                    (v - scale * w) % prime for v, w in zip(rows[r], rows[column], strict=True)
                ]
    return [row[size:] for row in rows]
