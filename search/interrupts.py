"""Signals that ask a command to end: saved, within a deadline, with the command that goes on.

Ctrl-C once, SIGTERM and SIGUSR1 let running epochs end; Ctrl-C twice leaves at once. Python runs
signal handlers in the main thread between two of its own instructions, so a main thread that waits
in Ray's C++ for a dead raylet would never hear of one. A thread of our own reads the signals from
Python's wakeup descriptor instead, and ends the process when the deadline has passed.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
DEADLINE_SECONDS = 20.0
"""From the signal to the end of the process: less than the 30 s that Slurm leaves by default."""


class StopRequest:
    """Whether the command was asked to end; its signal handlers, while the `with` block runs.

    Args:
        say: tells a person a line.
        farewell: the line that a process leaves with which is ended by the deadline.
        deadline: seconds.
        leave: ends the process; for tests.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        farewell: str,
        *,
        deadline: float = DEADLINE_SECONDS,
        leave: Callable[[int], Any] = os._exit,
    ) -> None:
        self._say, self._farewell = say, farewell
        self._deadline, self._leave = deadline, leave
        self._signum = 0
        self._is_awaited = False
        self._is_raised = False
        self._former: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, which is taken for granted, 143 for the others, which schedulers send."""
        return 130 if self._signum in (0, signal.SIGINT) else 143

    @property
    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signum != 0

    def raise_if_set(self) -> None:
        """Leave now if a signal has come.

        Raises:
            KeyboardInterrupt: it has.
        """
        if self.is_set:
            self._is_raised = True
            raise KeyboardInterrupt  # Ray would turn a child of it into this

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Let the block look at `is_set` and end by itself; elsewhere a signal raises at once.

        Raises:
            KeyboardInterrupt: at the block's end, if a signal has come.
        """
        self._is_awaited = True
        try:
            yield
        finally:
            self._is_awaited = False
        self.raise_if_set()

    def install(self) -> None:
        """Take the signals, again after libraries that took them for themselves, as Ray does."""
        if self._former:
            for signum in SIGNALS:
                signal.signal(signum, self._handle)

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is not threading.main_thread():
            return self  # signals are the main thread's alone
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self._former = {signum: signal.signal(signum, self._handle) for signum in SIGNALS}
        self._former_descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._writer = writer
        self._thread = threading.Thread(target=self._watch, args=(reader,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._former:
            return
        for signum, handler in self._former.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._former_descriptor)
        os.close(self._writer)  # ends the thread
        self._thread.join()
        self._former = {}

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._signum = self._signum or signum  # the thread may have been first
        if not self._is_awaited and not self._is_raised:  # once: a second would cut the end short
            self.raise_if_set()

    def _watch(self, reader: int) -> None:
        """Read signals as they come, whatever the main thread is doing."""
        ends_at: float | None = None
        while True:
            left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not select.select([reader], [], [], left)[0]:
                self._say(f"not done after {self._deadline:g} s; {self._farewell}")
                self._leave(self.exit_code)
                return
            signals = os.read(reader, 64)
            if not signals:
                os.close(reader)
                return
            for signum in signals:
                if signum not in SIGNALS:
                    continue
                if ends_at is None:
                    self._signum = self._signum or signum
                    ends_at = time.monotonic() + self._deadline
                    self._say(f"stopping, in {self._deadline:g} s at most; Ctrl-C leaves at once")
                elif signum == signal.SIGINT:
                    self._say(self._farewell)
                    self._leave(self.exit_code)
                    return
