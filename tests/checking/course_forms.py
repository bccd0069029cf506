"""Derivatives of a course, each in forms that say the same: layers, losses, traces, norms.

Each entry: the expression, the symbol, the shapes, then right claims. The forms differ by
identities (of sigmoid and tanh, of traces and determinants, of deltas), in notation (indices,
einsum, LaTeX, VJPs) and in how far they are multiplied out.
"""

from __future__ import annotations

from typing import NamedTuple


class Forms(NamedTuple):
    """An expression with right claims about its derivative."""

    f: str
    wrt: str
    shapes: dict[str, str]
    right: list[str]


V = {"x": "n"}
M = {"A": "n n"}
PAIR = {"A": "n n", "B": "n n"}
LAYER = {"W": "h d", "x": "d", "b": "h", "v": "h"}
LSQ = {"X": "n d", "w": "d", "y": "n"}
DENSE = {"X": "n d", "W": "d k", "b": "k"}
ATTENTION = {"Q": "n d", "K": "m d", "V": "m v"}

FORMS = [
    # --- activations of one layer ------------------------------------------------------------
    Forms("sigmoid(z)", "z", {"z": "n"}, [
        "diag(sigmoid(z)*(1 - sigmoid(z)))",
        "diag(sigmoid(z)*sigmoid(-z))",
        "diag(1/(1 + exp(-z))*(1 - 1/(1 + exp(-z))))",
        "diag(exp(-z)/(1 + exp(-z))**2)",
        "diag((1 - tanh(z/2)**2)/4)",
        "J[i,j] = sigmoid(z)[i]*(1 - sigmoid(z)[i])*delta[i,j]",
        "J_ij = δ_ij*sigmoid(z_i)*(1 - sigmoid(z_j))",
        "J[i,j] = (i==j)*(sigmoid(z)[j] - sigmoid(z)[j]**2)",
        r"J_{ij} = \delta_{ij} \sigma(z_i) (1 - \sigma(z_i))",
        "dz = G*sigmoid(z)*(1 - sigmoid(z))",
        "eye(n)*(sigmoid(z) - sigmoid(z)**2)",
    ]),
    Forms("tanh(z)", "z", {"z": "n"}, [
        "diag(1 - tanh(z)**2)",
        "diag(1/cosh(z)**2)",
        "diag(4*sigmoid(2*z)*(1 - sigmoid(2*z)))",
        "diag((1 - tanh(z))*(1 + tanh(z)))",
        "J[i,j] = [i==j]*(1 - tanh(z[i])**2)",
        "J_ij = δ_ij*(1 - tanh(z_j)**2)",
        r"J = \operatorname{diag}(1 - \tanh^2(z))",
        "dz = G - G*tanh(z)**2",
        "eye(n) - diag(tanh(z)**2)",
        "J[i,j] = 4*(i==j)/(exp(z[i]) + exp(-z[i]))**2",
    ]),
    Forms("relu(z)", "z", {"z": "n"}, [
        "diag(z > 0)",
        "J[i,j] = [i==j]*[z[i] > 0]",
        "J[i,j] = [i==j]*(z[j] > 0)",
        "diag((sign(z) + 1)/2)",
        "diag(where(z > 0, 1, 0))",
        "dz = G*(z > 0)",
        "dz = where(z > 0, G, 0)",
    ]),
    Forms("leaky_relu(z, 0.1)", "z", {"z": "n"}, [
        "diag(where(z > 0, 1, 0.1))",
        "diag((z > 0) + 0.1*(z <= 0))",
        "J[i,j] = [i==j]*(0.1 + 0.9*[z[i] > 0])",
        "dz = G*where(z > 0, 1, 0.1)",
    ]),
    Forms("softplus(z)", "z", {"z": "n"}, [
        "diag(sigmoid(z))",
        "diag(1/(1 + exp(-z)))",
        "diag(exp(z)/(1 + exp(z)))",
        "diag(exp(z - log1p(exp(z))))",
        "diag(exp(z - softplus(z)))",
        "diag(exp(-softplus(-z)))",
        "J[i,j] = δ_ij*(1 + tanh(z_i/2))/2",
        "dz = sigmoid(z)*G",
    ]),
    Forms("silu(z)", "z", {"z": "n"}, [
        "diag(sigmoid(z)*(1 + z*(1 - sigmoid(z))))",
        "diag(sigmoid(z) + z*sigmoid(z)*sigmoid(-z))",
        "diag(silu(z) + sigmoid(z)*(1 - silu(z)))",
        "J[i,j] = [i==j]*(sigmoid(z[i]) + z[i]*sigmoid(z[i])*(1 - sigmoid(z[i])))",
        "dz = G*(sigmoid(z) + z*sigmoid(z)*(1 - sigmoid(z)))",
    ]),
    Forms("gelu(z)", "z", {"z": "n"}, [
        "diag((1 + erf(z/sqrt(2)))/2 + z*exp(-z**2/2)/sqrt(2*pi))",
        "J[i,j] = [i==j]*(0.5*(1 + erf(z[i]/sqrt(2))) + z[i]*exp(-z[i]**2/2)/sqrt(2*pi))",
        "dz = G*(0.5*(1 + erf(z/sqrt(2))) + z*exp(-0.5*z*z)/sqrt(2*pi))",
    ]),
    Forms("elu(z)", "z", {"z": "n"}, [
        "diag(where(z > 0, 1, exp(z)))",
        "diag(where(z > 0, 1, elu(z) + 1))",
        "diag(exp(minimum(z, 0)))",
        "dz = G*where(z > 0, 1, exp(z))",
    ]),
    Forms("softsign(z)", "z", {"z": "n"}, [
        "diag(1/(1 + abs(z))**2)",
        "J[i,j] = [i==j]*(1 - abs(softsign(z[i])))**2",
    ]),
    Forms("logsigmoid(z)", "z", {"z": "n"}, [
        "diag(sigmoid(-z))",
        "diag(1 - sigmoid(z))",
        "diag(1/(1 + exp(z)))",
        "eye(n) - diag(sigmoid(z))",
        "J[i,j] = δ_ij*(1 - 1/(1 + exp(-z_i)))",
    ]),
    # --- layers ------------------------------------------------------------------------------
    Forms("sigmoid(W @ x + b)", "x", LAYER, [
        "diag(sigmoid(W @ x + b)*(1 - sigmoid(W @ x + b))) @ W",
        "(s*(1 - s))[:, None]*W with s = sigmoid(W @ x + b)",
        "J[i,j] = s[i]*(1 - s[i])*W[i,j] with s = sigmoid(W @ x + b)",
        "J_ij = s_i*(1 - s_i)*W_ij with s = sigmoid(W @ x + b)",
        "dx = W.T @ (G*sigmoid(W @ x + b)*(1 - sigmoid(W @ x + b)))",
        "dx = (G*s*(1 - s)) @ W with s = sigmoid(W @ x + b)",
        "diag(s) @ W - diag(s**2) @ W with s = sigmoid(W @ x + b)",
    ]),
    Forms("relu(W @ x + b)", "W", LAYER, [
        "J[i,k,l] = [i==k]*x[l]*[(W @ x + b)[i] > 0]",
        "J[i,k,l] = delta[k,i]*x[l]*((W @ x + b)[k] > 0)",
        "dW = outer(G*(W @ x + b > 0), x)",
        "dW = (G*(W @ x + b > 0))[:, None]*x[None, :]",
        "einsum('ik,i,l->ikl', eye(h), W @ x + b > 0, x)",
    ]),
    Forms("v @ tanh(W @ x + b)", "W", LAYER, [
        "outer(v*(1 - tanh(W @ x + b)**2), x)",
        "(v*(1 - a**2))[:, None]*x with a = tanh(W @ x + b)",
        "J[k,l] = v[k]*x[l]*(1 - tanh(W @ x + b)[k]**2)",
        "J_kl = v_k*x_l - v_k*a_k**2*x_l with a = tanh(W @ x + b)",
        "outer(v, x) - outer(v*tanh(W @ x + b)**2, x)",
        "diag(1 - tanh(W @ x + b)**2) @ outer(v, x)",
        "dW = G*outer(v*(1 - tanh(W @ x + b)**2), x)",
    ]),
    Forms("v @ tanh(W @ x + b)", "x", LAYER, [
        "W.T @ (v*(1 - tanh(W @ x + b)**2))",
        "(v*(1 - tanh(W @ x + b)**2)) @ W",
        "W.T @ diag(1 - tanh(W @ x + b)**2) @ v",
        "J[j] = Σ_m v[m]*(1 - tanh(W @ x + b)[m]**2)*W[m,j]",
        "W.T @ v - W.T @ (v*tanh(W @ x + b)**2)",
        "sum(W*(v*(1 - tanh(W @ x + b)**2))[:, None], axis=0)",
    ]),
    Forms("v @ tanh(W @ x + b)", "v", LAYER, [
        "tanh(W @ x + b)", "tanh(x @ W.T + b)", "2*sigmoid(2*(W @ x + b)) - 1",
        "1 - 2*sigmoid(-2*(W @ x + b))",
    ]),
    Forms("v @ gelu(W @ x + b)", "b", LAYER, [
        "v*((1 + erf(u/sqrt(2)))/2 + u*exp(-u**2/2)/sqrt(2*pi)) with u = W @ x + b",
        "J[k] = v[k]*(0.5 + 0.5*erf(u[k]/sqrt(2)) + u[k]*exp(-u[k]**2/2)/sqrt(2*pi))"
        " with u = W @ x + b",
    ]),
    Forms("X @ W + b", "X", DENSE, [
        "J[i,j,k,l] = [i==k]*W[l,j]",
        "J_ijkl = δ_ik*W_lj",
        r"J_{ijkl} = \delta_{ik} W_{lj}",
        "dX = G @ W.T",
        r"dX = G W^T",
        r"dX = G W^{\top}",
        "einsum('ik,lj->ijkl', eye(n), W)",
        "J[i,j,k,l] = (i==k)*W.T[j,l]",
    ]),
    Forms("relu(X @ W + b)", "W", DENSE, [
        "dW = X.T @ (G*(X @ W + b > 0))",
        "dW = X.T @ where(X @ W + b > 0, G, 0)",
        "J[i,j,k,l] = [(X @ W + b)[i,j] > 0]*X[i,k]*[j==l]",
        "dW = einsum('ik,ij->kj', X, G*(X @ W + b > 0))",
    ]),
    Forms("relu(X @ W + b)", "b", DENSE, [
        "db = sum(G*(X @ W + b > 0), axis=0)",
        "db = ones(n) @ (G*(X @ W + b > 0))",
        "db = n*mean(G*(X @ W + b > 0), axis=0)",
        "J[i,j,k] = [j==k]*[(X @ W + b)[i,k] > 0]",
    ]),
    Forms("X @ W + b", "b", DENSE, [
        "db = sum(G, axis=0)", "db = G.T @ ones(n)", "db = ones(n) @ G", "db = n*mean(G, axis=0)",
        "J[i,j,k] = [j==k]", "J_ijk = δ_jk", "db = einsum('ij->j', G)",
        "J[i,j,k] = eye(k)[j,k]",
    ]),
    Forms("X * g", "g", {"X": "n d", "g": "d"}, [
        "dg = sum(G*X, axis=0)", "dg = diag(X.T @ G)", "dg = einsum('ij,ij->j', X, G)",
        "J[i,j,k] = X[i,j]*[j==k]", "J[i,j,k] = X[i,k]*δ_jk",
    ]),
    Forms("x + W @ relu(U @ x)", "x", {"x": "d", "W": "d h", "U": "h d"}, [
        "eye(d) + W @ diag(U @ x > 0) @ U",
        "J[i,j] = [i==j] + Σ_m W[i,m]*(U @ x > 0)[m]*U[m,j]",
        "dx = G + U.T @ ((W.T @ G)*(U @ x > 0))",
        "dx = G + ((G @ W)*(U @ x > 0)) @ U",
        "eye(d) + (W*(U @ x > 0)) @ U",
    ]),
    # --- losses ------------------------------------------------------------------------------
    Forms("mean((X @ w - y)**2)", "w", LSQ, [
        "2*X.T @ (X @ w - y)/n",
        "2/n*(X.T @ X @ w - X.T @ y)",
        "-2*X.T @ (y - X @ w)/n",
        "J[j] = 2/n*Σ_i X[i,j]*(X @ w - y)[i]",
        "J_j = (2*sum(i, X_ij*(sum(k, X_ik*w_k) - y_i)))/n",
        r"\frac{2}{n} X^T (X w - y)",
        r"\frac{2}{n} (X^\top X w - X^\top y)",
        "2*(X @ w - y) @ X/n",
        "mean(2*X*(X @ w - y)[:, None], axis=0)",
        "dw = G*2*X.T @ (X @ w - y)/n",
    ]),
    Forms("norm(X @ w - y)**2/n + c*norm(w)**2", "w", {**LSQ, "c": ""}, [
        "2*X.T @ (X @ w - y)/n + 2*c*w",
        "2*(X.T @ X/n + c*eye(d)) @ w - 2*X.T @ y/n",
        "J[j] = Σ_i 2*X[i,j]*(X @ w - y)[i]/n + 2*c*w[j]",
        r"\frac{2}{n} X^T (X w - y) + 2 c w",
    ]),
    Forms("sum(softplus(-y*(X @ w)))", "w", LSQ, [
        "-X.T @ (y*sigmoid(-y*(X @ w)))",
        "-X.T @ (y/(1 + exp(y*(X @ w))))",
        "X.T @ (y*(sigmoid(y*(X @ w)) - 1))",
        "J[j] = -Σ_i y[i]*X[i,j]*(1 - sigmoid(y[i]*(X @ w)[i]))",
        "-(y*sigmoid(-y*(X @ w))) @ X",
        "-sum((y*sigmoid(-y*(X @ w)))[:, None]*X, axis=0)",
    ]),
    Forms("-sum(y*log(sigmoid(X @ w)) + (1 - y)*log(1 - sigmoid(X @ w)))", "w", LSQ, [
        "X.T @ (sigmoid(X @ w) - y)",
        "-X.T @ (y - sigmoid(X @ w))",
        "J_j = Σ_i (sigmoid(X @ w)[i] - y[i])*X[i,j]",
        "(1/(1 + exp(-X @ w)) - y) @ X",
        r"X^T (\sigma(X w) - y)",
        "X.T @ (0.5*tanh((X @ w)/2) + 0.5 - y)",
    ]),
    Forms("logsumexp(z) - z @ y", "z", {"z": "K", "y": "K"}, [
        "softmax(z) - y",
        "exp(z)/sum(exp(z)) - y",
        "exp(z - logsumexp(z)) - y",
        "exp(log_softmax(z)) - y",
        "J_k = softmax(z)_k - y_k",
        "-(y - softmax(z))",
        "J[k] = exp(z[k])/Σ_m exp(z[m]) - y[k]",
    ]),
    Forms("-sum(y*log(softmax(z)))", "z", {"z": "K", "y": "K"}, [
        "sum(y)*softmax(z) - y",
        "softmax(z)*sum(y) - y",
        "-(eye(K) - outer(softmax(z), ones(K))) @ y",
        "J[k] = softmax(z)[k]*Σ_m y[m] - y[k]",
        "exp(z)*sum(y)/sum(exp(z)) - y",
    ]),
    Forms("log_softmax(z)", "z", {"z": "K"}, [
        "eye(K) - softmax(z)",
        "eye(K) - outer(ones(K), softmax(z))",
        "J[i,j] = [i==j] - softmax(z)[j]",
        "J_ij = δ_ij - exp(z_j)/Σ_m exp(z_m)",
        "J[i,j] = [i==j] - exp(log_softmax(z)[j])",
        "dz = G - softmax(z)*sum(G)",
        r"J_{ij} = \delta_{ij} - \frac{e^{z_j}}{\sum_m e^{z_m}}",
    ]),
    Forms("softmax(z)", "z", {"z": "K"}, [
        "dz = softmax(z)*(G - sum(softmax(z)*G))",
        "dz = s*G - s*(s @ G) with s = softmax(z)",
        "J_ij = s_i*(δ_ij - s_j) with s = softmax(z)",
        "J[i,j] = softmax(z)[j]*([j==i] - softmax(z)[i])",
        "diag(exp(z))/sum(exp(z)) - outer(exp(z), exp(z))/sum(exp(z))**2",
        "diag(s) @ (eye(K) - outer(ones(K), s)) with s = softmax(z)",
        r"J = \operatorname{diag}(s) - s s^T \text{ with } s = \operatorname{softmax}(z)",
    ]),
    Forms("sum(abs(X @ w - y))", "w", LSQ, [
        "X.T @ sign(X @ w - y)", "sign(X @ w - y) @ X", "-X.T @ sign(y - X @ w)",
        "J[j] = Σ_i X[i,j]*sign((X @ w)[i] - y[i])",
    ]),
    Forms("sum(maximum(0, 1 - y*(X @ w)))", "w", LSQ, [
        "-X.T @ (y*(y*(X @ w) < 1))",
        "-X.T @ (y*(1 - y*(X @ w) > 0))",
        "J[j] = -Σ_i y[i]*X[i,j]*[y[i]*(X @ w)[i] < 1]",
        "-sum(X*where(y*(X @ w) < 1, y, 0)[:, None], axis=0)",
    ]),
    Forms("sum(where(abs(r) < 1, r**2/2, abs(r) - 0.5))", "r", {"r": "n"}, [
        "where(abs(r) < 1, r, sign(r))", "clip(r, -1, 1)", "hardtanh(r)",
        "maximum(-1, minimum(r, 1))",
    ]),
    Forms("-mean(Y*log_softmax(Z))", "Z", {"Y": "n k", "Z": "n k"}, [
        "(softmax(Z)*sum(Y, axis=1, keepdims=True) - Y)/(n*k)",
        "J[i,j] = (softmax(Z)[i,j]*Σ_m Y[i,m] - Y[i,j])/(n*k)",
    ]),
    Forms("sum(p*log(p/q))", "p", {"p": "n", "q": "n"}, [
        "log(p/q) + 1", "1 + log(p) - log(q)", "J[i] = log(p[i]) - log(q[i]) + 1",
    ]),
    Forms("-sum(p*log(p))", "p", {"p": "n"}, [
        "-log(p) - 1", "-(1 + log(p))", "log(1/p) - 1", "-log(e*p)",
    ]),
    # --- attention ---------------------------------------------------------------------------
    Forms("Q @ K.T/sqrt(d)", "Q", ATTENTION, [
        "J[i,j,a,b] = [i==a]*K[j,b]/sqrt(d)", "dQ = G @ K/sqrt(d)", "J_ijab = δ_ia*K_jb/sqrt(d)",
        "dQ = d**(-0.5)*G @ K", r"J_{ijab} = \frac{1}{\sqrt{d}} \delta_{ia} K_{jb}",
    ]),
    Forms("Q @ K.T/sqrt(d)", "K", ATTENTION, [
        "J[i,j,a,b] = [j==a]*Q[i,b]/sqrt(d)", "dK = G.T @ Q/sqrt(d)", "dK = (Q.T @ G).T/sqrt(d)",
    ]),
    Forms("softmax(Q @ K.T/sqrt(d)) @ V", "Q", ATTENTION, [
        "dQ = (P*(G @ V.T - sum(P*(G @ V.T), axis=1, keepdims=True))) @ K/sqrt(d)"
        " with P = softmax(Q @ K.T/sqrt(d))",
    ]),
    # --- normalisations ----------------------------------------------------------------------
    Forms("x - mean(x)", "x", V, [
        "eye(n) - 1/n", "eye(n) - ones((n, n))/n", "J[i,j] = [i==j] - 1/n", "J_ij = δ_ij - 1/n",
        "dx = G - mean(G)", "eye(n) - outer(ones(n), ones(n))/n",
        r"J_{ij} = \delta_{ij} - \frac{1}{n}",
    ]),
    Forms("X - mean(X, axis=0)", "X", {"X": "n d"}, [
        "J[i,j,k,l] = ([i==k] - 1/n)*[j==l]", "dX = G - mean(G, axis=0)",
        "dX = (eye(n) - 1/n) @ G", "J_ijkl = δ_ik*δ_jl - δ_jl/n",
    ]),
    Forms("x/sqrt(mean(x**2))", "x", V, [
        "eye(n)/r - outer(x, x)/(n*r**3) with r = sqrt(mean(x**2))",
        "J[i,j] = [i==j]/r - x[i]*x[j]/(n*r**3) with r = sqrt(mean(x**2))",
        "dx = G/r - x*(x @ G)/(n*r**3) with r = sqrt(mean(x**2))",
        "sqrt(n)*(eye(n)/norm(x) - outer(x, x)/norm(x)**3)",
    ]),
    Forms("x/norm(x)", "x", V, [
        "(eye(n) - outer(x, x)/sum(x**2))/norm(x)",
        "eye(n)/norm(x) - outer(x, x)/norm(x)**3",
        "J[i,j] = [i==j]/norm(x) - x[i]*x[j]/norm(x)**3",
        "dx = (G - x*(x @ G)/(x @ x))/norm(x)",
        "(eye(n) - outer(u, u))/norm(x) with u = x/norm(x)",
    ]),
    Forms("var(x)", "x", V, [
        "2*(x - mean(x))/n", "2*x/n - 2*sum(x)/n**2", "J[i] = 2/n*(x[i] - mean(x))",
        "J_i = 2*x_i/n - 2*Σ_m x_m/n**2", "2/n*(eye(n) - 1/n) @ x",
    ]),
    Forms("sqrt(var(x) + c)", "x", {"x": "n", "c": ""}, [
        "(x - mean(x))/(n*sqrt(var(x) + c))", "J[i] = (x[i] - mean(x))/n/sqrt(var(x) + c)",
    ]),
    # --- traces, determinants, inverses ------------------------------------------------------
    Forms("trace(A)", "A", M, ["eye(n)", "J[i,j] = [i==j]", "J_ij = δ_ij", "diag(ones(n))"]),
    Forms("trace(A.T @ A)", "A", {"A": "m n"}, [
        "2*A", "A + A", "J[i,j] = 2*A[i,j]", r"$2 A$",
    ]),
    Forms("trace(A @ X @ B)", "X", {"A": "p m", "X": "m n", "B": "n p"}, [
        "A.T @ B.T", "(B @ A).T", "J[i,j] = Σ_m A[m,i]*B[j,m]", "einsum('mi,jm->ij', A, B)",
        r"A^T B^T", r"(B A)^\top",
    ]),
    Forms("trace(X.T @ A @ X)", "X", {"A": "n n", "X": "n m"}, [
        "(A + A.T) @ X", "A @ X + A.T @ X", "J[i,j] = Σ_m (A[i,m] + A[m,i])*X[m,j]",
        "A @ X + (X.T @ A).T", r"(A + A^T) X",
    ]),
    Forms("trace(inv(A) @ B)", "A", PAIR, [
        "-(inv(A) @ B @ inv(A)).T", "-inv(A).T @ B.T @ inv(A).T", "-inv(A.T) @ B.T @ inv(A.T)",
        "J[i,j] = -Σ_m Σ_k inv(A)[j,m]*B[m,k]*inv(A)[k,i]",
    ]),
    Forms("inv(A)", "A", M, [
        "J[i,j,k,l] = -inv(A)[i,k]*inv(A)[l,j]", "dA = -inv(A).T @ G @ inv(A).T",
        "dA = -inv(A.T) @ G @ inv(A).T", "einsum('ik,lj->ijkl', -inv(A), inv(A))",
    ]),
    Forms("log(det(A))", "A", {"A": "n n"}, [
        "inv(A).T", "inv(A.T)", "J[i,j] = inv(A)[j,i]", r"A^{-T}", r"(A^{-1})^T",
    ]),
    Forms("det(A @ A.T)", "A", M, [
        "2*det(A)**2*inv(A).T", "2*det(A @ A.T)*inv(A).T", "2*det(A)*det(A.T)*inv(A.T)",
    ]),
    Forms("logdet(A.T @ A)", "A", M, ["2*inv(A).T", "2*inv(A.T)", "J[i,j] = 2*inv(A)[j,i]"]),
    Forms("b @ inv(A) @ c", "A", {"A": "n n", "b": "n", "c": "n"}, [
        "-outer(b @ inv(A), inv(A) @ c)", "-outer(inv(A).T @ b, inv(A) @ c)",
        "-inv(A).T @ outer(b, c) @ inv(A).T",
        "J[i,j] = -(inv(A).T @ b)[i]*(inv(A) @ c)[j]",
    ]),
    # --- quadratic and bilinear forms, norms -------------------------------------------------
    Forms("x @ A @ y", "A", {"A": "m n", "x": "m", "y": "n"}, [
        "outer(x, y)", "x[:, None]*y", "x[:, None]*y[None, :]", "J[i,j] = x[i]*y[j]", r"x y^T",
        "einsum('i,j->ij', x, y)", "J_ij = x_i*y_j",
    ]),
    Forms("x @ A @ y", "x", {"A": "m n", "x": "m", "y": "n"}, [
        "A @ y", "y @ A.T", "J[i] = Σ_m A[i,m]*y[m]", "einsum('ij,j->i', A, y)", r"$A y$",
        "sum(A*y, axis=1)",
    ]),
    Forms("x @ A @ x/2 - b @ x", "x", {"A": "n n", "x": "n", "b": "n"}, [
        "(A + A.T) @ x/2 - b", "0.5*(A @ x + x @ A) - b",
        "J[i] = Σ_m (A[i,m] + A[m,i])*x[m]/2 - b[i]",
        r"\frac{1}{2} (A + A^T) x - b",
    ]),
    Forms("sum((A @ x)**2)", "x", {"A": "m n", "x": "n"}, [
        "2*A.T @ A @ x", "2*x @ A.T @ A", "2*(A @ x) @ A", r"2 A^T A x",
        "J[j] = 2*Σ_i Σ_k A[i,j]*A[i,k]*x[k]", "2*(A.T @ A) @ x",
    ]),
    Forms("sqrt(1 + x @ x)", "x", V, [
        "x/sqrt(1 + x @ x)", "x*(1 + sum(x**2))**(-0.5)", "J[i] = x[i]/sqrt(1 + norm(x)**2)",
    ]),
    Forms("norm(X)**2", "X", {"X": "n d"}, ["2*X", "X + X", "J[i,j] = 2*X[i,j]"]),
    Forms("sum((x - c)**2)", "x", {"x": "n", "c": "n"}, [
        "2*(x - c)", "2*x - 2*c", "-2*(c - x)", "J_i = 2*(x_i - c_i)", r"$2 (x - c)$",
    ]),
    Forms("exp(-norm(x - c)**2/(2*s**2))", "x", {"x": "n", "c": "n", "s": ""}, [
        "-(x - c)/s**2*exp(-norm(x - c)**2/(2*s**2))",
        "(c - x)*exp(-sum((x - c)**2)/2/s**2)/s**2",
        "J[i] = -(x[i] - c[i])/s**2*exp(-(x - c) @ (x - c)/(2*s**2))",
    ]),
    # --- array operations --------------------------------------------------------------------
    Forms("mean(X, axis=0)", "X", {"X": "n d"}, [
        "J[j,k,l] = [j==l]/n", "J_jkl = δ_jl/n", "dX = outer(ones(n), G)/n",
        "dX = ones((n, d))*G/n",
    ]),
    Forms("sum(X, axis=1)", "X", {"X": "n d"}, [
        "J[i,k,l] = [i==k]", "J_ikl = δ_ik", "dX = outer(G, ones(d))",
        "dX = G[:, None]*ones((n, d))",
    ]),
    Forms("cumsum(x)", "x", V, [
        "tril(ones((n, n)))", "J[i,j] = [j <= i]", "J[i,j] = [i >= j]",
        "dx = cumsum(G[::-1])[::-1]",
    ]),
    Forms("x[1:] - x[:-1]", "x", V, [
        "J[i,j] = [j==i+1] - [j==i]", "J[i,j] = [i+1==j] - [i==j]", "eye(n)[1:] - eye(n)[:-1]",
    ]),
    Forms("outer(x, y)", "x", {"x": "n", "y": "m"}, [
        "J[i,j,k] = [i==k]*y[j]", "J_ijk = δ_ik*y_j", "dx = G @ y", "dx = sum(G*y, axis=1)",
        "einsum('ik,j->ijk', eye(n), y)",
    ]),
    Forms("kron(x, y)", "y", {"x": "n", "y": "m"}, [
        "kron(x[:, None], eye(m))", "dy = x @ reshape(G, (n, m))",
    ]),
    Forms("A * (B @ C)", "B", {"A": "n m", "B": "n p", "C": "p m"}, [
        "dB = (G*A) @ C.T", "J[i,j,k,l] = A[i,j]*[i==k]*C[l,j]", "J_ijkl = δ_ik*A_ij*C_lj",
        "dB = einsum('ij,lj->il', A*G, C)",
    ]),
    Forms("A @ X @ B", "X", {"A": "p m", "X": "m n", "B": "n q"}, [
        "J[i,j,k,l] = A[i,k]*B[l,j]", "dX = A.T @ G @ B.T", "kron(A, B.T)", "kron(B.T, A)",
        r"J_{ijkl} = A_{ik} B_{lj}", "einsum('ik,lj->ijkl', A, B)",
    ]),
    Forms("X.T @ X", "X", {"X": "n d"}, [
        "J[i,j,k,l] = [i==l]*X[k,j] + [j==l]*X[k,i]", "dX = X @ (G + G.T)", "dX = X @ G + X @ G.T",
        "J_ijkl = δ_il*X_kj + δ_jl*X_ki",
    ]),
    Forms("diag(x) @ A", "x", {"x": "n", "A": "n m"}, [
        "J[i,j,k] = [i==k]*A[i,j]", "J_ijk = δ_ik*A_kj", "dx = sum(G*A, axis=1)",
        "dx = diag(G @ A.T)",
    ]),
    # --- scalars -----------------------------------------------------------------------------
    Forms("log(x) + exp(y)*z", "y", {"x": "", "y": "", "z": ""}, [
        "exp(y)*z", "z*exp(y)", r"$z e^y$",
    ]),
    Forms("sigmoid(w*x + b)", "w", {"w": "", "x": "", "b": ""}, [
        "x*sigmoid(w*x + b)*(1 - sigmoid(w*x + b))", "x*s - x*s**2 with s = sigmoid(w*x + b)",
        "x*exp(-w*x - b)/(1 + exp(-w*x - b))**2", "x/(2 + exp(w*x + b) + exp(-w*x - b))",
        r"x \sigma(w x + b) (1 - \sigma(w x + b))",
    ]),
    Forms("(w*x - y)**2/2 + c*w**2", "w", {"w": "", "x": "", "y": "", "c": ""}, [
        "(w*x - y)*x + 2*c*w", "w*x**2 - x*y + 2*c*w", "-x*(y - w*x) + 2*c*w",
    ]),
    Forms("x/(1 + x**2)", "x", {"x": ""}, [
        "(1 - x**2)/(1 + x**2)**2", "1/(1 + x**2) - 2*x**2/(1 + x**2)**2",
    ]),
    Forms("sin(x)*cos(x)", "x", {"x": ""}, [
        "cos(x)**2 - sin(x)**2", "cos(2*x)", "1 - 2*sin(x)**2", "2*cos(x)**2 - 1",
    ]),
]  # fmt: skip
