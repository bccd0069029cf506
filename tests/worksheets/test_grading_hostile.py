"""Submissions as nobody should write them: the points are those of the right claims, no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprove.worksheets.grading import Key, Marked, grade, mark_submission, read_key, workers
from backprove.worksheets.source import Source
from worksheets.fakes import block
from worksheets.test_grading import KEY

SHAPE, ENTRIES = "claim n×k×k×d", "claim J[i,j,k,l] = X[i,l]*[j==k]"
PATH = "claim df/dz = df/dh3 * dh3/dz = 20.0855"


@pytest.fixture(scope="module")
def key() -> Key:
    return read_key(Source(KEY), verify=False)


def marked(key: Key, *lines: str) -> Marked:
    return mark_submission(key, Source(block(*lines)), "a.md")


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        (("question 3", "claim A", "question 1a", SHAPE), 2.0),
        (("question 1a", SHAPE, "question 3", "claim A", "question 1a", ENTRIES), 3.0),
        (("question 9", "claim A", "question 3", "claim A"), 1.0),
        (("question 3", *["claim A"] * 5), 1.0),
        (("question 3", "claim 2*A expect wrong"), 0.0),
        (("question 3", "claim \N{CYRILLIC CAPITAL LETTER A}"), 0.0),
        (("question 3", "let A = w", "claim A"), 1.0),
        (("question 3", "let B = A", "claim B"), 1.0),
        (("question 3", "include /etc/passwd", "study data=reviews", "claim A"), 1.0),
        (("question 3", "claim " + "(" * 100_000 + "A"), 0.0),
        (("question 3", "claim " + "+".join(["A"] * 20_000)), 0.0),
        (("question 3", "claim " + "**".join(["9"] * 60)), 0.0),
        (("question 2", "claim df/dz = df/dh2 * dh3/dz = 20.0855"), 0.0),
        (("question 2", "claim df/dz = df/dh3 * dh3/dz = 21", "claim f = 40.171"), 1.0),
        (("question 2", PATH, "claim df/dz = df/dh2 * dh3/dz = 20.0855"), 0.0),
    ],
)
def test_points_are_those_of_the_right_claims(key: Key, lines: tuple[str, ...], points) -> None:
    assert marked(key, *lines).total == pytest.approx(points)


def test_a_declaration_inside_of_a_question_of_the_key_counts_from_there() -> None:
    sheet = block(
        "question 1", "let x: n", "derive x**2 wrt x", "claim diag(2*x)",
        "question 2", "let y: m", "derive tanh(y) wrt y", "claim diag(1 - tanh(y)**2)",
    )  # fmt: skip
    key = read_key(Source(sheet))
    answers = ("question 1", "claim 2*diag(x)", "question 2", "claim diag(1 - tanh(y)**2)")
    assert marked(key, *answers).total == 2


def test_files_of_every_kind_are_marked_or_have_their_reason(tmp_path: Path) -> None:
    right = block("question 3", "claim A")
    files = {
        "=cmd()|calc.md": right.encode(),
        "bom.md": b"\xef\xbb\xbf" + right.encode(),
        "crlf.md": right.replace("\n", "\r\n").encode(),
        "binary.md": bytes(range(256)) * 20,
        "empty.md": b"",
        "nul.md": b"\x00" + right.encode(),
        "utf16.md": right.encode("utf-16"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(100 * 2**20)
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "key.md").write_text(
        block("let A: d×d, w: d", "question 3", "derive A @ w wrt w", "claim A"), encoding="utf-8"
    )
    found = grade(tmp_path / "key" / "key.md", sorted(tmp_path.glob("*.md")))
    by_name = {each.name: each for each in found.submissions}
    assert {name for name, each in by_name.items() if each.total == 1} == {
        "=cmd()|calc.md",
        "bom.md",
        "crlf.md",
    }
    assert all(each.trouble for name, each in by_name.items() if each.total == 0)
    assert not any(line.startswith(("=", "+", "-", "@")) for line in found.csv().splitlines())


@pytest.mark.parametrize("stalls", ["before it is read", "while it is read", "at a claim"])
def test_a_process_that_stalls_costs_one_reason_or_one_mark(
    stalls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that says no more than it is told to, and then nothing."""
    says = {
        "before it is read": "for line in sys.stdin: time.sleep(60)",
        "while it is read": "sys.stdin.readline(); sys.exit()",
        "at a claim": (
            "for line in sys.stdin:\n"
            "    say(read=True)\n"
            "    say(done=True, trouble='') if json.loads(line)['skip'] else time.sleep(60)"
        ),
    }[stalls]
    fake = tmp_path / "fake.py"
    fake.write_text(
        "import json, sys, time\n"
        "say = lambda **said: print(json.dumps(said), flush=True)\n"
        f"sys.stdin.readline(); say(ready=True)\n{says}\n",
        encoding="utf-8",
    )
    start = workers.subprocess.Popen
    monkeypatch.setattr(
        workers.subprocess, "Popen", lambda command, **how: start([command[0], fake], **how)
    )
    monkeypatch.setattr(workers, "_GRACE", 1.5)
    (tmp_path / "key.md").write_text(KEY, encoding="utf-8")
    (tmp_path / "a.md").write_text("- words\n" * 10, encoding="utf-8")
    (found,) = grade(tmp_path / "key.md", [tmp_path / "a.md"], seconds=0.5).submissions
    assert (len(found.marks), found.total) == ((1, 0) if stalls == "at a claim" else (0, 0))
    assert bool(found.trouble) == (stalls != "at a claim")
