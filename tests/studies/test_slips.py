"""Slips in what a study is asked for: refused before training, with what to do next."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.test_study_progress import STEP
from backprove.app.study_progress import _Lines, line_of
from backprove.errors import BackproveError
from backprove.studies import study
from backprove.studies.study import FIELDS, meant
from studies.test_studies import toy

TOY = toy()
COMMAND = (sys.executable, "-c", "from backprove.app.command_line import main; main()", "study")


@pytest.mark.parametrize(
    ("written", "said", "next_step"),
    [
        ({"lr": "0.1 0.01"}, "lr='0.1 0.01'", "by commas"),
        ({"lr": "1e-50"}, "single precision", "between 1e-5 and 10"),
        ({"lr": "1e400"}, "from 1.2e-38 to 3.4e+38", ""),
        ({"lr": "٠.١"}, "a number above 0", ""),
        ({"lr": "1_0"}, "a number above 0", ""),
        ({"lr": "nan"}, "a number above 0", ""),
        ({"mixup": "inf"}, "is too large", ""),
        ({"dropout": "0.1;0.2"}, "below 1", "by commas"),
        ({"dropout": "1.0"}, "below 1", ""),
        ({"momentum": "2"}, "below 1", ""),
        ({"epochs": "1 2"}, "a whole number", "by commas"),
        ({"hidden": "8;9"}, "is not understood", "by commas"),
        ({"activation": "relu tanh"}, "expected one of", "by commas"),
        ({"activation": "relUU"}, "expected one of", "Did you mean relu?"),
        ({"initialiser": "he"}, "expected one of", "Did you mean he_"),
    ],
)
def test_a_slip_in_a_value_is_refused_with_what_to_do(written, said, next_step):
    with pytest.raises(BackproveError) as refused:
        study(TOY, **written)
    assert said in refused.value.message
    assert next_step in refused.value.hint


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("learning-rate", "lr"), ("learningrate", "lr"), ("--batch-size", "batch"),
        ("batchsize", "batch"), ("optimiser", "optimizer"), ("layer", "hidden"),
        ("scheduler", "schedule"), ("seeeds", "seeds"), ("n_epochs", "epochs"),
    ],
)  # fmt: skip
def test_a_field_is_found_by_its_other_names(written, field):
    assert meant(written, FIELDS) == f"Did you mean {field}?"


def told(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, env=os.environ.copy(),
        timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--learning-rate", "0.1"], "Did you mean --lr?"),
        (["--zipped=lr,hidden"], "Did you mean --zip?"),
        (["--wheel", "3"], "no flag --wheel"),
        (["--hidden", "none", "--out", "a.txt"], "'a.txt' is a file; expected a folder."),
        (["study.toml"], "leave the header [study] out"),
    ],
)
def test_a_slip_on_the_command_line_is_refused_with_what_to_do(tmp_path, arguments, said):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "study.toml").write_text("[study]\nlr = 0.1\n")
    code, err = told(tmp_path, *arguments)
    assert code == 2
    assert said in err and "Traceback" not in err and "epoch 0" not in err


def test_plain_lines_tell_of_compiling_once_for_each_group(capsys):
    lines = _Lines()
    waiting = replace(STEP, compiling=0.6, epoch=0, dev_losses=(), group=3, groups=7, left=90.5)
    for step in (waiting, replace(waiting, compiling=1.1), replace(STEP, epoch=0), waiting):
        lines(step)
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "[300/1200 epochs] compiling 3 of 7: hidden 512x3, 24 models; 14 of 60 models done: "
        "12 learned, 2 at chance; about 2 min left"
    )
    assert "epoch 0 of 20" in second
    assert "compiling 3 of 7: hidden 512x3, 24 models for 42 s" in line_of(
        replace(waiting, compiling=42.0)
    )
