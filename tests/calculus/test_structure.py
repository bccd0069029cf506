"""What is said about the structure of a derivative holds in numbers, at sizes all different."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.calculus import Derivation, derive
from backprove.calculus.numeric import points, sample_sizes
from backprove.calculus.structure import Structure
from backprove.errors import DomainError
from backprove.notation.evaluation import Evaluator
from oracles.random_expressions import DOMAINS, SHAPES, random_expression
from oracles.text_numpy import evaluate
from tables.loader import Case, cases

CASES = cases()


def contradiction(structure: Structure, dense: np.ndarray, rows: int, sizes: dict[str, int]) -> str:
    """Why a Jacobian does not have the stated structure; empty if it does.

    Args:
        structure: what is said.
        dense: the Jacobian, output axes first.
        rows: how many axes belong to the output.
        sizes: the value of each named size.
    """
    count = int(np.prod(dense.shape[:rows], dtype=int))
    matrix = dense.reshape(count, -1)
    scale = float(np.abs(matrix).max(initial=0.0)) or 1.0
    nonzeros = int(np.count_nonzero(np.abs(matrix) > 1e-12 * scale))
    said, entries = (int(evaluate(t, dict(sizes))) for t in (structure.nonzeros, structure.entries))
    if entries != matrix.size:
        return f"{structure.entries} = {entries} entries, but there are {matrix.size}"
    if nonzeros > said:
        return f"{structure.nonzeros} = {said} structural nonzeros, but {nonzeros} are not zero"
    kind = structure.kind
    square = matrix.shape[0] == matrix.shape[1]
    near = {"atol": 1e-9 * scale, "rtol": 1e-9}
    if kind == "zero" and nonzeros:
        return "not zero"
    if kind == "identity" and not (square and np.allclose(matrix, np.eye(count), **near)):
        return "not the identity"
    if kind == "scaled identity":
        if not (square and np.allclose(matrix, matrix[0, 0] * np.eye(count), **near)):
            return "not a multiple of the identity"
    if kind == "diagonal":
        if not (square and np.allclose(matrix, np.diag(np.diag(matrix)), **near)):
            return "not diagonal"
    if kind == "permutation":
        ones = np.isclose(matrix, 1.0)
        if not (square and np.all(ones | (matrix == 0)) and np.all(ones.sum(axis=0) == 1)):
            return "not a permutation"
    if kind == "triangular" and not (_is_lower(matrix) or _is_lower(matrix.T)):
        return "not triangular"
    if kind.startswith("rank "):
        if np.linalg.matrix_rank(matrix, tol=1e-9 * scale) > int(kind.split()[1]):
            return f"of rank {np.linalg.matrix_rank(matrix, tol=1e-9 * scale)}"
    if " + rank " in kind and square:
        return _beyond_diagonal(matrix, int(kind.split()[-1]), kind.startswith("identity"), scale)
    return ""


def _is_lower(matrix: np.ndarray) -> bool:
    return np.array_equal(matrix, np.tril(matrix))


def _beyond_diagonal(matrix: np.ndarray, rank: int, scaled: bool, scale: float) -> str:
    """Blocks beside the diagonal have no higher rank; what is left is a multiple of I, if said."""
    half = len(matrix) // 2
    for block in (matrix[:half, half:], matrix[half:, :half]):
        if block.size and np.linalg.matrix_rank(block, tol=1e-9 * scale) > rank:
            return f"a diagonal and more than rank {rank}"
    if scaled and len(matrix) > 2 * rank:
        eigenvalues = np.linalg.eigvals(matrix)
        alike = max(int(np.sum(np.abs(eigenvalues - e) < 1e-6 * scale)) for e in eigenvalues)
        if alike < len(matrix) - rank:
            return f"a multiple of the identity and more than rank {rank}"
    return ""


def _claims_hold(derivation: Derivation, limit: int = 250_000) -> str:
    """The contradiction found at two points of the domain, at sizes all different."""
    program = derivation.program
    try:
        sizes = sample_sizes(program)
        if np.prod([s.at(sizes) for s in derivation.shape]) > limit:
            return ""
        found = list(points(program, count=2, seed=11))
    except DomainError:
        return ""
    rows = len(derivation.shape) - len(derivation.array.shape)
    for point in found:
        values = derivation.with_adjoints(point.values, point.sizes)
        dense = Evaluator(values, point.sizes).tensor(derivation.tensor)
        trouble = contradiction(derivation.structure, dense, rows, point.sizes)
        if trouble:
            return f"{derivation.structure}: {trouble}\n{derivation.index_form}"
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_the_structure_of_a_published_derivative_holds_in_numbers(case: Case) -> None:
    derivation = derive(case.f, case.wrt, case.shapes, order=case.order, domain=case.domain)
    assert isinstance(derivation, Derivation)
    assert not _claims_hold(derivation)


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_the_structure_of_a_random_derivative_holds_in_numbers(start: int) -> None:
    for seed in range(8_000_000 + start, 8_000_020 + start):
        text, wrt = random_expression(seed, depth=2)
        derivation = derive(text, wrt, SHAPES, domain=DOMAINS)
        assert isinstance(derivation, Derivation)
        trouble = _claims_hold(derivation, 60_000)
        assert not trouble, f"seed {seed}: d({text})/d{wrt} is {trouble}"


@pytest.mark.parametrize(
    ("kind", "matrix"),
    [
        ("identity", 2 * np.eye(3)),
        ("scaled identity", np.diag([1.0, 2.0, 3.0])),
        ("diagonal", np.eye(3) + np.eye(3, k=1)),
        ("triangular", np.ones((3, 3))),
        ("permutation", np.ones((3, 3))),
        ("rank 1", np.eye(3)),
        ("identity + rank 1", np.diag([1.0, 2.0, 3.0])),
        ("zero", np.eye(3)),
    ],
)
def test_a_false_structure_is_found(kind: str, matrix: np.ndarray) -> None:
    assert contradiction(Structure(kind, "9", "9", ""), matrix, 1, {})
    assert contradiction(Structure("dense", "2", "9", ""), matrix, 1, {})


@pytest.mark.parametrize("scale", ["", "/sqrt(d)", "*s"])
def test_each_row_of_attention_depends_on_its_own_query_alone(scale: str) -> None:
    shapes = {"Q": "n d", "K": "m d", "V": "m v", "s": ""}
    structure = derive(f"softmax(Q @ K.T{scale}) @ V", "Q", shapes).structure
    assert structure.kind == "block-diagonal"
    assert structure.nonzeros == "d*n*v"


@pytest.mark.parametrize(
    ("text", "size", "kind", "nonzeros"),
    [
        ("x[::-1]", "5", "permutation", "5"),
        ("x[::-1]", "n", "permutation", "n"),
        ("x[::-1][1:]", "n", "sparse", "n - 1"),
        ("x[::2]", "n", "sparse", "((n + 1)//2)"),
        ("x[1:]*x[:-1]", "n", "banded", "2*n - 2"),
        ("cumsum(x)", "n", "triangular", "((n**2 + n)//2)"),
        ("cumsum(x[::-1])", "5", "sparse", "25"),
        ("cumsum(x)[::2]", "n", "sparse", "n*((n + 1)//2)"),
    ],
)
def test_slices_have_the_structure_of_their_positions(
    text: str, size: str, kind: str, nonzeros: str
) -> None:
    derivation = derive(text, "x", {"x": size})
    assert (derivation.structure.kind, derivation.structure.nonzeros) == (kind, nonzeros)


@pytest.mark.parametrize(
    ("text", "kind", "nonzeros"),
    [
        ("A + A.T", "sparse", "2*n**2 - n"),
        ("A - A.T", "sparse", "2*n**2 - 2*n"),  # the terms cancel on the diagonal
        ("A @ A", "Kronecker sum", "2*n**3 - n**2"),
        ("A / trace(A)", "sparse", "n**3 + n**2 - n"),
        ("tril(A)", "diagonal", "((n**2 + n)//2)"),
        ("triu(A, 1)", "diagonal", "((n**2 + n)//2) - n"),
        ("cumsum(A, axis=0)", "block-diagonal", "n*((n**2 + n)//2)"),
        ("diag(A)", "block-diagonal", "n"),
        ("diag(sum(A, axis=1))", "block-diagonal", "n**2"),
        ("A[1:, :-1] - A[:-1, 1:]", "sparse", "2*n**2 - 4*n + 2"),
        ("trace(A)**2", "sparse", "n"),
        ("A[0] @ A[:, 0]", "sparse", "2*n - 1"),
        ("det(A)", "dense", "n**2"),
        ("A[0, 0]*A[1, 1] - A[0, 1]*A[1, 0]", "sparse", "4"),
        ("trace(A) * A", "sparse", "n**3 + n**2 - n"),
    ],
)
def test_the_entries_that_can_differ_from_zero_are_counted_once_each(
    text: str, kind: str, nonzeros: str
) -> None:
    derivation = derive(text, "A", {"A": "n n"})
    assert (derivation.structure.kind, derivation.structure.nonzeros) == (kind, nonzeros)
    for n in (2, 3, 5):
        points = (np.random.default_rng(seed).normal(size=(n, n)) for seed in range(3))
        seen = np.any([derivation.evaluate({"A": at}) != 0 for at in points], axis=0)
        assert int(evaluate(nonzeros, {"n": n})) == seen.sum()
