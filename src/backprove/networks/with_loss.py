"""A network with its loss as lines of text: what a computation graph is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from backprove.errors import SetupError
from backprove.graphs import Source
from backprove.networks.activations import ACTIVATIONS
from backprove.networks.forward import EPSILON, Parameters
from backprove.networks.mlp import MLP

_LOSSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cross_entropy": ("logsumexp(z, axis=1) - sum(Y*z, axis=1)", "Y"),
        "binary_cross_entropy": ("softplus(z[:,0]) - y*z[:,0]", "y"),
        "mse": ("(z[:,0] - y)**2", "y"),
        "mae": ("abs(z[:,0] - y)", "y"),
    }
)
"""The loss of each example, and the name of the targets."""


@dataclass(frozen=True)
class WithLoss:
    """A network in training with the mean loss of a batch.

    Args:
        mlp: the network.
        activation: the activation of the hidden layers, a key of :data:`ACTIVATIONS`.
        loss: a key of :data:`LOSSES`. For ``cross_entropy`` the targets ``Y`` are one-hot rows
            (n, k), for the others ``y`` are numbers (n,).
        parameters: weights that a run takes where none is given, as ``forward`` takes them.

    Raises:
        SetupError: an unknown activation or loss, or one that does not fit the outputs.

    >>> from backprove.graphs import graph
    >>> g = graph(WithLoss(MLP(4, (5,), 3, normalisation="batch"), loss="cross_entropy"))
    >>> g.inputs[:3], g.output
    (['X', 'W1', 'b1'], 'loss')
    """

    mlp: MLP
    activation: str = "relu"
    loss: str = "cross_entropy"
    parameters: Parameters | None = None

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise SetupError(
                f"activation={self.activation!r}; expected one of {', '.join(ACTIVATIONS)}."
            )
        if self.loss not in _LOSSES:
            raise SetupError(f"loss={self.loss!r}; expected one of {', '.join(_LOSSES)}.")
        if self.loss != "cross_entropy" and self.mlp.outputs != 1:
            raise SetupError(f"loss={self.loss!r} needs one output, not {self.mlp.outputs}.")

    def graph_source(self) -> Source:
        """The network as lines, one layer after the other, with batches of ``n`` examples."""
        lines: list[str] = []
        groups: list[str] = []
        shapes: dict[str, Any] = {"X": ("n", self.mlp.inputs)}
        parameters: list[str] = []
        given = "X"
        last = len(self.mlp.layers)
        for number, (fan_in, fan_out) in enumerate(self.mlp.layers, start=1):
            names = {f"W{number}": (fan_in, fan_out), f"b{number}": (fan_out,)}
            if number < last and self.mlp.normalisation != "none":
                names |= {f"scale{number}": (fan_out,), f"shift{number}": (fan_out,)}
            shapes |= names
            parameters += names
            new = self._layer(number, given, fan_in == fan_out) if number < last else []
            new = new or [f"z = {given} @ W{number} + b{number}"]
            lines += new
            groups += [f"layer {number}"] * len(new)
            given = f"a{number}"
        text, targets = _LOSSES[self.loss]
        shapes[targets] = ("n", self.mlp.outputs) if targets == "Y" else ("n",)
        lines.append(f"loss = mean({text})")
        groups.append("loss")
        domain = {"Y": "onehot"} if targets == "Y" else {}
        title = f"{self.loss} of {'-'.join(map(str, self._widths()))} {self.activation}"
        return Source("\n".join(lines), shapes, parameters, self._values(), domain, groups, title)

    def _widths(self) -> tuple[int, ...]:
        return (self.mlp.inputs, *self.mlp.hidden, self.mlp.outputs)

    def _layer(self, number: int, given: str, same_width: bool) -> list[str]:
        k = number
        lines = [f"z{k} = {given} @ W{k} + b{k}"]
        before = f"z{k}"
        if self.mlp.normalisation != "none":
            axis = 0 if self.mlp.normalisation == "batch" else 1
            keep = f"axis={axis}, keepdims=True"
            lines += [
                f"c{k} = z{k} - mean(z{k}, {keep})",
                f"n{k} = c{k} / sqrt(var(z{k}, {keep}) + {EPSILON!r}) * scale{k} + shift{k}",
            ]
            before = f"n{k}"
        active = before if self.activation == "identity" else f"{self.activation}({before})"
        if self.activation == "leaky_relu":
            active = f"leaky_relu({before}, 0.01)"
        skip = f"{given} + " if self.mlp.residual and same_width else ""
        lines.append(f"a{k} = {skip}{active}")
        return lines

    def _values(self) -> dict[str, Any]:
        if self.parameters is None:
            return {}
        found: dict[str, Any] = {}
        for number, layer in enumerate(self.parameters, start=1):
            for key, short in (
                ("weights", "W"),
                ("biases", "b"),
                ("scale", "scale"),
                ("shift", "shift"),
            ):
                if key in layer:
                    found[f"{short}{number}"] = np.asarray(layer[key], dtype=float)
        return found
