"""What all tests and doctests share, set before anything imports JAX.

Most of the time of many tests is XLA compiling small programs. What was compiled is kept in
``build``, so that no process of a run, and no later run, compiles it again. Each worker has a
folder of its own: JAX does not write there in one step, and another one may read half a file.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

_KEPT = Path(__file__).parent / "build" / "compiled" / os.environ.get("PYTEST_XDIST_WORKER", "one")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_KEPT))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Modules that the doctest run leaves out, because what they need is not installed.
_NEEDS = {
    "src/backprove/checking/torch_functions.py": "torch",
    "src/backprove/graphs/torch_modules.py": "torch",
    "src/backprove/app/sphinx_extension.py": "sphinx",
}
collect_ignore = [path for path, package in _NEEDS.items() if find_spec(package) is None]
