"""What a worker tells the driver: an epoch's result, or why it cannot go on."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.study.records import Host
from seresnet.epoch import EpochResult


@dataclass(frozen=True, slots=True)
class EpochMessage:
    """One epoch is done, and its checkpoint lies on disk."""

    result: EpochResult
    host: Host
    attempt: int
    """Of the worker that speaks."""

    def as_report(self) -> dict[str, Any]:
        """Return what `ray.tune.report` takes."""
        return {
            **dataclasses.asdict(self.result),
            "host": dataclasses.asdict(self.host),
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """The trial cannot go on, and starting it again would not help."""

    kind: str
    """`diverged`, `cuda-oom`, `timeout` or `exception`."""
    error: str
    """One line for the table."""

    def as_report(self) -> dict[str, Any]:
        """Return what `ray.tune.report` takes."""
        return {"error_kind": self.kind, "error": self.error}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The machine refused the worker a file: no trial is to blame, and none could go on."""

    error: str
    """One line: what was refused, and where."""

    def as_report(self) -> dict[str, Any]:
        """Return what `ray.tune.report` takes."""
        return {"refusal": self.error}


def read_message(report: Mapping[str, Any]) -> EpochMessage | Failure | Refusal:
    """Return the message in a report; Ray has flattened nested values to `host/node`."""
    if "refusal" in report:
        return Refusal(report["refusal"])
    if "error_kind" in report:
        return Failure(report["error_kind"], report["error"])
    result = {f.name: report[f.name] for f in dataclasses.fields(EpochResult)}
    host = {f.name: report[f"host/{f.name}"] for f in dataclasses.fields(Host)}
    return EpochMessage(EpochResult(**result), Host(**host), report["attempt"])
