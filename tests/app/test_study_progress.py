"""What a study shows while it trains, on a terminal of 80 columns and in plain lines."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rich.console import Console

from backprove.app.study_progress import duration, line_of, view_of
from backprove.studies import Progress

STEP = Progress(
    done=300, total=1200, text="hidden 512x3, 24 models", epoch=5, epochs=20,
    dev_losses=(0.61, 0.72), seconds=40.0, labels=("activation tanh, lr 0.01",) * 2, models=60,
    models_done=14, outcomes={"learned": 12, "at_chance": 2}, left=130.0,
)  # fmt: skip


def shown(step: Progress, curves: dict[str, list[float]]) -> list[str]:
    console = Console(width=80, record=True, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(view_of(step, curves))
    return captured.get().splitlines()


def test_the_live_view_fits_80_columns_and_says_what_is_done_and_left():
    curves = {f"activation tanh, lr 0.{at:03}": [0.7, 0.6, 0.58] for at in range(20)}
    head, *rest = shown(STEP, curves)
    assert all(len(line) <= 80 for line in (head, *rest))
    assert head.startswith("█" * 6 + "░" * 18 + "  25%  14 of 60 models done")
    assert "12 learned" in " ".join((head, *rest))
    assert any("hidden 512x3, 24 models, epoch 5 of 20" in line for line in rest)
    assert len(rest) <= 16, "a terminal of 24 lines has room for it"
    assert any("... and 8 more" in line for line in rest)
    assert any("0.5800" in line for line in rest)


def test_labels_longer_than_the_terminal_are_cut_and_break_nothing():
    curves = {"activation gelu_tanh, lr 0.0125, " * 5: [0.7, math.nan, 0.6]}
    assert all(len(line) <= 80 for line in shown(STEP, curves))


def test_plain_lines_tell_losses_models_outcomes_and_time():
    assert line_of(STEP) == (
        "[300/1200 epochs] hidden 512x3, 24 models: epoch 5 of 20; dev loss 0.6100 to 0.7200; "
        "14 of 60 models done: 12 learned, 2 at chance; about 2 min left"
    )
    assert "no finite dev loss" in line_of(replace(STEP, dev_losses=(math.nan,)))
    assert "left" not in line_of(replace(STEP, left=None))


@pytest.mark.parametrize(("seconds", "told"), [(89, "89 s"), (91, "2 min"), (5400, "1.5 h")])
def test_durations_are_told_in_one_unit(seconds, told):
    assert duration(seconds) == told
