"""Wrong backward rules: good suites refuse them all, weak suites let exactly some through."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import backprove as bp
from backprove.checking import MutationReport, Step
from backprove.errors import InputError

R = np.random.default_rng(0)
LINEAR = tuple(R.normal(size=s) for s in ((5, 2), (5, 3), (3, 2), (2,)))
MATRICES = tuple(R.normal(size=s) for s in ((5, 2), (5, 3), (3, 2)))


def linear(g: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Any:
    return g @ w.T, x.T @ g, g.sum(0)


def names(report: MutationReport) -> set[str]:
    return {t.name for t in report.survivors}


class Value:
    """A number that remembers how it was made, as in the usual exercise."""

    def __init__(self, data: float, prev: tuple[Value, ...] = ()) -> None:
        self.data, self.grad = data, 0.0
        self._prev = set(prev)
        self._backward = lambda: None

    def __add__(self, other: Value) -> Value:
        out = Value(self.data + other.data, (self, other))

        def backward() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = backward
        return out

    def __mul__(self, other: Value) -> Value:
        out = Value(self.data * other.data, (self, other))

        def backward() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = backward
        return out

    def tanh(self) -> Value:
        out = Value(math.tanh(self.data), (self,))

        def backward() -> None:
            self.grad += (1 - out.data**2) * out.grad

        out._backward = backward
        return out


def engine(root: Value) -> None:
    order: list[Value] = []

    def visit(node: Value) -> None:
        if node not in order:
            for parent in node._prev:
                visit(parent)
            order.append(node)

    visit(root)
    root.grad = 1.0
    for node in reversed(order):
        node._backward()


def on_tape(tape: Sequence[Step]) -> list[float]:
    grads = [0.0] * len(tape)
    grads[-1] = 1.0
    for k in reversed(range(len(tape))):
        p = tape[k].parents
        slopes = {
            "input": [],
            "add": [1.0, 1.0],
            "mul": [tape[i].value for i in reversed(p)],
        }[tape[k].op]
        for i, slope in zip(p, slopes, strict=True):
            grads[i] += grads[k] * slope
    return grads


def test_a_good_suite_of_a_layer_refuses_every_wrong_variant() -> None:
    def suite(backward: Callable[..., Any]) -> Any:
        return bp.check_vjp(lambda x, w, b: x @ w + b, backward, *LINEAR[1:])

    report = bp.mutate(linear, suite, *LINEAR)
    assert report.survivors == [] and len(report.killed) >= 25
    assert [t.name for t in report.equivalent] == ["rows apart"]  # rows of x @ w do not interact
    assert "refuses all" in report.text()


def test_a_batch_of_one_hides_what_happens_to_the_sum_over_the_batch() -> None:
    def suite(backward: Callable[..., Any]) -> None:
        x, w, g = np.array([[1.0, -2, 3]]), np.arange(6.0).reshape(3, 2), np.array([[2.0, 5]])
        for factor in (1, 2):  # two calls, so that nothing stale passes
            dx, dw, db = backward(g, factor * x, factor * w, np.zeros(2))
            assert np.array_equal(dx, g @ (factor * w).T)
            assert np.array_equal(dw, factor * x.T @ g) and dw.shape == w.shape
            assert np.array_equal(db, g[0]) and db.shape == (2,)
            assert g[0, 0] == 2

    report = bp.mutate(linear, suite, *LINEAR)
    assert names(report) == {"overwrite for w", "overwrite for b", "mean for w", "mean for b"}
    assert all("g 2×1" in t.smallest for t in report.survivors)


def test_an_identity_matrix_hides_a_missing_transpose() -> None:
    def suite(backward: Callable[..., Any]) -> None:
        x, g = np.array([[1.0, 2], [3, 5]]), np.array([[2.0, -1], [4, 7]])
        for factor in (1, 3):
            dx, dw, db = backward(g, factor * x, factor * np.eye(2), np.ones(2))
            assert np.array_equal(dx, factor * g) and np.array_equal(dw, factor * x.T @ g)
            assert np.array_equal(db, [6, 6]) and g[0, 0] == 2

    report = bp.mutate(linear, suite, *LINEAR)
    assert names(report) == {"transposed w"}


def test_a_suite_of_ones_does_not_see_a_missing_upstream_gradient() -> None:
    def suite(backward: Callable[..., Any]) -> None:
        w = np.arange(6.0).reshape(3, 2)
        for factor in (1, 2):
            g = np.ones((4, 2))
            x = factor * np.arange(12.0).reshape(4, 3)
            dx, dw, db = backward(g, x, factor * w, np.ones(2))
            assert np.array_equal(dx, g @ (factor * w).T) and np.array_equal(dw, x.T @ g)
            assert np.array_equal(db, g.sum(0)) and g[0, 0] == 1

    assert names(bp.mutate(linear, suite, *LINEAR)) == {"missing upstream"}


def test_rows_that_interact_are_a_mutant_of_their_own() -> None:
    x, g = R.normal(size=(5, 3)), R.normal(size=(5, 3))

    def centred(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return g - g.mean(0)

    def weak(backward: Callable[..., Any]) -> None:
        assert backward(g, x).shape == x.shape

    report = bp.mutate(centred, weak, g, x)
    assert {"rows apart", "diagonal only for x"} <= names(report)


def test_a_good_suite_of_an_engine_refuses_every_wrong_variant() -> None:
    def suite(backward: Callable[..., Any]) -> None:
        for a in (2.0, 5.0):
            x, y = Value(a), Value(3.0)
            h = x * y
            k = h * h + h * x
            f = k * k.tanh() + k * h
            backward(f)

            def at(x: float, y: float) -> float:
                h = x * y
                k = h * h + h * x
                return k * math.tanh(k) + k * h

            step = 1e-6
            assert math.isclose(x.grad, (at(a + step, 3) - at(a - step, 3)) / 2e-6, rel_tol=1e-6)
            assert math.isclose(y.grad, (at(a, 3 + step) - at(a, 3 - step)) / 2e-6, rel_tol=1e-6)

    report = bp.mutate(engine, suite, leaf=Value)
    assert report.survivors == [] and len(report.killed) == 9


def test_a_tree_hides_what_goes_wrong_at_nodes_that_are_used_twice() -> None:
    def suite(backward: Callable[..., Any]) -> None:
        for a in (2.0, 4.0):
            x, y, z = Value(a), Value(3.0), Value(5.0)
            backward(x * y * z)
            assert (x.grad, y.grad, z.grad) == (15.0, 5 * a, 3 * a)

    report = bp.mutate(engine, suite, leaf=Value)
    assert names(report) == {"overwrite", "visited per path", "not topological"}
    smallest = {t.name: t.smallest for t in report.survivors}
    assert smallest["overwrite"].startswith("h1 = x + x; f = x + h1 at x = 2: df/dx is 3")


def test_the_smallest_graph_is_one_that_plain_arithmetic_confirms() -> None:
    report = bp.mutate(on_tape, lambda backward: True)
    assert len(report.survivors) == 11 and not report.equivalent
    smallest = {t.name: t.smallest for t in report.survivors}
    assert smallest["overwrite"] == "f = x + x at x = 2: df/dx is 2, and it gives 1."
    assert smallest["repeated operand"] == smallest["overwrite"]
    assert smallest["missing local"] == "f = x * x at x = 2: df/dx is 4, and it gives 2."
    assert smallest["stale cache"].startswith("f = x * x at x = 2, then at x = 5: df/dx is 10,")
    assert smallest["visited per path"].startswith("h1 = x + x; f = h1 + h1 at x = 2: df/dx is 4")


def test_a_suite_may_be_several_tests_and_pytest_failures_count() -> None:
    def shapes(backward: Callable[..., Any]) -> None:
        if [np.shape(v) for v in backward(*MATRICES)] != [(5, 3), (3, 2)]:
            pytest.fail("shapes")

    def values(backward: Callable[..., Any]) -> bool:
        return bool(np.allclose(backward(*MATRICES)[0], MATRICES[0] @ MATRICES[2].T))

    report = bp.mutate(lambda g, x, w: (g @ w.T, x.T @ g), [shapes, values], *MATRICES)
    by = {t.name: t.by for t in report.killed}
    assert by["gradient of x transposed"].startswith("shapes: Failed")
    assert by["sign of x"] == "values: returns False"
    assert "sign of w" in names(report)


def test_the_report_is_json_ready() -> None:
    data = bp.mutate(on_tape, lambda backward: True).to_dict()
    assert data["kind"] == "mutation" and data["killed"] == []
    assert set(data["survivors"][0]) == {"name", "text", "caught", "by", "smallest"}


def test_what_cannot_be_mutated_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputError, match="refuses the reference itself: <lambda>: returns False"):
        bp.mutate(linear, lambda backward: False, *LINEAR)
    with pytest.raises(InputError, match="raises ValueError"):
        bp.mutate(linear, lambda backward: True, *LINEAR[:2], *LINEAR[1:3])
    with pytest.raises(InputError, match="no gradient for the tape"):
        bp.mutate(linear, lambda backward: True)
    with pytest.raises(InputError, match="cannot be added and multiplied"):
        bp.mutate(engine, lambda backward: True, leaf=lambda x: object())
    with pytest.raises(InputError, match="under none of the names"):
        bp.mutate(engine, lambda backward: True, leaf=float)
    with pytest.raises(InputError, match="suite is no function"):
        bp.mutate(linear, [], *LINEAR)
