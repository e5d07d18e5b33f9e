"""Named places in the write paths, where a test may end the process as `kill -9` would."""

from collections.abc import Callable

Action = Callable[[str, str], object]


def _pass(name: str, detail: str) -> None:
    """Do nothing: nobody tests."""


_action: Action = _pass


def install(action: Action) -> None:
    """Call `action(name, detail)` at every place from now on, in this process."""
    global _action
    _action = action


def reach(name: str, detail: str = "") -> None:
    """Say that the process has come to a place.

    Args:
        name: of the place, such as `before-rename`.
        detail: what is being written there.
    """
    _action(name, detail)
