"""Which modules the doctest run leaves out, because what they need is not installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["src/backprove/checking/torch_functions.py"]
