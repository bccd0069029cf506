"""The page about the language names every function that the parser knows, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from backprove.notation import supported_functions
from backprove.notation.expressions import DOMAINS

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


def test_every_supported_function_is_on_the_page() -> None:
    words = set(re.findall(r"[A-Za-z_]\w*", PAGE))
    assert [name for name in supported_functions() if name not in words] == []


def test_every_domain_is_on_the_page() -> None:
    assert [name for name in DOMAINS if f"`{name}`" not in PAGE] == []
