"""Each statement asks its question with the right arguments."""

from __future__ import annotations

import pytest

from backprove.errors import WorksheetError
from backprove.studies.grids import grid as grid_of
from backprove.worksheets import Report, run_worksheet
from backprove.worksheets.statements import STATEMENTS
from worksheets.fakes import FakeEngine, block


def run(*lines: str, fake: FakeEngine | None = None) -> tuple[Report, FakeEngine]:
    fake = fake or FakeEngine()
    return run_worksheet(block(*lines), engine=fake.engine()), fake


def test_derive_passes_the_declared_shapes_of_the_symbols_it_uses() -> None:
    _, fake = run("let X: n×d, W: k×d, Z: a b c", "derive X @ W.T wrt W")
    assert fake.calls == [("derive", ("X @ W.T", "W", {"X": "n×d", "W": "k×d"}), {"domain": None})]


def test_names_before_one_colon_share_their_shape_and_domain() -> None:
    report, fake = run("let a, b: k onehot", "derive a @ b wrt a layout denominator")
    assert fake.calls[0][2] == {
        "domain": {"a": "onehot", "b": "onehot"},
        "layout": "denominator",
    }
    assert report.outcomes[0].data["symbols"]["b"] == {"shape": ["k"], "domain": "onehot"}


def test_derive_asks_once_for_each_symbol() -> None:
    report, fake = run("let x, y: scalar", "derive x*y wrt x, y")
    assert [call[1][1] for call in fake.calls] == ["x", "y"]
    assert len(report.outcomes[1].data["results"]) == 2


def test_an_option_inside_of_brackets_is_part_of_the_expression() -> None:
    _, fake = run("let x: n", "derive f( wrt ) wrt x")
    assert fake.calls[0][1][0] == "f( wrt )"


def test_a_claim_is_about_the_latest_derivation() -> None:
    _, fake = run(
        "let x, y: n", "derive x wrt x", "derive y wrt y layout denominator", "claim J[i,j] = x[i]"
    )
    assert fake.calls[-1] == (
        "check",
        ("y", "y", "J[i,j] = x[i]", {"x": "n", "y": "n"}),
        {"layout": "denominator", "domain": None},
    )


def test_a_claim_below_several_derivatives_says_which_one_it_means() -> None:
    _, fake = run("let x, y: n", "derive x*y wrt x, y", "claim diag(x) wrt y")
    assert fake.calls[-1][1][1] == "y"
    with pytest.raises(WorksheetError, match="not said"):
        run("let x, y: n", "derive x*y wrt x, y", "claim diag(x)")
    with pytest.raises(WorksheetError, match="does not derive with respect to 'z'"):
        run("let x, y: n", "derive x*y wrt x, y", "claim diag(x) wrt z")


def test_a_claim_below_a_graph_is_checked_against_its_run() -> None:
    _, fake = run("graph x*y at x=1, y=[2, -3.5]", "claim df/dx = df/dh1 * dh1/dx")
    assert fake.calls[0] == ("graph", ("x*y", {"y": "2"}, {"x": 1, "y": [2, -3.5]}), {})
    assert fake.calls[1][0] == "check_run"
    assert fake.calls[1][1][1] == "df/dx = df/dh1 * dh1/dx"


def test_a_claim_about_a_graph_is_checked_against_the_claims_before_it() -> None:
    _, fake = run("graph x at x=1", "claim h1 = 1", "claim h1 = 2", "graph x at x=2", "claim 3")
    earlier = [options["earlier"] for name, _, options in fake.calls if name == "check_run"]
    assert earlier == [(), ("h1 = 1",), ()]


def test_the_inputs_of_a_graph_are_its_own() -> None:
    _, fake = run("let x: d, w: d", "graph x*w at x=1")
    assert fake.calls[0][1] == ("x*w", {"w": "d"}, {"x": 1})


def test_a_claim_with_nothing_above_it_is_an_error() -> None:
    with pytest.raises(WorksheetError, match="nothing above"):
        run("claim 1")


@pytest.mark.parametrize(
    ("claim", "verdict", "held"),
    [
        ("claim 1", "right", True),
        ("claim 1 expect right", "right", True),
        ("claim wrong", "wrong", False),
        ("claim wrong expect wrong", "wrong", True),
        ("claim 1 expect wrong", "right", False),
        ("claim right_under", "right_under", False),
        ("claim right_under expect right", "right_under", False),
        ("claim right_under expect right_under", "right_under", True),
        ("claim right_under expect right under", "right_under", True),
        ("claim undecided", "undecided", False),
        ("claim undecided expect wrong", "undecided", False),
        ("claim undecided expect undecided", "undecided", True),
    ],
)
def test_a_claim_is_held_when_its_verdict_is_the_expected_one(
    claim: str, verdict: str, held: bool
) -> None:
    report, _ = run("let x: n", "derive x wrt x", claim)
    outcome = report.outcomes[-1]
    assert (outcome.verdict, outcome.held) == (verdict, held)
    assert report.exit_status == (0 if held else 1)


def test_a_study_gets_its_settings_as_texts_and_its_seeds_as_numbers() -> None:
    _, fake = run("study data=reviews hidden=none,512, 64 lr=1e-2 seeds=3 activation = relu,tanh")
    assert fake.calls[0][1][0] == {
        "data": "reviews",
        "hidden": "none,512,64",
        "lr": "1e-2",
        "seeds": "3",
        "activation": "relu,tanh",
    }
    _, fake = run("study seeds=4,7")
    assert fake.calls[0][1][0] == {"seeds": [4, 7]}


def test_functions_are_described_one_after_the_other() -> None:
    _, fake = run("function sigmoid relu, tanh")
    assert [call[1][0] for call in fake.calls] == ["sigmoid", "relu", "tanh"]


def test_nothing_is_run_when_a_later_statement_cannot_be_read() -> None:
    fake = FakeEngine()
    with pytest.raises(WorksheetError):
        run("let x: n", "derive x wrt x", "nonsense", fake=fake)
    assert fake.calls == []


def test_a_symbol_may_be_declared_again_only_as_the_same() -> None:
    run("let x: n", "let x: n")
    with pytest.raises(WorksheetError, match="declared in line 2 already, as n"):
        run("let x: n", "let x: m")


def test_every_statement_has_a_usage_that_begins_with_its_keyword() -> None:
    for keyword, kind in STATEMENTS.items():
        assert kind.usage.startswith(f"{keyword} ")


def test_progress_is_told_for_every_statement() -> None:
    told: list[tuple[str, int, int]] = []
    run_worksheet(
        block("let x: n", "derive x wrt x"),
        engine=FakeEngine().engine(),
        progress=lambda *step: told.append(step),
    )
    assert told == [("let x: n", 1, 2), ("derive x wrt x", 2, 2)]


@pytest.mark.parametrize("zipped", ["hidden,lr;dropout,epochs", "hidden, lr ; dropout, epochs"])
def test_factors_of_a_study_change_together_in_groups(zipped: str) -> None:
    fake = FakeEngine()
    grid = "hidden=none,4 lr=0.01,0.1 dropout=0,0.1 epochs=1,2"
    run_worksheet(block(f"study {grid} zipped={zipped} seeds=2"), engine=fake.engine())
    settings = fake.calls[0][1][0]
    assert (settings["zipped"], settings["seeds"]) == ("hidden,lr;dropout,epochs", "2")
    factors = {name: settings[name] for name in ("hidden", "lr", "dropout", "epochs")}
    assert len(grid_of(factors, zipped=settings["zipped"])) == 4
