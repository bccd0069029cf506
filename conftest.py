"""Which modules the doctest run leaves out, because what they need is not installed."""

from __future__ import annotations

from importlib.util import find_spec

_NEEDS = {
    "src/backprove/checking/torch_functions.py": "torch",
    "src/backprove/graphs/torch_modules.py": "torch",
    "src/backprove/app/sphinx_extension.py": "sphinx",
}
collect_ignore = [path for path, package in _NEEDS.items() if find_spec(package) is None]
