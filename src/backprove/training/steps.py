"""The compiled programs of a group: begin, train for one epoch, measure, judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from backprove.networks import LOSSES, forward, forward_in_training, switch
from backprove.training.optimisers import OPTIMISERS
from backprove.training.probe import probe_of_one
from backprove.training.program import Parts, Program

Inner = Literal["map", "vmap"]

STACKED, SHARED = PartitionSpec("models"), PartitionSpec()


class Compiled(NamedTuple):
    """What a group runs; each takes stacks of models and gives stacks."""

    begin: Callable[..., Any]
    advance: Callable[..., Any]
    measure: Callable[..., Any]
    judge: Callable[..., Any]


@lru_cache(maxsize=64)
def compiled(program: Program, parts: Parts, mesh: Mesh, inner: Inner) -> Compiled:
    """The programs of all groups that share what is compiled in.

    Args:
        program: what the models share.
        parts: what at least one of them uses.
        mesh: the devices.
        inner: how a device runs its models.

    Returns:
        Functions that compile when they are first called.
    """
    transform = OPTIMISERS[program.optimiser].transform(0.9, 0.999)  # decays do not begin anything

    def over_models(one: Callable[..., Any], stacked: int, shared: int, donated: tuple = ()):
        def every(*arguments):
            models, rest = arguments[:stacked], arguments[stacked:]

            def single(model):
                return one(*model, *rest)

            return jax.lax.map(single, models) if inner == "map" else jax.vmap(single)(models)

        specs = (STACKED,) * stacked + (SHARED,) * shared
        spread = jax.shard_map(every, mesh=mesh, in_specs=specs, out_specs=STACKED, check_vma=False)
        return jax.jit(spread, donate_argnums=donated)

    return Compiled(
        over_models(transform.init, 1, 0),
        over_models(_epoch_of_one(program, parts), 5, 5, donated=(0, 1, 2)),
        over_models(_measures_of_one(program, parts), 4, 5),
        over_models(_judgements_of_one(program), 4, 3),
    )


def _epoch_of_one(program: Program, parts: Parts) -> Callable[..., Any]:
    gradient_of = jax.grad(_batch_loss(program, parts), has_aux=True)
    rule = OPTIMISERS[program.optimiser]
    clip = program.gradient_clip

    def epoch(parameters, optimiser, statistics, scalars, mix, rows, rates, number, features, y):
        transform = rule.transform(scalars.momentum, scalars.beta2)
        # Nothing but the seed, the epoch and the step enters what is drawn, so that models of one
        # seed draw the same, in whatever stack.
        stream = jax.random.fold_in(jax.random.wrap_key_data(scalars.key), number)

        def step(carry, now):
            parameters, optimiser, statistics = carry
            i, rows, rate, share = now
            key = jax.random.fold_in(stream, i)
            gradient, statistics = gradient_of(
                parameters, statistics, scalars, key, share, rows, features, y
            )
            if clip is not None:
                squares = [jnp.square(g).sum() for g in jax.tree.leaves(gradient)]
                norm = jnp.sqrt(jnp.stack(squares).sum())
                factor = jnp.where(norm > clip, clip / norm, 1)
                gradient = jax.tree.map(lambda g: g * factor, gradient)
            directions, optimiser = directed(
                program, parts, transform, scalars, gradient, optimiser, parameters
            )
            size = scalars.learning_rate * rate
            moved = jax.tree.map(lambda p, d: p - size * d, parameters, directions)
            return (moved, optimiser, statistics), None

        steps = rows.shape[1]
        each = (jnp.arange(steps), rows[scalars.seed], rates, mix)
        return jax.lax.scan(step, (parameters, optimiser, statistics), each)[0]

    return epoch


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
    """Sums of loss and score (2,) over each part, and what is seen on the probe."""
    loss, activate = LOSSES[program.loss], switch(program.activations)
    probe = probe_of_one(program, parts, directed)

    def measures(
        parameters, optimiser, statistics, scalars, judged, probed, rate, features, targets
    ):
        def chunk(sums, rows):
            outputs = forward(
                parameters, features[rows], lambda z: activate(scalars.activation, z),
                mlp=program.mlp, statistics=statistics,
            )  # fmt: skip
            wanted = targets[rows]
            both = jnp.stack([loss.value(outputs, wanted), loss.score(outputs, wanted)])
            return sums + jnp.where(rows >= 0, both, 0).sum(axis=1), None

        zero = jnp.zeros(2)
        sums = {
            part: jax.lax.scan(chunk, zero, rows[scalars.seed])[0] for part, rows in judged.items()
        }
        rows = probed[scalars.seed]
        seen = probe(
            parameters, optimiser, statistics, scalars, rate, features[rows], targets[rows]
        )
        return sums, seen

    return measures


def _judgements_of_one(program: Program) -> Callable[..., Any]:
    """Loss and score (2, examples) of each example of a part, in the order of its rows.

    Of a model that is not asked for they are 0, and cost nothing where models run one by one.
    """
    loss, activate = LOSSES[program.loss], switch(program.activations)

    def judgements(parameters, statistics, scalars, asked, chunks, features, targets):
        def chunk(rows):
            outputs = forward(
                parameters, features[rows], lambda z: activate(scalars.activation, z),
                mlp=program.mlp, statistics=statistics,
            )  # fmt: skip
            wanted = targets[rows]
            return jnp.stack([loss.value(outputs, wanted), loss.score(outputs, wanted)])

        def every(rows):
            return jnp.moveaxis(jax.lax.map(chunk, rows), 1, 0).reshape(2, -1)

        rows = chunks[scalars.seed]
        return jax.lax.cond(asked, every, lambda rows: jnp.zeros((2, rows.size)), rows)

    return judgements
