"""Derivatives of layers, losses and statistics as they are defined, against finite differences.

The differences are those of another reader of the text, which shares no code with the package.
Sources: the definitions themselves (each is named by its group).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from backprove.calculus import Derivation, derive
from backprove.calculus.structured import StructuredArray
from oracles import finite_differences
from oracles.text_numpy import evaluate

SIZES = {"n": 4, "d": 3, "k": 2, "m": 5, "h": 6}

TABLE = """
# losses: focal, InfoNCE, distillation, triplet, quantile, Jensen-Shannon, VAE, dice
-sum(y * (1 - sigmoid(z))**2 * logsigmoid(z)) | z:n y:n | z
-mean(diag(log_softmax(D / s))) | D:n,n s: | D s
t**2 * sum(softmax(z/t) * (log_softmax(z/t) - log_softmax(y/t))) | z:n y:n t: | z t
maximum(0, norm(a - b)**2 - norm(a - c)**2 + 1) | a:d b:d c:d | a b
mean(maximum(0.3*(y - z), (0.3 - 1)*(y - z))) | y:n z:n | z
sum((a - (b + exp(0.5*c)*q))**2) + 0.5*sum(exp(c) + b**2 - 1 - c) | a:d b:d c:d q:d | b c
1 - 2*sum(sigmoid(z)*y)/(sum(sigmoid(z)) + sum(y**2)) | z:n y:n | z
-log_softmax(z/t)[1] | z:n t: | z t
norm(Z.T @ Z/n - eye(k))**2 | Z:n,k | Z
mean(where(abs(z - y) < 1, 0.5*(z - y)**2, abs(z - y) - 0.5)) | z:n y:n | z
# layers: heads by reshape, group norm, gated cells, residual blocks, convolution by slices, pooling
reshape(X @ W, (n, 2, 3)) | X:n,d W:d,6 | W
einsum('thd,shd->hts', reshape(X @ W, (n, 2, 3)), reshape(X @ U, (n, 2, 3))) | X:n,d W:d,6 U:d,6 | W
reshape(transpose(reshape(X, (n, 2, 3)), (0, 2, 1)), (n, 6)) | X:n,6 | X
reshape(reshape(X, (n, 3, 4)), (n, 12)) | X:n,12 | X
f[0]*x[:-2] + f[1]*x[1:-1] + f[2]*x[2:] | f:3 x:8 | f x
stack([x[0:6], x[1:7], x[2:8]], axis=1) @ f | f:3 x:8 | f x
maximum(x[::2], x[1::2]) | x:8 | x
max(reshape(x, (4, 2)), axis=1) | x:8 | x
mean(reshape(I[:6, :4], (3, 2, 2, 2)), axis=(1, 3)) | I:7,5 | I
B[::2] + B[1::2] | B:4,n | B
(x[::2] + x[1::2])/2 | x:6 | x
sigmoid((M @ u)[2:4]) * tanh(sigmoid((M @ u)[0:2]) * g[0:2]) | M:4,4 u:4 g:4 | u g
X + X @ B @ E | X:n,d B:d,k E:k,d | B X
softmax(tril(X @ X.T) - 10*triu(ones((n, n)), 1)) | X:n,d | X
concatenate([sin(x), cos(x)]) | x:d | x
concatenate([x[2:], x[:2]]) | x:n | x
concatenate([f, g, u]) | f:3 g:4 u:n | g u
# flattened arrays and Kronecker products
ravel(A) @ ravel(A) | A:n,d | A
sum(exp(ravel(A))) | A:n,d | A
ravel(outer(x, y)) | x:n y:d | x y
kron(x, y) | x:n y:d | x y
kron(E, F) | E:d,d F:k,k | E F
kron(E, eye(2)) | E:d,d | E
kron(E, eye(k)) + kron(eye(d), F) | E:d,d F:k,k | E F
trace(kron(E, F)) | E:d,d F:k,k | E
norm(kron(E, E))**2 | E:d,d | E
reshape(A, (d, n)) @ x | A:n,d x:n | A
sum(reshape(A, (d, n))*G) | A:n,d G:d,n | A
cumsum(ravel(A)) | A:n,d | A
var(ravel(A)) | A:n,d | A
softmax(ravel(A)) | A:d,k | A
ravel(R)[::2] | R:2,d,k | R
transpose(reshape(X, (n, 3, 4)), (1, 0, 2)) | X:n,12 | X
# statistics
-(s**2 + 1)/2*sum(log(1 + (y - a)**2/s**2)) | y:n a: s: | a s
logsumexp(b - 0.5*sum((x - M)**2, axis=1)) | b:k x:d M:k,d | M b x
sum((y - mean(y))*(z - mean(z)))/sqrt(sum((y - mean(y))**2)*sum((z - mean(z))**2)) | y:n z:n | y
mean((y - mean(y))**3)/var(y)**1.5 | y:n | y
(X - mean(X, axis=0)).T @ (X - mean(X, axis=0))/n | X:n,d | X
X @ inv(X.T @ X + s**2*eye(d)) @ X.T @ y | X:n,d s: y:n | y s
# ranks, sizes of 1, entries
o*A | o:1,1 A:n,d | o
w*x[:, None] | w:1,n,1 x:n | w x
mean(R, axis=1, keepdims=True)*R | R:2,d,k | R
einsum('aij,ajb->ib', R, transpose(R, (0, 2, 1))) | R:2,d,k | R
sum(stack([x, 2*x, B[0]])*x) | x:n B:4,n | x B
E[0, 0]*E[1, 1] - E[0, 1]*E[1, 0] | E:k,k | E
x[-1:-6:-2] | x:8 | x
A[1:, :-1] - A[:-1, 1:] | A:d,d | A
sum(x[:, None] - x) | x:n | x
tril(A, 1)[::2] | A:n,d | A
# second derivatives
f[0]*x[:-1] + f[1]*x[1:]**2 | f:2 x:4 | f x | 2
sum(maximum(x[::2], x[1::2])**2) | x:4 | x | 2
sum(ravel(A)**3) | A:k,k | A | 2
x / cumsum(exp(x)) | x:3 | x | 2
E[0, 0]*E[1, 1] - E[0, 1]*E[1, 0] | E:k,k | E | 2
-log_softmax(x)[1] | x:3 | x | 2
prod(x) | x:4 | x | 2
norm(A)**3 | A:k,k | A | 2
"""


def cases() -> Iterator[tuple[str, dict[str, str], str, int]]:
    for line in TABLE.strip().splitlines():
        if line.startswith("#"):
            continue
        text, shapes, symbols, *order = (part.strip() for part in line.split(" | "))
        declared = dict(word.split(":") for word in shapes.split())
        shown = {name: shape.replace(",", " ") for name, shape in declared.items()}
        for wrt in symbols.split():
            yield text, shown, wrt, int(order[0]) if order else 1


CASES = list(cases())


def drawn(shapes: dict[str, str], seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, words in shapes.items():
        shape = [SIZES.get(w) or int(w) for w in words.split()]
        found[name] = np.asarray(rng.uniform(0.4, 1.6, shape) * rng.choice([-1, 1], shape))
    return {name: np.abs(v) if name in "st" else v for name, v in found.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{CASES.index(c)}-{c[2]}")
def test_a_definition_has_the_derivative_of_finite_differences(case) -> None:
    text, shapes, wrt, order = case
    values = drawn(shapes, seed=CASES.index(case))
    derivation = derive(text, wrt, shapes, order=order)
    assert isinstance(derivation, Derivation)
    dense = np.asarray(derivation.evaluate(values))
    differences = finite_differences.jacobian if order == 1 else finite_differences.hessian
    used = {n: size for n, size in SIZES.items() if any(n in s.split() for s in shapes.values())}
    truth = differences(
        lambda x: evaluate(text, {**used, **values, wrt: x}), {"x": values[wrt]}, "x"
    )
    assert truth.agrees(dense, rtol=1e-7 if order == 1 else 1e-5), derivation.index_form
    structured = derivation.evaluate(values, form="structured")
    assert isinstance(structured, StructuredArray)
    assert np.allclose(structured.to_dense(), dense, rtol=1e-9, atol=1e-9)
    at_most = int(evaluate(derivation.structure.nonzeros, dict(used)))
    assert np.count_nonzero(np.abs(dense) > 1e-12) <= at_most


@pytest.mark.parametrize(
    ("text", "shapes", "wrt", "form"),
    [
        ("ravel(A) @ ravel(A)", {"A": "n d"}, "A", "J[i,j] = 2·A[i,j]"),
        ("sum(exp(ravel(A)))", {"A": "7 5"}, "A", "J[i,j] = exp(A[i,j])"),
        ("ravel(A)", {"A": "n d"}, "A", "J[i,j,k] = [i=d*j+k]"),
        ("reshape(A, (d, n))", {"A": "n d"}, "A", "J[i,j,k,l] = [d*k+l=n*i+j]"),
        ("reshape(reshape(x, (2, 3)), (6,))", {"x": "6"}, "x", "J[i,j] = [i=j]"),
        ("trace(kron(E, F))", {"E": "n n", "F": "d d"}, "E", "J[i,j] = (Σ_k F[k,k])·[i=j]"),
        ("(x[::2] + x[1::2])/2", {"x": "8"}, "x", "J[i,j] = [j=2*i]/2 + [j=2*i+1]/2"),
        ("-log_softmax(z)[2]", {"z": "n"}, "z", "J[i] = softmax(z)[i] - [i=2]"),
        ("concatenate([x, 2*x])", {"x": "n"}, "x", "J[i,j] = [i=j] + 2·[i=j+n]"),
    ],
)
def test_conditions_that_others_imply_are_not_written(text, shapes, wrt, form) -> None:
    derivation = derive(text, wrt, shapes)
    assert isinstance(derivation, Derivation)
    assert derivation.index_form == form


@pytest.mark.parametrize(
    ("text", "shapes", "wrt", "form"),
    [
        ("kron(x, y)", {"x": "n", "y": "d"}, "x", "dx[i] = Σ_j G[d*i+j]·y[j]"),
        ("kron(E, F)", {"E": "n n", "F": "d d"}, "E", "Σ_{k,l}"),
        ("reshape(reshape(X, (n, 3, 4)), (n, 12))", {"X": "n 12"}, "X", "dX = G"),
        ("ravel(X)", {"X": "n d"}, "X", "dX[i,j] = G[d*i+j]"),
    ],
)
def test_the_vjp_of_a_flattened_array_has_neither_floors_nor_conditions(
    text, shapes, wrt, form
) -> None:
    derivation = derive(text, wrt, shapes)
    assert isinstance(derivation, Derivation)
    vjp = derivation.vjp
    assert form in vjp and "//" not in vjp and "=" not in vjp.partition(" = ")[2]
