"""Residual blocks: an identity in the Jacobian, and what it does to gradients over depth."""

from __future__ import annotations

import numpy as np

from backprove.calculus import Derivation, derive
from backprove.results import Chart, Evidence, Table, Text
from backprove.theorems.dense import Array, activation
from backprove.theorems.identities import Step, identities
from backprove.theorems.theorem import Condition, Fact, Theorem

_BLOCK = "x + W2 @ tanh(W1 @ x)"
_SHAPES = {"x": "d", "W1": "m d", "W2": "d m"}
_DIFFERENTIAL = Step("dx + W2 @ (D @ (W1 @ dx))", "=", "(1 + W2 @ D @ W1) @ dx")
_BACK = Step("g @ (1 + J)", "=", "g + g @ J")
_TWO = Step("(1 + J) @ (1 + K)", "=", "1 + J + K + J @ K")
_MORE = Step("(1 + S) @ (1 + J)", "=", "1 + (S + J + S @ J)")
_MATRICES = ["dx", "g", "D", "J", "K", "S", "W1", "W2"]


def residual(
    name: str = "sigmoid", *, width: int = 16, scale: float = 1.0, seed: int = 0
) -> Theorem:
    """The Jacobian of a residual block is I + J_F; gradients with and without the skip.

    Args:
        name: the activation of the run.
        width: units of each block.
        scale: standard deviation of the weights times the root of the width.
        seed: fixes the weights.

    Returns:
        The theorem, with facts ``jacobian`` (a formula for the block x + W2 tanh(W1 x)),
        ``identity_path``, ``plain_vanishes`` and ``residual_vanishes`` (measured at 50 blocks) and
        ``cause_of_difficulty`` (that plain deep networks are hard to train *because* gradients
        vanish: not proved).

    Source: He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, ECCV 2016, eq. 4.

    >>> residual().facts["identity_path"].value
    True
    """
    block = derive(_BLOCK, "x", _SHAPES)
    assert isinstance(block, Derivation)
    rows = []
    points = []
    for depth in (1, 2, 5, 10, 20, 50):
        norms = [_gradient(name, depth, width, scale, seed, skip) for skip in (False, True)]
        rows.append([depth, *norms])
        points += [
            {"x": depth, "y": float(np.log10(max(norm, 1e-300))), "series": series}
            for norm, series in zip(norms, ("plain", "residual"), strict=True)
        ]
    plain, skipped = rows[-1][1], rows[-1][2]
    return Theorem(
        name="Residual blocks",
        statement=(
            "The Jacobian of x + F(x) is I + J_F, so the gradient that arrives at a block passes "
            "on unchanged, plus what goes through F. Over many blocks the product of (I + J) "
            "contains the identity as one of its terms; no product of small numbers stands in "
            "its way. That the sum of all terms is large is not proved: they can cancel."
        ),
        conditions=[Condition("input and output of the block have the same shape", True)],
        proof=[
            "d(x + F(x))/dx = I + J_F(x), by linearity.",
            f"For {_BLOCK}: J = {block.matrix_form or block.index_form}. In differentials, with D "
            f"the diagonal matrix of the slopes of tanh: {_DIFFERENTIAL}.",
            f"Backward, for a gradient g as a row: {_BACK}. The first term holds whatever the "
            "weights are.",
            f"Two blocks: {_TWO}. Let the Jacobian of some blocks be 1 + S; with one block more it "
            f"is {_MORE}. So by induction the product of any number of blocks is the identity plus "
            "terms that each hold at least one J.",
        ],
        facts={
            "identity_path": Fact(True, "proved", "one path back has the factor 1 at every block"),
            "plain_vanishes": Fact(
                plain < 1e-6, "measured", "without the skip the gradient of 50 blocks vanishes"
            ),
            "residual_vanishes": Fact(
                skipped < 1e-6, "measured", "with the skip the gradient of 50 blocks vanishes"
            ),
            "cause_of_difficulty": Fact(
                False,
                "advisory",
                "vanishing gradients are the whole reason why plain deep networks train badly; He "
                "et al. (2016) argue against it, since normalised plain networks suffer as well",
            ),
        },
        certificate=identities([_DIFFERENTIAL, _BACK, _TWO, _MORE], matrices=_MATRICES),
        measurement=[
            Evidence(
                "measured",
                f"The Jacobian of the block agrees with finite differences: {block.verify()}.",
            ),
            Text(
                f"Norm of the gradient of a sum of outputs by the input, {name} blocks of width "
                f"{width}, normal weights of standard deviation {scale:g}/√{width}."
            ),
            Table(["blocks", "plain", "residual"], rows),
            Chart("Gradient by depth", "blocks", "log10 of the norm", points),
        ],
        source="He, Zhang, Ren, Sun, ECCV 2016, eq. 4; He, Zhang, Ren, Sun, CVPR 2016, section 4.1",
    )


def _gradient(name: str, depth: int, width: int, scale: float, seed: int, skip: bool) -> float:
    stream = np.random.Generator(np.random.PCG64(seed))
    x: Array = stream.normal(size=width)
    act = activation(name)
    factors = []
    for _ in range(depth):
        weights = stream.normal(0, scale / np.sqrt(width), (width, width))
        z = weights @ x
        x = act.value(z) + (x if skip else 0)
        factors.append((act.slope(z), weights))
    back = np.ones(width)
    for slope, weights in reversed(factors):
        back = weights.T @ (slope * back) + (back if skip else 0)
    return float(np.linalg.norm(back))
