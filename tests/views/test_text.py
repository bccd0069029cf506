"""The plain text of results: what a terminal of 80 columns shows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.results import Chart, Drawing, Formula, Judgement, Node, Table, Text
from backprove.views import html, latex, markdown, text
from backprove.views.text_layout import display_width
from backprove.views.text_tables import table_lines
from views.samples import derivation, every_kind, graph, losses, refusal


def lines(shown: str) -> list[str]:
    return shown.splitlines()


def test_a_derivation_reads_from_the_shape_to_the_evidence() -> None:
    assert text.render(derivation()) == "\n".join(
        [
            "The Jacobian of X Wᵀ with respect to `W` has the shape (n, k, k, d).",
            "",
            "index form: J[i,j,k,l] = X[i,l]*[j==k]",
            "  code: X[i,l]*[j==k]",
            "",
            "matrix form: kron(X, I_k)",
            "  code: np.kron(X, np.eye(k))",
            "",
            "VJP: G.T @ X",
            "",
            "`vec` stacks the rows of F and the columns of W.",
            "",
            "Steps:",
            "  step  rule                    result                         max error",
            "  ----  ----------------------  -----------------------------  ---------",
            "     1  write in indices        F[i,j] = sum_p X[i,p]*W[j,p]           0",
            "     2  differentiate `W[j,p]`  dW[j,p]/dW[k,l] = [j=k]*[p=l]    1.1e-10",
            "     3  sum out p with δ_pl     X[i,l]*[j=k]                       3e-10",
            "",
            "● proved: equal canonical forms, for all sizes n, k, d ≥ 1",
        ]
    )


def test_a_refusal_names_the_mistake_and_aligns_its_counterexample() -> None:
    assert text.render(refusal()) == "\n".join(
        [
            "✘ wrong: the index `i` in `[i==k]` should be `j`: J_ijkl = X_il [j=k]",
            "  evidence: proved",
            "",
            "A counterexample at n=3, k=2, d=4",
            "entry       claimed  correct",
            "----------  -------  -------",
            "J[0,1,1,2]     0      1.3041",
            "J[1,0,1,0]    -0.25   0",
            "",
            "◐ measured: largest difference 1.30 over 48 entries at 5 points",
        ]
    )


def test_a_graph_is_listed_with_every_source_before_its_use() -> None:
    shown = text.render(graph()[:1])
    assert shown.startswith("f = ln x + e^y z at (1, 3, 2)\nx (input): 1; ∂f/∂x = 1\n")
    assert "h3: h2·z = 40.1711; ∂f/∂h3 = 1\n    ← h2: forward 20.0855, backward 1·2 = 2" in shown
    heads = [line.split(" ")[0].rstrip(":") for line in lines(shown)[1:] if line[0] != " "]
    assert heads == ["x", "y", "z", "h1", "h2", "h3", "f"]


def test_a_chart_shows_the_course_and_the_ends_of_every_curve() -> None:
    shown = lines(text.render(losses()[:1]))
    assert shown[0] == "Loss by depth (cross-entropy over epoch)"
    assert shown[2:6] == [
        "no hidden layer:",
        "curve                       first      last  band at the end",
        "-----  ----------------  --------  --------  --------------------",
        "train  █▆▄▄▃▃▂▂▂▁▁▁▁▁▁▁  0.674608  0.551078  0.547078 to 0.555078",
    ]


def test_no_sample_passes_column_80() -> None:
    assert max(map(display_width, lines(text.render(every_kind())))) <= 80


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.text("ab ,[]=é維", max_size=40), min_size=7, max_size=7), min_size=1, max_size=4
    )
)
def test_a_table_fits_unless_one_word_is_wider_than_the_terminal(rows: list[list[str]]) -> None:
    found = table_lines([f"column {at}" for at in range(7)], rows, 80)
    longest = (
        max(display_width(word) for row in rows for each in row for word in each.split())
        if any(each.split() for row in rows for each in row)
        else 0
    )
    assert all(display_width(line) <= max(80, longest + 12) for line in found)


def test_a_table_that_cannot_fit_becomes_records_and_loses_nothing() -> None:
    wide = "x" * 30
    found = table_lines(["first", "second", "third"], [[wide, wide, wide]], 80)
    assert found == [f"first: {wide}", f"second: {wide}", f"third: {wide}"]


def test_a_long_formula_breaks_at_operators_and_keeps_every_character() -> None:
    formula = "J[i,j] = " + "+".join(f"W[{at},i]*sigmoid(z[{at},j])" for at in range(12))
    shown = text.render([Formula("", formula)])
    assert max(map(len, lines(shown))) <= 80
    assert "".join(shown.split()) == "".join(formula.split())


@pytest.mark.parametrize("kind", ["right", "right_under", "wrong", "undecided"])
def test_every_verdict_has_its_own_mark_and_word(kind) -> None:
    shown = text.render([Judgement(kind, "because", None)])
    kinds = ("right", "right_under", "wrong", "undecided")
    others = {text.render([Judgement(other, "because", None)]) for other in kinds if other != kind}
    assert shown not in others
    assert kind.split("_")[0] in shown


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [Table([], [])],
        [Table(["a"], [])],
        [Drawing([], [])],
        [Drawing([Node("a", "")], [])],
        [Chart("t", "x", "y", [])],
        [Chart("t", "x", "y", [{"x": 1, "y": float("nan"), "series": "s"}])],
        [Formula("", "")],
        [Text("")],
        [Table(["a", "b"], [["only one"]])],
    ],
)
@pytest.mark.parametrize("render", [text.render, html.fragment, latex.render, markdown.render])
def test_an_empty_block_is_no_reason_to_fail(render, blocks) -> None:
    assert isinstance(render(blocks), str)


def test_a_block_without_a_renderer_fails_loudly_in_every_view() -> None:
    @dataclass(frozen=True)
    class Unknown:
        pass

    for render in (text.render, html.fragment, latex.render, markdown.render):
        with pytest.raises(TypeError, match="no renderer for a block of type Unknown"):
            render([Unknown()])  # type: ignore[list-item]
