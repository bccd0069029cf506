"""A study in a folder: killed anywhere it goes on, and what does not fit is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backprove.errors import DataError, SetupError
from backprove.studies import Study, store, study
from backprove.worksheets.engine import Engine
from studies.test_studies import toy

TOY = toy()
FIELDS = {"hidden": "none,8", "lr": "0.05,0.2", "epochs": 4, "seeds": 2, "batch": 16}
TESTS = Path(__file__).parents[1]

PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(TESTS)!r})
from backprove.studies import study
from studies.test_studies import toy
limit = int(sys.argv[2])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
def told(step):
    print("epoch", step.done, flush=True)
try:
    result = study(toy(), out=sys.argv[1] or None, progress=told, **{FIELDS!r})
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
    sys.exit(2)
runs = [run for c in result.configurations for run in c.runs]
print(json.dumps([[v.tolist() for v in run.values.values()] + [run.dev_scores.tolist()]
                  for run in runs]))
"""


def started(folder: Path | str, *, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(limit)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, list]:
    out, _ = process.communicate(timeout=120)
    return process.returncode, json.loads(out.splitlines()[-1])


def numbers(result: Study) -> list:
    return [
        [*(v.tolist() for v in run.values.values()), run.dev_scores.tolist()]
        for c in result.configurations
        for run in c.runs
    ]


@pytest.fixture(scope="module")
def whole() -> list:
    """The numbers of the study that nothing interrupts; it is trained once."""
    return numbers(study(TOY, **FIELDS))


@pytest.fixture(scope="module")
def whole_of_a_process() -> list:
    """The same of a process of its own, which sees other devices than the tests do."""
    code, found = ended(started(""))
    assert code == 0
    return found


class Stop(Exception):
    """What a test throws to interrupt a study."""


def stopped_at(done: int, folder: Path, **fields) -> None:
    def told(step):
        if step.done >= done:
            raise Stop

    with pytest.raises(Stop):
        study(TOY, out=folder, progress=told, **FIELDS | fields)


def test_a_study_killed_many_times_ends_with_the_same_numbers(tmp_path, whole_of_a_process):
    chance = random.Random(4)
    kills, times = 0, int(os.environ.get("BACKPROVE_KILLS", "1"))
    for _ in range(times):
        process = started(tmp_path / "s")
        lines = chance.randrange(1, 5)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kills >= times // 2
    assert ended(started(tmp_path / "s")) == (0, whole_of_a_process)
    assert numbers(study(TOY, out=tmp_path / "s", **FIELDS)) == whole_of_a_process


@pytest.mark.parametrize("done", [0, 4, 8, 12, 20, 32])
def test_an_interrupted_study_goes_on_from_its_last_epoch(tmp_path, monkeypatch, whole, done):
    monkeypatch.setattr(store, "_SHARE", float("inf"))
    stopped_at(done, tmp_path)
    steps = []
    again = study(TOY, out=tmp_path, progress=steps.append, **FIELDS)
    assert numbers(again) == whole
    # The epoch whose progress was being told is measured, but its state was not kept yet.
    assert steps[0].done >= done - 4 * (done > 0)
    assert steps[-1].done == 32


def test_a_finished_study_is_read_and_not_trained_again(tmp_path):
    first = study(TOY, out=tmp_path, **FIELDS)
    steps = []
    second = study(TOY, out=tmp_path, progress=steps.append, **FIELDS)
    assert not steps
    assert numbers(first) == numbers(second)
    assert [c.to_dict() for c in first.configurations] == [
        c.to_dict() for c in second.configurations
    ]
    assert 0 < second.seconds <= first.seconds


def test_runs_that_diverged_are_kept_with_their_missing_numbers(tmp_path):
    fields = {"hidden": "none", "lr": "1e38", "optimizer": "sgd", "epochs": 3, "seeds": 1}
    first, second = (study(TOY, out=tmp_path, **fields) for _ in range(2))
    for name, values in first.configurations[0].runs[0].values.items():
        np.testing.assert_array_equal(values, second.configurations[0].runs[0].values[name])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": "0.05,0.3"}, r"lr was 0.05,0.2, now 0.05,0.3"),
        ({"epochs": 5}, r"epochs was 4, now 5"),
        ({"seeds": [0, 2]}, r"seeds was 0,1, now 0,2"),
        ({"split": "fixed"}, r"split was seeded, now fixed"),
        ({"hidden": "none,8,16", "batch": 8}, r"hidden was none,8, now none,8,16; batch was 16"),
        ({"zipped": "hidden,lr"}, r"combined or ordered in another way"),
    ],
)
def test_another_configuration_is_refused_with_the_difference(tmp_path, whole, fields, message):
    stopped_at(8, tmp_path)
    with pytest.raises(SetupError, match=message):
        study(TOY, out=tmp_path, **FIELDS | fields)
    assert numbers(study(TOY, out=tmp_path, **FIELDS)) == whole


def test_other_data_is_refused_with_the_difference(tmp_path):
    stopped_at(8, tmp_path)
    features = TOY.features.copy()
    features[3, 1] += 1e-3
    with pytest.raises(DataError, match=r"other data: contents [0-9a-f]+, now [0-9a-f]+"):
        study(replace(TOY, features=features), out=tmp_path, **FIELDS)
    with pytest.raises(DataError, match=r"examples 200,100,100, now 400,200,200"):
        study(toy(800), out=tmp_path, **FIELDS)


def test_another_region_is_only_another_reading_of_the_same_runs(tmp_path):
    study(TOY, out=tmp_path, **FIELDS)
    steps = []
    assert study(TOY, out=tmp_path, region=5, progress=steps.append, **FIELDS).region == 5
    assert not steps


def test_a_second_process_on_the_same_study_is_refused(tmp_path):
    process = started(tmp_path)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(SetupError, match="Another process is training the study"):
            study(TOY, out=tmp_path, **FIELDS)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert ended(process)[0] == 0


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"folder .* cannot be written"):
        study(TOY, out=tmp_path / "file" / "s", **FIELDS, progress=lambda s: pytest.fail("began"))
    with pytest.raises(SetupError, match=r"out='  '; expected the path"):
        study(TOY, out="  ", **FIELDS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_read_only_folder_is_refused_in_words():
    folder = Path(tempfile.mkdtemp())
    program = (
        "import os, sys, pathlib\n"
        "from backprove.studies import store\n"
        "os.setuid(65534)\n"
        "try:\n    store.Store(pathlib.Path(sys.argv[1]), {})\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    folder.chmod(0o555)
    try:
        said = subprocess.run(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
        ).stdout
    finally:
        folder.rmdir()
    assert said.startswith("SetupError")
    assert "cannot be written" in said


def test_a_full_disk_is_an_error_in_words_and_nothing_is_lost(tmp_path, whole_of_a_process):
    code, said = ended(started(tmp_path, limit=60_000))
    assert (code, said[0]) == (2, "SetupError")
    assert "cannot be written" in said[1]
    assert ended(started(tmp_path)) == (0, whole_of_a_process)


def test_a_file_that_is_no_study_is_refused(tmp_path):
    (tmp_path / "study.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(DataError, match="is not the file of a study"):
        study(TOY, out=tmp_path, **FIELDS)


def test_a_damaged_checkpoint_costs_time_and_no_numbers(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(store, "_SHARE", float("inf"))
    stopped_at(16, tmp_path)
    kept = tmp_path / "checkpoint.safetensors"
    kept.write_bytes(kept.read_bytes()[:100])
    assert numbers(study(TOY, out=tmp_path, **FIELDS)) == whole


def test_the_epochs_can_be_read_with_plain_sqlite(tmp_path):
    result = study(TOY, out=tmp_path, **FIELDS)
    with sqlite3.connect(tmp_path / "study.sqlite") as base:
        rows = base.execute(
            "SELECT dev_loss FROM epochs WHERE configuration=3 AND seed=1 ORDER BY epoch"
        ).fetchall()
    base.close()
    assert [r for (r,) in rows] == result.configurations[3].runs[1].values["dev_loss"].tolist()


def test_a_worksheet_cannot_name_a_folder_to_write():
    with pytest.raises(SetupError, match="no field 'out'"):
        Engine().study({"data": "reviews", "out": "somewhere"}, None)
