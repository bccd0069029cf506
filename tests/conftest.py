"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# The same examples on every CI run: a new example should fail at a desk, not on a merge.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
