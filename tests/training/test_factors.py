"""Every factor of training: against PyTorch, alone against stacked, and by its definition."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from backprove.datasets import Dataset
from backprove.errors import SetupError
from backprove.networks import MLP
from backprove.training import (
    LAYER_MEASURES,
    MEASURES,
    SCHEDULES,
    Group,
    Model,
    Past,
    Program,
    devices,
    multipliers,
    record,
    save_weights,
    weights,
)
from training.test_training import toy

DATA = toy()
RATINGS = replace(DATA, ratings=DATA.features[:, 0] - np.tanh(DATA.features[:, 1]))
BASE = Model(0, 0.01, "tanh")
CASES = {
    "dropout": (MLP(3, (6, 6)), {}, {"dropout": 0.4}),
    "residual": (MLP(3, (6, 6, 6), residual=True), {}, {}),
    "batch": (MLP(3, (6, 6), normalisation="batch"), {"batch": 16}, {}),
    "layer": (MLP(3, (6, 6), normalisation="layer"), {}, {}),
    "noise": (MLP(3, (6,)), {}, {"input_noise": 0.3}),
    "mixup": (MLP(3, (6,)), {}, {"mixup": 0.4}),
    "smoothing": (MLP(3, (6,)), {}, {"label_smoothing": 0.2}),
    "decay": (MLP(3, (6,)), {"optimiser": "adamw"}, {"weight_decay": 0.5}),
    "clip": (MLP(3, (6,)), {"optimiser": "sgd", "gradient_clip": 0.05}, {}),
    "schedule": (MLP(3, (6,)), {"schedule": "warmup_cosine", "epochs": 4}, {}),
    "everything": (
        MLP(3, (6, 6), residual=True, normalisation="batch"),
        {"batch": 16, "schedule": "cosine", "epochs": 4, "gradient_clip": 1.0},
        {"dropout": 0.2, "input_noise": 0.1, "mixup": 0.3, "label_smoothing": 0.1,
         "weight_decay": 0.01, "momentum": 0.8, "beta2": 0.99},
    ),
}  # fmt: skip


def program_of(case: str, **changes) -> tuple[Program, dict]:
    mlp, shared, own = CASES[case]
    return Program(mlp, ("tanh", "relu"), **{"batch": 10, **shared, **changes}), own


def stack(own: dict) -> list[Model]:
    """Models with the factor, without it, and with another seed and activation."""
    return [
        replace(BASE, **own), BASE, replace(BASE, seed=7, activation="relu", **own),
        replace(BASE, learning_rate=0.05), replace(BASE, seed=7, **own),
    ]  # fmt: skip


def measured(group: Group, epochs: int) -> dict[str, np.ndarray]:
    state = group.start()
    for _ in range(epochs):
        state = group.advance(state)
    return group.measure(state)


def all_measures(group: Group, state) -> dict[str, np.ndarray]:
    return group.measure(state) | group.judge(state, range(len(group.models)))


@pytest.mark.parametrize(
    ("case", "inner"),
    [*((case, "map") for case in CASES), ("batch", "vmap"), ("everything", "vmap")],
)
def test_a_factor_gives_the_same_numbers_alone_and_stacked(case, inner):
    program, own = program_of(case)
    models = stack(own)
    together = measured(Group(program, models, DATA, inner=inner), 3)
    alone = measured(Group(program, models[2:3], DATA, on=devices()[:1], inner="map"), 3)
    for name in MEASURES[:4]:
        np.testing.assert_allclose(together[name][2], alone[name][0], atol=2e-5)
    for name in LAYER_MEASURES:
        np.testing.assert_allclose(together[name][2], alone[name][0], rtol=1e-3, atol=2e-4)


ELSEWHERE = """
import sys, jax, numpy as np
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
sys.path.insert(0, sys.argv[2])
from training.test_factors import DATA, program_of, stack
from backprove.training import Group, devices, record
assert len(devices()) == int(sys.argv[1])
program, own = program_of("everything")
print(record(Group(program, stack(own), DATA), 3).values["dev_loss"].tolist())
"""


def test_another_number_of_devices_gives_the_same_numbers():
    program, own = program_of("everything")
    here = record(Group(program, stack(own), DATA), 3).values["dev_loss"]
    tests = os.path.dirname(os.path.dirname(__file__))
    for count in ("1", "3"):
        answer = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, count, tests],
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        there = np.array(eval_list(answer.stdout))
        np.testing.assert_allclose(there, here, atol=2e-5)


def eval_list(text: str) -> list[list[float]]:
    rows = text.strip()[2:-2].split("], [")
    return [[float(value) for value in row.split(", ")] for row in rows]


def pytorch_losses(torch, program: Program, model: Model, group: Group, epochs: int) -> list[float]:
    """The same training written with PyTorch's own layers, optimisers and losses."""
    blocks = []
    first = group.parameters(group.start(), 0)
    for i, ((fan_in, fan_out), layer) in enumerate(zip(program.mlp.layers, first, strict=True)):
        linear = torch.nn.Linear(fan_in, fan_out, bias="biases" in layer)
        linear.weight.data = torch.tensor(layer["weights"].T.copy())
        if "biases" in layer:
            linear.bias.data = torch.tensor(layer["biases"])
        if i == len(first) - 1:
            blocks.append(linear)
            break
        norms = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}
        norm = norms.get(program.mlp.normalisation)
        inside = [linear, *([norm(fan_out)] if norm else []), torch.nn.Tanh()]
        blocks.append(torch.nn.Sequential(*inside))
    modules = torch.nn.ModuleList(blocks)

    def net(x):
        for block in modules[:-1]:
            y = block(x)
            x = x + y if program.mlp.residual and x.shape == y.shape else y
        return modules[-1](x)

    rate, decay, own = model.learning_rate, model.weight_decay, modules.parameters()
    optimiser = {
        "sgd": lambda: torch.optim.SGD(own, rate, weight_decay=decay),
        "momentum": lambda: torch.optim.SGD(own, rate, momentum=0.9, weight_decay=decay),
        "adam": lambda: torch.optim.Adam(own, rate, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW(own, rate, weight_decay=decay),
        "rmsprop": lambda: torch.optim.RMSprop(own, rate, weight_decay=decay),
    }[program.optimiser]()
    x = torch.tensor(group.data.features)
    binary = program.loss == "binary_cross_entropy"
    y = torch.tensor(group.data.labels if binary else group.data.ratings, dtype=torch.float32)
    criterion = {
        "binary_cross_entropy": torch.nn.BCEWithLogitsLoss,
        "mse": torch.nn.MSELoss,
        "mae": torch.nn.L1Loss,
    }[program.loss]()
    steps = len(group._order(0, 0))
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps * program.epochs)
    train, losses = torch.tensor(group.splits[0].train), []
    for epoch in range(epochs + 1):
        modules.eval()
        with torch.no_grad():
            losses.append(float(criterion(net(x[train])[:, 0], y[train])))
        modules.train()
        for rows in group._order(0, epoch) if epoch < epochs else ():
            rows = rows[rows >= 0]
            optimiser.zero_grad()
            criterion(net(x[rows])[:, 0], y[rows]).backward()
            if program.gradient_clip:
                torch.nn.utils.clip_grad_norm_(modules.parameters(), program.gradient_clip)
            optimiser.step()
            if program.schedule == "cosine":
                cosine.step()
    return losses


@pytest.mark.torch
@pytest.mark.parametrize(
    ("mlp", "shared", "own"),
    [
        *[
            (MLP(3, (16, 16)), {"optimiser": rule}, {"weight_decay": 0.02})
            for rule in ("sgd", "momentum", "adam", "adamw", "rmsprop")
        ],
        (MLP(3, (16, 16), normalisation="batch"), {}, {}),
        (MLP(3, (16, 16), normalisation="layer"), {}, {}),
        (MLP(3, (16, 16, 16), residual=True), {"schedule": "cosine", "epochs": 40}, {}),
        (MLP(3, (16,)), {"optimiser": "sgd", "gradient_clip": 0.02}, {"learning_rate": 0.3}),
        (MLP(3, (16,)), {"loss": "mse"}, {}),
        (MLP(3, (16,)), {"loss": "mae", "optimiser": "sgd"}, {}),
    ],
)
def test_losses_over_200_steps_are_those_of_pytorch(mlp, shared, own):
    torch = pytest.importorskip("torch")
    program = Program(mlp, ("tanh",), **{"batch": 10, **shared})
    models = [replace(BASE, **own)]
    if "weight_decay" in own:
        models.append(replace(BASE, weight_decay=0.0))
    group = Group(program, models, RATINGS)
    state, ours = group.start(), []
    for epoch in range(41):
        ours.append(group.measure(state)["train_loss"])
        state = group.advance(state) if epoch < 40 else state
    for i, model in enumerate(models):
        theirs = pytorch_losses(torch, program, model, group, 40)
        assert abs(theirs[-1] - theirs[0]) > 0.01
        np.testing.assert_allclose(np.array(ours)[:, i], theirs, atol=1e-4)


def test_r_squared_is_one_minus_the_share_of_the_variance_that_is_left():
    group = Group(Program(MLP(3, (8,)), ("tanh",), loss="mse", batch=10), [BASE], RATINGS)
    state = group.start()
    measures = all_measures(group, state)
    layers = group.parameters(state, 0)
    for part, rows in group.splits[0]._asdict().items():
        h = np.tanh(RATINGS.features[rows] @ layers[0]["weights"] + layers[0]["biases"])
        errors = (h @ layers[1]["weights"] + layers[1]["biases"])[:, 0] - RATINGS.ratings[rows]
        expected = 1 - (errors**2).mean() / RATINGS.ratings[rows].var()
        assert measures[f"{part}_score"][0] == pytest.approx(expected, abs=1e-4)
        assert measures[f"{part}_loss"][0] == pytest.approx((errors**2).mean(), rel=1e-4)
    assert group.scores(state, "dev").mean() == pytest.approx(measures["dev_score"][0], abs=1e-4)


def test_dropout_draws_depend_on_the_seed_and_are_off_in_evaluation():
    program, own = program_of("dropout")
    group = Group(program, [replace(BASE, **own), replace(BASE, seed=7, **own)], DATA)
    plain = Group(program, [BASE, replace(BASE, seed=7)], DATA)
    for name, value in group.measure(group.start()).items():
        np.testing.assert_array_equal(value, plain.measure(plain.start())[name])
    again = [record(group, 2).values["train_loss"] for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert (again[0][:, 1:] != record(plain, 2).values["train_loss"][:, 1:]).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.8])
def test_dropout_keeps_the_expectation(share):
    """With one identity layer and one step of SGD the bias moves by the mean of the outputs."""
    ones = Dataset(
        "ones", np.ones((4100, 1), np.float32), np.arange(4100) % 2, *np.split(
            np.arange(4100), [4000, 4050]
        ), ratings=np.ones(4100, np.float32),
    )  # fmt: skip
    program = Program(MLP(1, (8,)), ("identity",), loss="mse", optimiser="sgd", batch=4000)
    group = Group(program, [Model(0, 1e-3, "identity", dropout=share)], ones)
    start = group.start()
    before = group.parameters(start, 0)
    after = group.parameters(group.advance(start), 0)
    h = before[0]["weights"][0] + before[0]["biases"]
    output = h @ before[1]["weights"] + before[1]["biases"]
    moved = (before[1]["biases"] - after[1]["biases"]) / 1e-3
    assert moved == pytest.approx(2 * (output - 1), abs=0.06)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_schedule_stays_between_0_and_1_and_reaches_1(schedule):
    every = np.concatenate([multipliers(schedule, epoch, 10, 5) for epoch in range(5)])
    assert every.max() == pytest.approx(1)
    assert every.min() >= 0
    expected = {
        "constant": [1, 1, 1],
        "cosine": [1, 0.5, (1 + np.cos(np.pi * 49 / 50)) / 2],
        "step": [1, 0.1, 0.01],
        "warmup_cosine": [0.2, (1 + np.cos(np.pi * 0.4 / 0.9)) / 2,
                          (1 + np.cos(np.pi * 0.88 / 0.9)) / 2],
    }[schedule]  # fmt: skip
    np.testing.assert_allclose(every[[0, 25, 49]], expected, rtol=1e-5)


STOPPING = [
    replace(BASE, learning_rate=rate, seed=seed, patience=patience)
    for rate, seed, patience in [(0.5, 0, 2), (0.01, 0, 0), (0.5, 7, 1), (0.3, 7, 2), (0.4, 3, 1)]
]


@pytest.mark.parametrize("inner", ["map", "vmap"])
def test_models_that_stop_early_leave_the_stack_and_keep_their_numbers(inner):
    program = Program(MLP(3, (6,), normalisation="batch"), ("tanh",), batch=16)
    group = Group(program, STOPPING, DATA, inner=inner, keep_best=True)
    states = []
    records = record(group, 12, finish=states.append)
    assert (records.last_epoch[[0, 2, 3, 4]] < 12).all()
    assert records.last_epoch[1] == 12
    assert len(states[0].stack) < 5
    for i, model in enumerate(STOPPING):
        last = records.last_epoch[i]
        never = Group(program, [replace(model, patience=0)], DATA, inner="map", keep_best=True)
        found = []
        alone = record(never, int(last), finish=found.append)
        losses = records.values["dev_loss"][i]
        np.testing.assert_allclose(losses[: last + 1], alone.values["dev_loss"][0], atol=1e-5)
        assert (losses[last:] == losses[last]).all()
        best = int(losses[: last + 1].argmin())
        assert records.best_epoch[i] == best
        if model.patience:
            assert last - best == model.patience
        np.testing.assert_allclose(records.dev_scores[i], alone.dev_scores[0])
        for which in ("last", "best"):
            ours = weights(group, states[0], i, which)
            theirs = weights(never, found[0], 0, which)
            assert ours.keys() == theirs.keys()
            for name, array in ours.items():
                np.testing.assert_allclose(array, theirs[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("inner", ["map", "vmap"])
def test_an_interrupted_training_goes_on_with_the_same_numbers(inner):
    program = Program(MLP(3, (6,), normalisation="batch"), ("tanh",), batch=16)
    make = lambda: Group(program, STOPPING, DATA, inner=inner, keep_best=True)  # noqa: E731
    measured, saved, whole = [], {}, make()
    records = record(
        whole, 9, lambda epoch, measures, seconds: measured.append(measures),
        keep=lambda state: saved.update({state_epoch(measured): whole.saved(state)}),
    )  # fmt: skip
    for epoch in (0, 3, 6):
        later = make()
        past = Past(later.restore(epoch, saved[epoch]), measured[: epoch + 1], [0.0] * (epoch + 1))
        rest = record(later, 9, past=past)
        for name in MEASURES:
            np.testing.assert_array_equal(rest.values[name], records.values[name])
        assert np.isfinite(rest.values["test_loss"][:, -1]).all()
        np.testing.assert_array_equal(rest.test_scores, records.test_scores)
        np.testing.assert_array_equal(rest.best_epoch, records.best_epoch)


def state_epoch(measured: list) -> int:
    return len(measured) - 1


def test_layer_records_are_the_definitions():
    program = Program(MLP(3, (5, 4)), ("relu",), optimiser="sgd", batch=10)
    group = Group(program, [replace(BASE, activation="relu")], DATA)
    state = group.start()
    seen = group.measure(state)
    layers = group.parameters(state, 0)
    rows = group.splits[0].dev
    x, y = DATA.features[rows], DATA.labels[rows]
    hidden = [x]
    for layer in layers[:-1]:
        hidden.append(np.maximum(hidden[-1] @ layer["weights"] + layer["biases"], 0))
    z = (hidden[-1] @ layers[-1]["weights"] + layers[-1]["biases"])[:, 0]
    delta = ((1 / (1 + np.exp(-z)) - y) / len(y))[:, None]
    for i in (2, 1, 0):
        norm = np.linalg.norm(hidden[i].T @ delta)
        assert seen["gradient_norm"][0, i] == pytest.approx(norm, rel=1e-3)
        ratio = 0.01 * norm / np.linalg.norm(layers[i]["weights"])
        assert seen["update_ratio"][0, i] == pytest.approx(ratio, rel=1e-3)
        delta = delta @ layers[i]["weights"].T * (hidden[i] > 0)
    for i, h in enumerate(hidden[1:]):
        assert seen["activation_mean"][0, i] == pytest.approx(h.mean(), rel=1e-4)
        assert seen["activation_std"][0, i] == pytest.approx(h.std(), rel=1e-4)
        assert seen["share_saturated"][0, i] == pytest.approx((h == 0).mean(), abs=1e-6)
        assert seen["share_dead"][0, i] == pytest.approx((h == 0).all(axis=0).mean(), abs=1e-6)


def test_weights_are_kept_in_a_file_under_their_names(tmp_path):
    group = Group(Program(MLP(3, (6,), normalisation="batch"), ("tanh",)), [BASE], DATA)
    state = group.advance(group.start())
    save_weights(tmp_path / "w.safetensors", group, state, 0)
    read = load_file(tmp_path / "w.safetensors")
    assert set(read) == {
        "layers.1.weights", "layers.1.scale", "layers.1.shift",
        "layers.1.mean", "layers.1.variance", "layers.2.weights", "layers.2.biases",
    }  # fmt: skip
    np.testing.assert_array_equal(
        read["layers.1.weights"], group.parameters(state, 0)[0]["weights"]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    with pytest.raises(SetupError, match="keep_best=True"):
        weights(group, state, 0, "best")


def test_compiling_ahead_changes_no_number():
    group, ahead = (Group(program_of("everything")[0], [BASE], DATA) for _ in range(2))
    ahead.compile()
    for name, value in record(group, 2).values.items():
        np.testing.assert_array_equal(record(ahead, 2).values[name], value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dropout": 1.0}, "dropout=1.0; expected a number from 0, below 1"),
        ({"dropout": float("nan")}, "dropout=nan"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0; expected a number of at least 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected a number above 0"),
        ({"initialiser": "orthogonal"}, "initialiser='orthogonal'; expected one of"),
    ],
)
def test_a_model_that_cannot_be_is_refused(changes, message):
    with pytest.raises(SetupError, match=message):
        replace(BASE, **changes)


@pytest.mark.parametrize(
    ("shared", "own", "message"),
    [
        ({"optimiser": "sgd"}, {"momentum": 0.9}, "momentum is given, but the optimiser sgd"),
        ({"optimiser": "momentum"}, {"beta2": 0.9}, "beta2 is given, but the optimiser momentum"),
        ({"loss": "mse"}, {"label_smoothing": 0.1}, "the loss mse has no labels"),
    ],
)
def test_a_number_that_the_program_has_no_use_for_is_refused(shared, own, message):
    with pytest.raises(SetupError, match=message):
        Group(Program(MLP(3, ()), ("tanh",), **shared), [replace(BASE, **own)], RATINGS)


def test_a_loss_of_numbers_needs_numbers():
    with pytest.raises(SetupError, match="needs ratings, which the data set toy"):
        Group(Program(MLP(3, ()), ("tanh",), loss="mse"), [BASE], DATA)


def test_devices_are_two_here():
    assert len(devices()) == 2 or jax.default_backend() != "cpu"
