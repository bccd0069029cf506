"""Calculus: symbolic derivatives of any order with their steps, and numeric oracles.

``rules`` differentiates one node, ``accumulation`` runs over a program, ``derivation`` answers
:func:`derive`; ``numeric`` holds the finite differences that check every answer.
"""

from backprove.calculus.accumulation import Backward, backward, tangent
from backprove.calculus.derivation import Derivation, Derivations, derive

__all__ = ["Backward", "Derivation", "Derivations", "backward", "derive", "tangent"]
