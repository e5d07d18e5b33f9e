"""Named places in the write paths, where a test may end the process as `kill -9` would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Action = Callable[[str, str], object]


def _pass(name: str, detail: str) -> None:
    """Do nothing: nobody tests."""


_action: Action = _pass


def install(action: Action) -> None:
    """Call `action(name, detail)` at every place from now on, in this process."""
    global _action
    _action = action


@contextmanager
def installed(action: Action) -> Iterator[None]:
    """Install an action for the length of a block; afterwards the former one is back."""
    former = _action
    install(action)
    try:
        yield
    finally:
        install(former)


def reach(name: str, detail: str = "") -> None:
    """Say that the process has come to a place.

    Args:
        name: of the place, such as `before-rename`.
        detail: what is being written there.
    """
    _action(name, detail)
