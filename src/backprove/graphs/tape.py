"""Forward and backward over a scalar graph, with every number kept, in time linear in its nodes.

Nodes of one kind at one depth are computed together, as one array operation; where a depth holds
few nodes (a chain), they are computed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.calculus.rules import partial
from backprove.graphs.compiled import Compiled, compiled
from backprove.notation.expressions import Array
from backprove.notation.lowering import lower
from backprove.notation.operations import Program, Value

_SMALL = 6
"""Groups of fewer nodes are computed one by one: the overhead of an array operation is larger."""
_ARITHMETIC = {"add": "x + y", "subtract": "x - y", "multiply": "x * y", "divide": "x / y"}


@dataclass(frozen=True)
class Kind:
    """One operation, whatever its operands are.

    Attributes:
        value: the value from the operands.
        partials: place of an operand and the derivative by it, for operands that can vary.
    """

    value: Compiled
    partials: tuple[tuple[int, Compiled], ...]


@dataclass(frozen=True)
class Group:
    """Nodes of one kind at one depth.

    Attributes:
        kind: what they compute.
        nodes: their numbers.
        operands: for each operand place, the numbers of the nodes that stand there.
        edges: for each entry of ``kind.partials``, the number of the first edge; those of the
            other nodes of the group follow.
    """

    kind: Kind
    nodes: Any
    operands: Any
    edges: tuple[int, ...]


class Tape:
    """A scalar program, ready to be run any number of times.

    Raises:
        NotScalar: an operation of the program is about arrays.
    """

    def __init__(self, program: Program) -> None:
        self.values = program.values
        self.index = {value: k for k, value in enumerate(program.values)}
        self.output = self.index[program.output]
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self.constants = [
            (k, _constant(v)) for k, v in enumerate(self.values) if v.kind == "constant"
        ]
        self.groups: list[Group] = []
        self.edge_count = 0
        self._edge: dict[tuple[int, int], int] = {}
        self._schedule()

    def _schedule(self) -> None:
        depth = [0] * len(self.values)
        members: dict[tuple[int, int], list[tuple[int, tuple[int, ...]]]] = {}
        kinds: dict[int, Kind] = {}
        index = self.index
        for k, value in enumerate(self.values):
            if value.kind != "operation":
                continue
            places = tuple(index[v] for v in dict.fromkeys(value.inputs))
            depth[k] = 1 + max(depth[p] for p in places)
            kind = self._kind(value)
            kinds[id(kind)] = kind
            members.setdefault((depth[k], id(kind)), []).append((k, places))
        self.depth = depth
        for (_, kind_id), nodes in sorted(members.items(), key=lambda item: item[0][0]):
            self._add_group(kinds[kind_id], nodes)

    def _add_group(self, kind: Kind, members: list[tuple[int, tuple[int, ...]]]) -> None:
        numbers = [k for k, _ in members]
        columns = list(zip(*(places for _, places in members), strict=True))
        starts = []
        for place, _ in kind.partials:
            starts.append(self.edge_count)
            for offset, (child, parent) in enumerate(zip(numbers, columns[place], strict=True)):
                self._edge[child, parent] = self.edge_count + offset
            self.edge_count += len(numbers)
        if len(numbers) >= _SMALL:
            group = Group(kind, np.array(numbers), [np.array(c) for c in columns], tuple(starts))
        else:
            group = Group(kind, numbers, [p for _, p in members], tuple(starts))
        self.groups.append(group)

    def _kind(self, value: Value) -> Kind:
        operands = list(dict.fromkeys(value.inputs))
        general = value.operation in _ARITHMETIC and len(operands) == 2
        key: tuple[object, ...] = (
            value.operation,
            value.template,
            value.attributes,
            tuple(operands.index(v) for v in value.inputs),
            # Arithmetic with a constant is compiled once for all constants.
            tuple(
                (v.number if not general else True, v.template if not general else "")
                if v.kind == "constant"
                else None
                for v in operands
            ),
        )
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _compile(value, operands, general)
        return kind

    def edge(self, child: int, parent: int) -> int | None:
        """The number of an edge; None if there is none."""
        return self._edge.get((child, parent))

    def forward(self, inputs: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
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
            for group in self.groups:
                kind, nodes = group.kind, group.nodes
                if isinstance(nodes, list):
                    for offset, (k, places) in enumerate(zip(nodes, group.operands, strict=True)):
                        arguments = [values[p] for p in places]
                        values[k] = kind.value(arguments)
                        for start, (_, slope) in zip(group.edges, kind.partials, strict=True):
                            slopes[start + offset] = slope(arguments)
                else:
                    arguments = [values[p] for p in group.operands]
                    values[nodes] = kind.value(arguments)
                    for start, (_, slope) in zip(group.edges, kind.partials, strict=True):
                        slopes[start : start + len(nodes)] = slope(arguments)
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
        outside = None if root in (None, self.output) else ~self.ancestors(root)
        with np.errstate(all="ignore"):
            for group in reversed(self.groups):
                nodes = group.nodes
                for start, (place, _) in zip(group.edges, group.kind.partials, strict=True):
                    if isinstance(nodes, list):
                        for offset, k in enumerate(nodes):
                            if outside is not None and outside[k]:
                                continue
                            upstream = adjoint[k]
                            adjoint[group.operands[offset][place]] += (
                                upstream * slopes[start + offset]
                            )
                    else:
                        flow = adjoint[nodes] * slopes[start : start + len(nodes)]
                        if outside is not None:
                            flow = np.where(outside[nodes], 0.0, flow)
                        np.add.at(adjoint, group.operands[place], flow)
        return adjoint

    def ancestors(self, root: int) -> np.ndarray:
        """For each node whether ``root`` is computed from it (or is it)."""
        found = np.zeros(len(self.values), dtype=bool)
        found[root] = True
        stack = [root]
        while stack:
            for operand in self.values[stack.pop()].inputs:
                k = self.index[operand]
                if not found[k]:
                    found[k] = True
                    stack.append(k)
        return found


def _constant(value: Value) -> float:
    if value.number is not None:
        return float(value.number)
    assert value.definition is not None
    return float(compiled(value.definition.body, {})([]))


def _compile(value: Value, operands: Sequence[Value], general: bool) -> Kind:
    if general:
        arrays = [Array(name, ()) for name in "xy"]
        program = lower(_ARITHMETIC[value.operation], {a.name: a for a in arrays})
        definition = program.output.definition
    else:
        arrays = [v.array for v in operands]
        definition = value.definition
    assert definition is not None
    position = {array: k for k, array in enumerate(arrays)}
    partials = [
        (k, compiled(partial(definition.body, arrays[k], ()), position))
        for k, operand in enumerate(operands)
        if operand.kind != "constant"
    ]
    return Kind(compiled(definition.body, position), tuple(partials))
