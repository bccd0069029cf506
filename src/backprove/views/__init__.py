"""Results as plain text, HTML, LaTeX and Markdown, and whole worksheets as one HTML page.

Every result describes itself as neutral blocks (:mod:`backprove.results`). Each view holds one
renderer per block type and knows no mathematics; a new block type needs one function in each
view, and a missing one fails loudly.

====================  =========================================================
module                what it gives
====================  =========================================================
``text``              ``render(blocks)``: 80 columns for a terminal
``html``              ``fragment(blocks)``: HTML with MathML and SVG;
                      ``notebook(blocks)``: the same with its style sheet
``latex``             ``render(blocks)``: LaTeX for a paper
``markdown``          ``render(blocks)``: Markdown with ``$math$``
``report``            ``page(report)``: one HTML file that opens offline
====================  =========================================================

The package is not imported by ``import backprove``; the top-level package loads a view when a
result is first shown.
"""
