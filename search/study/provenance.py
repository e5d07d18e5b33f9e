"""What made a study: code, versions, hardware, data; never the environment."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from search.study.ledger import Ledger
from seresnet.files import write_text

_PACKAGES = ("torch", "ray", "optuna", "pandas", "numpy", "pydantic")
_SOURCE = Path(__file__).resolve().parents[2]


def record_start(
    path: Path, ledger: Ledger, data: dict[str, object], *, command: str, stored_in: str
) -> None:
    """Write the facts of a study, and add this start to its list of starts.

    Args:
        path: `provenance.json`.
        ledger: the study.
        data: hashes of the images and the split; plain JSON values.
        command: as it was typed.
        stored_in: where the study lies, without secrets.
    """
    try:
        starts = json.loads(path.read_text())["starts"]
    except (OSError, ValueError, KeyError, TypeError):
        starts = []
    start = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        **code_version(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "hardware": hardware(),
    }
    seed = ledger.config.study.seed
    facts = {"study": ledger.id, "storage": stored_in, "seed": seed, "data": data}
    content = {**facts, "starts": [*starts, start]}
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
