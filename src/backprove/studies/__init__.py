"""Studies: a grid of networks trained with several paired seeds, and what it shows.

>>> from backprove.studies import study
>>> result = study(hidden="none", seeds=2, epochs=2)
>>> [c.outcome for c in result.configurations]
['learned']
"""

from __future__ import annotations

from backprove.studies.compared import Compared
from backprove.studies.comparisons import Comparison
from backprove.studies.factors import FACTORS, Configuration, Factor
from backprove.studies.grids import grid
from backprove.studies.outcomes import Outcome, Reading
from backprove.studies.result import ConfigurationResult, Run, Study
from backprove.studies.runs import Progress
from backprove.studies.series import Answer, Series
from backprove.studies.study import FIELDS, refuse_unknown, study

__all__ = [
    "FACTORS",
    "FIELDS",
    "Answer",
    "Compared",
    "Comparison",
    "Configuration",
    "ConfigurationResult",
    "Factor",
    "Outcome",
    "Progress",
    "Reading",
    "Run",
    "Series",
    "Study",
    "grid",
    "refuse_unknown",
    "study",
]
