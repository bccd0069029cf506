"""Claims about structure: ``diagonal``, ``identity``, ``block-diagonal``, ``symmetric``, ..."""

from __future__ import annotations

IMPLIED_BY: dict[str, set[str]] = {
    "zero": {"zero"},
    "constant": {"constant", "zero", "identity", "scaled identity", "permutation"},
    "identity": {"identity"},
    "scaled identity": {"identity", "scaled identity"},
    "diagonal": {"diagonal", "identity", "scaled identity", "zero"},
    "block-diagonal": {"block-diagonal", "diagonal", "identity", "scaled identity"},
    "kronecker": {"Kronecker"},
    "kronecker sum": {"Kronecker", "Kronecker sum"},
    "triangular": {"triangular", "diagonal", "identity", "scaled identity"},
    "permutation": {"permutation", "identity"},
    "banded": {"banded", "diagonal", "identity", "scaled identity"},
    "rank 1": {"rank 1"},
    "diagonal + rank 1": {"diagonal + rank 1", "identity + rank 1"},
}
"""Which kinds that :func:`backprove.calculus.structure.classify` finds make a claim right."""

STRUCTURE_WORDS = {*IMPLIED_BY, "symmetric"}
