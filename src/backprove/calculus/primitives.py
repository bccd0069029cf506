"""What each JAX primitive computes: the table, filled by its parts."""

from __future__ import annotations

from backprove.calculus import primitives_entries, primitives_shapes, primitives_sums
from backprove.calculus.equations import PRIMITIVES, Equation, Tracer

PARTS = (primitives_entries, primitives_shapes, primitives_sums)
"""The modules that register primitives."""

__all__ = ["PARTS", "PRIMITIVES", "Equation", "Tracer"]
