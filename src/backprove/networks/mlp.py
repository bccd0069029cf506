"""The shape of a multilayer perceptron, and how people write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, get_args

from backprove.errors import SetupError

MAX_WIDTH = 65_536
MAX_LAYERS = 256
Normalisation = Literal["none", "batch", "layer"]
_ALLOWED = (
    "'none', a width such as '512', equal widths such as '512x3', or widths such as '256-128'"
)


@dataclass(frozen=True)
class MLP:
    """The shape of a network: everything that decides which programs it can share.

    Args:
        inputs: number of features.
        hidden: width of each hidden layer, in order; empty for a linear model.
        outputs: number of outputs; 1 logit for two classes.
        residual: whether each hidden layer whose input has its own width adds that input to its
            output (He, Zhang, Ren, Sun, CVPR 2016, eq. 1).
        normalisation: ``batch`` (Ioffe and Szegedy, ICML 2015) or ``layer`` (Ba, Kiros, Hinton,
            2016) before each activation, with a learned scale and shift for each unit. Batch
            normalisation takes the place of the biases: it would subtract them again, so that
            only rounding would move them.

    Raises:
        SetupError: a width out of range, or an unknown normalisation.

    >>> MLP(inputs=50, hidden=(512, 512), outputs=1).parameters
    289281
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int = 1
    residual: bool = False
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        for field, widths in (
            ("inputs", (self.inputs,)),
            ("hidden", self.hidden),
            ("outputs", (self.outputs,)),
        ):
            for width in widths:
                if not 1 <= width <= MAX_WIDTH:
                    raise SetupError(
                        f"{field}={width}; expected a whole number from 1 to {MAX_WIDTH}."
                    )
        if self.normalisation not in get_args(Normalisation):
            known = ", ".join(get_args(Normalisation))
            raise SetupError(f"normalisation={self.normalisation!r}; expected one of {known}.")

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Fan-in and fan-out of each dense layer, in order."""
        return tuple(pairwise((self.inputs, *self.hidden, self.outputs)))

    @property
    def parameters(self) -> int:
        """The number of learned values: weights, biases, scales and shifts."""
        dense = sum((fan_in + 1) * fan_out for fan_in, fan_out in self.layers)
        return dense + {"none": 0, "batch": 1, "layer": 2}[self.normalisation] * sum(self.hidden)

    @property
    def flops(self) -> int:
        """Floating-point operations of training on one example, forward and backward.

        Matrix products alone, a multiplication and an addition for each pair of numbers: one
        product a layer forward, one for the gradient of its weights, and one for the gradient of
        its input, which the first layer does not need.

        >>> MLP(inputs=50, hidden=(512,)).flops
        105472
        """
        products = [2 * fan_in * fan_out for fan_in, fan_out in self.layers]
        return 3 * sum(products) - products[0]


def parse_hidden(text: str) -> tuple[int, ...]:
    """The hidden widths that a text such as ``512x3`` stands for.

    Args:
        text: ``none``, ``512``, ``512x3`` (also with ``×``) or ``256-128``; parts combine, as in
            ``512x2-64``.

    Returns:
        The width of each hidden layer.

    Raises:
        SetupError: the text is none of these, or a number is out of range.

    >>> parse_hidden("none"), parse_hidden("512x3"), parse_hidden("256-128")
    ((), (512, 512, 512), (256, 128))
    """
    given = text.strip().lower().replace("×", "x")
    if given in {"none", "0"}:
        return ()
    widths: list[int] = []
    for part in given.split("-"):
        match = re.fullmatch(r"([0-9]{1,6})(?:x([0-9]{1,4}))?", part.strip())
        if match is None:
            raise SetupError(f"hidden={text!r} is not understood; expected {_ALLOWED}.")
        width, times = int(match[1]), int(match[2] or 1)
        if not (1 <= width <= MAX_WIDTH and 1 <= times <= MAX_LAYERS - len(widths)):
            raise SetupError(
                f"hidden={text!r}: expected widths from 1 to {MAX_WIDTH} and 1 to {MAX_LAYERS} "
                "hidden layers; write 'none' for no hidden layer."
            )
        widths.extend([width] * times)
    return tuple(widths)


def hidden_text(hidden: Sequence[int]) -> str:
    """The shortest text that :func:`parse_hidden` reads as these widths.

    Args:
        hidden: the width of each hidden layer.

    Returns:
        The text.

    >>> hidden_text((512, 512, 64)), hidden_text(())
    ('512x2-64', 'none')
    """
    runs = [(width, len(list(same))) for width, same in groupby(hidden)]
    return "-".join(f"{w}x{n}" if n > 1 else str(w) for w, n in runs) or "none"
