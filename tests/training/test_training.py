"""Training against a second implementation, alone against stacked, and its bookkeeping."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from backprove.datasets import Dataset
from backprove.errors import SetupError
from backprove.networks import ACTIVATIONS, MLP, initialise
from backprove.training import MEASURES, OPTIMISERS, Group, Model, Program, devices, record
from backprove.training.fusion import chosen
from backprove.training.sharing import Sharing
from backprove.training.steps import at_rest


def toy(examples: int = 70, width: int = 3, classes: int = 2) -> Dataset:
    stream = np.random.default_rng(0)
    features = stream.normal(size=(examples, width)).astype(np.float32)
    labels = (features @ stream.normal(size=(width, classes))).argmax(axis=1)
    rows = np.arange(examples)
    return Dataset("toy", features, labels, rows[:50], rows[50:60], rows[60:])


DATA = toy()
MLP_TOY = MLP(3, (5, 4))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


SLOPES = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a**2, "relu": lambda a: a > 0}
VALUES = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def gradient_by_hand(parameters, x, y, activation):
    """Mean binary cross-entropy: its gradient by the textbook backward pass, in float64."""
    cached = [x]
    for layer in parameters[:-1]:
        cached.append(VALUES[activation](cached[-1] @ layer["weights"] + layer["biases"]))
    z = (cached[-1] @ parameters[-1]["weights"] + parameters[-1]["biases"])[:, 0]
    delta = ((sigmoid(z) - y) / len(y))[:, None]
    gradient = []
    for layer, below in zip(reversed(parameters), reversed(cached), strict=True):
        gradient.insert(0, {"weights": below.T @ delta, "biases": delta.sum(axis=0)})
        delta = delta @ layer["weights"].T * SLOPES[activation](below)
    return gradient


def train_by_hand(group: Group, model: Model, epochs: int):
    """The rules of the optimisers written out, batch by batch, in float64."""
    parameters = [
        {k: v.astype(np.float64) for k, v in layer.items()}
        for layer in initialise(group.program.mlp, model.seed, model.initialiser)
    ]
    first = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in parameters]
    second = [{k: np.zeros_like(v) for k, v in layer.items()} for layer in parameters]
    step = 0
    for epoch in range(epochs):
        for rows in group._order(group.seeds.index(model.seed), epoch):
            rows = rows[rows >= 0]
            step += 1
            x, y = DATA.features[rows].astype(np.float64), DATA.labels[rows]
            gradient = gradient_by_hand(parameters, x, y, model.activation)
            for p, g, m, v in zip(parameters, gradient, first, second, strict=True):
                for k in p:
                    p[k] -= model.learning_rate * direction(
                        group.program.optimiser, g[k], m, v, k, step
                    )
    return parameters


def direction(optimiser, g, m, v, k, step):
    if optimiser == "sgd":
        return g
    if optimiser == "momentum":
        m[k] = 0.9 * m[k] + g
        return m[k]
    if optimiser == "rmsprop":
        v[k] = 0.99 * v[k] + 0.01 * g**2
        return g / (np.sqrt(v[k]) + 1e-8)
    m[k] = 0.9 * m[k] + 0.1 * g
    v[k] = 0.999 * v[k] + 0.001 * g**2
    return m[k] / (1 - 0.9**step) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)


def trained(group: Group, epochs: int):
    state = group.start()
    for _ in range(epochs):
        state = group.advance(state)
    return state


@pytest.mark.parametrize("optimiser", sorted(OPTIMISERS))
def test_training_equals_the_rules_written_out(optimiser):
    models = [Model(s, rate, a) for s, rate, a in [(0, 0.02, "tanh"), (3, 0.05, "sigmoid")]]
    program = Program(MLP_TOY, ("sigmoid", "tanh"), optimiser=optimiser, batch=16)
    group = Group(program, models, DATA)  # 50 examples: the last of 4 batches has 2
    state = trained(group, 3)
    for i, model in enumerate(models):
        for got, expected in zip(
            group.parameters(state, i), train_by_hand(group, model, 3), strict=True
        ):
            np.testing.assert_allclose(got["weights"], expected["weights"], rtol=2e-4, atol=2e-5)
            np.testing.assert_allclose(got["biases"], expected["biases"], rtol=2e-4, atol=2e-5)


GRID = [
    Model(seed, rate, activation)
    for seed in (0, 5)
    for rate in (0.003, 0.03)
    for activation in ("tanh", "relu")
]


@pytest.mark.parametrize(("inner", "count"), [("map", 2), ("vmap", 1)])
def test_a_model_trained_alone_equals_the_same_model_in_a_stack(inner, count):
    if len(devices()) < count:
        pytest.skip("fewer devices than the test needs")
    together = Group(
        Program(MLP(3, (5,)), ("tanh", "relu"), batch=8), GRID[:7], DATA, inner=inner,
        on=devices()[:count],
    )  # fmt: skip
    stacked = record(together, 4)
    for i in (1, 6):
        program = Program(MLP(3, (5,)), (GRID[i].activation,), batch=8)
        alone = record(Group(program, [GRID[i]], DATA, on=devices()[:1]), 4)
        for name in MEASURES:
            np.testing.assert_allclose(stacked.values[name][i], alone.values[name][0], atol=1e-5)


def test_epoch_0_is_the_untrained_network_and_every_model_has_its_own_split():
    program = Program(MLP_TOY, ("tanh",), batch=8)
    models = [Model(0, 0.01, "tanh"), Model(1, 0.01, "tanh")]
    group = Group(program, models, DATA)
    state = group.start()
    measures = group.measure(state) | group.judge(state, [0, 1])
    for i, model in enumerate(models):
        hidden, deeper, last = initialise(MLP_TOY, model.seed)
        for part, rows in DATA.split(model.seed)._asdict().items():
            h = np.tanh(DATA.features[rows] @ hidden["weights"] + hidden["biases"])
            h = np.tanh(h @ deeper["weights"] + deeper["biases"])
            p = sigmoid(h @ last["weights"] + last["biases"])[:, 0]
            y = DATA.labels[rows]
            loss = -np.log(np.where(y == 1, p, 1 - p)).mean()
            assert measures[f"{part}_loss"][i] == pytest.approx(loss, rel=1e-5)
            assert measures[f"{part}_score"][i] == pytest.approx(((p > 0.5) == y).mean())


def test_measures_over_several_chunks_count_each_example_once(monkeypatch):
    program = Program(MLP_TOY, ("tanh",))
    whole, cut = Group(program, GRID[:1], DATA), Group(program, GRID[:1], DATA)
    at_once = whole.measure(whole.start())
    monkeypatch.setattr("backprove.training.group._CHUNK", 7)
    assert cut._judged[0].shape == (1, 8 + 2 + 2, 7)
    cut = cut.measure(cut.start())
    for name, value in at_once.items():
        np.testing.assert_allclose(cut[name], value, rtol=1e-6)


def test_train_is_measured_on_a_sample_that_each_seed_keeps(monkeypatch):
    monkeypatch.setattr("backprove.training.group.TRAIN_MEASURED", 20)
    group = Group(Program(MLP_TOY, ("tanh",)), [GRID[0], GRID[4]], DATA)
    state = group.start()
    measures = group.measure(state)
    drawn = [set(rows) for rows in group._rows["train"]]
    assert drawn[0] != drawn[1]
    for i, rows in enumerate(group._rows["train"]):
        assert len(set(rows)) == 20 and set(rows) <= set(group.splits[i].train)
        a = DATA.features[rows]
        for layer in group.parameters(state, i)[:-1]:
            a = np.tanh(a @ layer["weights"] + layer["biases"])
        last = group.parameters(state, i)[-1]
        z = (a @ last["weights"] + last["biases"])[:, 0]
        loss = np.log1p(np.exp(np.where(DATA.labels[rows] == 1, -z, z))).mean()
        assert measures["train_loss"][i] == pytest.approx(loss, rel=1e-5)
    again = Group(Program(MLP_TOY, ("tanh",)), [GRID[4]], DATA)
    assert set(again._rows["train"][0]) == drawn[1]
    assert record(again, 1).train_measured == 20


def test_test_is_measured_where_dev_is_best_and_at_the_last_epoch():
    program = Program(MLP(3, (5,)), ("tanh",), batch=8)
    models = [replace(model, learning_rate=0.3, patience=i) for i, model in enumerate(GRID[:4:2])]
    group = Group(program, models, DATA, inner="map")
    records = record(group, 12)
    dev, test = records.values["dev_loss"], records.values["test_loss"]
    every, state = [], group.start()
    for epoch in range(13):
        every.append(group.judge(state, [0, 1])["test_loss"])
        state = group.advance(state) if epoch < 12 else state
    for i, last in enumerate(records.last_epoch):
        lowest = [e for e in range(last + 1) if (dev[i, e] < dev[i, :e]).all()]
        known = sorted({0, last, *lowest})
        assert records.best_epoch[i] == lowest[-1]
        assert np.flatnonzero(np.isfinite(test[i, : last + 1])).tolist() == known
        np.testing.assert_allclose(test[i, known], np.array(every)[known, i], atol=1e-6)
        assert (test[i, last:] == test[i, last]).all()
    assert last < 12 and np.isnan(test).any()


def test_an_epoch_visits_every_training_example_once_in_an_order_of_its_seed():
    group = Group(Program(MLP_TOY, ("tanh",), batch=16), GRID[::4], DATA)
    orders = {}
    for seed in range(2):
        for epoch in range(2):
            rows = group._order(seed, epoch)
            assert rows.shape == (4, 16)
            visited = rows[rows >= 0]
            np.testing.assert_array_equal(np.sort(visited), group.splits[seed].train)
            orders[seed, epoch] = tuple(visited)
    assert len(set(orders.values())) == 4


def test_test_examples_and_dev_examples_never_change_what_is_learned():
    labels = DATA.labels.copy()
    labels[50:] = 1 - labels[50:]
    other = Dataset("toy", DATA.features, labels, DATA.train, DATA.dev, DATA.test)
    program = Program(MLP_TOY, ("tanh",))
    ends = []
    for data in (DATA, other):
        group = Group(program, GRID[:1], data, resplit=False)
        ends.append(group.parameters(trained(group, 2), 0))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a["weights"], b["weights"])


def test_several_classes_train_with_one_logit_a_class():
    data = toy(classes=3)
    program = Program(MLP(3, (), 3), ("tanh",), loss="cross_entropy", batch=10)
    values = record(Group(program, [Model(0, 0.1, "tanh")], data), 20).values
    assert values["train_score"][0, -1] > 0.9
    assert values["train_loss"][0, -1] < values["train_loss"][0, 0] / 2


def test_a_model_that_blows_up_has_no_score_and_leaves_its_neighbour_alone():
    huge = Dataset("huge", 1e3 * DATA.features, DATA.labels, DATA.train, DATA.dev, DATA.test)
    program = Program(MLP(3, ()), ("relu",), optimiser="sgd", batch=10)
    models = [Model(0, 3e38, "relu"), Model(0, 0.1, "relu")]
    values = record(Group(program, models, huge), 3).values
    assert not np.isfinite(values["train_loss"][0, -1])
    assert np.isnan(values["train_score"][0, -1])
    assert values["train_score"][1, -1] > 0.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "loss='hinge'; expected one of binary_cross_entropy"),
        ({"optimiser": "lion"}, "optimiser='lion'; expected one of sgd"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_a_program_that_cannot_be_is_refused(changes, message):
    with pytest.raises(SetupError, match=message):
        Program(MLP_TOY, ("tanh",), **changes)


def test_a_model_whose_activation_is_not_compiled_in_is_refused():
    with pytest.raises(SetupError, match="activation='relu'; expected models with tanh"):
        Group(Program(MLP_TOY, ("tanh",)), [Model(0, 0.1, "relu")], DATA)


@pytest.mark.torch
def test_losses_over_200_steps_equal_those_of_pytorch():
    torch = pytest.importorskip("torch")
    program = Program(MLP(3, (16, 16)), ("tanh",), batch=10)
    model = Model(0, 0.01, "tanh")
    group = Group(program, [model], DATA)
    ours = record(group, 40).values["train_loss"][0]
    layers = [torch.nn.Linear(*shape) for shape in program.mlp.layers]
    for linear, first in zip(layers, initialise(program.mlp, 0), strict=True):
        linear.weight.data = torch.tensor(first["weights"].T.copy())
        linear.bias.data = torch.tensor(first["biases"])
    net = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    x, y = torch.tensor(DATA.features), torch.tensor(DATA.labels, dtype=torch.float32)
    criterion, theirs = torch.nn.BCEWithLogitsLoss(), []
    train = torch.tensor(group.splits[0].train)
    for epoch in range(41):
        with torch.no_grad():
            theirs.append(float(criterion(net(x[train])[:, 0], y[train])))
        for rows in group._order(0, epoch):
            optimiser.zero_grad()
            criterion(net(x[rows])[:, 0], y[rows]).backward()
            optimiser.step()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_devices_are_one_for_each_core_or_an_accelerator():
    assert {device.platform for device in devices()} == {jax.default_backend()}


def test_oracle_covers_the_activations_that_it_is_used_with():
    assert set(VALUES) == set(SLOPES) <= set(ACTIVATIONS)


@pytest.mark.parametrize("optimiser", sorted(OPTIMISERS))
def test_optimisers_begin_with_zeros(optimiser):
    parameters = {"weights": np.ones((2, 3), np.float32)}
    begun = OPTIMISERS[optimiser].transform(0.9, 0.999).init(parameters)
    ours = at_rest(
        Program(MLP_TOY, ("tanh",), optimiser=optimiser), {"weights": np.ones((1, 2, 3))}
    )
    assert jax.tree.structure(begun) == jax.tree.structure(ours)
    for leaf, zeros in zip(jax.tree.leaves(begun), jax.tree.leaves(ours), strict=True):
        assert zeros.shape == (1, *leaf.shape) and zeros.dtype == leaf.dtype
        assert not np.any(leaf) and not np.any(zeros)


@pytest.mark.parametrize("models", range(1, 18))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_every_model_is_trained_for_every_step_of_an_epoch_in_order(models, count):
    sharing, steps = Sharing(models, min(models, count), "map"), 50
    places = np.arange(sharing.slots * sharing.devices)
    copied = [*range(models), *sharing.filling]
    done = dict.fromkeys(range(models), 0)
    busiest = 0
    for turn in sharing.turns(steps):
        spent = (turn[:, 1] - turn[:, 0]).reshape(sharing.devices, -1).sum(axis=1)
        busiest += spent.max()
        for place in places:
            first, last = turn[place]
            if last > first:
                assert done[copied[place]] == first
                done[copied[place]] = last
    assert set(done.values()) == {steps}
    if sharing.lent:  # nobody waits, but for a step that does not divide
        assert busiest <= steps * models / sharing.devices + sharing.devices


def test_the_faster_way_is_measured_once_where_there_is_much_to_train(monkeypatch, tmp_path):
    monkeypatch.setattr("backprove.training.fusion._decided", {})
    monkeypatch.setattr("backprove.training.fusion._file", lambda: tmp_path / "a" / "fusion.json")
    asked = []

    def seconds(way):
        asked.append(way)
        return {"map": 2.0, "vmap": 1.0}[way]

    middle = Program(MLP(50, (256,)), ("tanh",), epochs=1000)
    device = devices()[0]
    for _ in range(2):
        assert chosen(middle, 4, device, examples=50_000, seconds=seconds) == "vmap"
        assert asked == ["map", "vmap"] * 3
        monkeypatch.setattr("backprove.training.fusion._decided", {})  # another process
    assert chosen(middle, 4, device, examples=50, seconds=seconds) == "map"
    assert chosen(middle, 1, device, examples=50_000, seconds=seconds) == "map"
    large = Program(MLP(50, (512, 512)), ("tanh",), epochs=1000)
    assert chosen(large, 4, device, examples=50_000, seconds=seconds) == "map"
    assert len(asked) == 6


def test_timing_both_ways_leaves_a_group_as_it_was(monkeypatch):
    program = Program(MLP(3, (5,)), ("tanh", "relu"), batch=8)
    plain = record(Group(program, GRID[:7], DATA, inner="map"), 2)
    timed = Group(program, GRID[:7], DATA, inner="map")
    assert all(timed._seconds(way) > 0 for way in ("map", "vmap"))
    timed.inner = "map"
    for name, value in record(timed, 2).values.items():
        np.testing.assert_array_equal(value, plain.values[name])


def test_a_saved_state_goes_on_the_way_it_was_run():
    program = Program(MLP(3, (5,)), ("tanh", "relu"), batch=8)
    first = Group(program, GRID[:5], DATA, inner="vmap")
    saved = first.saved(first.advance(first.start()))
    second = Group(program, GRID[:5], DATA, inner="map")
    state = second.advance(second.restore(1, saved))
    assert second.inner == "vmap"
    again = first.advance(first.restore(1, saved))
    for i in range(5):
        for a, b in zip(second.parameters(state, i), first.parameters(again, i), strict=True):
            np.testing.assert_array_equal(a["weights"], b["weights"])
