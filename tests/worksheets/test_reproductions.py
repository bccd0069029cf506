"""The commands and the Python that a report prints run as printed, to the same verdict."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backprove.app.command_line import app
from backprove.views.words import VERDICTS
from backprove.worksheets import run_worksheet
from backprove.worksheets.report import Outcome
from worksheets.fakes import block

SHEET = block(
    "let X: n×d, W: k×d, w: d, h: n, y: k onehot, t: scalar, z: K, s = softmax(z)",
    "derive X @ W.T wrt X, W",
    "claim J[i,j,a,l] = X[i,l]*[j==a] wrt W",
    "claim J[i,k,a,l] = X[i,l]*[i==a] wrt W",
    "claim kron(X, eye(k)) wrt W",
    "derive s wrt z",
    "claim J[i,j] = s[i]*([i==j] - s[j])",
    "claim J[i,j] = -s[i]*s[j] + [i==j]*s[i]",
    "claim -outer(s, s)",
    "claim dz = s*(G - sum(s*G))",
    "claim s == exp(z)/sum(exp(z))",
    "derive -h**2 wrt h",
    "claim -2*diag(h)",
    "claim diag(h)*-2",
    "claim n×n",
    "derive -sum(y*log_softmax(W @ w)) wrt w layout denominator",
    "claim (softmax(W @ w) - y) @ W",
    "hessian sum(h**3) wrt h",
    "claim 6*diag(h)",
    "derive relu(t) wrt t layout numerator",
    "claim where(t > 0, 1, 0)",
    "graph ln(p) + exp(q)*r at p=1, q=3, r=2",
    "claim df/dq = df/dh3 * dh3/dh2 * dh2/dq = 40.171",
    "claim df/dq = 4",
    "path q",
    "let v = [[1, 2.5], [-4, 5]], u = -1e-3",
    "graph -sum(v @ v)*u",
    "claim f = 0.0035",
    "function sigmoid relu",
    "plot sigmoid tanh",
    "prove dropout p=0.2",
    "claim test_scale = 1 - p",
    "claim variance = h**2*p/(1 - p)",
    "claim inverted_test_scale = 1/(1 - p)",
    "experiment dropout p=0.2 masks=2000",
    "symmetry tanh(2)+linear(1) init=constant:0.5 steps=3",
    "claim stays_equal",
    "claim not stays_equal",
    "prove features",
    "claim follows_from_graph",
    "represent xor by relu(2)+linear(1) minimal",
    "claim units = 2",
    "represent xor by relu(1) threshold",
    "claim impossible",
    "represent xor by relu(1)",
    "claim mean_squared_error = 1/4",
    "claim accuracy = 1/2",
    "represent xor by relu(2)+linear(1) weights W1=[[1,1],[1,1]], b1=[0,-1], W2=[1,-2], b2=0",
    "claim fits",
    "claim z = [[0,-1],[1,0],[1,0],[2,1]]",
    "represent xor by relu(2)+linear(1) weights W1=[[1/2,1/2],[0.1,1]], b1=[0,-1], W2=[1,-2]",
    "claim fits",
)  # fmt: skip

SILENT = {"let", "question"}
"""Statements that ask nothing."""

STUDY = block(
    "study data=sklearn:iris hidden=none,4 lr=0.01,0.1 zipped=hidden,lr seeds=2 epochs=1",
    "claim hidden confounded with lr",
)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [each for each in run_worksheet(SHEET).outcomes if each.kind not in SILENT]


def marks(text: str) -> list[str]:
    """The verdicts of a text, in order."""
    words = {f"{wording.mark} {wording.word}": kind for kind, wording in VERDICTS.items()}
    either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return [words[found] for found in re.findall(rf"(?m)^\s*({either})", text)]


def python_said(asked: Sequence[Outcome], folder: Path) -> list[str]:
    """What the interpreter prints for the Python of each: the verdict, or that it has none."""
    lines = ["import backprove as bp"]
    for each in asked:
        *before, last = each.python.splitlines()
        lines += [*before, f"print(getattr({last}, 'kind', None))"]
    file = folder / "asked.py"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file], capture_output=True, encoding="utf-8", timeout=240, cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_sheet_has_every_kind_of_verdict(outcomes: list[Outcome]) -> None:
    assert {each.verdict for each in outcomes} == {None, *VERDICTS}


def test_every_statement_says_how_to_ask_it_again(outcomes: list[Outcome]) -> None:
    assert [each.source for each in outcomes if not (each.command and each.python)] == []


def test_the_commands_give_the_same_verdicts(
    outcomes: list[Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = []
    for each in outcomes:
        for line in each.command.splitlines():
            name, *words = shlex.split(line)
            assert name == "backprove"
            done = CliRunner().invoke(app, words)
            given = marks(done.stdout)[-1:] if each.verdict else []
            status = int(each.verdict != "right") if each.verdict else done.exit_code
            if done.exit_code not in (0, 1) or "Usage:" in done.stdout or done.stdout == "":
                other.append((line, done.exit_code, done.output[-200:]))
            elif given != [each.verdict] * bool(each.verdict) or done.exit_code != status:
                other.append((line, each.verdict, given, done.exit_code))
    assert other == []


def test_a_command_runs_in_a_process_of_its_own(outcomes: list[Outcome], tmp_path: Path) -> None:
    """One that a shell would spoil if it were not quoted."""
    (asked,) = (each for each in outcomes if each.source == "claim -2*diag(h)")
    start = [sys.executable, "-c", "from backprove.app.command_line import main; main()"]
    said = asked.command.replace("backprove", shlex.join(start), 1)
    done = subprocess.run(["sh", "-c", said], capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert (marks(done.stdout), done.returncode) == (["right"], 0), done.stderr


def test_the_python_gives_the_same_verdicts(outcomes: list[Outcome], tmp_path: Path) -> None:
    said = python_said(outcomes, tmp_path)
    wanted = [str(each.verdict) for each in outcomes]
    found = zip(outcomes, wanted, said, strict=True)
    other = [(each.source, want, got) for each, want, got in found if each.verdict and want != got]
    assert other == []


def test_a_study_is_trained_again_with_its_claim(tmp_path: Path) -> None:
    study, claim = run_worksheet(STUDY).outcomes
    assert claim.verdict == "right"
    assert python_said([study, claim], tmp_path)[-1] == "right"
