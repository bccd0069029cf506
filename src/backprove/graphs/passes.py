"""The two passes over one set of inputs: for scalar graphs by the tape, for others by tensors.

Both answer the same questions: the value of a node, the local derivative along an edge, what flows
back along it, and the upstream gradient of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from backprove.graphs.local import LocalForm
from backprove.graphs.tape import Tape
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array, Tensor
from backprove.notation.operations import Program, Value

FormOf = Callable[[int, int], LocalForm]


class Pass(Protocol):
    """What a forward and a backward pass leave behind; nodes are given by their number."""

    def value(self, node: int) -> Any:
        """The value of a node."""
        ...

    def local(self, child: int, parent: int) -> Any:
        """The derivative of an operation by an operand, over the axes of both."""
        ...

    def upstream(self, node: int) -> Any:
        """The gradient with respect to a node."""
        ...

    def pulled_back(self, child: int, parent: int, upstream: Any) -> Any:
        """An upstream gradient of ``child``, times the local derivative by ``parent``."""
        ...

    def total(self, child: int, parent: int) -> Any:
        """The derivative of one node by another along all paths, over the axes of both."""
        ...

    def operation(self, child: int, parent: int) -> Callable[[np.ndarray], np.ndarray]:
        """An operation as a function of one operand, the others as they are."""
        ...


class ScalarPass:
    """The passes over a scalar graph; every number is a float64."""

    def __init__(self, tape: Tape, inputs: Mapping[Array, np.ndarray], seed: Any) -> None:
        self.tape = tape
        numbers = {k: float(inputs[array]) for k, array in tape.inputs}
        self.values, self.slopes = tape.forward(numbers)
        self.adjoints = tape.backward(self.slopes, seed=float(seed))
        self._totals: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def value(self, node: int) -> float:
        """The value of a node."""
        return float(self.values[node])

    def local(self, child: int, parent: int) -> float:
        """The derivative of an operation by an operand."""
        edge = self.tape.edge(child, parent)
        assert edge is not None
        return float(self.slopes[edge])

    def upstream(self, node: int) -> float:
        """The gradient with respect to a node."""
        return float(self.adjoints[node])

    def pulled_back(self, child: int, parent: int, upstream: Any) -> float:
        """An upstream gradient of ``child``, times the local derivative by ``parent``."""
        with np.errstate(all="ignore"):
            return float(np.float64(upstream) * self.local(child, parent))

    def total(self, child: int, parent: int) -> float:
        """The derivative of one node by another along all paths."""
        known = self._totals.get(child)
        if known is None:
            known = self.tape.backward(self.slopes, child), self.tape.ancestors(child)
            self._totals[child] = known
        adjoint, ancestors = known
        return float(adjoint[parent]) if ancestors[parent] else 0.0

    def operation(self, child: int, parent: int) -> Callable[[np.ndarray], np.ndarray]:
        """An operation as a function of one operand, the others as they are."""
        compute, operands = self.tape.operation(child)
        arguments = [self.values[k] for k in operands]
        place = operands.index(parent)

        def function(x: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                moved = [*arguments[:place], np.float64(x), *arguments[place + 1 :]]
                return np.asarray(compute(moved), dtype=float)

        return function


class TensorPass:
    """The passes over a graph with arrays."""

    def __init__(
        self,
        program: Program,
        form: FormOf,
        consumers: Sequence[Sequence[int]],
        inputs: Mapping[Array, np.ndarray],
        sizes: Mapping[str, int],
        seed: Any,
        active: Sequence[bool],
    ) -> None:
        self.program, self.form, self.consumers = program, form, consumers
        self.sizes, self.active = dict(sizes), active
        self.arrays: dict[Array, np.ndarray] = dict(inputs)
        self._forward()
        self.adjoints: dict[int, np.ndarray] = {}
        self._backward(seed)

    def _forward(self) -> None:
        for value in self.program.values:
            if value.kind == "input":
                continue
            definition = _definition(value)
            self.arrays[value.array] = Evaluator(self.arrays, self.sizes).tensor(definition)

    def _backward(self, seed: Any) -> None:
        values = self.program.values
        last = values.index(self.program.output)
        self.adjoints[last] = np.asarray(seed, dtype=float)
        for node in range(len(values) - 1, -1, -1):
            if node == last or not self.active[node]:
                continue
            flows = [
                self.pulled_back(child, node, self.adjoints[child])
                for child in self.consumers[node]
            ]
            with np.errstate(all="ignore"):
                self.adjoints[node] = np.asarray(sum(flows[1:], flows[0]))

    def value(self, node: int) -> np.ndarray:
        """The value of a node."""
        return self.arrays[self.program.values[node].array]

    def local(self, child: int, parent: int) -> np.ndarray:
        """The derivative of an operation by an operand, over the axes of both."""
        return Evaluator(self.arrays, self.sizes).tensor(self.form(child, parent).tensor)

    def upstream(self, node: int) -> np.ndarray:
        """The gradient with respect to a node."""
        return self.adjoints[node]

    def pulled_back(self, child: int, parent: int, upstream: Any) -> np.ndarray:
        """An upstream gradient of ``child``, times the local derivative by ``parent``."""
        form = self.form(child, parent)
        arrays = {**self.arrays, form.upstream_array: np.asarray(upstream, dtype=float)}
        return Evaluator(arrays, self.sizes).tensor(form.pulled_back)

    def total(self, child: int, parent: int) -> np.ndarray:
        """The derivative of one node by another along all paths, over the axes of both."""
        shape = self.value(child).shape
        rows = []
        for position in range(int(np.prod(shape))):
            unit = np.zeros(shape)
            unit.reshape(-1)[position] = 1.0
            rows.append(self._pulled_to(child, parent, unit))
        return np.reshape(rows, (*shape, *self.value(parent).shape))

    def operation(self, child: int, parent: int) -> Callable[[np.ndarray], np.ndarray]:
        """An operation as a function of one operand, the others as they are."""
        definition = _definition(self.program.values[child])
        moved = self.program.values[parent].array

        def function(x: np.ndarray) -> np.ndarray:
            return Evaluator({**self.arrays, moved: x}, self.sizes).tensor(definition)

        return function

    def _pulled_to(self, child: int, parent: int, seed: np.ndarray) -> np.ndarray:
        between = self._between(child, parent)
        found: dict[int, np.ndarray] = {child: seed}
        for node in range(child - 1, parent - 1, -1):
            if node in between:
                flows = [
                    self.pulled_back(c, node, found[c]) for c in self.consumers[node] if c in found
                ]
                found[node] = np.asarray(sum(flows[1:], flows[0]))
        return found.get(parent, np.zeros(self.value(parent).shape))

    def _between(self, child: int, parent: int) -> set[int]:
        """The nodes from which ``child`` is computed."""
        reaching = {child}
        for node in range(child - 1, parent - 1, -1):
            if any(c in reaching for c in self.consumers[node]):
                reaching.add(node)
        return reaching


def _definition(value: Value) -> Tensor:
    from_number = value.number
    if from_number is not None:
        return Tensor((), value.entry())
    assert value.definition is not None
    return value.definition
