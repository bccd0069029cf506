"""Arguments of the commands that are small languages of their own, read as worksheets read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from typer.core import TyperCommand

from backprove.errors import NotationError, Span
from backprove.results import VerdictKind

if TYPE_CHECKING:
    import click


class WithExpressions(TyperCommand):
    """A command whose arguments may begin with a minus.

    In ``backprove derive "-log(p)"`` the argument is no row of short flags, one of which is
    ``-o``: a short flag stands alone.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {flag for parameter in self.get_params(ctx) for flag in parameter.opts}
        # A blank in front keeps the parser of flags away.
        hidden = [w if w in known else re.sub(r"^-(?=[^-])", " -", w) for w in args]
        rest = super().parse_args(ctx, hidden)
        ctx.params = {name: _without_blank(value) for name, value in ctx.params.items()}
        return [_without_blank(word) for word in rest]


def _without_blank(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_without_blank, value))
    return re.sub(r"^ (?=-)", "", value) if isinstance(value, str) else value


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """``X=n,d`` and the like, once for each symbol; the shape of a scalar may be left empty.

    Raises:
        NotationError: one of them has no ``=``, or a symbol is given twice.

    >>> pairs("--shape", ["X=n,d", "c=scalar"])
    {'X': 'n,d', 'c': 'scalar'}
    """
    found: dict[str, str] = {}
    for text in given or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        empty = not value and option != "--shape"
        if not equals or not name.isidentifier() or empty:
            raise NotationError(
                f"{option} expects NAME=VALUE",
                text=text,
                span=Span(0, len(text)),
                hint="For example --shape X=n,d or --domain y=onehot.",
            )
        if name in found:
            raise NotationError(
                f"{option} is given twice for '{name}'", text=text, span=Span(0, len(name))
            )
        found[name] = value
    return found


def values_of(text: str) -> dict[str, Any]:
    """``x=1, y=[2, 3]`` as numbers and lists by name."""
    from backprove.worksheets.reading import assignments, number_or_list
    from backprove.worksheets.source import Piece

    found = assignments(Piece.of(text))
    return {name: number_or_list(value) for name, (_, value) in found.items()}


def weights_of(text: str) -> dict[str, Any]:
    """``W1=[[1, 1/2]], b1=0`` as exact numbers and lists by name."""
    from backprove.worksheets.facts import exact_numbers
    from backprove.worksheets.reading import assignments
    from backprove.worksheets.source import Piece

    found = assignments(Piece.of(text))
    return {name: exact_numbers(value, value.text) for name, (_, value) in found.items()}


def settings_of(text: str) -> dict[str, Any]:
    """``hidden=none,512 lr=0.01`` as the settings of a study."""
    from backprove.worksheets.source import Piece
    from backprove.worksheets.statements.study import read_settings

    return read_settings(Piece.of(text))[0]


def verdict_of(text: str) -> str:
    """The verdict that a word names."""
    word = text.replace("-", "_").replace(" ", "_")
    if word not in get_args(VerdictKind):
        raise NotationError(
            f"'{text[:40]}' is not a verdict",
            text=text,
            span=Span(0, len(text)),
            hint=f"One of: {', '.join(get_args(VerdictKind))}.",
        )
    return word
