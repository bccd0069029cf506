"""A group: models of one shape, stacked and trained by one program on all devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from backprove.datasets import Dataset, Split
from backprove.errors import SetupError
from backprove.networks import LOSSES, Parameters, initialise
from backprove.training.devices import devices
from backprove.training.fusion import Inner, chosen
from backprove.training.histogram import HISTOGRAM
from backprove.training.probe import LAYER_MEASURES, PROBED
from backprove.training.program import (
    Model,
    Program,
    Scalars,
    numbers,
    parts_of,
    refuse_foreign,
)
from backprove.training.schedules import multipliers
from backprove.training.sharing import Sharing
from backprove.training.state import Learned, Parked, State
from backprove.training.steps import JUDGED, SHARED, STACKED, Waiting, at_rest, compiled

# Random streams beside those of splits (1) and first weights (2).
_ORDER_STREAM, _NOISE_STREAM, _MIXUP_STREAM, _SAMPLE_STREAM = 3, 4, 5, 6
_TRIED = 20  # steps that are timed to find the faster way
_CHUNK = 256  # examples measured at a time: their activations stay in a core's own cache

TRAIN_MEASURED = 4_096
"""Loss and score on train are those of this many training examples, or of all if there are fewer:
a sample that each seed draws once, without regard to class, and keeps for all epochs. The sampling
error of an accuracy of 80 % is then 0.6 points, the same for all models of a seed."""

Measures = dict[str, NDArray[np.float64]]


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
        keep_best: whether states also hold what each model had learned at its best dev loss.
        waiting: called now and then while a program is compiled that is needed now, with the
            seconds since it was called before.

    Raises:
        SetupError: a model that the program cannot train, or data without the targets of its loss.

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
        keep_best: bool = False,
        waiting: Waiting | None = None,
    ) -> None:
        self.program = program
        self.models = tuple(models)
        refuse_foreign(program, self.models)
        if getattr(data, LOSSES[program.loss].targets) is None:
            raise SetupError(
                f"The loss {program.loss} needs {LOSSES[program.loss].targets}, which the data "
                f"set {data.name} does not have."
            )
        self.data = data
        self.seeds = tuple(sorted({model.seed for model in models}))
        self.splits = [data.split(seed if resplit else None) for seed in self.seeds]
        self.keep_best = keep_best
        self._resplit, self._waiting = resplit, waiting
        on = tuple(on or devices())[: len(self.models)]
        self._mesh = Mesh(np.array(on), ("models",))
        self._smaller: dict[tuple[int, ...], Group] = {}
        self.inner = inner or chosen(
            program, len(self.models) // len(on), on[0],
            examples=len(self.splits[0].train), seconds=self._seconds,
        )  # fmt: skip

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
        widths = mlp.hidden if mlp.normalisation == "batch" else ()
        shapes = [(len(self._stacked), width) for width in widths]
        statistics = tuple(
            {"mean": np.zeros(shape, np.float32), "variance": np.ones(shape, np.float32)}
            for shape in shapes
        )
        learned = self._put(Learned(stacked, statistics), STACKED)
        best = self._put(Learned(stacked, statistics), STACKED) if self.keep_best else None
        optimiser = self._put(at_rest(self.program, stacked), STACKED)
        everyone = tuple(range(len(self.models)))
        return State(
            0, learned.parameters, optimiser, learned.statistics, best, everyone, {}
        )  # fmt: skip

    def compile(self, state: State | None = None, *, wait: bool = True) -> None:
        """Compile the programs of training and measuring now, both at once.

        Otherwise they are compiled when they are first used.

        Args:
            state: the one to begin with, if there is one already; it stays usable.
            wait: whether to wait for them; another group can train meanwhile.
        """
        state = state or self.start()
        group = self._of(state)
        begun = [
            group._programs.begin("measure", group._to_measure(state, [], ())),
            group._programs.begin("advance", group._to_advance(state, group._turns[0])),
        ]
        for program in begun if wait else ():
            program.result()

    @property
    def memory(self) -> int:
        """Bytes that training takes on each device, as the compiler counts them."""
        arguments = self._to_advance(self.start(), self._turns[0])
        size = self._programs.begin("advance", arguments).result().memory_analysis()
        return int(
            size.argument_size_in_bytes
            + size.output_size_in_bytes
            - size.alias_size_in_bytes
            + size.temp_size_in_bytes
        )

    def advance(self, state: State) -> State:
        """Train all models that have not stopped for one epoch.

        Args:
            state: the state before; its arrays are used up.

        Returns:
            The state after.
        """
        group = self._of(state)
        turns, sharing = group._turns, group._sharing
        for number, spans in enumerate(turns):
            if number:
                state = group._moved(state, sharing.lent, sharing.copies)
            arguments = group._to_advance(state, spans)
            trained = group._programs.run("advance", arguments, self._waiting)
            parameters, optimiser, statistics = trained
            state = state._replace(
                parameters=parameters, optimiser=optimiser, statistics=statistics
            )
        if len(turns) > 1:
            state = group._moved(state, sharing.copies, sharing.lent)
        return state._replace(epoch=state.epoch + 1)

    def measure(self, state: State) -> Measures:
        """Loss and score of all models on train and dev, and what is seen in their layers.

        Args:
            state: the state to measure; it stays usable.

        Returns:
            ``train_loss``, ``train_score``, ``dev_loss`` and ``dev_score``, (models,) each, and
            :data:`LAYER_MEASURES`, (models, layers) each, with the distribution of activations
            (models, hidden layers, bins). Those of train are of a sample, see
            :data:`TRAIN_MEASURED`. A score is NaN where its loss is not finite. Models that have
            stopped keep their last measures.
        """
        group, measures = self._of(state), {}
        everyone = range(len(group.models))
        values, seen = group._measured(state, everyone, ("train", "dev", "probe"))
        for part in ("train", "dev"):
            loss, score = values[part].mean(axis=2, dtype=np.float64).T
            measures |= group._read(part, loss, score)
        for name in (*LAYER_MEASURES, HISTOGRAM):
            measures[name] = np.asarray(seen[name], np.float64)[: len(group.models)]
        return _spread(measures, state, len(self.models))

    def judge(self, state: State, models: Sequence[int]) -> Measures:
        """Loss and score of some models on test.

        Args:
            state: the state to measure; it stays usable.
            models: by position in the group.

        Returns:
            ``test_loss`` and ``test_score``, (models,) each; NaN for those not asked for. Models
            that have stopped keep their last ones.
        """
        measures = {name: np.full(len(state.stack), np.nan) for name in ("test_loss", "test_score")}
        places = np.flatnonzero(np.isin(state.stack, list(models)))
        if len(places):
            group = self._of(state)
            values = group._measured(state, places, ("test",))[0]["test"]
            loss, score = values.mean(axis=2, dtype=np.float64).T
            for name, found in group._read("test", loss, score).items():
                measures[name][places] = found[places]
        return _spread(measures, state, len(self.models))

    def scores(self, state: State, part: str) -> NDArray[np.float32]:
        """The score of every example of a part for all models.

        Args:
            state: the state to measure; it stays usable.
            part: ``dev`` or ``test``.

        Returns:
            (models, examples), in the order of the rows of each model's part. Their mean is the
            score of the part.
        """
        if state.parked:
            state = self.restore(state.epoch, self.saved(state))
        values = self._measured(state, range(len(self.models)), (part,))[0]
        return self._scored(part, values[part][:, 1])

    def _measured(
        self, state: State, places: Any, what: Sequence[str]
    ) -> tuple[dict[str, NDArray[np.float32]], Any]:
        """Loss and score (models, 2, examples) on each part, and what the probe sees.

        Only what is asked for, of the models at some places of the stack, is known.
        """
        arguments = self._to_measure(state, places, what)
        each, seen = self._programs.run("measure", arguments, self._waiting)
        whole, parts = np.asarray(each)[: len(self.models)], np.asarray(self._judged[1])
        found = {}
        for number, part in enumerate(JUDGED):
            own = np.moveaxis(whole[:, parts == number], 2, 1)
            found[part] = own.reshape(len(own), 2, -1)[:, :, : len(self._rows[part][0])]
        return found, seen

    def _read(self, part: str, loss: NDArray, score: NDArray) -> Measures:
        # No output is no answer, although NaN > 0 would count as one.
        score = np.where(np.isfinite(loss), self._scored(part, score), np.nan)
        return {f"{part}_loss": loss, f"{part}_score": score}

    def improve(self, state: State, models: Sequence[int]) -> State:
        """Keep what some models have learned as their best.

        Args:
            state: of a group with ``keep_best``.
            models: by position in the group.

        Returns:
            The state with the best of these models replaced.
        """
        if state.best is None or not models:
            return state
        group = self._of(state)
        better = np.isin(state.stack, list(set(models) - state.parked.keys()))
        filled = np.concatenate([better, better[group._sharing.filling]])
        new = Learned(state.parameters, state.statistics)
        best = _replaced(group._put(filled, STACKED), new, state.best)
        return state._replace(best=best)

    def stop(self, state: State, models: Sequence[int], measures: Measures) -> State:
        """Train some models no further.

        They leave the stack once half of it has stopped.

        Args:
            state: the state; its arrays are used up.
            models: by position in the group.
            measures: those of this state, of all models.

        Returns:
            A state in which these models stay as they are.
        """
        new = [model for model in models if model not in state.parked]
        if not new:
            return state
        leaves = [np.asarray(leaf) for leaf in self._leaves(state)]
        parked = dict(state.parked)
        for model in new:
            at = state.stack.index(model)
            kept = {name: values[model] for name, values in measures.items()}
            parked[model] = Parked([leaf[at].copy() for leaf in leaves], kept)
        state = state._replace(parked=parked)
        remaining = tuple(model for model in state.stack if model not in parked)
        if not remaining or 2 * len(remaining) > len(state.stack):
            return state
        rows = np.array([state.stack.index(model) for model in remaining])
        state = state._replace(stack=remaining)
        group = self._of(state)
        return group._filled(state, [leaf[rows] for leaf in leaves])

    def learned(self, state: State, model: int, which: str = "last") -> Learned:
        """What one model has learned, as NumPy arrays.

        Args:
            state: the state to read.
            model: its position in the group.
            which: ``last``, or ``best`` in a group with ``keep_best``.

        Returns:
            For each layer ``weights`` (fan-in, fan-out), ``biases`` (fan-out,) and, with
            normalisation, ``scale`` and ``shift``; and running statistics of batch normalisation.

        Raises:
            SetupError: the best is asked for, but was not kept.
        """
        if which not in ("last", "best") or (which == "best" and state.best is None):
            raise SetupError(
                f"weights={which!r}; expected last, or best in a group with keep_best=True."
            )
        tree = (state.parameters, state.optimiser, state.statistics, state.best)
        leaves, structure = jax.tree.flatten(tree)
        if model in state.parked:
            own = state.parked[model].leaves
        else:
            at = state.stack.index(model)
            own = [np.asarray(leaf[at]) for leaf in leaves]
        parameters, _, statistics, best = jax.tree.unflatten(structure, own)
        return best if which == "best" else Learned(parameters, statistics)

    def parameters(self, state: State, model: int) -> Parameters:
        """The parameters of one model as NumPy arrays; see :meth:`learned`."""
        return self.learned(state, model).parameters

    def saved(self, state: State) -> dict[str, NDArray]:
        """The arrays of a state, one for each leaf, without the copies that fill up the devices.

        Args:
            state: the state to read; it stays usable.

        Returns:
            Arrays (models, ...) by number; :meth:`restore` takes them.
        """
        arrays = {}
        for i, leaf in enumerate(self._leaves(state)):
            whole = np.empty((len(self.models), *leaf.shape[1:]), leaf.dtype)
            whole[list(state.stack)] = leaf[: len(state.stack)]
            for model, parked in state.parked.items():
                whole[model] = parked.leaves[i]
            arrays[str(i)] = whole
        return arrays | {"inner": np.array([self.inner == "vmap"])}

    def restore(self, epoch: int, arrays: Mapping[str, NDArray]) -> State:
        """The state that was saved, with all models in the stack.

        Args:
            epoch: its epoch.
            arrays: as :meth:`saved` gave them, of a group of the same models.

        Returns:
            A state that goes on with the same numbers.
        """
        if "inner" in arrays:  # what was faster then may not be now; its numbers are to go on
            self.inner = "vmap" if arrays["inner"][0] else "map"
        start = self.start()._replace(epoch=epoch)
        return self._filled(start, [arrays[str(i)] for i in range(len(self._leaves(start)))])

    @property
    def inner(self) -> Inner:
        """How a device runs its models."""
        return self._inner

    @inner.setter
    def inner(self, inner: Inner) -> None:
        self._inner: Inner = inner
        self._sharing = Sharing(len(self.models), self._mesh.size, inner)
        # Each device gets equally many models; copies of some fill up and are dropped.
        self._stacked = self.models + tuple(self.models[i] for i in self._sharing.filling)
        self._programs = compiled(self.program, parts_of(self.models), self._mesh, inner)
        self.__dict__.pop("_scalars", None)

    @property
    def _turns(self) -> list[NDArray[np.int32]]:
        examples = len(self.splits[0].train)
        return self._sharing.turns(-(-examples // min(self.program.batch, examples)))

    def _seconds(self, inner: Inner) -> float:
        """The time of a few steps, run this way."""
        self.inner = inner
        spans = np.minimum(self._turns[-1], _TRIED).astype(np.int32)
        state = self.start()
        self._programs.ready("advance", self._to_advance(state, spans), self._waiting)
        arguments = jax.block_until_ready(self._to_advance(state, spans))
        begin = perf_counter()
        jax.block_until_ready(self._programs.run("advance", arguments))
        return perf_counter() - begin

    def _moved(self, state: State, source: list[int], target: list[int]) -> State:
        """The state with what some places of the stack hold also at others."""

        def moved(leaf: Any) -> Any:
            whole = np.array(leaf)
            whole[target] = whole[source]
            return whole

        tree = (state.parameters, state.optimiser, state.statistics)
        placed = self._put(jax.tree.map(moved, tree), STACKED)
        return state._replace(parameters=placed[0], optimiser=placed[1], statistics=placed[2])

    def _of(self, state: State) -> Group:
        """The group of the models in the stack of a state."""
        if len(state.stack) == len(self.models):
            return self
        if state.stack not in self._smaller:
            self._smaller = {  # older stacks are not needed again
                state.stack: Group(
                    self.program, [self.models[i] for i in state.stack], self.data,
                    resplit=self._resplit, inner=self.inner, on=tuple(self._mesh.devices.flat),
                    keep_best=self.keep_best, waiting=self._waiting,
                )
            }  # fmt: skip
        return self._smaller[state.stack]

    @staticmethod
    def _leaves(state: State) -> list[Any]:
        return jax.tree.leaves((state.parameters, state.optimiser, state.statistics, state.best))

    def _filled(self, state: State, leaves: Sequence[NDArray]) -> State:
        """The state with other arrays (models, ...), filled up for the devices."""
        tree = (state.parameters, state.optimiser, state.statistics, state.best)
        filled = [np.concatenate([a, a[self._sharing.filling]]) for a in leaves]
        placed = self._put(jax.tree.unflatten(jax.tree.structure(tree), filled), STACKED)
        parameters, optimiser, statistics, best = placed
        return state._replace(
            parameters=parameters, optimiser=optimiser, statistics=statistics, best=best
        )

    def _put(self, arrays: Any, spec: PartitionSpec) -> Any:
        return jax.device_put(arrays, NamedSharding(self._mesh, spec))

    def _to_advance(self, state: State, spans: NDArray[np.int32]) -> tuple[Any, ...]:
        rows = np.stack([self._order(i, state.epoch) for i in range(len(self.seeds))])
        steps = rows.shape[1]
        rates = multipliers(self.program.schedule, state.epoch, steps, self.program.epochs)
        return (
            state.parameters, state.optimiser, state.statistics, self._scalars,
            self._put(self._mixing(state.epoch, steps), STACKED),
            self._put(spans, STACKED if self.inner == "map" else SHARED), self._put(rows, SHARED),
            self._put(rates, SHARED), self._put(np.int32(state.epoch), SHARED), *self._examples,
        )  # fmt: skip

    def _to_measure(self, state: State, places: Any, what: Sequence[str]) -> tuple[Any, ...]:
        asked = np.zeros((len(self._stacked), len(JUDGED) + 1), bool)
        asked[np.ix_(list(places), [part in what for part in (*JUDGED, "probe")])] = True
        batch, examples = self.program.batch, len(self.splits[0].train)
        steps = -(-examples // min(batch, examples))
        rate = multipliers(self.program.schedule, state.epoch, steps, self.program.epochs)[0]
        return (
            state.parameters, state.optimiser, state.statistics, self._scalars,
            self._put(asked, STACKED), *self._judged, self._probed,
            self._put(rate, SHARED), *self._examples,
        )  # fmt: skip

    @cached_property
    def _examples(self) -> tuple[jax.Array, jax.Array]:
        targets = getattr(self.data, LOSSES[self.program.loss].targets)
        return self._put((self.data.features, targets), SHARED)

    @cached_property
    def _scalars(self) -> Scalars:
        names, seeds = self.program.activations, self.seeds
        columns = numbers(self.program, self._stacked)
        arrays: dict[str, Any] = {
            name: np.array(columns[name], np.float32)
            for name in Scalars._fields
            if name not in ("activation", "seed", "key")
        }
        arrays["activation"] = np.array([names.index(a) for a in columns["activation"]], np.int32)
        arrays["seed"] = np.array([seeds.index(seed) for seed in columns["seed"]], np.int32)
        arrays["key"] = np.array([(_NOISE_STREAM, s) for s in columns["seed"]], np.uint32)
        return self._put(Scalars(**arrays), STACKED)

    @cached_property
    def _rows(self) -> dict[str, list[NDArray]]:
        """Row numbers of the measured examples of each part, for each seed."""
        rows = {part: [getattr(split, part) for split in self.splits] for part in Split._fields}
        for i, seed in enumerate(self.seeds):
            if len(rows["train"][i]) > TRAIN_MEASURED:
                stream = np.random.Generator(np.random.PCG64([_SAMPLE_STREAM, seed]))
                drawn = stream.choice(rows["train"][i], TRAIN_MEASURED, replace=False)
                rows["train"][i] = np.sort(drawn)
        return rows

    @cached_property
    def _judged(self) -> tuple[jax.Array, jax.Array]:
        """Row numbers (seeds, chunks, examples) of the measured examples, and chunks' parts."""
        length = min(_CHUNK, max(len(rows[0]) for rows in self._rows.values()))
        cut = [np.stack([_cut(own, length, length) for own in self._rows[p]]) for p in JUDGED]
        parts = np.repeat(np.arange(len(JUDGED), dtype=np.int32), [c.shape[1] for c in cut])
        return self._put((np.concatenate(cut, axis=1), parts), SHARED)

    @cached_property
    def _probed(self) -> jax.Array:
        rows = np.stack([split.dev[:PROBED] for split in self.splits])
        return self._put(rows.astype(np.int32), SHARED)

    def _scored(self, part: str, score: NDArray) -> NDArray:
        """What is called the score: of numbers to predict, R² instead of squared errors."""
        if LOSSES[self.program.loss].score_name != "R²":
            return score
        targets = np.asarray(getattr(self.data, LOSSES[self.program.loss].targets), np.float64)
        spread = np.array([targets[rows].var() for rows in self._rows[part]])
        each = spread[[self.seeds.index(model.seed) for model in self.models]]
        with np.errstate(divide="ignore", invalid="ignore"):  # equal targets have no R²
            return (1 - (score.T / each).T).astype(score.dtype)

    def _order(self, seed: int, epoch: int) -> NDArray[np.int32]:
        """Row numbers (steps, batch) of an epoch: a function of seed and epoch alone."""
        stream = np.random.Generator(np.random.PCG64([_ORDER_STREAM, self.seeds[seed], epoch]))
        return _cut(stream.permutation(self.splits[seed].train), self.program.batch)

    def _mixing(self, epoch: int, steps: int) -> NDArray[np.float32]:
        """The share (models, steps) of the first example of each pair in a batch."""
        shares = np.ones((len(self._stacked), steps), np.float32)
        for i, model in enumerate(self._stacked):
            if model.mixup:
                stream = np.random.PCG64([_MIXUP_STREAM, model.seed, epoch])
                shares[i] = np.random.Generator(stream).beta(model.mixup, model.mixup, steps)
        return shares


@jax.jit
def _replaced(better: jax.Array, new: Learned, old: Learned) -> Learned:
    def choose(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)


def _spread(measures: Measures, state: State, models: int) -> Measures:
    """Measures of the stack as measures of all models; stopped ones keep their last."""
    if not state.parked:
        return measures
    whole = {}
    for name, values in measures.items():
        whole[name] = np.empty((models, *values.shape[1:]))
        whole[name][list(state.stack)] = values
        for model, parked in state.parked.items():
            whole[name][model] = parked.measures[name]
    return whole


def _cut(rows: NDArray, length: int, least: int = 1) -> NDArray[np.int32]:
    """Row numbers in lines of ``least`` to ``length``; −1 fills up the last line."""
    length = max(least, min(length, len(rows)))
    filled = np.full(-(-len(rows) // length) * length, -1, np.int32)
    filled[: len(rows)] = rows
    return filled.reshape(-1, length)
