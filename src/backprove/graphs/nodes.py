"""The nodes of a graph: their names, their roles and how their formulas read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from backprove import functions
from backprove.notation import building as b
from backprove.notation.axes import Size
from backprove.notation.expressions import Array, Tensor
from backprove.notation.lowering import FUNCTIONS
from backprove.notation.matrix_terms import name_latex
from backprove.notation.operations import Program, Value
from backprove.notation.syntax import Node, parse

_CONSTANTS = ("pi", "π", "e", "None", "True", "False")
_OUTPUT_NAMES = ("f", "y", "out", "output")
_PREFIXES = ("h", "g", "u", "v", "node", "operation_", "h_")
_ROOT_NAMES = ("L", "loss", "s", "total")


@dataclass(frozen=True, eq=False, slots=True)
class GraphNode:
    """One node of a computation graph.

    Attributes:
        name: ``x`` for an input, ``h1``, ``h2``, ... for operations in written order, ``f`` for
            the output, and the number itself for a constant.
        role: ``input``, ``parameter``, ``constant``, ``operation`` or ``output``.
        operands: the names of the operands in written order, repeated where they are used twice.
        value: the value of the program that the node stands for.
        text: the text of the whole expression.
    """

    name: str
    role: str
    operands: tuple[str, ...]
    value: Value
    text: str = ""

    @property
    def operation(self) -> str:
        """The name of the operation, such as ``multiply``; empty for what is not computed."""
        return self.value.operation

    @property
    def shape(self) -> tuple[Size, ...]:
        """One size per axis."""
        return self.value.shape

    @property
    def formula(self) -> str:
        """The operation on its operands, such as ``h2 * z``; empty for what is not computed."""
        return self.written(self.operands) if self.value.kind == "operation" else ""

    def written(self, operands: Sequence[str]) -> str:
        """The operation on operands that are written as given."""
        return _spelling(self.value, self.text).format(*map(_bracketed, operands))

    @property
    def latex(self) -> str:
        """The same in LaTeX, with the name on the left."""
        if self.value.kind != "operation":
            return symbol_latex(self.name)
        names = [symbol_latex(name) for name in self.operands]
        record = functions.ELEMENTWISE.get(self.value.operation)
        if self.value.operation == "exp":
            right = f"e^{{{names[0]}}}"
        elif record is not None and len(names) == record.arity:
            right = record.typeset(*names)
        else:
            right = self.value.latex.format(*names)
        return f"{symbol_latex(self.name)} = {right}"


def _bracketed(name: str) -> str:
    return f"({name})" if name.startswith("-") or "/" in name else name


def symbol_latex(name: str) -> str:
    """A node's name in LaTeX; a constant is written as it is."""
    return name_latex(name) if name.isidentifier() else name


class Nodes(Sequence[GraphNode]):
    """One node for each value of a program, in its order, made when it is first asked for.

    Args:
        program: the program.
        parameters: the inputs that are parameters.
        output: a name for the output in place of ``f``.
    """

    def __init__(self, program: Program, parameters: Collection[str], output: str = "") -> None:
        self._program, self._parameters = program, frozenset(parameters)
        self.names = node_names(program)
        if output:
            self.names[program.output] = output
        self._made: dict[int, GraphNode] = {}

    def __len__(self) -> int:
        return len(self._program.values)

    @overload
    def __getitem__(self, at: int) -> GraphNode: ...
    @overload
    def __getitem__(self, at: slice) -> list[GraphNode]: ...
    def __getitem__(self, at: int | slice) -> GraphNode | list[GraphNode]:
        if isinstance(at, slice):
            return [self[k] for k in range(*at.indices(len(self)))]
        made = self._made.get(at)
        if made is None:
            # A negative number counts from the end, and one beyond the end is an error.
            value = self._program.values[at]
            made = self._made.setdefault(at % len(self), self._node(value))
        return made

    def _node(self, value: Value) -> GraphNode:
        role = value.kind
        if value is self._program.output and value.kind == "operation":
            role = "output"
        elif value.kind == "input" and value.name in self._parameters:
            role = "parameter"
        operands = tuple([self.names[i] for i in value.inputs])
        return GraphNode(self.names[value], role, operands, value, self._program.text)


def distinct(operands: tuple[Value, ...]) -> tuple[Value, ...]:
    """Operands without repetitions, in written order; the same tuple where there are none."""
    if len(operands) < 2 or (len(operands) == 2 and operands[0] is not operands[1]):
        return operands
    found = tuple(dict.fromkeys(operands))
    return operands if len(found) == len(operands) else found


def node_names(program: Program) -> dict[Value, str]:
    """The name of each value: its own, but ``f`` for the output."""
    names = {value: value.name for value in program.values}
    if program.output.kind == "operation":
        others = names.copy()
        del others[program.output]
        taken = {*others.values(), *program.symbols}
        names[program.output] = _free(_OUTPUT_NAMES, taken)
    return names


def root_name(program: Program) -> str:
    """A free name for the number that a non-scalar output is reduced to."""
    return _free(_ROOT_NAMES, set(node_names(program).values()) | set(program.symbols))


def _free(candidates: Sequence[str], taken: Collection[str]) -> str:
    for name in candidates:
        if name not in taken:
            return name
    return next(n for k in range(1, 10**6) if (n := f"{candidates[0]}_{k}") not in taken)


def _spelling(value: Value, text: str) -> str:
    """The template of an operation as its author spells it (ln for log, axis= where it matters)."""
    template = value.template
    written = text[value.span.start : value.span.end] if value.span else ""
    if value.operation == "log" and re.match(r"ln\b", written):
        template = template.replace("log(", "ln(", 1)
    if template.endswith("({0})") and value.inputs:
        axes = value.attributes[0] if value.attributes else ()
        axes = axes if isinstance(axes, tuple) else (axes,)
        listed = [a for a in axes if isinstance(a, int) and not isinstance(a, bool)]
        if listed and len(listed) < len(value.inputs[0].shape):
            inside = str(listed[0]) if len(listed) == 1 else f"({', '.join(map(str, listed))})"
            template = template[:-1] + f", axis={inside})"
    return template


def numbered(
    program: Program, own: Mapping[Value, str] | None = None
) -> tuple[Program, dict[Value, Value]]:
    """The program with operations named h1, h2, ... without gaps, by names that no symbol has.

    Args:
        program: the program.
        own: the operations that have a name of their own.

    Returns:
        The program, and for each old value the one that took its place.
    """
    own = own or {}
    taken = {*program.symbols, *(v.name for v in program.values if v.kind != "operation")}
    taken |= set(own.values())
    prefix = next(p for p in _PREFIXES if not any(re.fullmatch(rf"{p}\d+", name) for name in taken))
    unnamed = [v for v in program.operations if v not in own]
    wanted = {**own, **{v: f"{prefix}{k}" for k, v in enumerate(unnamed, start=1)}}
    if all(v.name == name for v, name in wanted.items()):
        return program, {v: v for v in program.values}
    return _renamed(program, wanted)


def _renamed(program: Program, names: Mapping[Value, str]) -> tuple[Program, dict[Value, Value]]:
    new: dict[Value, Value] = {}
    arrays: dict[Array, Tensor] = {}
    for value in program.values:
        if value not in names:
            new[value] = value
            continue
        array = replace(value.array, name=names[value])
        definition = value.definition
        if definition is not None:
            definition = Tensor(definition.axes, b.inline(definition.body, arrays))
        inputs = tuple(new[i] for i in value.inputs)
        new[value] = replace(value, array=array, inputs=inputs, definition=definition)
        arrays[value.array] = b.entire(array)
    values = [new[v] for v in program.values]
    return replace(program, values=values, output=new[program.output]), new


def free_names(text: str) -> list[str]:
    """The names of an expression that must be symbols, in the order in which they occur.

    >>> free_names("ln(x) + exp(y)*z - pi")
    ['x', 'y', 'z']
    """
    found: dict[str, None] = {}
    for node in _walk(parse(text)):
        name = str(node.value)
        known = name in FUNCTIONS or name in functions.ELEMENTWISE or name in _CONSTANTS
        if node.kind == "name" and not known:
            found[name] = None
    return list(found)


def _walk(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))
