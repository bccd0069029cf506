"""Scalar graphs: time for forward and backward with every number kept.

    python benchmarks/graph.py

Two graphs of 100,000 operations (a wide one, and one long chain), the graph of micrograd's demo
(a 2-16-16-1 network of ReLU units with hinge loss and weight decay on 100 points of two moons), the
layout of graphs of up to 10,000 nodes, and the page of a 3-layer network on 64 examples. If
micrograd can be imported (extra `bench`), it runs the same graph in the same process.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from backprove.graphs import Graph, graph
from backprove.graphs.walk import walk
from backprove.networks import MLP, WithLoss
from backprove.notation import Program, declare
from backprove.notation import building as b
from backprove.notation.operations import Builder, Value
from backprove.views.graph_layout import Arrow, Box
from backprove.views.graph_page import graph_page
from backprove.views.quick_layout import place_quickly

REPEATS = 5
LAYERS = (2, 16, 16, 1)
POINTS = 100
DECAY = 1e-4


class Writer:
    """Writes a scalar program, one operation at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.builder = Builder()
        self.symbols = declare(dict.fromkeys(names, ""))
        self.inputs = {n: self.builder.symbol(a) for n, a in self.symbols.items()}

    def apply(self, name: str, template: str, body: Callable, *operands: Value) -> Value:
        """One operation on values."""
        entries = [v.entry() for v in operands]
        return self.builder.operation(
            name, operands, (), body(*entries), template=template, latex=template
        )

    def add(self, x: Value, y: Value) -> Value:
        """x + y."""
        return self.apply("add", "{0} + {1}", b.add, x, y)

    def multiply(self, x: Value, y: Value) -> Value:
        """x * y."""
        return self.apply("multiply", "{0} * {1}", b.mul, x, y)

    def function(self, name: str, x: Value) -> Value:
        """A named function of x."""
        return self.apply(name, f"{name}({{0}})", lambda e: b.fn(name, e), x)

    def program(self, output: Value) -> Program:
        """The finished program."""
        return self.builder.program(output, self.symbols)


def wide(operations: int) -> Program:
    """Layers of 1,000 nodes, each a function of two nodes of the layer before."""
    rng = random.Random(0)
    writer = Writer([f"x{k}" for k in range(1000)])
    layer = list(writer.inputs.values())
    count = 0
    while count < operations - 1000:
        new = []
        for k in range(1000):
            node = writer.add(layer[k], rng.choice(layer))
            if k % 2:
                node = writer.multiply(node, rng.choice(layer))
            new.append(writer.function(("tanh", "sigmoid")[k % 2], node))
        count += 2500
        layer = new
    total = layer[0]
    for node in layer[1:]:
        total = writer.add(total, node)
    return writer.program(total)


def chain(operations: int) -> Program:
    """Every operation uses the one before."""
    writer = Writer(["x", "y"])
    node, other = writer.inputs["x"], writer.inputs["y"]
    for k in range(operations):
        if k % 3 == 0:
            node = writer.multiply(node, other)
        elif k % 3 == 1:
            node = writer.add(node, other)
        else:
            node = writer.function("tanh", node)
    return writer.program(node)


def moons(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles with labels -1 and 1."""
    rng = np.random.default_rng(1)
    half = points // 2
    angles = np.linspace(0, math.pi, half)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lower = np.stack([1 - np.cos(angles), 0.5 - np.sin(angles)], axis=1)
    x = np.concatenate([upper, lower]) + 0.1 * rng.normal(size=(2 * half, 2))
    return x, np.repeat([-1.0, 1.0], half)


def parameter_names() -> list[str]:
    """w_layer_unit_input and b_layer_unit, as micrograd orders its parameters."""
    names = []
    for layer, (fan_in, units) in enumerate(pairwise(LAYERS)):
        for unit in range(units):
            names += [f"w_{layer}_{unit}_{k}" for k in range(fan_in)] + [f"b_{layer}_{unit}"]
    return names


def moons_program(points: int) -> Program:
    """Loss of the demo network: mean hinge loss and weight decay."""
    names = parameter_names()
    data = [f"{kind}{k}" for k in range(points) for kind in ("p", "q", "t")]
    writer = Writer([*names, *data])
    value = writer.inputs
    losses: Value | None = None
    for point in range(points):
        activations = [value[f"p{point}"], value[f"q{point}"]]
        for layer, units in enumerate(LAYERS[1:]):
            activations = [_unit(writer, activations, layer, unit) for unit in range(units)]
        margin = writer.multiply(value[f"t{point}"], activations[0])
        one_minus = writer.apply("one_minus", "1 - {0}", lambda m: b.sub(b.ONE, m), margin)
        loss = writer.function("relu", one_minus)
        losses = loss if losses is None else writer.add(losses, loss)
    squares: Value | None = None
    for name in names:
        square = writer.multiply(value[name], value[name])
        squares = square if squares is None else writer.add(squares, square)
    assert losses is not None and squares is not None
    mean = writer.apply("mean", "{0} / points", lambda e: b.divide(e, b.num(points)), losses)
    decay = writer.apply("decay", "decay * {0}", lambda e: b.mul(b.num(1), e, _decay()), squares)
    return writer.program(writer.add(mean, decay))


def _decay():  # type: ignore[no-untyped-def]
    return b.divide(b.ONE, b.num(round(1 / DECAY)))


def _unit(writer: Writer, inputs: Sequence[Value], layer: int, unit: int) -> Value:
    value = writer.inputs
    total = value[f"b_{layer}_{unit}"]
    for k, x in enumerate(inputs):
        total = writer.add(total, writer.multiply(value[f"w_{layer}_{unit}_{k}"], x))
    return total if layer == len(LAYERS) - 2 else writer.function("relu", total)


def best(run: Callable[[], object]) -> float:
    """The shortest of some runs, in seconds of wall-clock time."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def prepared(program: Program) -> Graph:
    """The graph of a program, ready to run; prints how long that took."""
    start = time.perf_counter()
    g = graph(program)
    assert g.tape is not None
    print(f"{time.perf_counter() - start:.2f} s to prepare {len(g.operations):,} operations")
    return g


def report(name: str, g: Graph, values: dict[str, float]) -> float:
    """Times one graph and prints a line."""
    seconds = best(lambda: g.run(values))
    operations = len(g.operations)
    each = 1e9 * seconds / operations
    print(f"{name:8} {operations:>8,} operations  {seconds:7.4f} s  {each:6.0f} ns each")
    return seconds


def compare_with_micrograd(g: Graph, values: dict[str, float], seconds: float) -> None:
    """The same loss and gradients with micrograd, and its time."""
    try:
        from micrograd.engine import Value as Scalar
        from micrograd.nn import MLP
    except ImportError:
        print("micrograd is not installed; nothing to compare with")
        return
    model = MLP(2, list(LAYERS[1:]))
    parameters = dict(zip(parameter_names(), model.parameters(), strict=True))
    for name, parameter in parameters.items():
        parameter.data = values[name]
    points = range(POINTS)

    def loss() -> Scalar:
        scores = [model([Scalar(values[f"p{k}"]), Scalar(values[f"q{k}"])]) for k in points]
        hinge = [(1 + -values[f"t{k}"] * s).relu() for k, s in zip(points, scores, strict=True)]
        decay = DECAY * sum(p * p for p in parameters.values())
        return sum(hinge) * (1.0 / len(hinge)) + decay

    def run() -> None:
        model.zero_grad()
        loss().backward()

    other = best(run)
    run()
    ours = g.run(values)
    gap = max(abs(ours.gradients[n] - p.grad) for n, p in parameters.items())
    print(f"micrograd on the same graph: {other:.3f} s, {other / seconds:.1f} times as long")
    print("(micrograd builds its graph in every run; here it is built once and run again)")
    print(f"greatest difference between the gradients: {gap:.1e}")


def growth(rng: np.random.Generator) -> None:
    """Seconds for both passes and for the layout of all parts, as graphs grow."""
    print("    nodes   both passes   pictures laid out")
    for operations in (1_250, 2_500, 5_000, 10_000):
        g = graph(chain(operations))
        run = g.run({n: float(rng.normal()) for n in g.inputs})
        passes = best(lambda g=g, run=run: g.run(run.inputs))
        boxes = [Box(n.name, 90, 60) for n in g.nodes]
        arrows = [Arrow(p, c, 40) for c, p in g.edges]
        laid_out = best(lambda b=boxes, a=arrows: place_quickly(b, a))
        print(f"{len(g.nodes):>9,}  {passes:9.4f} s  {laid_out:13.3f} s")


def layers_page(rng: np.random.Generator) -> None:
    """Forward and backward of 64 examples in a 3-layer network with batch norm, and its page."""
    g = graph(WithLoss(MLP(20, (32, 16), 10, normalisation="batch")))
    values = {n: rng.normal(size=[s.at({"n": 64}) for s in g.by_name[n].shape]) for n in g.inputs}
    values["Y"] = np.eye(10)[rng.integers(10, size=64)]
    g.run(values)
    seconds = best(lambda: g.run(values))
    run = g.run(values)
    start = time.perf_counter()
    page = graph_page(walk(run), run.blocks(), run.exercise().to_dict())
    written = time.perf_counter() - start
    print(f"3 layers, 64 examples: both passes {seconds:.4f} s, {len(g.nodes)} nodes")
    print(f"its page: {len(page) / 1e6:.2f} MB, written in {written:.2f} s")


def main() -> None:
    """Runs every case."""
    rng = np.random.default_rng(0)
    for name, program in (("wide", wide(100_000)), ("chain", chain(100_000))):
        g = prepared(program)
        report(name, g, {n: float(rng.normal()) for n in g.inputs})
    g = prepared(moons_program(POINTS))
    x, labels = moons(POINTS)
    values = {n: float(rng.uniform(-1, 1)) for n in parameter_names()}
    for k in range(POINTS):
        values |= {f"p{k}": x[k, 0], f"q{k}": x[k, 1], f"t{k}": labels[k]}
    compare_with_micrograd(g, values, report("moons", g, values))
    growth(rng)
    layers_page(rng)


if __name__ == "__main__":
    main()
