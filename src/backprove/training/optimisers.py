"""Optimisers from optax, without their step size: that is data of each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import optax


@dataclass(frozen=True)
class Optimiser:
    """A direction rule; parameters move by minus the step size times its direction.

    Args:
        transform: builds the optax transformation of gradients into directions.
        formula: the rule in words, with its constants.
        source: where it comes from.
    """

    transform: Callable[[], optax.GradientTransformation]
    formula: str
    source: str


OPTIMISERS: Mapping[str, Optimiser] = MappingProxyType(
    {
        "sgd": Optimiser(
            optax.identity,
            "the gradient of the batch",
            "Robbins and Monro, Annals of Mathematical Statistics 22 (1951)",
        ),
        "momentum": Optimiser(
            lambda: optax.trace(decay=0.9),
            "v = 0.9 v + g; direction v",
            "Polyak, USSR Computational Mathematics 4 (1964); Sutskever et al., ICML 2013",
        ),
        "adam": Optimiser(
            lambda: optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
            "bias-corrected first moment over root of second, beta 0.9 and 0.999, epsilon 1e-8",
            "Kingma and Ba, ICLR 2015, algorithm 1",
        ),
        "rmsprop": Optimiser(
            lambda: optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False),
            "v = 0.99 v + 0.01 g²; direction g/(√v + 1e-8)",
            "Tieleman and Hinton, Coursera lecture 6.5 (2012); decay and epsilon as in PyTorch",
        ),
    }
)
"""Every optimiser by its name."""
