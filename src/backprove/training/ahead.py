"""Programs that are compiled for a group to come, while another one trains."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from backprove.datasets import Dataset
from backprove.networks import LOSSES, MLP
from backprove.training.devices import devices
from backprove.training.fusion import known_way
from backprove.training.group import Group
from backprove.training.optimisers import OPTIMISERS
from backprove.training.program import Model, Program
from backprove.training.state import State
from backprove.training.steps import SHARED, STACKED


class Ahead(NamedTuple):
    """What is being compiled for a group to come.

    Args:
        begun: its programs.
    """

    begun: tuple[Future[Any], ...] = ()

    def forget(self) -> None:
        """Give up what is only queued; what is being compiled cannot be stopped."""
        for program in self.begun:
            program.cancel()


def begin(
    program: Program, models: Sequence[Model], data: Dataset, *, resplit: bool = True
) -> Ahead:
    """Begin to compile what a :class:`Group` of these arguments will run.

    It gets no weights and no copy of the data: only their shapes are needed. Which way devices run
    its models may have to be measured, which must wait until nothing else trains; then training is
    compiled both ways, and measuring is not.

    Args:
        program: what the models share.
        models: what they differ in.
        data: the data set.
        resplit: as for the group.

    Returns:
        What was begun. An error is not raised here: the group compiles again, and raises it.

    >>> from backprove.datasets import load
    >>> data, models = load("reviews"), [Model(0, 0.01, "sigmoid")]
    >>> ahead = begin(Program(MLP(50, ()), ("sigmoid",)), models, data)
    >>> len(ahead.begun)
    2
    """
    on = devices()[: len(models)]
    way = known_way(
        program, len(models) // len(on), on[0], examples=len(data.split(models[0].seed).train)
    )
    begun = []
    for inner in ("map", "vmap") if way is None else (way,):
        group = Group(program, models, data, resplit=resplit, inner=inner)
        # The data are not put on the devices a second time.
        group.__dict__["_examples"] = tuple(
            _like(group, np.shape(array), array.dtype, SHARED)
            for array in (data.features, getattr(data, LOSSES[program.loss].targets))
        )
        state = outline(group)
        if way is not None:
            begun.append(group._programs.begin("measure", group._to_measure(state, [], ())))
        spans = group._turns[0]
        begun.append(group._programs.begin("advance", group._to_advance(state, spans)))
    return Ahead(tuple(begun))


def outline(group: Group) -> State:
    """The shapes of what a group starts with.

    Args:
        group: nothing is drawn for it, nor put on its devices.

    Returns:
        As :meth:`Group.start`, of :class:`jax.ShapeDtypeStruct`; without the best.
    """
    mlp, count = group.program.mlp, len(group._stacked)

    def stacked(shape: tuple[int, ...], dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
        return _like(group, (count, *shape), dtype, STACKED)

    parameters = tuple(
        {name: stacked(shape) for name, shape in layer.items()} for layer in _shapes(mlp)
    )
    widths = mlp.hidden if mlp.normalisation == "batch" else ()
    statistics = tuple({n: stacked((width,)) for n in ("mean", "variance")} for width in widths)
    init = OPTIMISERS[group.program.optimiser].transform(0.9, 0.999).init
    optimiser = jax.tree.map(
        lambda a: _like(group, a.shape, a.dtype, STACKED),
        jax.eval_shape(jax.vmap(init), parameters),
    )
    everyone = tuple(range(len(group.models)))
    return State(0, parameters, optimiser, statistics, None, everyone, {})


def _shapes(mlp: MLP) -> list[dict[str, tuple[int, ...]]]:
    """What :func:`backprove.networks.initialise` gives for each layer."""
    layers = []
    for number, (fan_in, fan_out) in enumerate(mlp.layers):
        layer: dict[str, tuple[int, ...]] = {"weights": (fan_in, fan_out), "biases": (fan_out,)}
        if mlp.normalisation != "none" and number < len(mlp.hidden):
            layer |= {"scale": (fan_out,), "shift": (fan_out,)}
            if mlp.normalisation == "batch":
                del layer["biases"]
        layers.append(layer)
    return layers


def _like(
    group: Group, shape: tuple[int, ...], dtype: Any, spec: PartitionSpec
) -> jax.ShapeDtypeStruct:
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(group._mesh, spec))
