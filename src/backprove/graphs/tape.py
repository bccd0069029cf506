"""Forward and backward over a scalar graph, with every number kept, in time linear in its nodes.

Nodes of one kind at one depth are computed together, as one array operation; where a depth holds
few nodes (a chain), they are computed one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.calculus.rules import partial
from backprove.graphs.compiled import Compiled, compiled
from backprove.graphs.local import own_outcome
from backprove.graphs.nodes import distinct
from backprove.notation.expressions import Array, Tensor
from backprove.notation.lowering import lower
from backprove.notation.operations import Program, Value

_SMALL = 6
"""Groups of fewer nodes are computed one by one: the overhead of an array operation is larger."""
_ARITHMETIC = {"add": "x + y", "subtract": "x - y", "multiply": "x * y", "divide": "x / y"}


@dataclass(frozen=True, eq=False)
class Kind:
    """One operation, whatever its operands are.

    Attributes:
        value: the value from the operands.
        slopes: the derivative by each operand that can vary, from the operands and the value.
        places: the places of these operands.
    """

    value: Compiled
    slopes: tuple[Compiled, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Many nodes of one kind at one depth.

    Attributes:
        kind: what they compute.
        nodes: their numbers.
        operands: for each operand place, the numbers of the nodes that stand there.
        first_edge: the number of the first edge; those of one place follow each other.
    """

    kind: Kind
    nodes: np.ndarray
    operands: list[np.ndarray]
    first_edge: int


@dataclass(frozen=True)
class Chain:
    """Nodes that are computed one by one: number, kind, operands, first edge of each."""

    nodes: list[int]
    kinds: list[Kind]
    operands: list[tuple[int, ...]]
    first_edges: list[int]


class Tape:
    """A scalar program, ready to be run any number of times.

    Raises:
        NotScalar: an operation of the program is about arrays.
    """

    def __init__(self, program: Program) -> None:
        self.values = program.values
        self.index = {value: k for k, value in enumerate(program.values)}
        self.output = self.index[program.output]
        self.constants = [
            (k, _constant(v)) for k, v in enumerate(self.values) if v.kind == "constant"
        ]
        self.inputs = [(k, v.array) for k, v in enumerate(self.values) if v.kind == "input"]
        self.steps: list[Group | Chain] = []
        self.edge_count = 0
        self._compiled: dict[tuple[object, ...], Kind] = {}
        self._kinds: list[Kind | None] = [None] * len(self.values)
        self._operands: list[tuple[int, ...]] = [()] * len(self.values)
        # Edge j of a node has the number first + j * stride.
        self._first = np.zeros(len(self.values), np.int64)
        self._stride = np.ones(len(self.values), np.int64)
        self._schedule()

    def _schedule(self) -> None:
        depths = [0] * len(self.values)
        levels: list[list[int]] = [[]]
        index = self.index
        for k, value in enumerate(self.values):
            if value.kind != "operation":
                continue
            operands = distinct(value.inputs)
            places = tuple([index[v] for v in operands])
            self._operands[k] = places
            self._kinds[k] = self._kind(value, operands)
            depth = 1 + max([depths[p] for p in places])
            depths[k] = depth
            if depth == len(levels):
                levels.append([])
            levels[depth].append(k)
        for level in levels:
            self._add_level(level)

    def _add_level(self, level: list[int]) -> None:
        if len(level) < _SMALL:
            for k in level:
                self._add_single(k)
            return
        groups: dict[Kind | None, list[int]] = {}
        for k in level:
            groups.setdefault(self._kinds[k], []).append(k)
        for kind, nodes in groups.items():
            if len(nodes) < _SMALL:
                for k in nodes:
                    self._add_single(k)
            else:
                assert kind is not None
                self._add_group(kind, nodes)

    def _add_single(self, k: int) -> None:
        if not self.steps or not isinstance(self.steps[-1], Chain):
            self.steps.append(Chain([], [], [], []))
        chain = self.steps[-1]
        kind = self._kinds[k]
        assert isinstance(chain, Chain) and kind is not None
        chain.nodes.append(k)
        chain.kinds.append(kind)
        chain.operands.append(self._operands[k])
        chain.first_edges.append(self.edge_count)
        self._first[k] = self.edge_count
        self.edge_count += len(kind.slopes)

    def _add_group(self, kind: Kind, nodes: list[int]) -> None:
        columns = np.array([self._operands[k] for k in nodes]).T
        self.steps.append(Group(kind, np.array(nodes), list(columns), self.edge_count))
        self._first[nodes] = self.edge_count + np.arange(len(nodes))
        self._stride[nodes] = len(nodes)
        self.edge_count += len(nodes) * len(kind.slopes)

    def _kind(self, value: Value, operands: tuple[Value, ...]) -> Kind:
        general = len(operands) == 2 and value.operation in _ARITHMETIC
        constants = order = None
        if "constant" in [v.kind for v in operands]:
            # Arithmetic with a constant is compiled once for all constants.
            constants = tuple(
                [
                    None if v.kind != "constant" else True if general else v.template
                    for v in operands
                ]
            )
        if operands is not value.inputs:
            order = tuple([operands.index(v) for v in value.inputs])
        key = (value.operation, value.template, value.attributes, order, constants, len(operands))
        kind = self._compiled.get(key)
        if kind is None:
            kind = self._compiled[key] = _compile(value, operands, general)
        return kind

    def operation(self, node: int) -> tuple[Compiled, tuple[int, ...]]:
        """An operation as a function of its operands, and the numbers of these."""
        kind = self._kinds[node]
        assert kind is not None
        return kind.value, self._operands[node]

    def edge(self, child: int, parent: int) -> int | None:
        """The number of an edge; None if there is none."""
        kind = self._kinds[child]
        if kind is None or parent not in self._operands[child]:
            return None
        place = self._operands[child].index(parent)
        if place not in kind.places:
            return None
        return int(self._first[child] + kind.places.index(place) * self._stride[child])

    def forward(self, inputs: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
        """All values and all local derivatives.

        Args:
            inputs: the number of each input node, with its value.

        Returns:
            One value per node, one derivative per edge.
        """
        values = np.full(len(self.values), np.nan)
        slopes = np.full(self.edge_count, np.nan)
        for k, number in (*self.constants, *inputs.items()):
            values[k] = number
        with np.errstate(all="ignore"):
            for step in self.steps:
                if isinstance(step, Group):
                    _forward_group(step, values, slopes)
                else:
                    _forward_chain(step, values, slopes)
        return values, slopes

    def backward(
        self, slopes: np.ndarray, root: int | None = None, seed: float = 1.0
    ) -> np.ndarray:
        """The derivative of one node (the output if none is named) by every node.

        Args:
            slopes: the local derivatives of :meth:`forward`.
            root: the number of the node to differentiate.
            seed: the upstream gradient of that node.
        """
        adjoint = np.zeros(len(self.values))
        adjoint[self.output if root is None else root] = seed
        # A node that the root does not depend on must not pass on 0 times infinity.
        inside = None if root in (None, self.output) else self.ancestors(root)
        with np.errstate(all="ignore"):
            for step in reversed(self.steps):
                if isinstance(step, Group):
                    _backward_group(step, adjoint, slopes, inside)
                else:
                    _backward_chain(step, adjoint, slopes, inside)
        return adjoint

    def ancestors(self, root: int) -> np.ndarray:
        """For each node whether ``root`` is computed from it (or is it)."""
        found = np.zeros(len(self.values), dtype=bool)
        found[root] = True
        stack = [root]
        while stack:
            for k in self._operands[stack.pop()]:
                if not found[k]:
                    found[k] = True
                    stack.append(k)
        return found


def _forward_group(step: Group, values: np.ndarray, slopes: np.ndarray) -> None:
    arguments = [values[p] for p in step.operands]
    outcome = step.kind.value(arguments)
    values[step.nodes] = outcome
    arguments.append(outcome)
    count = len(step.nodes)
    for j, slope in enumerate(step.kind.slopes):
        start = step.first_edge + j * count
        slopes[start : start + count] = slope(arguments)


def _forward_chain(step: Chain, values: np.ndarray, slopes: np.ndarray) -> None:
    rows = zip(step.nodes, step.kinds, step.operands, step.first_edges, strict=True)
    for k, kind, operands, edge in rows:
        arguments = [values[p] for p in operands]
        outcome = kind.value(arguments)
        values[k] = outcome
        arguments.append(outcome)
        for slope in kind.slopes:
            slopes[edge] = slope(arguments)
            edge += 1


def _backward_group(
    step: Group, adjoint: np.ndarray, slopes: np.ndarray, inside: np.ndarray | None
) -> None:
    count = len(step.nodes)
    for j, place in enumerate(step.kind.places):
        start = step.first_edge + j * count
        flow = adjoint[step.nodes] * slopes[start : start + count]
        if inside is not None:
            flow = np.where(inside[step.nodes], flow, 0.0)
        np.add.at(adjoint, step.operands[place], flow)


def _backward_chain(
    step: Chain, adjoint: np.ndarray, slopes: np.ndarray, inside: np.ndarray | None
) -> None:
    for at in range(len(step.nodes) - 1, -1, -1):
        k, edge = step.nodes[at], step.first_edges[at]
        if inside is not None and not inside[k]:
            continue
        operands, upstream = step.operands[at], adjoint[k]
        for place in step.kinds[at].places:
            adjoint[operands[place]] += upstream * slopes[edge]
            edge += 1


def _constant(value: Value) -> float:
    if value.number is not None:
        return float(value.number)
    assert value.definition is not None
    return float(compiled(value.definition.body, {})([]))


def _compile(value: Value, operands: Sequence[Value], general: bool) -> Kind:
    if general:
        arrays = [Array(name, ()) for name in "xy"]
        value = lower(_ARITHMETIC[value.operation], {a.name: a for a in arrays}).output
    else:
        arrays = [v.array for v in operands]
    definition = value.definition
    assert definition is not None
    places = tuple(k for k, operand in enumerate(operands) if operand.kind != "constant")
    position = {array: k for k, array in enumerate((*arrays, value.array))}
    slopes = []
    for k in places:
        slope = partial(definition.body, arrays[k], ())
        # exp, sigmoid, tanh: the slope is had from the outcome, without computing it again.
        slopes.append(compiled(own_outcome(value, Tensor((), slope), 0), position))
    return Kind(compiled(definition.body, position), tuple(slopes), places)
