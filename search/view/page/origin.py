"""What made the study: settings, code, versions, machine, images, and the commands to repeat it."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from search.study.checks.wording import command
from search.study.snapshot import Snapshot
from search.study.space import dump_study
from search.view.page.document import Section
from search.view.page.html import code, escape, note, tag

_provenance = partial(Section, id="provenance", title="What made it", link="Origin")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NONE = "provenance.json is missing or cannot be read, so nothing is known of what made this study."


def config(snapshot: Snapshot) -> Section:
    """Return the section of the resolved study file."""
    told = "The study file with every default filled in, study.yaml in the study's folder."
    parts = [note(told), code(dump_study(snapshot.config))]
    return Section(id="config", title="Settings of the study", link="Study file", parts=parts)


def provenance(snapshot: Snapshot) -> Section:
    """Return the section of what made the study."""
    content = _read(snapshot.folder.provenance)
    if not content:
        parts = [note(_NONE)]
        return _provenance(parts=parts)
    starts = _starts(content)
    facts = {key: value for key, value in content.items() if key != "starts"}
    newest = {f"newest start, {key}": value for key, value in starts[-1].items()} if starts else {}
    rows = [
        escape([tag("dt", name), tag("dd", value)]) for name, value in _leaves({**facts, **newest})
    ]
    return _provenance(parts=[tag("dl", rows, class_="list")])


def reproduction(snapshot: Snapshot) -> Section:
    """Return the section of the commands that make the study again."""
    starts = _starts(_read(snapshot.folder.provenance))
    typed = list(dict.fromkeys(str(start.get("command", "")) for start in starts))
    commits = list(dict.fromkeys(str(start.get("commit")) for start in starts))
    lines = []
    if len(commits) == 1 and _COMMIT.fullmatch(commits[0]):
        lines.append(f"git checkout {commits[0]}")
    lines += [line for line in typed if line]
    told = "The commands as they were typed, in their order. The same seed gives the same study "
    told += "where one trial runs at a time on CPUs; elsewhere the order of reports differs. "
    if len(commits) > 1:
        told += f"The starts ran {len(commits)} versions of the code. "
    if any(start.get("dirty") for start in starts):
        told += "Tracked files were changed beside the commit. "
    told += "The last line derives every suggestion and every stop again, without training."
    parts = [note(told), code("\n".join([*lines, command(snapshot, "replay")]))]
    return Section(id="reproduce", title="Make it again", link="Again", parts=parts)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _starts(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    starts = content.get("starts", [])
    return [each for each in starts if isinstance(each, dict)] if isinstance(starts, list) else []


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value with its dotted key, as text; small ones that belong together in one row."""
    if isinstance(value, dict) and value and (not key or not _is_flat(value)):
        for name, child in value.items():
            yield from _leaves(child, f"{key}.{name}" if key else str(name))
    elif isinstance(value, dict):
        yield key, ", ".join(f"{name} {_text(child)}" for name, child in value.items())
    else:
        yield key, _text(value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(each, dict) for each in value.values())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)
