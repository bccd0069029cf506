"""The primes are primes, and arithmetic modulo a prime is exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprove.notation.prime_chains import (
    CHAINS,
    NoRoot,
    Undefined,
    determinant,
    inverse,
    matrix_inverse,
    square_root,
)

PRIME = CHAINS[0][0]


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 40 primes as bases."""
    bases = [p for p in range(2, 174) if all(p % d for d in range(2, p))]
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in bases:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        if not any((x := x * x % n) == n - 1 for _ in range(twos - 1)):
            return False
    return True


@pytest.mark.parametrize("primes", CHAINS, ids=str)
def test_a_chain_consists_of_primes_each_twice_the_next_plus_one(primes):
    assert len(primes) == 8
    assert all(is_prime(p) and p > 2**100 for p in primes)
    assert all(p == 2 * q + 1 for p, q in itertools.pairwise(primes))


@pytest.mark.parametrize("primes", CHAINS, ids=str)
def test_small_primes_are_squares_and_minus_one_is_not(primes):
    for p in primes:
        assert p % 8 == 7
        for q in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61):
            assert square_root(q, p) ** 2 % p == q
        with pytest.raises(NoRoot):
            square_root(p - 1, p)


def test_zero_has_no_inverse():
    with pytest.raises(Undefined):
        inverse(0, PRIME)
    with pytest.raises(Undefined):
        matrix_inverse([[1, 2], [2, 4]], PRIME)


@given(st.lists(st.integers(-9, 9), min_size=9, max_size=9))
def test_the_determinant_agrees_with_floating_point(entries):
    matrix = np.reshape(entries, (3, 3))
    exact = round(np.linalg.det(matrix))
    assert determinant(matrix.tolist(), PRIME) == exact % PRIME


@given(st.lists(st.integers(0, PRIME - 1), min_size=9, max_size=9))
def test_a_matrix_times_its_inverse_is_the_identity(entries):
    matrix = [entries[0:3], entries[3:6], entries[6:9]]
    if determinant(matrix, PRIME) == 0:
        return
    other = matrix_inverse(matrix, PRIME)
    for i, j in itertools.product(range(3), repeat=2):
        assert sum(matrix[i][k] * other[k][j] for k in range(3)) % PRIME == int(i == j)
