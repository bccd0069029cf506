"""``graph``: the computation graph of an expression, one node for each simple operation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.errors import NotationError, ShapeError, UnknownName
from backprove.graphs import presentation
from backprove.graphs.compiled import NotScalar
from backprove.graphs.inputs import needed_sizes, read_values
from backprove.graphs.local import LocalForm
from backprove.graphs.nodes import (
    GraphNode,
    Nodes,
    distinct,
    numbered,
    root_name,
)
from backprove.graphs.passes import ScalarPass, TensorPass
from backprove.graphs.records import Named
from backprove.graphs.run import Run
from backprove.graphs.sources import HasGraphSource, Source, read_source, unnamed_symbols
from backprove.graphs.tape import Tape
from backprove.notation.operations import Program, Value
from backprove.notation.shapes import ShapeLike, declare
from backprove.results import Block, Result

if TYPE_CHECKING:
    from backprove.graphs.passes import Pass


@dataclass(frozen=True)
class CriticalPath:
    """The longest chain of operations: what no parallel machine can shorten.

    Attributes:
        nodes: from an input to the output.
    """

    nodes: tuple[str, ...]

    @property
    def length(self) -> int:
        """The number of operations on it."""
        return max(len(self.nodes) - 1, 0)

    def __len__(self) -> int:
        return self.length

    def __str__(self) -> str:
        noun = "operation" if self.length == 1 else "operations"
        return f"{self.length} {noun}: {' → '.join(self.nodes)}"


@dataclass(eq=False)
class Graph(Result):
    """A computation graph. Call :meth:`run` for its numbers.

    Attributes:
        program: the operations in index notation.
        nodes: inputs, constants and operations, operands before what uses them.
        expression: the text that was read.
        domains: where the inputs must lie, by name.
        parameters: the inputs that are parameters.
        known: values that a run takes where none is given.
        groups: the layer or module of the nodes that belong to one, by name.
        own_output: the name that the output was given in place of ``f``.
    """

    program: Program
    expression: str
    domains: Mapping[str, str] = field(default_factory=dict)
    parameters: Collection[str] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    own_output: str = ""

    def __post_init__(self) -> None:
        self.nodes = Nodes(self.program, self.parameters, self.own_output)
        self._of_value = {value: k for k, value in enumerate(self.program.values)}
        self._number = {name: k for k, name in enumerate(self.nodes.names.values())}
        self._forms: dict[tuple[int, int], LocalForm] = {}

    @property
    def output(self) -> str:
        """The name of the output."""
        return self.nodes.names[self.program.output]

    @cached_property
    def inputs(self) -> list[str]:
        """The names of the inputs and parameters, in the order in which they occur."""
        return [self.nodes.names[v] for v in self.program.values if v.kind == "input"]

    @cached_property
    def operations(self) -> list[str]:
        """The names of the operations, the output last."""
        return [self.nodes.names[v] for v in self.program.values if v.kind == "operation"]

    def resolve(self, name: str) -> str:
        """The name of a node from what a person may call it: ``f`` and ``h4`` for the output.

        Raises:
            UnknownName: no node has that name.
        """
        self.by_name[name]
        return self.called(name)

    def called(self, name: str) -> str:
        """The name that a node goes by; an unknown name comes back as it is."""
        name = name.strip()
        if name in self._number:
            return name
        if name == "f" or name == self.program.output.name:
            return self.output
        return name

    def number(self, name: str) -> int:
        """The number of a node.

        Raises:
            UnknownName: no node has that name.
        """
        return self._number[self.resolve(name)]

    def number_of(self, value: Value) -> int:
        """The number of the node of a program's value."""
        return self._of_value[value]

    @cached_property
    def by_name(self) -> Named[GraphNode]:
        """The nodes by name."""
        return Named("a node", self._number, lambda n: self.nodes[self._number[n]], self.called)

    @cached_property
    def edges(self) -> list[tuple[str, str]]:
        """Every (operation, operand) pair that gradients flow along, in written order."""
        return [
            (self.nodes[child].name, self.nodes[parent].name)
            for child in range(len(self.nodes))
            for parent in self.parents[child]
        ]

    @cached_property
    def parents(self) -> list[list[int]]:
        """For each node the numbers of its operands that can vary, in written order."""
        of_value = self._of_value
        return [
            [of_value[v] for v in distinct(value.inputs) if v.kind != "constant"]
            for value in self.program.values
        ]

    @cached_property
    def consumers(self) -> list[list[int]]:
        """For each node the numbers of the operations that use it."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for child, parents in enumerate(self.parents):
            for parent in parents:
                found[parent].append(child)
        return found

    def descends(self, child: str, parent: str) -> bool:
        """Whether ``child`` is computed from ``parent``, on whatever path (or is the same node).

        >>> g = graph("ln(x) + exp(y)*z")
        >>> g.descends("h3", "y"), g.descends("h3", "x")
        (True, False)
        """
        target, start = self.number(parent), self.number(child)
        seen = {start}
        stack = [start]
        while stack:
            node = stack.pop()
            if node == target:
                return True
            # Operands come before what uses them, so nothing below the target leads to it.
            fresh = [p for p in self.parents[node] if p >= target and p not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        return False

    @property
    def shared(self) -> list[str]:
        """The operations that several others use: gradients accumulate there."""
        return [
            node.name
            for node, consumers in zip(self.nodes, self.consumers, strict=True)
            if node.value.kind == "operation" and len(consumers) > 1
        ]

    def form(self, child: int, parent: int) -> LocalForm:
        """The local derivative along an edge, as a formula."""
        known = self._forms.get((child, parent))
        if known is None:
            known = LocalForm.of(self.nodes[child], self.nodes[parent])
            self._forms[child, parent] = known
        return known

    @cached_property
    def tape(self) -> Tape | None:
        """The fast form of a scalar graph; None where arrays occur."""
        if any(v.shape for v in self.program.values):
            return None
        try:
            return Tape(self.program)
        except NotScalar:
            return None

    def run(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        upstream: Any = None,
        wrt: Sequence[str] | None = None,
        **named: Any,
    ) -> Run:
        """Forward and backward at given values.

        Args:
            values: the inputs by name; they can be given as keywords as well.
            upstream: the gradient that flows into the output, of its shape. Without it a scalar
                output gets 1; for another output it is all ones, so that gradients are those of
                the sum of its entries, and the run says so.
            wrt: the inputs to compute gradients for; without it all of them. An empty list runs
                forward only.

        Raises:
            DomainError: a value is missing, is no number or lies outside of its domain.
            ShapeError: a shape does not fit.
            UnknownName: a name that the graph does not have.

        >>> run = graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)
        >>> round(run.values["f"], 3), round(run.gradients["y"], 3)
        (40.171, 40.171)
        """
        given = {**self.known, **(values or {}), **named}
        arrays, sizes = read_values(self.program, given, self.domains, self.inputs, self._sizes)
        active = self._active(wrt)
        shape = tuple(size.at(sizes) for size in self.program.output.shape)
        seed, root = self._seed(upstream, shape)
        passes: Pass
        if self.tape is not None:
            passes = ScalarPass(self.tape, arrays, seed)
        else:
            passes = TensorPass(
                self.program, self.form, self.consumers, arrays, sizes, seed, active
            )
        given_inputs = {n: given[n] for n in self.inputs}
        return Run(self, passes, given_inputs, sizes, seed, root, upstream is None, active)

    def _seed(self, upstream: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
        if upstream is None:
            return np.ones(shape), self.output if not shape else root_name(self.program)
        try:
            seed = np.asarray(upstream, dtype=float)
        except (TypeError, ValueError):
            raise ShapeError("upstream is no array of numbers") from None
        if seed.shape != shape:
            raise ShapeError(
                f"upstream has shape {seed.shape}; the output {self.output} has shape {shape}"
            )
        return seed, root_name(self.program)

    def _active(self, wrt: Sequence[str] | None) -> list[bool]:
        """For each node whether gradients are computed for it: it depends on what is asked for."""
        if wrt is None:
            return self._varying
        wanted = {self.number(n) for n in ([wrt] if isinstance(wrt, str) else wrt)}
        for k in wanted:
            if self.nodes[k].value.kind == "constant":
                raise UnknownName(
                    f"'{self.nodes[k].name}' is a constant; gradients are for inputs",
                    hint=f"Inputs: {', '.join(self.inputs)}.",
                )
        return self._depending(wanted)

    @cached_property
    def _sizes(self) -> set[str]:
        return needed_sizes(self.program)

    @cached_property
    def _varying(self) -> list[bool]:
        values = self.program.values
        return self._depending({k for k, value in enumerate(values) if value.kind == "input"})

    def _depending(self, wanted: Collection[int]) -> list[bool]:
        active = [False] * len(self.nodes)
        for k, parents in enumerate(self.parents):
            active[k] = k in wanted or True in [active[p] for p in parents]
        return active

    def critical_path(self) -> CriticalPath:
        """The longest chain of operations from an input to the output.

        >>> print(graph("ln(x) + exp(y)*z").critical_path())
        3 operations: y → h2 → h3 → f
        """
        depth = [0] * len(self.nodes)
        before: list[int | None] = [None] * len(self.nodes)
        of_value: dict[Value, int] = self._of_value
        for k, node in enumerate(self.nodes):
            operands = [of_value[v] for v in node.value.inputs]
            if operands:
                longest = max(operands, key=lambda p: (depth[p], self.nodes[p].role != "constant"))
                depth[k], before[k] = depth[longest] + 1, longest
        chain: list[int] = []
        at: int | None = of_value[self.program.output]
        while at is not None:
            chain.append(at)
            at = before[at]
        return CriticalPath(tuple(self.nodes[k].name for k in reversed(chain)))

    def blocks(self) -> list[Block]:
        """The drawing without numbers, and the operations in order."""
        return presentation.graph_blocks(self)

    def to_dict(self) -> dict[str, Any]:
        """Nodes and edges as JSON-ready data."""
        return presentation.graph_data(self)


def graph(
    f: str | Program | Source | HasGraphSource | Callable[..., Any],
    shapes: Mapping[str, ShapeLike] | None = None,
    domain: Mapping[str, str] | str | None = None,
    *,
    parameters: Collection[str] = (),
    example: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Graph:
    """The computation graph of an expression, a JAX function, a network or a PyTorch module.

    Args:
        f: an expression as text, where lines such as ``h = tanh(x)`` name parts; a program; a
            function on JAX arrays whose arguments are named in ``shapes``; anything with a
            ``graph_source`` such as a network with its loss; or a ``torch.nn.Module``.
        shapes: the shape of each symbol; a name without a shape is a scalar.
        domain: where symbols live; values outside are refused.
        parameters: the symbols that are parameters, for the drawing.
        example: for a PyTorch module, its inputs; only their shapes matter.

    Returns:
        The graph. Operations are named h1, h2, ... in written order, the output ``f``; named
        lines keep their name. Equal sub-expressions share a node.

    Raises:
        NotationError, ShapeError, UnknownName, Unsupported: with the position in ``f``.

    >>> g = graph("ln(x) + exp(y)*z")
    >>> [f"{n.name} = {n.formula}" for n in g.nodes if n.formula]
    ['h1 = ln(x)', 'h2 = exp(y)', 'h3 = h2 * z', 'f = h1 + h3']
    >>> graph("s = sin(x); s*y + s").operations
    ['s', 'h1', 'f']
    """
    if isinstance(f, Program):
        return Graph(numbered(f)[0], f.text, {}, parameters)
    if is_module(f):
        from backprove.graphs.torch_modules import module_source

        f = module_source(f, example)
    elif isinstance(f, HasGraphSource):
        f = f.graph_source()
    if isinstance(f, str):
        f = Source(f, shapes or {}, tuple(parameters), domain=_domains(domain, f, shapes))
    elif isinstance(f, Source):
        f = replace(f, shapes={**f.shapes, **(shapes or {})})
    elif callable(f):
        return _traced(f, shapes or {}, domain, parameters)
    else:
        raise NotationError(
            f"f is {type(f).__name__}; expected text such as 'ln(x) + exp(y)*z', a function on "
            "JAX arrays, a network with its loss, a PyTorch module or a program"
        )
    return _from_source(f)


def _from_source(source: Source) -> Graph:
    parts = read_source(source)
    program, new = numbered(parts.program, parts.names)
    found = Graph(
        program,
        source.title or source.text,
        dict(source.domain),
        source.parameters,
        {n: v for n, v in source.values.items() if n in program.symbols},
        own_output=parts.names.get(parts.program.output, ""),
    )
    found.groups = {
        found.nodes[found.number_of(new[value])].name: group
        for value, group in parts.groups.items()
    }
    return found


def _traced(
    f: Callable[..., Any],
    shapes: Mapping[str, ShapeLike],
    domain: Mapping[str, str] | str | None,
    parameters: Collection[str],
) -> Graph:
    from backprove.calculus.tracing import trace

    missing = {
        name: ""
        for name, parameter in signature(f).parameters.items()
        if name not in shapes and parameter.default is Parameter.empty
    }
    symbols = declare({**shapes, **missing})
    domains = dict.fromkeys(symbols, domain) if isinstance(domain, str) else dict(domain or {})
    declare({n: a.shape for n, a in symbols.items()}, domains)
    program = trace(f, symbols)
    unknown = [p for p in parameters if p not in symbols]
    if unknown:
        raise UnknownName(f"the parameter '{unknown[0]}' is no argument of the function")
    return Graph(numbered(program)[0], program.text, domains, parameters)


def is_module(f: Any) -> bool:
    """Whether something is a PyTorch module; PyTorch is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(f, torch.nn.Module)


def _domains(
    domain: Mapping[str, str] | str | None, text: str, shapes: Mapping[str, ShapeLike] | None
) -> dict[str, str]:
    if isinstance(domain, str):
        return dict.fromkeys([*(shapes or {}), *unnamed_symbols(text)], domain)
    return dict(domain or {})
