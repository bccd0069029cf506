"""Chains and paths that a claim leaves out, found by spoiling the backward pass itself.

The truth is a sum over paths of products of local derivatives. Dropping one use of a value, or one
local derivative, from that sum gives the wrong answers that people give; a claim that equals one of
them has its mistake named by what was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backprove.calculus import numeric
from backprove.calculus.accumulation import (
    Backward,
    Contribution,
    backward,
    depends_on,
)
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Add, Array, Expr, Num, Tensor
from backprove.notation.operations import Program, Value

MAX_OPERATIONS = 24
MAX_WORK = 30_000.0
"""Counted work, not time: one edge of small matrices is one unit."""
LARGE = 20_000
MAX_ENTRIES = 400
LINEAR = ("add", "subtract", "negative", "sum", "mean", "transpose", "reshape", "trace", "index",
          "getitem", "concatenate", "stack", "tril", "triu", "diag", "cumsum")  # fmt: skip
ALGEBRA = (*(o for o in LINEAR if o not in ("sum", "mean", "cumsum")),
           "multiply", "matmul", "einsum", "outer", "kron", "dot")  # fmt: skip
WORDS = {"matmul": "the matrix product", "multiply": "the product", "add": "the sum",
         "subtract": "the difference", "divide": "the quotient", "power": "the power",
         "transpose": "the transpose", "index": "the entries", "negative": "the minus sign",
         "einsum": "the einsum"}  # fmt: skip
PRODUCTS = ("multiply", "divide", "matmul", "einsum", "outer", "kron", "dot")


@dataclass(frozen=True)
class Lost:
    """What was dropped.

    Attributes:
        mistake: ``missing_path``, ``missing_chain``, ``missing_factor``, ``missing_term``, ...
        where: the place in words.
        also: another name of the same omission.
    """

    mistake: str
    where: str
    also: tuple[str, ...] = ()


@dataclass
class _Edge:
    """One use of a value with its local derivative as a matrix."""

    contribution: Contribution
    local: np.ndarray


class Spoiled:
    """Spoiled backward passes at several points.

    Args:
        program: the expression.
        truth: its derivative, output axes first.
        points: where to evaluate.
        upstream: for a VJP, the upstream gradient; ``truth`` then has the shape of the input.
    """

    def __init__(
        self,
        program: Program,
        truth: Tensor,
        points: Sequence[numeric.Point],
        upstream: Array | None = None,
    ) -> None:
        self.program = program
        self.points = points
        self.upstream = upstream
        found = _passes(program, truth, points, upstream)
        self.usable = found is not None
        if found is None:
            return
        self.wrt, passes = found
        self.edges = [
            [_Edge(c, _dense(c.local, c, p)) for c in passes.contributions] for p in points
        ]
        self.uses: dict[Value, int] = {}
        for c in passes.contributions:
            self.uses[c.value] = self.uses.get(c.value, 0) + _appearances(c)
        active = depends_on(program, [self.wrt])
        self.composed = sum(not _linear(o, active) for o in active if o.inputs) > 1
        self.active = active
        plain = ("sum", "mean", "negative", "add", "subtract", "index", "transpose", "trace")
        used = [o for o in active if o.inputs]
        self.chained = sum(o.operation not in plain for o in used) > 1
        self.single = len(used) == 1

    def find(self, given: Sequence[np.ndarray]) -> Lost | None:
        """What a claim lost, or None.

        Args:
            given: the claim's value at each point.
        """
        if not self.usable or not np.any(given[0]):
            return None
        flops = sum(e.local.size for e in self.edges[0]) * len(np.atleast_1d(given[0]))
        each = len(self.edges[0]) + flops / LARGE
        for number, (lost, changes) in enumerate(self._changes()):
            if number * each > MAX_WORK:
                return None
            if all(self._agrees(k, changes, given[k].reshape(-1)) for k in range(len(self.points))):
                return lost
        return None

    def _agrees(self, k: int, changes: Mapping[int, str], given: np.ndarray) -> bool:
        value = self._gradient(k, changes)
        if value is None:
            return False
        value = value.reshape(-1)
        scale = max(float(np.abs(given).max(initial=0.0)), 1e-9)
        same = value.shape == given.shape and np.all(np.isfinite(value))
        return bool(same and np.abs(value - given).max(initial=0.0) <= 1e-8 * scale)

    def _changes(self) -> Iterator[tuple[Lost, dict[int, str]]]:
        edges = self.edges[0]
        several = [k for k, e in enumerate(edges) if self.uses[e.contribution.value] > 1]
        alone = [k for k in several if _appearances(edges[k].contribution) == 1]
        for k in self._summands():
            yield Lost("missing_term", _path_text(edges[k]), ("missing_path",)), {k: "drop"}
        for k in alone:
            yield self._lost_use(k), {k: "drop"}
        for k in several:
            if k not in alone:
                for n in range(_appearances(edges[k].contribution)):
                    yield self._lost_use(k), {k: f"use {n}"}
        for k, edge in enumerate(edges):
            rows, columns = edge.local.shape
            if rows == columns and rows > 1 and not _is_diagonal(edge.local):
                if not np.allclose(edge.local, edge.local.T):
                    yield Lost("transposed", _path_text(edge)), {k: "transpose"}
                name = "scalar_rule" if self.single else "missing_path"
                yield Lost(name, _path_text(edge)), {k: "diagonal"}
        for k, edge in enumerate(edges):
            rows, columns = edge.local.shape
            # A mask may be all ones at one point, so every point is looked at.
            plain = rows == columns and all(
                np.allclose(e[k].local, np.eye(len(e[k].local))) for e in self.edges
            )
            if rows == columns and not plain:
                yield Lost(self._name_of_lost(k), _path_text(edge)), {k: "identity"}
                if not np.allclose(edge.local, -np.eye(rows)):
                    yield Lost(self._name_of_lost(k), _path_text(edge)), {k: "opposite"}
        for k, edge in enumerate(edges):
            if k not in alone:
                yield Lost("missing_path", _path_text(edge)), {k: "drop"}
        for count in (2, 3):
            for group in combinations(alone[:10], count):
                text = "; ".join(_path_text(edges[k]) for k in group)
                name, other = self._name_of_uses(group[0])
                yield Lost(name, text, other), dict.fromkeys(group, "drop")
        for k, edge in enumerate(edges):
            inner = self._all_below(k)
            if len(inner) > 1:
                yield Lost("missing_chain", _path_text(edge)), dict.fromkeys(inner, "identity")
        square = [k for k, e in enumerate(edges) if e.local.shape[0] == e.local.shape[1]]
        for first, second in combinations(square[:12], 2):
            yield (
                Lost("missing_chain", _path_text(edges[first])),
                {first: "identity", second: "identity"},
            )

    def _all_below(self, k: int) -> list[int]:
        """The links from one use down to the symbol, if there is a single way of square ones."""
        edges, found = self.edges[0], [k]
        while (value := edges[found[-1]].contribution.value).array is not self.wrt:
            below = [n for n, e in enumerate(edges) if e.contribution.consumer is value]
            if len(below) != 1:
                return []
            found += below
        rows = {n for k in found for n in edges[k].local.shape}
        return found if len(rows) == 1 else []

    def _lost_use(self, k: int) -> Lost:
        name, also = self._name_of_uses(k)
        return Lost(name, _path_text(self.edges[0][k]), also)

    def _name_of_uses(self, k: int) -> tuple[str, tuple[str, ...]]:
        """A use that is left out is a term where the symbol stands in sums and products only.

        There the rule for products has one term for each place of the symbol. Where another
        function lies between a use and the place at which all uses meet, it is a path.
        """
        value = self.edges[0][k].contribution.value
        algebra = value.array is self.wrt and self._between(value) <= set(ALGEBRA)
        names = ("missing_term", "missing_path") if algebra else ("missing_path", "missing_term")
        return names[0], names[1:]

    def _between(self, value: Value) -> set[str]:
        """The operations from the uses of a value up to the first one that all of them reach."""
        users: list[Value] = []
        for one in self.program.operations:
            if any(i is value or i in users for i in one.inputs):
                users.append(one)
                if not self._reaches_output(value, around=one):
                    break
        return {u.operation for u in users}

    def _reaches_output(self, value: Value, *, around: Value) -> bool:
        """True if some path from a value to the output avoids another one."""
        reached = {value}
        for one in self.program.operations:
            if one is not around and any(i in reached for i in one.inputs):
                reached.add(one)
        return self.program.output in reached

    def _summands(self) -> list[int]:
        """Uses in a sum that is the function itself: a whole term of it is not differentiated."""
        if self.program.output.shape:
            return []
        top, stack = set(), [self.program.output]
        while stack:
            value = stack.pop()
            if value in self.active and _linear(value, self.active) and value not in top:
                top.add(value)
                stack.extend(value.inputs)
        return [
            k
            for k, e in enumerate(self.edges[0])
            if e.contribution.consumer in top
            and e.contribution.consumer.operation in ("add", "subtract")
        ]

    def _inner(self, k: int) -> bool:
        """True if a function that is not linear is applied after this use."""
        consumer = self.edges[0][k].contribution.consumer
        above = {consumer}
        for value in self.program.operations:
            if any(i in above for i in value.inputs):
                above.add(value)
        others = above - {consumer}
        return any(v.operation != "where" and not _linear(v, self.active) for v in others)

    def _name_of_lost(self, k: int) -> str:
        """The name of the mistake of leaving out one local derivative."""
        edge = self.edges[0][k]
        consumer = edge.contribution.consumer
        if np.allclose(edge.local, -np.eye(len(edge.local))):
            return "sign"
        if consumer.operation in ("log_softmax", "logsumexp"):
            return "missing_term"
        others = [v for v in consumer.inputs if v is not edge.contribution.value]
        plain = others and all(not _depends_on_data(v) for v in others)
        if plain and consumer.operation in PRODUCTS:
            if all(v.number is not None for v in others):
                return "missing_chain" if self._inner(k) else "missing_factor"
            return "missing_normalizer" if consumer.operation == "divide" else "missing_factor"
        held = others and all(v not in self.active for v in others)
        if held and consumer.operation in ("multiply", "divide") and not self._inner(k):
            return "missing_factor" if consumer.operation == "multiply" else "missing_normalizer"
        if consumer.operation in ("index", "transpose", "reshape"):
            return "wrong_delta"
        if consumer.operation in LINEAR:
            return "missing_factor"
        # An upstream gradient and one function after another are a chain already.
        chained = self.chained or self.upstream is not None
        return "missing_chain" if chained else "missing_factor"

    def _gradient(self, k: int, changes: Mapping[int, str]) -> np.ndarray | None:
        point = self.points[k]
        output = self.program.output
        count = int(np.prod([s.at(point.sizes) for s in output.shape], dtype=int))
        seed = np.eye(count)
        if self.upstream is not None:
            seed = np.reshape(point.inputs[self.upstream], (1, count))
        adjoints: dict[Value, np.ndarray] = {output: seed}
        for n, edge in enumerate(self.edges[k]):
            c = edge.contribution
            local = edge.local
            change = changes.get(n, "")
            if change == "drop":
                continue
            if change.startswith("use"):
                dropped = _one_use(c, point, int(change[4:]))
                if dropped is None:
                    return None
                local = dropped
            elif change == "identity":
                local = np.eye(local.shape[0])
            elif change == "opposite":
                local = -np.eye(local.shape[0])
            elif change == "diagonal":
                local = np.diag(np.diag(local))
            elif change == "transpose":
                local = local.T
            if c.consumer not in adjoints:
                continue
            part = adjoints[c.consumer] @ local
            adjoints[c.value] = adjoints[c.value] + part if c.value in adjoints else part
        for value, adjoint in adjoints.items():
            if value.array is self.wrt:
                return adjoint
        return None


def _passes(
    program: Program,
    truth: Tensor,
    points: Sequence[numeric.Point],
    upstream: Array | None,
) -> tuple[Array, Backward] | None:
    """The symbol whose derivative (or VJP) the truth is, and the backward pass to it."""
    if len(program.operations) > MAX_OPERATIONS:
        return None
    point = points[0]
    if any(np.size(point.values[v.array]) > MAX_ENTRIES for v in program.operations):
        return None
    expected = Evaluator(point.values, point.sizes).tensor(truth)
    outputs = () if upstream is not None else program.output.shape
    for array in program.symbols.values():
        if truth.shape != (*outputs, *array.shape) or array not in {
            v.array for v in program.inputs
        }:
            continue
        try:
            passes = backward(program, [array])
        except BackproveError:
            continue
        value = next((v for v in passes.adjoints if v.array is array), None)
        if value is None:
            continue
        given = Evaluator(point.values, point.sizes).tensor(passes.tensor(value))
        if upstream is not None:
            given = np.tensordot(point.inputs[upstream], given, len(program.output.shape))
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-9)
        if np.abs(given - expected).max(initial=0.0) <= 1e-8 * scale:
            return array, passes
    return None


def _dense(local: Expr, c: Contribution, point: numeric.Point) -> np.ndarray:
    dense = Evaluator(point.values, point.sizes).dense(local, (*c.consumer_axes, *c.axes))
    rows = int(np.prod([s.at(point.sizes) for s in c.consumer.shape], dtype=int))
    return np.asarray(dense, dtype=float).reshape(rows, -1)


def _appearances(contribution: Contribution) -> int:
    return sum(v is contribution.value for v in contribution.consumer.inputs)


def _one_use(c: Contribution, point: numeric.Point, position: int) -> np.ndarray | None:
    """The local derivative without the use of the operand at one of its places."""
    local = c.local
    if isinstance(local, Add) and len(local.terms) > position:
        term, coefficient = local.terms[position]
        local = b.sub(local, b.mul(Num(coefficient), term))
        factor = 1.0
    else:
        factor = 1.0 - 1.0 / _appearances(c)
    return factor * _dense(local, c, point)


def _linear(value: Value, active: set[Value]) -> bool:
    """True if an operation is linear in the values that depend on the symbol."""
    if value.operation in LINEAR:
        return True
    if value.operation == "divide" and value.inputs[-1] in active:
        return False
    return value.operation in PRODUCTS and sum(v in active for v in value.inputs) < 2


def _depends_on_data(value: Value) -> bool:
    return value.kind == "input" or any(_depends_on_data(v) for v in value.inputs)


def _is_diagonal(matrix: np.ndarray) -> bool:
    return bool(np.allclose(matrix, np.diag(np.diag(matrix))))


def _path_text(edge: _Edge) -> str:
    c = edge.contribution
    operation = c.consumer.operation or c.consumer.name
    return f"the path through {WORDS.get(operation, operation)}"
