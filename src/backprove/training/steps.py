"""The compiled programs of a group: train for some steps of an epoch, measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import lru_cache
from threading import Lock
from time import perf_counter
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from backprove.networks import LOSSES, forward, forward_in_training, switch
from backprove.training.optimisers import OPTIMISERS
from backprove.training.probe import probe_of_one
from backprove.training.program import Parts, Program

Inner = Literal["map", "vmap"]

STACKED, SHARED = PartitionSpec("models"), PartitionSpec()

JUDGED = ("train", "dev", "test")
"""The parts of the data that models are measured on, in the order of their rows."""


class Compiled:
    """What a group runs, compiled once for each shape of the arguments.

    Compiling is work for one core, so programs that are needed soon are begun ahead, two at a
    time, in the order in which they were begun.

    Args:
        programs: by name, jitted functions.
    """

    def __init__(self, programs: Mapping[str, Any]) -> None:
        self._programs = programs
        self._ready: dict[Any, Future[Any]] = {}

    def begin(self, name: str, arguments: tuple[Any, ...]) -> Future[Any]:
        """Compile a program for arguments like these, without waiting for it.

        Args:
            name: of the program.
            arguments: they are not used up; of arrays to come :class:`jax.ShapeDtypeStruct`.

        Returns:
            The compiled program, when it is ready.
        """
        leaves, structure = jax.tree.flatten(arguments)
        like = [jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding) for a in leaves]
        key = (name, structure, *((a.shape, a.dtype) for a in like))
        with _LOCK:
            known = self._ready.get(key)
            if known is None or known.cancelled() or (known.done() and known.exception()):
                shapes = jax.tree.unflatten(structure, like)
                known = _THREADS.submit(lambda: self._programs[name].lower(*shapes).compile())
                self._ready[key] = known
            return known

    def ready(self, name: str, arguments: tuple[Any, ...], waiting: Waiting | None = None) -> Any:
        """A compiled program.

        Args:
            name: of the program.
            arguments: as :meth:`begin` takes them.
            waiting: called now and then until the program is compiled, with the seconds since.
        """
        while True:
            begun = self.begin(name, arguments)
            while waiting is not None and not begun.done():
                since = perf_counter()
                wait([begun], _PATIENCE)
                waiting(perf_counter() - since)
            with suppress(CancelledError):  # by somebody else who wanted it too, and no longer
                return begun.result()

    def run(self, name: str, arguments: tuple[Any, ...], waiting: Waiting | None = None) -> Any:
        """What a program gives for its arguments; see :meth:`ready`."""
        return self.ready(name, arguments, waiting)(*arguments)


Waiting = Callable[[float], None]

_PATIENCE = 0.5  # seconds between two calls of who waits
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="compile")
_LOCK = Lock()


@lru_cache(maxsize=64)
def compiled(program: Program, parts: Parts, mesh: Mesh, inner: Inner) -> Compiled:
    """The programs of all groups that share what is compiled in.

    Args:
        program: what the models share.
        parts: what at least one of them uses.
        mesh: the devices.
        inner: how a device runs its models.

    Returns:
        ``advance`` trains for some steps of an epoch, ``measure`` looks at models.
    """

    def over_models(one: Callable[..., Any], stacked: int, shared: int, donated: tuple = ()):
        def every(*arguments):
            models, rest = arguments[:stacked], arguments[stacked:]

            def single(model):
                return one(*model, *rest)

            return jax.lax.map(single, models) if inner == "map" else jax.vmap(single)(models)

        specs = (STACKED,) * stacked + (SHARED,) * shared
        spread = jax.shard_map(every, mesh=mesh, in_specs=specs, out_specs=STACKED, check_vma=False)
        return jax.jit(spread, donate_argnums=donated)

    # Models that run one after the other may train for different steps, see Group.advance.
    own = inner == "map"
    return Compiled(
        {
            "advance": over_models(_steps_of_one(program, parts), 5 + own, 6 - own, (0, 1, 2)),
            "measure": over_models(_measures_of_one(program, parts), 5, 6),
        }
    )


def at_rest(program: Program, parameters: Any) -> Any:
    """The state of the optimiser before the first step, of stacked parameters: zeros."""
    init = OPTIMISERS[program.optimiser].transform(0.9, 0.999).init  # no decay begins anything
    shapes = jax.eval_shape(jax.vmap(init), parameters)
    return jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes)


def _steps_of_one(program: Program, parts: Parts) -> Callable[..., Any]:
    gradient_of = jax.grad(_batch_loss(program, parts), has_aux=True)
    rule = OPTIMISERS[program.optimiser]
    clip = program.gradient_clip

    def some_steps(
        parameters, optimiser, statistics, scalars, mix, span, rows, rates, number, features, y
    ):
        transform = rule.transform(scalars.momentum, scalars.beta2)
        # Nothing but the seed, the epoch and the step enters what is drawn, so that models of one
        # seed draw the same, in whatever stack.
        stream = jax.random.fold_in(jax.random.wrap_key_data(scalars.key), number)

        def step(i, carry):
            parameters, optimiser, statistics = carry
            key = jax.random.fold_in(stream, i)
            gradient, statistics = gradient_of(
                parameters, statistics, scalars, key, mix[i], rows[scalars.seed, i], features, y
            )
            if clip is not None:
                squares = [jnp.square(g).sum() for g in jax.tree.leaves(gradient)]
                norm = jnp.sqrt(jnp.stack(squares).sum())
                factor = jnp.where(norm > clip, clip / norm, 1)
                gradient = jax.tree.map(lambda g: g * factor, gradient)
            directions, optimiser = directed(
                program, parts, transform, scalars, gradient, optimiser, parameters
            )
            size = scalars.learning_rate * rates[i]
            moved = jax.tree.map(lambda p, d: p - size * d, parameters, directions)
            return moved, optimiser, statistics

        carry = parameters, optimiser, statistics
        return jax.lax.fori_loop(span[0], span[1], step, carry)

    return some_steps


def directed(program, parts, transform, scalars, gradient, optimiser, parameters):
    """The direction of the optimiser, weight decay included, and its state after the step."""
    decoupled = OPTIMISERS[program.optimiser].decoupled

    def decayed(tree):
        return jax.tree.map(lambda d, p: d + scalars.weight_decay * p, tree, parameters)

    if parts.weight_decay and not decoupled:
        gradient = decayed(gradient)
    directions, optimiser = transform.update(gradient, optimiser, parameters)
    if parts.weight_decay and decoupled:
        directions = decayed(directions)
    return directions, optimiser


def _batch_loss(program: Program, parts: Parts) -> Callable[..., Any]:
    """The mean loss of a batch, and the statistics after it."""
    loss, activate = LOSSES[program.loss], switch(program.activations)

    def batch_loss(parameters, statistics, scalars, key, share, rows, features, targets):
        real = rows >= 0
        inputs = features[rows]
        if parts.mixup:
            partners = rows[(jnp.arange(len(rows)) + 1) % real.sum()]
            # Not a*(share) + b*(1-share), which would change an example at share 1 by rounding.
            inputs = inputs + (1 - share) * (features[partners] - inputs)
        if parts.input_noise:
            noise = jax.random.normal(jax.random.fold_in(key, 0), inputs.shape)
            inputs = inputs + scalars.input_noise * noise

        def drop(number, outputs):
            draws = jax.random.uniform(jax.random.fold_in(key, number), outputs.shape)
            kept = draws >= scalars.dropout
            return jnp.where(kept, outputs / (1 - scalars.dropout), 0)

        outputs, statistics = forward_in_training(
            parameters, inputs, lambda z: activate(scalars.activation, z),
            mlp=program.mlp, statistics=statistics, real=real,
            drop=drop if parts.dropout else None,
        )  # fmt: skip
        losses = loss.value(outputs, targets[rows])
        if parts.mixup:
            losses = share * losses + (1 - share) * loss.value(outputs, targets[partners])
        if parts.label_smoothing and loss.even is not None:
            smooth = scalars.label_smoothing
            losses = (1 - smooth) * losses + smooth * loss.even(outputs)
        return jnp.where(real, losses, 0).sum() / real.sum(), statistics

    return batch_loss


def _measures_of_one(program: Program, parts: Parts) -> Callable[..., Any]:
    """Loss and score of each example, and what is seen on the probe, of what is asked for.

    What is not asked for is 0, and costs nothing where models run one by one.
    """
    loss, activate = LOSSES[program.loss], switch(program.activations)
    probe = probe_of_one(program, parts, directed)

    def measures(
        parameters, optimiser, statistics, scalars, asked, judged, part, probed, rate, features, y
    ):
        def chunk(now):
            rows, part = now

            def both(rows):
                outputs = forward(
                    parameters, features[rows], lambda z: activate(scalars.activation, z),
                    mlp=program.mlp, statistics=statistics,
                )  # fmt: skip
                return jnp.stack([loss.value(outputs, y[rows]), loss.score(outputs, y[rows])])

            return jax.lax.cond(asked[part], both, lambda rows: jnp.zeros((2, len(rows))), rows)

        def look():
            rows = probed[scalars.seed]
            return probe(parameters, optimiser, statistics, scalars, rate, features[rows], y[rows])

        each = jax.lax.map(chunk, (judged[scalars.seed], part))
        blank = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(look))
        return each, jax.lax.cond(asked[len(JUDGED)], look, lambda: blank)

    return measures
