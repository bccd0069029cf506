"""A derivative looked at as matrices: at several points and sizes, with what proves or refutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backprove.calculus import numeric
from backprove.checking.comparison import prove_equal
from backprove.checking.question import Question
from backprove.checking.structures import IMPLIED_BY
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Expr, Tensor

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
