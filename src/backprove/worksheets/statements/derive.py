"""``derive``: the derivative of an expression with respect to symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backprove.results import Block, Heading
from backprove.worksheets.reading import choice_of, name_of, split_list, split_options
from backprove.worksheets.session import Session, Subject, Verdict
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement

LAYOUTS = ("numerator", "denominator")


@statement("derive", "derive EXPRESSION wrt NAME[, NAME...] [layout numerator|denominator]")
@dataclass(frozen=True)
class Derive(Statement):
    """Asks for derivatives.

    Args:
        function: the expression.
        wrt: the symbols to differentiate by, one derivative each.
        layout: which of output and input comes first in the shape; the default if it is None.
    """

    function: Piece
    wrt: tuple[Piece, ...]
    layout: str | None

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Derive:
        function, options = split_options(rest, ["wrt", "layout"])
        if not function.text:
            raise piece.error("the expression is missing", f"Usage: {cls.usage}")
        if "wrt" not in options:
            raise function.error(
                "a symbol to differentiate by is missing", f"Add it: {rest.text[:60]} wrt NAME"
            )
        names = tuple(split_list(options["wrt"]))
        for name in names:
            name_of(name, "a symbol")
        return cls(piece, function, names, layout_option(options))

    def run(self, session: Session) -> Answer:
        blocks: list[Block] = []
        results: list[dict[str, Any]] = []
        layout = {"layout": self.layout} if self.layout else {}
        for name in self.wrt:
            with session.locating(self.function, name):
                result = session.engine.derive(
                    self.function.text,
                    name.text,
                    session.shapes(self.function, name),
                    domain=session.domains(self.function, name),
                    **layout,
                )
            if len(self.wrt) > 1:
                blocks.append(Heading(f"With respect to {name.text}"))
            blocks.extend(result.blocks())
            results.append(result.to_dict())
        session.subject = DerivedSubject(self)
        data = results[0] if len(results) == 1 else {"kind": "derivations", "results": results}
        return Answer(blocks, data)


def layout_option(options: dict[str, Piece]) -> str | None:
    """The layout that an option names, if there is one."""
    return choice_of(options["layout"], "a layout", LAYOUTS) if "layout" in options else None


@dataclass(frozen=True)
class DerivedSubject(Subject):
    """Claims about a derivative."""

    statement: Derive

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        wrt = self._symbol(claim, options.get("wrt"))
        function = self.statement.function
        with session.locating(claim, function, wrt):
            return session.engine.check(
                function.text,
                wrt.text,
                claim.text,
                session.shapes(function, wrt, claim),
                layout=layout_option(options) or self.statement.layout,
                domain=session.domains(function, wrt, claim),
            )

    def _symbol(self, claim: Piece, named: Piece | None) -> Piece:
        known = {piece.text: piece for piece in self.statement.wrt}
        if named is not None:
            if named.text not in known:
                raise named.error(
                    f"line {self.statement.piece.line} does not derive with respect to "
                    f"'{named.text[:40]}'",
                    f"It derives with respect to {', '.join(known)}.",
                )
            return known[named.text]
        if len(known) > 1:
            raise claim.error(
                f"line {self.statement.piece.line} derives with respect to {', '.join(known)}; "
                "which of them the claim is about is not said",
                f"Add 'wrt {next(iter(known))}' to the claim.",
            )
        return self.statement.wrt[0]
