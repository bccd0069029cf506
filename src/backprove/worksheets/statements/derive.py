"""``derive`` and ``hessian``: derivatives of an expression with respect to symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, ClassVar

from backprove.results import Block, Heading
from backprove.worksheets.reading import choice_of, name_of, split_list, split_options
from backprove.worksheets.session import Reproduction, Session, Subject, Verdict
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement
from backprove.worksheets.statements.declare import LAYOUTS


@statement("derive", "derive EXPRESSION wrt NAME[, NAME...] [layout numerator|denominator]")
@dataclass(frozen=True)
class Derive(Statement):
    """Asks for derivatives.

    Args:
        function: the expression.
        wrt: the symbols to differentiate by, one derivative each.
        layout: which of output and input comes first in the shape; the worksheet's if it is None.
    """

    function: Piece
    wrt: tuple[Piece, ...]
    layout: str | None

    order: ClassVar[int] = 1

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

    def prepare(self, session: Session) -> None:
        session.subject = DerivedSubject(self, session.text(self.function), self.layout_in(session))

    def run(self, session: Session) -> Answer:
        blocks: list[Block] = []
        results: list[dict[str, Any]] = []
        for name in self.wrt:
            with session.locating(self.function, name):
                result = session.engine.derive(
                    *self._asked(session, name), **self._options(session, name)
                )
            if len(self.wrt) > 1:
                blocks.append(Heading(f"With respect to {name.text}"))
            blocks.extend(result.blocks())
            results.append(result.to_dict())
        data = results[0] if len(results) == 1 else {"kind": "derivations", "results": results}
        return Answer(blocks, data)

    def key(self, session: Session) -> Any:
        return ["derive", *([self._asked(session, n), self._options(session, n)] for n in self.wrt)]

    def reproduction(self, session: Session) -> Reproduction:
        asked = [(self._asked(session, n), self._options(session, n)) for n in self.wrt]
        return Reproduction(
            "\n".join(derive_command("derive", *each) for each in asked),
            "\n".join(derive_python("derive", *each) for each in asked),
        )

    def layout_in(self, session: Session) -> str | None:
        """The layout that holds for this statement."""
        return self.layout or session.layout

    def _asked(self, session: Session, name: Piece) -> tuple[str, str, dict[str, str]]:
        return session.text(self.function), name.text, session.shapes(self.function, name)

    def _options(self, session: Session, name: Piece) -> dict[str, Any]:
        options: dict[str, Any] = {"domain": session.domains(self.function, name)}
        if self.order != 1:
            options["order"] = self.order
        if layout := self.layout_in(session):
            options["layout"] = layout
        return options


@statement("hessian", "hessian EXPRESSION wrt NAME[, NAME...] [layout numerator|denominator]")
class Hessian(Derive):
    """Asks for second derivatives."""

    order: ClassVar[int] = 2


def layout_option(options: dict[str, Piece]) -> str | None:
    """The layout that an option names, if there is one."""
    return choice_of(options["layout"], "a layout", LAYOUTS) if "layout" in options else None


def derive_command(command: str, asked: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """``backprove derive`` or ``check`` for what a statement asks.

    >>> derive_command("derive", ("x**2", "x", {"x": "n"}), {"domain": None})
    "backprove derive 'x**2' --wrt x --shape x=n"
    """
    function, wrt, *claim, shapes = asked
    said = [quote(text) for text in (function, *claim)]
    # A text that begins with a minus would be read as an option, such as -h*x.
    dashed = any(text.startswith("-") for text in (function, *claim))
    words = ["backprove", command, *([] if dashed else said), "--wrt", wrt]
    for name, shape in shapes.items():
        words += ["--shape", quote(f"{name}={shape}")]
    for name, domain in (options.get("domain") or {}).items():
        words += ["--domain", quote(f"{name}={domain}")]
    for option in ("order", "layout"):
        if options.get(option):
            words += [f"--{option}", str(options[option])]
    return " ".join([*words, *(["--", *said] if dashed else [])])


def derive_python(command: str, asked: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """``bp.derive`` or ``bp.check`` for what a statement asks.

    >>> derive_python("derive", ("x**2", "x", {"x": "n"}), {"domain": None, "order": 2})
    "bp.derive('x**2', 'x', {'x': 'n'}, order=2)"
    """
    words = [repr(each) for each in asked]
    words += [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"bp.{command}({', '.join(words)})"


@dataclass(frozen=True)
class DerivedSubject(Subject):
    """Claims about a derivative.

    Args:
        statement: the one that derives.
        function: the expression, with the names in it written out as they were defined then.
        layout: the layout that held for the statement.
    """

    statement: Derive
    function: str
    layout: str | None

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        wrt = self._symbol(claim, options.get("wrt"))
        asked, named = self._asked(claim, session, options)
        with session.locating(claim, self.statement.function, wrt):
            return session.engine.check(*asked, **named)

    def key(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Any:
        return ["check", *self._asked(claim, session, options)]

    def reproduction(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> Reproduction:
        (function, wrt, said, shapes), named = self._asked(claim, session, options)
        return Reproduction(
            derive_command("check", (function, wrt, said, shapes), named),
            derive_python("check", (function, wrt, said, shapes), named),
        )

    def _asked(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        wrt = self._symbol(claim, options.get("wrt"))
        asked = (
            self.function,
            wrt.text,
            session.text(claim),
            session.shapes(self.function, wrt, claim),
        )
        named: dict[str, Any] = {
            "layout": layout_option(options) or self.layout,
            "domain": session.domains(self.function, wrt, claim),
        }
        return asked, named | ({"order": 2} if self.statement.order == 2 else {})

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
