"""YAML to frozen dataclasses, with file and line in every complaint; knows nothing of studies.

What is YAML and what is a number here, `source` says; which keys and types a file may have, the
dataclasses say.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from search.study.names import did_you_mean
from search.study.source import FLOAT, Source, join, read_text

T = TypeVar("T")

_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "missing": "a longer list",  # of an item; a missing key never comes here
    "string_type": "text",
    "too_long": "a shorter list",
    "tuple_type": "a list",
}
_NOTHING: Mapping[str, Any] = {}


def load(
    path: Path,
    cls: type[T],
    *,
    overrides: Mapping[str, object] = _NOTHING,
    refused: Mapping[str, str] = _NOTHING,
) -> T:
    """Return the settings of a YAML file as an instance of the dataclass `cls`.

    Args:
        path: UTF-8, at most 64 KB.
        cls: a dataclass of dataclasses. A `__post_init__` raises `ValueError` with one line
            `<key>: <rule>, got <value>` for each problem; the key is relative to the object and may
            be dotted. A line `hint: <action>` belongs to the line before it.
        overrides: dotted key to value, laid over the file; a complaint about one names its flag.
        refused: dotted keys that `cls` knows but a file may not set, each with what follows
            "must be" in the complaint.

    Raises:
        ConfigError: a line `<file>:<line>: <key>: <rule>, got <value>` for every problem found.
    """
    return loads(read_text(path), cls, name=str(path), overrides=overrides, refused=refused)


def loads(
    text: str,
    cls: type[T],
    *,
    name: str = "text",
    overrides: Mapping[str, object] = _NOTHING,
    refused: Mapping[str, str] = _NOTHING,
) -> T:
    """Return what `load` returns, from text; `name` stands for the file in complaints."""
    source = Source(name, text, overrides)
    data = source.read(source.root, "")
    _apply(source, data)
    _check_keys(source, data, cls, "", refused)
    value = _validate(source, data, cls)
    source.raise_problems()
    assert value is not None
    return value


def dump(value: object) -> str:
    """Return a dataclass or mapping as YAML text that loads back equal."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
    text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)
    return str(text)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which `load` refuses, and quotes text that `load` takes for a number."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "'" if FLOAT.fullmatch(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _apply(source: Source, data: Any) -> None:
    """Lay values over the file's data; a section of the wrong kind is left to the validation."""
    for key, value in source.overrides.items():
        if isinstance(value, float) and not math.isfinite(value):
            source.complain_of_value(key, "a finite number")
            value = None  # JSON, which the validation reads, has no such number
        *sections, name = key.split(".")
        target = data
        for section in sections:
            target = target.setdefault(section, {}) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[name] = value


def _check_keys(source: Source, data: Any, kind: Any, key: str, refused: Mapping[str, str]) -> None:
    """Note the keys that no dataclass of the tree has, and take out those that are refused."""
    if get_origin(kind) is dict and isinstance(data, dict):
        for name, value in data.items():
            _check_keys(source, value, get_args(kind)[1], join(key, name), refused)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(data, dict)):
        return
    known = {field.name for field in dataclasses.fields(kind)}
    kinds = get_type_hints(kind)
    for name in list(data):
        path = join(key, name)
        if name not in known:
            hint = f"remove it, or use one of {', '.join(sorted(known))}"
            source.complain(path, f"unknown key{did_you_mean(name, known)}", hint=hint)
        elif path in refused:
            source.complain_of_value(path, refused[path], hint="remove it")
            del data[name]
        else:
            _check_keys(source, data[name], kinds[name], path, refused)


def _validate(source: Source, data: Any, cls: type[T]) -> T | None:
    """Return the data as an instance of `cls`, or note why it is none."""
    try:
        # Through JSON: only there strict mode takes a list for a tuple, an integer for a float.
        return TypeAdapter(cls).validate_json(json.dumps(data, allow_nan=False), strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    expected: dict[str, dict[str, None]] = {}  # union branches have one key; a dict keeps order
    for problem in problems:
        key, is_absent = _key(data, problem["loc"])
        if problem["type"] == "value_error":
            _note_rules(source, key, str(problem["ctx"]["error"]))
        elif is_absent:
            source.complain(key, "must be given")
        elif key not in source.keys:
            rule = _EXPECTED.get(problem["type"], problem["msg"])
            if problem["type"] == "literal_error":
                rule = str(problem["ctx"]["expected"]).replace("'", "")
            expected.setdefault(key, {})[rule] = None
    for key, rules in expected.items():
        source.complain_of_value(key, " or ".join(rules))
    return None


def _note_rules(source: Source, key: str, text: str) -> None:
    """Note each line that a `__post_init__` raised, with the path of its object in front."""
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("hint: "):
            continue
        name, colon, rule = line.partition(": ")
        hint = following.removeprefix("hint: ") if following.startswith("hint: ") else ""
        source.complain(join(key, name) if colon else key, rule or line, hint=hint)


def _key(data: Any, location: tuple[int | str, ...]) -> tuple[str, bool]:
    """Return pydantic's location as a dotted key, without union branches, and if it is absent."""
    key = ""
    for part in location:
        if isinstance(data, dict) and part not in data:
            return join(key, str(part)), True
        items = dict(enumerate(data)) if isinstance(data, list) else data
        if not isinstance(items, dict) or part not in items:
            break
        data = items[part]
        key = join(key, str(part))
    return key, False
