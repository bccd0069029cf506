"""Every value and every upstream gradient of random graphs with shared nodes equals JAX's."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from backprove.graphs import Run, graph
from backprove.graphs.passes import TensorPass
from backprove.graphs.tape import Group
from graphs.random_graphs import (
    SCALAR_INPUTS,
    TENSOR_SHAPES,
    gradients_by_jax,
    node_by_node,
    scalar_text,
    tensor_text,
    tensor_values,
)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def assert_close(given: object, expected: object, tolerance: float = 1e-9) -> None:
    given, expected = np.asarray(given), np.asarray(expected)
    assert given.shape == expected.shape
    assert np.all(np.abs(given - expected) <= tolerance * max(1.0, np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("seed", range(30))
def test_scalar_graphs_equal_jax_on_every_node(seed: int) -> None:
    g = graph(scalar_text(seed))
    values = {n: SCALAR_INPUTS[n] for n in g.inputs}
    run = g.run(values)
    assert_close(run.values["f"], node_by_node(g, values, {}))
    for name, expected in gradients_by_jax(g, values, 1.0).items():
        assert_close(run.upstream_of(name), expected)


def wide_text(seed: int, width: int = 30) -> str:
    """Many operations of one kind at one depth, which use few nodes over and over."""
    rng = np.random.default_rng(seed)
    terms = [
        f"{rng.choice(list('xyz'))}*tanh({rng.normal():.3f}*{rng.choice(list('xyz'))} - h)*u"
        for _ in range(width)
    ]
    return " + ".join(terms).replace("h", "sin(x*y)").replace("tansin(x*y)", "tanh")


@pytest.mark.parametrize("seed", range(4))
def test_wide_graphs_equal_jax_on_every_node(seed: int) -> None:
    g = graph(wide_text(seed))
    assert g.tape is not None
    assert any(isinstance(step, Group) for step in g.tape.steps)
    run = g.run(SCALAR_INPUTS)
    assert_close(run.values["f"], node_by_node(g, SCALAR_INPUTS, {}))
    for name, expected in gradients_by_jax(g, SCALAR_INPUTS, 1.0).items():
        assert_close(run.upstream_of(name), expected)


@pytest.mark.parametrize("seed", range(20))
def test_tensor_graphs_equal_jax_on_every_node(seed: int) -> None:
    g = graph(tensor_text(seed), TENSOR_SHAPES)
    values = {n: v for n, v in tensor_values(seed).items() if n in g.inputs}
    run = g.run(values)
    assert_close(run.values["f"], node_by_node(g, values, {}))
    for name, expected in gradients_by_jax(g, values, 1.0).items():
        assert_close(run.upstream_of(name), expected)


@pytest.mark.parametrize("seed", range(8))
def test_vjps_of_arrays_equal_jax_on_every_node(seed: int) -> None:
    g = graph(tensor_text(seed, reduce=False), TENSOR_SHAPES)
    values = {n: v for n, v in tensor_values(seed).items() if n in g.inputs}
    upstream = np.random.default_rng(seed).normal(size=(3, 2))
    run = g.run(values, upstream=upstream)
    for name, expected in gradients_by_jax(g, values, upstream).items():
        assert_close(run.upstream_of(name), expected)


@pytest.mark.parametrize("text", [*map(scalar_text, range(8)), wide_text(0, 12), wide_text(1, 12)])
def test_the_tape_and_the_array_passes_give_the_same_numbers(text: str) -> None:
    g = graph(text)
    run = g.run({n: SCALAR_INPUTS[n] for n in g.inputs})
    arrays = {v.array: np.asarray(SCALAR_INPUTS[v.name]) for v in g.program.inputs}
    other = TensorPass(g.program, g.form, g.consumers, arrays, {}, np.ones(()), run.active)
    for k, node in enumerate(g.nodes):
        assert_close(run.passes.value(k), other.value(k), 1e-14)
        if node.role != "constant":
            assert_close(run.passes.upstream(k), other.upstream(k), 1e-12)
            for parent in g.parents[k]:
                assert_close(run.passes.local(k, parent), other.local(k, parent), 1e-13)
                assert_close(run.passes.total(k, parent), other.total(k, parent), 1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_the_sum_over_paths_is_the_upstream_gradient_on_every_node(seed: int) -> None:
    g = graph(scalar_text(seed))
    run = g.run({n: SCALAR_INPUTS[n] for n in g.inputs})
    assert_paths_add_up(run, limit=3_000)


@pytest.mark.parametrize("seed", range(4))
def test_the_sum_over_paths_is_the_upstream_gradient_of_arrays(seed: int) -> None:
    g = graph(tensor_text(seed), TENSOR_SHAPES)
    run = g.run({n: v for n, v in tensor_values(seed).items() if n in g.inputs})
    assert_paths_add_up(run, limit=40)


def assert_paths_add_up(run: Run, limit: int) -> None:
    for node in run.graph.nodes:
        if node.role == "constant":
            continue
        paths = run.paths(node.name, limit=limit)
        assert paths.count >= 1
        if paths.bundles:
            assert_close(sum(b.value for b in paths.bundles), run.upstream_of(node.name))
            assert sum(b.count for b in paths.bundles) == paths.count
        if paths.listed:
            assert len({p.nodes for p in paths}) == paths.count
            assert all(run.is_path(p.nodes) for p in paths)
            assert_close(sum(p.value for p in paths), run.upstream_of(node.name))


@pytest.mark.parametrize("seed", range(6))
def test_the_gradient_is_the_limit_of_differences(seed: int) -> None:
    text = scalar_text(seed + 100).replace("relu", "tanh")
    g = graph(text)
    values = {n: SCALAR_INPUTS[n] for n in g.inputs}
    run = g.run(values)
    for name in g.inputs:
        step = 1e-6
        ahead = g.run({**values, name: values[name] + step}).values["f"]
        behind = g.run({**values, name: values[name] - step}).values["f"]
        assert run.gradients[name] == pytest.approx(
            (ahead - behind) / (2 * step), rel=2e-6, abs=1e-7
        )


def test_a_batch_gives_the_sum_of_its_examples_run_one_by_one() -> None:
    shapes = {"X": "n d", "W": "k d", "v": "k"}
    batch = graph("sum(tanh(X @ W.T) @ v)", shapes)
    single = graph("tanh(W @ x) @ v", {"x": "d", "W": "k d", "v": "k"})
    rng = np.random.default_rng(0)
    x, w, v = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    together = batch.run(X=x, W=w, v=v)
    apart = [single.run(x=row, W=w, v=v) for row in x]
    assert_close(together.values["f"], sum(run.values["f"] for run in apart), 1e-13)
    assert_close(together.gradients["W"], sum(run.gradients["W"] for run in apart), 1e-13)
    assert_close(together.gradients["X"], np.stack([run.gradients["x"] for run in apart]), 1e-13)
