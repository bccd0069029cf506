"""PyTorch functions, autograd functions and modules as subjects (extra ``torch``).

This file is imported only when one is checked, so that PyTorch is not loaded before.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from backprove.checking.nonfinite import advice_on
from backprove.checking.subjects import (
    Fault,
    Subject,
    as_array,
    call,
    collected,
    input_names,
    is_real,
    judged_inputs,
)
from backprove.errors import InputError


def torch_subject(
    fn: Callable[..., Any],
    rule: Callable[..., Any] | None,
    inputs: Sequence[Any],
    *,
    names: Sequence[str] | None,
    wrt: Sequence[str] | None,
    mode: str,
) -> Subject:
    """The subject for a PyTorch function; the parameters of a module are inputs as well.

    Args:
        fn: a function of tensors, ``autograd.Function.apply`` or a module.
        rule: ``backward(g, *inputs)`` on tensors; None for autograd's own gradient.
        inputs: tensors or arrays.
        names: a name for each input of ``fn``; parameters have their own.
        wrt: which inputs and parameters to judge; if left out, the inputs that require a gradient
            (all real ones if none does) and all parameters. What is no tensor or array is passed
            on as it is; a number of Python named here is judged.
        mode: ``vjp`` or ``grad``.

    Raises:
        InputError: ``mode`` is ``jvp``, or the inputs do not fit.
    """
    if mode == "jvp":
        raise InputError("PyTorch functions are checked in reverse mode; use check_vjp.")
    target = fn
    if isinstance(getattr(fn, "__self__", None), type) and hasattr(fn.__self__, "forward"):
        target = fn.__self__.forward  # its signature names the inputs after the context
    count = len(inputs)
    called = _names(target, count, names)
    fixed = {
        k: v for k, (n, v) in enumerate(zip(called, inputs, strict=True)) if _is_fixed(n, v, wrt)
    }
    plain = [np.array(0) if k in fixed else _as_numpy(v) for k, v in enumerate(inputs)]
    parameters: dict[str, Any] = {}
    if isinstance(fn, torch.nn.Module):
        parameters = {n: p for n, p in fn.named_parameters() if p.requires_grad}
    arrays = plain + [_as_numpy(p) for p in parameters.values()]
    called = called + list(parameters)
    marked = [n for n, v in zip(called, inputs, strict=False) if getattr(v, "requires_grad", False)]
    if wrt is None and rule is None and marked:
        wrt = [*marked, *parameters]
    judged = judged_inputs(called, arrays, wrt)

    def with_fixed(tensors: Sequence[Any]) -> list[Any]:
        return [fixed.get(k, t) for k, t in enumerate(tensors)]

    def evaluate(given: Sequence[Any]) -> Any:
        tensors = with_fixed(given)
        if not isinstance(fn, torch.nn.Module):
            return fn(*tensors)
        state = dict(zip(parameters, tensors[count:], strict=True))
        kept = {n: _like(b.detach().clone(), given) for n, b in fn.named_buffers()}
        return torch.func.functional_call(fn, {**kept, **state}, tuple(tensors[:count]))

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        with _one_thread(), torch.no_grad():
            return as_array(_as_numpy(evaluate([_tensor(v) for v in values])))

    def pullback(g: np.ndarray, values: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        tensors = [_tensor(v) for v in values]
        seed = torch.from_numpy(np.array(g))
        rule_name = "backward"
        if rule is not None:
            given = call(
                rule, [*([] if mode == "grad" else [seed]), *with_fixed(tensors)], rule_name
            )
            parts = list(given) if isinstance(given, (tuple, list)) else [given]
            _unchanged(tensors, values, called)
            return collected(
                [None if p is None else _as_numpy(p) for p in parts],
                values,
                judged,
                called,
                rule_name,
            )
        for k in judged:
            tensors[k].requires_grad_(True)

        def run() -> Any:
            output = evaluate([t.clone() if k in judged else t for k, t in enumerate(tensors)])
            if not output.requires_grad:
                return [None] * len(judged)
            wanted = [tensors[k] for k in judged]
            seeded = seed.to(output.dtype).reshape(output.shape)
            return torch.autograd.grad(output, wanted, seeded, allow_unused=True)

        with _one_thread():
            parts = call(run, [], rule_name)
        gradients = [None if p is None else _as_numpy(p) for p in parts]
        _unchanged(tensors, values, called)
        chosen = [values[k] for k in judged]
        called_here = [called[k] for k in judged]
        return collected(gradients, chosen, range(len(judged)), called_here, rule_name)

    def pushforward(tangents: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
        raise InputError("PyTorch functions are checked in reverse mode; use check_vjp.")

    def origin(values: Sequence[np.ndarray], g: np.ndarray | None) -> str:
        if g is None or rule is not None:
            return ""
        tensors = [_tensor(v) for v in values]
        for k in judged:
            tensors[k].requires_grad_(True)
        return _first_nan(lambda: evaluate(tensors), [tensors[k] for k in judged], g)

    owner = getattr(fn, "__self__", None)
    title = owner.__name__ if isinstance(owner, type) else getattr(fn, "__name__", "")
    title = title or type(fn).__name__
    subject = Subject(title, called, arrays, judged, forward, pullback, pushforward)
    subject.missing_is_zero = rule is None  # autograd takes None for zero
    subject.origin = origin
    return subject


def has_own_rule(fn: Callable[..., Any], inputs: Sequence[Any]) -> bool:
    """Whether a function, given tensors, goes through an ``autograd.Function`` of a user.

    Such a function may run on other arrays as well, and then its rule would not be looked at.
    """
    try:
        tensors = [_tensor(np.array(v)) for v in inputs]
        for tensor in tensors:
            tensor.requires_grad_(tensor.is_floating_point())
        level = [fn(*tensors).grad_fn]
    except Exception:  # no function of tensors
        return False
    seen: set[Any] = set()
    while level:
        node = level.pop()
        if node is None or node in seen:
            continue
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            return True
        seen.add(node)
        level += [parent for parent, _ in node.next_functions]
    return False


def _first_nan(run: Callable[[], Any], wanted: Sequence[Any], g: np.ndarray) -> str:
    """Which operation of the forward pass has a backward that gives NaN; autograd tells."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly():
                output = run()
                seed = torch.from_numpy(np.array(g)).to(output.dtype).reshape(output.shape)
                torch.autograd.grad(output, wanted, seed, allow_unused=True)
        except Exception as error:  # an explanation only: the verdict stands without it
            found = re.search(r"'(\w+?)Backward\d*' returned nan", str(error))
            if not found:
                return ""
            operation = re.sub(r"^linalg_?(vector_?)?", "", found.group(1).lower())
            text = " ".join(str(w.message) for w in heard)
            lines = re.findall(r'File "([^"]+)", line (\d+)', text)
            own = [f for f in lines if not re.search(r"[\\/](torch|backprove)[\\/]", f[0])]
            place = f" ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else ""
            said = f"The nan begins in the backward of `{operation}`{place}."
            return f"{said} {advice_on(operation)}".strip()
    return ""


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread: the many tiny calls of a check lose far more by waiting for others."""
    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads > 1:
            torch.set_num_threads(threads)


def _names(target: Callable[..., Any], count: int, names: Sequence[str] | None) -> list[str]:
    if names is not None:
        return input_names(target, count, names)
    found = input_names(target, count + 1, None) if count else []
    if found and found[0] in ("ctx", "context"):
        return found[1:]
    return input_names(target, count, None)


def _is_fixed(name: str, value: Any, wrt: Sequence[str] | None) -> bool:
    """Whether an input reaches the function as it is: what is no tensor has no gradient there."""
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return False
    return not (isinstance(value, (int, float)) and wrt is not None and name in wrt)


def _tensor(value: np.ndarray) -> Any:
    return torch.from_numpy(np.array(value))


def _as_numpy(value: Any) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        return as_array(value)
    value = value.detach().cpu()
    if value.dtype == torch.bfloat16:
        value = value.float()
    return np.array(value.numpy())


def _like(buffer: Any, tensors: Sequence[Any]) -> Any:
    """A buffer in the precision of the inputs."""
    real = [t for t in tensors if t.is_floating_point()]
    return buffer.to(real[0].dtype) if buffer.is_floating_point() and real else buffer


def _unchanged(tensors: Sequence[Any], values: Sequence[np.ndarray], names: Sequence[str]) -> None:
    for name, tensor, value in zip(names, tensors, values, strict=True):
        if not np.array_equal(tensor.detach().numpy(), value, equal_nan=is_real(value)):
            raise Fault(
                f"backward changes its input {name} in place; what runs later sees the changed "
                "values.",
                f"changes the input {name}",
            )
