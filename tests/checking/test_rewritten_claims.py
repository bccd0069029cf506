"""Right claims rewritten by identities and notations, conventions, and slips in claims with names.

The values of right claims were compared with difference quotients by a script of its own.
"""

from __future__ import annotations

import pytest

from backprove.checking import check, check_equality
from backprove.errors import NotationError

Z = {"z": "K"}
X = {"x": "n"}
LSQ = {"X": "n d", "w": "d", "y": "n"}
LAYER = {"X": "n d", "W": "d k"}
MLP = {"W2": "k h", "W1": "h d", "x": "d", "b1": "h", "b2": "k", "y": "k"}
LOSS = "sum((W2 @ tanh(W1 @ x + b1) + b2 - y)**2)/2"
HIDDEN = "with h = tanh(W1 @ x + b1)"
NORM = "(x - mean(x))/sqrt(var(x) + eps)"
NAMES = "with s = sqrt(var(x) + eps), h = (x - mean(x))/s"

RIGHT = [
    ("sigmoid(z)", "z", Z, "diag(1/(2 + exp(z) + exp(-z)))"),
    ("sigmoid(z)", "z", Z, "diag((1 - tanh(z/2)**2)/4)"),
    ("log(1 + exp(x))", "x", X, "J[r,s] = [r==s]*(1 + tanh(x[r]/2))/2"),
    ("softmax(z)", "z", Z, "s[:, None]*(eye(K) - s) with s = softmax(z)"),
    ("softmax(z)", "z", Z, "(eye(K) - outer(s, ones(K))) @ diag(s) with s = softmax(z)"),
    ("logsumexp(z)", "z", Z, "g_k = 1/Σ_m exp(z_m - z_k)"),
    ("sum(exp(-x**2/2))", "x", X, "-x/exp(x*x/2)"),
    ("elu(x, 1)", "x", X, "diag(exp(minimum(x, 0)))"),
    ("maximum(x, y)", "x", {"x": "n", "y": "n"}, "diag((1 + sign(x - y))/2)"),
    ("prod(x)", "x", X, "prod(x)/x"),
    ("cumsum(x)", "x", X, "J[i,j] = [j<=i]"),
    ("x[1:] - x[:-1]", "x", X, "J[i,j] = [j==i+1] - [j==i]"),
    (LOSS, "W1", MLP, f"outer(W2.T @ (W2 @ h + b2 - y)*(1 - h**2), x) {HIDDEN}"),
    ("sum((X @ w - y)**2)/n", "w", LSQ, "2*mean(X*(X @ w - y)[:, None], axis=0)"),
    ("sum((X @ w - y)**2)/n", "w", LSQ, "np.dot(X.T, X @ w - y)*2/n"),
    ("X @ W", "W", LAYER, "dW[i,j] = sum(k, X[k,i]*G[k,j])"),
    ("X @ W", "W", LAYER, "dW_ij = Σ_k X_ki G_kj"),
    ("X @ W", "W", LAYER, "dL/dW = X.T @ G"),
    ("X @ W", "W", LAYER, "dW = X.T @ dZ"),
    (
        "tanh(X @ W)", "W", LAYER,
        "dW = X.T @ dZ with h = tanh(X @ W), dZ = G*(1 - h**2)",
    ),
    ("softmax(z)", "z", Z, "dz_i = s_i*(g_i - Σ_j s_j g_j) with s = softmax(z)"),
]  # fmt: skip

SLIPS = [
    ("softmax(z)", "z", Z, r"J_{ij} = \sigma(z)_i (\delta_{ij} - \sigma(z)_j)", "wrong_function"),
    (
        "softmax(z/T)", "z", {"z": "K", "T": ""},
        "(diag(softmax(z)) - outer(softmax(z), softmax(z)))/T", "missing_chain",
    ),
    ("sum(exp(-x**2/2))", "x", X, "exp(-x**2/2)", "missing_chain"),
    ("sum((X @ w - y)**2)", "w", LSQ, "4*X.T @ (X @ w - y)", "extra_factor"),
    ("sum((X @ w - y)**2)", "w", LSQ, "2*X.T @ (X @ w - w)", "wrong_variable"),
    (LOSS, "W1", MLP, f"outer(W2.T @ (W2 @ h + b2 - y)*(1 + h**2), x) {HIDDEN}", "sign"),
    (LOSS, "W1", MLP, f"outer(W2.T @ (W2 @ h + b2)*(1 - h**2), x) {HIDDEN}", "missing_term"),
    (LOSS, "W1", MLP, f"outer(W2.T @ (W2 @ h + b2 - y), x) {HIDDEN}", "missing_chain"),
    (LOSS, "W1", MLP, f"outer(W2.T @ (W2 @ h + b2 - y)*(h*(1 - h)), x) {HIDDEN}", "wrong_function"),
    (NORM, "x", {"x": "n", "eps": ""}, f"(eye(n) - 1/n + outer(h, h)/n)/s {NAMES}", "sign"),
    (
        NORM, "x", {"x": "n", "eps": ""},
        f"(eye(n) - 1/n - outer(h, h))/s {NAMES}", "missing_normalizer",
    ),
    (
        NORM, "x", {"x": "n", "eps": ""},
        "(eye(n) - 1/n - outer(h, h)/n)/s with s = sqrt(var(x)), h = (x - mean(x))/s",
        "missing_term",
    ),
    (
        "W2 @ sigmoid(W1 @ x)", "x", MLP,
        "W2 @ diag(1 - s**2) @ W1 with s = sigmoid(W1 @ x)", "wrong_function",
    ),
    (
        "sum(relu(W1 @ x + b1))", "x", MLP, "W1.T @ (W1 @ x > 0)", "missing_term",
    ),
    ("X @ W", "W", LAYER, "J[i,j,k,l] = X[i,l]*[j==k]", "wrong_axis"),
    ("X @ W", "W", LAYER, "dW_ij = Σ_k X_ki G_jk", "transposed"),
    ("X @ W", "W", LAYER, "dW[i,j] = sum(k, X[k,i]*G[k,j])/n", "extra_factor"),
    ("X @ W", "W", LAYER, "G[i,j] = X[i,j]", "wrong_shape"),
    ("softmax(z)", "z", Z, "dz = g", "missing_chain"),
]  # fmt: skip

EQUALITIES = [
    ("sin(z)**2 + cos(z)**2 == 1", Z, "right", None),
    ("sum(softmax(z)) == 1", Z, "right", None),
    ("tanh(z) == 2*sigmoid(z) - 1", Z, "wrong", "missing_factor"),
    ("(A @ B).T == A.T @ B.T", {"A": "n n", "B": "n n"}, "wrong", "wrong_order"),
    ("x @ A @ y == y @ A @ x", {"A": "n n", "x": "n", "y": "n"}, "wrong", "transposed"),
    ("softmax(2*z) == 2*softmax(z)", Z, "wrong", None),
]


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim"), RIGHT)
def test_a_rewritten_right_claim_is_right(f, wrt, shapes, claim) -> None:
    verdict = check(f, wrt, claim, shapes)
    assert (verdict.kind, verdict.claim) == ("right", claim), verdict.message


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim", "mistake"), SLIPS)
def test_a_slip_is_named_and_its_repair_is_right(f, wrt, shapes, claim, mistake) -> None:
    verdict = check(f, wrt, claim, shapes)
    assert verdict.kind == "wrong"
    assert mistake in (verdict.mistake, *verdict.also), verdict.message
    assert verdict.fixed is not None
    assert check(f, wrt, verdict.fixed, shapes).kind == "right"


@pytest.mark.parametrize(("claim", "shapes", "kind", "mistake"), EQUALITIES)
def test_an_equality_has_its_mistake_named_and_repaired(claim, shapes, kind, mistake) -> None:
    verdict = check_equality(claim, shapes)
    assert (verdict.kind, verdict.mistake) == (kind, mistake), verdict.message
    if mistake is not None:
        assert verdict.fixed is not None
        left, _, right = verdict.fixed.partition("==")
        assert left.strip() != right.strip()
        assert check_equality(verdict.fixed, shapes).kind == "right"


@pytest.mark.parametrize("claim", ["A.T", "J[i,j] = A[j,i]"])
def test_the_layout_that_was_ruled_out_is_named_and_put_right(claim: str) -> None:
    shapes = {"A": "n n", "x": "n"}
    verdict = check("A @ x", "x", claim, shapes, layout="numerator")
    assert (verdict.kind, verdict.mistake) == ("wrong", "layout_mixed")
    assert verdict.fixed is not None
    assert check("A @ x", "x", verdict.fixed, shapes, layout="numerator").kind == "right"


BRANCHES = [
    ("relu(w*x + b)", "x", "w*(w*x > 0)", "w*(w*x + b > 0)"),
    ("relu(w*x + b)", "x", "w*(x > 0)", "w*(w*x + b > 0)"),
    ("maximum(x, b)", "x", "x > 0", "x > b"),
    ("abs(x - b)", "x", "sign(x)", "sign(x - b)"),
    ("relu(relu(x) - b)", "x", "x > b", "(x > b)*(x > 0)"),
]


@pytest.mark.parametrize(("f", "wrt", "wrong", "right"), BRANCHES)
def test_conditions_that_agree_at_most_points_are_told_apart(f, wrt, wrong, right) -> None:
    shapes = {"w": "", "x": "", "b": ""}
    verdict = check(f, wrt, wrong, shapes)
    assert verdict.kind == "wrong" and verdict.fixed is not None
    assert check(f, wrt, verdict.fixed, shapes).kind == "right"
    assert check(f, wrt, right, shapes).kind == "right"


def test_no_assumption_is_found_where_conditions_agree_by_chance() -> None:
    verdict = check("sum(relu(W1 @ x + b1))", "x", "W1.T @ (W1 @ x > 0)", MLP)
    assert verdict.kind == "wrong", verdict.under


def test_a_claim_with_an_entry_that_is_never_finite_is_not_right() -> None:
    assert check("x", "x", "J[i,j] = 1/[i==j]", X).kind in ("wrong", "undecided")


def test_a_claim_that_divides_by_structural_zeros_is_refused_where_it_does() -> None:
    with pytest.raises(NotationError, match=r"division by zero: 'eye\(n\)' has entries that are 0"):
        check("x", "x", "1/eye(n)", X)


def test_an_answer_of_several_lines_is_judged_as_a_whole() -> None:
    hidden = "h = tanh(X @ W)\ndZ = G*(1 - h**2)\n"
    for lines, kind in (
        (hidden + "dW = X.T @ dZ", "right"),
        (hidden + "dW = X.T @ dZ\ndX = dZ @ W.T", "right"),
        (hidden + "dW = X.T @ G", "wrong"),
        (hidden + "dW = X.T @ dZ\ndX = G @ W.T", "wrong"),
        ("dZ = G; dW = X.T @ dZ", "wrong"),
    ):
        assert check("tanh(X @ W)", "W", lines, LAYER).kind == kind, lines


def test_a_symbol_that_begins_like_the_upstream_gradient_is_not_taken_for_it() -> None:
    shapes = {"X": "n d", "W": "d k", "G1": "n k"}
    assert check("X @ W*G1", "W", "dW = X.T @ (G*G1)", shapes).kind == "right"
    assert check("X @ W*G1", "W", "dW = X.T @ (G*G)", shapes).kind == "wrong"


def test_the_same_claim_gets_the_same_text_again() -> None:
    claim = f"outer(W2.T @ (W2 @ h + b2 - y)*(1 + h**2), x) {HIDDEN}"
    first, second = (check(LOSS, "W1", claim, MLP) for _ in range(2))
    assert first.message == second.message


COUNTED = [
    (r"J_i = x_{i-1}[i > 1] + x_{i+1}[i < d]", "counted from 1; in text"),
    (r"J_{i} = x_{i-1}\,[i > 0] + x_{i+1}\,[i < d-1]", "counted from 0; in LaTeX"),
]


@pytest.mark.parametrize(("claim", "part"), COUNTED)
def test_a_wrong_claim_that_counts_entries_otherwise_is_told_so(claim: str, part: str) -> None:
    verdict = check("sum(x[1:]*x[:-1])", "x", claim, {"x": "d"})
    assert verdict.kind == "wrong"
    assert part in verdict.message
    latex = r"J_{i} = x_{i-1}\,[i > 1] + x_{i+1}\,[i < d]"
    assert check("sum(x[1:]*x[:-1])", "x", latex, {"x": "d"}).kind == "right"


LINEAR = {"X": "n d", "W": "k d"}
VJPS = [
    ("dL/dW = (dL/dY).T @ X", "right"),
    ("dL/dW = X.T @ (dL/dY)", "wrong"),
    ("W_bar = Y_bar.T @ X", "right"),
    ("W_grad = grad_out.T @ X", "right"),
    ("grad_W = X.T @ grad_out", "wrong"),
    ("dL/dW_ij = Σ_m dL/dY_mi X_mj", "right"),
    (r"\frac{\partial L}{\partial W} = \left(\frac{\partial L}{\partial Y}\right)^\top X", "right"),
    (r"\frac{\partial L}{\partial W} = X^\top \frac{\partial L}{\partial Y}", "wrong"),
    (r"\bar W = G^\top X", "right"),
    (r"\overline{W} = \overline{Y}^\top X", "right"),
    (r"\bar W_{ij} = \sum_m \bar{Y}_{mi} X_{mj}", "right"),
    (r"\bar W_{ij} = \sum_m \bar{Y}_{mj} X_{mi}", "wrong"),
    (r"\nabla_W L = (\nabla_Y L)^\top X", "right"),
    (
        r"\frac{\partial L}{\partial W_{ij}} = \sum_{m} \frac{\partial L}{\partial Y_{mi}} X_{mj}",
        "right",
    ),
]


@pytest.mark.parametrize(("claim", "kind"), VJPS)
def test_a_vjp_is_read_however_the_gradient_of_a_later_scalar_is_written(claim, kind) -> None:
    assert check("X @ W.T", "W", claim, LINEAR).kind == kind


LEFT_SIDES = [
    ("tanh(x)", "x", {"x": ""}, "f'(x) = 1 - tanh(x)**2", 1),
    ("tanh(x)", "x", {"x": ""}, r"\phi'(x) = 1 - \tanh^2 x", 1),
    ("x**3", "x", {"x": ""}, "f''(x) = 6*x", 2),
    ("x[0]*x[1]", "x", {"x": "d"}, r"\nabla f_i = x_2 [i = 1] + x_1 [i = 2]", 1),
    ("sum(x**2)", "x", {"x": "d"}, r"(\nabla f)_i = 2 x_i", 1),
    ("sum(x**2)", "x", {"x": "d"}, r"\left[\nabla_x f\right]_{i} = 2 x_i", 1),
]


@pytest.mark.parametrize(("f", "wrt", "shapes", "claim", "order"), LEFT_SIDES)
def test_usual_left_sides_are_read(f, wrt, shapes, claim, order) -> None:
    assert check(f, wrt, claim, shapes, order=order).kind == "right"
    assert check(f, wrt, claim.replace("=", "= 2*" if "\\" not in claim else "= 3", 1), shapes,
                 order=order).kind == "wrong"  # fmt: skip


@pytest.mark.parametrize(
    "claim", [r"\frac{\partial s_1}{\partial z_2} = -s_1 s_2", "ds1/dz2 = -s1*s2", "∂s_1/∂z_2 = 0"]
)
def test_one_entry_alone_is_refused_and_not_judged(claim: str) -> None:
    with pytest.raises(NotationError, match="one entry of a derivative"):
        check("softmax(z)", "z", claim, {"z": "k"})


def test_a_wrong_claim_about_single_entries_is_judged_at_sizes_that_have_them() -> None:
    # No scalar rule can be looked for at sizes 1: the entry x[1] assumes two entries.
    for claim in ("J[i] = 3*x[1]*[i==0] + x[0]*[i==0]", "x[1]*eye(d)[1] + x[0]*eye(d)[0]"):
        assert check("x[0]*x[1]", "x", claim, {"x": "d"}).kind == "wrong"
