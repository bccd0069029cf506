"""Paths, sums of paths and values of graphs; slips made by operators are named as made."""

from __future__ import annotations

from itertools import pairwise

import pytest

from backprove.graphs import graph
from backprove.graphs.run import Run

GRAPHS = [
    ("log(x) + exp(y)*z", {"x": 1.0, "y": 3.0, "z": 2.0}),
    ("sigmoid(w*x + b)*x", {"w": 0.5, "x": -1.2, "b": 0.3}),
    ("(a + b)*(b + 1)", {"a": 2.0, "b": 1.0}),
    ("tanh(x*y) + x**2", {"x": 0.7, "y": 1.1}),
    ("h = x*y; g = h + x; g*h", {"x": 1.5, "y": -2.0}),
    ("exp(x*y)/(1 + z**2) - log(z)*x", {"x": 0.4, "y": 0.9, "z": 1.7}),
]


def runs() -> list[tuple[Run, str]]:
    """Every graph with each of its inputs."""
    found = [(graph(text).run(values), values) for text, values in GRAPHS]
    return [(run, name) for run, values in found for name in values]


def text_of(run: Run, paths: list[list[tuple[str, str]]], name: str) -> str:
    """A sum of paths as a claim."""
    products = ["*".join(f"d{child}/d{parent}" for child, parent in path) for path in paths]
    return f"d{run.root}/d{name} = {' + '.join(products)}"


def edges_of(run: Run, name: str) -> list[list[tuple[str, str]]]:
    """The edges of every path from the output to an input."""
    return [list(pairwise(path.nodes)) for path in run.paths(name)]


@pytest.mark.parametrize(("run", "name"), runs())
def test_the_sum_of_all_paths_is_right_in_any_order(run: Run, name: str) -> None:
    paths = edges_of(run, name)
    value = float(run.upstream_of(name))
    assert run.check(text_of(run, paths, name)).kind == "right"
    assert run.check(text_of(run, [p[::-1] for p in paths[::-1]], name)).kind == "right"
    assert run.check(f"{text_of(run, paths, name)} = {value!r}").kind == "right"


@pytest.mark.parametrize(("run", "name"), runs())
def test_a_path_that_is_left_out_is_a_missing_path(run: Run, name: str) -> None:
    paths = edges_of(run, name)
    if len(paths) == 1:
        pytest.skip("there is one path only")
    named = 0
    for k in range(len(paths)):
        rest = paths[:k] + paths[k + 1 :]
        verdict = run.check(text_of(run, rest, name))
        # Factors may be meant as derivatives along all paths, and then nothing may be missing.
        if verdict.kind == "right":
            continue
        named += 1
        assert (verdict.kind, verdict.mistake) == ("wrong", "missing_path"), verdict.claim
        assert verdict.fixed is not None and run.check(verdict.fixed).kind == "right"
    assert named


@pytest.mark.parametrize(("run", "name"), runs())
def test_a_factor_of_another_edge_is_a_wrong_path(run: Run, name: str) -> None:
    others = [(n.name, run.root) for n in run.graph.nodes if n.name != run.root]
    for k, path in enumerate(edges_of(run, name)):
        for place, (child, _) in enumerate(path):
            for other, _ in others:
                slip = [*path[:place], (child, other), *path[place + 1 :]]
                if slip == path or other.isdigit():
                    continue
                paths = [*edges_of(run, name)[:k], slip, *edges_of(run, name)[k + 1 :]]
                verdict = run.check(text_of(run, paths, name))
                assert (verdict.kind, verdict.mistake) == ("wrong", "wrong_path"), verdict.claim
                assert verdict.fixed is not None and run.check(verdict.fixed).kind == "right"


@pytest.mark.parametrize(("run", "name"), runs())
def test_two_values_of_one_derivative_contradict_each_other(run: Run, name: str) -> None:
    value = float(run.upstream_of(name))
    right = f"d{run.root}/d{name} = {value:.6g}"
    wrong = f"d{run.root}/d{name} = {value + 0.3711:.6g}"
    assert run.check(wrong).mistake == "wrong_value"
    verdict = run.check(wrong, earlier=[right])
    assert (verdict.kind, verdict.mistake) == ("wrong", "contradiction")


def test_a_product_that_has_the_right_value_by_chance_is_wrong() -> None:
    run = graph("h = x*y; g = h + x; g*h").run(x=1.5, y=-2.0)
    verdict = run.check("df/dx = df/dg * dg/dh * dh/dx = 6")
    assert (verdict.kind, verdict.mistake) == ("wrong", "missing_path")


def test_the_chain_rule_of_several_variables_is_right() -> None:
    run = graph("h = x*y; g = h + x; g*h").run(x=1.5, y=-2.0)
    assert run.check("df/dx = df/dg * dg/dx + df/dh * dh/dx").kind == "right"
