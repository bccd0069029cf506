"""JAX functions as subjects: their own VJP or JVP is what is checked, custom rules included.

This file is imported only when such a function is checked, so that JAX is not loaded before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backprove.checking.gradient_parts import Part
from backprove.checking.jax_functions_nonfinite import nodes_of
from backprove.checking.jax_functions_parts import parts_of
from backprove.checking.nonfinite import backward_origin, forward_origin
from backprove.checking.subjects import (
    Subject,
    as_array,
    call,
    collected,
    input_names,
    is_real,
    judged_inputs,
    real_array,
)
from backprove.errors import InputError


def jax_subject(
    fn: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    names: Sequence[str] | None,
    wrt: Sequence[str] | None,
    mode: str,
) -> Subject:
    """The subject for a JAX function; ``mode`` is ``vjp``, ``jvp`` or ``grad``.

    Raises:
        InputError: an input is not one array, or ``fn`` is not a function that JAX can trace.
    """
    for value in inputs:
        if isinstance(value, (dict, list, tuple)) and not _rectangular(value):
            raise InputError(
                f"An input is a {type(value).__name__}, and one array per input is expected.",
                hint="Wrap the function so that it takes its parameters one by one.",
            )
    arrays = [np.array(value) for value in inputs]
    called = input_names(fn, len(arrays), names)
    judged = judged_inputs(called, arrays, wrt)
    with _precision(arrays):
        _traceable(fn, arrays)
    compiled = jax.jit(fn)

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        with _precision(values):
            try:
                value = compiled(*values)
            except (jax.errors.JAXTypeError, TypeError):
                value = fn(*(jnp.asarray(v) for v in values))
            return as_array(value)

    def split(values: Sequence[np.ndarray]) -> tuple[Callable[..., Any], list[Any]]:
        everything = [jnp.asarray(v) for v in values]

        def restricted(*moved: Any) -> Any:
            full = list(everything)
            for k, value in zip(judged, moved, strict=True):
                full[k] = value
            return fn(*full)

        return restricted, [everything[k] for k in judged]

    def pullback(g: np.ndarray, values: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        with _precision(values):
            restricted, moved = split(values)

            def run() -> Any:
                output, back = jax.vjp(restricted, *moved)
                return back(jnp.asarray(g, dtype=output.dtype))

            gradients = [np.asarray(v) for v in call(run, [], "its VJP")]
        chosen = [values[k] for k in judged]
        called_here = [called[k] for k in judged]
        return collected(gradients, chosen, range(len(judged)), called_here, "its VJP")

    def pushforward(tangents: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
        with _precision(values):
            restricted, moved = split(values)

            def run() -> Any:
                cast = [jnp.asarray(t, dtype=m.dtype) for t, m in zip(tangents, moved, strict=True)]
                return jax.jvp(restricted, tuple(moved), tuple(cast))[1]

            return real_array(call(run, [], "its JVP"), "the tangent of the output", "its JVP")

    def origin(values: Sequence[np.ndarray], g: np.ndarray | None) -> str:
        try:
            with _precision(values):
                nodes = nodes_of(fn, [jnp.asarray(v) for v in values])
                if not nodes or g is None:
                    return forward_origin(nodes)
                return backward_origin(nodes, np.asarray(g).reshape(nodes[-1].value.shape))
        except Exception:  # an explanation only: the verdict stands without it
            return ""

    def parts(scenes: Sequence[tuple[list[np.ndarray], np.ndarray]], k: int) -> list[list[Part]]:
        try:
            with _precision(scenes[0][0]):
                moved = [([jnp.asarray(v) for v in values], g) for values, g in scenes]
                return parts_of(fn, moved, k)
        except Exception:  # an explanation only: the verdict stands without it
            return []

    title = getattr(fn, "__name__", type(fn).__name__)
    subject = Subject(title, called, arrays, judged, forward, pullback, pushforward)
    subject.origin, subject.parts = origin, parts
    return subject


def _traceable(fn: Callable[..., Any], arrays: Sequence[np.ndarray]) -> None:
    """Refuse what JAX cannot differentiate: without a backward function nothing can be judged.

    Raises:
        InputError: the function turns its inputs into NumPy arrays, or tensors of another library.
    """
    try:
        jax.make_jaxpr(fn)(*(jnp.asarray(v) for v in arrays))
    except jax.errors.TracerArrayConversionError as error:
        raise InputError(
            "No backward function was given, and this function is not one of JAX: it turns its "
            "inputs into NumPy arrays.",
            hint="Give the backward function after it: check_vjp(forward, backward, x). Functions "
            "of PyTorch need tensors as inputs.",
        ) from error
    except Exception:  # what else goes wrong is told where the function is called
        return


def _rectangular(value: Any) -> bool:
    try:
        return not isinstance(value, dict) and np.asarray(value).dtype.kind in "fiub"
    except ValueError:
        return False


def _precision(values: Sequence[np.ndarray]) -> AbstractContextManager[Any]:
    """Double precision where an input has it; JAX would round it to single otherwise."""
    double = any(is_real(v) and np.asarray(v).dtype == np.float64 for v in values)
    return jax.enable_x64(True) if double else nullcontext()
