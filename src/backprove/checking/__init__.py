"""Checking: claims against derivations, and mistakes by name.

``check`` judges a claim about a derivative; ``comparison`` compares and proves, ``mistakes`` finds
the smallest edit that repairs a wrong claim, and that edit names the mistake.
"""

from backprove.checking.check import check, check_equality
from backprove.checking.verdict import MISTAKES, Counterexample, Verdict

__all__ = ["MISTAKES", "Counterexample", "Verdict", "check", "check_equality"]
