"""Records of the functions that mix the entries along one axis: the softmax family.

Texts are about one vector ``z`` of symbolic length ``K``; ``s`` stands for ``softmax(z)``, ``g``
for an upstream gradient and ``t`` for a tangent.
"""

from __future__ import annotations

from backprove.functions import values
from backprove.functions.records import AxisRecord, Invariant

_SHIFT = "Subtracting max(z) first, as the value does, changes nothing but avoids overflow."

RECORDS = (
    AxisRecord(
        name="softmax",
        value=values.softmax,
        reduces=False,
        entry="exp(z[i])/sum(k, exp(z[k]))",
        formula_latex=r"\frac{e^{z_i}}{\sum_{k} e^{z_k}}",
        jacobian="diag(s) - outer(s, s)",
        jacobian_entry="s[i]*(delta[i,j] - s[j])",
        jacobian_latex=r"\operatorname{diag}(s) - s s^\top",
        vjp="s*(g - sum(s*g))",
        jvp="s*(t - sum(s*t))",
        invariants=(
            Invariant(
                "sum(s) = 1 and every s[i] > 0",
                r"\sum_i s_i = 1,\ s_i > 0",
                "The denominator is the sum of the positive numerators.",
            ),
            Invariant(
                "softmax(z + c) = softmax(z)",
                r"\operatorname{softmax}(z + c) = \operatorname{softmax}(z)",
                f"The factor exp(c) cancels. {_SHIFT}",
            ),
            Invariant(
                "J = J.T",
                r"J = J^\top",
                "diag(s) and outer(s, s) are symmetric: softmax is the gradient of logsumexp.",
            ),
            Invariant(
                "J @ ones(K) = 0: rows and columns sum to 0",
                r"J \mathbf{1} = 0",
                "diag(s) @ 1 = s, and s (sᵀ 1) = s because sum(s) = 1.",
            ),
            Invariant(
                "t @ J @ t >= 0: positive semidefinite",
                r"t^\top J t \ge 0",
                "t @ J @ t is the variance of t under the probabilities s.",
            ),
            Invariant(
                "rank(J) = K - 1",
                r"\operatorname{rank} J = K - 1",
                "That variance is 0 only if t is constant, because every s[i] > 0.",
            ),
            Invariant(
                "the 2-norm of J is at most 1/2",
                r"\lVert J \rVert_2 \le \tfrac{1}{2}",
                "Row i has diagonal s[i]*(1 - s[i]) and off-diagonal sum of the same size, so "
                "Gershgorin bounds the eigenvalues by 2*s[i]*(1 - s[i]) <= 1/2.",
            ),
        ),
        lipschitz=0.5,
        latex=r"\operatorname{{softmax}}\left({0}\right)",
        source="Bridle (1990); Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.29; "
        "Gao and Pavel, arXiv:1704.00805",
    ),
    AxisRecord(
        name="log_softmax",
        value=values.log_softmax,
        reduces=False,
        entry="z[i] - log(sum(k, exp(z[k])))",
        formula_latex=r"z_i - \ln \sum_{k} e^{z_k}",
        jacobian="eye(K) - outer(ones(K), s)",
        jacobian_entry="delta[i,j] - s[j]",
        jacobian_latex=r"I - \mathbf{1} s^\top",
        vjp="g - s*sum(g)",
        jvp="t - sum(s*t)",
        invariants=(
            Invariant(
                "sum(exp(log_softmax(z))) = 1",
                r"\sum_i e^{f_i} = 1",
                "exp(log_softmax(z)) is softmax(z).",
            ),
            Invariant(
                "log_softmax(z + c) = log_softmax(z)",
                r"f(z + c) = f(z)",
                f"Both terms move by c. {_SHIFT}",
            ),
            Invariant(
                "J @ ones(K) = 0: rows sum to 0",
                r"J \mathbf{1} = 0",
                "sum(s) = 1. (The columns sum to 1 - K*s[j], so J is not symmetric.)",
            ),
            Invariant(
                "s @ J = 0",
                r"s^\top J = 0",
                "s @ J = s - sum(s)*s.",
            ),
            Invariant(
                "J @ J = J: a projection, of rank K - 1",
                r"J J = J,\ \operatorname{rank} J = K - 1",
                "(1 sᵀ)(1 sᵀ) = 1 sᵀ because sum(s) = 1; the trace, and so the rank, is K - 1.",
            ),
        ),
        lipschitz=None,
        latex=r"\operatorname{{log\_softmax}}\left({0}\right)",
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.30",
    ),
    AxisRecord(
        name="logsumexp",
        value=values.logsumexp,
        reduces=True,
        entry="log(sum(k, exp(z[k])))",
        formula_latex=r"\ln \sum_{k} e^{z_k}",
        jacobian="s",
        jacobian_entry="s[j]",
        jacobian_latex=r"s^\top",
        vjp="g*s",
        jvp="sum(s*t)",
        invariants=(
            Invariant(
                "max(z) < logsumexp(z) <= max(z) + log(K) for K > 1",
                r"\max_k z_k \le f \le \max_k z_k + \ln K",
                "The sum has K terms, the largest of them exp(max(z)); for K = 1, f = z[0].",
            ),
            Invariant(
                "logsumexp(z + c) = logsumexp(z) + c",
                r"f(z + c) = f(z) + c",
                f"exp(c) is a common factor of the sum. {_SHIFT}",
            ),
            Invariant(
                "the gradient is positive and sums to 1",
                r"\nabla f > 0,\ \mathbf{1}^\top \nabla f = 1",
                "The gradient is softmax(z).",
            ),
            Invariant(
                "the Hessian is diag(s) - outer(s, s), positive semidefinite: f is convex",
                r"\nabla^2 f = \operatorname{diag}(s) - s s^\top \succeq 0",
                "The Hessian is the Jacobian of softmax.",
            ),
        ),
        lipschitz=1.0,
        latex=r"\operatorname{{logsumexp}}\left({0}\right)",
        source="Boyd and Vandenberghe, Convex Optimization (2004), 3.1.5",
    ),
)
