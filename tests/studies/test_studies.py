"""What a study accepts, how it judges runs, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.datasets import Dataset, load, open_data
from backprove.errors import BackproveError, SetupError
from backprove.results import Chart, Table
from backprove.studies import FACTORS, Configuration, Progress, Study, grid, outcomes, study
from backprove.studies.factors import levels


def toy(examples: int = 400, *, noise: bool = False) -> Dataset:
    stream = np.random.default_rng(0)
    features = stream.normal(size=(examples, 4)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(int)
    if noise:
        labels = stream.integers(0, 2, examples)
    rows = np.arange(examples)
    cut = examples // 4
    return Dataset("toy", features, labels, rows[2 * cut :], rows[:cut], rows[cut : 2 * cut])


TOY = toy()
SMALL = {"data": TOY, "hidden": "none", "epochs": 2, "seeds": 2}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": 0}, r"lr='0'; expected a number above 0"),
        ({"lr": "0.1,-1"}, r"lr='-1'"),
        ({"lr": "nan"}, r"lr='nan'"),
        ({"lr": "inf"}, r"lr='inf'"),
        ({"lr": 1e-60}, r"lr='1e-60'"),
        ({"lr": "fast"}, r"lr='fast'"),
        ({"lr": True}, r"lr=True"),
        ({"lr": None}, r"lr=None"),
        ({"lr": "0.1,0.10"}, r"names 0.1 twice"),
        ({"lr": []}, r"lr=\[\] has an empty value"),
        ({"hidden": "512,,none"}, r"has an empty value"),
        ({"hidden": "512*3"}, r"hidden='512\*3' is not understood; expected 'none'"),
        ({"hidden": "8,8x1"}, r"names 8 twice"),
        ({"hidden": "65536x2"}, r"weights and biases; at most 50000000"),
        ({"activation": "sigmiod"}, r"activation='sigmiod'; expected one of.*Did you mean sigmoid"),
        ({"optimizer": "lion"}, r"optimizer='lion'; expected one of sgd, momentum, adam"),
        ({"initialiser": "ones"}, r"initialiser='ones'"),
        ({"batch": 0}, r"batch='0'; expected a whole number from 1"),
        ({"batch": 2.5}, r"batch='2.5'"),
        ({"batch": 500}, r"batch=500 is larger than the 200 training examples of toy"),
        ({"epochs": -1}, r"epochs='-1'"),
        ({"epochs": 10**9}, r"from 1 to 100000"),
        ({"seeds": 0}, r"seeds=0; expected a number of seeds from 1"),
        ({"seeds": "many"}, r"seeds='many'"),
        ({"seeds": [1, 1]}, r"seeds=\[1, 1\]"),
        ({"seeds": [-1]}, r"seeds=\[-1\]"),
        ({"seeds": True}, r"seeds=True"),
        ({"split": "random"}, r"split='random'; expected seeded or fixed"),
        ({"data": "imbd"}, r"no built-in data set 'imbd'.*reviews"),
        ({"patience": 2}, r"patience=2 with epochs=2: training cannot stop early"),
        ({"dropout": 1}, r"dropout='1'; expected a number from 0, below 1"),
        ({"dropout": "-0.1"}, r"dropout='-0.1'"),
        ({"residual": "maybe"}, r"residual='maybe'; expected yes or no"),
        ({"normalisation": "group"}, r"normalisation='group'; expected one of none, batch, layer"),
        ({"schedule": "linear"}, r"schedule='linear'"),
        ({"momentum": 0.9, "optimizer": "sgd"}, r"momentum is given, but the optimiser sgd"),
        ({"gradient_clip": 0}, r"gradient_clip='0'; expected a number above 0"),
        ({"weight_decay": "nan"}, r"weight_decay='nan'"),
        ({"loss": "mse"}, r"loss=mse predicts a number for each example, but toy has classes"),
        ({"loss": "cross_entropy,mse"}, r"losses of one study are read in one unit"),
        ({"extend": "hidden"}, r"extend='hidden'; expected lr"),
        ({"judge": "perhaps"}, r"judge='perhaps'; expected true or false"),
        ({"until_decided": True, "most_seeds": 1}, r"most_seeds=1; expected a whole number from 2"),
        ({"preset": "school"}, r"preset='school'; expected course"),
        ({"preset": "course", "lr": 1}, r"The preset course has its own hidden"),
        ({"configurations": []}, r"configurations=\[\]; expected a list"),
        ({"configurations": [{"lr": 0}]}, r"lr='0'"),
        ({"configurations": [{"depth": 2}]}, r"'depth' is no factor"),
        ({"configurations": [{"lr": 1}, {"lr": 1.0}]}, r"number 2 names lr 1.0 again"),
        ({"data": 3}, r"data=int"),
        ({"learning_rate": 0.1}, r"no field 'learning_rate'; its fields are data, label"),
        ({"optimiser": "adam"}, r"Did you mean optimizer"),
        (
            {"lr": [i + 1 for i in range(6000)]},
            r"6,000 configurations with 2 seeds each: 12,000",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name_before_training(fields, message):
    with pytest.raises(BackproveError, match=message):
        study(**SMALL | fields, progress=lambda step: pytest.fail("training began"))


@settings(max_examples=60)
@given(st.text(max_size=12), st.sampled_from(sorted(FACTORS)))
def test_any_text_for_a_factor_is_read_or_refused_with_the_name_of_the_factor(text, name):
    with suppress_naming(name):
        values = levels(name, text)
        assert levels(name, ",".join(map(str, values))) == values


@contextmanager
def suppress_naming(name: str) -> Iterator[None]:
    """Only an error that names the factor may pass."""
    try:
        yield
    except SetupError as error:
        if not error.message.startswith(f"{name}="):
            raise


def test_a_grid_is_the_product_of_all_values_in_the_order_given():
    configurations = grid({"hidden": "none,8x2", "lr": [0.1, 0.01], "batch": "8"})
    assert [(c.hidden, c.lr, c.batch) for c in configurations] == [
        ("none", 0.1, 8), ("none", 0.01, 8), ("8x2", 0.1, 8), ("8x2", 0.01, 8),
    ]  # fmt: skip


def test_defaults_are_those_of_the_factors():
    (configuration,) = grid({"hidden": "512"})
    assert configuration == Configuration()


@pytest.fixture(scope="module")
def small():
    steps: list[Progress] = []
    result = study(
        TOY, hidden="none,8", activation="tanh,relu", lr="0.05,0.2", epochs=3, seeds=2, batch=32,
        progress=steps.append,
    )  # fmt: skip
    return result, steps


def test_progress_counts_every_epoch_of_every_model(small):
    _, steps = small
    assert steps[-1].done == steps[-1].total == 8 * 2 * 3
    assert all(a.done <= b.done for a, b in pairwise(steps))
    trained = [step.epoch for step in steps if step.compiling is None]
    assert trained == [0, 1, 2, 3] * 2
    assert steps[0].text == "hidden none, 8 models"


def test_results_are_labelled_from_what_was_trained(small):
    result, _ = small
    assert [c.label for c in result.configurations] == [
        f"hidden {h}, activation {a}, lr {lr}"
        for h in ("none", "8") for a in ("tanh", "relu") for lr in (0.05, 0.2)
    ]  # fmt: skip
    assert [c.parameters for c in result.configurations] == [5] * 4 + [49] * 4


def test_a_configuration_in_a_grid_equals_the_same_configuration_alone(small):
    result, _ = small
    alone = study(TOY, hidden="8", activation="relu", lr=0.2, epochs=3, seeds=[1], batch=32)
    (run,) = alone.configurations[0].runs
    within = result.configurations[-1].runs[1]
    for name, values in run.values.items():
        np.testing.assert_allclose(within.values[name], values, atol=1e-5)


def test_the_same_study_twice_gives_the_same_numbers(small):
    again = study(SMALL["data"], hidden="none", seeds=2, epochs=2)
    once = study(SMALL["data"], hidden="none", seeds=2, epochs=2)
    for a, b in zip(once.configurations[0].runs, again.configurations[0].runs, strict=True):
        for name in a.values:
            np.testing.assert_array_equal(a.values[name], b.values[name])


def test_json_has_the_stated_shape_and_no_number_that_json_lacks(small):
    result, _ = small
    written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {"configurations", "comparisons", "conclusions"} <= written.keys()
    first = written["configurations"][0]
    assert (first["hidden"], first["activation"], first["lr"]) == ("none", "tanh", 0.05)
    assert len(first["runs"]) == 2
    assert len(first["runs"][0]["epochs"]["dev_loss"]) == 4
    run = result.configurations[0].runs[0]
    best = run.to_dict()["test"]["best_dev_epoch"]
    assert best["epoch"] == int(np.argmin(run.values["dev_loss"]))
    assert best["accuracy"] == run.values["test_score"][best["epoch"]]


def test_comparisons_change_one_factor_and_two_seeds_decide_none(small):
    result, _ = small
    families = [(c.family, c.verdict, c.seeds) for c in result.comparisons]
    assert set(families) == {
        (family, "not_decided", 2) for family in ("hidden", "activation", "lr")
    }
    assert all("cannot go below p = 0.5" in c.reason for c in result.comparisons)
    # 4 pairs by depth, 4 by step size, 2 by activation: with no hidden layer there is none to vary
    assert [sum(f[0] == n for f in families) for n in ("hidden", "lr", "activation")] == [4, 4, 2]
    accuracy = {
        c.label: np.mean([r.last("dev_score") for r in c.runs]) for c in result.configurations
    }
    for c in result.comparisons:
        assert c.difference == pytest.approx(accuracy[c.a] - accuracy[c.b])


def test_a_ranking_is_refused_with_its_reason(small):
    result, _ = small
    (refusal,) = [s for s in result.conclusions if "ranking" in s]
    assert refusal.startswith("Not supported")
    assert "2 paired seeds" in refusal
    assert "0.5; below 6 seeds it cannot reach 0.05" in refusal


def test_charts_show_every_configuration_with_bands_over_seeds(small):
    result, _ = small
    accuracy, loss, each, *_ = [block for block in result.blocks() if isinstance(block, Chart)]
    for chart, measure in ((accuracy, "dev_score"), (loss, "dev_loss")):
        for found in result.configurations:
            points = [p for p in chart.data if p["series"] == found.label]
            runs = np.stack([run.values[measure] for run in found.runs])
            assert [p["x"] for p in points] == [0, 1, 2, 3]
            np.testing.assert_allclose([p["y"] for p in points], runs.mean(axis=0))
            np.testing.assert_allclose([p["low"] for p in points], runs.min(axis=0))
            np.testing.assert_allclose([p["high"] for p in points], runs.max(axis=0))
    assert {p["panel"] for p in each.data} == {c.label for c in result.configurations}
    assert {p["series"] for p in each.data} == {"train", "dev"}


def test_the_table_has_a_row_for_each_configuration(small):
    result, _ = small
    table = next(block for block in result.blocks() if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [c.label for c in result.configurations]


@pytest.mark.parametrize(
    ("data", "fields", "outcome"),
    [
        (TOY, {"hidden": "8", "lr": 0.05, "epochs": 3}, "learned"),
        (TOY, {"hidden": "8", "lr": 0.01, "epochs": 8}, "still_improving"),
        (TOY, {"lr": 1e-9}, "at_chance"),
        (TOY, {"hidden": "8", "initialiser": "zeros", "activation": "relu"}, "at_chance"),
        (TOY, {"lr": 1e38, "optimizer": "sgd"}, "diverged"),
        (toy(noise=True), {"hidden": "64", "activation": "relu", "lr": 0.01, "epochs": 60},
         "overfitting"),
    ],
)  # fmt: skip
def test_runs_are_told_apart_by_how_they_ended(data, fields, outcome):
    result = study(**SMALL | {"data": data, "batch": 16} | fields)
    (configuration,) = result.configurations
    assert configuration.outcomes == {outcome: 2}
    said = " ".join(result.conclusions)
    if outcome in ("learned", "still_improving"):
        assert "every run ends better on dev" in said
    else:
        assert "Supported: every" not in said
    if outcome != "learned":
        assert f"2 of 2 runs ended {outcome.replace('_', ' ')}" in said
    json.dumps(result.to_dict(), allow_nan=False)


def values(train_loss, train_score, dev_loss, dev_score, epochs=3):
    given = {"train_loss": train_loss, "train_score": train_score,
             "dev_loss": dev_loss, "dev_score": dev_score}  # fmt: skip
    begin = {"train_loss": 0.6932, "train_score": 0.5, "dev_loss": 0.6932, "dev_score": 0.5}
    return {name: np.array([begin[name]] + [given[name]] * (epochs - 1)) for name in given}


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [
        ((0.6932, 0.50, 0.6935, 0.49), "at_chance"),
        ((0.6900, 0.51, 0.6935, 0.49), "at_chance"),
        ((0.6000, 0.70, 0.6050, 0.69), "learned"),
        ((0.6600, 0.50, 0.6600, 0.49), "learned"),
        ((0.6900, 0.56, 0.6900, 0.56), "learned"),
        ((0.1000, 0.99, 2.5000, 0.51), "overfitting"),
        ((5.0000, 0.50, 5.0000, 0.50), "diverged"),
        ((5.0000, 0.80, 5.0000, 0.80), "diverged"),
        ((np.nan, np.nan, 0.69, 0.5), "diverged"),
        ((0.6, 0.7, np.inf, np.nan), "diverged"),
    ],
)
def test_outcomes_follow_from_loss_and_accuracy(numbers, outcome):
    data = load("reviews")
    reading = outcomes.read(values(*numbers), data, data.split())
    assert reading.outcome == outcome
    assert "loss" in reading.evidence


@pytest.mark.parametrize(
    ("train", "dev", "outcome", "evidence"),
    [
        ((0.69, 0.5, 0.60, 0.4, 0.4), (0.69, 0.5, 0.5, 0.5, 0.5), "unstable",
         "spikes once, most at epoch 2: 0.6000 after a lowest of 0.5000"),
        ((0.69, 0.5, 0.6, 0.4, 0.9, 0.4), (0.69, 0.5, 0.5, 0.5, 0.5, 0.5), "unstable",
         "spikes 2 times, most at epoch 4: 0.9000 after a lowest of 0.4000"),
        ((0.69, 0.5, 0.54, 0.5, 0.5), (0.69, 0.5, 0.5, 0.5, 0.5), "learned", "dev loss 0.5000"),
        ((0.69, 1.5, 0.5, 0.45, 0.4), (0.69, 0.5, 0.5, 0.5, 0.5), "learned", "dev loss"),
        ((0.69, 0.5, 0.4, 0.3, 0.2), (0.69, 0.5, 0.45, 0.5, 0.56), "overfitting",
         "dev loss rises from 0.4500 at epoch 2 to 0.5600 while train loss falls from 0.4000"),
        ((0.69, 0.5, 0.4, 0.3, 0.2), (0.69, 0.5, 0.45, 0.5, 0.51), "learned", "dev loss 0.5100"),
        ((0.69, 0.6, 0.5, 0.45, 0.4), (0.69, 0.6, 0.55, 0.5, 0.45), "still_improving",
         "dev loss falls from 0.5000 at epoch 3 to 0.4500 at the end"),
        ((0.69, 0.6, 0.5, 0.45, 0.4), (0.69, 0.6, 0.55, 0.5, 0.49), "learned", "dev loss"),
        ((0.69, 0.6, 0.5, 0.4), (0.69, 0.6, 0.5, 0.4), "learned", "dev loss"),
    ],
)  # fmt: skip
def test_spikes_rises_and_late_falls_are_told_with_their_epochs(train, dev, outcome, evidence):
    data = load("reviews")
    run = {
        "train_loss": np.array(train), "dev_loss": np.array(dev),
        "train_score": np.linspace(0.5, 0.8, len(train)),
        "dev_score": np.linspace(0.5, 0.8, len(dev)),
    }  # fmt: skip
    reading = outcomes.read(run, data, data.split())
    assert reading.outcome == outcome
    assert evidence in reading.evidence


def test_a_lucky_start_that_training_did_not_improve_is_not_learning():
    data = load("reviews")
    run = values(0.64, 0.60, 0.64, 0.60)
    assert outcomes.read(run, data, data.split()).outcome == "learned"
    constant = {name: np.full(3, run[name][-1]) for name in run}
    reading = outcomes.read(constant, data, data.split())
    assert reading.outcome == "at_chance"
    assert "before training 0.6400 and 60.0%" in reading.evidence


def test_a_bad_start_is_no_divergence():
    data = load("reviews")
    run = {
        name: np.full(3, v)
        for name, v in zip(
            ("train_loss", "train_score", "dev_loss", "dev_score"),
            (9.0, 0.5, 9.0, 0.5),
            strict=True,
        )
    }
    assert outcomes.read(run, data, data.split()).outcome == "at_chance"


def test_a_run_that_was_not_finite_once_has_diverged_for_good():
    data = load("reviews")
    run = values(0.6, 0.7, 0.6, 0.7)
    run["train_loss"] = np.array([0.7, np.inf, 0.6])
    reading = outcomes.read(run, data, data.split())
    assert (reading.outcome, reading.evidence) == ("diverged", "train loss is inf at epoch 1")


def test_a_diverged_run_is_never_averaged_away():
    result = study(TOY, hidden="none", lr="0.1,1e38", optimizer="sgd", epochs=2, seeds=2)
    good, bad = result.configurations
    assert (good.outcome, bad.outcome) == ("learned", "diverged")
    blown_up = next(run for run in bad.runs if run.outcome == "diverged")
    mixed = replace(bad, runs=(good.runs[0], blown_up))
    assert mixed.outcomes == {"diverged": 1, "learned": 1}
    assert mixed.outcome == "diverged"
    assert mixed.summary("dev_loss") == {"mean": None, "low": None, "high": None}
    assert result.comparisons[0].difference is None
    assert result.comparisons[0].reason.endswith("runs of lr 1e+38 ended diverged")
    charts = [block for block in result.blocks() if isinstance(block, Chart)]
    assert all(point["y"] < 7 for chart in charts for point in chart.data)
    assert all("are not drawn" in chart.caption for chart in charts[:3])


def test_the_fixed_split_is_kept_where_it_is_asked_for():
    result = study(TOY, hidden="none", epochs=1, seeds=2, split="fixed")
    baseline = TOY.baseline(TOY.train, TOY.dev)
    assert result.baseline_loss == pytest.approx(baseline.loss)
    assert "the split is the same for all" in str(result.blocks()[-1])


def test_the_reviews_can_be_learned_without_a_hidden_layer():
    result = study("reviews", hidden="none", lr=0.01, epochs=5, seeds=2)
    accuracy = result.configurations[0].summary("dev_score")
    assert accuracy["low"] is not None
    assert 0.66 < accuracy["low"] < 0.75


def test_numbers_to_predict_are_read_from_data_and_scored_by_r_squared():
    data = open_data("sklearn:diabetes")
    assert data.ratings is not None and data.ratings.max() == 346
    assert data.labels.tolist() == (data.ratings > np.median(data.ratings)).astype(int).tolist()
    assert "loss=mse" in data.notes[0]
    found = study(data, hidden="none,4", lr=0.3, loss="mse", epochs=3, seeds=2, batch=16)
    assert isinstance(found, Study)
    said = str(found) + " ".join(found.conclusions)
    said += " ".join(f"{b.title} {b.y}" for b in found.blocks() if isinstance(b, Chart))
    assert "R²" in said and "accuracy" not in said.lower() and "nats" not in said
    assert found.to_dict()["score"] == "R²"


def test_few_whole_numbers_are_classes():
    assert open_data("sklearn:digits").ratings is None
