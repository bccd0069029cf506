"""A pytest plugin: assertions on derivatives, and the claims of worksheets as tests.

The fixture ``backprove`` asserts that code or a claim is right; a failing assertion shows the
verdict. With ``pytest --backprove docs/*.md`` every claim of a worksheet is a test, and so is every
claim in a docstring: a block marked ``backprove`` there is read as a worksheet of its own, without
importing the module. The plugin is loaded by every pytest run where backprove is installed, so all
that it needs is loaded when it is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import backprove as bp

if TYPE_CHECKING:
    from backprove.checking import Verdict


class DerivativeAssertions:
    """Assertions on derivatives, for tests."""

    def assert_vjp(
        self, fn: Callable[..., Any], backward: Any = None, *inputs: Any, **how: Any
    ) -> Verdict:
        """Fail unless the backward function is right.

        Args:
            fn: as for :func:`backprove.check_vjp`.
            backward: as there.
            inputs: as there.
            how: ``allow_undecided=True`` accepts a verdict that precision leaves open,
                ``allow_under=False`` refuses one that holds only under an assumption; everything
                else goes to :func:`backprove.check_vjp`.

        Returns:
            The verdict.

        >>> import numpy as np
        >>> DerivativeAssertions().assert_vjp(np.exp, lambda g, x: g * np.exp(x), np.ones(3)).kind
        'right'
        """
        __tracebackhide__ = True
        return _accepted(bp.check_vjp, (fn, backward, *inputs), how)

    def assert_jvp(
        self, fn: Callable[..., Any], jvp: Any = None, *inputs: Any, **how: Any
    ) -> Verdict:
        """Fail unless the Jacobian-vector product is right; see :meth:`assert_vjp`."""
        __tracebackhide__ = True
        return _accepted(bp.check_jvp, (fn, jvp, *inputs), how)

    def assert_grad(
        self, fn: Callable[..., Any], grad: Any = None, *inputs: Any, **how: Any
    ) -> Verdict:
        """Fail unless the gradient is right; see :meth:`assert_vjp`."""
        __tracebackhide__ = True
        return _accepted(bp.check_grad, (fn, grad, *inputs), how)

    def assert_claim(self, f: Any, wrt: str, claim: str, shapes: Any, **how: Any) -> Verdict:
        """Fail unless a claim about a derivative is right.

        Args:
            f: as for :func:`backprove.check`.
            wrt: as there.
            claim: as there.
            shapes: as there.
            how: as for :meth:`assert_vjp`; everything else goes to :func:`backprove.check`.

        Returns:
            The verdict.

        >>> DerivativeAssertions().assert_claim("sum(x**2)", "x", "2*x", {"x": "n"}).kind
        'right'
        """
        __tracebackhide__ = True
        return _accepted(bp.check, (f, wrt, claim, shapes), how)


def _accepted(check: Callable[..., Verdict], asked: tuple[Any, ...], how: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    fine = {
        "right": True,
        "right_under": how.pop("allow_under", True),
        "undecided": how.pop("allow_undecided", False),
    }
    verdict = check(*asked, **how)
    if not fine.get(verdict.kind, False):
        pytest.fail(f"{verdict.text().rstrip()}\n\n{_place_of_the_test()}", pytrace=False)
    return verdict


def _place_of_the_test() -> str:
    """File and line of the assertion and of what called it, as pytest writes them."""
    frame, places = sys._getframe(1), []
    while frame is not None and Path(frame.f_code.co_filename).parent.name != "_pytest":
        path = Path(frame.f_code.co_filename)
        if path != Path(__file__):
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            said = f"in {frame.f_code.co_name}" if places else "Failed"
            places.append(f"{shown}:{frame.f_lineno}: {said}")
        frame = frame.f_back
    return "\n".join(reversed(places))


@pytest.fixture
def backprove() -> DerivativeAssertions:
    """Assertions on derivatives: ``backprove.assert_vjp(f, backward, x)`` and its siblings."""
    return DerivativeAssertions()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--backprove``."""
    parser.getgroup("backprove").addoption(
        "--backprove",
        action="store_true",
        help="Collect the claims of worksheets (*.md) and of docstrings (*.py) as tests.",
    )


def _claims_in(path: Path, config: pytest.Config) -> bool:
    """Whether claims of this file are asked for; only then the reader is loaded."""
    if path.suffix not in (".md", ".py") or not config.getoption("--backprove"):
        return False
    return import_module("backprove.worksheets.claims_of_files").may_hold_claims(path)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect claims; a file that is no test by its name is not imported for their sake."""
    found = yield
    if not _claims_in(file_path, parent.config):
        named = file_path.suffix == ".md" and parent.session.isinitpath(file_path)
        if named and not found and parent.config.getoption("--backprove"):
            return [NoClaims.from_parent(parent, path=file_path)]
        return found
    names = parent.config.getini("python_files")
    if not any(file_path.match(pattern) for pattern in names):
        found = [each for each in found if type(each) is not pytest.Module]
    return [*found, ClaimsFile.from_parent(parent, path=file_path)]


class NoClaims(pytest.File):
    """A page without claims, which `docs/*.md` may well name: it is no error."""

    def collect(self) -> list[pytest.Item]:
        """Nothing."""
        return []


class ClaimsFile(pytest.File):
    """The claims of one file, in order."""

    def collect(self) -> list[pytest.Item]:
        """One test for each claim."""
        reader = import_module("backprove.worksheets.claims_of_files")
        try:
            runs = reader.read_claims(self.path)
        except bp.BackproveError as error:
            raise self.CollectError(_rendered(error)) from error
        return [
            ClaimItem.from_parent(self, name=name, run=run, number=number)
            for run in runs
            for number, name in run.claims.items()
        ]


class ClaimItem(pytest.Item):
    """One claim.

    Args:
        run: the worksheet that it stands in.
        number: its number among the statements there.
    """

    def __init__(self, *, run: Any, number: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.claims, self.number = run, number

    def runtest(self) -> None:
        """Judge the claim, and fail with the verdict unless it is the expected one."""
        verdict = self.claims.judge(self.number)
        if not verdict.held:
            raise ClaimNotHeld(verdict.text())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict or the error alone, without a traceback."""
        if isinstance(excinfo.value, ClaimNotHeld):
            return str(excinfo.value)
        if isinstance(excinfo.value, bp.BackproveError):
            return _rendered(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line (from 0) and name; pytest would write `::` for `.` in the bare name."""
        title = f"{self.path.name} {self.name}"
        return self.path, self.claims.line(self.number) - 1, title


class ClaimNotHeld(AssertionError):
    """A claim has another verdict than the worksheet expects."""


def _rendered(error: bp.BackproveError) -> str:
    return error.render() if isinstance(error, bp.InputError) else str(error)
