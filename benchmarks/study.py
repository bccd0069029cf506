"""A grid of networks: ours against the loops that people write, on the same machine and work.

    python benchmarks/study.py [--full] [--epochs N] [--turns N] [--examples N] [--depths 0,1,2,3]
                               [--only grid|overlap|roofline|scaling|accelerator]
    python benchmarks/study.py --accelerator

The grid: no, one, two and three hidden layers of 512, by three activations and three learning
rates, at 20,000 x 50 inputs and batches of 64, with Adam. Ours trains all 36 models, compiles
without a cache, and records everything that a study records (losses and scores on a sample of train
and on dev, the layers, and test where dev is best, after each epoch). The others train and look at
dev once an epoch. Neither learning rates nor activations change much how long a model takes, so
that by default the others train one model of the nine of a depth for one epoch, and their times
are scaled; `--full` trains all of them.

Other programs slow down what runs beside them. So ours and the others are timed by turns, and the
fastest turn of each counts. Run it on a quiet machine all the same.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter, process_time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from backprove.datasets import Dataset
from backprove.networks import ACTIVATIONS, MLP, initialise
from backprove.studies import runs, study
from backprove.training import Group, Model, Program, devices, record
from backprove.training.steps import compiled

DEPTHS = ((), (512,), (512, 512), (512, 512, 512))
SIGMOIDS = ("sigmoid", "tanh", "relu")
RATES = (0.001, 0.003, 0.01)
FEATURES, TRAIN, DEV, BATCH = 50, 20_000, 2_000, 64

Torch: Any = None


def example_data(train: int = TRAIN) -> Dataset:
    """Normal features, labels of a random network."""
    stream = np.random.default_rng(0)
    count = train + 2 * DEV
    x = stream.normal(size=(count, FEATURES)).astype(np.float32)
    hidden = np.tanh(x @ stream.normal(size=(FEATURES, 16)))
    labels = (hidden @ stream.normal(size=16) > 0).astype(np.int32)
    rows = np.arange(count)
    parts = rows[:train], rows[train : train + DEV], rows[train + DEV :]
    return Dataset("normal", x, labels, *parts)


@dataclass(frozen=True)
class Spent:
    """Seconds for the whole grid of a depth, in parts that scale differently."""

    once: float  # for each model, whatever the epochs
    epoch: float  # for each epoch of each model

    def total(self, models: int, epochs: int) -> float:
        """Seconds of models one by one."""
        return models * (self.once + epochs * self.epoch)


# --- the loops that people write -----------------------------------------------------------------


def torch_model(hidden: tuple[int, ...], activation: str) -> Any:
    """A PyTorch network of the same shape."""
    act = {"sigmoid": Torch.nn.Sigmoid, "tanh": Torch.nn.Tanh, "relu": Torch.nn.ReLU}[activation]
    layers: list[Any] = []
    for fan_in, fan_out in MLP(FEATURES, hidden).layers:
        layers += [Torch.nn.Linear(fan_in, fan_out), act()]
    return Torch.nn.Sequential(*layers[:-1])


def torch_usual(data: Dataset, hidden, activation: str, rate: float, epochs: int) -> float:
    """A DataLoader of a TensorDataset, Adam, and the loss of each batch as a number."""
    model = torch_model(hidden, activation)
    optimiser = Torch.optim.Adam(model.parameters(), lr=rate)
    criterion = Torch.nn.BCEWithLogitsLoss()
    x, y = Torch.tensor(data.features), Torch.tensor(data.labels, dtype=Torch.float32)[:, None]
    pairs = Torch.utils.data.TensorDataset(x[data.train], y[data.train])
    loader = Torch.utils.data.DataLoader(pairs, batch_size=BATCH, shuffle=True)
    begin = perf_counter()
    for _ in range(epochs):
        total = 0.0
        for inputs, targets in loader:
            optimiser.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimiser.step()
            total += loss.item()
        torch_dev(model, criterion, x, y, data)
    return perf_counter() - begin


def torch_tight(data: Dataset, hidden, activation: str, rate: float, epochs: int) -> float:
    """Rows of a permuted tensor, fused Adam, nothing read back before the end of an epoch."""
    model = torch_model(hidden, activation)
    optimiser = Torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    criterion = Torch.nn.BCEWithLogitsLoss()
    x, y = Torch.tensor(data.features), Torch.tensor(data.labels, dtype=Torch.float32)[:, None]
    train = Torch.tensor(data.train)
    begin = perf_counter()
    for _ in range(epochs):
        order = train[Torch.randperm(len(train))]
        inputs, targets = x[order], y[order]
        for a, b in zip(inputs.split(BATCH), targets.split(BATCH), strict=True):
            optimiser.zero_grad(set_to_none=True)
            criterion(model(a), b).backward()
            optimiser.step()
        torch_dev(model, criterion, x, y, data)
    return perf_counter() - begin


def torch_dev(model: Any, criterion: Any, x: Any, y: Any, data: Dataset) -> float:
    """The loss on dev."""
    with Torch.no_grad():
        return criterion(model(x[data.dev]), y[data.dev]).item()


def scikit(data: Dataset, hidden, activation: str, rate: float, epochs: int) -> float:
    """MLPClassifier, with a look at dev after each epoch."""
    from sklearn.neural_network import MLPClassifier

    name = {"sigmoid": "logistic"}.get(activation, activation)
    model = MLPClassifier(
        hidden, activation=name, alpha=0, batch_size=BATCH, learning_rate_init=rate, max_iter=1,
        warm_start=True,
    )  # fmt: skip
    x, y = data.features, data.labels
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(epochs):
            model.fit(x[data.train], y[data.train])
            model.score(x[data.dev], y[data.dev])
    return perf_counter() - begin


def keras(data: Dataset, hidden, activation: str, rate: float, epochs: int) -> float:
    """A Sequential model and fit."""
    import keras as library

    layers = [library.layers.Dense(width, activation=activation) for width in hidden]
    model = library.Sequential([*layers, library.layers.Dense(1)])
    loss = library.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=library.optimizers.Adam(rate), loss=loss)
    x, y = data.features, data.labels[:, None].astype(np.float32)
    begin = perf_counter()
    model.fit(
        x[data.train], y[data.train], batch_size=BATCH, epochs=epochs, verbose=0,
        validation_data=(x[data.dev], y[data.dev]),
    )  # fmt: skip
    return perf_counter() - begin


def jax_alone(
    data: Dataset, hidden, activation: str, rate: float, epochs: int
) -> tuple[float, float]:
    """One jitted program for one model, compiled; then its epochs. Gives both times."""
    act, adam = ACTIVATIONS[activation], optax.adam(rate)
    x, y = jnp.asarray(data.features), jnp.asarray(data.labels)
    dev = jnp.asarray(data.dev)

    def loss(parameters, rows):
        h = x[rows]
        for layer in parameters[:-1]:
            h = act(h @ layer["weights"] + layer["biases"])
        z = (h @ parameters[-1]["weights"] + parameters[-1]["biases"])[:, 0]
        return optax.sigmoid_binary_cross_entropy(z, y[rows]).mean()

    @partial(jax.jit, donate_argnums=(0, 1))
    def epoch(parameters, state, order):
        def step(carry, rows):
            parameters, state = carry
            updates, state = adam.update(jax.grad(loss)(parameters, rows), state)
            return (optax.apply_updates(parameters, updates), state), None

        steps = len(order) // BATCH
        batches = order[: steps * BATCH].reshape(steps, BATCH)
        (parameters, state), _ = jax.lax.scan(step, (parameters, state), batches)
        if steps * BATCH < len(order):
            (parameters, state), _ = step((parameters, state), order[steps * BATCH :])
        return parameters, state, loss(parameters, dev)

    stream = np.random.default_rng(0)
    parameters = jax.tree.map(jnp.asarray, initialise(MLP(FEATURES, hidden), 0))
    state = adam.init(parameters)
    begin = perf_counter()
    run = epoch.lower(parameters, state, data.train.astype(np.int32)).compile()
    once = perf_counter() - begin
    for _ in range(epochs):
        order = stream.permutation(data.train).astype(np.int32)
        parameters, state, value = run(parameters, state, order)
        float(value)
    return once, perf_counter() - begin - once


# --- the grid ------------------------------------------------------------------------------------


def ours(data: Dataset, hidden: tuple[int, ...], epochs: int) -> tuple[float, list[float]]:
    """All models of a depth: the seconds of all with compilation, and of each epoch."""
    jax.clear_caches()
    compiled.cache_clear()
    models = [Model(0, rate, activation) for activation in SIGMOIDS for rate in RATES]
    begin = perf_counter()
    program = Program(MLP(FEATURES, hidden), SIGMOIDS, batch=BATCH, epochs=epochs)
    records = record(Group(program, models, data), epochs)
    return perf_counter() - begin, records.seconds.tolist()


def peers() -> dict[str, Callable[..., Any]]:
    """What is installed, by name."""
    every: dict[str, Callable[..., Any]] = {"jitted JAX, one by one (e)": jax_alone}
    if Torch is not None:
        every = {"PyTorch, usual (a)": torch_usual, "PyTorch, tight (b)": torch_tight, **every}
    if importlib.util.find_spec("sklearn"):
        every["scikit-learn (c)"] = scikit
    if importlib.util.find_spec("keras"):
        every["Keras (d)"] = keras
    return every


def compare(epochs: int, turns: int, full: bool, examples: int, depths: tuple[int, ...]) -> None:
    """The grid, depth by depth."""
    data, others = example_data(examples), peers()
    count = len(SIGMOIDS) * len(RATES)
    print(f"\nGrid of {len(depths) * count} models, {epochs} epochs each of {examples:,} examples, "
          "compilation included; seconds, and how many times those of ours")  # fmt: skip
    if not full:
        print(f"The others are scaled from one model of {count} and one epoch; ours is not scaled.")
    print(f"Of {turns} turns the fastest counts.")
    totals: dict[str, float] = {}
    print(f"{'hidden':>8} {'ours':>8}  " + "  ".join(f"{name:>26}" for name in others))
    for hidden in (DEPTHS[depth] for depth in depths):
        seconds: dict[str, list[float]] = {}
        for turn in range(turns):
            seconds.setdefault("ours", []).append(ours(data, hidden, epochs)[0])
            for name, peer in others.items():
                spent = by_peer(peer, data, hidden, epochs if full else 1, turn, full)
                seconds.setdefault(name, []).append(spent.total(count, epochs))
        row = {name: min(values) for name, values in seconds.items()}
        for name, value in row.items():
            totals[name] = totals.get(name, 0.0) + value
        mine = row.pop("ours")
        line(f"{'512x' + str(len(hidden)) if hidden else 'none':>8}", mine, row)
    mine = totals.pop("ours")
    line(f"{'all':>8}", mine, totals)
    goals = {"(a)": 6.0, "(c)": 7.0, "(e)": 1.25}
    for name, value in totals.items():
        if name[-3:] in goals:
            print(f"goal against {name}: at least {goals[name[-3:]]}; here {value / mine:.2f}")


def by_peer(
    peer: Callable[..., Any], data: Dataset, hidden, epochs: int, turn: int, full: bool
) -> Spent:
    """What a model takes on average; of a part of the grid, another activation each turn."""
    activations = SIGMOIDS if full else (SIGMOIDS[turn % len(SIGMOIDS)],)
    once = spent = 0.0
    trained = [(activation, rate) for activation in activations for rate in RATES]
    trained = trained if full else trained[:1]
    for activation, rate in trained:
        taken = peer(data, hidden, activation, rate, epochs)
        first, rest = taken if isinstance(taken, tuple) else (0.0, taken)
        once, spent = once + first, spent + rest
    return Spent(once / len(trained), spent / len(trained) / epochs)


def line(label: str, mine: float, others: dict[str, float]) -> None:
    """One row of the table."""
    cells = (f"{value:16.1f} ({value / mine:5.2f}x)" for value in others.values())
    print(f"{label} {mine:8.1f}  " + "  ".join(f"{cell:>26}" for cell in cells), flush=True)


# --- compiling while training --------------------------------------------------------------------


def overlap(epochs: int, turns: int, examples: int) -> None:
    """A study of several shapes, nothing compiled before, with and without compiling ahead."""
    data, begin_ahead = example_data(examples), runs.begin
    hidden = "none,32,64,128,256,256x2,512,512x2"
    seconds: dict[bool, list[float]] = {True: [], False: []}
    results = {}
    for turn in range(turns):
        for ahead in (True, False) if turn % 2 else (False, True):
            jax.clear_caches()
            compiled.cache_clear()
            runs.begin = begin_ahead if ahead else lambda *_, **__: runs.Ahead()
            begin = perf_counter()
            found = study(
                data, hidden=hidden, lr="0.001,0.01", activation="tanh,relu", seeds=1,
                epochs=epochs, split="fixed",
            )  # fmt: skip
            seconds[ahead].append(perf_counter() - begin)
            results[ahead] = [run.values for c in found.configurations for run in c.runs]
    runs.begin = begin_ahead
    same = all(
        np.array_equal(a[name], b[name], equal_nan=True)
        for a, b in zip(results[True], results[False], strict=True)
        for name in a
    )
    print(f"\nhidden {hidden}: 4 models each, {epochs} epochs of {examples:,} examples, by turns")
    for ahead, taken in seconds.items():
        words = "the next shape compiled while one trains" if ahead else "one after the other"
        print(f"{words:42} {', '.join(f'{s:.1f}' for s in taken)} s; fastest {min(taken):.1f} s")
    print("the numbers are " + ("equal to the last bit" if same else "NOT equal"))


# --- the roofline --------------------------------------------------------------------------------


def on_all(function: Callable[..., Any], *arrays: np.ndarray) -> Callable[[], Any]:
    """A function run by all devices at once, each on its own copy of the arrays."""
    mesh = jax.sharding.Mesh(np.array(devices()), ("models",))
    spec = jax.sharding.PartitionSpec("models")
    sharding = jax.sharding.NamedSharding(mesh, spec)
    copies = [jax.device_put(np.stack([a] * len(devices())), sharding) for a in arrays]

    def one(*own):
        return jax.tree.map(lambda a: a[None], function(*(a[0] for a in own)))

    specs = tuple(spec for _ in copies)
    run = jax.jit(jax.shard_map(one, mesh=mesh, in_specs=specs, out_specs=spec, check_vma=False))
    return lambda: jax.block_until_ready(run(*copies))


def seconds_of(run: Callable[[], Any], repeats: int = 5) -> np.ndarray:
    """The fastest of several runs, after one that compiles: by the clock, and of a processor.

    Those of a processor are a device's share. Other programs make the clock's longer, and those
    of a processor only as far as they take its cache and the memory.
    """
    run()
    times = []
    for _ in range(repeats):
        begin, processor = perf_counter(), process_time()
        run()
        times.append((perf_counter() - begin, (process_time() - processor) / len(devices())))
    return np.min(times, axis=0)


def product_seconds(rows: int, inner: int, columns: int, loops: int = 100) -> np.ndarray:
    """Time of one bare product (rows, inner) x (inner, columns) on each device."""
    stream = np.random.default_rng(0)
    a = stream.normal(size=(rows, inner)).astype(np.float32)
    b = stream.normal(size=(inner, columns)).astype(np.float32)

    def many(a, b):
        def one(_, carry):
            a, total = carry
            c = a @ b
            return a + c[0, 0] * 1e-30, total + c[0, 0]  # the next product needs this one

        return jax.lax.fori_loop(0, loops, one, (a, jnp.float32(0)))[1]

    return seconds_of(on_all(many, a, b)) / loops


def update_seconds(values: int, loops: int = 100) -> np.ndarray:
    """Time to read four arrays of values and write three, as Adam must."""

    def many(p, m, v, g):
        def one(_, arrays):
            p, m, v = arrays
            return p + g, m + g, v + g

        return jax.lax.fori_loop(0, loops, one, (p, m, v))

    return seconds_of(on_all(many, *np.zeros((4, values), np.float32))) / loops


def roofline() -> None:
    """Measured products and memory traffic of 512x3, against a whole epoch."""
    mlp, data, on = MLP(FEATURES, DEPTHS[-1]), example_data(), devices()
    products = np.zeros(2)
    for i, (fan_in, fan_out) in enumerate(mlp.layers):
        products += product_seconds(BATCH, fan_in, fan_out)
        products += product_seconds(fan_in, BATCH, fan_out)
        products += product_seconds(BATCH, fan_out, fan_in) if i else 0
    update = update_seconds(mlp.parameters)
    steps = -(-TRAIN // BATCH)
    models = [Model(0, 0.001, "relu")] * len(on)
    group = Group(Program(mlp, ("relu",), batch=BATCH), models, data)
    state = group.start()

    def epoch() -> None:
        nonlocal state
        state = jax.block_until_ready(group.advance(state))

    taken = seconds_of(epoch, repeats=3)
    rate = mlp.flops * TRAIN / 1e9
    print(f"\nRoofline of 512x3, {len(on)} models on {len(on)} devices, one epoch of training; "
          "by the clock, and of the processors")  # fmt: skip
    for what, seconds, amount, unit in (
        ("bare products of the same shapes", steps * products, rate, "GFLOP/s"),
        ("memory traffic of the update", steps * update, steps * 28 * mlp.parameters / 1e9, "GB/s"),
        ("both, one after the other", steps * (products + update), rate, "GFLOP/s"),
        ("training", taken, rate, "GFLOP/s"),
    ):
        cells = (f"{s:9.2f} s {len(on) * amount / s:6.0f} {unit:8}" for s in seconds)
        print(f"{what:34}" + "".join(cells))
    share = 100 * steps * (products + update) / taken
    print(f"goal: at least 80 % of the roofline; here {share[0]:.0f} % by the clock, "
          f"{share[1]:.0f} % of the processors")  # fmt: skip


# --- scaling -------------------------------------------------------------------------------------


def scaling() -> None:
    """Time and memory against the number of models and of examples."""
    print("\nTime and memory of one hidden layer of 512, one epoch (records included)")
    print(f"{'models':>8} {'examples':>9} {'seconds':>9} {'ms/model':>9} {'MB/device':>10}")
    sizes = [(models, 5_000) for models in (1, 2, 4, 8, 16, 32, 64)]
    sizes += [(4, examples) for examples in (10_000, 20_000, 40_000, 80_000)]
    for count, examples in sizes:
        data = example_data(examples)
        models = [Model(0, 0.001, "relu")] * count
        group = Group(Program(MLP(FEATURES, (512,)), ("relu",), batch=BATCH), models, data)
        group.compile()
        state = group.advance(group.start())
        group.measure(state)
        times = []
        for _ in range(3):
            begin = perf_counter()
            state = group.advance(state)
            group.measure(state)
            times.append(perf_counter() - begin)
        memory = group.memory
        print(f"{count:8} {examples:9} {min(times):9.3f} {1e3 * min(times) / count:9.1f} "
              f"{memory / 1e6:10.1f}", flush=True)  # fmt: skip


# --- an accelerator ------------------------------------------------------------------------------


def accelerator() -> None:
    """Models per second at several stack sizes against serial PyTorch, on a GPU."""
    if devices()[0].platform == "cpu":
        print("\nNo accelerator here: nothing to measure (JAX sees only processors).")
        return
    data = example_data()
    serial = Torch is not None and Torch.cuda.is_available()
    print(f"\nEpochs of single models per second on {devices()[0].device_kind}")
    for hidden in DEPTHS[1:]:
        peer = cuda_epoch(data, hidden) if serial else float("nan")
        print(f"512x{len(hidden)}: serial PyTorch {1 / peer:8.2f}")
        for count in (1, 8, 64, 512):
            models = [Model(seed, 0.001, "relu") for seed in range(count)]
            program = Program(MLP(FEATURES, hidden), ("relu",), batch=BATCH)
            for inner in ("vmap", "map"):
                if inner == "map" and count > 64:
                    continue
                group = Group(program, models, data, resplit=False, inner=inner)
                state = group.advance(group.start())
                jax.block_until_ready(state.parameters)
                begin = perf_counter()
                state = group.advance(state)
                jax.block_until_ready(state.parameters)
                taken = perf_counter() - begin
                print(f"  {count:4} models, {inner:4}: {count / taken:9.2f} "
                      f"({count / taken * peer:6.1f}x)", flush=True)  # fmt: skip


def cuda_epoch(data: Dataset, hidden: tuple[int, ...]) -> float:
    """Seconds of one epoch of one model, data on the GPU, tight loop."""
    model = torch_model(hidden, "relu").cuda()
    optimiser = Torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    criterion = Torch.nn.BCEWithLogitsLoss()
    x = Torch.tensor(data.features[data.train]).cuda()
    y = Torch.tensor(data.labels[data.train], dtype=Torch.float32)[:, None].cuda()
    taken = 0.0
    for _ in range(2):  # the first one warms up
        Torch.cuda.synchronize()
        begin = perf_counter()
        order = Torch.randperm(len(x), device="cuda")
        for rows in order.split(BATCH):
            optimiser.zero_grad(set_to_none=True)
            criterion(model(x[rows]), y[rows]).backward()
            optimiser.step()
        Torch.cuda.synchronize()
        taken = perf_counter() - begin
    return taken


def main() -> None:
    """Run the sections that are asked for."""
    global Torch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="train all models of the others too")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--examples", type=int, default=TRAIN, help="training examples of the grid")
    parser.add_argument("--depths", default="0,1,2,3", help="hidden layers, such as 0,3")
    parser.add_argument("--turns", type=int, default=1, help="how often each is timed")
    parser.add_argument("--accelerator", action="store_true", help="only the section of GPUs")
    parser.add_argument("--only", choices=("grid", "overlap", "roofline", "scaling", "accelerator"))
    given = parser.parse_args()
    if importlib.util.find_spec("torch"):
        import torch

        Torch = torch
    only = "accelerator" if given.accelerator else given.only
    jax.config.update("jax_enable_compilation_cache", False)  # compilation is timed
    on = devices()
    print(f"{len(on)} x {on[0].device_kind}, jax {jax.__version__}")
    if only in (None, "grid"):
        depths = tuple(int(depth) for depth in given.depths.split(","))
        compare(given.epochs, given.turns, given.full, given.examples, depths)
    if only in (None, "overlap"):
        overlap(given.epochs, max(2, given.turns), given.examples)
    if only in (None, "roofline"):
        roofline()
    if only in (None, "scaling"):
        scaling()
    if only in (None, "accelerator"):
        accelerator()


if __name__ == "__main__":
    main()
