r"""Left sides of claims: other ways to write a VJP, and entries that cannot be claimed alone.

``\bar{W} = \bar{Y}^\top X``, ``\frac{\partial L}{\partial W} = (\frac{\partial L}{\partial
Y})^\top X``, ``W_bar = ...`` and ``dL/dW = (dL/dY).T @ X`` name the gradient of some later scalar
by the input, in terms of its gradient by the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from backprove.errors import NotationError, Span
from backprove.notation.matrix_terms import name_latex

_LOSS = r"(?:[A-Za-z]\w*|\\mathcal\s*\{?\s*[A-Z]\s*\}?|\\ell)"
_SCRIPT = r"(_\{[^{}]*\}|_[A-Za-z]+|\[[^\[\]]*\])?"


def with_usual_names(
    claim: str, wrt: str, symbols: Collection[str], names: Callable[[str], str | None]
) -> str:
    r"""A VJP as ``dW = ...`` with ``G`` for the upstream gradient; other claims as they are.

    Args:
        claim: a claim in text or LaTeX.
        wrt: the symbol of the question.
        symbols: the declared names.
        names: the name of an upstream gradient in a right side, if it has one.

    >>> with_usual_names("dL/dW = (dL/dY).T @ X", "W", {"W", "X"}, lambda text: "G")
    'dW    = (G    ).T @ X'
    """
    left, sign, right = claim.partition("=")
    if not sign or right.startswith("="):
        return claim
    head = _head(wrt).fullmatch(left)
    if head is None:
        return claim
    lead, *scripts = head.groups()
    script = next((s for s in scripts if s), "")
    upstream = next(n for n in ("G", "G_up", "upstream_") if n not in symbols)
    for pattern in (_LATER, _BARRED):
        later = {next(name for name in m.groups()[::2] if name) for m in pattern.finditer(right)}
        if len(later) == 1 and not later & set(symbols):
            right = pattern.sub(lambda m: _padded(upstream + _script_of(m), m[0]), right)
            break
    found = names(right)
    if found is None:
        return claim
    if "_" in found:  # an underscore is read as the beginning of indices
        right = re.sub(rf"(?<!\w){found}(?!\w)", lambda m: _padded(upstream, m[0]), right)
    shown = name_latex(wrt) if "\\" in left else wrt
    return lead + _padded(f"d{shown}{script}", left[len(lead) :]) + sign + right


def with_usual_left(claim: str, order: int) -> str:
    r"""The claim with ``J`` (``H`` for ``order`` 2) for ``f'(x)`` and ``(\nabla f)_i`` on the left.

    >>> with_usual_left("f'(x) = 2*x", 1), with_usual_left(r"\nabla f_i = 2 x_i", 1)
    ('J     = 2*x', '\\,J_i      = 2 x_i')
    """
    left, sign, right = claim.partition("=")
    if not sign or right.startswith("="):
        return claim
    primed = _PRIMED.fullmatch(left)
    if primed is not None and len(primed[1].replace(r"^\prime", "'")) == order:
        return _padded("J" if order == 1 else "H", left) + sign + right
    nabla = _NABLA.fullmatch(left)
    if nabla is not None and order == 1:
        return _padded(f"J{nabla[1] or nabla[2]}", left) + sign + right
    return claim


_PRIMED = re.compile(r"\s*\\?[A-Za-z]\w*\s*('{1,2}|\^\\prime)\s*(?:(?:\\left)?\([^=]*\))?\s*")
_ENTRY = r"(_\{[^{}]*\}|_[A-Za-z])"
_GRADIENT = r"\\nabla\s*(?:_\{[^{}]*\}|_\w)?\s*[A-Za-z]"
_NABLA = re.compile(
    rf"\s*(?:{_GRADIENT}{_ENTRY}|(?:\\left)?[(\[]\s*{_GRADIENT}\s*(?:\\right)?[)\]]\s*{_ENTRY})\s*"
)


def refuse_single_entry(claim: str, wrt: str, symbols: Collection[str]) -> None:
    r"""Fail for a claim about one entry, such as ``\partial s_1/\partial z_2 = ...``.

    Raises:
        NotationError: the denominator is an entry of ``wrt`` and no symbol of its own.
    """
    left, sign, _ = claim.partition("=")
    entry = re.search(rf"(?:\\partial|d|∂)\s*{re.escape(wrt)}_?\{{?(\d+)\}}?\s*\}}?\s*$", left)
    if not sign or entry is None or {f"{wrt}{entry[1]}", f"{wrt}_{entry[1]}"} & set(symbols):
        return
    raise NotationError(
        "one entry of a derivative cannot be claimed alone",
        text=claim,
        span=Span(*entry.span()),
        hint="Claim all entries, with letters for their numbers, as in J[i,j] = ...",
    )


def _script_of(found: re.Match[str]) -> str:
    return next((script for script in found.groups()[1::2] if script), "")


def _padded(text: str, original: str) -> str:
    # What was LaTeX stays LaTeX.
    mark = r"\," if "\\" in original and len(text) + 2 <= len(original) else ""
    return mark + text.ljust(len(original) - len(mark))


_LATER = re.compile(
    rf"\\[dt]?frac\s*\{{\s*(?:\\partial|d)\s*{_LOSS}\s*\}}"
    rf"\s*\{{\s*(?:\\partial|d)\s*([A-Za-z]\w*?){_SCRIPT}\s*\}}"
    rf"|(?<![\w.])[d∂]{_LOSS}\s*/\s*[d∂]([A-Za-z][A-Za-z0-9]*){_SCRIPT}"
    rf"|\\nabla_\{{?\s*([A-Za-z]\w*)\s*\}}?\s*{_LOSS}()"
)
"""The gradient of a later scalar by some name, with the name's subscript."""

_BARRED = re.compile(
    r"\\(?:bar|overline)\s*\{?\s*([A-Za-z]\w*)\s*\}?()|(?<!\w)([A-Za-z])_bar()(?!\w)"
)
"""The same, written with a bar."""


def _head(wrt: str) -> re.Pattern[str]:
    """A left side that is the gradient of a later scalar by ``wrt``."""
    numbered = re.fullmatch(r"([A-Za-z]+)_?(\d+)", wrt)
    latex = rf"{numbered[1]}_\{{?{numbered[2]}\}}?" if numbered else re.escape(name_latex(wrt))
    name = f"(?:{re.escape(wrt)}|{latex})"
    heads = (
        rf"\\(?:bar|overline)\s*(?:\{{\s*{name}\s*\}}|{name}){_SCRIPT}",
        rf"\\[dt]?frac\s*\{{\s*(?:\\partial|d)\s*{_LOSS}\s*\}}"
        rf"\s*\{{\s*(?:\\partial|d)\s*{name}{_SCRIPT}\s*\}}",
        rf"\\nabla_\s*(?:\{{\s*{name}\s*\}}|{name})\s*{_LOSS}",
        rf"[d∂]{_LOSS}\s*/\s*[d∂]\s*{name}{_SCRIPT}",
        rf"{re.escape(wrt)}_(?:bar|grad)",
        rf"grad_{re.escape(wrt)}",
    )
    return re.compile(rf"(\s*\$*\s*)(?:{'|'.join(heads)})\s*")
