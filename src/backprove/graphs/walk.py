"""A run as a walk through its passes: what a page needs to draw, to step and to open a number.

Large graphs are cut into parts: the layers and modules that are known, else stretches of the
written order. Each part is a scene of its own; a scene shows its nodes, its inner parts as one
box each, and what flows in from outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.calculus.steps import rule_name
from backprove.graphs.nodes import GraphNode
from backprove.graphs.numerals import count_text, extents, number, shown
from backprove.graphs.records import NotComputed, Upstream
from backprove.results import Block, Cell, Table, Text

if TYPE_CHECKING:
    from backprove.graphs.run import Run

WHOLE = 30
"""Up to so many nodes are one scene, whatever layers there are."""
STRETCH = 32
"""Where no layers are known, so many nodes make one part."""
MAX_OUTSIDE = 24
"""So many nodes of other parts are drawn beside a part."""
DETAILED = 1_500
"""In larger graphs a node opens with its lines only, without tables."""
MEASURED = 200
"""In larger graphs with arrays local derivatives are not measured."""
SAMPLE = 12
"""Rows and columns of an array that are shown."""
_BRIEF = 4
_ROUNDING = 1e-6

Place = tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """Some entries of an array with statistics of all of it.

    Attributes:
        title: what the array is.
        shape: its shape.
        rows: the positions of the rows that are shown; further axes are flattened into them.
        columns: the positions of the columns that are shown.
        entries: the entries there, row by row.
        statistics: name and number of each.
    """

    title: str
    shape: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    entries: tuple[tuple[float, ...], ...]
    statistics: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Item:
    """A box of a scene: a node, a part that can be opened, or a node of another part.

    Attributes:
        key: unique in the scene.
        title: its name.
        role: ``input``, ``parameter``, ``constant``, ``operation``, ``output``, ``part`` or
            ``outside``.
        formula: what it computes.
        value: its value in short.
        gradient: the gradient in short, with its symbol.
        forward: a sentence for the forward step.
        backward: a sentence for the backward step.
        opens: the name of the node, or of the scene of a part, that it opens.
        notes: trouble at it.
    """

    key: str
    title: str
    role: str
    formula: str = ""
    value: str = ""
    gradient: str = ""
    forward: str = ""
    backward: str = ""
    opens: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """An arrow of a scene, with what flows each way."""

    source: str
    target: str
    forward: str = ""
    backward: str = ""


@dataclass
class Scene:
    """One picture: the whole graph, or the inside of a part.

    Attributes:
        key: its name among the scenes.
        title: what it shows.
        parent: the scene that it is a part of; empty for the whole.
        items: its boxes in written order.
        links: its arrows.
        omitted: the arrows to other parts that are not drawn, where there are too many.
    """

    key: str
    title: str
    parent: str
    items: list[Item] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    omitted: int = 0


@dataclass(frozen=True)
class Opened:
    """What a node shows when it is opened."""

    name: str
    lines: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Walk:
    """Everything that a page shows of a run.

    Attributes:
        title: what the graph is of.
        scenes: the pictures; the first one is the whole.
        opened: what each node shows when it is opened.
        steps: the length of the passes of the whole graph.
    """

    title: str
    scenes: Sequence[Scene]
    opened: Mapping[str, Opened]
    steps: int


def walk(run: Run) -> Walk:
    """The walk of a run.

    >>> from backprove.graphs import graph
    >>> found = walk(graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2))
    >>> [item.forward for item in found.scenes[0].items][-1]
    'f = h1 + h3 = 0 + 40.1711 = 40.1711'
    """
    places = _places(run)
    scenes = _Scenes(run, places).build()
    detailed = len(run.graph.nodes) <= DETAILED
    opened = {
        node.name: _opened(run, node, detailed)
        for node in run.graph.nodes
        if node.role != "constant"
    }
    return Walk(run.graph.expression, scenes, opened, 2 * len(opened))


# --- parts --------------------------------------------------------------------------------------


def _places(run: Run) -> dict[str, Place]:
    """For each node the parts that it lies in, from the outermost."""
    graph = run.graph
    nodes = [n for n in graph.nodes if n.role != "constant"]
    if len(nodes) <= WHOLE:
        return {n.name: () for n in nodes}
    places: dict[str, Place] = {}
    if graph.groups:
        places = {n: tuple(g.split("/")) for n, g in graph.groups.items()}
    else:
        operations = [n.name for n in nodes if n.value.kind == "operation"]
        places = dict(zip(operations, _stretches(len(operations)), strict=True))
    for k in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[k]
        if node.value.kind != "input":
            places.setdefault(node.name, ())
            continue
        users = {places[graph.nodes[c].name] for c in graph.consumers[k]}
        # A weight lies beside the one part that uses it; data stay outside.
        inside = len(users) == 1 and (node.role == "parameter" or not graph.groups)
        places[node.name] = users.pop() if inside else ()
    if not graph.groups:
        _gather_loose_inputs(run, places)
    return places


def _gather_loose_inputs(run: Run, places: dict[str, Place]) -> None:
    """Put inputs that several stretches use beside the first of them, where there are many."""
    graph = run.graph
    loose = [n for n in graph.inputs if places[n] == ()]
    if len(loose) <= STRETCH:
        return
    for name in loose:
        first = graph.consumers[graph.number(name)][:1]
        places[name] = places[graph.nodes[first[0]].name] if first else ()


def _stretches(count: int) -> Iterator[Place]:
    """Nested stretches of the written order, at most ``STRETCH`` things in each."""
    levels = max(1, math.ceil(math.log(max(count, 2), STRETCH)) - 1)
    for at in range(count):
        place = []
        for level in range(levels, 0, -1):
            size = STRETCH**level
            first = at // size * size
            place.append(f"operations {first + 1} to {min(first + size, count)}")
        yield tuple(dict.fromkeys(place))


class _Scenes:
    """Builds one scene for each part."""

    def __init__(self, run: Run, places: Mapping[str, Place]) -> None:
        self.run, self.places = run, places
        self.scenes: dict[Place, Scene] = {}
        self.seen: dict[Place, set[str]] = {}
        self.boxes: dict[str, Item] = {}
        self.members: dict[Place, list[str]] = {}
        self.outside: dict[Place, int] = {}
        self.links: dict[Place, dict[tuple[str, str], list[tuple[str, str]]]] = {}

    def build(self) -> list[Scene]:
        self._scene(())
        graph = self.run.graph
        ordered = [n for n in graph.nodes if n.role != "constant"]
        for node in ordered:
            for depth in range(len(self.places[node.name]) + 1):
                place = self.places[node.name][:depth]
                self._place(place, node)
                self.members.setdefault(place, []).append(node.name)
        for node in ordered:
            self._connect(node)
        for place, links in self.links.items():
            self.scenes[place].links = [
                Link(a, b, *flows[0]) if len(flows) == 1 else Link(a, b, f"{len(flows)} values")
                for (a, b), flows in links.items()
            ]
        for place, scene in self.scenes.items():
            scene.items = [self._finished(place, item) for item in scene.items]
        return list(self.scenes.values())

    def _scene(self, place: Place) -> Scene:
        if place not in self.scenes:
            title = place[-1] if place else "the whole graph"
            parent = _key(place[:-1]) if place else ""
            self.scenes[place] = Scene(_key(place), title, parent)
            self.seen[place], self.links[place] = set(), {}
        return self.scenes[place]

    def _box(self, node: GraphNode) -> Item:
        if node.name not in self.boxes:
            self.boxes[node.name] = _item(self.run, node)
        return self.boxes[node.name]

    def _inside(self, place: Place, name: str) -> str:
        """The box of a scene that a node lies in; empty if it lies outside."""
        own = self.places[name]
        if own[: len(place)] != place:
            return ""
        return name if len(own) == len(place) else f"part:{own[len(place)]}"

    def _place(self, place: Place, node: GraphNode) -> None:
        scene = self._scene(place)
        key = self._inside(place, node.name)
        if key in self.seen[place]:
            return
        self.seen[place].add(key)
        if key == node.name:
            scene.items.append(self._box(node))
        else:
            inner = self.places[node.name][: len(place) + 1]
            scene.items.append(Item(key, inner[-1], "part", opens=_key(inner)))

    def _finished(self, place: Place, item: Item) -> Item:
        """A part with what it holds: how much, and its last value."""
        if item.role != "part":
            return item
        inner = (*place, item.key.removeprefix("part:"))
        order = self.members[inner]
        last = order[-1]
        count = sum(self.run.graph.by_name[n].value.kind == "operation" for n in order)
        noun = "operation" if count == 1 else "operations"
        done = self._box(self.run.graph.by_name[last])
        flagged = [n for n in order if self._box(self.run.graph.by_name[n]).notes]
        notes = (f"trouble at {', '.join(flagged[:3])}",) if flagged else ()
        return Item(
            item.key,
            item.title,
            "part",
            f"{count} {noun}",
            f"{last}: {done.value}",
            done.gradient,
            f"{item.title}: {count} {noun}, the last one {done.forward}",
            f"{item.title}: {done.backward}",
            item.opens,
            notes,
        )

    def _connect(self, node: GraphNode) -> None:
        run = self.run
        for name in dict.fromkeys(node.operands):
            operand = run.graph.by_name[name]
            if operand.role == "constant":
                continue
            flows = _flows(run, operand, node)
            for depth in range(len(self.places[node.name]) + 1):
                self._link(self.places[node.name][:depth], operand, node, flows)
            # An operand deep inside of another part still shows where it goes from there.
            own, other = self.places[name], self.places[node.name]
            for depth in range(1, len(own) + 1):
                if own[:depth] != other[:depth]:
                    self._leave(own[:depth], operand, node, flows)

    def _link(
        self, place: Place, operand: GraphNode, node: GraphNode, flows: tuple[str, str]
    ) -> None:
        target = self._inside(place, node.name)
        source = self._inside(place, operand.name) or self._outside(place, operand)
        if source and target and source != target:
            self.links[place].setdefault((source, target), []).append(flows)

    def _leave(
        self, place: Place, operand: GraphNode, node: GraphNode, flows: tuple[str, str]
    ) -> None:
        source = self._inside(place, operand.name)
        target = self._outside(place, node)
        if source and target:
            self.links[place].setdefault((source, target), []).append(flows)

    def _outside(self, place: Place, node: GraphNode) -> str:
        """A box for a node of another part; empty where there are too many already."""
        key = f"outside:{node.name}"
        if key not in self.seen[place]:
            if self.outside.get(place, 0) >= MAX_OUTSIDE:
                self.scenes[place].omitted += 1
                return ""
            self.seen[place].add(key)
            self.outside[place] = self.outside.get(place, 0) + 1
            inner = self._box(node)
            where = " / ".join(self.places[node.name]) or "the whole graph"
            box = Item(
                key, node.name, "outside", f"in {where}", inner.value, inner.gradient,
                opens=node.name,
            )  # fmt: skip
            self.scenes[place].items.append(box)
        return key


def _key(place: Place) -> str:
    return "/".join(("whole", *place))


# --- boxes --------------------------------------------------------------------------------------


def _brief(value: Any) -> str:
    if isinstance(value, NotComputed):
        return str(value)
    array = np.asarray(value)
    return shown(array) if array.size <= _BRIEF else extents(array.shape)


def _item(run: Run, node: GraphNode) -> Item:
    gradient = run.upstream_of(node.name)
    symbol = f"∂{run.root}/∂{node.name}"
    return Item(
        node.name,
        node.name,
        node.role,
        node.formula,
        _brief(run.values[node.name]),
        f"{symbol} = {_brief(gradient)}",
        forward_line(run, node),
        backward_line(run, node),
        node.name,
        tuple(run.notes[node.name]),
    )


def forward_line(run: Run, node: GraphNode) -> str:
    """One line: the operation in symbols, with numbers plugged in, and its value."""
    value = _brief(run.values[node.name])
    if not node.formula:
        return f"{node.name} = {value} ({node.role})"
    operands = [run.values[o] for o in node.operands]
    if any(np.ndim(o) for o in operands) or np.ndim(run.values[node.name]):
        return f"{node.name} = {node.formula}, of shape {value}"
    numbers = node.written([number(o) for o in operands])
    return " = ".join(dict.fromkeys([node.name, node.formula, numbers, value]))


def backward_line(run: Run, node: GraphNode) -> str:
    """One line: the gradient as the sum over the consumers."""
    found = run.upstream[node.name]
    if isinstance(found, NotComputed):
        return f"∂{run.root}/∂{node.name}: not computed"
    if len(found.flows) > _BRIEF:
        return f"{found.symbol} = {_brief(found.value)}, a sum over {len(found.flows)} consumers"
    parts = [found.symbol, found.sum_text, found.numbers, _brief(found.value)]
    return " = ".join(dict.fromkeys(p for p in parts if p))


def _flows(run: Run, operand: GraphNode, node: GraphNode) -> tuple[str, str]:
    forward = _brief(run.values[operand.name])
    upstream = run.upstream_of(node.name)
    if isinstance(upstream, NotComputed) or isinstance(run.upstream_of(operand.name), NotComputed):
        return forward, ""
    if np.size(run.values[operand.name]) > _BRIEF:
        return forward, extents(np.shape(run.values[operand.name]))
    edge = run.graph.number(node.name), run.graph.number(operand.name)
    return forward, _brief(run.passes.pulled_back(*edge, upstream))


# --- what opens ---------------------------------------------------------------------------------


def _opened(run: Run, node: GraphNode, detailed: bool) -> Opened:
    lines = (forward_line(run, node), backward_line(run, node))
    if not detailed:
        return Opened(node.name, lines)
    blocks: list[Block] = [Text(f"⚠ {note}") for note in run.notes[node.name]]
    blocks += _local_table(run, node)
    blocks += _upstream_table(run, node)
    blocks += _path_lines(run, node)
    blocks += _kept_line(run, node)
    samples = [
        _sample(title, np.asarray(value))
        for title, value in (
            (f"{node.name}", run.values[node.name]),
            (f"∂{run.root}/∂{node.name}", run.upstream_of(node.name)),
        )
        if not isinstance(value, NotComputed) and np.ndim(value)
    ]
    return Opened(node.name, lines, tuple(blocks), tuple(samples))


def _local_table(run: Run, node: GraphNode) -> list[Block]:
    parents = [run.graph.nodes[p] for p in run.graph.parents[run.graph.number(node.name)]]
    if not parents:
        return []
    rows = []
    for parent in parents:
        form = run.graph.form(run.graph.number(node.name), run.graph.number(parent.name))
        rule = Cell(rule_name(node.operation))
        measured = Cell(_measured(run, node, parent))
        if form.structure is not None:
            structure = str(form.structure)
            rows.append([Cell(form.symbol), rule, Cell(form.formula), "", structure, measured])
            continue
        local = run.local[node.name, parent.name]
        known = (local.symbol, local.formula, local.numbers, local.shown)
        symbol, formula, numbers, value = map(Cell, known)
        rows.append([symbol, rule, formula, numbers, value, measured])
    columns = ["derivative", "rule", "formula", "with numbers", "value", "against differences"]
    return [Table(columns, rows, "Local gradients: by each operand")]


def _measured(run: Run, node: GraphNode, parent: GraphNode) -> str:
    """How far the derivative is from differences of the operation at these numbers."""
    scalar = run.graph.tape is not None
    if not scalar and len(run.graph.nodes) > MEASURED:
        return "not measured"
    found = run.agreement(node.name, parent.name)
    if found is None:
        return "not measured"
    entries = np.size(run.values[node.name]) * np.size(run.values[parent.name])
    if found.skipped >= entries:
        return "not smooth here"
    if found.error > _ROUNDING:
        left, right = run.sides(node.name, parent.name, found.entry)
        if abs(left - right) > _ROUNDING * max(1.0, abs(left), abs(right)):
            return f"a kink: slope {number(left)} on the left, {number(right)} on the right"
    said = f"error {found.error:.0e}"
    return said + (f", {found.skipped} not smooth" if found.skipped else "")


def _upstream_table(run: Run, node: GraphNode) -> list[Block]:
    found = run.upstream[node.name]
    if not isinstance(found, Upstream):
        return [Text(f"∂{run.root}/∂{node.name} is not computed.")]
    if not found.flows:
        return [Text(f"The backward pass starts here: {found.symbol} = {shown(found.value)}.")]
    rows = [
        [Cell(f.consumer), Cell(f.symbols), Cell(f.numbers), Cell(_brief(f.value))]
        for f in found.flows[:50]
    ]
    if len(found.flows) > 1:
        rows.append([Cell("sum"), Cell(found.symbol), Cell(""), Cell(_brief(found.value))])
    caption = "Upstream gradient: one summand for each consumer"
    return [Table(["through", "chain rule", "with numbers", "value"], rows, caption)]


def _path_lines(run: Run, node: GraphNode) -> list[Block]:
    paths = run.paths(node.name, limit=6)
    if paths.count <= 1 or isinstance(paths.value, NotComputed):
        return []
    if not paths.listed:
        return [Text(f"{count_text(paths.count)} paths lead from here to the output.")]
    rows = [[Cell(p.symbols), Cell(p.numbers), Cell(_brief(p.value))] for p in paths]
    return [Table(["path", "with numbers", "product"], rows, "Every path of the chain rule")]


def _kept_line(run: Run, node: GraphNode) -> list[Block]:
    for kept in run.cached:
        if kept.name == node.name:
            uses = ", ".join(kept.needed_for[:4])
            return [Text(f"Kept for the backward pass: {kept.bytes:,} bytes, for {uses}.")]
    return []


def _sample(title: str, array: np.ndarray) -> Sample:
    flat = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    flat = flat if array.ndim != 1 else array.reshape(1, -1)
    rows, columns = (_spread(n) for n in flat.shape)
    entries = tuple(tuple(float(flat[r, c]) for c in columns) for r in rows)
    finite = array[np.isfinite(array)]
    statistics = [("shape", extents(array.shape)), ("entries", f"{array.size:,}")]
    if finite.size:
        statistics += [
            ("least", number(finite.min())),
            ("mean", number(finite.mean())),
            ("greatest", number(finite.max())),
            ("standard deviation", number(finite.std())),
            ("zeros", f"{int((finite == 0).sum()):,}"),
        ]
    if array.size - finite.size:
        statistics.append(("not finite", f"{array.size - finite.size:,}"))
    return Sample(title, array.shape, rows, columns, entries, tuple(statistics))


def _spread(count: int) -> tuple[int, ...]:
    """Positions spread over an axis, the first and the last one among them."""
    if count <= SAMPLE:
        return tuple(range(count))
    return tuple(round(k * (count - 1) / (SAMPLE - 1)) for k in range(SAMPLE))
