"""Every form of a derivative stands for the same array, and every claimed structure is true."""

from __future__ import annotations

import os

import numpy as np
import pytest

from backprove.calculus import Derivation, derive
from backprove.errors import InputError
from backprove.notation import declare, lower
from backprove.notation.evaluation import Evaluator
from backprove.notation.index_reader import read_index_formula
from oracles.random_expressions import SHAPES, random_expression

CASES = int(os.environ.get("BACKPROVE_FORM_CASES", "120"))
BATCHES = 6

SIZES = {"n": 4, "d": 3, "k": 2}


def one(text: str, wrt: str, shapes: dict[str, str], **options: object) -> Derivation:
    found = derive(text, wrt, shapes, **options)  # type: ignore[arg-type]
    assert isinstance(found, Derivation)
    return found


def drawn(shapes: dict[str, str], seed: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(0.7 * rng.normal(size=[sizes[s] for s in shape.split()]))
        for name, shape in shapes.items()
    }


def written(formula: str, shapes: dict, values: dict, sizes: dict, axes: tuple) -> np.ndarray:
    """The value of a printed product such as ``dW = G.T @ X`` or ``df[i] = ...``."""
    symbols = declare(shapes)
    arrays = {symbols[n]: v for n, v in values.items()}
    left, _, right = formula.partition(" = ")
    if "[" not in left:
        try:
            tensor = lower(right, symbols, sizes=set(sizes)).tensor()
        except InputError:
            tensor = read_index_formula(
                formula, symbols, sizes=set(sizes), expected_axes=axes
            ).tensor
    else:
        tensor = read_index_formula(formula, symbols, sizes=set(sizes), expected_axes=axes).tensor
    return Evaluator(arrays, sizes).tensor(tensor)


def close(given: np.ndarray, expected: np.ndarray) -> bool:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return given.shape == expected.shape and bool(np.all(np.abs(given - expected) < 1e-9 * scale))


def true_structure(kind: str, matrix: np.ndarray) -> bool:
    """Whether a square or flat Jacobian has the structure in numbers (unknown kinds pass)."""
    off = matrix - np.diag(np.diag(matrix)) if matrix.shape[0] == matrix.shape[1] else None
    if kind == "zero":
        return not matrix.any()
    if kind in ("identity", "scaled identity", "diagonal"):
        if off is None or off.any():
            return False
        first = matrix[0, 0]
        return kind == "diagonal" or (
            bool(np.allclose(np.diag(matrix), first)) and (kind != "identity" or first == 1)
        )
    if kind == "permutation":
        return bool(
            np.isin(matrix, (0, 1)).all()
            and (matrix.sum(0) == 1).all()
            and (matrix.sum(1) == 1).all()
        )
    if kind == "triangular":
        return not np.triu(matrix, 1).any() or not np.tril(matrix, -1).any()
    if kind.startswith("rank "):
        return np.linalg.matrix_rank(matrix, tol=1e-9) <= int(kind.split()[1])
    return True


@pytest.mark.parametrize("batch", range(BATCHES))
def test_products_and_structure_agree_with_the_dense_derivative(batch: int) -> None:
    for seed in range(batch, CASES, BATCHES):
        text, wrt = random_expression(seed, depth=2)
        where = f"seed {seed}: d({text})/d{wrt}"
        d = one(text, wrt, SHAPES)
        values = drawn(SHAPES, seed, SIZES)
        dense = np.asarray(d.evaluate(values))
        rank = len(d.outputs)
        output, inputs = dense.shape[:rank], dense.shape[rank:]
        rng = np.random.default_rng(seed + 1)
        g, v = rng.normal(size=output), rng.normal(size=inputs)
        axes = d.program.output.shape
        words = [str(s) for s in axes], SHAPES[wrt]
        seeds = {"G": " ".join(words[0]), "V": words[1]}
        if all(w.isidentifier() for w in words[0]):
            given = written(
                d.vjp, {**SHAPES, **seeds}, {**values, "G": g, "V": v}, SIZES, d.array.shape
            )
            assert close(given, np.tensordot(g, dense, rank)), f"{where}: {d.vjp}"
            given = written(d.jvp, {**SHAPES, **seeds}, {**values, "G": g, "V": v}, SIZES, axes)
            assert close(given, np.tensordot(dense, v, v.ndim)), f"{where}: {d.jvp}"
        if d.matrix_form:
            given = written(f"J = {d.matrix_form}", SHAPES, values, SIZES, d.shape)
            assert close(given, dense), f"{where}: {d.matrix_form}"
        flat = dense.reshape(int(np.prod(output)), int(np.prod(inputs)))
        assert true_structure(d.structure.kind, flat), f"{where}: {d.structure.kind}"


def test_the_softmax_over_all_entries_is_not_printed_as_one_over_rows() -> None:
    d = one("logsumexp(X)", "X", {"X": "n d"})
    assert d.index_form == "J[i,j] = softmax_{k,l}(X[k,l])[i,j]"
    assert d.matrix_form is None
    assert "softmax(X)" not in d.vjp
    values = drawn({"X": "n d"}, 2, SIZES)
    expected = np.exp(values["X"]) / np.exp(values["X"]).sum()
    assert close(written(d.index_form, {"X": "n d"}, values, SIZES, d.shape), expected)
    assert close(np.asarray(d.evaluate(values)), expected)


def test_structured_evaluation_equals_the_dense_one() -> None:
    shapes = {"X": "n d", "W": "k d", "z": "k"}
    for text, wrt in [
        ("X @ W.T", "W"),
        ("softmax(X)", "X"),
        ("tanh(X)", "X"),
        ("softmax(z)", "z"),
        ("X[::-1]", "X"),
        ("sum(X, axis=0)", "X"),
        ("outer(z, z)", "z"),
        ("X*3", "X"),
    ]:
        d, values = one(text, wrt, shapes), drawn(shapes, 3, SIZES)
        dense = np.asarray(d.evaluate(values))
        array = d.evaluate(values, form="structured")
        g = np.random.default_rng(4).normal(size=dense.shape[: len(d.outputs)])
        assert close(array.to_dense(), dense), text
        assert close(array.contract(g), np.tensordot(g, dense, g.ndim)), text


def test_kronecker_forms_hold_for_the_vec_orders_that_they_name() -> None:
    shapes, values = {"X": "n d", "W": "k d"}, None
    values = drawn(shapes, 1, SIZES)
    d = one("X @ W.T", "W", shapes)
    dense = np.asarray(d.evaluate(values))
    forms = dict(d.kronecker)
    eye = np.eye(SIZES["k"])
    want = {"X ⊗ eye(k)": np.kron(values["X"], eye), "eye(k) ⊗ X": np.kron(eye, values["X"])}
    plain = 0
    for label, form in forms.items():
        order = [p.split()[-1] for p in label.split(", ")]
        array = dense if order[0] == "row-major" else dense.transpose(1, 0, 2, 3)
        array = array if order[1] == "row-major" else array.transpose(0, 1, 3, 2)
        if form in want:
            assert close(array.reshape(want[form].shape), want[form]), label
            plain += 1
        else:
            assert form == "not a plain Kronecker product", (label, form)
    assert plain == 2
    assert forms["output row-major, input column-major"] == "X ⊗ eye(k)"


def test_the_jacobian_of_softmax_has_its_invariants() -> None:
    d = one("softmax(z)", "z", {"z": "K"})
    for k in (2, 3, 7):
        z = np.random.default_rng(k).normal(size=k)
        s, jacobian = np.exp(z) / np.exp(z).sum(), np.asarray(d.evaluate({"z": z}))
        assert close(jacobian, np.diag(s) - np.outer(s, s))
        assert np.allclose(jacobian, jacobian.T) and np.allclose(jacobian.sum(axis=1), 0)
        assert np.linalg.eigvalsh(jacobian).min() > -1e-12
        assert np.linalg.matrix_rank(jacobian) == k - 1
    assert np.isfinite(d.evaluate({"z": [1000.0, -1000.0, 0.0]})).all()


@pytest.mark.parametrize(
    ("text", "wrt", "shapes", "shape", "matrix"),
    [
        ("3", "w", {"w": "d"}, "d", "zeros((d,))"),
        ("norm(w)**2", "w", {"w": "d"}, "d", "2*w"),
        ("w @ x", "w", {"w": "d", "x": "d"}, "d", "x"),
        ("X @ w", "w", {"X": "n d", "w": "d"}, "n d", "X"),
        ("w", "w", {"w": "d"}, "d d", "eye(d)"),
        ("w**2", "w", {"w": "d"}, "d d", "2*diag(w)"),
        ("X @ W.T", "W", {"X": "n d", "W": "k d"}, "n k k d", None),
        ("sum(softmax(z))", "z", {"z": "K"}, "K", "zeros((K,))"),
    ],
)
def test_textbook_rows_have_their_shape_and_form(text, wrt, shapes, shape, matrix) -> None:
    d = one(text, wrt, shapes)
    assert [str(s) for s in d.shape] == shape.split()
    if matrix is None:
        assert d.matrix_form is None and d.index_form == "J[i,j,k,l] = X[i,l]·[j=k]"
        assert d.vjp == "dW = G.T @ X"
    else:
        assert d.matrix_form == matrix


def test_the_square_of_a_norm_has_gradient_zero_at_zero_and_relu_slope_zero_at_its_kink() -> None:
    assert not np.asarray(one("norm(w)**2", "w", {"w": "d"}).evaluate({"w": np.zeros(3)})).any()
    slopes = np.asarray(one("relu(w)", "w", {"w": "d"}).evaluate({"w": [-1.0, 0.0, 2.0]}))
    assert np.array_equal(slopes, np.diag([0.0, 0.0, 1.0]))


REPEATED = [
    ("6*sigmoid(W @ x)", "W", {"W": "k d", "x": "d"}),
    ("softmax(X @ W.T) @ W", "X", {"X": "n d", "W": "k d"}),
    ("x/norm(x)", "x", {"x": "n"}),
    ("einsum('ijk,i,j,k->', T, x, x, x)", "x", {"T": "n n n", "x": "n"}),
    ("sum(G*(X @ W))", "W", {"G": "n m k", "X": "n m d", "W": "d k"}),
    ("mean(X, axis=(0, 2))", "X", {"X": "n d m"}),
]


@pytest.mark.parametrize(("text", "wrt", "shapes"), REPEATED, ids=[r[0] for r in REPEATED])
def test_what_is_printed_does_not_depend_on_what_was_derived_before(
    text: str, wrt: str, shapes: dict[str, str]
) -> None:
    printed = set()
    for _ in range(8):
        found = derive(text, wrt, shapes)
        forms = found.index_form, str(found.matrix_form), found.latex, found.vjp, found.jvp
        printed.add(tuple(map(str, forms)))
    assert len(printed) == 1


TEXTBOOK = [
    (
        "-mean(y*log(sigmoid(X @ w)) + (1 - y)*log(1 - sigmoid(X @ w)))",
        "w",
        {"X": "n d", "w": "d", "y": "n"},
        "X.T @ (sigmoid(X @ w) - y)/n",
        "dw = G*X.T @ (sigmoid(X @ w) - y)/n",
    ),
    (
        "-sum(t*log(softmax(z)))",
        "z",
        {"z": "k", "t": "k"},
        "sum(t)*softmax(z) - t",
        "dz = -G*(t - sum(t)*softmax(z))",
    ),
    (
        "(x - mean(x))/sqrt(var(x) + c)",
        "x",
        {"x": "d", "c": ""},
        "eye(d)/sqrt(c + var(x)) - 1/d/sqrt(c + var(x))"
        " - outer(x - mean(x), x - mean(x))/d/(c + var(x))**(3/2)",
        "dx = (G - G @ (x - mean(x))*(x - mean(x))/(c + var(x))/d - mean(G))/sqrt(c + var(x))",
    ),
    (
        "X - mean(X, axis=1, keepdims=True)",
        "X",
        {"X": "n d"},
        None,
        "dX = G - mean(G, axis=1)[:, None]",
    ),
    ("log(p/(1 - p))", "p", {"p": ""}, "1/(1 - p) + 1/p", "dp = (1/(1 - p) + 1/p)*G"),
    ("0.001*sum(x**2)", "x", {"x": "d"}, "0.002*x", "dx = 0.002*G*x"),
]


@pytest.mark.parametrize(("text", "wrt", "shapes", "matrix", "vjp"), TEXTBOOK)
def test_answers_are_as_short_as_those_of_a_textbook(text, wrt, shapes, matrix, vjp) -> None:
    derivation = derive(text, wrt, shapes, domain={"c": "positive"} if "c" in shapes else None)
    assert isinstance(derivation, Derivation)
    assert derivation.matrix_form == matrix
    assert derivation.vjp == vjp


def test_conditions_that_all_terms_share_are_printed_once() -> None:
    derivation = derive("softmax(X)", "X", {"X": "n d"})
    assert isinstance(derivation, Derivation)
    expected = "J[i,j,k,l] = ([j=l] - softmax(X)[i,l])·softmax(X)[i,j]·[i=k]"
    assert derivation.index_form == expected
