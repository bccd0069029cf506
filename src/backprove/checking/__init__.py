"""Checking: claims against derivations, code against measurements, and mistakes by name.

``check`` judges a claim about a derivative; ``comparison`` compares and proves, ``mistakes`` finds
the smallest edit that repairs a wrong claim, and that edit names the mistake. ``check_vjp`` and its
siblings judge code: ``observations`` measures, ``backward_verdict`` judges, ``wrong_terms`` names.
``mutate`` judges a test suite by the wrong backward rules that it lets through.
"""

from backprove.checking.backward_functions import check_grad, check_jvp, check_vjp
from backprove.checking.check import check
from backprove.checking.engine_mutants import Step
from backprove.checking.equalities import check_equality
from backprove.checking.mutation import MutationReport, mutate
from backprove.checking.verdict import MISTAKES, Counterexample, Verdict

__all__ = [
    "MISTAKES",
    "Counterexample",
    "MutationReport",
    "Step",
    "Verdict",
    "check",
    "check_equality",
    "check_grad",
    "check_jvp",
    "check_vjp",
    "mutate",
]
