"""Small JSON records that show whether they were changed."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from seresnet.files import write_text

T = TypeVar("T")


def write_sealed(record: Any, path: Path) -> None:
    """Write a dataclass as JSON, with the SHA-256 of its content."""
    content = dataclasses.asdict(record)
    text = json.dumps({**content, "sha256": _hash(content)}, indent=2, allow_nan=False)
    write_text(path, f"{text}\n")


def read_sealed(path: Path, cls: type[T]) -> T | None:
    """Return what a file says; nothing where it is missing, was changed or is of another form."""
    try:
        content = json.loads(path.read_bytes())
        if content.pop("sha256") != _hash(content):
            return None
        return TypeAdapter(cls).validate_python(content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _hash(content: object) -> str:
    """Return the SHA-256 of a record as it comes back from its file."""
    plain = json.loads(json.dumps(content, allow_nan=False))
    return hashlib.sha256(json.dumps(plain, sort_keys=True, allow_nan=False).encode()).hexdigest()
