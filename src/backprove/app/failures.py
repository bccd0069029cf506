"""How a command fails: with a message and an exit status, never with a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from backprove.app.output import error_data, print_json
from backprove.errors import BackproveError, SetupError

HELD, NOT_HELD, UNREADABLE, DEFECT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141

EXIT_STATUS = (
    "Exit status: 0 every claim holds, or meets its expectation; 1 some do not; "
    "2 the input cannot be read; 3 a fault of backprove itself."
)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command that ends with a message where it would end with a traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
            sys.stdout.flush()
        except typer.Exit:
            raise
        except BackproveError as error:
            _tell(error, as_json=bool(options.get("as_json")))
            raise typer.Exit(UNREADABLE) from None
        except KeyboardInterrupt:
            print("interrupted; nothing was written", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has left; without this, Python complains once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except (MemoryError, RecursionError) as error:
            _tell(_too_large(error), as_json=bool(options.get("as_json")))
            raise typer.Exit(UNREADABLE) from None
        except Exception as error:
            _tell_defect(error)
            raise typer.Exit(DEFECT) from None

    return run


def _tell(error: BackproveError, *, as_json: bool) -> None:
    if as_json:
        print_json(error_data(error))
    print(error.render(), file=sys.stderr)


def _too_large(error: BaseException) -> BackproveError:
    what = "more memory than there is" if isinstance(error, MemoryError) else "too deep a nesting"
    return SetupError(f"the input needs {what}", hint="Split it into smaller parts.")


def _tell_defect(error: Exception) -> None:
    if os.environ.get("BACKPROVE_DEBUG"):
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(last.filename)}:{last.lineno}"
    print(
        f"error: backprove failed where it should not have: {type(error).__name__}: {error}\n"
        f"  at {where}; this is a fault of backprove, not of your input\n"
        "  hint: report it with the command that you ran; BACKPROVE_DEBUG=1 prints the details.",
        file=sys.stderr,
    )
