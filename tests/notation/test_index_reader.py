"""Index formulas: every way of writing them, and every refusal at its place."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.errors import InputError, NotationError, ShapeError, UnknownName, Unsupported
from backprove.notation import declare, lower
from backprove.notation.axes import Index, Size, shape_text
from backprove.notation.building import substitute
from backprove.notation.evaluation import Evaluator
from backprove.notation.index_reader import IndexFormula, read_index_formula
from tables.claim_values import index_value
from tables.loader import Case, cases

SYMBOLS = declare(
    {
        "X": "n d",
        "W": "k d",
        "Z": "n k",
        "A": "m m",
        "w": "d",
        "y": "n",
        "x": "n",
        "z": "k",
        "u": "d",
        "alpha": "",
        "h_1": "n d",
    }
)
SIZES = {"n": 3, "d": 4, "k": 2, "m": 5}


def read(text: str, shape: str | None = None) -> IndexFormula:
    expected = None if shape is None else [Size.of(s) for s in shape.split()]
    return read_index_formula(text, SYMBOLS, expected_axes=expected)


def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        name: np.asarray(rng.uniform(0.5, 2.0, [s.at(SIZES) for s in array.shape]))
        for name, array in SYMBOLS.items()
    }


def dense(formula: IndexFormula) -> np.ndarray:
    given = values()
    arrays = {array: given[name] for name, array in SYMBOLS.items()}
    return Evaluator(arrays, SIZES).tensor(formula.tensor)


V = values()
N, D, K, M = np.eye(3), np.eye(4), np.eye(2), np.eye(5)
SOFT = np.exp(V["z"]) / np.exp(V["z"]).sum()
EXACT = np.einsum("il,jk->ijkl", V["X"], K)

READ_AS = [
    # The row of the problem set, in the spellings that people use.
    ("J[i,j,k,l] = X[i,l]*[j==k]", "n k k d", EXACT),
    ("J_ijkl = X_il δ_jk", "n k k d", EXACT),
    ("J_{ijkl} = X_{il} δ_{jk}", "n k k d", EXACT),
    ("J_ijkl = X_il·1[j=k]", "n k k d", EXACT),
    ("J_ijkl = X_il 1[j=k]", "n k k d", EXACT),
    ("J[i,j,k,l] = X[i,l][j=k]", "n k k d", EXACT),
    ("J[i,j,k,l] = X[i,l]*delta[j,k]", "n k k d", EXACT),
    ("J[a,b,c,e] = delta(b,c)*X[a,e]", "n k k d", EXACT),
    ("J_{i,j,k,l} = δ[j,k] X_{i,l}", "n k k d", EXACT),
    ("J[i,j,k,l] = where(j==k, X[i,l], 0)", "n k k d", EXACT),
    ("J[i,j,k,l] = sum(m, [j==m]*[m==k])*X[i,l]", "n k k d", EXACT),
    ("∂F_ij/∂W_kl = X_il δ_jk", "n k k d", EXACT),
    ("dF[i,j]/dW[k,l] = X[i,l]*[j==k]", "n k k d", EXACT),
    ("J[i,j,k,l] == X[i,l]*[j==k]", "n k k d", EXACT),
    # A wrong claim is read as it stands: i has size n, k has size k.
    (
        "J[i,j,k,l] = X[i,l]*[i==k]",
        "n k k d",
        np.einsum("il,ik,j->ijkl", V["X"], np.eye(3, 2), np.ones(2)),
    ),
    # Sums.
    ("F[i,j] = sum(p, X[i,p]*W[j,p])", None, V["X"] @ V["W"].T),
    ("F_ij = Σ_p X_ip W_jp", None, V["X"] @ V["W"].T),
    ("F_ij = ∑_{p} X_ip·W_jp", None, V["X"] @ V["W"].T),
    ("F_ij = Σ_{p=1}^{d} X_ip W_jp", None, V["X"] @ V["W"].T),
    ("F_ij = Σ_{p=0}^{d-1} X_ip W_jp", None, V["X"] @ V["W"].T),
    ("F_ij = Σ_{p<d} X_ip W_jp", None, V["X"] @ V["W"].T),
    ("s = sum(i, j, Z[i,j])", None, V["Z"].sum()),
    ("s = sum((i, j), Z[i,j])", None, V["Z"].sum()),
    ("s = Σ_ij Z_ij", None, V["Z"].sum()),
    ("s = Σ_{i,j} Z_ij^2", None, (V["Z"] ** 2).sum()),
    ("s = Σ_i Σ_j Z_ij", None, V["Z"].sum()),
    ("s = Σ_i x_i + alpha", None, V["x"].sum() + V["alpha"]),
    ("s = 2/Σ_i x_i", None, 2 / V["x"].sum()),
    ("J[i] = sum(p<n, [p<=i])", "n", np.array([1, 2, 3])),
    ("J[i] = mean(p, Z[i,p])", None, V["Z"].mean(1)),
    ("J[i] = max(p, Z[i,p])", None, V["Z"].max(1)),
    ("J[i] = max_{p}(Z[i,p])", None, V["Z"].max(1)),
    ("J[i] = prod_p(Z[i,p])", None, V["Z"].prod(1)),
    # A size and an index with the same name do not meet.
    ("J[k,l] = W[k,l]/k", None, V["W"] / 2),
    ("F[i,k] = sum(d, X[i,d]*W[k,d])/d", None, V["X"] @ V["W"].T / 4),
    ("J[n] = x[n]/n", None, V["x"] / 3),
    ("J[w] = u[w]*w[w]", None, V["u"] * V["w"]),
    # Functions of entries, and entries of functions.
    ("J[i,j] = softmax(z)[i]*([i==j] - softmax(z)[j])", None, np.diag(SOFT) - np.outer(SOFT, SOFT)),
    (
        "J[i,j] = exp(z[i])/sum(m, exp(z[m]))*([i==j] - exp(z[j])/Σ_m exp(z[m]))",
        None,
        np.diag(SOFT) - np.outer(SOFT, SOFT),
    ),
    ("J_ij = s_i(δ_ij − s_j) with s = softmax(z)", None, np.diag(SOFT) - np.outer(SOFT, SOFT)),
    (
        "dσ_i/dz_j = σ_i(δ_ij - σ_j) where σ = softmax(z)",
        None,
        np.diag(SOFT) - np.outer(SOFT, SOFT),
    ),
    ("J[i] = q[i]*p[i] with p = exp(z), q = p*p", None, np.exp(3 * V["z"])),
    ("J[i] = softmax_{m}(z[m])[i]", None, SOFT),
    ("J[i,j] = log(softmax(Z[i])[j])", None, V["Z"] - np.log(np.exp(V["Z"]).sum(1, keepdims=True))),
    ("J[i] = (X @ w)[i]", None, V["X"] @ V["w"]),
    ("J[i] = (X @ w - y)_i", None, V["X"] @ V["w"] - V["y"]),
    ("J[l] = 2*sum(i, (X @ w - y)[i]*X[i,l])", None, 2 * V["X"].T @ (V["X"] @ V["w"] - V["y"])),
    ("J[i,j] = inv(A + 9*eye(m))[i,j]", None, np.linalg.inv(V["A"] + 9 * M)),
    ("J[i,j] = X.T[i,j]", None, V["X"].T),
    ("J[i,j] = Xᵀ[i,j]", None, V["X"].T),
    ("J[l] = (w @ w)*w[l]", None, V["w"] @ V["w"] * V["w"]),
    ("J[l] = norm(w)*w[l]", None, np.linalg.norm(V["w"]) * V["w"]),
    ("J[i,j] = h_1[i,j] + h_1_ij", None, 2 * V["h_1"]),
    ("J_ij = 2X_ij", None, 2 * V["X"]),
    ("J_ij = X_ij²", None, V["X"] ** 2),
    ("J[i,j] = clip(X[i,j], 0.9, 1)", None, np.clip(V["X"], 0.9, 1)),
    ("J[l] = e^w[l] + pi", None, np.exp(V["w"]) + np.pi),
    # Brackets.
    ("J[i,j] = [z[i] > 1]*[i=j]", None, np.diag(V["z"] > 1)),
    ("J[i,j] = [z[i] > 1, i=j]", None, np.diag(V["z"] > 1)),
    ("J[i,j] = [i<=j]", "n n", np.triu(np.ones((3, 3)))),
    ("J[i,j] = [i<j]", "n n", np.triu(np.ones((3, 3)), 1)),
    ("J[i,j] = [i>j] + [i>=j]", "n n", np.tril(np.ones((3, 3)), -1) + np.tril(np.ones((3, 3)))),
    ("J[i,j] = [i!=j]", "n n", 1 - N),
    ("J[i,j,k] = [i=j=k]*x[i]", None, np.einsum("i,ij,jk->ijk", V["x"], N, N)),
    ("J[i,j,k] = δ_ijk x_i", None, np.einsum("i,ij,jk->ijk", V["x"], N, N)),
    ("J[i,j] = [i=0]*[j=k-1]", "n k", np.eye(3)[:, :1] * np.eye(2)[1]),
    ("J[i,j] = [x[i] > alpha]*Z[i,j]", None, (V["x"] > V["alpha"])[:, None] * V["Z"]),
    # Affine indices and constants.
    ("J[i] = [i<n-1]*x[i+1]", "n", np.append(V["x"][1:], 0)),
    ("J[i] = x[n-1-i]", "n", V["x"][::-1]),
    ("J_i = x_{n-1-i}", "n", V["x"][::-1]),
    ("J[i] = x[0]*x[-1]", "n", np.full(3, V["x"][0] * V["x"][-1])),
    ("J[i] = x[(2*i)//2]", "n", V["x"]),
    ("J[i,j] = sum(X[:, 0])*δ_ij", "n n", V["X"][:, 0].sum() * N),
    # No left side: alphabetical order, as in einsum.
    ("X[i,l]*[j==k]", "n k k d", EXACT),
    ("δ_jk", "k k", K),
    ("sum(m, X[i,m]*W[l,m])", None, V["X"] @ V["W"].T),
    ("3", "", np.asarray(3.0)),
]


@pytest.mark.parametrize(("text", "shape", "expected"), READ_AS, ids=[r[0] for r in READ_AS])
def test_a_formula_stands_for_its_numbers(
    text: str, shape: str | None, expected: np.ndarray
) -> None:
    given = dense(read(text, shape))
    assert given.shape == np.shape(expected)
    np.testing.assert_allclose(given, expected, rtol=1e-12, atol=1e-12)


REFUSED = [
    # (text, expected shape, error, the refused part, a part of the message)
    ("J[i,j] = X[i,p]", None, NotationError, "p", "'p' is not bound"),
    ("J[i,j] = X[i,j]*[p=i]", None, NotationError, "p", "'p' is not bound"),
    ("J[i,i] = X[i,i]", None, NotationError, "i", "twice on the left"),
    ("dσ_i/dz_i = z_i", None, NotationError, "i", "twice on the left"),
    ("J[i] = sum(i, x[i])", None, NotationError, "i", "already in use"),
    ("J[i] = sum(p, sum(p, Z[i,p]))", None, NotationError, "p", "already in use"),
    ("J[i] = x[i] + sum(p, p, Z[i,p])", None, NotationError, "p", "already in use"),
    ("J[i,j] = Q[i,j]", None, UnknownName, "Q", "unknown symbol 'Q'"),
    ("J[i,j] = Q_ij", None, UnknownName, "Q", "unknown symbol 'Q'"),
    ("J[i] = foo(x[i])", None, Unsupported, "foo(x[i])", "'foo' is not supported"),
    ("J[i,j,k,l] = X[l,i]*[j==k]", "n k k d", ShapeError, "l", "size d on the left"),
    (
        "J[i,j] = X[i,j]*W[i,j]",
        None,
        ShapeError,
        "i",
        "size n in 'X' and along one of size k in 'W'",
    ),
    ("F_ij = Σ_{p=1}^{k} X_ip W_jp", None, ShapeError, "p", "size k of the sum"),
    ("J[i,j] = X[i]", None, ShapeError, "X[i]", "shape is d"),
    ("J[i,j] = X_i", None, ShapeError, "X_i", "1 indices for 'X'"),
    ("J[i,j] = x[i,j]", None, ShapeError, "x[i,j]", "2 indices for 'x'"),
    ("J[i,j] = X[i,j]*W", None, ShapeError, "W", "'W' is k×d"),
    ("J[i] = x", None, ShapeError, "x", "'x' is n"),
    ("J[i] = x[i+1]", "n", ShapeError, "i+1", "leaves the axis of size n"),
    ("J[i] = x[i-1]", "n", ShapeError, "i-1", "leaves the axis of size n"),
    ("J[i] = x[n-i]", "n", ShapeError, "n-i", "leaves the axis of size n"),
    ("J[i] = Z[i,k]", None, NotationError, "k", "'k' is a size"),
    ("J[i,j] = Z[i,j]*[j=k]", None, NotationError, "k", "'k' is not bound"),
    ("J[i] = sum(Z[i,k])", None, NotationError, "k", "not bound"),
    ("J[i] = sum(x[i])", None, NotationError, "sum(x[i])", "of a single entry"),
    ("J[i] = softmax(x[i])", None, ShapeError, "softmax(x[i])", "at least one axis"),
    ("J[q] = x[q]*q", None, NotationError, "q", "stands where a value"),
    ("J[i] = [x[i] > i]", None, NotationError, "x[i] > i", "compared with a value"),
    ("J[i] = sum(p, 1)", "n", ShapeError, "p", "not known"),
    ("J[i,j] = [i=j]", None, ShapeError, "i", "not known"),
    ("J[i,j] = X[i,l]*[j==k]", "n k k d", NotationError, "l", "'l' is not bound"),
    ("J[i,j] = [i=j]", "n k k d", ShapeError, "i", "2 indices on the left; expected 4"),
    ("J[i,j] = (X w)[i]*[i=j]", None, NotationError, "(X w)", "needs its operator"),
    ("J[i] = x_i/2 x_i", None, NotationError, "x_i", "two ways"),
    ("s = 1/Σ_i x_i y_i", None, NotationError, "Σ_i x_i y_i", "two ways"),
    ("J[i] = x_1", None, NotationError, "1", "part of a name"),
    ("J[i] = x[i] = y[i]", None, NotationError, "=", "one '='"),
    ("= x[i]", None, NotationError, "=", "nothing to the left"),
    ("J[i+1] = x[i]", None, NotationError, "i+1", "must be a letter"),
    ("J[i] = x[i", None, NotationError, "[", "never closed"),
    ("J[i] = x[i]]", None, NotationError, "]", "closes nothing"),
    ("J[i] =", None, NotationError, "", "too early"),
    ("", None, NotationError, "", "empty"),
    ("J[i] = x[i] with", None, NotationError, "with", "expected a definition"),
    ("J[i] = s[i] with s = foo(x)", None, Unsupported, "foo(x)", "not supported"),
    ("J[i] = s[i] with s", None, NotationError, "s", "expected a definition"),
    ("J[i,j] = x[i*j]", None, NotationError, "i*j", "product of two indices"),
    ("J[i] = x[i/2]", None, NotationError, "i/2", "expected an index"),
    ("J[i] = x[0.5]", None, NotationError, "0.5", "an integer"),
    ("J[i] = Σ_{p=2}^{n} x_p", "n", NotationError, "2", "starts at 0 or 1"),
    ("J[i] = Σ_{p=1}^{n} x_{2p}", "n", NotationError, "2p", "starts at 1"),
    ("J[i] = Z[i,:]", None, ShapeError, "Z[i,:]", "shape is k"),
    ("J[i,j] = X[i,j] Y", None, UnknownName, "Y", "unknown symbol"),
]


@pytest.mark.parametrize(
    ("text", "shape", "kind", "part", "message"),
    REFUSED,
)
def test_a_formula_is_refused_at_its_place(
    text: str, shape: str | None, kind: type[InputError], part: str, message: str
) -> None:
    with pytest.raises(kind) as caught:
        read(text, shape)
    error = caught.value
    assert message in str(error.message)
    assert error.text == text
    assert error.span is not None
    assert text[error.span.start : error.span.end] == part


def test_a_size_only_name_without_a_left_side_is_a_free_index() -> None:
    assert read("X[i,l]*[i==k]", "n k d").indices == ("i", "k", "l")


def test_places_of_indices_and_summands_are_kept() -> None:
    text = "J_ij = X_ij - 2*X_ij"
    formula = read(text)
    assert [text[s.start : s.end] for s in formula.spans.values()] == ["i", "j"]
    assert [text[s.start : s.end] for s in formula.terms] == ["X_ij", "2*X_ij"]
    assert (formula.name, formula.quotient) == ("J", None)
    assert read("∂f_i/∂x_j = δ_ij", "n n").quotient == ("f", "x")


def test_the_expected_shape_gives_the_sizes() -> None:
    assert shape_text(read("J[i,j] = 0", "n d").tensor.shape) == "n×d"


def test_equal_formulas_are_one_expression() -> None:
    one, two = read("F[i,j] = sum(p, X[i,p]*W[j,p])"), read("F_ab = Σ_q W_bq X_aq")
    matched = dict(zip(two.tensor.axes, one.tensor.axes, strict=True))
    renamed = substitute(two.tensor.body, {a: Index.of(t) for a, t in matched.items()})
    assert renamed is one.tensor.body


def test_deep_nesting_is_read_or_refused_but_never_crashes() -> None:
    deep = "(" * 3000 + "x[i]" + ")" * 3000
    with pytest.raises(NotationError):
        read(f"J[i] = {deep}")
    assert read("J[i] = " + "(" * 200 + "x[i]" + ")" * 200).indices == ("i",)


CONFLICTING = {("mc-033", "J[i,j,l] = A[i,l]*B[l,j]")}
"""Claims that let one index run along axes of two sizes."""


def formulas() -> list[tuple[Case, str]]:
    found = []
    for case in cases():
        for claim in [*case.claims, *(w.claim for w in case.wrong)]:
            if claim.split("=")[0].strip().startswith(("J[", "H[", "grad[")):
                found.append((case, claim))
    return found


@pytest.mark.parametrize(
    ("case", "claim"), formulas(), ids=lambda v: v if isinstance(v, str) else v.id
)
def test_formulas_of_the_tables_mean_what_another_reader_reads(case: Case, claim: str) -> None:
    symbols = declare(dict(case.shapes), dict(case.domain))
    sizes = case.size_values()
    given = {**sizes, **case.values(1)}
    inputs = symbols[case.wrt].shape * case.order
    expected_axes = (*lower(case.f, symbols).output.shape, *inputs)
    head, _, body = claim.partition("=")
    names = [n.strip() for n in head[head.index("[") + 1 : head.index("]")].split(",")]
    shape = tuple(s.at(sizes) for s in expected_axes)
    if len(names) != len(shape):
        pytest.skip("a wrong shape has no sizes to compare at")
    if (case.id, claim) in CONFLICTING:
        with pytest.raises(ShapeError):
            read_index_formula(claim, symbols, expected_axes=expected_axes)
        return
    formula = read_index_formula(claim, symbols, expected_axes=expected_axes)
    arrays = {a: np.asarray(given[n]) for n, a in symbols.items()}
    ours = Evaluator(arrays, sizes).tensor(formula.tensor)
    theirs = index_value(body, given, names, shape)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
