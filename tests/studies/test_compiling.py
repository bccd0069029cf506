"""The next stack is compiled while one trains, and whoever waits is told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from threading import Event
from time import monotonic

import jax
import pytest

from backprove.networks import MLP
from backprove.studies import runs, study
from backprove.studies.grids import grid
from backprove.studies.sizes import size_of
from backprove.training import Group, Model, Program
from backprove.training.ahead import Ahead, begin, outline
from backprove.training.steps import _THREADS, Compiled, compiled
from studies.test_store import Stop, numbers
from studies.test_studies import toy

TOY = toy()
SHAPES = {"hidden": "none,7,9", "lr": "0.05,0.2", "epochs": 3, "seeds": 2, "batch": 16}


@pytest.fixture
def anew():
    compiled.cache_clear()
    yield
    compiled.cache_clear()


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam"])
def test_the_outline_of_a_group_has_the_shapes_of_its_start(normalisation, optimiser):
    mlp = MLP(TOY.width, (5, 4), normalisation=normalisation)
    program = Program(mlp, ("tanh",), optimiser=optimiser, batch=16)
    group = Group(program, [Model(seed, 0.1, "tanh") for seed in range(3)], TOY)

    def shapes(state):
        return jax.tree.map(lambda a: (a.shape, a.dtype, a.sharding), state[1:4])

    assert shapes(outline(group)) == shapes(group.start())


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("resplit", [True, False])
@pytest.mark.parametrize("hidden", [(), (6,), (300, 300)])
def test_what_was_compiled_ahead_is_what_the_group_runs(anew, loss, resplit, hidden):
    outputs = 1 if loss == "binary_cross_entropy" else 2
    program = Program(MLP(TOY.width, hidden, outputs), ("tanh",), loss, batch=16)
    models = [Model(seed, 0.1, "tanh", dropout=0.1) for seed in range(3)]
    ahead = begin(program, models, TOY, resplit=resplit)
    group = Group(program, models, TOY, resplit=resplit)
    before = dict(group._programs._ready)
    assert set(before.values()) == set(ahead.begun) and len(ahead.begun) == 2
    state = group.advance(group.start())
    group.measure(state)
    assert group._programs._ready == before


def test_where_the_way_is_to_be_measured_training_is_compiled_both_ways(anew, monkeypatch):
    monkeypatch.setattr("backprove.training.ahead.known_way", lambda *_, **__: None)
    program = Program(MLP(TOY.width, (6,)), ("tanh",), batch=16)
    models = [Model(seed, 0.1, "tanh") for seed in range(3)]
    ahead = begin(program, models, TOY)
    for way in ("map", "vmap"):
        group = Group(program, models, TOY, inner=way)
        group.advance(group.start())
        assert set(group._programs._ready.values()) < set(ahead.begun)


def test_each_stack_but_the_first_is_compiled_while_the_one_before_trains(anew, monkeypatch):
    told, inside = [], Compiled.begin

    def ahead(program, models, data, **options):
        told.append(("ahead", len(program.mlp.hidden) and program.mlp.hidden[0]))
        return begin(program, models, data, **options)

    def counted(self, name, arguments):
        known = len(self._ready)
        found = inside(self, name, arguments)
        told.extend([("begun", name)] * (len(self._ready) - known))
        return found

    monkeypatch.setattr(runs, "begin", ahead)
    monkeypatch.setattr(Compiled, "begin", counted)
    compiling = []

    def progress(step):
        if step.compiling is None:
            told.append((step.text, step.epoch))
        else:
            compiling.append(step)

    study(TOY, progress=progress, **SHAPES)
    first, second, third = (f"hidden {width}, 4 models" for width in ("none", "7", "9"))
    both = [("begun", "measure"), ("begun", "advance")]
    epochs = {text: [(text, epoch) for epoch in range(4)] for text in (first, second, third)}
    assert told == [
        *both, ("ahead", 7), *both, *epochs[first],
        ("ahead", 9), *both, *epochs[second],
        *epochs[third],
    ]  # fmt: skip
    assert all(1 <= step.group <= step.groups == 3 for step in compiling)


def test_compiling_ahead_changes_no_number(anew, monkeypatch):
    with_it = study(TOY, **SHAPES)
    monkeypatch.setattr(runs, "begin", lambda *_, **__: Ahead())
    compiled.cache_clear()
    assert numbers(study(TOY, **SHAPES)) == numbers(with_it)


def test_an_error_of_the_compiler_is_raised_by_the_stack_that_it_concerns(
    anew, monkeypatch, tmp_path
):
    inside = jax.stages.Lowered.compile
    steps = []

    def broken(self, *arguments):
        if "9" in re.findall(r"tensor<\d+x(\d+)xf32>", self.as_text()):
            raise RuntimeError("the compiler has no room")
        return inside(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(jax.stages.Lowered, "compile", broken)
        with pytest.raises(RuntimeError, match="no room"):
            study(TOY, progress=steps.append, out=tmp_path, **SHAPES)
    assert [step.text for step in steps if step.epoch == 3] == [
        "hidden none, 4 models", "hidden 7, 4 models",
    ]  # fmt: skip
    again = []
    result = study(TOY, out=tmp_path, progress=again.append, **SHAPES)
    assert {step.text for step in again} == {"hidden 9, 4 models"}, "the others are kept"
    compiled.cache_clear()
    assert numbers(result) == numbers(study(TOY, **SHAPES))


def test_what_is_only_queued_is_given_up_when_training_ends_early(anew, monkeypatch):
    free, begun = Event(), []

    def ahead(*arguments, **options):
        begun.append(begin(*arguments, **options))
        return begun[-1]

    def progress(step):
        if step.epoch == 1:
            raise Stop

    monkeypatch.setattr(runs, "begin", ahead)
    study(TOY, **SHAPES | {"hidden": "none"})  # so that the first stack needs no compiler
    busy = [_THREADS.submit(free.wait) for _ in range(2)]
    try:
        with pytest.raises(Stop):
            study(TOY, progress=progress, **SHAPES)
        assert [future.cancelled() for future in begun[0].begun] == [True, True]
    finally:
        free.set()
    assert all(future.result() for future in busy)
    assert numbers(study(TOY, **SHAPES)) == numbers(study(TOY, **SHAPES))


def test_whoever_waits_for_the_compiler_is_told_how_long(anew, monkeypatch):
    inside = jax.stages.Lowered.compile
    slow = Event()

    def later(self, *arguments):
        slow.wait(1.2)
        return inside(self, *arguments)

    monkeypatch.setattr(jax.stages.Lowered, "compile", later)
    steps = []
    study(TOY, progress=steps.append, **SHAPES | {"hidden": "11", "epochs": 2})
    waits = [step for step in steps if step.compiling is not None]
    assert waits and waits[0].epoch == 0 and not waits[0].dev_losses
    assert waits[0].text == "hidden 11, 4 models" and waits[0].done == 0
    assert waits[-1].compiling > waits[0].compiling > 0
    assert steps[0].left > 0
    trained = [step for step in steps if step.compiling is None]
    assert [step.epoch for step in trained] == [0, 1, 2]
    assert trained[-1].left == pytest.approx(0, abs=1e-6)


def test_deep_networks_are_expected_to_take_their_time():
    shallow, deep = (
        size_of(grid({"hidden": hidden, "epochs": "1", "lr": "0.1,0.2"}), 1, TOY).seconds
        for hidden in ("8", "8x100")
    )
    assert shallow < 3 and deep > 15
    shapes = grid({"hidden": "8,8x100", "epochs": "1", "lr": "0.1,0.2", "batch": "8,16"})
    listed = [replace(one) for one in shapes]
    assert size_of(shapes, 1, TOY) == size_of(listed, 1, TOY)
    assert size_of(shapes, 1, TOY).seconds == pytest.approx(2 * (shallow + deep), rel=0.05)


def test_an_interrupt_does_not_wait_for_the_compiler(tmp_path):
    # Who runs the tests in the background may have made all processes below ignore Ctrl-C.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from backprove.app.command_line import main; main()"
    )
    command = [
        sys.executable, "-c", code, "study",
        "hidden=none,8x90", "seeds=1", "epochs=100000", "--out", str(tmp_path / "s"),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 0 of" in line:
            break
    process.send_signal(signal.SIGINT)
    begin = monotonic()
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert monotonic() - begin < 4
    assert "what was trained is kept in" in err
    assert not out
