"""Claims of a first course on neural networks, as a student writes them: right ones and slips.

Each entry: the expression, the symbol, the shapes, right claims in several forms, and wrong claims
with the names that their slip has (two names where one and the same edit is two omissions).
"""

from __future__ import annotations

from typing import NamedTuple


class Exercise(NamedTuple):
    """An expression with claims about its derivative."""

    f: str
    wrt: str
    shapes: dict[str, str]
    right: list[str]
    wrong: list[tuple[str, str]]


LSQ = {"X": "n d", "w": "d", "y": "n"}
Z = {"z": "K"}
NET = {"W": "h d", "x": "d", "b": "h", "v": "h"}
BATCH = {"X": "n d", "W": "d k", "Y": "n k", "b": "k"}
PAIR = {"A": "n n", "x": "n", "b": "n"}

EXERCISES = [
    Exercise(
        "sum((X @ w - y)**2)",
        "w",
        LSQ,
        [
            "2*X.T @ (X @ w - y)",
            "2*(X.T @ X @ w - X.T @ y)",
            "-2*X.T @ (y - X @ w)",
            "2*(X @ w - y) @ X",
            "J[j] = sum(i, 2*X[i,j]*(X @ w - y)[i])",
            r"2 X^T (X w - y)" + r"\,",
            "einsum('ij,i->j', X, 2*(X @ w - y))",
            "dw = 2*X.T @ (X @ w - y)*g",
        ],
        [
            ("X.T @ (X @ w - y)", "missing_factor"),
            ("2*X.T @ (X @ w + y)", "sign"),
            ("2*X.T @ X @ w", "missing_term"),
            ("2*X.T @ (X @ w - y)/n", "extra_factor"),
            ("-2*X.T @ (X @ w - y)", "sign"),
            ("2*X.T @ (y - X @ w)", "sign"),
            ("J[j] = 2*sum(i, X[i,j]*(X @ w)[i])", "missing_term"),
        ],
    ),
    Exercise(
        "sum((X @ w - y)**2)/(2*n)",
        "w",
        LSQ,
        [
            "X.T @ (X @ w - y)/n",
            "(X.T @ X @ w - X.T @ y)/n",
            "mean((X @ w - y)[:, None]*X, axis=0)",
        ],
        [
            ("X.T @ (X @ w - y)", "missing_normalizer"),
            ("2*X.T @ (X @ w - y)/n", "extra_factor"),
            ("X.T @ (X @ w - y)/d", "wrong_axis"),
            ("X.T @ (y - X @ w)/n", "sign"),
        ],
    ),
    Exercise(
        "sum((X @ w - y)**2) + c*sum(w**2)",
        "w",
        {**LSQ, "c": ""},
        ["2*X.T @ (X @ w - y) + 2*c*w", "2*(X.T @ X + c*eye(d)) @ w - 2*X.T @ y"],
        [
            ("2*X.T @ (X @ w - y) + c*w", "missing_factor"),
            ("2*X.T @ (X @ w - y)", "missing_term"),
            ("2*X.T @ (X @ w - y) - 2*c*w", "sign"),
            ("2*X.T @ (X @ w - y) + 2*w", "missing_factor"),
            ("2*X.T @ (X @ w - y) + 2*c*y @ X", "wrong_variable"),
        ],
    ),
    Exercise(
        "softmax(z)",
        "z",
        Z,
        [
            "diag(softmax(z)) - outer(softmax(z), softmax(z))",
            "J_ij = s_i*(δ_ij - s_j) with s = softmax(z)",
            "J[a,b] = [a==b]*softmax(z)[a] - softmax(z)[a]*softmax(z)[b]",
            "J = diag(s) - s[:, None]*s[None, :] with s = exp(z)/sum(exp(z))",
            "J[i,j] = exp(z[i] + z[j])*(δ_ij*exp(-z[j])/Σ_m exp(z[m]) - 1/(Σ_m exp(z[m]))**2)",
        ],
        [
            ("diag(softmax(z)) + outer(softmax(z), softmax(z))", "sign"),
            ("J[i,j] = softmax(z)[i]*(1 - softmax(z)[j])", "missing_delta"),
            ("J[i,j] = softmax(z)[i]*([i==j] - softmax(z)[i])", "wrong_axis"),
            ("J[i,j] = [i==j] - softmax(z)[i]*softmax(z)[j]", "missing_factor"),
            ("diag(softmax(z)*(1 - softmax(z)))", "scalar_rule"),
            ("diag(sigmoid(z)) - outer(softmax(z), softmax(z))", "wrong_function"),
            ("-outer(softmax(z), softmax(z))", "missing_term"),
        ],
    ),
    Exercise(
        "tanh(W @ x + b)",
        "x",
        NET,
        [
            "diag(1 - tanh(W @ x + b)**2) @ W",
            "(1 - tanh(W @ x + b)**2)[:, None]*W",
            "J[i,j] = W[i,j]/cosh((W @ x + b)[i])**2",
            "J[i,j] = W[i,j] - W[i,j]*tanh(W @ x + b)[i]**2",
        ],
        [
            ("W", "missing_chain"),
            ("diag(1 - tanh(W @ x)**2) @ W", "missing_term"),
            ("diag(1 + tanh(W @ x + b)**2) @ W", "sign"),
            ("diag(1 - sigmoid(W @ x + b)**2) @ W", "wrong_function"),
            ("diag(1 - tanh(W @ x + b)) @ W", "missing_factor"),
            ("J[i,j] = (1 - tanh(W @ x + b)[i]**2)", "missing_factor|missing_chain"),
        ],
    ),
    Exercise(
        "tanh(W @ x + b)",
        "W",
        NET,
        [
            "J[i,k,l] = (1 - tanh(W @ x + b)[i]**2)*[i==k]*x[l]",
            "J[i,k,l] = δ_ik*x[l]/cosh((W @ x + b)[k])**2",
        ],
        [
            ("J[i,k,l] = [i==k]*x[l]", "missing_chain"),
            ("J[i,k,l] = (1 - tanh(W @ x + b)[i]**2)*x[l]", "missing_delta"),
            ("J[i,k,l] = (1 - tanh(W @ x + b)[i]**2)*[i==k]", "missing_factor|missing_chain"),
        ],
    ),
    Exercise(
        "v @ relu(W @ x + b)",
        "W",
        NET,
        [
            "outer(v*(W @ x + b > 0), x)",
            "J[k,l] = v[k]*x[l]*[(W @ x + b)[k] > 0]",
            "(v*where(W @ x + b > 0, 1, 0))[:, None]*x",
        ],
        [
            ("outer(v, x)", "missing_chain"),
            ("outer(v*relu(W @ x + b), x)", "wrong_function"),
            ("outer(v*(W @ x > 0), x)", "missing_term"),
            ("-outer(v*(W @ x + b > 0), x)", "sign"),
            ("outer(b*(W @ x + b > 0), x)", "wrong_variable"),
        ],
    ),
    Exercise(
        "v @ sigmoid(W @ x + b)",
        "b",
        NET,
        [
            "v*sigmoid(W @ x + b)*(1 - sigmoid(W @ x + b))",
            "v*sigmoid(W @ x + b)*sigmoid(-W @ x - b)",
            "v*exp(-(W @ x + b))/(1 + exp(-(W @ x + b)))**2",
        ],
        [
            ("v", "missing_chain"),
            ("v*sigmoid(W @ x + b)", "missing_factor"),
            ("v*sigmoid(W @ x + b)*(1 + sigmoid(W @ x + b))", "sign"),
            ("sigmoid(W @ x + b)*(1 - sigmoid(W @ x + b))", "missing_factor"),
            ("v*tanh(W @ x + b)*(1 - sigmoid(W @ x + b))", "wrong_function"),
        ],
    ),
    Exercise(
        "-sum(Y*log_softmax(X @ W + b))/n",
        "b",
        {**BATCH},
        [
            "(softmax(X @ W + b)*sum(Y, axis=1, keepdims=True) - Y).T @ ones(n)/n",
            "J[j] = sum(i, softmax(X @ W + b)[i,j]*sum(Y, axis=1)[i] - Y[i,j])/n",
        ],
        [
            (
                "sum(softmax(X @ W + b)*sum(Y, axis=1, keepdims=True) - Y, axis=0)",
                "missing_normalizer",
            ),
            ("sum(softmax(X @ W + b) - Y, axis=0)/n", "assumed_normalised|missing_factor"),
        ],
    ),
    Exercise(
        "x @ A @ x + b @ x",
        "x",
        PAIR,
        [
            "(A + A.T) @ x + b",
            "A @ x + x @ A + b",
            "J[k] = sum(m, A[k,m]*x[m] + A[m,k]*x[m]) + b[k]",
        ],
        [
            ("(A + A.T) @ x", "missing_term"),
            ("A @ x + b", "missing_term|missing_path"),
            ("(A - A.T) @ x + b", "sign"),
            ("(A + A.T) @ x - b", "sign"),
            ("(A + A.T) @ b + b", "wrong_variable"),
            ("(A + A.T) @ x + x", "wrong_variable"),
        ],
    ),
    Exercise(
        "logdet(A)",
        "A",
        {"A": "n n"},
        ["inv(A).T", "inv(A.T)", "J[i,j] = inv(A)[j,i]"],
        [
            ("-inv(A).T", "sign"),
            ("A.T", "wrong_function"),
            ("2*inv(A).T", "extra_factor"),
            ("det(A)*inv(A).T", "extra_factor|missing_chain"),
        ],
    ),
    Exercise(
        "det(A)",
        "A",
        {"A": "n n"},
        ["det(A)*inv(A).T", "J[i,j] = det(A)*inv(A)[j,i]"],
        [
            ("det(A)*A.T", "wrong_function"),
            ("inv(A).T", "missing_factor"),
            ("-det(A)*inv(A).T", "sign"),
        ],
    ),
    Exercise(
        "trace(A @ B @ A)",
        "A",
        {"A": "n n", "B": "n n"},
        [
            "(B @ A + A @ B).T",
            "A.T @ B.T + B.T @ A.T",
            "J[i,j] = sum(m, B[j,m]*A[m,i] + A[j,m]*B[m,i])",
        ],
        [
            ("(B @ A).T", "missing_term|missing_path"),
            ("2*(A @ B).T", "scalar_rule"),
            ("(B @ A - A @ B).T", "sign"),
        ],
    ),
    Exercise(
        "trace(A @ B)",
        "A",
        {"A": "n d", "B": "d n"},
        ["B.T", "J[i,j] = B[j,i]"],
        [("2*B.T", "extra_factor"), ("-B.T", "sign"), ("A", "wrong_variable")],
    ),
    Exercise(
        "norm(x)",
        "x",
        {"x": "n"},
        ["x/norm(x)", "x/sqrt(sum(x**2))", "x/sqrt(x @ x)"],
        [
            ("x", "missing_normalizer"),
            ("2*x", "missing_chain"),
            ("-x/norm(x)", "sign"),
            ("x/norm(x)**2", "extra_factor|missing_factor"),
            ("2*x/norm(x)", "extra_factor"),
        ],
    ),
    Exercise(
        "norm(X @ w - y)**2",
        "X",
        LSQ,
        ["2*outer(X @ w - y, w)", "J[i,j] = 2*w[j]*(X @ w - y)[i]"],
        [
            ("outer(X @ w - y, w)", "missing_factor"),
            ("2*outer(X @ w, w)", "missing_term"),
            ("2*outer(X @ w + y, w)", "sign"),
            ("2*outer(y, w)", "wrong_variable|missing_term"),
        ],
    ),
    Exercise(
        "-(t*log(p) + (1 - t)*log(1 - p))",
        "p",
        {"t": "", "p": ""},
        ["(1 - t)/(1 - p) - t/p", "(p - t)/(p*(1 - p))"],
        [
            ("(1 - t)/(1 - p) + t/p", "sign"),
            ("-t/p", "missing_term"),
            ("p - t", "missing_normalizer"),
            ("(1 - t)/(1 - p) - t", "missing_chain|missing_factor"),
        ],
    ),
    Exercise(
        "softplus(-m*s)",
        "s",
        {"m": "", "s": ""},
        ["-m*sigmoid(-m*s)", "-m/(1 + exp(m*s))", "m*(sigmoid(m*s) - 1)"],
        [
            ("-sigmoid(-m*s)", "missing_chain"),
            ("m*sigmoid(-m*s)", "sign"),
            ("-m*softplus(-m*s)", "wrong_function"),
            ("-m*sigmoid(m*s)", "sign"),
        ],
    ),
    Exercise(
        "(x - mean(x))/sqrt(var(x))",
        "x",
        {"x": "n"},
        ["eye(n)/sqrt(var(x)) - var(x)**(-0.5)/n - outer(x - mean(x), x - mean(x))/n/var(x)**1.5"],
        [
            ("eye(n)/sqrt(var(x))", "missing_path"),
            (
                "eye(n)/sqrt(var(x)) - outer(x - mean(x), x - mean(x))/n/var(x)**1.5",
                "missing_path",
            ),
            (
                "eye(n)/sqrt(var(x)) - var(x)**(-0.5)/n"
                " + outer(x - mean(x), x - mean(x))/n/var(x)**1.5",
                "sign",
            ),
            (
                "eye(n)/sqrt(var(x)) - var(x)**(-0.5)/n"
                " - outer(x - mean(x), x - mean(x))/var(x)**1.5",
                "missing_normalizer",
            ),
        ],
    ),
    Exercise(
        "softmax(Q @ K.T/sqrt(d)) @ V",
        "V",
        {"Q": "n d", "K": "m d", "V": "m v"},
        [
            "J[i,j,a,b] = softmax(Q @ K.T/sqrt(d))[i,a]*[j==b]",
            "dV = softmax(Q @ K.T/sqrt(d)).T @ G",
        ],
        [
            ("J[i,j,a,b] = softmax(Q @ K.T/sqrt(d))[i,a]", "missing_delta"),
            ("J[i,j,a,b] = softmax(Q @ K.T)[i,a]*[j==b]", "missing_normalizer"),
            ("J[i,j,a,b] = softmax(Q @ K.T/sqrt(d))[i,a]*[i==b]", "wrong_delta"),
            ("J[i,j,a,b] = (Q @ K.T/sqrt(d))[i,a]*[j==b]", "wrong_function"),
        ],
    ),
    Exercise(
        "X @ W + b",
        "W",
        BATCH,
        ["J[i,j,k,l] = X[i,k]*[j==l]", "dW = X.T @ G"],
        [
            ("J[i,j,k,l] = X[i,k]", "missing_delta"),
            ("J[i,j,k,l] = X[k,i]*[j==l]", "transposed"),
            ("J[i,j,k,l] = X[i,k]*[i==l]", "wrong_delta"),
            ("dW = -X.T @ G", "sign"),
            ("dW = 2*X.T @ G", "extra_factor"),
            ("dW = X.T @ Y", "wrong_variable"),
        ],
    ),
    Exercise(
        "X @ W + b",
        "b",
        BATCH,
        ["db = sum(G, axis=0)", "J[i,j,l] = [j==l]"],
        [
            ("db = G[0]", "missing_sum"),
            ("db = mean(G, axis=0)", "extra_factor"),
            ("db = -sum(G, axis=0)", "sign"),
            ("db = sum(X @ W, axis=0)", "wrong_variable"),
        ],
    ),
    Exercise(
        "sum(exp(x))",
        "x",
        {"x": "n"},
        ["exp(x)", "J[i] = exp(x[i])"],
        [
            ("sum(exp(x))*ones(n)", "missing_delta"),
            ("x*exp(x)", "extra_factor"),
            ("-exp(x)", "sign"),
            ("log(x)", "wrong_function"),
        ],
    ),
    Exercise(
        "logsumexp(A @ x)",
        "x",
        {"A": "m n", "x": "n"},
        ["A.T @ softmax(A @ x)", "softmax(A @ x) @ A", "A.T @ exp(A @ x)/sum(exp(A @ x))"],
        [
            ("A.T @ exp(A @ x)", "missing_normalizer"),
            ("A.T @ sigmoid(A @ x)", "wrong_function"),
            ("-A.T @ softmax(A @ x)", "sign"),
        ],
    ),
    Exercise(
        "x*sigmoid(x)",
        "x",
        {"x": "n"},
        [
            "diag(sigmoid(x) + x*sigmoid(x)*(1 - sigmoid(x)))",
            "diag(sigmoid(x)*(1 + x*(1 - sigmoid(x))))",
        ],
        [
            ("diag(sigmoid(x)*(1 - sigmoid(x)))", "missing_term"),
            ("diag(sigmoid(x) + x)", "missing_chain"),
            ("diag(sigmoid(x))", "missing_path|missing_term"),
            ("diag(sigmoid(x) - x*sigmoid(x)*(1 - sigmoid(x)))", "sign"),
        ],
    ),
    Exercise(
        "A @ x",
        "A",
        {"A": "m n", "x": "n"},
        ["J[i,k,l] = [i==k]*x[l]", "dA = outer(G, x)"],
        [
            ("J[i,k,l] = x[l]", "missing_delta"),
            ("J[i,k,l] = [i==k]", "missing_factor"),
            ("dA = outer(x, G)", "wrong_shape"),
            ("J[i,k,l] = -[i==k]*x[l]", "sign"),
        ],
    ),
    Exercise(
        "inv(A) @ b",
        "b",
        {"A": "n n", "b": "n"},
        ["inv(A)"],
        [("A", "wrong_function"), ("-inv(A)", "sign")],
    ),
    Exercise(
        "exp(-x @ x/2)",
        "x",
        {"x": "n"},
        ["-x*exp(-x @ x/2)", "-exp(-sum(x**2)/2)*x"],
        [
            ("-x", "missing_chain|missing_factor"),
            ("x*exp(-x @ x/2)", "sign"),
            ("-2*x*exp(-x @ x/2)", "extra_factor"),
            ("-x*exp(x @ x/2)", "sign"),
            ("exp(-x @ x/2)*ones(n)", "missing_factor"),
        ],
    ),
    Exercise(
        "sum(log(1 + exp(X @ w)) - y*(X @ w))",
        "w",
        LSQ,
        [
            "X.T @ (sigmoid(X @ w) - y)",
            "X.T @ sigmoid(X @ w) - X.T @ y",
            "X.T @ (1/(1 + exp(-X @ w)) - y)",
        ],
        [
            ("X.T @ (sigmoid(X @ w) + y)", "sign"),
            ("X.T @ sigmoid(X @ w)", "missing_term"),
            ("X.T @ (exp(X @ w) - y)", "wrong_function|missing_normalizer"),
            ("X.T @ (tanh(X @ w) - y)", "wrong_function"),
            ("X.T @ (sigmoid(X @ w) - y)/n", "extra_factor"),
        ],
    ),
    Exercise(
        "(a @ x)**3",
        "x",
        {"a": "n", "x": "n"},
        ["3*(a @ x)**2*a", "3*a*(x @ a)**2"],
        [
            ("3*(a @ x)**2", "wrong_shape"),
            ("3*(a @ x)**2*x", "wrong_variable"),
            ("(a @ x)**2*a", "missing_factor"),
            ("3*(a @ x)*a", "missing_factor"),
            ("2*(a @ x)**2*a", "missing_factor"),
        ],
    ),
    Exercise(
        "x/sum(x)",
        "x",
        {"x": "n"},
        ["eye(n)/sum(x) - outer(x, ones(n))/sum(x)**2"],
        [
            ("eye(n)/sum(x)", "missing_path"),
            ("eye(n)/sum(x) + outer(x, ones(n))/sum(x)**2", "sign"),
            ("eye(n) - outer(x, ones(n))/sum(x)**2", "missing_normalizer"),
            ("eye(n)/sum(x) - outer(x, ones(n))/sum(x)", "missing_normalizer|missing_factor"),
        ],
    ),
]
