"""Checking code: is this backward function, JVP or gradient the derivative of that function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from backprove.checking.backward_verdict import judge, of_fault, of_wrong_shape
from backprove.checking.measured_jacobian import coordinates, measure
from backprove.checking.observations import WrongShape, observe, prepare
from backprove.checking.subjects import Fault, Subject, numpy_subject
from backprove.checking.verdict import Verdict
from backprove.errors import DomainError, InputError


def check_vjp(
    fn: Callable[..., Any],
    backward: Any = None,
    *inputs: Any,
    upstream: Any = None,
    names: Sequence[str] | None = None,
    wrt: Sequence[str] | None = None,
    points: int = 3,
    step: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a backward function (a vector-Jacobian product) and name what is wrong with it.

    Args:
        fn: the forward function, ``fn(*inputs)`` returns one array. With ``backward`` left out or
            None: a JAX function (its own VJP is judged, ``custom_vjp`` included), or a PyTorch
            function, ``autograd.Function.apply`` or module with its parameters.
        backward: ``backward(g, *inputs)`` returns one gradient of the shape of each input (or of
            each input in ``wrt``), alone or as a tuple; ``g`` has the shape of the output.
        inputs: arrays; those of whole numbers, such as labels, are held fixed.
        upstream: an upstream gradient to try besides random ones, of the output's shape.
        names: a name for each input; those of the parameters of ``fn`` if left out.
        wrt: the names of the inputs whose gradients are returned; all real ones if left out.
        points: how many points to compare at: the given inputs and others of the same kind.
        step: the largest step of the central differences; chosen by the precision if left out.
        seed: the seed of the random numbers.

    Returns:
        The verdict. Functions that compute in single precision are evaluated in double precision
        where they accept it, and are never refused because of rounding.

    Raises:
        InputError: there are no inputs to differentiate, or ``fn`` does not return one array.

    Source of the measured derivatives: central differences with Richardson extrapolation (Press
    et al., Numerical Recipes, section 5.7).

    >>> import numpy as np
    >>> def forward(x, w):
    ...     return x @ w
    >>> def backward(g, x, w):
    ...     return g @ w.T, x.T @ g / len(x)
    >>> verdict = check_vjp(forward, backward, np.ones((5, 3)), np.eye(3, 2))
    >>> verdict.kind, verdict.mistake, verdict.where
    ('wrong', 'extra_factor', '1/5')
    """
    rule, values = _split(backward, inputs)
    return _check(fn, rule, values, "vjp", upstream, names, wrt, points, step, seed)


def check_jvp(
    fn: Callable[..., Any],
    jvp: Any = None,
    *inputs: Any,
    names: Sequence[str] | None = None,
    wrt: Sequence[str] | None = None,
    points: int = 3,
    step: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a Jacobian-vector product (forward mode).

    Args:
        fn: the function, ``fn(*inputs)`` returns one array.
        jvp: ``jvp(t, *inputs)`` returns the tangent of the output, of its shape; ``t`` is the
            tangent of the input, or a tuple of one for each real input. Left out or None: the
            JVP of a JAX function, ``custom_jvp`` included.
        inputs: arrays.
        names: as for :func:`check_vjp`.
        wrt: as for :func:`check_vjp`; these inputs get tangents.
        points: as for :func:`check_vjp`.
        step: as for :func:`check_vjp`.
        seed: as for :func:`check_vjp`.

    Returns:
        The verdict, as for :func:`check_vjp`.

    Raises:
        InputError: as for :func:`check_vjp`.

    >>> import numpy as np
    >>> check_jvp(np.sin, lambda t, x: -t * np.cos(x), np.array([0.3, 1.2])).mistake
    'sign'
    """
    rule, values = _split(jvp, inputs)
    return _check(fn, rule, values, "jvp", None, names, wrt, points, step, seed)


def check_grad(
    fn: Callable[..., Any],
    grad: Any = None,
    *inputs: Any,
    names: Sequence[str] | None = None,
    wrt: Sequence[str] | None = None,
    points: int = 3,
    step: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge the gradient of a function with one number as its value.

    Args:
        fn: the function, ``fn(*inputs)`` returns one number.
        grad: ``grad(*inputs)`` returns one gradient of the shape of each real input, alone or as
            a tuple. Left out or None: the gradient of a JAX or PyTorch function.
        inputs: arrays.
        names: as for :func:`check_vjp`.
        wrt: as for :func:`check_vjp`.
        points: as for :func:`check_vjp`.
        step: as for :func:`check_vjp`.
        seed: as for :func:`check_vjp`.

    Returns:
        The verdict, as for :func:`check_vjp`.

    Raises:
        InputError: as for :func:`check_vjp`, or the value of ``fn`` is not one number.

    >>> import numpy as np
    >>> check_grad(lambda w: (w**2).sum(), lambda w: 2 * w, np.array([1.0, -2.0, 0.5])).kind
    'right'
    """
    rule, values = _split(grad, inputs)
    return _check(fn, rule, values, "grad", None, names, wrt, points, step, seed)


def _split(rule: Any, inputs: Sequence[Any]) -> tuple[Callable[..., Any] | None, list[Any]]:
    """The rule, if there is one; the first input may stand in its place."""
    if rule is None or callable(rule):
        return rule, list(inputs)
    return None, [rule, *inputs]


def _is_torch(fn: Any, values: Sequence[Any]) -> bool:
    """Whether an input is a tensor, or fn belongs to PyTorch: a module, ``Function.apply``, ..."""
    kinds: list[Any] = [type(v) for v in values] + list(type(fn).__mro__)
    owner = getattr(fn, "__self__", None)
    kinds += [fn, *(owner.__mro__ if isinstance(owner, type) else type(owner).__mro__)]
    return any(str(getattr(k, "__module__", "")).split(".")[0] == "torch" for k in kinds)


def _called_as_it_is(fn: Any, values: Sequence[Any]) -> None:
    """Refuse what a user may well give and what cannot be called with the inputs.

    Raises:
        InputError: with what to give instead.
    """
    if isinstance(fn, str):
        raise InputError(
            "A function was expected, and a text was given.",
            hint="Use bp.check for claims about expressions.",
        )
    if not callable(fn):
        raise InputError(f"A function was expected, and {type(fn).__name__} was given.")
    if not values:
        raise InputError(
            "No inputs were given.", hint="Add them, as in check_vjp(forward, backward, x, w)."
        )
    if isinstance(fn, type) and any(k.__module__.split(".")[0] == "torch" for k in fn.__mro__):
        name = fn.__name__
        function = hasattr(fn, "apply") and hasattr(fn, "backward")
        raise InputError(
            f"{name} is a class, and something that can be called with the inputs was expected.",
            hint=f"Give {name}.apply." if function else f"Give an instance: {name}(...).",
        )


def _subject(
    fn: Callable[..., Any],
    rule: Callable[..., Any] | None,
    values: Sequence[Any],
    names: Sequence[str] | None,
    wrt: Sequence[str] | None,
    mode: str,
) -> Subject:
    _called_as_it_is(fn, values)
    of_torch = _is_torch(fn, values)
    if not of_torch and rule is None and "torch" in sys.modules:
        torch_functions = import_module("backprove.checking.torch_functions")
        of_torch = torch_functions.has_own_rule(fn, values)
    if of_torch:
        torch_functions = import_module("backprove.checking.torch_functions")
        return torch_functions.torch_subject(fn, rule, values, names=names, wrt=wrt, mode=mode)
    if rule is None:
        jax_functions = import_module("backprove.checking.jax_functions")
        return jax_functions.jax_subject(fn, values, names=names, wrt=wrt, mode=mode)
    return numpy_subject(fn, rule, values, names=names, wrt=wrt, mode=mode)


def _check(
    fn: Callable[..., Any],
    rule: Callable[..., Any] | None,
    values: Sequence[Any],
    mode: str,
    upstream: Any,
    names: Sequence[str] | None,
    wrt: Sequence[str] | None,
    points: int,
    step: float | None,
    seed: int,
) -> Verdict:
    subject = _subject(fn, rule, values, names, wrt, mode)
    claim = f"the {mode} of {subject.title}"
    output = _first_output(subject)
    if mode == "grad" and output.size != 1:
        raise InputError(
            f"{subject.title} returns an array of shape {output.shape}, and a gradient needs a "
            "function with one number as its value.",
            hint="Use check_vjp for functions with several outputs.",
        )
    if upstream is not None and np.shape(upstream) != output.shape:
        raise InputError(
            f"The upstream gradient has the shape {np.shape(upstream)}, and the output has the "
            f"shape {output.shape}."
        )
    try:
        setup = prepare(subject, mode, step, seed)
        seen = observe(setup, max(points, 1), upstream)
        return judge(setup, seen)
    except WrongShape as fault:
        return of_wrong_shape(claim, fault, partial(_right_gradient, subject, fault, seed, output))
    except Fault as fault:
        return of_fault(claim, fault)
    except DomainError as error:
        begin = subject.origin(subject.inputs, None)
        return Verdict("undecided", claim, f"undecided: {error}" + (f" {begin}" if begin else ""))


def _first_output(subject: Subject) -> np.ndarray:
    try:
        with np.errstate(all="ignore"):
            return subject.forward(subject.inputs)
    except InputError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        raise InputError(
            f"{subject.title} raises {type(error).__name__}{': ' + said[0] if said else ''} at the "
            "given inputs, so its derivative cannot be checked.",
        ) from error


def _right_gradient(
    subject: Subject, fault: WrongShape, seed: int, output: np.ndarray
) -> np.ndarray | None:
    """The measured gradient for the upstream gradient at which the shape was found wrong."""
    rng = np.random.default_rng(seed)
    g = rng.normal(size=output.shape)
    if np.size(fault.gradient) > 1_000_000:
        return None
    gradients = subject.pullback(g.astype(output.dtype), subject.inputs)
    fault.gradient = np.asarray(gradients[subject.judged.index(fault.which)])
    moved = coordinates(subject.inputs[fault.which].shape, rng)
    if not moved.complete:
        return None
    unit = float(np.finfo(output.dtype).eps) if output.dtype.kind == "f" else 2.0**-52
    measured = measure(subject.forward, subject.inputs, fault.which, moved, unit)
    return (g.reshape(-1) @ measured.values).reshape(moved.shape)
