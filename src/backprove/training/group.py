"""A group: models of one shape, stacked and trained by one program on all devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from backprove.datasets import Dataset, Split
from backprove.errors import SetupError
from backprove.networks import LOSSES, Parameters, forward, initialise, switch
from backprove.training.devices import devices
from backprove.training.optimisers import OPTIMISERS
from backprove.training.program import Model, Program

Inner = Literal["map", "vmap"]

_ORDER_STREAM = 3  # other streams: splits (1), first weights (2)
_CHUNK = 2048  # examples measured at a time: bounds memory, and is past where speed levels off
_SMALL = 5_000  # parameters below which stacked products beat a loop on a CPU (measured: 16 wide)
_STACKED, _SHARED = PartitionSpec("models"), PartitionSpec()


class Scalars(NamedTuple):
    """The scalars of each model on the devices, (models,) each."""

    learning_rate: Any
    activation: Any
    seed: Any  # position among the distinct seeds


class State(NamedTuple):
    """Everything that training changes; with the group, it determines all that follows."""

    epoch: int
    parameters: Parameters
    optimiser: Any


class Group:
    """Models of one shape, trained together.

    Args:
        program: what they share.
        models: what they differ in, at least one.
        data: the data set; it is copied to each device once.
        resplit: whether each seed draws its own train and dev examples (never test).
        inner: how a device runs its models: one after the other (``map``) or as stacked products
            (``vmap``); by default whichever was measured to be faster.
        on: the JAX devices; all by default.

    >>> from backprove.datasets import load
    >>> from backprove.networks import MLP
    >>> program = Program(MLP(50, ()), ("sigmoid",))
    >>> group = Group(program, [Model(0, 0.01, "sigmoid")], load("reviews"))
    >>> state = group.advance(group.start())
    >>> round(float(group.measure(state)["dev_loss"][0]), 1)
    0.6
    """

    def __init__(
        self,
        program: Program,
        models: Sequence[Model],
        data: Dataset,
        *,
        resplit: bool = True,
        inner: Inner | None = None,
        on: Sequence[Any] | None = None,
    ) -> None:
        foreign = {model.activation for model in models} - set(program.activations)
        if foreign or not models:
            given = f"activation={foreign.pop()!r}" if foreign else "No model"
            raise SetupError(f"{given}; expected models with {', '.join(program.activations)}.")
        self.program = program
        self.models = tuple(models)
        self.data = data
        self.seeds = tuple(sorted({model.seed for model in models}))
        self.splits = [data.split(seed if resplit else None) for seed in self.seeds]
        on = tuple(on or devices())[: len(self.models)]
        self._mesh = Mesh(np.array(on), ("models",))
        # Each device gets equally many models; the last model fills up and its copies are dropped.
        missing = -len(self.models) % len(on)
        self._stacked = self.models + self.models[-1:] * missing
        small = on[0].platform != "cpu" or program.mlp.parameters <= _SMALL
        programs = _compiled(program, self._mesh, inner or ("vmap" if small else "map"))
        self._begin, self._advance, self._measure, self._score = programs

    def start(self) -> State:
        """The state before training."""
        mlp = self.program.mlp
        drawn: dict[tuple[int, str], Any] = {}
        for model in self._stacked:
            key = (model.seed, model.initialiser)
            if key not in drawn:
                drawn[key] = initialise(mlp, *key)
        each = [drawn[model.seed, model.initialiser] for model in self._stacked]
        stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *each)
        parameters = jax.device_put(stacked, self._placed(_STACKED))
        return State(0, parameters, self._begin(parameters))

    def advance(self, state: State) -> State:
        """Train all models for one epoch.

        Args:
            state: the state before; its arrays are used up.

        Returns:
            The state after.
        """
        rows = np.stack([self._order(i, state.epoch) for i in range(len(self.seeds))])
        parameters, optimiser = self._advance(
            state.parameters, state.optimiser, self._scalars, rows, *self._examples
        )
        return State(state.epoch + 1, parameters, optimiser)

    def measure(self, state: State) -> dict[str, NDArray[np.float64]]:
        """Loss and score of all models on train, dev and test.

        Args:
            state: the state to measure; it stays usable.

        Returns:
            ``train_loss``, ``train_score``, ..., (models,) each; a score is NaN where its loss is
            not finite.
        """
        sums = self._measure(state.parameters, self._scalars, self._judged, *self._examples)
        measures: dict[str, NDArray[np.float64]] = {}
        for part, total in sums.items():
            count = len(getattr(self.splits[0], part))
            loss, score = np.asarray(total, np.float64)[: len(self.models)].T / count
            measures[f"{part}_loss"] = loss
            # No output is no answer, although NaN > 0 would count as one.
            measures[f"{part}_score"] = np.where(np.isfinite(loss), score, np.nan)
        return measures

    def scores(self, state: State, part: str) -> NDArray[np.float32]:
        """The score of every example of a part for all models.

        Args:
            state: the state to measure; it stays usable.
            part: ``dev`` or ``test``.

        Returns:
            (models, examples), in the order of the rows of each model's part.
        """
        rows = self._judged[part]
        scores = self._score(state.parameters, self._scalars, rows, *self._examples)
        return np.asarray(scores)[: len(self.models), : len(getattr(self.splits[0], part))]

    def parameters(self, state: State, model: int) -> Parameters:
        """The parameters of one model as NumPy arrays.

        Args:
            state: the state to read.
            model: its position in the group.

        Returns:
            For each layer ``weights`` (fan-in, fan-out) and ``biases`` (fan-out,).
        """
        return jax.tree.map(lambda array: np.asarray(array[model]), state.parameters)

    def saved(self, state: State) -> dict[str, NDArray]:
        """The arrays of a state, one for each leaf, without the copies that fill up the devices.

        Args:
            state: the state to read; it stays usable.

        Returns:
            Arrays (models, ...) by number; :meth:`restore` takes them.
        """
        leaves = jax.tree.leaves((state.parameters, state.optimiser))
        return {str(i): np.array(leaf[: len(self.models)]) for i, leaf in enumerate(leaves)}

    def restore(self, epoch: int, arrays: Mapping[str, NDArray]) -> State:
        """The state that was saved.

        Args:
            epoch: its epoch.
            arrays: as :meth:`saved` gave them, of a group of the same models.

        Returns:
            A state that goes on with the same numbers.
        """
        start = self.start()
        leaves, structure = jax.tree.flatten((start.parameters, start.optimiser))
        copies = len(self._stacked) - len(self.models)
        filled = [
            np.concatenate([a, np.repeat(a[-1:], copies, axis=0)])
            for a in (arrays[str(i)] for i in range(len(leaves)))
        ]
        placed = jax.device_put(jax.tree.unflatten(structure, filled), self._placed(_STACKED))
        return State(epoch, *placed)

    def _placed(self, spec: PartitionSpec) -> NamedSharding:
        return NamedSharding(self._mesh, spec)

    @cached_property
    def _examples(self) -> tuple[jax.Array, jax.Array]:
        targets = getattr(self.data, LOSSES[self.program.loss].targets)
        return jax.device_put((self.data.features, targets), self._placed(_SHARED))

    @cached_property
    def _scalars(self) -> Scalars:
        names, seeds = self.program.activations, self.seeds
        scalars = Scalars(
            np.array([model.learning_rate for model in self._stacked], np.float32),
            np.array([names.index(model.activation) for model in self._stacked], np.int32),
            np.array([seeds.index(model.seed) for model in self._stacked], np.int32),
        )
        return jax.device_put(scalars, self._placed(_STACKED))

    @cached_property
    def _judged(self) -> dict[str, jax.Array]:
        """Row numbers (seeds, chunks, examples) of each part."""
        parts = {
            part: np.stack([_cut(getattr(split, part), _CHUNK) for split in self.splits])
            for part in Split._fields
        }
        return jax.device_put(parts, self._placed(_SHARED))

    def _order(self, seed: int, epoch: int) -> NDArray[np.int32]:
        """Row numbers (steps, batch) of an epoch: a function of seed and epoch alone."""
        stream = np.random.Generator(np.random.PCG64([_ORDER_STREAM, self.seeds[seed], epoch]))
        return _cut(stream.permutation(self.splits[seed].train), self.program.batch)


def _cut(rows: NDArray, length: int) -> NDArray[np.int32]:
    """Row numbers in lines of at most ``length``; −1 fills up the last line."""
    length = min(length, len(rows))
    filled = np.full(-(-len(rows) // length) * length, -1, np.int32)
    filled[: len(rows)] = rows
    return filled.reshape(-1, length)


@lru_cache(maxsize=64)
def _compiled(program: Program, mesh: Mesh, inner: Inner) -> tuple[Callable[..., Any], ...]:
    """Programs that start, train for one epoch, measure and score a stack of models."""
    train, judge = _epoch_of_one(program), _measures_of_one(program)
    each = _scores_of_one(program)
    rule = OPTIMISERS[program.optimiser]
    transform = rule.transform(rule.momentum, rule.beta2)

    def advance(parameters, optimiser, scalars, rows, features, targets):
        def one(model):
            return train(*model, rows, features, targets)

        return _over_models(one, (parameters, optimiser, scalars), inner)

    def measure(parameters, scalars, rows, features, targets):
        def one(model):
            return judge(*model, rows, features, targets)

        return _over_models(one, (parameters, scalars), inner)

    def score(parameters, scalars, rows, features, targets):
        def one(model):
            return each(*model, rows, features, targets)

        return _over_models(one, (parameters, scalars), inner)

    def spread(function, stacked: int, shared: int):
        specs = (_STACKED,) * stacked + (_SHARED,) * shared
        return jax.shard_map(
            function, mesh=mesh, in_specs=specs, out_specs=_STACKED, check_vma=False
        )

    return (
        jax.jit(spread(jax.vmap(transform.init), 1, 0)),
        jax.jit(spread(advance, 3, 3), donate_argnums=(0, 1)),
        jax.jit(spread(measure, 2, 3)),
        jax.jit(spread(score, 2, 3)),
    )


def _over_models(one: Callable[[Any], Any], stacked: Any, inner: Inner) -> Any:
    return jax.lax.map(one, stacked) if inner == "map" else jax.vmap(one)(stacked)


def _epoch_of_one(program: Program) -> Callable[..., Any]:
    loss, activate = LOSSES[program.loss], switch(program.activations)
    rule = OPTIMISERS[program.optimiser]
    transform = rule.transform(rule.momentum, rule.beta2)

    def batch_loss(parameters, scalars, rows, features, targets):
        outputs = forward(parameters, features[rows], lambda z: activate(scalars.activation, z))
        real = rows >= 0
        return jnp.where(real, loss.value(outputs, targets[rows]), 0).sum() / real.sum()

    def epoch(parameters, optimiser, scalars, rows, features, targets):
        def step(carry, rows):
            parameters, optimiser = carry
            gradient = jax.grad(batch_loss)(parameters, scalars, rows, features, targets)
            directions, optimiser = transform.update(gradient, optimiser, parameters)
            rate = scalars.learning_rate
            moved = jax.tree.map(lambda p, d: p - rate * d, parameters, directions)
            return (moved, optimiser), None

        return jax.lax.scan(step, (parameters, optimiser), rows[scalars.seed])[0]

    return epoch


def _measures_of_one(program: Program) -> Callable[..., Any]:
    """Sums of loss and score (2,) over each part."""
    loss, activate = LOSSES[program.loss], switch(program.activations)

    def measures(parameters, scalars, parts, features, targets):
        def chunk(sums, rows):
            outputs = forward(parameters, features[rows], lambda z: activate(scalars.activation, z))
            wanted = targets[rows]
            both = jnp.stack([loss.value(outputs, wanted), loss.score(outputs, wanted)])
            return sums + jnp.where(rows >= 0, both, 0).sum(axis=1), None

        zero = jnp.zeros(2)
        return {
            part: jax.lax.scan(chunk, zero, rows[scalars.seed])[0] for part, rows in parts.items()
        }

    return measures


def _scores_of_one(program: Program) -> Callable[..., Any]:
    """The score of each example of a part, in the order of its rows."""
    loss, activate = LOSSES[program.loss], switch(program.activations)

    def scores(parameters, scalars, chunks, features, targets):
        def chunk(rows):
            outputs = forward(parameters, features[rows], lambda z: activate(scalars.activation, z))
            return loss.score(outputs, targets[rows])

        return jax.lax.map(chunk, chunks[scalars.seed]).reshape(-1)

    return scores
