"""Multilayer perceptrons in JAX: shape, activations, initialisers, losses, forward pass.

Parameters are plain pytrees (a tuple of one dictionary a layer), so that many networks of one
shape are one pytree with a leading axis. What can be a number is a number and not part of the
program: the activation is chosen by index, the step size is an array.
"""

from __future__ import annotations

from backprove.networks.activations import ACTIVATIONS, switch
from backprove.networks.forward import Layer, Parameters, Statistics, forward, forward_in_training
from backprove.networks.initialisers import INITIALISERS, Initialiser, initialise
from backprove.networks.losses import LOSSES, Loss
from backprove.networks.mlp import MLP, hidden_text, parse_hidden
from backprove.networks.with_loss import WithLoss

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "LOSSES",
    "MLP",
    "Initialiser",
    "Layer",
    "Loss",
    "Parameters",
    "Statistics",
    "WithLoss",
    "forward",
    "forward_in_training",
    "hidden_text",
    "initialise",
    "parse_hidden",
    "switch",
]
