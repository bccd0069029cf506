"""The figure of functions over their derivatives (row S36)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backprove.errors import InputError, UnknownName, Unsupported
from backprove.functions import ELEMENTWISE, function_figure, lookup
from backprove.results import Chart
from functions.exact import in_floats


def _curve(figure, name, row="function"):
    panel = name if row == "function" else f"{name}, derivative"
    found = [p for p in figure.points if p["panel"] == panel and "mark" not in p]
    assert all(p["series"] == name for p in found)
    return found


def _marks(figure, name, mark, row="function"):
    panel = name if row == "function" else f"{name}, derivative"
    marked = [p for p in figure.points if p["panel"] == panel and p.get("mark") == mark]
    return [(p["x"], p["y"]) for p in marked]


def test_three_functions_give_two_rows_of_three_panels_in_order():
    figure = function_figure(["sigmoid", "relu", "tanh"])
    (chart,) = [block for block in figure.blocks() if isinstance(block, Chart)]
    assert list(dict.fromkeys(point["panel"] for point in chart.data)) == [
        "sigmoid", "relu", "tanh", "sigmoid, derivative", "relu, derivative", "tanh, derivative",
    ]  # fmt: skip
    assert chart.columns == 3
    assert chart.free_y


def test_zero_is_on_the_grid_so_the_peaks_are_exact():
    figure = function_figure(["sigmoid", "tanh"], steps=199)
    for name, peak in (("sigmoid", 0.25), ("tanh", 1.0)):
        highest = max(_curve(figure, name, "derivative"), key=lambda point: point["y"])
        assert (highest["x"], highest["y"]) == (0.0, peak)


def test_the_jump_of_relu_is_two_lines_with_an_open_and_a_closed_end():
    figure = function_figure(["relu"])
    left = [p for p in _curve(figure, "relu", "derivative") if p["segment"] == 0]
    right = [p for p in _curve(figure, "relu", "derivative") if p["segment"] == 1]
    assert {p["y"] for p in left} == {0.0}
    assert {p["y"] for p in right} == {1.0}
    assert max(p["x"] for p in left) == 0.0 == min(p["x"] for p in right)
    assert _marks(figure, "relu", "closed", "derivative") == [(0.0, 0.0)]
    assert _marks(figure, "relu", "open", "derivative") == [(0.0, 1.0)]
    assert not _marks(figure, "relu", "open")


def test_a_function_that_jumps_itself_is_broken_in_its_own_panel():
    figure = function_figure(["sign"])
    assert _marks(figure, "sign", "open") == [(0.0, -1.0), (0.0, 1.0)]
    assert _marks(figure, "sign", "closed") == [(0.0, 0.0)]
    assert {p["y"] for p in _curve(figure, "sign", "derivative")} == {0.0}


def test_the_pole_of_tan_breaks_both_curves():
    figure = function_figure(["tan"], low=-4, high=4)
    curve = _curve(figure, "tan")
    assert len({p["segment"] for p in curve}) == 3
    for segment in range(3):
        y = [p["y"] for p in curve if p["segment"] == segment]
        assert y == sorted(y)


@pytest.mark.parametrize("name", [name for name, r in ELEMENTWISE.items() if r.arity == 1])
@pytest.mark.parametrize("window", [(-10.0, 10.0), (-1000.0, 1000.0), (0.5, 0.75), (-3.0, 7.0)])
def test_every_figure_is_finite_or_cut_off_and_shows_the_derivative(name, window):
    record = lookup(name)
    if name in ("exp", "expm1", "sinh", "cosh") and window[1] > 700:
        window = (-700.0, 700.0)
    with np.errstate(all="raise", under="ignore", over="ignore"):
        figure = function_figure([name], low=window[0], high=window[1])
    json.dumps(figure.to_dict(), allow_nan=False)
    for p in _curve(figure, name):
        if p["x"] not in [kink.at for kink in record.kinks]:
            assert p["y"] == pytest.approx(float(record.value(p["x"])))
    slopes = _curve(figure, name, "derivative")
    assert slopes
    inside = [p for p in slopes if p["x"] not in [kink.at for kink in record.kinks]]
    text = record.derivatives[0]
    for p in inside[:: max(1, len(inside) // 40)]:
        assert p["y"] == pytest.approx(float(in_floats(text, p["x"])), rel=1e-9, abs=1e-12)


def test_asymptotes_are_drawn_where_the_curve_approaches_them_and_named():
    figure = function_figure(["sigmoid"])
    assert _marks(figure, "sigmoid", "asymptote") == [(-10, 0), (0, 0), (0, 1), (10, 1)]
    assert _marks(figure, "sigmoid", "asymptote", "derivative") == [
        (-10, 0), (0, 0), (0, 0), (10, 0),
    ]  # fmt: skip
    table = figure.blocks()[2]
    assert table.rows[0][3] == "y = 0, y = 1"


def test_a_line_that_the_curve_runs_along_is_not_drawn_over_it():
    figure = function_figure(["relu", "softplus"])
    assert not _marks(figure, "relu", "asymptote")
    assert not _marks(figure, "relu", "asymptote", "derivative")
    assert _marks(figure, "softplus", "asymptote") == [(-10, 0), (0, 0), (0, 0), (10, 10)]


def test_bad_requests_are_named():
    with pytest.raises(UnknownName, match="relu"):
        function_figure(["rellu"])
    with pytest.raises(Unsupported, match="whole vector"):
        function_figure(["softmax"])
    with pytest.raises(Unsupported, match="2 arguments"):
        function_figure(["maximum"])
    with pytest.raises(InputError, match="outside of the domain"):
        function_figure(["log"], low=-5, high=-1)
    with pytest.raises(InputError, match="at least one"):
        function_figure([])
    for window in ((1, 1), (0, float("inf")), (float("nan"), 1)):
        with pytest.raises(InputError, match="cannot be drawn"):
            function_figure(["exp"], low=window[0], high=window[1])
