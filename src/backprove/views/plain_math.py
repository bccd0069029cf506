r"""LaTeX as readable plain text: ``\partial f / \partial W_{ij}`` becomes ``∂f/∂W_ij``.

Only for the inline mathematics of prose; displayed formulas bring their own plain text. A command
that is not known keeps its name, so nothing is dropped.
"""

from __future__ import annotations

import re

from backprove.views.inline import pieces

SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "partial": "∂", "nabla": "∇", "infty": "∞", "ell": "ℓ", "top": "ᵀ", "prime": "′",
    "cdot": "·", "times": "×", "odot": "⊙", "oslash": "⊘", "otimes": "⊗", "oplus": "⊕", "circ": "∘",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈",
    "equiv": "≡", "in": "∈", "notin": "∉", "to": "→", "rightarrow": "→", "mapsto": "↦",
    "Rightarrow": "⇒", "sum": "Σ", "prod": "Π", "int": "∫", "pm": "±", "forall": "∀",
    "exists": "∃", "ldots": "…", "cdots": "…", "dots": "…", "langle": "⟨", "rangle": "⟩",
    "lVert": "‖", "rVert": "‖", "Vert": "‖", "lvert": "|", "rvert": "|", "vert": "|",
    "lfloor": "⌊", "rfloor": "⌋", "mid": "|", "quad": "  ", "qquad": "  ",
}  # fmt: skip
_DROPPED = {"left", "right", "bigl", "bigr", "big", "Big", "displaystyle", "limits", "mathord"}
_WRAPPERS = {
    "mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathcal", "mathbb", "boldsymbol", "text",
    "textbf", "textit", "texttt", "operatorname", "mathop", "overline", "underline",
}  # fmt: skip
_ACCENTS = {
    "bar": "\N{COMBINING MACRON}", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}",
    "tilde": "\N{COMBINING TILDE}", "dot": "\N{COMBINING DOT ABOVE}",
    "vec": "\N{COMBINING RIGHT ARROW ABOVE}",
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("0123456789+-nT⊤ᵀ′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀᵀᵀ′", strict=True))
_TOKEN = re.compile(r"\\[A-Za-z]+\*?\s*|\\.|\s+|[{}^_]|[^\\{}^_\s]", re.DOTALL)
_OPENING = {
    "lVert",
    "lvert",
    "langle",
    "lfloor",
    "partial",
    "nabla",
}  # the blank after only ends the name
_SPACED = set("×⊙⊘⊗⊕∘≤≥≠≈≡∈∉→↦⇒±")
_CLOSING = {"rVert", "rvert", "rangle", "rfloor"}
_CLOSER = "\0"  # stands before a closing bracket until the blanks before it are removed
_MAX_DEPTH = 40


def plain_math(latex: str) -> str:
    r"""LaTeX as one line of plain text.

    >>> plain_math(r"\frac{\partial f_{ij}}{\partial W_{kl}} = X_{il}\,[j=k]")
    '∂f_ij/∂W_kl = X_il [j=k]'
    >>> plain_math(r"\lVert w \rVert^2 = w^\top w"), plain_math(r"\sum_{p=1}^{d} e^{-z_p}")
    ('‖w‖² = wᵀ w', 'Σ_(p=1)^d e^(-z_p)')
    """
    text, _ = _Reader(_TOKEN.findall(latex.replace(_CLOSER, ""))).read(0, 0)
    return re.sub(r"\s+", " ", re.sub(rf"\s*{_CLOSER}", "", text)).strip()


def plain_prose(text: str) -> str:
    r"""Prose whose $mathematics$ is plain text; backticks stay, they set code apart.

    >>> plain_prose(r"the index `i` of $X_{il}\,[j=k]$")
    'the index `i` of X_il [j=k]'
    """
    written = {"math": plain_math, "code": "`{}`".format, "words": str}
    return "".join(written[piece.kind](piece.text) for piece in pieces(text))


class _Reader:
    """Reads a token list once, left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def read(self, position: int, depth: int) -> tuple[str, int]:
        """Everything up to the closing brace or the end, and where reading stopped."""
        parts: list[str] = []
        while position < len(self.tokens) and self.tokens[position] != "}":
            text, position = self._one(position, depth)
            parts.append(text)
        return "".join(parts), position

    def _one(self, position: int, depth: int) -> tuple[str, int]:
        if position >= len(self.tokens):
            return "", position
        token = self.tokens[position]
        if token == "{" and depth < _MAX_DEPTH:
            inner, end = self.read(position + 1, depth + 1)
            return inner, end + 1
        if token in "^_":
            inner, end = self._argument(position + 1, depth)
            return _script(token, inner), end
        if token.startswith("\\"):
            return self._command(position, depth)
        return (" " if token.isspace() else token), position + 1

    def _argument(self, position: int, depth: int) -> tuple[str, int]:
        while position < len(self.tokens) and self.tokens[position].isspace():
            position += 1
        if depth >= _MAX_DEPTH and position < len(self.tokens):
            return self.tokens[position], position + 1
        return self._one(position, depth + 1)

    def _command(self, position: int, depth: int) -> tuple[str, int]:
        spaced = self.tokens[position][1:]
        name = spaced.rstrip().rstrip("*")
        gap = " " if spaced != spaced.rstrip() else ""
        if name in ("frac", "dfrac", "tfrac"):
            above, middle = self._argument(position + 1, depth)
            below, end = self._argument(middle, depth)
            return f"{_grouped(above)}/{_grouped(below)}", end
        if name == "sqrt":
            inner, end = self._argument(position + 1, depth)
            return f"√{_grouped(inner)}", end
        if name in _ACCENTS:
            inner, end = self._argument(position + 1, depth)
            return f"{inner}{_ACCENTS[name]}", end
        if name in _WRAPPERS:
            return self._argument(position + 1, depth)
        if name in SYMBOLS:
            if SYMBOLS[name] in _SPACED:
                return f" {SYMBOLS[name]} ", position + 1
            opened = "" if name in _OPENING else gap
            closer = _CLOSER if name in _CLOSING else ""
            return closer + SYMBOLS[name] + opened, position + 1
        return self._sign(name, gap), position + 1

    def _sign(self, name: str, gap: str) -> str:
        if name in _DROPPED or name == "!":
            return ""
        if not name or name in ",;: ":
            return " "
        if name == "|":
            return "‖"
        return name + gap


def _grouped(text: str) -> str:
    """Brackets around what would be torn apart beside a fraction bar."""
    text = text.strip()
    return f"({text})" if re.search(r"[\s+\-/·×]", text.strip("-")) else text


def _script(mark: str, inner: str) -> str:
    gap = " " if inner != inner.rstrip() else ""
    inner = inner.strip()
    if mark == "^" and inner and all(c in _SUPERSCRIPTS for c in inner):
        return "".join(_SUPERSCRIPTS[c] for c in inner) + gap
    return mark + (inner if re.fullmatch(r"\w*", inner) else f"({inner})") + gap
