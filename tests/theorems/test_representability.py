"""What networks can represent: tables of facts, and every answer with its proof."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from backprove.errors import DataError, InputError, UnknownName, Unsupported
from backprove.theorems import check_certificate, represent
from backprove.theorems.truth_tables import read_problem

F = Fraction


@pytest.mark.parametrize(
    ("table", "network", "possible"),
    [
        ("xor", "relu(1)", False),
        ("xor", "threshold(1)", False),
        ("xor", "linear(1)", False),
        ("xor", "tanh(1)", False),
        ("xor", "relu(1)+linear(1)", False),
        ("xor", "relu(2)+linear(1)", True),
        ("xor", "relu(2)+relu(1)", True),
        ("xor", "threshold(1)+threshold(1)", False),
        ("xor", "threshold(2)+threshold(1)", True),
        ("xor", "linear(5)+linear(1)", False),
        ("xor", "abs(1)", True),
        ("xor", "square(1)+linear(1)", True),
        ("and", "relu(1)", True),
        ("or", "relu(1)", False),
        ("or", "threshold(1)", True),
        ("nand", "threshold(1)", True),
        ("majority3", "threshold(1)", True),
        ("parity3", "relu(1)+linear(1)", False),
        ("xor", "gelu(1)", None),
        ("xor", "silu(1)", None),
        ("xor", "square(1)", None),
    ],
)
def test_known_facts_are_found(table: str, network: str, possible: bool | None) -> None:
    answer = represent(table, network=network)
    assert answer.possible is possible
    if possible is not None:
        assert check_certificate(answer.certificate, answer.problem)
    assert answer.text() and answer.html() and answer.to_dict()["possible"] is possible


def test_xor_with_one_relu_is_at_best_a_quarter_off_and_three_quarters_right() -> None:
    fit = represent("xor", network="relu(1)").best_fit
    assert fit is not None
    assert (fit.squared_error, fit.mean_squared_error, fit.accuracy) == (1, F(1, 4), F(3, 4))


def test_the_proof_for_xor_adds_the_two_pairs_of_lines() -> None:
    text = represent("xor", network="relu(1)").text()
    assert "w1 + w2 + 2 b >= 2" in text and "w1 + w2 + 2 b <= 0" in text


def test_two_relu_units_are_the_weights_of_the_course() -> None:
    answer = represent("xor", network="relu(2)+linear(1)")
    assert answer.weights == {"hidden": [[[1, 1], 0], [[1, 1], -1]], "output": [[1, -2], 0]}
    text = answer.text()
    assert "(1, 1)  (2, 1)   (2, 1)  0   0     0" in text


def test_every_two_input_function_has_its_least_relu_width() -> None:
    widths = {}
    for bits in product("01", repeat=4):
        name = "0b" + "".join(bits)
        answer = represent(name, network="relu(1)+linear(1)", width="minimal")
        assert answer.possible and check_certificate(answer.certificate, answer.problem)
        for narrower in answer.narrower:
            assert check_certificate(narrower.certificate, narrower.problem)
        widths[name] = answer.problem["network"]["hidden"][1]
    assert {name for name, width in widths.items() if width == 2} == {"0b0110", "0b1001"}
    assert set(widths.values()) == {1, 2}


def test_fourteen_two_input_functions_are_threshold_functions() -> None:
    answers = [represent(f"{n}/2", network="threshold(1)").possible for n in range(16)]
    assert answers.count(True) == 14 and answers.count(False) == 2


@pytest.mark.parametrize("seed", range(12))
def test_targets_of_a_planted_unit_are_always_possible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(-3, 4, (7, 2))
    targets = np.maximum(points @ rng.integers(-2, 3, 2) + rng.integers(-2, 3), 0)
    assert represent(points, targets, "relu(1)").possible
    assert represent(points, targets * 3 - 1, "relu(1)+linear(1)").possible


@pytest.mark.parametrize("seed", range(6))
def test_the_best_fit_is_below_random_search_and_reached(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, targets = rng.integers(-2, 3, (5, 2)), rng.integers(0, 3, 5)
    _, first = np.unique(points, axis=0, return_index=True)
    points, targets = points[first], targets[first]
    answer = represent(points, targets, "relu(1)")
    if answer.possible:
        return
    assert answer.best_fit is not None and answer.best_fit.squared_error is not None
    weights = np.array([float(w) for w in answer.best_fit.weights])
    reached = np.maximum(points @ weights[:2] + weights[2], 0)
    best = float(answer.best_fit.squared_error)
    assert np.isclose(((reached - targets) ** 2).sum(), best)
    tries = rng.normal(size=(200_000, 3)) * 2
    errors = ((np.maximum(tries[:, :2] @ points.T + tries[:, 2:], 0) - targets) ** 2).sum(1)
    assert errors.min() >= best - 1e-9


def test_tables_are_read_from_row_zero_on() -> None:
    assert read_problem("0b0111") == read_problem("or") == read_problem("7/2")
    assert read_problem("and3")[1] == [0] * 7 + [1]


def test_a_csv_of_points_is_read(tmp_path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("a,b,y\n0,0,0\n0.5,1,1\n", encoding="utf-8")
    assert read_problem(str(path)) == ([[0, 0], [F(1, 2), 1]], [0, 1])


def test_a_budget_that_runs_out_is_no_verdict() -> None:
    answer = represent("parity3", network="relu(2)+linear(1)", max_cases=5)
    assert answer.possible is None and "5 cases" in answer.text()


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="has the targets 0 and 1"):
        represent([[1, 2], [1, 2]], [0, 1])
    with pytest.raises(DataError, match="finite number"):
        represent([[float("nan")]], [0])
    with pytest.raises(UnknownName):
        represent("xor", network="rellu(1)")
    with pytest.raises(InputError):
        represent("xorr")
    with pytest.raises(InputError):
        represent("xor", network="relu")
    with pytest.raises(Unsupported):
        represent("xor", network="relu(2)+relu(2)+linear(1)")


@pytest.mark.parametrize("seed", range(8))
def test_planted_rational_weights_on_decimal_points_are_possible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [[F(int(v), 100) for v in row] for row in rng.integers(-300, 300, (7, 2))]
    first, second, bias = (F(int(v), 4) for v in rng.integers(-9, 9, 3))
    targets = [max(x * first + y * second + bias, F(0)) for x, y in points]
    assert represent(points, targets, "relu(1)").possible
    assert represent(points, [3 * t - 1 for t in targets], "relu(1)+linear(1)").possible


@pytest.mark.parametrize("seed", range(4))
def test_numbers_in_full_binary_precision_are_decided(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(6, 2))
    assert represent(points, [0, 1, 1, 0, 1, 0], "relu(1)").possible is False


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (".5,.5,0\n1.,1,1\n", 2),
        ("+1,+1,+0\n2,2,1\n", 2),
        ("\ufeff0,1\n1,0\n", 2),
        ("\ufeffx,y\n0,1\n1,0\n", 2),
        ("a,b,target\n0,0,0\r\n1,1,1\r\n", 2),
    ],
)
def test_no_row_of_numbers_is_taken_for_names(tmp_path, text: str, points: int) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8", newline="")
    found, targets = read_problem(str(path))
    assert len(found) == len(targets) == points


@pytest.mark.parametrize("first", ["NaN,NaN,NaN", ",,", "inf,1,0", "x,,y"])
def test_a_first_row_that_is_neither_names_nor_numbers_is_refused(tmp_path, first: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"{first}\n0,0,0\n1,1,1\n")
    with pytest.raises(DataError, match="row 1"):
        read_problem(str(path))


def test_numbers_of_numpy_are_numbers_and_a_target_is_one() -> None:
    points, targets = np.array([[0.0, 0], [1, 1]], np.float32), np.array([0.0, 1])
    assert represent(list(points), list(targets)).possible is True
    assert represent([list(p) for p in points], targets[:, None]).possible is True
    with pytest.raises(DataError, match="one target"):
        represent([[0], [1], [2], [3]], np.zeros((2, 2)))
