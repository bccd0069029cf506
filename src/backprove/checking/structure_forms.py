"""What a word of structure means, as a question about the matrices that a derivative takes.

Every word is a predicate. It is refuted by one matrix at which it fails, proved by an equality of
tensors or by the deltas that survive, and otherwise observed at several points and sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import permutations

import numpy as np

from backprove.calculus import numeric
from backprove.checking.matrix_samples import (
    SURE_ABOVE,
    ZERO_BELOW,
    Answer,
    Form,
    Sample,
    rank_of,
)
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.brackets import bracket
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.structure_words import StructurePhrase
from backprove.notation.traversal import arrays_in


def is_zero(form: Form) -> Answer:
    """Every entry is zero."""
    return form.zero_where(lambda s: np.ones(s.matrix.shape, bool), b.num(0), "Every entry is 0.")


def is_constant(form: Form) -> Answer:
    """No entry depends on the variable."""
    if form.wrt not in arrays_in(form.truth.body):
        return Answer(True, f"{form.wrt.name} does not occur in the derivative.", proved=True)
    rng = np.random.default_rng(31)
    for sample in form.samples:
        inputs = dict(sample.point.inputs)
        inputs[form.wrt] = numeric.sample(form.wrt, sample.point.sizes, rng)
        try:
            values = run_program(form.program, inputs, sample.point.sizes)
            other = Evaluator(values, sample.point.sizes).tensor(form.truth)
        except BackproveError:
            continue
        if np.abs(other - sample.value).max(initial=0.0) > SURE_ABOVE * max(sample.scale, 1e-12):
            reason = f"it changes with {form.wrt.name}"
            return Answer(False, reason, at=sample.point)
    return Answer(True, "It is the same at every point tried.")


def is_identity(form: Form) -> Answer:
    """Ones on the diagonal, zeros elsewhere."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    return form.same_as(lambda s: np.eye(len(s.matrix)), form.identity())


def is_scaled_identity(form: Form) -> Answer:
    """One number on the diagonal, zeros elsewhere."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    found = form.same_as(lambda s: s.matrix[0, 0] * np.eye(len(s.matrix)), None)
    if not found.holds:
        return found
    return Answer(True, "", proved=form.implied("scaled identity"))


def is_diagonal(form: Form) -> Answer:
    """Zero wherever output and input differ."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    body = b.mul(form.truth.body, form.identity())
    return form.zero_where(
        lambda s: ~np.eye(len(s.matrix), dtype=bool), body, "Zero off the diagonal."
    )


def is_triangular(form: Form, *, upper: bool) -> Answer:
    """Zero on one side of the diagonal."""
    if not form.square or len(form.rows) != 1:
        return Answer(False, "it is not a square matrix", proved=not form.square)
    (i,), (j,) = form.rows, form.columns
    index = Index.of(i) - Index.of(j) if upper else Index.of(j) - Index.of(i)
    body = b.mul(form.truth.body, bracket("<=", index))
    outside = (lambda m: np.tril(m, -1)) if upper else (lambda m: np.triu(m, 1))
    side = "below" if upper else "above"
    return form.zero_where(
        lambda s: outside(np.ones(s.matrix.shape, bool)), body, f"Zero {side} the diagonal."
    )


def is_symmetric(form: Form, sign: int = 1) -> Answer:
    """Equal to its transpose, or to minus it."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    pairs = list(zip(form.rows, form.columns, strict=True))
    turned = {i: Index.of(j) for i, j in pairs} | {j: Index.of(i) for i, j in pairs}
    body = b.mul(b.num(sign), b.substitute(form.truth.body, turned))
    return form.same_as(lambda s: sign * s.matrix.T, body)


def is_orthogonal(form: Form) -> Answer:
    """Its transpose is its inverse."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    for sample in form.samples:
        product = sample.matrix @ sample.matrix.T
        if np.abs(product - np.eye(len(product))).max(initial=0.0) > SURE_ABOVE:
            reason = "the product with its transpose is not the identity at a random point"
            return Answer(False, reason, at=sample.point)
    return Answer(True, "The product with its transpose is the identity at every point tried.",
                  proved=form.implied("permutation"))  # fmt: skip


def is_permutation(form: Form) -> Answer:
    """A single 1 in every row and every column."""
    for sample in form.samples:
        m = sample.matrix
        ones = np.abs(m - 1) < ZERO_BELOW
        plain = bool(np.all(ones | (np.abs(m) < ZERO_BELOW))) and m.shape[0] == m.shape[1]
        if not plain or np.any(ones.sum(0) != 1) or np.any(ones.sum(1) != 1):
            return Answer(False, "not every row and column has a single 1", at=sample.point)
    return Answer(bool(form.samples) or None, "", proved=form.implied("permutation"))


def is_definite(form: Form, sign: int, *, strictly: bool) -> Answer:
    """Symmetric, and no eigenvalue on the wrong side of zero."""
    symmetric = is_symmetric(form)
    if not symmetric.holds:
        return symmetric
    lowest = np.inf
    for sample in form.samples:
        values = sign * np.linalg.eigvalsh((sample.matrix + sample.matrix.T) / 2)
        if values.min(initial=0.0) < -SURE_ABOVE * max(sample.scale, 1e-12):
            shown = f"at a random point it has the eigenvalue {sign * values.min():.4g}"
            return Answer(False, shown, at=sample.point)
        lowest = min(lowest, float(values.min(initial=np.inf)) / max(sample.scale, 1e-12))
    if strictly and lowest < ZERO_BELOW:
        return Answer(False, "it has the eigenvalue 0 at a random point")
    return Answer(True, "Every eigenvalue at every point tried has the right sign.")


def is_singular(form: Form) -> Answer:
    """A square matrix without an inverse, at every point."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    full = [len(group[0].matrix) for group in form.by_sizes]
    ranks = form.ranks()
    if all(r < f for r, f in zip(ranks, full, strict=True)):
        return Answer(True, f"At size {full[0]} the largest rank seen is {ranks[0]}.")
    if all(r == f for r, f in zip(ranks, full, strict=True)):
        return Answer(False, f"at a random point of size {full[0]} the rank is {ranks[0]}")
    return Answer(None, "it depends on the sizes")


def is_dense(form: Form) -> Answer:
    """Every entry differs from zero somewhere."""
    for group in form.by_sizes:
        seen = np.max([np.abs(s.matrix) / max(s.scale, 1e-12) for s in group], axis=0)
        if np.any(seen < ZERO_BELOW):
            share = float(np.mean(seen >= ZERO_BELOW))
            return Answer(
                False, f"only {share:.0%} of its entries differ from 0 at any point tried"
            )
    return Answer(True, "Every entry differs from 0 at a point tried.")


def is_sparse(form: Form) -> Answer:
    """At most half of the entries ever differ from zero."""
    shares = []
    for group in form.by_sizes:
        seen = np.max([np.abs(s.matrix) / max(s.scale, 1e-12) for s in group], axis=0)
        shares.append(float(np.mean(seen >= ZERO_BELOW)))
    said = ", ".join(f"{s:.0%}" for s in shares)
    if all(s == 1 for s in shares):
        return Answer(False, "every entry differs from 0 at a point tried")
    if max(shares) <= 0.5:
        return Answer(True, f"At the sizes tried {said} of the entries ever differ from 0.")
    return Answer(None, f"at the sizes tried {said} of the entries ever differ from 0")


def is_banded(form: Form) -> Answer:
    """Entries near the diagonal only, however large the matrix."""
    if form.implied("banded"):
        return Answer(True, "Every term fixes the distance of the indices.", proved=True)
    if len(form.rows) != 1 or len(form.columns) != 1:
        return Answer(None, "bands are known for matrices only")
    widths: list[tuple[int, int]] = []
    for group in form.by_sizes:
        m = np.max([np.abs(s.matrix) for s in group], axis=0)
        at = np.argwhere(m > ZERO_BELOW * max(float(m.max(initial=0.0)), 1e-12))
        widths.append((int(np.abs(at[:, 0] - at[:, 1]).max(initial=0)), max(m.shape)))
    if all(width == size - 1 for width, size in widths):
        return Answer(False, "entries far from the diagonal differ from 0")
    return Answer(None, "entries differ from 0 within a band at the sizes tried")


def is_kronecker(form: Form) -> Answer:
    """A product of factors for separate pairs of axes."""
    if form.implied("kronecker"):
        return Answer(True, "A product of factors for separate pairs of axes.", proved=True)
    if len(form.rows) != 2 or len(form.columns) != 2:
        return Answer(None, "Kronecker products are known for two output and two input axes")
    for order in ((0, 2, 1, 3), (0, 3, 1, 2)):
        if all(_separate(s.value.transpose(order)) for s in form.samples):
            return Answer(True, "A product of two factors at every point tried.")
    return Answer(False, "it is no product of factors for pairs of axes at random points")


def _separate(value: np.ndarray) -> bool:
    first, second = value.shape[0] * value.shape[1], value.shape[2] * value.shape[3]
    return rank_of(value.reshape(first, second)) <= 1


def is_block_diagonal(form: Form, phrase: StructurePhrase) -> Answer:
    """A delta joins output axes with input axes; what is left is the shape of a block."""
    pairs = [(i, j) for i in form.rows for j in form.columns if i.size == j.size]
    joined = [pair for pair in pairs if _zero_off(form, [pair]).holds]
    if not joined:
        trivial = any(_is_open(form, pair) for pair in pairs) or len(form.rows) < 2
        diagonal = is_diagonal(form) if form.square else Answer(False)
        if diagonal.holds:
            return diagonal
        full = is_dense(form).holds
        if trivial and not full:
            return Answer(None, "no delta joins an output axis with an input axis")
        return Answer(False, "no delta joins an output axis with an input axis")
    if not phrase.blocks:
        proved = any(_zero_off(form, [pair]).proved for pair in joined)
        return Answer(True, "A delta joins an output axis and an input axis.", proved=proved)
    for chosen in _matchings(joined):
        rows = [a.size for a in form.rows if a not in [i for i, _ in chosen]]
        columns = [a.size for a in form.columns if a not in [j for _, j in chosen]]
        number = _product(i.size for i, _ in chosen)
        fits = (_product(rows), _product(columns)) == phrase.blocks
        if fits and phrase.count in (None, number):
            found = _zero_off(form, chosen)
            return Answer(True, f"There are {number} such blocks.", proved=found.proved)
    i, j = joined[0]
    rows = _product(a.size for a in form.rows if a is not i)
    columns = _product(a.size for a in form.columns if a is not j)
    return Answer(False, f"it has {i.size} blocks of {rows}×{columns}", proved=True)


def _zero_off(form: Form, pairs: Iterable[tuple[Axis, Axis]]) -> Answer:
    chosen = list(pairs)

    def outside(sample: Sample) -> np.ndarray:
        grid = np.indices(sample.value.shape)
        same = np.ones(sample.value.shape, bool)
        for i, j in chosen:
            same &= grid[form.truth.axes.index(i)] == grid[form.truth.axes.index(j)]
        return ~same.reshape(sample.matrix.shape)

    body = b.mul(form.truth.body, *(b.delta(i, j) for i, j in chosen))
    return form.zero_where(outside, body, "")


def _is_open(form: Form, pair: tuple[Axis, Axis]) -> bool:
    return _zero_off(form, [pair]).holds is None


def _matchings(pairs: list[tuple[Axis, Axis]]) -> Iterable[list[tuple[Axis, Axis]]]:
    """Choices of pairs that use no axis twice."""
    for count in range(1, len(pairs) + 1):
        for chosen in permutations(pairs, count):
            if len({i for i, _ in chosen}) == len({j for _, j in chosen}) == count:
                yield list(chosen)


def _product(sizes: Iterable[Size]) -> Size:
    found = Size.of(1)
    for size in sizes:
        found = found * size
    return found


def has_rank(form: Form, rank: tuple[Size, ...]) -> Answer:
    """The largest rank at any point is the one named, at all sizes."""
    return _rank_is(form, form.ranks(), rank, "rank", form.kind == f"rank {rank[0]}")


def has_full_rank(form: Form) -> Answer:
    """As many independent rows or columns as there can be."""
    for ranks, group in zip(form.ranks(), form.by_sizes, strict=True):
        if ranks < min(group[0].matrix.shape):
            rows, columns = group[0].matrix.shape
            return Answer(False, f"as a {rows}×{columns} matrix it has rank {ranks}")
    return Answer(True, "The rank is full at a random point of all sizes tried.")


def _rank_is(
    form: Form, seen: list[int], rank: tuple[Size, ...], what: str, proved: bool
) -> Answer:
    for found, group in zip(seen, form.by_sizes, strict=True):
        wanted = min(r.at(group[0].point.sizes) for r in rank)
        # A rank 2 can be no larger than the matrix, as in a first layer of one unit.
        wanted = min(wanted, *group[0].matrix.shape)
        if found != wanted:
            rows, columns = group[0].matrix.shape
            reason = f"at a random point, as a {rows}×{columns} matrix, it has {what} {found}"
            return Answer(False, reason, at=group[0].point)
    return Answer(bool(seen) or None, "The rank at random points of all sizes tried.", proved)


def is_plus_rank(form: Form, phrase: StructurePhrase) -> Answer:
    """The identity, a multiple of it or a diagonal, and a matrix of small rank."""
    if not form.square:
        return Answer(False, "outputs and inputs have different shapes", proved=True)
    if phrase.base == "diagonal" and not phrase.low and phrase.rank == (Size.of(1),):
        return _diagonal_plus_one(form)
    shift = _without_identity if phrase.base == "identity" else _without_multiple
    if phrase.base == "diagonal":
        known = form.implied(phrase.word)
        return Answer(True if known else None, "The terms say so." if known else "", proved=known)
    ranks = form.ranks(shift)
    if not phrase.low:
        proved = form.implied(phrase.word)
        return _rank_is(form, ranks, phrase.rank, "besides it rank", proved)
    full = [len(group[0].matrix) for group in form.by_sizes]
    if len(set(ranks)) == 1 and ranks[0] <= 2 < min(full):
        shown = ", ".join(f"{r} of {f}" for r, f in zip(ranks, full, strict=True))
        return Answer(True, f"What is added has rank {shown} at the sizes tried.")
    if all(r >= f - 1 for r, f in zip(ranks, full, strict=True)):
        return Answer(False, f"what is added has rank {ranks[0]} of {full[0]} at a random point")
    for name in numeric.size_names(form.question.symbols):
        inner = [group[0].point.sizes[name] for group in form.by_sizes]
        if ranks == [min(r, f) for r, f in zip(inner, full, strict=True)] and len(ranks) > 1:
            shape = _product(a.size for a in form.rows)
            if str(shape) != name:
                reason = f"What is added has the rank {name} or, if that is less, {shape}."
                return Answer(True, reason, under=f"{name} < {shape}")
    return Answer(None, "whether the rank of what is added is low depends on the sizes")


def _without_identity(matrix: np.ndarray) -> np.ndarray:
    return matrix - np.eye(len(matrix))


def _without_multiple(matrix: np.ndarray) -> np.ndarray:
    """The matrix without the multiple of the identity that leaves the smallest rank."""
    values = np.linalg.eigvals(matrix)
    real = [float(v.real) for v in values if abs(v.imag) < ZERO_BELOW * max(1.0, abs(v))]
    shifted = [matrix - c * np.eye(len(matrix)) for c in real] or [matrix]
    return min(shifted, key=rank_of)


def _diagonal_plus_one(form: Form) -> Answer:
    """Is there a diagonal whose difference has rank 1? Off the diagonal every minor vanishes."""
    if form.implied("diagonal + rank 1"):
        return Answer(True, "A diagonal and an outer product of vectors.", proved=True)
    decided = False
    for sample in form.samples:
        m = sample.matrix
        if len(m) < 4:
            continue
        decided = True
        scale = max(sample.scale, 1e-12) ** 2
        for i, j, k, n in permutations(range(min(len(m), 6)), 4):
            if abs(m[i, j] * m[k, n] - m[i, n] * m[k, j]) > SURE_ABOVE * scale:
                reason = "two rows off the diagonal are not proportional at a random point"
                return Answer(False, reason, at=sample.point)
    return Answer(None, "no minor off the diagonal refutes it" if decided else "too few entries")


WORDS: dict[str, Callable[[Form], Answer]] = {
    "zero": is_zero,
    "constant": is_constant,
    "identity": is_identity,
    "scaled identity": is_scaled_identity,
    "diagonal": is_diagonal,
    "kronecker": is_kronecker,
    "permutation": is_permutation,
    "lower triangular": lambda f: is_triangular(f, upper=False),
    "upper triangular": lambda f: is_triangular(f, upper=True),
    "banded": is_banded,
    "symmetric": is_symmetric,
    "antisymmetric": lambda f: is_symmetric(f, -1),
    "orthogonal": is_orthogonal,
    "positive semidefinite": lambda f: is_definite(f, 1, strictly=False),
    "positive definite": lambda f: is_definite(f, 1, strictly=True),
    "negative semidefinite": lambda f: is_definite(f, -1, strictly=False),
    "singular": is_singular,
    "sparse": is_sparse,
    "dense": is_dense,
    "full rank": has_full_rank,
}


def judge_form(form: Form, phrase: StructurePhrase) -> Answer:
    """Whether a statement about structure holds, ``not`` left aside."""
    if phrase.base == "rank":
        return has_rank(form, phrase.rank)
    if phrase.rank or phrase.low:
        return is_plus_rank(form, phrase)
    if phrase.base == "block-diagonal":
        return is_block_diagonal(form, phrase)
    if phrase.base == "triangular":
        lower, upper = WORDS["lower triangular"](form), WORDS["upper triangular"](form)
        return next((a for a in (lower, upper) if a.holds), lower)
    if phrase.base == "invertible":
        found = is_singular(form)
        holds = None if found.holds is None else not found.holds
        return Answer(holds, found.reason, found.proved and not holds)
    if phrase.base == "kronecker sum":
        known = form.implied("kronecker sum")
        return Answer(True if known else None, "The terms say so." if known else "", known)
    return WORDS[phrase.base](form)
