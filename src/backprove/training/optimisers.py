"""Optimisers from optax, with numbers that are data of each model instead of compiled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import optax


@dataclass(frozen=True)
class Optimiser:
    """A direction rule; parameters move by minus the step size times its direction.

    Args:
        transform: (momentum, beta2) to the optax transformation of gradients into directions;
            both may be traced arrays.
        formula: the rule in words, with its constants.
        source: where it comes from.
        momentum: the default of its first decay; NaN if it has none.
        beta2: the default of the decay of squared gradients; NaN if it has none.
        decoupled: whether weight decay is added to the direction (Loshchilov and Hutter,
            ICLR 2019) instead of to the gradient (an L2 penalty of half the weight decay).
    """

    transform: Callable[[Any, Any], optax.GradientTransformation]
    formula: str
    source: str
    momentum: float = float("nan")
    beta2: float = float("nan")
    decoupled: bool = False


def _adam(momentum: Any, beta2: Any) -> optax.GradientTransformation:
    return optax.scale_by_adam(b1=momentum, b2=beta2, eps=1e-8)


_ADAM = "bias-corrected first moment over root of second, beta 0.9 and 0.999, epsilon 1e-8"

OPTIMISERS: Mapping[str, Optimiser] = MappingProxyType(
    {
        "sgd": Optimiser(
            lambda momentum, beta2: optax.identity(),
            "the gradient of the batch",
            "Robbins and Monro, Annals of Mathematical Statistics 22 (1951)",
        ),
        "momentum": Optimiser(
            lambda momentum, beta2: optax.trace(decay=momentum),
            "v = 0.9 v + g; direction v",
            "Polyak, USSR Computational Mathematics 4 (1964); Sutskever et al., ICML 2013",
            momentum=0.9,
        ),
        "adam": Optimiser(
            _adam, _ADAM, "Kingma and Ba, ICLR 2015, algorithm 1", momentum=0.9, beta2=0.999
        ),
        "adamw": Optimiser(
            _adam,
            f"{_ADAM}; weight decay times the parameters is added to the direction",
            "Loshchilov and Hutter, ICLR 2019, algorithm 2",
            momentum=0.9,
            beta2=0.999,
            decoupled=True,
        ),
        "rmsprop": Optimiser(
            lambda momentum, beta2: optax.scale_by_rms(decay=beta2, eps=1e-8, eps_in_sqrt=False),
            "v = 0.99 v + 0.01 g²; direction g/(√v + 1e-8)",
            "Tieleman and Hinton, Coursera lecture 6.5 (2012); decay and epsilon as in PyTorch",
            beta2=0.99,
        ),
    }
)
"""Every optimiser by its name."""
