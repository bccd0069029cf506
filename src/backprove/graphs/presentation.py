"""Graphs and runs as neutral blocks and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.graphs.nodes import GraphNode, symbol_latex
from backprove.graphs.numerals import count_text, extents, number, number_latex, plain_data, shown
from backprove.graphs.records import NotComputed, Upstream
from backprove.notation.axes import shape_text
from backprove.results import Block, Cell, Details, Drawing, Edge, Formula, Node, Table, Text

if TYPE_CHECKING:
    from backprove.graphs.graph import Graph
    from backprove.graphs.run import Run

MAX_ROWS = 200
"""Larger graphs are shown by their gradients; all numbers stay in the run."""
MAX_TOTALS = 120
"""Up to so many derivatives of nodes by inputs are listed."""
MAX_CHAIN = 240
"""Longer products of local derivatives are given by their number."""
_BRIEF = 6


# --- graphs -------------------------------------------------------------------------------------


def graph_blocks(graph: Graph) -> list[Block]:
    """A graph without numbers."""
    blocks: list[Block] = [Text(_count_sentence(graph))]
    if len(graph.nodes) <= MAX_ROWS:
        blocks += [_drawing(graph, None), _operations(graph)]
    else:
        blocks.append(_too_large(graph))
    return blocks


def _count_sentence(graph: Graph) -> str:
    path = graph.critical_path()
    inputs, operations = len(graph.inputs), len(graph.operations)
    text = (
        f"{inputs} input{'s' * (inputs != 1)}, {operations} operation{'s' * (operations != 1)}; "
        f"the longest chain has {path.length}."
    )
    shared = graph.shared
    if shared:
        names = ", ".join(f"`{n}`" for n in shared[:12]) + ", ..." * (len(shared) > 12)
        text += f" Used more than once, so that gradients add up there: {names}."
    return text


def _too_large(graph: Graph) -> Text:
    return Text(
        f"The graph has {len(graph.nodes):,} nodes; up to {MAX_ROWS} are drawn and listed. "
        "Look up single nodes by name."
    )


def _operations(graph: Graph) -> Table:
    rows = [[_cell(n), Cell(n.formula), shape_text(n.shape)] for n in graph.nodes if n.formula]
    return Table(["node", "operation", "shape"], rows, "Operations in written order")


def graph_data(graph: Graph) -> dict[str, Any]:
    """A graph as JSON-ready data."""
    path = graph.critical_path()
    return {
        "kind": "graph",
        "expression": graph.expression,
        "output": graph.output,
        "nodes": [_node_data(n) for n in graph.nodes],
        "edges": [{"child": c, "parent": p} for c, p in graph.edges],
        "shared": graph.shared,
        "critical_path": {"length": path.length, "nodes": list(path.nodes)},
    }


def _node_data(node: GraphNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": node.role,
        "operation": node.operation,
        "formula": node.formula,
        "latex": node.latex,
        "operands": list(node.operands),
        "shape": [str(s) for s in node.shape],
    }


# --- drawings -----------------------------------------------------------------------------------


def _drawing(graph: Graph, run: Run | None) -> Drawing:
    nodes: list[Node] = []
    edges: list[Edge] = []
    for node in graph.nodes:
        if node.role == "constant":
            continue
        nodes.append(_drawn(node, run))
        for name in dict.fromkeys(node.operands):
            operand = graph.by_name[name]
            key = name
            if operand.role == "constant":
                # One copy for each use, so that a common constant does not tie the picture up.
                key = f"{name} in {node.name}"
                nodes.append(Node(key, name, role="constant"))
            edges.append(_arrow(key, operand, node, run))
    caption = "Forward: values. Backward: gradients." if run else ""
    return Drawing(nodes, edges, caption, passes=run is not None)


def _drawn(node: GraphNode, run: Run | None) -> Node:
    lines = [node.formula] if node.formula else []
    notes: list[str] = []
    if run is None:
        if node.shape:
            lines.append(shape_text(node.shape))
    else:
        lines.append(_brief(run.values[node.name]))
        gradient = run.upstream_of(node.name)
        lines.append(f"∂{run.root}/∂{node.name} = {_brief(gradient)}")
        notes = run.notes[node.name]
    return Node(node.name, node.name, lines, node.latex, node.role, notes)


def _arrow(key: str, operand: GraphNode, node: GraphNode, run: Run | None) -> Edge:
    if run is None:
        return Edge(key, node.name)
    forward = _brief(run.values[operand.name])
    if operand.role == "constant" or isinstance(run.upstream_of(operand.name), NotComputed):
        return Edge(key, node.name, forward)
    upstream = run.upstream[operand.name]
    assert isinstance(upstream, Upstream)
    flow = next(f for f in upstream.flows if f.consumer == node.name)
    return Edge(key, node.name, forward, _brief(flow.value))


def _brief(value: Any) -> str:
    if isinstance(value, NotComputed):
        return str(value)
    array = np.asarray(value)
    return shown(array) if array.size <= _BRIEF else extents(array.shape)


# --- runs ---------------------------------------------------------------------------------------


def run_blocks(run: Run) -> list[Block]:
    """A run: drawing, forward, local, backward, gradients, notes."""
    graph = run.graph
    blocks: list[Block] = [Text(_title(run)), Text(_count_sentence(graph))]
    if run.meaning:
        blocks.append(Text(run.meaning))
    blocks += _warnings(run)
    small = len(graph.nodes) <= MAX_ROWS
    if small:
        blocks += [_drawing(graph, run), _forward(run), _locals(run), _upstreams(run)]
    else:
        blocks.append(_too_large(graph))
    blocks.append(_gradients(run))
    summary = _gradient_formula(run)
    if summary:
        blocks.append(summary)
    if small:
        blocks += _totals(run)
        blocks.append(Details("What forward keeps for backward", [_kept(run)]))
    return blocks


def _title(run: Run) -> str:
    listed = [f"{name} = {_brief(value)}" for name, value in run.inputs.items()]
    more = ", ..." * (len(listed) > 20)
    at = f" at `{', '.join(listed[:20])}{more}`" if listed else ""
    text = (
        run.graph.expression
        if len(run.graph.expression) <= 200
        else run.graph.expression[:200] + " ..."
    )
    if not text:
        return f"A run{at}"
    # Named lines say themselves what each of them is.
    lines = ";" in text or "\n" in text
    return f"`{text}`{at}" if lines else f"`{run.graph.output} = {text}`{at}"


def _warnings(run: Run) -> list[Block]:
    if len(run.graph.nodes) > MAX_ROWS:
        return []
    return [Text(f"`{name}`: {note}") for name, notes in run.warnings.items() for note in notes]


def _cell(node: GraphNode) -> Cell:
    return Cell(node.name, symbol_latex(node.name))


def _value_cell(value: Any) -> str | float | Cell:
    if isinstance(value, NotComputed):
        return Cell(str(value))
    if np.ndim(value) == 0:
        return float(value)
    return Cell(shown(value))


def _forward(run: Run) -> Table:
    inputs = [run.graph.by_name[name] for name in run.graph.inputs]
    rows = [
        [_cell(n), Cell(n.formula or n.role), _value_cell(run.values[n.name])]
        for n in (*inputs, *(n for n in run.graph.nodes if n.formula))
    ]
    return Table(["node", "operation", "value"], rows, "Forward: values in written order")


def _locals(run: Run) -> Table:
    caption = "Local gradients: each operation by each of its operands"
    found = [run.graph.form(run.graph.number(c), run.graph.number(p)) for c, p in run.graph.edges]
    if any(form.structure for form in found):
        rows = []
        for form in found:
            sides = [np.shape(run.values[n.name]) for n in (form.child, form.parent)]
            structure = str(form.structure or "number")
            rows.append([Cell(form.symbol), Cell(form.formula), structure, extents(sum(sides, ()))])
        return Table(["derivative", "formula", "structure", "shape"], rows, caption)
    rows = []
    for edge in run.graph.edges:
        local = run.local[edge]
        numbers = Cell(local.numbers)
        rows.append([Cell(local.symbol), Cell(local.formula), numbers, _value_cell(local.value)])
    return Table(["derivative", "formula", "with numbers", "value"], rows, caption)


def _upstreams(run: Run) -> Table:
    rows = []
    for node in reversed(run.graph.nodes):
        if node.role == "constant":
            continue
        found = run.upstream[node.name]
        if isinstance(found, NotComputed):
            rows.append([f"∂{run.root}/∂{node.name}", "", "", Cell(str(found))])
            continue
        symbols = found.sum_text or ("1" if run.root == run.graph.output else "upstream")
        rows.append(
            [Cell(found.symbol), Cell(symbols), Cell(found.numbers), _value_cell(found.value)]
        )
    return Table(
        ["gradient", "sum over consumers", "with numbers", "value"],
        rows,
        "Upstream gradients, from the output back",
    )


def _gradients(run: Run) -> Table:
    rows = []
    for name in run.graph.inputs[:MAX_ROWS]:
        value = run.gradients[name]
        if isinstance(value, NotComputed):
            rows.append([Cell(f"∂{run.root}/∂{name}"), "", Cell(str(value))])
        else:
            rows.append([Cell(f"∂{run.root}/∂{name}"), Cell(_chain(run, name)), _value_cell(value)])
    return Table(["gradient", "chain rule, path by path", "value"], rows, "Final gradients")


def _chain(run: Run, name: str) -> str:
    """The chain rule for an input: the paths if few and short, else how many there are."""
    paths = run.paths(name, limit=8)
    if not paths.count:
        return "no path"
    if paths.listed:
        written = paths.text.rpartition(" = ")[0] or paths.paths[0].symbols
        if len(written) <= MAX_CHAIN:
            return written
    if paths.count == 1:
        return "1 path: " + " ← ".join(paths.paths[0].nodes)
    through = ", ".join(f"{count_text(p.count)} through {p.through}" for p in paths.bundles[:8])
    more = ", ..." * (len(paths.bundles) > 8)
    return f"{count_text(paths.count)} paths: {through}{more}"


def _gradient_formula(run: Run) -> Formula | None:
    gradients = [run.gradients[n] for n in run.graph.inputs]
    if not gradients or len(gradients) > 8:
        return None
    if any(isinstance(g, NotComputed) or np.ndim(g) for g in gradients):
        return None
    root = symbol_latex(run.root)
    fractions = [
        rf"\frac{{\partial {root}}}{{\partial {symbol_latex(n)}}}" for n in run.graph.inputs
    ]
    latex = rf"\left({', '.join(fractions)}\right) = "
    latex += rf"\left({', '.join(map(number_latex, gradients))}\right)"
    names = ", ".join(f"∂{run.root}/∂{n}" for n in run.graph.inputs)
    return Formula(latex, f"({names}) = ({', '.join(map(number, gradients))})", "gradient")


def _totals(run: Run) -> list[Block]:
    """Every node by every input, along all paths: what is 0 is listed as well."""
    graph = run.graph
    if graph.tape is None or len(graph.operations) * len(graph.inputs) > MAX_TOTALS:
        return []
    rows = [
        [Cell(f"∂{name}/∂..."), *(float(run.derivative(name, x)) for x in graph.inputs)]
        for name in graph.operations
    ]
    table = Table(["", *graph.inputs], rows, "Every node by every input, along all paths")
    return [Details("Every node by every input", [table])]


def _kept(run: Run) -> Table:
    cache = run.cached
    rows = [
        [Cell(k.name), k.role, extents(k.shape), k.bytes, Cell(", ".join(k.needed_for))]
        for k in cache
    ]
    caption = (
        f"{cache.bytes:,} bytes as float64; keeping only the inputs and computing forward again "
        f"saves {cache.recomputable_bytes:,}."
    )
    if cache.never_needed:
        caption += f" Not needed again: {', '.join(cache.never_needed)}."
    return Table(["node", "role", "shape", "bytes", "needed for"], rows, caption)


def run_table(run: Run) -> Table:
    """One row for each node."""
    rows = []
    for k, node in enumerate(run.graph.nodes):
        parents = [run.graph.nodes[p].name for p in run.graph.parents[k]]
        locals_ = "; ".join(run.local[node.name, p].text for p in parents)
        found = run.upstream[node.name]
        upstream = "" if isinstance(found, NotComputed) else found.text
        rows.append(
            [
                _cell(node),
                Cell(node.formula or node.role),
                _value_cell(run.values[node.name]),
                Cell(locals_),
                Cell(upstream or str(found)),
            ]
        )
    return Table(["node", "operation", "value", "local gradients", "upstream gradient"], rows)


def run_data(run: Run) -> dict[str, Any]:
    """A run as JSON-ready data."""
    graph = run.graph
    data = {
        **graph_data(graph),
        "kind": "run",
        "inputs": {n: plain_data(v) for n, v in run.inputs.items()},
        "root": run.root,
        "meaning": run.meaning,
        "values": {n: plain_data(v) for n, v in run.values.items()},
        "local": [run.local[edge].to_dict() for edge in graph.edges],
        "upstream": {
            n: "not computed" if isinstance(u, NotComputed) else u.to_dict()
            for n, u in run.upstream.items()
        },
        "gradients": {
            n: "not computed" if isinstance(g, NotComputed) else plain_data(g)
            for n, g in run.gradients.items()
        },
        "paths": {
            n: run.paths(n).to_dict()
            for n, g in run.gradients.items()
            if not isinstance(g, NotComputed)
        },
        "cached": run.cached.to_dict(),
        "notes": run.warnings,
    }
    data["sizes"] = dict(run.sizes)
    return data
