"""Reads the tables of published derivatives and draws values for their symbols.

Every ``*.toml`` file beside this one holds ``[[case]]`` entries:

``id``          unique name
``source``      title and equation
``f``           the expression, in the numpy-like language
``wrt``         the symbol of the derivative
``shapes``      symbol to shape: named sizes or numbers, ``""`` for a scalar
``domain``      symbol to domain, where it is not all reals
``order``       1 (default) or 2 (Hessian: output shape + input shape + input shape)
``structured``  ``symmetric`` where the entries (i, j) and (j, i) of the input are one variable
``sizes``       values of the named sizes, where the formula needs a relation between them
``claims``      right statements, at least one
``wrong``       ``{claim, mistake}``: wrong statements with the name of the slip
``note``        what the source leaves out

A claim is ``grad = ...`` (array text with the shape of the input, for scalar outputs), ``J = ...``
or ``H = ...`` (array text with the shape of the output followed by that of the input), or an index
formula ``J[i, j] = ...`` / ``H[i, j] = ...`` (indices of the output first), in which ``[i==j]`` is
an Iverson bracket, ``delta[i, j]`` the same, and ``sum(m, ...)`` sums over the index ``m``. A name
of a size stands for its value unless it is bound as an index.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DIFFERENT = (3, 4, 2, 5, 6, 7)
"""Values of named sizes in order of appearance: never two alike, which would hide a wrong delta."""


@dataclass(frozen=True)
class Wrong:
    """A wrong statement and the name of its mistake."""

    claim: str
    mistake: str


@dataclass(frozen=True)
class Case:
    """One expression with statements about its derivative."""

    id: str
    source: str
    f: str
    wrt: str
    shapes: Mapping[str, str]
    domain: Mapping[str, str]
    order: int
    structured: str
    sizes: Mapping[str, int]
    claims: tuple[str, ...]
    wrong: tuple[Wrong, ...]
    note: str
    topic: str

    def size_values(self) -> dict[str, int]:
        """A value for each named size, all different unless the case says otherwise."""
        values = dict(self.sizes)
        free = [s for s in DIFFERENT if s not in values.values()]
        for shape in self.shapes.values():
            for word in shape.split():
                if not word.isdigit() and word not in values:
                    values[word] = free.pop(0)
        return values

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a symbol in numbers."""
        sizes = self.size_values()
        return tuple(int(w) if w.isdigit() else sizes[w] for w in self.shapes[name].split())

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Values of all symbols in their domains; the same for the same seed."""
        rng = np.random.default_rng([zlib.crc32(self.id.encode()), seed])
        return {n: draw(rng, self.shape(n), self.domain.get(n, "real")) for n in self.shapes}


def draw(rng: np.random.Generator, shape: tuple[int, ...], domain: str) -> np.ndarray:
    """An array in a domain (``unit``: between 0 and 1)."""
    x = rng.normal(size=shape)
    if domain == "real":
        return x
    if domain == "positive":
        return rng.uniform(0.5, 2.0, size=shape)
    if domain == "unit":
        return rng.uniform(0.05, 0.95, size=shape)
    if domain == "nonsingular":
        left, _, right = np.linalg.svd(x)
        return left * np.linspace(0.6, 1.8, shape[0]) @ right
    if domain == "symmetric":
        return (x + x.T) / 2
    if domain == "spd":
        return x @ x.T / shape[0] + 0.5 * np.eye(shape[0])
    if domain == "prob":
        weights = rng.uniform(0.3, 1.5, size=shape)
        return weights / np.sum(weights, axis=-1, keepdims=True)
    if domain == "sum1":
        return x + (1.0 - np.sum(x, axis=-1, keepdims=True)) / shape[-1]
    if domain == "onehot":
        return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    if domain == "pm1":
        return rng.choice([-1.0, 1.0], size=shape)
    if domain == "binary":
        return rng.choice([0.0, 1.0], size=shape)
    raise ValueError(f"no domain is called {domain!r}")


@cache
def cases(topic: str | None = None) -> tuple[Case, ...]:
    """All entries, or those of one file (its name without ``.toml``)."""
    found: list[Case] = []
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        if topic in (None, path.stem):
            with path.open("rb") as stream:
                found += [_case(entry, path.stem) for entry in tomllib.load(stream)["case"]]
    return tuple(found)


_FIELDS = set(Case.__dataclass_fields__) - {"topic"}


def _case(entry: dict, topic: str) -> Case:
    unknown = set(entry) - _FIELDS
    if unknown:
        raise ValueError(f"{entry.get('id')}: unknown fields {sorted(unknown)}")
    return Case(
        id=entry["id"],
        source=entry["source"],
        f=entry["f"],
        wrt=entry["wrt"],
        shapes=entry["shapes"],
        domain=entry.get("domain", {}),
        order=entry.get("order", 1),
        structured=entry.get("structured", ""),
        sizes=entry.get("sizes", {}),
        claims=tuple(entry["claims"]),
        wrong=tuple(Wrong(**w) for w in entry.get("wrong", ())),
        note=entry.get("note", ""),
        topic=topic,
    )
