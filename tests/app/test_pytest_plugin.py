"""The pytest plugin: assertions whose failure is the verdict, and claims of files as tests."""

from __future__ import annotations

import subprocess
import sys

import numpy  # noqa: F401  (loaded once a process, so before pytester puts modules back)
import pytest

pytest_plugins = ["pytester"]

WORKSHEET = """# Sums
```backprove
let x: n
derive sum(x**2) wrt x
claim 2*x
claim 3*x
claim 5*x expect wrong
```
"""

KERNEL = '''"""Kernels.

```backprove
let z: n
derive sum(exp(z)) wrt z
claim exp(z)
```
"""

import a_library_that_is_not_installed


class Layer:
    def backward(self, x):
        """The gradient.

        ```backprove
        let x: n
        derive sum(x**2) wrt x
        claim x
        ```
        """
'''


@pytest.fixture
def run(pytester: pytest.Pytester, request: pytest.FixtureRequest):
    """Run pytest in the folder of the test, with the plugin once, installed or not."""
    installed = request.config.pluginmanager.has_plugin("backprove")
    plugin = () if installed else ("-p", "backprove.app.pytest_plugin")

    def started(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*plugin, *arguments)

    return started


def test_a_failing_assertion_shows_the_verdict(pytester: pytest.Pytester, run) -> None:
    pytester.makepyfile(
        """
        import numpy as np

        def test_right(backprove):
            backprove.assert_vjp(np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), np.ones(3))

        def test_wrong_vjp(backprove):
            backprove.assert_vjp(np.sin, lambda g, x: -g * np.cos(x), np.ones(3))

        def test_wrong_jvp(backprove):
            backprove.assert_jvp(np.sin, lambda t, x: -t * np.cos(x), np.ones(3))

        def test_wrong_grad(backprove):
            backprove.assert_grad(lambda x: (x**2).sum(), lambda x: x, np.ones(3))

        def test_wrong_claim(backprove):
            backprove.assert_claim("sum(x**2)", "x", "3*x", {"x": "n"})

        def test_right_claim(backprove):
            assert backprove.assert_claim("sum(x**2)", "x", "2*x", {"x": "n"}).level == "proved"
        """
    )
    result = run()
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines(["*its sign is wrong*", "*counterexample*"])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_failing_assertion_has_file_and_line(pytester: pytest.Pytester, run) -> None:
    body = "import numpy as np\n\ndef helper(backprove, factor):\n"
    body += "    backprove.assert_vjp(np.sin, lambda g, x: factor * g * np.cos(x), np.ones(3))\n\n"
    body += "def test_it(backprove):\n    helper(backprove, 1)\n    helper(backprove, 3)\n"
    pytester.makepyfile(test_places=body)
    result = run("test_places.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_places.py:8: in test_it", "test_places.py:4: Failed"])


def test_every_claim_of_a_worksheet_is_a_test(pytester: pytest.Pytester, run) -> None:
    pytester.makefile(".md", sums=WORKSHEET)
    result = run("--backprove", "sums.md", "-v")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "sums.md::line 5: 2[*]x PASSED*",
            "sums.md::line 6: 3[*]x FAILED*",
            "sums.md::line 7: 5[*]x PASSED*",
            "*sums.md:6: the verdict is 'wrong'; expected 'right'.",
            "*counterexample*",
        ]
    )
    assert run("--backprove", "sums.md::line 6: 3*x").ret == 1
    assert run("--backprove", "sums.md::line 7: 5*x").ret == 0


def test_without_the_option_nothing_is_collected(pytester: pytest.Pytester, run) -> None:
    pytester.makefile(".md", sums=WORKSHEET)
    pytester.makepyfile("def test_one(): pass")
    run().assert_outcomes(passed=1)
    run("--backprove").assert_outcomes(passed=3, failed=1)


def test_a_plain_markdown_file_has_no_claims(pytester: pytest.Pytester, run) -> None:
    shown = f"````markdown\n{WORKSHEET}````\n"
    pytester.makefile(".md", plain="# Notes\n```python\n1 + 1\n```\n", sums=WORKSHEET, doc=shown)
    run("--backprove", ".").assert_outcomes(passed=2, failed=1)
    run("--backprove", "doc.md", "plain.md", "sums.md").assert_outcomes(passed=2, failed=1)


def test_claims_in_docstrings_are_collected_without_an_import(
    pytester: pytest.Pytester, run
) -> None:
    pytester.makepyfile(kernel=KERNEL)
    result = run("--backprove", "kernel.py", "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "kernel.py::line 6: exp(z) PASSED*",
            "kernel.py::Layer.backward line 20: x FAILED*",
            "*kernel.py:20: the verdict is 'wrong'*",
        ]
    )


def test_tests_beside_docstrings_still_run(pytester: pytest.Pytester, run) -> None:
    body = KERNEL.replace("import a_library_that_is_not_installed", "def test_it(): pass")
    pytester.makepyfile(test_kernel=body)
    run("--backprove", "test_kernel.py").assert_outcomes(passed=2, failed=1)


def test_a_claim_below_a_line_that_fails_is_never_judged(pytester: pytest.Pytester, run) -> None:
    text = WORKSHEET.replace("claim 3*x", "graph x**2\nclaim 2*x")
    pytester.makefile(".md", sums=text)
    result = run("--backprove", "sums.md")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*not judged, because line 6 fails*"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WORKSHEET.replace("claim 3*x", "clain 3*x"), "*Is 'claim' meant*"),
        (WORKSHEET.replace("```backprove", "```backprov"), "*is 'backprove' meant*"),
        (WORKSHEET.replace("claim 3*x", "claim 3*("), "*sums.md:6:*error*"),
    ],
)
def test_what_cannot_be_read_fails_with_its_place(
    text: str, said: str, pytester: pytest.Pytester, run
) -> None:
    pytester.makefile(".md", sums=text)
    result = run("--backprove", "sums.md")
    assert result.ret != 0
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_plugin_loads_no_numpy_and_no_reader_until_it_is_used() -> None:
    code = (
        "import sys, pytest, backprove.app.pytest_plugin; "
        "heavy = {'numpy', 'jax', 'markdown_it', 'typer', 'backprove.worksheets', "
        "'backprove.checking'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
