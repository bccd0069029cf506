"""One run of a graph: every value, every local derivative, every upstream gradient, every path."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.calculus.numeric import Agreement, compare, one_sided
from backprove.checking import Verdict
from backprove.errors import DomainError
from backprove.graphs import presentation
from backprove.graphs.claims import check_run
from backprove.graphs.exercise import Exercise, make_exercise
from backprove.graphs.local import LocalForm
from backprove.graphs.notes import node_notes
from backprove.graphs.numerals import number
from backprove.graphs.passes import Pass
from backprove.graphs.paths import MAX_PATHS, Bundle, Path, Paths, chains, count_paths
from backprove.graphs.records import (
    NOT_COMPUTED,
    Cache,
    Flow,
    Kept,
    Local,
    Named,
    NotComputed,
    Upstream,
    bracketed,
)
from backprove.results import Block, Result, Table

if TYPE_CHECKING:
    from backprove.graphs.graph import Graph
    from backprove.graphs.nodes import GraphNode

MAX_DENSE_ENTRIES = 250_000
"""Local derivatives with more entries are given as formulas only."""
MAX_MEASURED_ENTRIES = 100
"""Local derivatives with more entries are not measured."""
_ITEM_BYTES = 8


@dataclass(eq=False)
class Run(Result):
    """The numbers of one run, forward and backward.

    Attributes:
        graph: the graph.
        passes: the numbers themselves.
        inputs: the values that were given.
        sizes: the value of each named size.
        seed: the gradient that flows into the output.
        root: what the gradients are of: the output, or a number made of it (see :attr:`meaning`).
        implied: whether the seed was chosen here and not given.
        active: for each node whether its gradient was computed.
    """

    graph: Graph
    passes: Pass
    inputs: Mapping[str, Any]
    sizes: Mapping[str, int]
    seed: np.ndarray
    root: str
    implied: bool
    active: Sequence[bool]

    @property
    def meaning(self) -> str:
        """What the gradients are of, where that is not simply the output; else empty."""
        output = self.graph.output
        if self.root == output:
            return ""
        if self.implied:
            return (
                f"{output} is not a number, so gradients are those of {self.root} = sum({output}). "
                "Pass upstream= for another weighting of its entries."
            )
        weighted = f"sum(upstream * {output})" if self.seed.ndim else f"upstream * {output}"
        return f"Gradients are those of {self.root} = {weighted} with the upstream gradient given."

    @cached_property
    def values(self) -> Named[Any]:
        """The value of every node by name: a float, or an array."""
        nodes = [n.name for n in self.graph.nodes]
        return Named("a node", nodes, self._value, self.graph.called)

    def _value(self, name: str) -> Any:
        return self.passes.value(self.graph.number(name))

    @cached_property
    def gradients(self) -> Named[Any]:
        """The gradient by every input, or :data:`NOT_COMPUTED`."""
        return Named("an input", self.graph.inputs, self.upstream_of, self.graph.called)

    def upstream_of(self, name: str) -> Any:
        """The gradient with respect to a node, or :data:`NOT_COMPUTED`."""
        k = self.graph.number(name)
        if not self.active[k] or self.graph.nodes[k].value.kind == "constant":
            return NOT_COMPUTED
        return self.passes.upstream(k)

    # --- local derivatives ------------------------------------------------------------------

    @cached_property
    def local(self) -> Locals:
        """Every local derivative: ``run.local["h3", "z"]``."""
        return Locals(self)

    def partial(self, child: str, parent: str) -> Any:
        """The value of the local derivative ∂child/∂parent; None where there is no such edge.

        >>> from backprove.graphs import graph
        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> run.partial("h3", "h2"), run.partial("h3", "y")
        (2.0, None)
        """
        edge = self._edge(child, parent)
        return None if edge is None else self.passes.local(*edge)

    def agreement(self, child: str, parent: str) -> Agreement | None:
        """How well a local derivative agrees with differences of the operation at this run.

        Returns:
            None where there is no such edge, or the Jacobian is too large to measure.

        >>> from backprove.graphs import graph
        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> run.agreement("h2", "y").error < 1e-9
        True
        """
        edge = self._edge(child, parent)
        if edge is None:
            return None
        at = np.asarray(self.passes.value(edge[1]), dtype=float)
        if at.size * np.size(self.passes.value(edge[0])) > MAX_MEASURED_ENTRIES:
            return None
        return compare(np.asarray(self.passes.local(*edge)), self.passes.operation(*edge), at)

    def sides(self, child: str, parent: str, entry: tuple[int, ...]) -> tuple[float, float]:
        """The slopes of one entry of a local derivative from the left and from the right.

        >>> from backprove.graphs import graph
        >>> graph("relu(x)").run(x=0).sides("f", "x", ())
        (0.0, 1.0)
        """
        edge = self.graph.number(child), self.graph.number(parent)
        at = np.asarray(self.passes.value(edge[1]), dtype=float)
        cut = len(entry) - at.ndim
        slopes = one_sided(self.passes.operation(*edge), at, entry[cut:])
        left, right = (float(np.asarray(s)[entry[:cut]]) + 0.0 for s in slopes)  # -0.0 becomes 0.0
        return left, right

    def derivative(self, child: str, parent: str) -> Any:
        """The derivative of one node by another along all paths between them.

        Returns:
            A float, or an array over the axes of ``child``, then of ``parent``. 0 where ``child``
            does not depend on ``parent``.

        >>> from backprove.graphs import graph
        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> round(run.derivative("h3", "y"), 3), run.derivative("h1", "y")
        (40.171, 0.0)
        """
        numbers = self.graph.number(child), self.graph.number(parent)
        extent = [self.passes.value(k) for k in numbers]
        entries = math.prod(np.asarray(v).size for v in extent)
        if entries > MAX_DENSE_ENTRIES:
            raise DomainError(
                f"∂{child}/∂{parent} has {entries:,} entries; at most {MAX_DENSE_ENTRIES:,} are "
                "computed",
                hint="Pass upstream= to run for a vector-Jacobian product.",
            )
        return self.passes.total(*numbers)

    def is_path(self, names: Sequence[str]) -> bool:
        """Whether the names, from the output side to the input side, follow edges of the graph.

        >>> from backprove.graphs import graph
        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> run.is_path(["f", "h3", "z"]), run.is_path(["f", "h2", "z"])
        (True, False)
        """
        pairs = pairwise(names)
        return all(n in self.values for n in names) and all(self._edge(a, c) for a, c in pairs)

    def _edge(self, child: str, parent: str) -> tuple[int, int] | None:
        if child not in self.values or parent not in self.values:
            return None
        pair = self.graph.number(child), self.graph.number(parent)
        return pair if pair[1] in self.graph.parents[pair[0]] else None

    # --- upstream gradients -----------------------------------------------------------------

    @cached_property
    def upstream(self) -> Named[Upstream | NotComputed]:
        """For every node the gradient as the sum over its consumers, or :data:`NOT_COMPUTED`."""
        nodes = [n.name for n in self.graph.nodes]
        return Named("a node", nodes, self._upstream, self.graph.called)

    def _upstream(self, name: str) -> Upstream | NotComputed:
        value = self.upstream_of(name)
        if isinstance(value, NotComputed):
            return value
        k = self.graph.number(name)
        flows = tuple(self._flow(child, k) for child in self.graph.consumers[k])
        return Upstream(self.graph.nodes[k].name, self.root, flows, value)

    def _flow(self, child: int, parent: int) -> Flow:
        above, below = (self.graph.nodes[k].name for k in (child, parent))
        upstream = self.passes.upstream(child)
        product = self.passes.pulled_back(child, parent, upstream)
        numbers = ""
        if np.ndim(upstream) == np.ndim(product) == 0:
            numbers = f"{bracketed(upstream)}·{bracketed(self.passes.local(child, parent))}"
        return Flow(above, f"∂{self.root}/∂{above}·∂{above}/∂{below}", numbers, product)

    # --- paths ------------------------------------------------------------------------------

    def paths(self, name: str, limit: int = MAX_PATHS) -> Paths:
        """Every path from the output to a node, with the product along it.

        Args:
            name: the node.
            limit: with more paths than this they are counted, and summed by their first step.

        >>> from backprove.graphs import graph
        >>> print(graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2).paths("z"))
        ∂f/∂h3·∂h3/∂z = 1·20.0855 = 20.0855
        """
        start, output = self.graph.number(name), self.graph.number(self.graph.output)
        counts, consumers = self._path_counts, self.graph.consumers
        found = []
        if counts[start] <= limit:
            found = [self._path(c) for c in chains(consumers, counts, start, output)]
        bundles = tuple(
            Bundle(self.graph.nodes[c].name, counts[c], self._flow(c, start).value)
            for c in consumers[start]
            if self.active[start]
        )
        return Paths(
            self.graph.nodes[start].name,
            self.graph.output,
            counts[start],
            tuple(found),
            bundles,
            self.upstream_of(name),
        )

    @cached_property
    def _path_counts(self) -> list[int]:
        return count_paths(self.graph.consumers, self.graph.number(self.graph.output))

    def _path(self, chain: tuple[int, ...]) -> Path:
        names = tuple(self.graph.nodes[k].name for k in chain)
        pairs = list(pairwise(chain))
        value: Any = self.seed if self.seed.ndim else float(self.seed)
        locals_: list[float | None] = []
        scalar = all(np.ndim(self.passes.value(k)) == 0 for k in chain)
        for child, parent in pairs:
            value = self.passes.pulled_back(child, parent, value)
            locals_.append(float(self.passes.local(child, parent)) if scalar else None)
        factors = [f"∂{a}/∂{c}" for a, c in pairwise(names)]
        if self.root != self.graph.output:
            factors.insert(0, f"∂{self.root}/∂{self.graph.output}")
        return Path(names, tuple(factors), tuple(locals_), self.seed, value)

    # --- what is kept, what is wrong --------------------------------------------------------

    @cached_property
    def cached(self) -> Cache:
        """What is kept from the forward pass for the backward pass, per node with its bytes."""
        needed: dict[int, list[str]] = {}
        for child, parents in enumerate(self.graph.parents):
            if not self.active[child]:
                continue
            for parent in parents:
                if self.active[parent]:
                    self._needs(child, parent, needed)
        nodes = self.graph.nodes
        kept = [
            Kept(
                nodes[k].name,
                nodes[k].role,
                np.shape(self.passes.value(k)),
                _ITEM_BYTES * int(np.size(self.passes.value(k))),
                tuple(uses),
            )
            for k, uses in sorted(needed.items())
        ]
        dropped = [n.name for k, n in enumerate(nodes) if n.role == "operation" and k not in needed]
        return Cache(tuple(kept), tuple(dropped))

    def _needs(self, child: int, parent: int, needed: dict[int, list[str]]) -> None:
        form = self.graph.form(child, parent)
        arrays, outcome = form.needed
        symbol = f"∂{form.child.name}/∂{form.parent.name}"
        numbers = [self.graph.number(n) for n in arrays] + [child] * outcome
        for k in numbers:
            if self.graph.nodes[k].value.kind != "constant":
                needed.setdefault(k, []).append(symbol)

    @cached_property
    def notes(self) -> Named[list[str]]:
        """Sentences about trouble at each node: NaN, overflow, kinks, saturation."""
        nodes = [n.name for n in self.graph.nodes]
        return Named("a node", nodes, self._notes, self.graph.called)

    def _notes(self, name: str) -> list[str]:
        k = self.graph.number(name)
        node = self.graph.nodes[k]
        operands = [self.passes.value(self.graph.number_of(v)) for v in _distinct(node)]
        slopes = []
        for parent in self.graph.parents[k]:
            entries = np.size(self.passes.value(k)) * np.size(self.passes.value(parent))
            if entries <= MAX_DENSE_ENTRIES:
                slopes.append(self.passes.local(k, parent))
        found = node_notes(node, operands, self.passes.value(k), slopes)
        gradient = self.upstream_of(name)
        if not isinstance(gradient, NotComputed) and not np.all(np.isfinite(gradient)):
            found.append(f"The gradient ∂{self.root}/∂{node.name} is not finite.")
        return found

    @property
    def warnings(self) -> dict[str, list[str]]:
        """The notes of the nodes that have any."""
        return {name: notes for name, notes in self.notes.items() if notes}

    def check(self, claim: str, *, earlier: Sequence[str] = ()) -> Verdict:
        """Judge a claim about a value, a derivative or a path; see :func:`~.claims.check_run`.

        >>> from backprove.graphs import graph
        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> run.check("df/dz = df/dh3 * dh3/dz = 20.0855").kind
        'right'
        """
        return check_run(self, claim, earlier=earlier)

    def exercise(
        self, seed: int = 0, hide: str | Iterable[str] = "gradients", count: int | None = None
    ) -> Exercise:
        """Hide numbers of this run and judge the answers; a wrong one is told what went wrong.

        Args:
            seed: decides which numbers are drawn where not all are asked for, and which entry of
                an array.
            hide: ``values``, ``local``, ``gradients`` or ``all``; or symbols such as ``h2``,
                ``∂h3/∂z`` and ``df/dh2``.
            count: how many of them; all without it.

        Raises:
            UnknownName: a symbol that cannot be hidden.
            DomainError: there is nothing to hide.

        >>> from backprove.graphs import graph
        >>> exercise = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2).exercise(hide=["df/dy"])
        >>> exercise.answer("df/dy", "20.0855").message
        'Wrong: the upstream gradient of h2 is missing as a factor.'
        """
        return make_exercise(self, seed, hide, count)

    # --- showing ----------------------------------------------------------------------------

    def table(self) -> Table:
        """One row for each node: operation, value, local derivatives, upstream gradient."""
        return presentation.run_table(self)

    def blocks(self) -> list[Block]:
        """Drawing, values, local and upstream gradients, paths, notes."""
        return presentation.run_blocks(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready data."""
        return presentation.run_data(self)


def _distinct(node: GraphNode) -> list[Any]:
    return list(dict.fromkeys(node.value.inputs))


class Locals(Mapping[tuple[str, str], Local]):
    """The local derivatives of a run by (operation, operand)."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, pair: tuple[str, str]) -> Local:
        child, parent = pair
        run = self._run
        edge = run._edge(child, parent)
        if edge is None:
            run.graph.number(child)
            run.graph.number(parent)
            raise DomainError(
                f"there is no edge from {parent} to {child}, so ∂{child}/∂{parent} is no local "
                "derivative",
                hint=f"run.derivative('{child}', '{parent}') follows all paths.",
            )
        return _local(run, run.graph.form(*edge), edge)

    def __contains__(self, pair: object) -> bool:
        return isinstance(pair, tuple) and len(pair) == 2 and self._run._edge(*pair) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._run.graph.edges)

    def __len__(self) -> int:
        return sum(len(p) for p in self._run.graph.parents)


def _local(run: Run, form: LocalForm, edge: tuple[int, int]) -> Local:
    values = [run.passes.value(k) for k in edge]
    if math.prod(np.size(v) for v in values) > MAX_DENSE_ENTRIES:
        return Local(form, None, "")
    value = run.passes.local(*edge)
    if form.tensor.axes:
        return Local(form, value, "")
    numbers = {}
    for operand in dict.fromkeys(form.child.value.inputs):
        at = run.passes.value(run.graph.number_of(operand))
        if operand.name.isidentifier() and np.ndim(at) == 0:
            text = number(at)
            numbers[operand.name] = f"({text})" if text.startswith("-") else text
    return Local(form, float(value), form.with_numbers(numbers))


__all__ = ["NOT_COMPUTED", "Locals", "Run"]
