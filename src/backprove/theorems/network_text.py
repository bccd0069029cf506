"""Networks as people write them: ``relu(2)+linear(1)``."""

from __future__ import annotations

import re
from typing import Any

from backprove.errors import InputError, SetupError, Span, Unsupported
from backprove.functions import lookup
from backprove.functions.records import FunctionRecord

_NAMES = {
    "identity": "linear",
    "affine": "linear",
    "step": "threshold",
    "heaviside": "threshold",
    "logistic": "sigmoid",
}
_OWN = ("linear", "threshold", "abs", "square")
_LAYER = re.compile(r"\s*([^\W\d]\w*)\s*\(\s*([0-9]{1,4}|k)\s*\)\s*\Z")
MAX_UNITS = 16
Layers = list[tuple[str, int]]


def read_layers(network: Any) -> Layers:
    """The activation and the width of each layer.

    Args:
        network: text such as ``relu(1)`` or ``relu(2)+linear(1)``, or an object with the fields
            ``hidden`` and ``outputs`` of :class:`backprove.networks.MLP`, whose units are ReLU
            and whose output is linear.

    Returns:
        One or two layers, the last of one unit.

    Raises:
        InputError: the text is no such network.
        UnknownName: an activation that nobody declared.
        Unsupported: more than one hidden layer, or more than one output.

    >>> read_layers("relu(2) + linear(1)")
    [('relu', 2), ('linear', 1)]
    """
    if isinstance(network, str):
        layers = [_layer(network, *piece.span()) for piece in re.finditer(r"[^+]+", network)]
        text = network
    elif hasattr(network, "hidden") and hasattr(network, "outputs"):
        if (
            getattr(network, "residual", False)
            or getattr(network, "normalisation", "none") != "none"
        ):
            raise Unsupported("a network with residual or normalised layers cannot be decided yet.")
        layers = [("relu", int(width)) for width in network.hidden]
        layers.append(("linear", int(network.outputs)))
        text = ""
    else:
        raise SetupError(
            f"a network was given as {type(network).__name__}; expected text or an MLP.",
            hint="For example 'relu(2)+linear(1)'.",
        )
    if not layers:
        raise InputError("the network has no layer; expected text such as 'relu(1)'.", text=text)
    if len(layers) > 2 or layers[-1][1] != 1:
        raise Unsupported(
            "one hidden layer and one output are what can be decided.",
            text=text,
            hint="For example 'relu(1)' or 'relu(2)+linear(1)'.",
        )
    if layers[0][1] > MAX_UNITS:
        raise Unsupported(f"a hidden layer has at most {MAX_UNITS} units here.", text=text)
    return layers


def activation_record(name: str) -> FunctionRecord | None:
    """What is known of an activation; None for the names that only this package has."""
    return None if name in _OWN else lookup(name)


def _layer(text: str, start: int, end: int) -> tuple[str, int]:
    piece = text[start:end]
    found = _LAYER.match(piece)
    if not found or found[2] == "k" or int(found[2]) < 1:
        raise InputError(
            f"'{piece.strip()[:40]}' is no layer; expected an activation and a width.",
            text=text,
            span=Span(start, end),
            hint="For example 'relu(2)+linear(1)'.",
        )
    name = _NAMES.get(found[1].lower(), found[1].lower())
    record = activation_record(name)
    return (record.name if record else name), int(found[2])
