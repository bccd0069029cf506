"""The graph of f = ln x + e^y z at (1, 3, 2), number by number."""

from __future__ import annotations

import json
import math

import pytest

from backprove.errors import NotationError
from backprove.graphs import Run, graph
from backprove.results import Drawing
from backprove.views.graph_layout import Arrow, Box, place

E3 = math.exp(3)


@pytest.fixture(scope="module")
def run() -> Run:
    return graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2)


def test_operations_are_numbered_as_they_are_written(run: Run) -> None:
    shown = {n.name: n.formula for n in run.graph.nodes if n.formula}
    assert shown == {"h1": "ln(x)", "h2": "exp(y)", "h3": "h2 * z", "f": "h1 + h3"}
    assert run.graph.inputs == ["x", "y", "z"]
    assert run.graph.operations == ["h1", "h2", "h3", "f"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("h1", 0), ("h2", E3), ("h3", 2 * E3), ("f", 2 * E3), ("x", 1), ("h4", 2 * E3)],
)
def test_forward_values_are_those_of_the_hand_calculation(
    run: Run, name: str, value: float
) -> None:
    assert run.values[name] == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("child", "parent", "value", "text"),
    [
        ("h1", "x", 1, "∂h1/∂x = 1/x = 1/1 = 1"),
        ("h2", "y", E3, "∂h2/∂y = exp(y) = exp(3) = 20.0855"),
        ("h3", "h2", 2, "∂h3/∂h2 = z = 2"),
        ("h3", "z", E3, "∂h3/∂z = h2 = 20.0855"),
        ("f", "h1", 1, "∂f/∂h1 = 1"),
        ("f", "h3", 1, "∂f/∂h3 = 1"),
    ],
)
def test_local_derivatives_have_formula_numbers_and_value(
    run: Run, child: str, parent: str, value: float, text: str
) -> None:
    assert run.partial(child, parent) == pytest.approx(value, rel=1e-15)
    assert run.local[child, parent].text == text
    assert (child, parent) in run.local


def test_there_are_exactly_the_six_local_derivatives(run: Run) -> None:
    assert len(run.local) == len(list(run.local)) == 6
    assert run.partial("h3", "y") is None
    assert run.partial("h1", "y") is None
    assert run.partial("x", "h1") is None


def test_derivatives_along_all_paths_include_the_zeros(run: Run) -> None:
    expected = {
        "h1": (1, 0, 0),
        "h2": (0, E3, 0),
        "h3": (0, 2 * E3, E3),
        "f": (1, 2 * E3, E3),
    }
    for name, row in expected.items():
        for x, value in zip("xyz", row, strict=True):
            assert run.derivative(name, x) == pytest.approx(value, rel=1e-15)
    assert run.derivative("x", "x") == 1
    assert run.derivative("x", "y") == 0


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("f", 1, "∂f/∂f = 1"),
        ("h3", 1, "∂f/∂h3 = ∂f/∂f·∂f/∂h3 = 1·1 = 1"),
        ("h1", 1, "∂f/∂h1 = ∂f/∂f·∂f/∂h1 = 1·1 = 1"),
        ("h2", 2, "∂f/∂h2 = ∂f/∂h3·∂h3/∂h2 = 1·2 = 2"),
    ],
)
def test_upstream_gradients_are_sums_over_consumers(
    run: Run, name: str, value: float, text: str
) -> None:
    assert run.upstream_of(name) == pytest.approx(value, rel=1e-15)
    assert str(run.upstream[name]) == text


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("x", 1, "∂f/∂h1·∂h1/∂x = 1·1 = 1"),
        ("y", 2 * E3, "∂f/∂h3·∂h3/∂h2·∂h2/∂y = 1·2·20.0855 = 40.1711"),
        ("z", E3, "∂f/∂h3·∂h3/∂z = 1·20.0855 = 20.0855"),
    ],
)
def test_final_gradients_follow_their_one_path(
    run: Run, name: str, value: float, path: str
) -> None:
    assert run.gradients[name] == pytest.approx(value, rel=1e-15)
    paths = run.paths(name)
    assert (paths.count, str(paths)) == (1, path)
    assert paths.value == run.gradients[name]


def test_a_right_value_on_a_wrong_path_is_told_from_the_right_path(run: Run) -> None:
    assert run.is_path(["f", "h3", "z"])
    assert not run.is_path(["f", "h2", "z"])
    assert not run.is_path(["f", "h3", "nothing"])
    assert run.partial("f", "h2") is None
    assert run.upstream_of("h2") * run.local["h3", "z"].value == pytest.approx(2 * E3)


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("df/dh2 = 1", "wrong"),
        ("df/dh3 = 1", "right"),
        ("df/dh2 = 2", "right"),
        ("dh3/dh2 = 2", "right"),
        ("dh3/dz = 20.0855", "right"),
        ("dh3/dy = 40.171", "right"),
        ("h2 = 20.0855", "right"),
        ("h2 = 20.0856", "wrong"),
        ("df/dy = df/dh3*dh3/dh2*dh2/dy = 40.171", "right"),
        ("df/dz = df/dh2*dh3/dz = 20.0855", "wrong"),
        ("df/dz = df/dh3*dh3/dz = 20.0855", "right"),
    ],
)
def test_claims_of_the_worked_example_are_judged(run: Run, claim: str, kind: str) -> None:
    assert run.check(claim).kind == kind


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("df/dz = df/dh3 * dh3/dz = 1 * 20.0855 = 20.0855", "right"),
        ("df/dy = 1*2*20.0855 = 40.171", "right"),
        ("df/dy = 1*2*20.09", "right"),
        ("df/dy = 2*20.1", "right"),
        ("df/dy = 2*20.0", "wrong"),
        ("df/dy = 2.0*20.0", "undecided"),
        ("df/dy = 2*20", "wrong"),
        ("df/dy = 2*20.0855e0", "right"),
        ("df/dy = 2*20.0857", "wrong"),
        ("df/dy = 1.9*20.0855", "wrong"),
        ("df/dz = −20.0855", "wrong"),
        ("df/dz = inf", "wrong"),
        ("df/dz = NaN", "wrong"),
    ],
)
def test_products_of_rounded_numbers_are_judged_by_their_rounding(
    run: Run, claim: str, kind: str
) -> None:
    assert run.check(claim).kind == kind


@pytest.mark.parametrize(
    ("text", "values", "claim", "kind"),
    [
        ("1/x", {"x": 0.0}, "f = ∞", "right"),
        ("1/x", {"x": 0.0}, "f = -inf", "wrong"),
        ("1/x", {"x": 0.0}, "df/dx = -∞", "right"),
        ("1/x", {"x": 0.0}, "df/dx = 0", "wrong"),
        ("x*y", {"x": 0.0, "y": math.inf}, "f = NaN", "right"),
        ("x*y", {"x": 0.0, "y": math.inf}, "f = 0", "wrong"),
        ("x*y", {"x": 1e-7, "y": 1.0}, "df/dy = 0.0", "undecided"),
        ("x*y", {"x": 1e-7, "y": 1.0}, "df/dy = 0", "wrong"),
        ("x*y", {"x": 1e-7, "y": 1.0}, "df/dy = 1e-7", "right"),
        ("0*x", {"x": 1.0}, "df/dx = 0.0", "right"),
    ],
)
def test_infinity_nan_and_what_rounds_to_zero(
    text: str, values: dict[str, float], claim: str, kind: str
) -> None:
    assert graph(text).run(values).check(claim).kind == kind


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("df/dx[0] = 2", "right"),
        ("∂f/∂x[1] = 4", "right"),
        ("df/dx[1] = 2", "wrong"),
        ("df/dx[1] ≈ -4", "wrong"),
        ("x[1] = 2", "right"),
        ("h[ 0 ] = 1.0 * 1.0", "right"),
        ("dh/dx[1, 0] = 0", "right"),
        ("dh/dx[1, 1] = 4", "right"),
        ("dh/dx[0, 1] = 4", "wrong"),
        ("df/dx = 2", "wrong"),
    ],
)
def test_entries_of_arrays_are_claimed_one_by_one(claim: str, kind: str) -> None:
    verdict = graph("h = x**2; sum(h)", {"x": "n"}).run(x=[1.0, 2.0]).check(claim)
    assert verdict.kind == kind
    assert verdict.claim == claim
    if kind == "wrong" and "[" in claim:
        assert "[" in verdict.message and "[" in verdict.fixed.partition("=")[0]


@pytest.mark.parametrize("claim", ["df/dx[2] = 2", "df/dx[0,0] = 2", "f[0] = 5", "df/dx[0] = x"])
def test_entries_that_do_not_exist_are_refused(claim: str) -> None:
    with pytest.raises(NotationError):
        graph("sum(x**2)", {"x": "n"}).run(x=[1.0, 2.0]).check(claim)


def test_a_wrong_slope_at_a_kink_is_told_what_is_taken_there() -> None:
    run = graph("relu(x)*y").run(x=0.0, y=3.0)
    verdict = run.check("df/dx = 1.5")
    assert verdict.kind == "wrong"
    assert "h1: At a kink" in verdict.message and "0 is taken" in verdict.message
    assert "kink" not in run.check("df/dy = 1").message


def test_what_is_kept_for_the_backward_pass(run: Run) -> None:
    kept = {k.name: (k.shape, k.bytes, k.needed_for) for k in run.cached}
    assert kept == {
        "x": ((), 8, ("∂h1/∂x",)),
        "h2": ((), 8, ("∂h2/∂y", "∂h3/∂z")),
        "z": ((), 8, ("∂h3/∂h2",)),
    }
    assert run.cached.never_needed == ("h1", "h3")
    assert (run.cached.bytes, run.cached.recomputable_bytes) == (24, 8)


def test_the_longest_chain_has_three_operations(run: Run) -> None:
    assert run.graph.critical_path().nodes == ("y", "h2", "h3", "f")


def test_the_drawing_carries_values_forward_and_gradients_back(run: Run) -> None:
    drawing = next(b for b in run.blocks() if isinstance(b, Drawing))
    edges = {(e.source, e.target): (e.forward, e.backward) for e in drawing.edges}
    assert edges == {
        ("x", "h1"): ("1", "1"),
        ("y", "h2"): ("3", "40.1711"),
        ("h2", "h3"): ("20.0855", "2"),
        ("z", "h3"): ("2", "20.0855"),
        ("h1", "f"): ("0", "1"),
        ("h3", "f"): ("40.1711", "1"),
    }
    roles = {n.key: n.role for n in drawing.nodes}
    assert roles == {
        **dict.fromkeys("xyz", "input"),
        **dict.fromkeys(["h1", "h2", "h3"], "operation"),
        "f": "output",
    }


def test_text_and_page_show_every_number(run: Run) -> None:
    for shown in (run.text(), run.html(), str(run.table().rows)):
        assert "20.0855" in shown
        assert "40.1711" in shown


def test_the_data_is_json_with_every_number(run: Run) -> None:
    data = json.loads(json.dumps(run.to_dict(), allow_nan=False))
    assert data["values"]["h3"] == pytest.approx(2 * E3)
    assert data["gradients"] == pytest.approx({"x": 1, "y": 2 * E3, "z": E3})
    assert data["upstream"]["h2"]["sum"] == "∂f/∂h3·∂h3/∂h2"
    assert {(e["child"], e["parent"]) for e in data["local"]} == set(run.graph.edges)
    assert data["paths"]["y"]["count"] == 1


def test_operands_stand_in_written_order_from_top_to_bottom(run: Run) -> None:
    drawing = next(block for block in run.blocks() if isinstance(block, Drawing))
    boxes = [Box(node.key, 90, 60) for node in drawing.nodes]
    arrows = [Arrow(edge.source, edge.target, 60) for edge in drawing.edges]
    height = {key: y for key, (_, y) in place(boxes, arrows).centres.items()}
    assert height["x"] < height["h2"] < height["z"] and height["h1"] < height["h3"]
