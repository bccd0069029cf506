"""Ctrl-C, where Python drops it too."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from backprove.app.interrupts import noticed_interrupts


@pytest.fixture(autouse=True)
def _usual_handler():
    """Whoever runs the tests in the background may have Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Pressed:
    """Ctrl-C is pressed while this is thrown away."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(1000))  # the handler runs before the next instructions


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dropped_interrupt_is_noticed_at_the_next_step():
    with noticed_interrupts() as notice:
        notice()
        one = Pressed()
        del one  # raises nothing: Python drops what a finaliser raises
        with pytest.raises(KeyboardInterrupt):
            notice()


def test_ctrl_c_raises_at_once_and_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with noticed_interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_that_was_told_to_ignore_it_goes_on():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with noticed_interrupts() as notice:
            signal.raise_signal(signal.SIGINT)
            notice()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone():
    found = []

    def work() -> None:
        with noticed_interrupts() as notice:
            found.append(notice())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]
