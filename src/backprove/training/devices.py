"""The devices to train on, and a folder in which compiled programs survive the process."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import Any

import jax
import platformdirs


@cache
def devices() -> tuple[Any, ...]:
    """All accelerators, or one device for each processor core.

    The first call configures JAX, unless somebody has: XLA runs one program of small matrix
    products on one core, so separate devices are what keeps all cores busy. Compiled programs are
    kept in the user's cache folder.

    Returns:
        At least one :class:`jax.Device`.

    >>> len(devices()) >= 1
    True
    """
    _keep_compiled_programs()
    if jax.config.jax_num_cpu_devices < 1:  # pyright: ignore[reportAttributeAccessIssue]
        # Refused where JAX is running already or its environment names a number: then take those.
        with suppress(RuntimeError, ValueError):
            jax.config.update("jax_num_cpu_devices", _cores())
    return tuple(jax.devices())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _keep_compiled_programs() -> None:
    if jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        return
    folder = platformdirs.user_cache_path("backprove") / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a cache is a convenience; without one every process compiles anew
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
