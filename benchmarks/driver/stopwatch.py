"""Where a driver's time goes: seconds by part, each part without what it calls of another."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Stopwatch:
    """Splits the time since its making into parts; the newest part that was entered gets it.

    Only the thread that made it is timed: the parts add up to its wall clock.
    """

    def __init__(self, part: str, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start, in this part."""
        self._seconds: Counter[str] = Counter()
        self._parts = [part]
        self._clock = clock
        self._since = clock()
        self._thread = threading.get_ident()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Give the block's time to a part."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._charge()
        self._parts.append(name)
        try:
            yield
        finally:
            self._charge()
            self._parts.pop()

    def rename(self, old: str, new: str) -> None:
        """Call by another name what a part has had so far."""
        self._charge()
        self._seconds[new] += self._seconds.pop(old, 0.0)

    def read(self) -> dict[str, float]:
        """Return the seconds of each part until now."""
        self._charge()
        return dict(self._seconds)

    def time(self, owner: Any, names: str, part: str) -> None:
        """Give the time of some functions of a class or module to a part, from now on.

        Args:
            owner: has the functions, and gets timed ones in their places.
            names: of the functions, with spaces between them.
            part: of the time.
        """
        for name in names.split():
            setattr(owner, name, self._timed(getattr(owner, name), part))

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(part):
                return function(*arguments, **options)

        return timed

    def _charge(self) -> None:
        now = self._clock()
        self._seconds[self._parts[-1]] += now - self._since
        self._since = now
