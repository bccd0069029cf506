"""Libraries that only some data sets need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from backprove.errors import DataError


def library(name: str, extra: str) -> Any:
    """A module of an extra.

    Args:
        name: of the module.
        extra: of this package that brings it along.

    Raises:
        DataError: it is not installed.

    >>> library("json", "none").dumps([1])
    '[1]'
    """
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise DataError(
            f"This data needs {package}, which is not installed.",
            hint=f"Install backprove[{extra}].",
        ) from None
