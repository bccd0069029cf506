"""The edges of the language mean what they mean in NumPy: axes, slices, precedence, sizes of 1."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.errors import InputError
from backprove.notation import declare, lower
from backprove.notation.axes import Axis
from backprove.notation.evaluation import Evaluator, run_program
from oracles import text_numpy

SHAPES = {
    "X": "n d",
    "W": "k d",
    "A": "n n",
    "B": "3 3",
    "w": "d",
    "z": "k",
    "s": "",
    "T": "n k d",
    "U": "1 d",
    "C": "n 1",
    "v": "4",
    "P": "2 3",
    "o": "1",
}
SIZES = {"n": 4, "d": 5, "k": 2}
SYMBOLS = declare(SHAPES)
RNG = np.random.default_rng(5)
VALUES = {
    name: np.asarray(RNG.normal(size=[SIZES.get(s) or int(s) for s in shape.split()]))
    for name, shape in SHAPES.items()
}
ALSO = {"ravel": np.ravel, "flatten": np.ravel, "square": np.square, "matmul": np.matmul}

SAME = """
sum(X, axis=0, keepdims=True)
sum(X, axis=-1, keepdims=True)
sum(X, -2)
sum(X, (0,1))
sum(X, axis=(0,))
sum(T, axis=(0,-1), keepdims=True)
sum(T, axis=(0,2))
sum(T, axis=())
sum(s)
max(s)
mean(s)
var(s)
norm(s)
prod(s)
logsumexp(s)
cumsum(w)
cumsum(X, axis=1)
cumsum(X, axis=-2)
mean(X, axis=0)
var(X, axis=1)
var(X)
var(X, axis=0, keepdims=True)
norm(X)
norm(X, axis=0)
norm(X, axis=1, keepdims=True)
norm(T)
norm(T, axis=(0,1))
max(X)
max(X, axis=0)
min(X, axis=-1, keepdims=True)
prod(X, axis=1)
prod(X)
logsumexp(X, axis=0)
logsumexp(X, axis=0, keepdims=True)
logsumexp(X)
softmax(X)
softmax(X, axis=0)
softmax(X, 0)
softmax(T, axis=1)
log_softmax(T, axis=0)
X[None]
X[:, None]
X[:, None, :]
X[None, 0]
X[0, None]
X[newaxis, :, newaxis]
X[0]
X[-1]
X[-1, -1]
X[n-1]
X[-n]
X[:-1]
X[1:-1]
X[::2]
X[::-1]
X[::-2]
X[1::2, ::-1]
v[::3]
v[3:0:-1]
v[3::-1]
v[:2:-1]
v[-1:0:-2]
v[:10]
v[-10:]
v[-10:2]
v[3]
v[1:3][0]
v[0:4:2]
v[:-1:2]
v[-3:-1]
s[None]
s[None, None]
X[:, 0]
X[:, 0:1]
T[0, :, 1]
T[:, 0]
T[0][0]
T[:, None, 0]
w + X
w[:, None] + z
X + U
X + C
C + U
U + C + X
C*w
o + w
w + o
o*o
B + ones((1,3))
B + ones((3,1))
X + w[None]
T + W
X[:, None] + T
2**3**2
-2**2
(-2)**2
-s**2
-w**2
2**-1
2**-s
s**2**0.5
-2**-2
w**2**2
s**-2
2^3^2
-s^2
1/2*s
1/s/2
6/2/3
6/2*3
1 - 2 - 3
2*s/3*s
X @ w
w @ w
X @ W.T
T @ w
T @ W.T
T @ transpose(T, (0,2,1))
A @ X[None]
matmul(X, w)
dot(w, w)
dot(X, w)
dot(A, X)
dot(s, w)
outer(w, z)
kron(w, z)
kron(X, W)
kron(B, B)
trace(A)
trace(A[None])
det(A)
det(A[None])
inv(A)
inv(A[None])
logdet(A)
diag(w)
diag(A)
tril(A)
tril(A, 1)
tril(A, k=-1)
triu(X)
triu(X, 2)
triu(X, k=-2)
tril(T)
tril(A, 100)
triu(A, 100)
eye(n)
eye(n, d)
eye(3, 4)
eye(2)*s
ones(3)
ones((3,))
ones((n, d))
ones(())
zeros((2,3))
zeros(n)
ones([2,3])
transpose(X)
transpose(T)
transpose(T, (1,0,2))
transpose(T, (-1,0,1))
transpose(T, axes=(2,0,1))
transpose(w)
transpose(s)
w.T
s.T
T.T
reshape(X, (d, n))
reshape(X, (-1,))
reshape(X, -1)
reshape(X, (n*d,))
reshape(T, (n, -1))
reshape(T, (-1, d))
reshape(T, (k, -1))
reshape(v, (2, 2))
reshape(v, (2, -1))
reshape(v, (-1, 2, 1))
reshape(v, 4)
reshape(s, (1, 1))
reshape(s, (-1,))
reshape(o, ())
reshape(P, (3, 2))
reshape(B[:2], (3,2))
ravel(T)
flatten(X)
ravel(s)
concatenate([w, w])
concatenate([w, z])
concatenate((w, z))
concatenate([X, X], axis=1)
concatenate([X, W], 0)
concatenate([X, W], axis=-2)
concatenate([X, C], axis=1)
concatenate([w])
stack([w, w])
stack([w, w], axis=1)
stack([w, w], axis=-1)
stack([X, X], 1)
stack([s, s, s])
stack([s, 1])
stack([X, X, X], axis=-2)
einsum("ij,jk->ik", X, W.T)
einsum("ij,kj", X, W)
einsum("ij->ji", X)
einsum("ii", A)
einsum("ii->i", A)
einsum("ij->", X)
einsum("ij", X)
einsum("ji", X)
einsum("ba", X)
einsum("i,i", w, w)
einsum("i,j", w, z)
einsum("i,j->ji", w, z)
einsum("i,i->i", w, w)
einsum("ij,j->i", X, w)
einsum("ijk,ik->j", T, X)
einsum("ij,ij->ij", X, X)
einsum("ij , jk -> ik", A, X)
einsum("Ij,jk->Ik", A, X)
einsum("bA", X)
einsum("Ab", X)
einsum("ii->", A)
einsum("i,->i", w, s)
einsum(",", s, s)
einsum("ij,jk,kl->il", A, A, A)
einsum("ij,jk->ik", X, U.T)
where(X > 0, X, 0)
where(w > 0, X, -X)
where(X, 1, 2)
where(s, w, 0)
where(w > s, w, s)
where(s > 0, s, 1)
maximum(X, 0)
maximum(X, w)
minimum(X, C)
maximum(s, s)
clip(X, -0.5, 0.5)
clip(X, None, 0.5)
clip(X, -0.5, None)
clip(X, 0, w)
clip(X, 0.5, -0.5)
(X > 0)
(X >= 0)*X
X == X
X != X
X < w
(s > 0) + (s < 0)
(s > 0)*(s < 1)
abs(X)
sign(X)
sign(0)
abs(-s)
exp(s)**2
log(exp(s))
ln(exp(s))
sqrt(s**2)
sqrt(w**2)
(w**2)**0.5
(w**2)**1.5
w**3/w
abs(w)**3
w**0
0**0
s**0
1**w
w**s
abs(w)**w
2**w
e**w
pi*w
e
pi
n
n*d
sum(w)/n
n + w
sum(w)/d
n**2
n/d
n**0.5
1/n
n*ones((n,))
+s
--s
-+-s
2e-3*s
.5*s
1.*s
1e3
leaky_relu(w)
leaky_relu(w, 0.2)
leaky_relu(w, slope=0.2)
elu(w)
elu(w, 2)
elu(w, alpha=0.5)
relu(w)
sigmoid(w)
silu(w)
erf(w)
gelu(w)
softplus(w)
arctan(w)
max(X, axis=0)[None] + X
X - mean(X, axis=0)
X - mean(X, axis=1, keepdims=True)
(X - mean(X, 0))/sqrt(var(X, 0) + 1e-5)
X/norm(X, axis=1, keepdims=True)
X*C/U
sum(X*w, axis=1)
sum(T*X[:, None], axis=-1)
sum(X, keepdims=True)
max(X, keepdims=True)
norm(X, keepdims=True)
logsumexp(X, keepdims=True)
mean(w, axis=-1)
X[0:2, 0:3] @ B
X[:, :3] @ B
C[:, 0]
C[0]
C[0, 0]
C[:, -1]
U[0]
o[0]
U[:, ::-1]
C[:, None]
C @ U
U @ w
U.T @ C.T
sum(C, axis=1)
outer(w, w) @ w
X[0] @ X[1]
w[::-1][::-1]
w[1:][1:]
w[::2][::2]
w[1::2][::-1]
w[::-1][1:]
X[1:, 1:][:-1]
v[::2][1]
v[::-1][0]
triu(A) + tril(A, -1)
A**2
A^2
A**-1
X**X
norm(w)**2
norm(w)^2
norm(w)**-1
tanh(X) @ w + s
""".strip().splitlines()

REFUSED = """
softmax(X, axis=(0,1))
cumsum(X, axis=None)
concatenate([X, X], axis=None)
concatenate([X, X], axis=(0,1))
max(X, 1, True)
norm(X, 1)
norm(w, 2)
var(X, ddof=1)
v[4]
v[-5]
v[::0]
X[n]
X[d, d]
s//2
s % 2
1 < s < 2
s == s == 1
w @ s
T @ X
einsum("i->ii", w)
einsum("i...->...", X)
reshape(v, (3, -1))
reshape(v, (0, -1))
reshape(v, (-1, -1))
diag(w, 1)
clip(X, 0)
2s
2(s)
arccos(w)
sum([w, w])
w.shape
""".strip().splitlines()


@pytest.mark.parametrize("text", SAME)
def test_an_expression_has_the_value_that_numpy_gives_it(text, monkeypatch):
    for name, function in ALSO.items():
        monkeypatch.setitem(text_numpy.FUNCTIONS, name, function)
    with np.errstate(all="ignore"):
        tree = text_numpy.tree(text)
        expected = np.asarray(text_numpy.Reader({**SIZES, **VALUES}).visit(tree), dtype=float)
    program = lower(text, SYMBOLS)
    inputs = {SYMBOLS[name]: value for name, value in VALUES.items()}
    arrays = run_program(program, inputs, SIZES)
    axes = tuple(Axis(s) for s in program.output.shape)
    stepwise = Evaluator(arrays, SIZES).dense(program.output.entry(*axes), axes)
    whole = Evaluator(inputs, SIZES).tensor(program.tensor())
    for given in (stepwise, whole):
        assert given.shape == expected.shape
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("text", REFUSED)
def test_what_would_mean_something_else_is_refused_with_its_place(text):
    with pytest.raises(InputError) as raised:
        lower(text, SYMBOLS)
    assert raised.value.span is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip(v, None, 0.5)", np.minimum(VALUES["v"], 0.5)),
        ("clip(v, -0.5, None)", np.maximum(VALUES["v"], -0.5)),
        ("X.reshape(d, n)", VALUES["X"].reshape(5, 4)),
        ("X.sum(0)", VALUES["X"].sum(0)),
        ("-v²", -(VALUES["v"] ** 2)),
    ],
)
def test_forms_that_are_not_functions_of_numpy_have_their_value(text, expected):
    inputs = {SYMBOLS[name]: value for name, value in VALUES.items()}
    given = Evaluator(inputs, SIZES).tensor(lower(text, SYMBOLS).tensor())
    np.testing.assert_allclose(given, expected, rtol=1e-12)
