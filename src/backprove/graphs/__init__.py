"""Computation graphs: forward values, local and upstream gradients, and every path between.

``graph`` reads an expression into nodes (``sources`` named lines, ``torch_modules`` PyTorch),
``run`` holds the numbers of one run; ``tape`` computes scalar graphs in linear time, ``passes``
graphs with arrays; ``local`` has the formulas of local derivatives, ``paths`` the chain rule path
by path, ``notes`` the trouble at a node.
"""

from __future__ import annotations

from backprove.graphs.exercise import Exercise, Question
from backprove.graphs.graph import CriticalPath, Graph, graph
from backprove.graphs.paths import Path, Paths
from backprove.graphs.records import NOT_COMPUTED, Cache, Kept, Local, NotComputed, Upstream
from backprove.graphs.run import Run
from backprove.graphs.sources import HasGraphSource, Source

__all__ = [
    "NOT_COMPUTED",
    "Cache",
    "CriticalPath",
    "Exercise",
    "Graph",
    "HasGraphSource",
    "Kept",
    "Local",
    "NotComputed",
    "Path",
    "Paths",
    "Question",
    "Run",
    "Source",
    "Upstream",
    "graph",
]
