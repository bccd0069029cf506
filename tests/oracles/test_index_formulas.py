"""The loop oracle agrees with NumPy's einsum, and refuses what it cannot read."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.index_formulas import FormulaError, evaluate

_RANDOM = np.random.default_rng(11)
N, K, D = 3, 2, 4
VALUES = {
    "X": _RANDOM.normal(size=(N, D)),
    "W": _RANDOM.normal(size=(K, D)),
    "A": _RANDOM.normal(size=(D, K)),
    "S": _RANDOM.normal(size=(3, 3)),
    "T": _RANDOM.normal(size=(2, 3, 4)),
    "z": _RANDOM.normal(size=5),
    "w": _RANDOM.normal(size=D),
    "n": N,
    "c": 2.5,
}
X, W, A, S, T, z, w = (VALUES[name] for name in ("X", "W", "A", "S", "T", "z", "w"))
s = np.exp(z) / np.exp(z).sum()
EYE = np.eye

FACTS = [
    ("J[i,j,k,l] = X[i,l]*[j==k]", (N, K, K, D), np.einsum("il,jk->ijkl", X, EYE(K))),
    ("J[i,j,k,l] = X[i,l]·[j=k]", (N, K, K, D), np.einsum("il,jk->ijkl", X, EYE(K))),
    ("J[a,b,p,q] = X_aq*δ_bp", (N, K, K, D), np.einsum("il,jk->ijkl", X, EYE(K))),
    ("J_ijkl = X_il*delta_jk", (N, K, K, D), np.einsum("il,jk->ijkl", X, EYE(K))),
    ("F[i,l] = sum(m, X[i,m]*A[m,l])", None, X @ A),
    ("F[i,l] = (X @ A)[i,l]", None, X @ A),
    ("F[i,j] = sum(p, X[i,p]*W.T[p,j])", None, X @ W.T),
    ("J[i,j] = softmax(z)[i]*(delta[i,j] - softmax(z)[j])", None, np.diag(s) - np.outer(s, s)),
    ("p[i] = exp(z[i])/sum(m, exp(z[m]))", None, s),
    ("p[i] = exp(z_i)/Σ(m, exp(z_m))", None, s),
    ("q = sum(i, j, X[i,j]**2)", None, np.sum(X**2)),
    ("q = sum(i, sum(j, X[i,j]^2))", None, np.sum(X**2)),
    ("q = sum(X)/n", None, np.sum(X) / N),
    ("t = sum(i, S[i,i])", None, np.trace(S)),
    ("D[i,j] = [i<=j]*S[i,j]", None, np.triu(S)),
    ("D[i,j] = [S[i,j] > 0]", None, (S > 0).astype(float)),
    ("D[i,j] = where(S[i,j] > 0, S[i,j], 0.1*S[i,j])", None, np.where(S > 0, S, 0.1 * S)),
    ("R[i] = [i <= 3]*z[i+1]", (5,), np.append(z[1:], 0)),
    ("R[i] = z[4-i]", (5,), z[::-1]),
    ("R[i] = z[i//2]", (5,), z[[0, 0, 1, 1, 2]]),
    ("R[i] = [i<=3]*w[i] + [i>=4]*z[i-4]", (9,), np.concatenate([w, z])),
    ("R[i] = sum(i, w[i]) + 0*i", (7,), np.full(7, w.sum())),
    ("R[i,j,k] = delta[i,j]*delta[j,k]", (2, 2, 2), np.einsum("ij,jk->ijk", EYE(2), EYE(2))),
    ("R[i,j] = T[1,i,j]", None, T[1]),
    ("d[i,j,k] = delta[i,j,k]*w[i]", (D, D, D), np.einsum("ij,jk,i->ijk", EYE(D), EYE(D), w)),
    ("r[i] = i*w[i]", None, np.arange(D) * w),
    ("r[i] = -w[i]**2", None, -(w**2)),
    ("r[i] = 2**-w[i]", None, 2.0**-w),
    ("r[i] = w[i] - c - 1", None, w - 2.5 - 1),
    ("r[i] = 1/w[i]/2*c", None, 1 / w / 2 * 2.5),
    ("r[i] = (2*w + c)[i]", None, 2 * w + 2.5),
    ("r[i,j] = inv(S)[i,j]*det(S)", None, np.linalg.inv(S) * np.linalg.det(S)),
    ("r[i] = sum(i, w[i]) + 0*w[i]", None, np.full(D, w.sum())),
    ("r[i,k] = sum(j, X[i,j]*sum(i, A[j,i]*W[i,j]))*A[0,k]", None, None),
    ("m = sum(k, l, norm(S)*[k==l]*S[k,l])", None, np.linalg.norm(S) * np.trace(S)),
    ("F[i,l] = Σ_m X[i,m]·A[m,l]", None, X @ A),
    ("q = Σ_{i,j} X[i,j]^2 + c", None, np.sum(X**2) + 2.5),
    ("q = Σ_ij X[i,j]·Σ_k S[i,k] - Σ_i z[i]", None, X.sum(1) @ S.sum(1) - z.sum()),
    ("J[i] = Σ_j X[j,i]·[Σ_k X[j,k]·w[k] > 0]", None, X.T @ (X @ w > 0)),
    ("J[i] = (1 - tanh(Σ_l X[i,l]·w[l])^2)·n", None, 3 * (1 - np.tanh(X @ w) ** 2)),
    ("p[j] = softmax_{k}(2*z[k])[j]", None, np.exp(2 * z) / np.exp(2 * z).sum()),
    ("p[i,j] = softmax_{k}(X[i,k])[j]", (N, D), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    ("p[i,j] = softmax(X, axis=0)[i,j]", None, np.exp(X) / np.exp(X).sum(0)),
    ("p[j] = logsumexp(X, axis=0)[j]", None, np.log(np.exp(X).sum(0))),
    ("d = det_{i,j}(S[i,j]*S[j,i])", None, np.linalg.det(S * S.T)),
    ("x[i] = sigmoid(w[i]) + σ(-w[i])", None, np.ones(D)),
    ("x[i] = tanh(w[i]) - 2*sigmoid(2*w[i]) + 1", None, np.zeros(D)),
    ("x[i] = log_softmax(X)[0,i] + logsumexp(X)[0]", None, X[0]),
    ("x[i] = maximum(w[i], 0) - relu(w[i])", None, np.zeros(D)),
]


@pytest.mark.parametrize(("formula", "shape", "want"), FACTS, ids=[fact[0] for fact in FACTS])
def test_formulas_evaluate_to_the_same_array_as_numpy(formula, shape, want):
    got = evaluate(formula, VALUES, shape=shape)
    if want is None:  # an index that is bound inside keeps its outer meaning outside
        inner = np.einsum("ji,ij->j", A, W)
        want = np.outer(X @ inner, A[0])
    assert got.shape == np.shape(want)
    assert np.allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "spec", ["ij,kj->ik", "ij,jk->ikj", "ijk,kl->lij", "ij,kj->", "ij,ij->j", "ij,kl->kilj"]
)
def test_random_products_agree_with_einsum(spec):
    inputs, output = spec.split("->")
    left, right = inputs.split(",")
    sizes = dict(zip("ijkl", (2, 3, 4, 5), strict=True))
    values = {
        name: np.random.default_rng(5).normal(size=[sizes[letter] for letter in letters])
        for name, letters in (("P", left), ("Q", right))
    }
    bound = sorted(set(left + right) - set(output))
    body = f"P[{','.join(left)}]*Q[{','.join(right)}]"
    text = f"sum({', '.join(bound)}, {body})" if bound else body
    want = np.einsum(spec, values["P"], values["Q"])
    assert np.allclose(evaluate(text, values, output=list(output)), want)


@pytest.mark.parametrize(
    ("formula", "shape", "message"),
    [
        ("J[i,j] = X[i,j]*q[i]", None, "'q' is neither"),
        ("J[i] = X[i,j]", None, "'j' is neither"),
        ("J[i] = X[i]", None, "an index is missing"),
        ("J[i,j] = X[j,i]", (N, D), "reads outside"),
        ("J[i] = w[i] + z[i]", None, "size of index"),
        ("J[i,j] = 1", None, "not known"),
        ("J[i,i] = S[i,i]", None, "repeated"),
        ("J[i,j] = S[i,j]", (3, 3, 3), "2 indices"),
        ("J[i] = z[i+1]", (5,), "reads outside"),
        ("J[i] = z[i-1]", (5,), "reads outside"),
        ("J[i] = z[i/2]", (5,), "integers"),
        ("J[i] = Σ_m X_im A_ml", (N,), "unexpected 'A_ml'"),
        ("J[i] = foo(z[i])", None, "unknown function"),
        ("J[i] = z[i]*", None, "unexpected end"),
        ("J[i] = (z[i]", None, "expected"),
        ("J[i] = z[i] $", None, "cannot read"),
        ("J[i] = [z[i]]", None, "holds a comparison"),
        ("J[i] = X[i,0,0]", (N,), "subscripts"),
        ("J[i] = (w*z)[i]", (4,), "differ"),
    ],
)
def test_what_cannot_be_read_is_refused(formula, shape, message):
    with pytest.raises(FormulaError, match=message):
        evaluate(formula, VALUES, shape=shape)


def test_a_size_and_an_index_may_share_a_letter_in_different_places():
    values = {"v": np.array([1.0, 2.0, 4.0]), "k": 10.0}
    assert evaluate("k*sum(k, v[k])", values, output=[]) == 70.0
