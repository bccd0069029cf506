"""Invariants that the gradient inherits from the forward function, discovered and tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """One point with one upstream gradient, and what is right there.

    Attributes:
        name: the input whose gradient is looked at.
        inputs: the value of each input.
        output: the value of the function.
        upstream: the upstream gradient, of the shape of the output.
        expected: the measured gradient of the input in question.
        given: the claimed one.
        jacobian: output entries by input entries.
    """

    name: str
    inputs: dict[str, np.ndarray]
    output: np.ndarray
    upstream: np.ndarray
    expected: np.ndarray
    given: np.ndarray
    jacobian: np.ndarray


@dataclass(frozen=True)
class Invariant:
    """A law of the input gradient.

    Attributes:
        law: what must be zero or equal, as a clause.
        reason: the property of the forward function that implies it.
        violation: by how much the claimed gradient breaks it; 0 if it holds.
    """

    law: str
    reason: str
    violation: float


Residual = Callable[[Scene, np.ndarray], tuple[np.ndarray, np.ndarray]]


def normalised(x: np.ndarray, axis: int) -> np.ndarray:
    """``x`` with mean 0 and mean square 1 along an axis."""
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / np.sqrt(np.maximum((centred**2).mean(axis=axis, keepdims=True), 1e-300))


def invariants(scenes: Sequence[Scene], name: str) -> list[Invariant]:
    """The laws that the measured gradients obey at all scenes, and whether the given ones do.

    Args:
        scenes: several points and upstream gradients.
        name: the input whose gradient is looked at.

    Returns:
        Those that hold for the forward function; ``violation`` is 0 where the claim obeys.
    """
    if not scenes or all(np.max(np.abs(s.expected), initial=0.0) == 0 for s in scenes):
        return []
    found: list[Invariant] = []
    held: set[str] = set()
    for candidate in _candidates(name, scenes[0].expected.shape):
        if (candidate.needs and candidate.needs not in held) or held.intersection(candidate.unless):
            continue
        worst = max(_ratio(*candidate.residual(s, s.expected)) for s in scenes)
        if worst >= (3e-4 if candidate.loose else 1e-7):
            continue
        held.add(candidate.law)
        allowed = (30 * worst if candidate.loose else 0.0) + 1e-6
        amounts = [0.0]
        for scene in scenes:
            rest, size = candidate.residual(scene, scene.given)
            if np.all(np.isfinite(rest)) and _ratio(rest, size) > allowed:
                amounts.append(float(np.max(np.abs(rest), initial=0.0)))
        found.append(Invariant(candidate.law, candidate.reason, max(amounts)))
    return found


def _ratio(rest: np.ndarray, size: np.ndarray) -> float:
    top = float(np.max(size, initial=0.0))
    return float(np.max(np.abs(rest), initial=0.0)) / top if top > 0 else 0.0


@dataclass(frozen=True)
class _Candidate:
    """A possible law: what it says, why, and what is left over where it does not hold."""

    law: str
    reason: str
    residual: Residual
    needs: str = ""
    unless: tuple[str, ...] = ()
    loose: bool = False


def _candidates(name: str, shape: tuple[int, ...]) -> Iterator[_Candidate]:
    for axis in reversed(range(len(shape))):
        if shape[axis] < 2:
            continue
        along = f" along axis {axis}" if len(shape) > 1 else ""
        zero_sum = f"the gradient of {name} must sum to 0{along}"
        orthogonal = f"the gradient of {name} must be orthogonal to {name}{along}"
        scaling = f"scaling {name}{along} changes nothing"
        yield _Candidate(
            zero_sum, f"adding a constant to {name}{along} changes nothing", _sum(axis)
        )
        yield _Candidate(orthogonal, scaling, _orthogonal(axis, False))
        yield _Candidate(
            f"the gradient of {name} must be orthogonal to the normalised {name}{along}",
            f"scaling {name}{along} changes next to nothing",
            _orthogonal(axis, True),
            needs=zero_sum,
            loose=True,
        )
        yield _Candidate(
            f"the gradient of {name} must be nearly orthogonal to {name}{along}",
            f"scaling {name}{along} changes next to nothing",
            _orthogonal(axis, False),
            unless=(orthogonal, zero_sum),
            loose=True,
        )
    for degree in (1, 2, 3):
        yield _Candidate(
            f"⟨{name}, gradient⟩ must be {degree if degree > 1 else ''}⟨upstream, output⟩",
            f"the function is homogeneous of degree {degree} in {name}",
            _euler(degree),
        )


def _sum(axis: int) -> Residual:
    def residual(scene: Scene, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return gradient.sum(axis), np.abs(gradient).sum(axis)

    return residual


def _orthogonal(axis: int, normal: bool) -> Residual:
    def residual(scene: Scene, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = scene.inputs[scene.name]
        product = gradient * (normalised(x, axis) if normal else x)
        return product.sum(axis), np.abs(product).sum(axis)

    return residual


def _euler(degree: int) -> Residual:
    def residual(scene: Scene, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = scene.inputs[scene.name] * gradient
        outer = degree * scene.upstream * scene.output
        return (
            np.asarray(inner.sum() - outer.sum()),
            np.asarray(np.abs(inner).sum() + np.abs(outer).sum()),
        )

    return residual
