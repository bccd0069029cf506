"""Calculus: symbolic derivatives of any order with their steps, and numeric oracles.

``rules`` differentiates one node, ``accumulation`` runs over a program, ``deriving`` answers
:func:`derive` with a ``derivation``; ``numeric`` holds the finite differences that check it.
"""

from backprove.calculus.accumulation import Backward, backward, tangent
from backprove.calculus.derivation import Derivation, Derivations
from backprove.calculus.deriving import derive

__all__ = ["Backward", "Derivation", "Derivations", "backward", "derive", "tangent"]
