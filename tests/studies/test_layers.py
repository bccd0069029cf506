"""What is recorded of layers: distributions of activations, and the tables and figures of them."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from backprove.results import Chart, Details
from backprove.studies import Study, store, study
from backprove.training import BINS, HISTOGRAM, LAYER_MEASURES, bin_edges
from backprove.training.histogram import shares_in_bins
from studies.test_studies import toy

TOY = toy()
FUNCTIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> tuple[Study, dict]:
    """A study, and the weights of its last epochs."""
    folder = tmp_path_factory.mktemp("layers")
    result = study(
        TOY, hidden="none,6x2", activation="tanh,relu", lr=0.1, epochs=2, seeds=2, batch=32,
        out=folder,
    )  # fmt: skip
    assert isinstance(result, Study)
    weights = {path.stem: load_file(path) for path in (folder / "weights").glob("*-last.*")}
    return result, weights


def test_shares_are_those_of_the_activations_that_the_weights_give(found):
    result, weights = found
    for number, one in enumerate(result.configurations):
        for run in one.runs if one.configuration.hidden != "none" else ():
            layers = weights[f"{number}-{run.seed}-last"]
            edges = bin_edges(one.configuration.activation)
            values = TOY.features[run.dev_rows[:256]].astype(np.float64)
            for layer in (1, 2):
                z = values @ layers[f"layers.{layer}.weights"] + layers[f"layers.{layer}.biases"]
                values = FUNCTIONS[one.configuration.activation](z)
                bins = np.searchsorted(edges, values.ravel(), side="left")
                expected = np.bincount(bins, minlength=BINS) / values.size
                shares = run.layers[HISTOGRAM][-1][layer - 1]
                # Rounding to single precision can move a value over an edge.
                assert np.abs(shares - expected).sum() < 4 / values.size
                assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_the_bin_that_ends_at_zero_holds_what_a_relu_switched_off(found):
    result, _ = found
    (relu,) = (r for r in result.configurations if r.label == "hidden 6x2, activation relu")
    for run in relu.runs:
        np.testing.assert_allclose(
            run.layers[HISTOGRAM][:, :, 0], run.layers["share_saturated"], atol=1e-6
        )


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_values_that_are_not_finite_have_no_distribution(broken):
    edges = jnp.asarray(bin_edges("tanh"))
    shares = np.asarray(shares_in_bins(jnp.array([0.5, broken]), edges))
    assert np.isnan(shares).all()


def test_networks_without_hidden_layers_have_no_distribution(found):
    result, _ = found
    assert result.configurations[0].runs[0].layers[HISTOGRAM].shape == (3, 0, BINS)


def test_what_a_resumed_study_recorded_of_layers_is_that_of_an_uninterrupted_one(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "_SHARE", float("inf"))
    fields = {"hidden": "none,4", "epochs": 3, "seeds": 2, "batch": 32, "patience": 1}
    fields |= {"lr": "0.05,3", "activation": "tanh"}
    whole = study(TOY, **fields)

    class Stop(Exception):
        pass

    def told(step):
        if step.done in (4, 8):
            raise Stop

    for _ in range(2):
        with pytest.raises(Stop):
            study(TOY, out=tmp_path, progress=told, **fields)
    again = study(TOY, out=tmp_path, **fields)
    read = study(TOY, out=tmp_path, **fields)
    for a, b, c in zip(*(s.configurations for s in (whole, again, read)), strict=True):
        for first, *others in zip(a.runs, b.runs, c.runs, strict=True):
            for name in (*LAYER_MEASURES, HISTOGRAM):
                for other in others:
                    np.testing.assert_array_equal(first.layers[name], other.layers[name])


def test_figures_show_the_distributions_before_and_after_training(found):
    result, _ = found
    blocks = result.blocks()
    blocks += [b for details in blocks if isinstance(details, Details) for b in details.blocks]
    charts = {b.title: b for b in blocks if isinstance(b, Chart)}
    for name in ("tanh", "relu"):
        for when in ("before training", "at the last epoch"):
            chart = charts[f"Activations of {name} by layer {when}"]
            assert {p["panel"] for p in chart.data} == {f"hidden 6x2, activation {name}"}
            assert {p["series"] for p in chart.data} == {"layer 1", "layer 2"}
            for series in ("layer 1", "layer 2"):
                assert sum(p["y"] for p in chart.data if p["series"] == series) == pytest.approx(1)
    places = [p["x"] for p in charts["Activations of tanh by layer before training"].data]
    assert places[:BINS] == pytest.approx(np.linspace(-0.95, 0.95, BINS))
    assert charts["Activations of relu by layer before training"].data[0]["x"] == "≤ 0"


def test_tables_and_json_have_the_layers(found):
    result, _ = found
    table = result.layers
    # 2 configurations of one layer and 2 of three, 2 seeds, epochs 0 to 2
    assert table.height == (2 * 1 + 2 * 3) * 2 * 3
    last = [row for row in table.rows() if row["layer"] == 3]
    assert all(row["activation_mean"] is None and row["gradient_norm"] > 0 for row in last)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    one = data["configurations"][-1]
    assert len(one["activation_edges"]) == BINS - 1
    shares = one["runs"][0]["activations"]["last_epoch"]
    assert [len(row) for row in shares] == [BINS, BINS]
    # 4 features, 6 units twice, one logit: forward, weights, and inputs of all layers but the first
    assert one["flops_per_epoch"] == (3 * (24 + 36 + 6) - 24) * 2 * len(TOY.train)
