project = "Notes"
extensions = ["myst_parser", "backprove.app.sphinx_extension"]
html_math_renderer = "mathml"
