"""Which structures that a derivation finds make a word such as ``diagonal`` a proved one."""

from __future__ import annotations

IMPLIED_BY: dict[str, set[str]] = {
    "scaled identity": {"identity", "scaled identity"},
    "kronecker": {"Kronecker", "identity", "scaled identity"},
    "kronecker sum": {"Kronecker", "Kronecker sum"},
    "permutation": {"permutation", "identity"},
    "banded": {"banded", "diagonal", "identity", "scaled identity", "zero"},
    "diagonal + rank 1": {"diagonal + rank 1", "identity + rank 1"},
}
"""Which kinds that :func:`backprove.calculus.structure.classify` finds make a claim right."""
