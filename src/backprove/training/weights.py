"""Weights of a trained model by name, and in a safetensors file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from backprove.training.group import Group
from backprove.training.state import State


def weights(group: Group, state: State, model: int, which: str = "last") -> dict[str, NDArray]:
    """What one model has learned, by name.

    Args:
        group: the group.
        state: one of its states.
        model: its position in the group.
        which: ``last``, or ``best`` (lowest dev loss) in a group with ``keep_best``.

    Returns:
        Arrays such as ``layers.1.weights`` (fan-in, fan-out); layers count from 1. With batch
        normalisation also the running ``mean`` and ``variance``.

    Raises:
        SetupError: the best is asked for, but was not kept.

    >>> from backprove.datasets import load
    >>> from backprove.networks import MLP
    >>> from backprove.training import Model, Program
    >>> program = Program(MLP(50, (4,)), ("tanh",))
    >>> group = Group(program, [Model(0, 0.01, "tanh")], load("reviews"))
    >>> sorted(weights(group, group.start(), 0))[:2]
    ['layers.1.biases', 'layers.1.weights']
    """
    learned = group.learned(state, model, which)
    return {
        f"layers.{number}.{name}": np.ascontiguousarray(array)
        for layers in learned
        for number, layer in enumerate(layers, start=1)
        for name, array in layer.items()
    }


def save_weights(path: Path, group: Group, state: State, model: int, which: str = "last") -> None:
    """Write what one model has learned to a safetensors file, whole or not at all.

    Args:
        path: the file; replaced if there is one.
        group: the group.
        state: one of its states.
        model: its position in the group.
        which: as in :func:`weights`.

    Raises:
        SetupError: the best is asked for, but was not kept.
        OSError: the file cannot be written.
    """
    own, mlp = group.models[model], group.program.mlp
    about = {
        "seed": str(own.seed),
        "activation": own.activation,
        "residual": str(mlp.residual).lower(),
        "normalisation": mlp.normalisation,
        "which": which,
    }
    content = save(weights(group, state, model, which), metadata=about)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
