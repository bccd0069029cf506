"""Blocks as real results give them, shared by the tests of the views."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from backprove.results import (
    Block,
    Cell,
    Chart,
    Code,
    Details,
    Drawing,
    Edge,
    Evidence,
    Formula,
    Heading,
    Judgement,
    Node,
    Table,
    Text,
    VerdictKind,
)


@dataclass
class SampleProse:
    markdown: str


@dataclass
class SampleOutcome:
    kind: str
    source: str
    line: int
    blocks: list[Block]
    anchor: str
    verdict: VerdictKind | None = None
    expected: VerdictKind | None = None
    held: bool | None = None
    question: str = ""
    command: str = ""
    python: str = ""


@dataclass
class SampleReport:
    title: str
    items: list[Any]
    summary: dict[str, Any] = field(default_factory=dict)


def derivation() -> list[Block]:
    """Row S28: the Jacobian of X Wᵀ with respect to W."""
    steps = Table(
        ["step", "rule", "result", "max error"],
        [
            [1, "write in indices", Cell("F[i,j] = sum_p X[i,p]*W[j,p]",
                                         r"F_{ij} = \sum_{p=1}^{d} X_{ip}\,W_{jp}"), 0.0],
            [2, "differentiate `W[j,p]`", Cell("dW[j,p]/dW[k,l] = [j=k]*[p=l]",
             r"\frac{\partial W_{jp}}{\partial W_{kl}} = \delta_{jk}\,\delta_{pl}"), 1.1e-10],
            [3, "sum out $p$ with $\\delta_{pl}$", Cell("X[i,l]*[j=k]", r"X_{il}\,[j = k]"), 3e-10],
        ],
    )  # fmt: skip
    return [
        Text("The Jacobian of $X W^\\top$ with respect to `W` has the shape (n, k, k, d)."),
        Formula(r"\frac{\partial F_{ij}}{\partial W_{kl}} = X_{il}\,[j = k]",
                "J[i,j,k,l] = X[i,l]*[j==k]", "index form", "X[i,l]*[j==k]"),
        Formula(r"\frac{\partial \operatorname{vec}(F)}{\partial \operatorname{vec}(W)} = "
                r"X \otimes I_k", "kron(X, I_k)", "matrix form", "np.kron(X, np.eye(k))"),
        Formula(r"\bar{W} = \bar{F}^\top X", "G.T @ X", "VJP", "G.T @ X"),
        Text("`vec` stacks the rows of $F$ and the columns of $W$."),
        Details("Steps", [steps]),
        Evidence("proved", "equal canonical forms, for all sizes $n, k, d \\geq 1$"),
    ]  # fmt: skip


def refusal() -> list[Block]:
    """The source's slip in row S28, refused."""
    return [
        Judgement("wrong", "the index `i` in `[i==k]` should be `j`: $J_{ijkl} = X_{il}\\,[j=k]$",
                  "proved"),
        Table(["entry", "claimed", "correct"], [["J[0,1,1,2]", 0.0, 1.3041], ["J[1,0,1,0]", -0.25,
              0.0]], "A counterexample at n=3, k=2, d=4"),
        Evidence("measured", "largest difference 1.30 over 48 entries at 5 points"),
    ]  # fmt: skip


def graph() -> list[Block]:
    """Rows S55 to S62: f = ln x + e^y z at (1, 3, 2)."""
    nodes = [
        Node("x", "x", ["1", "∂f/∂x = 1"], "x", "input"),
        Node("y", "y", ["3", "∂f/∂y = 40.1711"], "y", "input"),
        Node("z", "z", ["2", "∂f/∂z = 20.0855"], "z", "input"),
        Node("h1", "h1", ["ln(x) = 0", "∂f/∂h1 = 1"], r"h_1 = \ln x"),
        Node("h2", "h2", ["exp(y) = 20.0855", "∂f/∂h2 = 2"], r"h_2 = e^{y}"),
        Node("h3", "h3", ["h2·z = 40.1711", "∂f/∂h3 = 1"], r"h_3 = h_2 z"),
        Node("f", "f", ["h1 + h3 = 40.1711", "∂f/∂f = 1"], r"f = h_1 + h_3", "output"),
    ]
    edges = [
        Edge("x", "h1", "1", "1·1 = 1"),
        Edge("y", "h2", "3", "2·20.0855 = 40.1711"),
        Edge("h2", "h3", "20.0855", "1·2 = 2"),
        Edge("z", "h3", "2", "1·20.0855 = 20.0855"),
        Edge("h1", "f", "0", "1·1 = 1"),
        Edge("h3", "f", "40.1711", "1·1 = 1"),
    ]
    gradients = Table(
        ["input", "path", "gradient"],
        [
            ["x", Cell("df/dh1 · dh1/dx", r"\frac{\partial f}{\partial h_1}\cdot"
                       r"\frac{\partial h_1}{\partial x}"), 1.0],
            ["y", Cell("df/dh3 · dh3/dh2 · dh2/dy", r"\frac{\partial f}{\partial h_3}\cdot"
                       r"\frac{\partial h_3}{\partial h_2}\cdot\frac{\partial h_2}{\partial y}"),
             2 * math.exp(3)],
            ["z", Cell("df/dh3 · dh3/dz", r"\frac{\partial f}{\partial h_3}\cdot"
                       r"\frac{\partial h_3}{\partial z}"), math.exp(3)],
        ],
    )  # fmt: skip
    return [Drawing(nodes, edges, "$f = \\ln x + e^y z$ at (1, 3, 2)"), gradients]


def losses() -> list[Block]:
    """A small S63: loss of two depths, with the spread over seeds."""
    data = []
    for panel, scale in (("no hidden layer", 0.55), ("one hidden layer of 512", 0.5)):
        for series, rise in (("train", 0.0), ("dev", 0.035)):
            for epoch in range(1, 21):
                y = scale + 0.16 * math.exp(-epoch / 4) + rise * (1 + epoch / 40)
                spread = 0.004 + 0.012 * rise * epoch
                data.append({"panel": panel, "series": series, "x": epoch, "y": y,
                             "low": y - spread, "high": y + spread})  # fmt: skip
    return [
        Chart("Loss by depth", "epoch", "cross-entropy", data,
              caption="Lines are means over 3 seeds, bands go from the lowest to the highest run."),
        Judgement("undecided", "three seeds do not separate the two depths: the difference is "
                  "0.004 ± 0.011; about 20 seeds would decide it", "measured"),
        Code("bash", "backprove study data=reviews hidden=none,512 seeds=20", "To decide it"),
    ]  # fmt: skip


def every_kind() -> list[Block]:
    """At least one block of every type."""
    return [Heading("Everything"), *derivation(), *refusal(), *graph(), *losses()]


def report() -> SampleReport:
    """A worksheet with four claims, one of which misses its expectation."""
    return SampleReport(
        "First steps: a problem set that checks itself",
        [
            SampleProse(
                "Every statement below was computed by *backprove*; every claim was checked. "
                "A Jacobian has the shape of its output times the shape of its input.\n\n"
                "## Jacobians\n\n"
                "Let $X$ hold $n$ rows of $d$ numbers and let $W$ be $k \\times d$. "
                "The entry $F_{ij}$ of $F = XW^\\top$ touches row $j$ of $W$ only, so most of "
                "the derivative is zero:\n\n$$F_{ij} = \\sum_{p=1}^{d} X_{ip} W_{jp}$$\n"
            ),
            SampleOutcome("derive", "derive X @ W.T wrt W", 12, derivation(), "line-12"),
            SampleOutcome("claim", "claim J[i,j,k,l] = X[i,l]*[i==k] expect wrong", 13, refusal(),
                          "line-13", "wrong", "wrong", True),
            SampleOutcome("claim", "claim J[i,j,k,l] = X[i,l]*[j==k]", 14,
                          [Judgement("right", "the claim equals the derivation", "proved")],
                          "line-14", "right", None, True),
            SampleOutcome("claim", "claim gradient = X.T @ G", 15,
                          [Judgement("right_under", "in denominator layout, the transpose of the "
                                     "answer in numerator layout", "proved")],
                          "line-15", "right_under", "right", False),
            SampleProse("## A computation graph\n\nOne node, one operation. Values flow to the "
                        "right, gradients back to the left.\n"),
            SampleOutcome("graph", "graph ln(x) + exp(y)*z at x=1, y=3, z=2", 21, graph(),
                          "line-21"),
            SampleProse("## A small study\n\nThree seeds for each configuration, on the built-in "
                        "reviews.\n"),
            SampleOutcome("claim", "study data=reviews hidden=none,512 activation=sigmoid lr=0.01 "
                          "seeds=3 epochs=20", 27, losses(), "line-27", "undecided", "undecided",
                          True),
        ],
        {"about": {"made by": "backprove 0.1.0", "worksheet": "first-steps.md"}},
    )  # fmt: skip
