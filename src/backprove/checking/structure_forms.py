"""What a word of structure means, as a question about the matrices that a derivative takes.

Every word is a predicate. It is refuted by one matrix at which it fails, proved by an equality of
tensors or by the deltas that survive, and otherwise observed at several points and sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from backprove.calculus import numeric
from backprove.checking.comparison import prove_equal
from backprove.checking.question import Question
from backprove.checking.structures import IMPLIED_BY
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.brackets import bracket
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Expr, Ref, Tensor
from backprove.notation.structure_words import StructurePhrase

ZERO_BELOW = 1e-10
SURE_ABOVE = 1e-6
RANK_BELOW = 1e-9
MAX_ENTRIES = 40_000
SCALES = (1.0, 0.4)


@dataclass(frozen=True)
class Answer:
    """Whether a statement about structure holds.

    Attributes:
        holds: True, False, or None if it is open.
        reason: one sentence.
        proved: True if it follows for all values and sizes.
        at: the point, for one that refutes.
        entry: the entry of the derivative there that refutes, if one alone does.
        given: what the statement demands of that entry.
        under: the condition on sizes under which it holds.
    """

    holds: bool | None
    reason: str = ""
    proved: bool = False
    at: numeric.Point | None = None
    entry: tuple[int, ...] | None = None
    given: float = 0.0
    under: str = ""


@dataclass(frozen=True)
class Sample:
    """The derivative at one point, as it is and as a matrix of outputs by inputs."""

    point: numeric.Point
    value: np.ndarray
    matrix: np.ndarray

    @property
    def scale(self) -> float:
        """The largest entry."""
        return float(np.abs(self.matrix).max(initial=0.0))


class Form:
    """The derivative of a question, looked at as a matrix.

    Args:
        question: what is asked.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.program = question.derivation.program
        self.truth = question.truth
        self.wrt = question.symbols[question.wrt]
        rank = len(self.wrt.shape)
        self.rows = self.truth.axes[: len(self.truth.axes) - rank]
        self.columns = self.truth.axes[len(self.truth.axes) - rank :]
        self.kind = question.derivation.structure.kind

    @cached_property
    def samples(self) -> list[Sample]:
        """The derivative at points of several sizes, no two sizes alike at one point."""
        found: list[Sample] = []
        for k, sizes in enumerate(self._sizes()):
            points = numeric.points(self.program, count=4, seed=23 + k, sizes=sizes, scales=SCALES)
            try:
                for point in points:
                    value = Evaluator(point.values, point.sizes).tensor(self.truth)
                    if np.all(np.isfinite(value)):
                        found.append(Sample(point, value, self._as_matrix(value)))
            except BackproveError:
                continue
        return found

    def _sizes(self) -> list[Mapping[str, int]]:
        forwards = numeric.sample_sizes(self.program)
        backwards = numeric.sample_sizes(self.program, backwards=True)
        larger = {name: size + 3 for name, size in forwards.items()}
        choices: list[Mapping[str, int]] = [forwards, backwards, larger]
        fitting = [c for c in choices if all(a.at(c) >= 0 for a, _ in self.program.assumptions)]
        entries = [self._entries(c) for c in fitting]
        return [c for c, e in zip(fitting, entries, strict=True) if e <= MAX_ENTRIES]

    def _entries(self, sizes: Mapping[str, int]) -> int:
        return int(np.prod([a.size.at(sizes) for a in self.truth.axes], dtype=int))

    def _as_matrix(self, value: np.ndarray) -> np.ndarray:
        rows = int(np.prod(value.shape[: len(self.rows)], dtype=int))
        return value.reshape(rows, -1)

    @cached_property
    def by_sizes(self) -> list[list[Sample]]:
        """The samples of each choice of sizes."""
        groups: dict[tuple[tuple[str, int], ...], list[Sample]] = {}
        for sample in self.samples:
            groups.setdefault(tuple(sorted(sample.point.sizes.items())), []).append(sample)
        return list(groups.values())

    @property
    def square(self) -> bool:
        """Whether outputs and inputs have one shape."""
        return [a.size for a in self.rows] == [a.size for a in self.columns]

    def equals(self, body: Expr) -> bool:
        """A proof that the derivative is this expression over its axes."""
        other = Tensor(self.truth.axes, body)
        facts = self.question.with_facts
        try:
            return prove_equal(facts(self.truth), facts(other)) is not None
        except BackproveError:
            return False

    def identity(self) -> Expr:
        """The delta of outputs and inputs of one shape."""
        pairs = zip(self.rows, self.columns, strict=True)
        return b.mul(*(b.delta(i, j) for i, j in pairs))

    def implied(self, word: str) -> bool:
        """Whether the deltas that survive say so."""
        return self.kind in IMPLIED_BY.get(word, {word})

    # --- what most predicates need ----------------------------------------------------------------

    def zero_where(
        self, forbidden: Callable[[Sample], np.ndarray], body: Expr | None, reason: str
    ) -> Answer:
        """Whether entries vanish: refuted by one that does not, proved by an equality.

        Args:
            forbidden: the entries of the matrix of a sample that must be zero.
            body: what the derivative then equals; None if nothing can be proved.
            reason: said if it holds.
        """
        for sample in self.samples:
            wrong = np.where(forbidden(sample), np.abs(sample.matrix), 0.0)
            if wrong.max(initial=0.0) > SURE_ABOVE * max(sample.scale, 1e-12):
                at = np.unravel_index(int(wrong.argmax()), wrong.shape)
                return self._refuted(sample, at, 0.0, "which would have to be 0")
            if wrong.max(initial=0.0) > ZERO_BELOW * max(sample.scale, 1e-12):
                return Answer(None, "some entries are too small to be told from zero")
        if not self.samples:
            return Answer(None, "no point was found at which the derivative is finite")
        return Answer(True, reason, proved=body is not None and self.equals(body))

    def _refuted(
        self, sample: Sample, at: tuple[np.intp, ...], given: float, demand: str
    ) -> Answer:
        flat = int(np.ravel_multi_index(at, sample.matrix.shape))
        entry = tuple(int(k) for k in np.unravel_index(flat, sample.value.shape))
        shown = f"at a random point entry {list(entry)} is {float(sample.value[entry]):.4g}"
        return Answer(False, f"{shown}, {demand}", at=sample.point, entry=entry, given=given)

    def same_as(self, wanted: Callable[[Sample], np.ndarray], body: Expr | None) -> Answer:
        """Whether every matrix is the wanted one."""
        for sample in self.samples:
            target = wanted(sample)
            off = np.abs(sample.matrix - target)
            scale = max(sample.scale, float(np.abs(target).max(initial=0.0)), 1e-12)
            if off.max(initial=0.0) > SURE_ABOVE * scale:
                at = np.unravel_index(int(off.argmax()), off.shape)
                given = float(target[at])
                return self._refuted(sample, at, given, f"which would have to be {given:.4g}")
            if off.max(initial=0.0) > ZERO_BELOW * scale:
                return Answer(None, "the difference is too small to be told from rounding")
        if not self.samples:
            return Answer(None, "no point was found at which the derivative is finite")
        return Answer(True, "", proved=body is not None and self.equals(body))

    def ranks(self, shifted: Callable[[np.ndarray], np.ndarray] = lambda m: m) -> list[int]:
        """The largest rank seen, for each choice of sizes."""
        return [max(rank_of(shifted(s.matrix)) for s in group) for group in self.by_sizes]


def rank_of(matrix: np.ndarray) -> int:
    """The numerical rank."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(values > RANK_BELOW * max(float(values.max(initial=0.0)), 1e-12)))


# --- the words ----------------------------------------------------------------------------------


def is_zero(form: Form) -> Answer:
    """Every entry is zero."""
    return form.zero_where(lambda s: np.ones(s.matrix.shape, bool), b.num(0), "Every entry is 0.")


def is_constant(form: Form) -> Answer:
    """No entry depends on the variable."""
    if form.wrt not in arrays_of(form.truth.body):
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


def arrays_of(expr: Expr) -> set[Array]:
    """The arrays that an expression refers to."""
    found: set[Array] = set()
    stack, seen = [expr], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Ref):
            found.add(node.array)
        stack.extend(node.children())
    return found


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
