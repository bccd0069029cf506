"""``backprove graph``: the page that steps, wrong claims, and exercises from the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backprove.app.command_line import app

WORKED = ["graph", "ln(x) + exp(y)*z", "--at", "x=1, y=3, z=2"]


def test_one_command_gives_text_data_and_the_page(tmp_path: Path) -> None:
    page = tmp_path / "graph.html"
    text = CliRunner().invoke(app, [*WORKED, "-o", str(page)])
    assert text.exit_code == 0
    assert "(∂f/∂x, ∂f/∂y, ∂f/∂z) = (1, 40.1711, 20.0855)" in text.stdout
    data = json.loads(CliRunner().invoke(app, [*WORKED, "--json"]).stdout)
    assert data["gradients"]["y"] == pytest.approx(40.171074)
    shown = page.read_text(encoding="utf-8")
    for part in ("h3 = h2 * z = 20.0855 * 2 = 40.1711", "∂f/∂h3·∂h3/∂z", 'id="practise"'):
        assert part in shown


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("df/dh2 = 1", "is 2, not 1"),
        ("df/dz = df/dh2 * dh3/dz = 20.0855", "the way to it is not"),
    ],
)
def test_wrong_upstream_gradients_and_paths_are_refused(
    claim: str, said: str, tmp_path: Path
) -> None:
    page = tmp_path / "graph.html"
    result = CliRunner().invoke(app, [*WORKED, "--claim", claim, "-o", str(page)])
    assert result.exit_code == 1
    assert said in " ".join(result.stdout.split())
    assert "bp-wrong" in page.read_text(encoding="utf-8")


def test_an_exercise_is_asked_until_it_is_right() -> None:
    answers = "1\n20.0855\n2\n20.0855\n40.1711\n1\n1\n"
    result = CliRunner().invoke(app, [*WORKED, "--exercise"], input=answers)
    assert result.exit_code == 0
    assert "the upstream gradient of h2 is missing" in result.stdout
    assert "5 of 6 right at the first try" in result.stdout


def test_an_exercise_that_is_left_has_not_held() -> None:
    result = CliRunner().invoke(app, [*WORKED, "--exercise", "--hide", "h2, df/dy"], input="7\n")
    assert result.exit_code == 1
    assert "2 numbers are hidden" in result.stdout
    assert "40.1711" not in result.stdout


def test_claims_beside_an_exercise_are_judged_after_it() -> None:
    answers = "40.1711\n"
    for claim, status in [("df/dx = 1", 0), ("df/dx = 2", 1)]:
        command = [*WORKED, "--exercise", "--hide", "df/dy", "--claim", claim]
        result = CliRunner().invoke(app, command, input=answers)
        assert result.exit_code == status
        assert "1 number is hidden" in result.stdout
        assert result.stdout.index("at the first try") < result.stdout.index("∂f/∂x")
