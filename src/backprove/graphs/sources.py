"""What a graph can be made from: one expression, or lines that name their parts.

Lines such as ``z = X @ W + b`` give an operation a name of its own; a line may belong to a layer
or module, so that a drawing can be collapsed by it. Networks and PyTorch modules are written as
lines and read here, so there is one way from text to a graph.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from backprove.errors import InputError, NotationError, Span, UnknownName
from backprove.graphs.nodes import free_names
from backprove.notation.definitions import only
from backprove.notation.lowering import Lowering
from backprove.notation.operations import Program, Value
from backprove.notation.shapes import ShapeLike, declare
from backprove.notation.syntax import deep_recursion, parse

_NAMED = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")


@dataclass(frozen=True)
class Source:
    """Everything that a graph is made from.

    Attributes:
        text: lines such as ``h = tanh(x)``; the last one is the output.
        shapes: the shape of each symbol.
        parameters: the symbols that are parameters.
        values: values that a run takes where none is given, such as the weights of a module.
        domain: where symbols live.
        groups: the layer or module of each line, as ``encoder/layer 1``; may be left out.
        title: what the graph is of, in short.
    """

    text: str
    shapes: Mapping[str, ShapeLike] = field(default_factory=dict)
    parameters: Collection[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)
    groups: Sequence[str] = ()
    title: str = ""


@runtime_checkable
class HasGraphSource(Protocol):
    """Anything that can be written as lines, such as a network with its loss."""

    def graph_source(self) -> Source:
        """The lines, the shapes of their symbols and the values that are known."""
        ...


@dataclass(frozen=True)
class Parts:
    """A program with what is known of its values.

    Attributes:
        program: the program.
        names: the values that have a name of their own.
        groups: the layer or module of each operation that belongs to one.
    """

    program: Program
    names: Mapping[Value, str] = field(default_factory=dict)
    groups: Mapping[Value, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One named part of a text: the text with everything else blank, so that places stay right."""

    text: str
    name: str


def lines_of(text: str) -> list[Line]:
    """The lines of a text, separated by line ends or semicolons outside of brackets.

    >>> [(line.name, line.text.strip()) for line in lines_of("h = x*y; h + 1")]
    [('h', 'x*y'), ('', 'h + 1')]
    """
    found = []
    pieces = _pieces(text)
    if not any(_NAMED.match(text, span.start, span.end) for span in pieces):
        return [Line(text, "")]  # one expression, which may run over several lines
    for span in pieces:
        match = _NAMED.match(text, span.start, span.end)
        name, start = (match[1], match.end()) if match else ("", span.start)
        found.append(Line(only(text, Span(start, span.end)), name))
    return found


def _pieces(text: str) -> list[Span]:
    spans, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in "\n;" and depth <= 0:
            spans.append(Span(start, at))
            start = at + 1
    spans.append(Span(start, len(text)))
    return [s for s in spans if text[s.start : s.end].strip()]


def unnamed_symbols(text: str) -> list[str]:
    """The names of a text that must be symbols: those that no line defines."""
    return _free(text, lines_of(text))


def _free(text: str, lines: Sequence[Line]) -> list[str]:
    """The names that must be symbols, in the order in which they occur."""
    named: set[str] = set()
    found: dict[str, None] = {}
    for line in lines:
        try:
            names = free_names(line.text)
        except InputError as error:
            error.text = text
            raise
        found |= dict.fromkeys(n for n in names if n not in named)
        named.add(line.name)
    return list(found)


def read_source(source: Source) -> Parts:
    """The program of a source. Names without a shape are scalars.

    Raises:
        NotationError: a name is given twice, or a line other than the last one has none.
        UnknownName, ShapeError, Unsupported: with the position in the text.
    """
    lines = lines_of(source.text)
    declared = declare(dict(source.shapes))
    sizes = {n for a in declared.values() for s in a.shape for n in s.names()}
    missing = [n for n in _free(source.text, lines) if n not in declared and n not in sizes]
    # Facts about domains must not enter a formula: the values of a run need not obey them.
    symbols = declare({**source.shapes, **dict.fromkeys(missing, "")})
    declare({n: a.shape for n, a in symbols.items()}, dict(source.domain))
    for name in source.parameters:
        if name not in symbols:
            raise UnknownName(f"the parameter '{name}' does not occur in the expression")
    reader = _Reader(source, Lowering(source.text, symbols, sizes))
    for number, line in enumerate(lines, start=1):
        reader.add(number, line, last=number == len(lines))
    return reader.parts()


class _Reader:
    """Reads line after line into one program."""

    def __init__(self, source: Source, low: Lowering) -> None:
        self.source, self.low = source, low
        self.names: dict[Value, str] = {}
        self.groups: dict[Value, str] = {}
        self.output: Value | None = None

    def add(self, number: int, line: Line, *, last: bool) -> None:
        low, text = self.low, self.source.text
        if not line.name and not last:
            raise NotationError(
                f"line {number} has no name, so nothing can use it",
                text=text,
                span=_place(line),
                hint="Write h = tanh(x); the last line alone needs no name.",
            )
        if line.name and (line.name in low.locals or line.name in {*low.symbols, *low.sizes}):
            raise NotationError(
                f"the name '{line.name}' is given twice",
                text=text,
                span=_place(line),
                hint="Take another name.",
            )
        before = len(low.builder.values)
        self.output = self._value(line)
        group = self.source.groups[number - 1] if self.source.groups else ""
        for value in low.builder.values[before:]:
            if value.kind == "operation" and group:
                self.groups[value] = group
        if line.name:
            low.locals[line.name] = self.output
            if self.output.kind == "operation":
                self.names.setdefault(self.output, line.name)

    def _value(self, line: Line) -> Value:
        try:
            tree = parse(line.text)
            with deep_recursion():
                return self.low.value(tree)
        except InputError as error:
            error.text, error.span = self.source.text, error.span or _place(line)
            raise

    def parts(self) -> Parts:
        assert self.output is not None
        program = self.low.builder.program(self.output, self.low.symbols)
        kept = set(program.values)
        return Parts(
            program,
            {v: n for v, n in self.names.items() if v in kept},
            {v: g for v, g in self.groups.items() if v in kept},
        )


def _place(line: Line) -> Span:
    end = len(line.text.rstrip())
    return Span(min(len(line.text) - len(line.text.lstrip()), end), end)
