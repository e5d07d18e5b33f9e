"""What a worker tells the driver: an epoch's result with its host, or why the trial ended."""

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

    def as_report(self) -> dict[str, Any]:
        """Return what `ray.tune.report` takes."""
        return {
            **dataclasses.asdict(self.result),
            "host": dataclasses.asdict(self.host),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """The trial cannot go on, and starting it again would not help."""

    kind: str
    """`diverged`, `cuda-oom` or `exception`."""
    error: str
    """One line for the table."""

    def as_report(self) -> dict[str, Any]:
        """Return what `ray.tune.report` takes."""
        return {"error_kind": self.kind, "error": self.error}


def read_message(report: Mapping[str, Any]) -> EpochMessage | Failure:
    """Return the message in a report; Ray has flattened nested values to `host/node`."""
    if "error_kind" in report:
        return Failure(report["error_kind"], report["error"])
    result = {f.name: report[f.name] for f in dataclasses.fields(EpochResult)}
    host = {f.name: report[f"host/{f.name}"] for f in dataclasses.fields(Host)}
    return EpochMessage(EpochResult(**result), Host(**host))
