"""Names, shared nodes, shapes, counts of paths, and inputs that do not fit."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from backprove.errors import (
    BackproveError,
    DomainError,
    NotationError,
    ShapeError,
    UnknownName,
)
from backprove.graphs import NOT_COMPUTED, Upstream, graph
from backprove.notation import Program, declare
from backprove.notation import building as b
from backprove.notation.axes import Size
from backprove.notation.operations import Builder


def test_a_shared_expression_is_one_node_where_gradients_add_up() -> None:
    g = graph("sin(x)*y + sin(x)**2")
    assert g.shared == ["h1"]
    run = g.run(x=0.3, y=2.0)
    found = run.upstream["h1"]
    assert isinstance(found, Upstream)
    assert [flow.consumer for flow in found.flows] == ["h2", "h3"]
    assert found.value == pytest.approx(2.0 + 2 * np.sin(0.3))


def test_an_operand_used_twice_is_one_edge() -> None:
    run = graph("x*x").run(x=3.0)
    assert run.graph.edges == [("f", "x")]
    assert run.local["f", "x"].text == "∂f/∂x = 2·x = 2·3 = 6"
    assert run.gradients["x"] == 6
    assert run.paths("x").count == 1


@pytest.mark.parametrize(("text", "output"), [("f + 1", "y"), ("f*y", "out"), ("x + 1", "f")])
def test_the_output_takes_a_name_that_no_symbol_has(text: str, output: str) -> None:
    g = graph(text)
    assert g.output == output
    assert g.run(dict.fromkeys(g.inputs, 2.0)).upstream_of(output) == 1


def test_operations_never_share_a_name_with_a_symbol() -> None:
    g = graph("h1*h2 + sin(h1)*g1")
    names = [n.name for n in g.nodes]
    assert len(set(names)) == len(names)
    assert g.inputs == ["h1", "h2", "g1"]
    run = g.run(h1=2.0, h2=3.0, g1=5.0)
    assert run.gradients["h1"] == pytest.approx(3 + 5 * np.cos(2.0))
    assert run.local["u3", "u2"].text == "∂u3/∂u2 = g1 = 5"


def test_a_single_symbol_is_its_own_output() -> None:
    run = graph("x").run(x=4.0)
    assert run.graph.output == "x"
    assert (run.values["f"], run.gradients["x"]) == (4.0, 1.0)
    assert run.paths("x").count == 1
    assert run.text()


def test_constants_have_no_gradient() -> None:
    run = graph("2*x + pi").run(x=1.0)
    roles = {n.name: n.role for n in run.graph.nodes}
    assert roles["2"] == roles["pi"] == "constant"
    assert run.values["pi"] == pytest.approx(np.pi)
    assert run.upstream_of("2") is NOT_COMPUTED
    assert run.partial("h1", "2") is None


def test_a_gradient_that_was_not_asked_for_reads_not_computed() -> None:
    run = graph("x*y + tanh(y)").run(x=2.0, y=1.0, wrt=["x"])
    assert run.gradients["x"] == 1.0
    assert run.gradients["y"] is NOT_COMPUTED
    assert str(run.gradients["y"]) == "not computed"
    assert run.upstream["h2"] is NOT_COMPUTED
    assert run.to_dict()["gradients"]["y"] == "not computed"
    assert "not computed" in run.text()


def test_forward_only_computes_no_gradient_at_all() -> None:
    for text, values in (("x*y", {"x": 2.0, "y": 3.0}), ("sum(x)*y", {"x": [1.0], "y": 3.0})):
        shapes = {"x": "n"} if "sum" in text else None
        run = graph(text, shapes).run(values, wrt=[])
        assert all(g is NOT_COMPUTED for g in run.gradients.values())
        assert run.values["f"] in (6.0, 3.0)
        assert len(run.cached) == 0
        json.dumps(run.to_dict())
        assert run.text()


def test_an_array_as_output_says_what_its_gradients_are_of() -> None:
    g = graph("X @ W.T", {"X": "n d", "W": "k d"})
    x, w = np.arange(6.0).reshape(3, 2), np.ones((4, 2))
    run = g.run(X=x, W=w)
    assert run.root == "L"
    assert "L = sum(f)" in run.meaning
    assert np.array_equal(run.gradients["W"], np.ones((3, 4)).T @ x)
    upstream = np.arange(12.0).reshape(3, 4)
    given = g.run(X=x, W=w, upstream=upstream)
    assert np.array_equal(given.gradients["W"], upstream.T @ x)
    assert "given" in given.meaning


def test_an_upstream_gradient_scales_a_number() -> None:
    run = graph("x*y").run(x=2.0, y=3.0, upstream=-5.0)
    assert run.gradients["x"] == -15
    assert run.root == "L"
    assert str(run.paths("x")) == "∂L/∂f·∂f/∂x = (-5)·3 = -15"
    assert str(run.upstream["x"]) == "∂L/∂x = ∂L/∂f·∂f/∂x = (-5)·3 = -15"


def test_jacobians_of_arrays_are_structured() -> None:
    shapes = {"X": "n d", "b": "d"}
    run = graph("softmax(X + b, axis=1)", shapes).run(X=np.eye(3, 2), b=np.zeros(2))
    assert run.local["h1", "X"].structure == "identity"
    assert run.local["f", "h1"].structure == "block-diagonal"
    local = run.local["h1", "b"]
    assert local.text == "∂h1[i,j]/∂b[k] = [j=k] (block-diagonal)"
    assert np.array_equal(local.value, np.tile(np.eye(2), (3, 1, 1)))
    assert run.partial("f", "h1").shape == (3, 2, 3, 2)
    assert run.derivative("f", "b").shape == (3, 2, 2)
    total = np.einsum("ijkl,klm->ijm", run.partial("f", "h1"), run.partial("h1", "b"))
    assert run.derivative("f", "b") == pytest.approx(total)


def test_softmax_keeps_its_outcome_and_products_keep_their_operands() -> None:
    shapes = {"X": "n d", "W": "k d", "Y": "n k"}
    g = graph("-sum(Y * log(softmax(relu(X @ W.T), axis=1)))", shapes)
    rng = np.random.default_rng(1)
    run = g.run(X=rng.normal(size=(3, 2)), W=rng.normal(size=(4, 2)), Y=np.ones((3, 4)))
    kept = {k.name: k.bytes for k in run.cached}
    # h1 = W.T, h2 = X @ h1, h3 = relu(h2), h4 = softmax(h3), h5 = log(h4), h6 = Y * h5, h7 = sum
    assert kept == {"X": 48, "h1": 64, "h2": 96, "h4": 96, "h5": 96, "Y": 96}
    assert run.cached["h4"].needed_for == ("∂h4/∂h3", "∂h5/∂h4")
    assert run.cached.never_needed == ("h3", "h6", "h7")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("exp(x)", {"f"}),
        ("sqrt(x)", {"f"}),
        ("sigmoid(x)", {"f"}),
        ("tanh(x)", {"f"}),
        ("x**2", {"x"}),
        ("sin(x)", {"x"}),
        ("relu(x)", {"x"}),
        ("x + y", set()),
        ("x*y", {"x", "y"}),
        ("x/y", {"x", "y"}),
        ("3*x", set()),
    ],
)
def test_each_operation_keeps_what_its_derivative_needs(text: str, kept: set[str]) -> None:
    run = graph(text).run(dict.fromkeys(graph(text).inputs, 0.5))
    assert {k.name for k in run.cached} == kept


def test_a_batch_normalised_network_is_kept_in_full() -> None:
    shapes = {"X": "n d", "W": "k d", "g": "k", "b": "k", "V": "c k", "Y": "n c"}
    h = "(X @ W.T)"
    hidden = f"relu(({h} - mean({h}, axis=0)) / sqrt(var({h}, axis=0) + 1e-5) * g + b)"
    g = graph(f"-mean(sum(Y * log_softmax({hidden} @ V.T, axis=1), axis=1))", shapes)
    assert g.shared == ["h2"]
    sizes = {"n": 64, "d": 5, "k": 8, "c": 3}
    rng = np.random.default_rng(3)
    values = {n: rng.normal(size=[sizes[s] for s in v.split()]) for n, v in shapes.items()}
    run = g.run(values)
    for node in g.nodes:
        assert np.shape(run.values[node.name]) == tuple(s.at(sizes) for s in node.shape)
        if node.role != "constant":
            assert np.shape(run.upstream_of(node.name)) == np.shape(run.values[node.name])
    assert run.paths("W").count == 3
    assert "3 paths: 3 through h1" in " ".join(run.text().split())
    assert json.dumps(run.to_dict(), allow_nan=False)
    assert run.html()


def test_paths_are_counted_exactly_beyond_what_can_be_listed() -> None:
    text = "x"
    for _ in range(10):
        text = f"(sin({text}) + cos({text}))"
    run = graph(text).run(x=0.4)
    paths = run.paths("x")
    assert (paths.count, paths.listed, len(paths.paths)) == (2**10, False, 0)
    assert [(b.through, b.count) for b in paths.bundles] == [("h1", 512), ("h2", 512)]
    assert sum(b.value for b in paths.bundles) == pytest.approx(run.gradients["x"], rel=1e-12)
    every = run.paths("x", limit=2**10)
    assert len({p.nodes for p in every}) == 2**10
    assert sum(p.value for p in every) == pytest.approx(run.gradients["x"], rel=1e-12)


N = Size.named("n")


def doubling(layers: int) -> Program:
    """A program in which each layer adds two functions of the layer before."""
    builder, symbols = Builder(), declare({"x": ""})
    value = builder.symbol(symbols["x"])
    for _ in range(layers):
        at = value.entry()
        parts = [
            builder.operation(n, [value], (), b.fn(n, at), template=f"{n}({{0}})", latex=n)
            for n in ("sin", "cos")
        ]
        body = b.add(*(part.entry() for part in parts))
        value = builder.operation("add", parts, (), body, template="{0} + {1}", latex="{0} + {1}")
    return builder.program(value, symbols)


def test_counts_of_paths_stay_exact_when_they_are_astronomical() -> None:
    run = graph(doubling(200)).run(x=0.4)
    paths = run.paths("x")
    assert paths.count == 2**200
    assert paths.text.startswith("about 1.6e60 paths")
    assert paths.to_dict()["count"] == str(2**200)
    assert paths.value == pytest.approx(sum(p.value for p in paths.bundles), rel=1e-12)


def test_the_longest_chain_grows_with_the_layers_and_not_with_the_batch() -> None:
    def layers(count: int) -> str:
        text = "X"
        for _ in range(count):
            text = f"tanh({text} @ W)"
        return text

    lengths = [graph(layers(n), {"X": "n d", "W": "d d"}).critical_path().length for n in (1, 2, 5)]
    assert lengths == [2, 4, 10]
    chain = graph(layers(3), {"X": "n d", "W": "d d"}).critical_path().nodes
    assert all(chain.index(a) < chain.index(b) for a, b in pairwise(chain))


@pytest.mark.parametrize(
    ("text", "shapes", "values", "error", "said"),
    [
        ("x + y", None, {"x": 1}, DomainError, "no value is given for y"),
        ("x + y", None, {"x": 1, "y": 1, "w": 1}, UnknownName, "'w'"),
        ("x", None, {"x": "one"}, DomainError, "not an array of numbers"),
        ("x", None, {"x": None}, DomainError, "None"),
        ("x", None, {"x": 1 + 2j}, DomainError, "not an array of numbers"),
        ("x + 1", None, {"x": [1, 2]}, ShapeError, "declared scalar"),
        ("X @ w", {"X": "n d", "w": "d"}, {"X": [[1, 2]], "w": [1]}, ShapeError, "size d"),
        ("sum(w)", {"w": [N + Size.named("m")]}, {"w": [1]}, ShapeError, "follows from no input"),
        (
            "sum(x) + sum(y)",
            {"x": [N], "y": [N + 1]},
            {"x": [1], "y": [1]},
            ShapeError,
            "(2,) here",
        ),
        ("sum(X)", {"X": "2 3"}, {"X": [[1, 2], [3, 4]]}, ShapeError, "declared 2×3"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    text: str, shapes: dict, values: dict, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        graph(text, shapes).run(values)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("domain", "value", "shape"),
    [
        ("positive", [1.0, 0.0], "n"),
        ("prob", [0.5, 0.6], "n"),
        ("prob", [1.5, -0.5], "n"),
        ("sum1", [0.5, 0.6], "n"),
        ("onehot", [0.5, 0.5], "n"),
        ("binary", [0.5, 1.0], "n"),
        ("pm1", [1.0, 0.0], "n"),
        ("unit", [0.5, 1.0], "n"),
        ("symmetric", [[1.0, 2.0], [0.0, 1.0]], "n n"),
        ("spd", [[1.0, 2.0], [2.0, 1.0]], "n n"),
        ("nonsingular", [[1.0, 1.0], [1.0, 1.0]], "n n"),
    ],
)
def test_values_outside_of_their_domain_are_refused(domain: str, value: list, shape: str) -> None:
    with pytest.raises(DomainError, match="not in its domain"):
        graph("sum(v)", {"v": shape}, {"v": domain}).run(v=value)


def test_facts_of_a_domain_do_not_enter_the_numbers() -> None:
    run = graph("sum(p)", {"p": "n"}, {"p": "prob"}).run(p=[0.25, 0.75])
    assert np.array_equal(run.gradients["p"], [1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", NotationError),
        ("x +", NotationError),
        ("sinus(x)", BackproveError),
        ("X @ W", ShapeError),
    ],
)
def test_expressions_that_cannot_be_read_are_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        graph(text)


def test_lookups_of_unknown_names_say_what_there_is() -> None:
    run = graph("x*y").run(x=1.0, y=2.0)
    for look in (
        lambda: run.values["q"],
        lambda: run.gradients["f"],
        lambda: run.upstream_of("q"),
        lambda: run.paths("q"),
        lambda: run.graph.resolve("q"),
        lambda: run.cached["f"],
    ):
        with pytest.raises(UnknownName):
            look()
    with pytest.raises(DomainError, match="no edge"):
        _ = run.local["x", "y"]
    with pytest.raises(UnknownName, match="constant"):
        graph("2*x").run(x=1.0, wrt=["2"])
    with pytest.raises(ShapeError, match="upstream"):
        graph("x").run(x=1.0, upstream=[1.0, 2.0])


@pytest.mark.parametrize("copies", [1, 20])
def test_a_derivative_is_not_touched_by_an_infinite_slope_elsewhere(copies: int) -> None:
    text = "y*x + " + " + ".join(f"sqrt(x*{k})" for k in range(1, copies + 1))
    run = graph(text).run(x=0.0, y=3.0)
    assert run.gradients["x"] == np.inf
    assert run.derivative("h1", "x") == 3.0
    assert run.derivative("h1", "y") == 0.0


def test_a_symbol_may_have_the_name_of_an_argument() -> None:
    run = graph("upstream*wrt").run({"upstream": 2.0, "wrt": 3.0})
    assert run.gradients["upstream"] == 3.0


def test_parameters_are_told_apart_from_inputs() -> None:
    g = graph("w*x", parameters=["w"])
    assert {n.name: n.role for n in g.nodes} == {"w": "parameter", "x": "input", "f": "output"}
    with pytest.raises(UnknownName):
        graph("w*x", parameters=["v"])
