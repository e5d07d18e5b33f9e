"""What made a study: code, versions, hardware, data; never the environment."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from search.study.ledger import Ledger
from seresnet.files import write_text

_PACKAGES = ("torch", "ray", "optuna", "pandas", "numpy", "scipy", "pydantic")
_SOURCE = Path(__file__).resolve().parents[2]


def record_start(
    path: Path, ledger: Ledger, data: dict[str, object], *, command: str, stored_in: str
) -> None:
    """Write the facts of a study, and add this start to its list of starts.

    Args:
        path: `provenance.json`.
        ledger: the study.
        data: hashes of the images and the split; plain JSON values.
        command: as it was typed. What lies beside the results folder is named from there: the study
            folder holds no path of its own, and can be moved.
        stored_in: where the study lies, without secrets.
    """
    starts = _starts(path)
    start = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _portable(command, path.parent),
        **code_version(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "hardware": hardware(),
    }
    seed = ledger.config.study.seed
    facts = {"study": ledger.id, "storage": stored_in, "seed": seed, "data": data}
    _write(path, {**facts, "starts": [*starts, start]})


def record_packing(path: Path, table: Mapping[str, object]) -> None:
    """Add to the newest start how many trials share a GPU, and what says so.

    Args:
        path: `provenance.json`, with a start.
        table: the measurement; plain JSON values.
    """
    *others, newest = _starts(path)
    content = json.loads(path.read_text())
    _write(path, {**content, "starts": [*others, {**newest, "packing": table}]})


def packings(path: Path) -> list[object]:
    """Return what `record_packing` has added to the starts, newest first; as it stands there."""
    starts = [start for start in _starts(path) if isinstance(start, dict)]
    return [start["packing"] for start in reversed(starts) if "packing" in start]


def _portable(command: str, folder: Path) -> str:
    for place in {folder.absolute(), folder.resolve()}:
        root = re.escape(f"{str(place.parent.parent).rstrip('/')}/")
        command = re.sub(rf"(?<![\w.-]){root}", "", command)
    return command


def _starts(path: Path) -> list[Any]:
    try:
        starts = json.loads(path.read_text())["starts"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return starts if isinstance(starts, list) else []


def _write(path: Path, content: Mapping[str, object]) -> None:
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def code_version() -> dict[str, object]:
    """Return the commit of the running code and whether it was changed; None where unknown."""
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def hardware() -> dict[str, object]:
    """Return the driver's machine: processor, cores, memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_SOURCE), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
