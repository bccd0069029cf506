"""Claims of several kinds, with the verdict that numpy and the rules of calculus give them.

Every right array form and VJP was compared with JAX's derivative before it was put down here.
"""

import pytest

import backprove as bp

LINEAR = {"A": "m n", "x": "n", "b": "m"}
NORMAL = "h = (x-mean(x))/sqrt(var(x)+eps), s = sqrt(var(x)+eps)"
ATTENTION = "P = softmax(Q@K.T/sqrt(d)), D = G@V.T"
HEAD = {"Q": "n d", "K": "m d", "V": "m p"}

RIGHT = [
    ("sum((A @ x - b)**2)", "x", "2*einsum('ji,jk,k->i', A, A, x) - 2*b @ A", LINEAR, None),
    ("sum((A @ x - b)**2)", "x", "diag(2*A.T @ outer(A @ x - b, ones(n)))", LINEAR, None),
    ("log_softmax(z)", "z", "eye(K) - ones((K,1)) @ softmax(z)[None,:]", {"z": "K"}, None),
    ("logsumexp(z)", "z", "J[k] = 1/sum(m, exp(z[m]-z[k]))", {"z": "K"}, None),
    ("sigmoid(w @ x)", "w", "x/(2+2*cosh(w@x))", {"w": "d", "x": "d"}, None),
    ("softplus(x)", "x", "diag((1+tanh(x/2))/2)", {"x": "n"}, None),
    ("x*sigmoid(x)", "x", "silu(x)+sigmoid(x)*(1-silu(x))", {"x": ""}, None),
    ("sin(x)*cos(x)", "x", "(1-tan(x)**2)/(1+tan(x)**2)", {"x": ""}, None),
    ("cumsum(x)", "x", "dx = sum(g) - cumsum(g) + g", {"x": "n"}, None),
    ("prod(x)", "x", "exp(sum(log(x)))/x", {"x": "n"}, "positive"),
    ("logdet(X @ X.T)", "X", "2*inv(X@X.T) @ X", {"X": "n d"}, None),
    (
        "softmax(Q @ K.T/sqrt(d)) @ V",
        "Q",
        f"dQ = (P*(D - sum(G*(P@V), axis=1)[:,None])) @ K/sqrt(d) with {ATTENTION}",
        HEAD,
        None,
    ),
    ("x[1:] - x[:-1]", "x", "(n-1)×n", {"x": "n"}, None),
    ("x[1:] - x[:-1]", "x", "n - 1 × n", {"x": "n"}, None),
    ("kron(a, b)", "a", "m*n×m", {"a": "m", "b": "n"}, None),
    ("kron(a, b)", "a", "(m·n)×m", {"a": "m", "b": "n"}, None),
    ("concatenate([x, y], 0)", "x", "(n+m)×n", {"x": "n", "y": "m"}, None),
]

WRONG = [
    ("x - mean(x)", "x", "dx = g - sum(g)", {"x": "n"}, "missing_normalizer"),
    ("X - mean(X, axis=0)", "X", "dX = G - sum(G, axis=0)", {"X": "n d"}, "missing_normalizer"),
    ("sum(x)**2", "x", "2*mean(x)*ones(n)", {"x": "n"}, "extra_factor"),
    ("X @ w", "w", "J[i,j] = X[i,j]*2", {"X": "n d", "w": "d"}, "extra_factor"),
    ("X @ w", "w", "J[i,j] = X[i,j]**2", {"X": "n d", "w": "d"}, "extra_factor"),
    (
        "einsum('bij,bj->bi', W, x)",
        "x",
        "dx = einsum('bij,bj->bi', W, G)",
        {"W": "b m n", "x": "b n"},
        "wrong_shape",
    ),
    ("x[1:] - x[:-1]", "x", "(n+1)×n", {"x": "n"}, "wrong_shape"),
    ("x[1:] - x[:-1]", "x", "(n-2)×n", {"x": "n"}, "wrong_shape"),
    ("kron(a, b)", "a", "m+n×m", {"a": "m", "b": "n"}, "wrong_shape"),
    ("softmax(z)", "z", "dz = s*(g - sum(g)) with s = softmax(z)", {"z": "K"}, "missing_factor"),
    (
        "softmax(Q @ K.T/sqrt(d)) @ V",
        "Q",
        f"dQ = (P*(D - sum(P*D, axis=0, keepdims=True))) @ K/sqrt(d) with {ATTENTION}",
        HEAD,
        "wrong_axis",
    ),
]


@pytest.mark.parametrize(("f", "wrt", "claim", "shapes", "domain"), RIGHT)
def test_a_right_claim_is_right_however_it_is_written(f, wrt, claim, shapes, domain):
    assert bp.check(f, wrt, claim, shapes, domain=domain).kind == "right"


@pytest.mark.parametrize(("f", "wrt", "claim", "shapes", "name"), WRONG)
def test_a_slip_is_wrong_by_its_name_and_its_repair_is_right(f, wrt, claim, shapes, name):
    verdict = bp.check(f, wrt, claim, shapes)
    assert (verdict.kind, verdict.mistake) == ("wrong", name)
    assert verdict.fixed is not None
    if "×" not in claim:
        assert bp.check(f, wrt, verdict.fixed, shapes).kind == "right"


def test_a_mean_over_the_axis_of_a_normalisation_is_not_a_sum():
    claim = f"dx = (g - mean(g) - h*sum(g*h))/s with {NORMAL}"
    verdict = bp.check(
        "(x - mean(x))/sqrt(var(x) + eps)",
        "x",
        claim,
        {"x": "n", "eps": ""},
        domain={"eps": "positive"},
    )
    assert (verdict.kind, verdict.mistake) == ("wrong", "missing_normalizer")
    assert "number of its terms" in verdict.message


def test_the_inverse_of_a_singular_matrix_agrees_with_nothing():
    """For n < d the matrix X.T @ X is singular: what rounding makes of its inverse is no proof."""
    verdict = bp.check("logdet(X @ X.T)", "X", "2*X @ inv(X.T @ X)", {"X": "n d"})
    assert verdict.kind in ("wrong", "undecided")
