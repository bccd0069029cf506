"""Whether a device runs its models one after the other or as stacked products.

Very small models are stacked and very large ones are not, wherever it was measured. Between them
a quick measurement decides where there is much to train, once on a machine: the choice is kept in
the user's cache folder, so that training again gives the same numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from backprove.training.program import Program
from backprove.training.steps import Inner

_SMALL = 5_000  # parameters below which stacked products beat a loop on a CPU (measured: 16 wide)
_UNSURE = range(500, 100_000)  # parameters between which it depends on the machine
_OPERATIONS = {"cpu": 3e10}  # a second on a device, roughly
_ELSEWHERE = 3e12
_WORTH = 10.0  # seconds of training from which a measurement, with its compilation, pays

_decided: dict[str, Inner] = {}


def chosen(
    program: Program,
    models: int,
    device: Any,
    *,
    examples: int = 0,
    seconds: Callable[[Inner], float] | None = None,
) -> Inner:
    """The faster way.

    Args:
        program: what the models share.
        models: how many there are on a device.
        device: the device.
        examples: training examples of an epoch.
        seconds: takes the time of some steps one way or the other.

    Returns:
        ``map`` or ``vmap``.
    """
    way = known_way(program, models, device, examples=examples)
    if way is not None:
        return way
    if seconds is None:
        return _rule(program, device)
    _decided[_key(program, models, device)] = way = _faster(seconds)
    _keep()
    return way


def known_way(program: Program, models: int, device: Any, *, examples: int = 0) -> Inner | None:
    """The faster way as far as it is known without measuring.

    Args:
        program: what the models share.
        models: how many there are on a device.
        device: the device.
        examples: training examples of an epoch.

    Returns:
        ``map`` or ``vmap``; None where it is worth a measurement.
    """
    cpu, size = device.platform == "cpu", program.mlp.parameters
    work = program.mlp.flops * examples * program.epochs * models
    short = work < _WORTH * _OPERATIONS.get(device.platform, _ELSEWHERE)
    if models == 1 or short or (cpu and size not in _UNSURE):
        return _rule(program, device)
    key = _key(program, models, device)
    if key not in _decided:
        _decided.update(_read())
    return _decided.get(key)


def _rule(program: Program, device: Any) -> Inner:
    small = program.mlp.parameters <= _SMALL
    return "vmap" if device.platform != "cpu" or small else "map"


def _key(program: Program, models: int, device: Any) -> str:
    return f"{device.device_kind}, {os.cpu_count()} cores, {models} models, {program!r}"


def _faster(seconds: Callable[[Inner], float]) -> Inner:
    """By turns, since other programs slow down what runs beside them."""
    ways: tuple[Inner, Inner] = ("map", "vmap")
    times = {way: [] for way in ways}
    for _ in range(3):
        for way in ways:
            times[way].append(seconds(way))
    return min(ways, key=lambda way: min(times[way]))


def _file() -> Path:
    return platformdirs.user_cache_path("backprove") / "fusion.json"


def _read() -> dict[str, Inner]:
    with suppress(OSError, ValueError):
        found = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(key): way for key, way in found.items() if way in ("map", "vmap")}
    return {}


def _keep() -> None:
    new = _file().with_suffix(f".{os.getpid()}.new")
    with suppress(OSError):  # without a cache every process measures anew
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(_decided, indent=1), encoding="utf-8")
        os.replace(new, _file())
