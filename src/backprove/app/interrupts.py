"""Ctrl-C that is never lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any


@contextmanager
def noticed_interrupts() -> Iterator[Callable[[], None]]:
    """A function that raises KeyboardInterrupt if Ctrl-C was pressed since the block began.

    Ctrl-C raises at once, as usual. Python drops an exception that arises in a finaliser or in the
    callback of a library, though, and long work would then go on; what is called in its course
    notices it.

    >>> with noticed_interrupts() as notice:
    ...     notice()
    """
    pressed = False

    def press(number: int, frame: Any) -> None:
        nonlocal pressed
        pressed = True
        signal.default_int_handler(number, frame)

    def notice() -> None:
        if pressed:
            raise KeyboardInterrupt

    if (
        current_thread() is not main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield notice  # who started the process wants Ctrl-C otherwise
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield notice
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
