"""Certificates about networks with given numbers, re-checked in exact rational arithmetic.

Like the certificates of representability these are plain data, and nothing of the rest of the
package is imported. What is known of an activation is written down here once more, on purpose.

======================= ==================================================================
kind                    what it proves
======================= ==================================================================
``equitable_partition`` units of one class have equal sums of weights, so they stay equal
``frozen_parameters``   a set of parameters whose gradients are 0 as long as none has moved, for
                        any data and loss, or for the ``examples`` and the ``loss`` that it names
``affine_map``          linear layers are one affine map
``mask_average``        an average over dropout masks, and the value without masks
======================= ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

MAX_LAYERS, MAX_WEIGHTS, MAX_DIGITS, MAX_MASKED = 64, 50_000, 400, 12
MAX_PRODUCTS = 1_000_000  # of an example and a weight
_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}(?:/[0-9]{{1,{MAX_DIGITS}}})?\Z")

ZERO_AT_ZERO = frozenset(
    "abs arctan elu erf expm1 gelu gelu_tanh hardtanh leaky_relu linear log1p mish relu relu6 selu "
    "sign silu sin sinh softsign sqrt square tan tanh".split()
)
"""Activations whose value at 0 is exactly 0."""
FLAT_AT_ZERO = frozenset("abs cos cosh relu relu6 sign square".split())
"""Activations whose derivative at 0 is exactly 0, with the conventions at kinks."""
OFF_BELOW_ZERO = frozenset(("relu", "relu6"))
FLAT_OUTSIDE: Mapping[str, tuple[Fraction | None, Fraction | None]] = {
    "relu": (Fraction(0), None),
    "relu6": (Fraction(0), Fraction(6)),
    "hardtanh": (Fraction(-1), Fraction(1)),
    "hardsigmoid": (Fraction(-3), Fraction(3)),
}

Row = list[Fraction]


class Refused(Exception):
    """The certificate is malformed, too large, or does not prove its claim."""


class Layer:
    """One dense layer: ``weights[k][i]`` leads from unit k to unit i."""

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping) or not {"activation", "weights", "biases"} <= set(data):
            raise Refused("a layer has an activation, weights and biases")
        self.activation = data["activation"]
        if not isinstance(self.activation, str):
            raise Refused("an activation is a name")
        self.weights = [_row(row) for row in _list(data["weights"], "weights")]
        self.biases = _row(data["biases"])
        if not self.weights or any(len(row) != len(self.biases) for row in self.weights):
            raise Refused("each row of weights has one entry for each bias")

    @property
    def fan_in(self) -> int:
        """The number of units of the layer before."""
        return len(self.weights)

    @property
    def fan_out(self) -> int:
        """The number of its own units."""
        return len(self.biases)


def check_network_certificate(data: Mapping[str, Any]) -> None:
    """Check a certificate of one of :data:`NETWORK_KINDS`.

    Args:
        data: the certificate, as JSON would give it; it may come from anybody.

    Raises:
        Refused: it proves nothing, with the reason.

    >>> layers = [{"activation": "linear", "weights": [["2"]], "biases": ["1"]}] * 2
    >>> check_network_certificate({"kind": "affine_map", "layers": layers,
    ...                            "weights": [["4"]], "biases": ["3"]})
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in NETWORK_KINDS:
        raise Refused(f"unknown kind; known are {', '.join(NETWORK_KINDS)}")
    NETWORK_KINDS[kind](data)


def refusing(check: Callable[[Mapping[str, Any]], None]) -> Callable[[Mapping[str, Any]], str]:
    """A checker that raises, as one that gives the reason why a certificate proves nothing.

    >>> refusing(check_network_certificate)({"kind": "affine_map"})
    'it has the fields biases, kind, layers, weights'
    """

    def reason(data: Mapping[str, Any]) -> str:
        try:
            check(data)
        except Refused as refused:
            return str(refused)
        return ""

    return reason


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_WEIGHTS:
        raise Refused(f"{what} is a list")
    return value


def exact_number(value: Any) -> Fraction:
    """A whole number, or text such as ``-3/4``.

    Raises:
        Refused: it is neither, or has too many digits.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**MAX_DIGITS:
        return Fraction(value)
    if isinstance(value, str) and len(value) <= 2 * MAX_DIGITS + 2 and _NUMBER.match(value):
        top, _, bottom = value.partition("/")
        if bottom and int(bottom) == 0:
            raise Refused("a denominator is zero")
        return Fraction(int(top), int(bottom or 1))
    raise Refused("a number is a whole number or text such as '-3/4'")


def _row(value: Any) -> Row:
    return [exact_number(each) for each in _list(value, "a row")]


def read_layers(data: Mapping[str, Any]) -> list[Layer]:
    """The layers of a certificate.

    Raises:
        Refused: they are malformed, too large, or do not fit each other.
    """
    found = _list(data.get("layers"), "layers")
    if not 1 <= len(found) <= MAX_LAYERS:
        raise Refused(f"a network has 1 to {MAX_LAYERS} layers")
    layers = [Layer(each) for each in found]
    if sum(layer.fan_in * layer.fan_out for layer in layers) > MAX_WEIGHTS:
        raise Refused(f"a network has at most {MAX_WEIGHTS} weights here")
    for before, after in pairwise(layers):
        if before.fan_out != after.fan_in:
            raise Refused("a layer has as many rows of weights as the one before has units")
    return layers


def with_fields(data: Any, names: set[str]) -> None:
    """Refuse what has other fields than these.

    Raises:
        Refused: a field is missing, or is one too many.
    """
    if not isinstance(data, Mapping) or set(data) != names:
        raise Refused(f"it has the fields {', '.join(sorted(names))}")


# --- units that stay equal ----------------------------------------------------------------------


def _check_partition(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "twins", "layers", "classes"})
    layers = read_layers(data)
    given = _list(data["classes"], "classes")
    if len(given) != len(layers) - 1 or not isinstance(data["twins"], bool):
        raise Refused("there are classes for each hidden layer")
    classes = [list(range(layers[0].fan_in))]
    for layer, own in zip(layers, given, strict=False):
        if len(_list(own, "classes")) != layer.fan_out or any(type(c) is not int for c in own):
            raise Refused("each unit has the number of its class")
        classes.append(own)
    classes.append(list(range(layers[-1].fan_out)))
    if all(len(set(own)) == len(own) for own in classes[1:-1]):
        raise Refused("no class has two units, so nothing is claimed")
    for at in range(1, len(layers)):
        _check_classes(layers, classes, at, twins=data["twins"])


def _check_classes(
    layers: Sequence[Layer], classes: Sequence[list[int]], at: int, *, twins: bool
) -> None:
    layer, after = layers[at - 1], layers[at]
    first: dict[int, tuple[Any, ...]] = {}
    for unit, own in enumerate(classes[at]):
        entering = [row[unit] for row in layer.weights]
        leaving = after.weights[unit]
        if twins:
            signature: tuple[Any, ...] = (tuple(entering), tuple(leaving))
        else:
            signature = (_sums(entering, classes[at - 1]), _sums(leaving, classes[at + 1]))
        signature = (layer.biases[unit], *signature)
        if first.setdefault(own, signature) != signature:
            raise Refused(f"unit {unit + 1} of layer {at} is not like its class")


def _sums(row: Row, classes: list[int]) -> tuple[tuple[int, Fraction], ...]:
    found: dict[int, Fraction] = {}
    for value, own in zip(row, classes, strict=True):
        found[own] = found.get(own, Fraction(0)) + value
    return tuple(sorted(found.items()))


# --- parameters that never move -----------------------------------------------------------------


def _check_frozen(data: Mapping[str, Any]) -> None:
    fields = {"kind", "layers", "weights", "biases"}
    with_fields(data, fields | ({"examples", "loss"} & set(data)))
    layers = read_layers(data)
    if "loss" in data and (data["loss"] != "cce_logits" or layers[-1].fan_out != 1):
        raise Refused("the loss that counts here is the softmax of a single output")
    weights = [
        [_mask(row, layer.fan_out) for row in _exactly(rows, layer.fan_in)]
        for rows, layer in zip(_exactly(data["weights"], len(layers)), layers, strict=True)
    ]
    biases = [
        _mask(row, layer.fan_out)
        for row, layer in zip(_exactly(data["biases"], len(layers)), layers, strict=True)
    ]
    if not any(any(row) for mask in weights for row in mask) and not any(map(any, biases)):
        raise Refused("no parameter is named, so nothing is claimed")
    seen = _Seen(layers[0], weights[0], biases[0], data.get("examples"))
    silent, constant = _silent(layers, weights, biases, seen)
    deaf = _deaf(layers, weights, constant, seen, one_class="loss" in data)
    for at, layer in enumerate(layers):
        for unit in range(layer.fan_out):
            if biases[at][unit] and not deaf[at][unit]:
                raise Refused(f"the bias of unit {unit + 1} of layer {at + 1} may move")
            for before in range(layer.fan_in):
                still = silent[at][before] or deaf[at][unit]
                if weights[at][before][unit] and not still:
                    raise Refused(
                        f"the weight from {before + 1} to {unit + 1} of layer {at + 1} may move"
                    )


def _exactly(value: Any, length: int) -> list[Any]:
    if len(_list(value, "a mask")) != length:
        raise Refused("the masks have the shapes of the parameters")
    return value


def _mask(value: Any, length: int) -> list[bool]:
    if any(type(each) is not int or each not in (0, 1) for each in _exactly(value, length)):
        raise Refused("a mask holds 0 and 1")
    return [bool(each) for each in value]


class _Seen:
    """What the examples of a certificate say of the inputs and of the first layer.

    Attributes:
        absent: inputs that are 0 in every example.
        off: units that do not move and take a number at or below 0 from every example.
        flat: units that do not move and are in a flat part for every example.
    """

    def __init__(
        self, layer: Layer, weights: list[list[bool]], biases: list[bool], examples: Any
    ) -> None:
        self.absent = [False] * layer.fan_in
        self.off = [False] * layer.fan_out
        self.flat = [False] * layer.fan_out
        if examples is None:
            return
        rows = [_row(row) for row in _list(examples, "examples")]
        if not rows or any(len(row) != layer.fan_in for row in rows):
            raise Refused("there are examples, each with a number for each input")
        if len(rows) * layer.fan_in * layer.fan_out > MAX_PRODUCTS:
            raise Refused("there are too many examples to check")
        self.absent = [not any(row[k] for row in rows) for k in range(layer.fan_in)]
        for unit, bias in enumerate(layer.biases):
            if not (biases[unit] and all(row[unit] for row in weights)):
                continue
            own = [row[unit] for row in layer.weights]
            taken = [bias + _dot(x, own) for x in rows]
            self.off[unit] = all(z <= 0 for z in taken)
            self.flat[unit] = all(_is_flat(layer.activation, z) for z in taken)


def _dot(one: Row, other: Row) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def _silent(
    layers: Sequence[Layer],
    weights: list[list[list[bool]]],
    biases: list[list[bool]],
    seen: _Seen,
) -> tuple[list[list[bool]], list[list[bool]]]:
    """Units that give 0 for every input, and units that take their bias for every input."""
    silent = [seen.absent]
    constant: list[list[bool]] = []
    for at, layer in enumerate(layers):
        held, nothing = [], []
        for unit, bias in enumerate(layer.biases):
            still = all(
                silent[at][k] or (weights[at][k][unit] and layer.weights[k][unit] == 0)
                for k in range(layer.fan_in)
            )
            held.append(still and biases[at][unit])
            rectified = layer.activation in OFF_BELOW_ZERO
            zero = (bias == 0 and layer.activation in ZERO_AT_ZERO) or (bias <= 0 and rectified)
            off = at == 0 and rectified and seen.off[unit]
            nothing.append((held[-1] and zero) or off)
        constant.append(held)
        silent.append(nothing)
    return silent, constant


def _deaf(
    layers: Sequence[Layer],
    weights: list[list[list[bool]]],
    constant: list[list[bool]],
    seen: _Seen,
    *,
    one_class: bool,
) -> list[list[bool]]:
    """Units whose delta is 0 for every input.

    No loss is assumed, unless it is the softmax of one output: that is 1 whatever it takes.
    """
    deaf: list[list[bool]] = []
    for at in reversed(range(len(layers))):
        layer, found = layers[at], []
        for unit, bias in enumerate(layer.biases):
            cut = one_class
            if deaf:
                cut = all(
                    deaf[0][m] or (weights[at + 1][unit][m] and weight == 0)
                    for m, weight in enumerate(layers[at + 1].weights[unit])
                )
            flat = constant[at][unit] and _is_flat(layer.activation, bias)
            found.append(cut or flat or (at == 0 and seen.flat[unit]))
        deaf.insert(0, found)
    return deaf


def _is_flat(activation: str, z: Fraction) -> bool:
    if z == 0 and activation in FLAT_AT_ZERO:
        return True
    low, high = FLAT_OUTSIDE.get(activation, (None, None))
    return (low is not None and z <= low) or (high is not None and z >= high)


# --- maps and averages --------------------------------------------------------------------------


def _check_affine(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "layers", "weights", "biases"})
    layers = read_layers(data)
    if any(layer.activation != "linear" for layer in layers):
        raise Refused("a layer is not linear")
    size = layers[0].fan_in
    rows = [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]
    shift = [Fraction(0)] * size
    for layer in layers:
        rows = [_times(row, layer.weights) for row in rows]
        shift = [a + b for a, b in zip(_times(shift, layer.weights), layer.biases, strict=True)]
    given = [_row(row) for row in _list(data["weights"], "weights")]
    if given != rows or _row(data["biases"]) != shift:
        raise Refused("the product of the layers is another map")


def _times(row: Row, matrix: list[Row]) -> Row:
    return [
        sum((a * matrix[k][j] for k, a in enumerate(row)), Fraction(0))
        for j in range(len(matrix[0]))
    ]


def _check_average(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "h", "w", "p", "average", "scaled"})
    h, w, p = _row(data["h"]), _row(data["w"]), exact_number(data["p"])
    if len(h) != len(w) or not 1 <= len(h) <= MAX_MASKED or not 0 < p < 1:
        raise Refused(f"1 to {MAX_MASKED} values, as many weights, and a share between 0 and 1")
    average = Fraction(0)
    for mask in product((0, 1), repeat=len(h)):
        share = Fraction(1)
        for kept in mask:
            share *= 1 - p if kept else p
        z = sum((m * a * b for m, a, b in zip(mask, h, w, strict=True)), Fraction(0)) / (1 - p)
        average += share * max(z, Fraction(0))
    scaled = max(sum((a * b for a, b in zip(h, w, strict=True)), Fraction(0)), Fraction(0))
    if (exact_number(data["average"]), exact_number(data["scaled"])) != (average, scaled):
        raise Refused("the average or the value without masks is another number")


NETWORK_KINDS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "equitable_partition": _check_partition,
    "frozen_parameters": _check_frozen,
    "affine_map": _check_affine,
    "mask_average": _check_average,
}
"""What checks each kind of certificate."""
