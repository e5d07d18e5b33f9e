"""Failpoints from the environment: end this process at a named place, log the places passed.

`SEARCH_FAILPOINT=before-rename:3` ends a process with code 137, as after `kill -9`, when it comes
to `before-rename` for the third time. `SEARCH_FAILPOINT_LOG=FILE` appends a line for every place.
For tests of the promises in docs/reliability.md; unset, nothing happens.
"""

import os
from collections import Counter
from pathlib import Path

from seresnet import failpoints

_KILLED = 137


def arm() -> None:
    """Take up what the environment says, in the driver or in a worker."""
    place, _, count = os.environ.get("SEARCH_FAILPOINT", "").partition(":")
    log = os.environ.get("SEARCH_FAILPOINT_LOG", "")
    if not place and not log:
        return
    passed: Counter[str] = Counter()

    def act(name: str, detail: str) -> None:
        passed[name] += 1
        if log:
            with Path(log).open("a") as file:  # one short write: lines of two processes stay whole
                file.write(f"{name} {detail} {os.getpid()}\n")
        if name == place and passed[name] == int(count or 1):
            os._exit(_KILLED)

    failpoints.install(act)
