"""Worksheets: Markdown with statements in, a verified report out.

A new kind of statement is one file in ``statements``: a class with its keyword, how it is read
and what it asks. ``document`` splits the Markdown, ``source`` keeps the place of every piece of
text so that all errors point into the file, ``session`` holds what was declared and asked, and
``engine`` is the only place that names the functions that answer.
"""

from backprove.worksheets.engine import Engine
from backprove.worksheets.report import Outcome, Prose, Report
from backprove.worksheets.running import run_worksheet

__all__ = ["Engine", "Outcome", "Prose", "Report", "run_worksheet"]
