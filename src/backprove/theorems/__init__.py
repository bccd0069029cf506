"""What a network can and cannot do, proved before it is trained.

>>> from backprove.theorems import represent
>>> represent("xor", network="relu(1)").possible
False
"""

from __future__ import annotations

from backprove.theorems.algebra_certificates import check_identities
from backprove.theorems.bound_certificates import BOUND_KINDS
from backprove.theorems.certificates import OTHERS, CertificateVerdict, check_certificate
from backprove.theorems.gradient_support import gradient_support
from backprove.theorems.named import THEOREMS, Experiment, experiment, prove
from backprove.theorems.network_certificates import NETWORK_KINDS, refusing
from backprove.theorems.representability import represent
from backprove.theorems.representation import Representation
from backprove.theorems.symmetry import symmetry
from backprove.theorems.theorem import Condition, Fact, Theorem

_CHECKS = {**NETWORK_KINDS, **BOUND_KINDS, "identities": check_identities}
OTHERS.update({kind: refusing(check) for kind, check in _CHECKS.items()})

__all__ = [
    "THEOREMS",
    "CertificateVerdict",
    "Condition",
    "Experiment",
    "Fact",
    "Representation",
    "Theorem",
    "check_certificate",
    "experiment",
    "gradient_support",
    "prove",
    "represent",
    "symmetry",
]
