"""How Sphinx builds these pages; ``make docs`` does, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import backprove

project = "backprove"
author = "the authors of backprove"
version = release = backprove.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "backprove.app.sphinx_extension",
    "generated",
    "console",
]
exclude_patterns = ["_build", "examples", "extensions"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
# Fields of results have short names that several of them share, such as bytes.
suppress_warnings = ["ref.python"]

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "backprove"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
html_static_path: list[str] = []
# Browsers render MathML; nothing is loaded from a network.
html_math_renderer = "mathml"
