"""Candidate terms of a hand-written gradient, built from the upstream gradient and the inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from backprove.checking.invariants import Scene

UPSTREAM = "dy"
_EPSILONS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
_erf = np.vectorize(math.erf, otypes=[float])


@dataclass(frozen=True)
class Term:
    """One candidate.

    Attributes:
        text: how a person would write it, with ``sum``.
        factors: the names that are multiplied, sorted; equal for terms that differ in sums only.
        reduced: the axis that is summed inside of the term, None without a sum, -9 for all.
        count: how many entries that sum has.
    """

    text: str
    factors: tuple[str, ...]
    reduced: int | None = None
    count: int = 1

    def with_mean(self) -> str:
        """The text with a mean in the place of the sum."""
        return self.text.replace("sum(", "mean(", 1)


def atoms(scene: Scene) -> dict[str, np.ndarray]:
    """The quantities that gradients of usual layers are made of, without the upstream gradient."""
    target = scene.inputs[scene.name]
    found = {n: v for n, v in scene.inputs.items() if v.dtype.kind == "f"}
    if scene.output.shape:
        found["y" if "y" not in found else "output"] = scene.output
    found.update(_normalisation(scene))
    if target.ndim and target.shape[-1] > 1:
        exps = np.exp(target - target.max(axis=-1, keepdims=True))
        soft = exps / exps.sum(axis=-1, keepdims=True)
        if not _same(soft, scene.output):
            found[f"softmax({scene.name})"] = soft
    for name, value in scene.inputs.items():
        if value.dtype.kind in "iu" and target.ndim == value.ndim + 1 and value.size:
            if value.min() >= 0 and value.max() < target.shape[-1]:
                found[f"onehot({name})"] = np.eye(target.shape[-1])[value]
    return found


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))


def _normalisation(scene: Scene) -> dict[str, np.ndarray]:
    """The normalised input and its 1/deviation, if the output is an affine form of it."""
    for name, x in scene.inputs.items():
        if x.dtype.kind != "f" or x.shape != scene.output.shape or x.ndim == 0:
            continue
        others = [v for n, v in scene.inputs.items() if n != name and v.dtype.kind == "f"]
        for axis in _axis_groups(x.ndim):
            for centre in (x.mean(axis=axis, keepdims=True), np.zeros(1)):
                for eps in _EPSILONS:
                    rstd = 1 / np.sqrt(((x - centre) ** 2).mean(axis=axis, keepdims=True) + eps)
                    hat = (x - centre) * rstd
                    if _affine(hat, scene.output, others):
                        label = "x̂" if name == "x" else f"{name}_hat"
                        return {label: hat, "rstd": rstd}
    for x in scene.inputs.values():
        if x.dtype.kind == "f" and x.ndim and x.shape == scene.output.shape:
            for axis in _axis_groups(x.ndim):
                norm = np.sqrt((x**2).sum(axis=axis, keepdims=True))
                if np.all(norm > 0) and _same(x / norm, scene.output):
                    return {"1/norm": 1 / norm}
    return {}


def _axis_groups(ndim: int) -> Iterator[tuple[int, ...]]:
    yield (ndim - 1,)
    if ndim > 1:
        yield (0,)
        yield tuple(k for k in range(ndim) if k != 1)
        yield tuple(range(1, ndim))


def _affine(hat: np.ndarray, output: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    scales: list[np.ndarray] = [np.ones(1), *others]
    for scale in scales:
        try:
            scaled = np.broadcast_to(hat * scale, output.shape)
            shifts = [np.zeros(output.shape)]
            shifts += [np.broadcast_to(o, output.shape) for o in others if o is not scale]
        except ValueError:
            continue
        if any(_same(scaled + shift, output) for shift in shifts):
            return True
    return False


def terms(scene: Scene, *, joined: bool = False) -> dict[Term, np.ndarray]:
    """All candidates at one scene, each of the shape of the input.

    With ``joined`` what flows back to the scores of attention counts as one quantity, dS.
    """
    found: dict[Term, np.ndarray] = {}
    diagonal = scene.expected.shape == scene.output.shape and is_diagonal(scene.jacobian)
    if diagonal:
        found.update(_pointwise(scene))
        return found
    known = atoms(scene)
    known = {n: v for n, v in known.items() if v.size}
    found.update(_reduced(scene, known))
    found.update(_products(scene, known, joined))
    return found


def is_diagonal(jacobian: np.ndarray) -> bool:
    """Whether a square Jacobian says that the function works entry by entry."""
    if jacobian.ndim != 2 or jacobian.shape[0] != jacobian.shape[1]:
        return False
    rest = jacobian - np.diag(np.diag(jacobian))
    return bool(
        np.max(np.abs(rest), initial=0.0) <= 1e-8 * np.max(np.abs(jacobian), initial=1e-300)
    )


def _pointwise(scene: Scene) -> dict[Term, np.ndarray]:
    """The upstream gradient times up to three functions of the input, entry by entry."""
    x, name = scene.inputs[scene.name], scene.name
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = np.tanh(u)
    pool = {
        name: x,
        "y" if name != "y" else "output": scene.output,
        f"sigmoid({name})": 1 / (1 + np.exp(-np.clip(x, -700, 700))),
        f"tanh({name})": np.tanh(x),
        f"Φ({name})": 0.5 * (1 + _erf(x / math.sqrt(2))),
        f"φ({name})": np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
        "t": t,
        "(1 - t²)": 1 - t**2,
        "u'": math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2),
        f"[{name} > 0]": (x > 0).astype(float),
        f"exp({name})": np.exp(np.minimum(x, 50)),
        f"exp(-|{name}|)": np.exp(-np.abs(x)),
    }
    for other, value in scene.inputs.items():
        if other != name and value.dtype.kind == "f" and _broadcasts(value, x.shape):
            pool[other] = value
    found = {}
    for count in range(4):
        for chosen in combinations_with_replacement(sorted(pool), count):
            value = scene.upstream
            for factor in chosen:
                value = value * pool[factor]
            found[Term("·".join([UPSTREAM, *chosen]), (UPSTREAM, *chosen))] = value
    return found


def _broadcasts(value: np.ndarray, shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        return False


def _products_of(known: dict[str, np.ndarray], most: int) -> dict[tuple[str, ...], np.ndarray]:
    found: dict[tuple[str, ...], np.ndarray] = {(): np.ones(())}
    for count in range(1, most + 1):
        for chosen in combinations_with_replacement(sorted(known), count):
            try:
                value = known[chosen[0]]
                for factor in chosen[1:]:
                    value = value * known[factor]
            except ValueError:
                continue
            found[chosen] = value
    return found


def _reduced(scene: Scene, known: dict[str, np.ndarray]) -> dict[Term, np.ndarray]:
    """outer · sum(dy · inner, axis), summed down to the shape of the input."""
    shape = scene.expected.shape
    upstream = scene.upstream
    if upstream.ndim and upstream.shape == shape[:-1]:
        upstream = upstream[..., None]  # one number for each row of the input
    products = _products_of(known, 2 if len(known) <= 7 else 1)
    found: dict[Term, np.ndarray] = {}
    for inner, inside in products.items():
        try:
            body = upstream * inside
        except ValueError:
            continue
        text = "·".join([UPSTREAM, *inner])
        options: list[tuple[int | None, np.ndarray]] = [(None, body)]
        options += [(a, body.sum(axis=a, keepdims=True)) for a in range(body.ndim)]
        if body.ndim > 1:
            options.append((-9, body.sum().reshape((1,) * body.ndim)))
        for axis, value in options:
            if axis is not None and value.size == body.size:
                continue
            for outer, outside in products.items():
                if axis is None and inner:
                    continue
                try:
                    full = _sum_to(value * outside, shape)
                except ValueError:
                    continue
                if full is None:
                    continue
                written = _sum_text(text, axis, body.ndim)
                term = Term(
                    "·".join([*outer, written])
                    if axis is not None
                    else "·".join([written, *outer]),
                    tuple(sorted([UPSTREAM, *inner, *outer])),
                    axis,
                    body.size // value.size,
                )
                found.setdefault(term, full)
    return found


def _sum_text(text: str, axis: int | None, ndim: int) -> str:
    if axis is None:
        return text
    if axis == -9 or ndim == 1:
        return f"sum({text})"
    return f"sum({text}, axis={axis})"


def _sum_to(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """A value summed over the axes along which the input was repeated; None if it cannot be."""
    if value.ndim < len(shape):
        value = value.reshape((1,) * (len(shape) - value.ndim) + value.shape)
    extra = value.ndim - len(shape)
    if extra:
        value = value.sum(axis=tuple(range(extra)))
    for axis, (have, want) in enumerate(zip(value.shape, shape, strict=True)):
        if have != want and want == 1:
            value = value.sum(axis=axis, keepdims=True)
        elif have not in (want, 1):
            return None
    return np.broadcast_to(value, shape)


def _products(scene: Scene, known: dict[str, np.ndarray], joined: bool) -> dict[Term, np.ndarray]:
    """Matrix products of the upstream gradient, plain and through the weights of attention."""
    shape = scene.expected.shape
    if len(shape) < 1 or scene.output.ndim != 2:
        return {}
    matrices = {n: v for n, v in known.items() if v.ndim in (1, 2)}
    left: dict[str, np.ndarray] = {UPSTREAM: scene.upstream}
    through = _attention(scene)
    if "p" in through:
        matrices["p"] = through.pop("p")
    if joined and through:
        through = {"dS": through["dS"]}
    else:
        through.pop("dS", None)
    left.update(through)
    found: dict[Term, np.ndarray] = {}
    for text, value in left.items():
        for name, other in matrices.items():
            for first, a in _with_transpose(text, value):
                for second, b in _with_transpose(name, other):
                    for order, (p, q) in (
                        (f"{first}@{second}", (a, b)),
                        (f"{second}@{first}", (b, a)),
                    ):
                        try:
                            product = p @ q
                        except ValueError:
                            continue
                        if product.shape == shape:
                            found.setdefault(Term(order, tuple(sorted([text, name]))), product)
    return found


def _with_transpose(text: str, value: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(text, value), (f"{text}.T", value.T)] if value.ndim == 2 else [(text, value)]


def _attention(scene: Scene) -> dict[str, np.ndarray]:
    """The weights p of y = p @ v and what flows back to the scores, if the output is attention."""
    matrices = {n: v for n, v in scene.inputs.items() if v.ndim == 2 and v.dtype.kind == "f"}
    for q in matrices.values():
        for k in matrices.values():
            if k is q or q.shape[1] != k.shape[1]:
                continue
            for scale in (1 / math.sqrt(q.shape[1]), 1.0):
                scores = q @ k.T * scale
                exps = np.exp(scores - scores.max(axis=1, keepdims=True))
                p = exps / exps.sum(axis=1, keepdims=True)
                for n, v in matrices.items():
                    if v.shape[0] == p.shape[1] and _same(p @ v, scene.output):
                        dp = scene.upstream @ v.T
                        back = f"p·({UPSTREAM}@{n}.T)"
                        return {
                            "p": p,
                            "dS": p * (dp - (p * dp).sum(axis=1, keepdims=True)),
                            f"({back})": p * dp,
                            f"(p·sum({back}, axis=1))": p * (p * dp).sum(axis=1, keepdims=True),
                            f"({UPSTREAM}@{n}.T)": dp,
                            f"(p·sum({UPSTREAM}@{n}.T, axis=1))": p * dp.sum(1, keepdims=True),
                            f"sum({back}, axis=1)": np.broadcast_to(
                                (p * dp).sum(axis=1, keepdims=True), p.shape
                            ),
                        }
    return {}
