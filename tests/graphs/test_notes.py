"""Trouble is said at the node where it starts: NaN, overflow, kinks, saturation."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.graphs import graph
from backprove.graphs.run import Run
from backprove.graphs.walk import walk
from backprove.results import Table


@pytest.mark.parametrize(
    ("text", "values", "node", "said"),
    [
        ("relu(x)", {"x": 0.0}, "f", "At a kink: relu has no derivative where x == 0; 0 is taken"),
        ("abs(x)", {"x": 0.0}, "f", "At a kink: abs"),
        ("maximum(x, y)", {"x": 2.0, "y": 2.0}, "f", "At a kink: maximum"),
        ("exp(x)", {"x": 1000.0}, "f", "∞ appears here first: a pole, or overflow"),
        ("exp(x)", {"x": -1000.0}, "f", "Rounded to the end of its range"),
        ("log(x)", {"x": 0.0}, "f", "∞ appears here first"),
        ("log(x)", {"x": -1.0}, "f", "Outside of the domain (0, ∞) of log"),
        ("log(x) + y", {"x": -1.0, "y": 0.0}, "f", "NaN: passed on from h1"),
        ("1/x", {"x": 0.0}, "f", "Division by zero"),
        ("x/x", {"x": 0.0}, "f", "Division by zero"),
        ("x**-2", {"x": 0.0}, "f", "A negative power of zero"),
        ("x**0.5", {"x": -1.0}, "f", "An even root of a negative number"),
        ("sqrt(x)", {"x": 0.0}, "f", "a local derivative is not"),
        (
            "sigmoid(x)",
            {"x": 9.0},
            "f",
            "Saturated: the slope is below 1% of its greatest value 0.25",
        ),
        (
            "tanh(x)",
            {"x": 40.0},
            "f",
            "Rounded to the end of its range: the exact value lies inside",
        ),
        ("x*(x > 1)", {"x": 1.0}, "h1", "At a jump: both sides are equal"),
        ("x + 1", {"x": float("inf")}, "x", "The value that was given is not finite"),
        ("sqrt(x)", {"x": 0.0}, "x", "The gradient ∂f/∂x is not finite"),
    ],
)
def test_trouble_is_noted_at_its_node(text: str, values: dict, node: str, said: str) -> None:
    run = graph(text).run(values)
    assert any(said in note for note in run.notes[node]), run.notes[node]
    assert node in run.warnings
    assert said in " ".join(run.text().split())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("relu(x) + sigmoid(x)*tanh(x)", {"x": 0.5}),
        ("ln(x) + exp(y)*z", {"x": 1, "y": 3, "z": 2}),
        ("x/y - sqrt(x)", {"x": 2.0, "y": -3.0}),
        ("relu(x)", {"x": -4.0}),
    ],
)
def test_nothing_is_noted_where_nothing_is_wrong(text: str, values: dict) -> None:
    assert graph(text).run(values).warnings == {}


def test_notes_about_arrays_count_entries() -> None:
    run = graph("sum(relu(X))", {"X": "n d"}).run(X=np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert run.notes["h1"] == [
        "At a kink in 2 of 4 entries: relu has no derivative where x == 0; 0 is taken."
    ]


def opened_tables(run: Run) -> dict[str, list[str]]:
    """What each opened operation says of its local derivatives against differences."""
    found: dict[str, list[str]] = {}
    for name, opened in walk(run).opened.items():
        for block in opened.blocks:
            if isinstance(block, Table) and block.caption.startswith("Local"):
                found[name] = [str(getattr(row[-1], "text", row[-1])) for row in block.rows]
    return found


def test_an_opened_number_shows_how_far_it_is_from_differences() -> None:
    said = opened_tables(graph("ln(x) + exp(y)*z").run(x=1, y=3, z=2))
    assert set(said) == {"h1", "h2", "h3", "f"}
    errors = [float(text.removeprefix("error ")) for row in said.values() for text in row]
    assert len(errors) == 6 and max(errors) < 1e-9


def test_arrays_are_measured_as_well_and_kinks_are_named() -> None:
    said = opened_tables(graph("sum(relu(X @ w))", {"X": "n d", "w": "d"}).run(
        X=[[1.0, 2.0], [3.0, 4.0]], w=[0.5, -0.1]))  # fmt: skip
    assert all(text.startswith("error ") for row in said.values() for text in row)
    (kink,) = opened_tables(graph("relu(x)").run(x=0))["f"]
    assert kink == "a kink: slope 0 on the left, 1 on the right"
    (inside,) = opened_tables(graph("abs(x)").run(x=1e-5))["f"]
    assert inside == "not smooth here", "the differences reach across the kink"


def test_a_wrong_local_derivative_would_be_seen() -> None:
    run = graph("exp(x)").run(x=2)
    right = run.agreement("f", "x")
    assert right is not None and right.error < 1e-9
    run.passes.slopes[:] *= 1.01
    wrong = run.agreement("f", "x")
    assert wrong is not None and wrong.error > 5e-3


def test_a_jacobian_that_is_too_large_is_not_measured() -> None:
    run = graph("X @ Y", {"X": "n n", "Y": "n n"}).run(X=[[1.0] * 9] * 9, Y=[[1.0] * 9] * 9)
    assert run.agreement("f", "X") is None
    assert opened_tables(run)["f"] == ["not measured", "not measured"]
