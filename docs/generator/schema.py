"""The JSON Schema of a study file, from the dataclasses that it is loaded into; for editors.

It says less than the loader: what holds between two keys is the loader's alone. What the loader
takes it takes, but for two keys that no file needs (`trainable`, a domain's `integer`).
"""

import dataclasses
import json
import types
from collections.abc import Collection, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from generator.fields import Bounds, Field, fields_of
from search.study.consistency import SET_BY_TRIAL
from search.study.names import NAME
from search.study.overrides import OVERRIDABLE
from search.study.searchable import SEARCHABLE
from search.study.sections import Domain
from search.study.space import StudyConfig
from seresnet.config import TrainConfig

Schema = dict[str, Any]

_TRAIN = {field.name: field for field in fields_of(TrainConfig)}
_LOG_IS_POSITIVE: Schema = {
    "if": {"properties": {"log": {"const": True}}, "required": ["log"]},
    "then": {"properties": {"low": {"exclusiveMinimum": 0}}},
}


def study_schema() -> str:
    """Return search_spaces/study.schema.json."""
    fields = [field for field in fields_of(StudyConfig) if field.name != "trainable"]
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",  # what editors' YAML support knows
        "title": "study file",
        **_object({field.name: _section(field) for field in fields}, fields),
    }
    return json.dumps(schema, indent=1, allow_nan=False) + "\n"


def _section(section: Field) -> Schema:
    """Return the schema of one key of the whole file."""
    shared = [name for name in _TRAIN if f"train.{name}" not in SET_BY_TRIAL]
    domains = {name: _domain(_TRAIN[name]) for name in SEARCHABLE}
    shapes = {
        "train": _settings(shared),
        "space": _object(domains) | {"minProperties": 1},
        "baseline": _point(),
        "recipes": {
            "type": "object",
            "propertyNames": {"pattern": f"^{NAME.pattern}$", "not": {"const": "baseline"}},
            "additionalProperties": _point(),
        },
    }
    shape = shapes[section.name] if section.name in shapes else _dataclass(section.kind)
    return {"description": section.doc, **shape}


def _settings(names: Collection[str]) -> Schema:
    """Return the schema of a mapping of settings of TrainConfig."""
    return _object({name: _value(_TRAIN[name]) for name in names})


def _point() -> Schema:
    """Return the schema of a value for each hyperparameter of the space."""
    return _without_defaults(_settings(SEARCHABLE)) | {"minProperties": 1}


def _without_defaults(schema: Schema) -> Schema:
    """Return the schema of a mapping in which what is left out is not TrainConfig's default."""
    for value in schema["properties"].values():
        del value["default"]
    return schema


def _domain(setting: Field) -> Schema:
    """Return the schema of a hyperparameter's domain, with the setting's own range at its ends."""
    fields = [field for field in fields_of(Domain) if field.name != "integer"]
    ends = {"low": setting, "high": setting}
    properties = {
        field.name: _value(field) | _type(ends.get(field.name, field)) for field in fields
    }
    return {"description": setting.doc, **_object(properties, fields), **_LOG_IS_POSITIVE}


def _dataclass(cls: type) -> Schema:
    fields = fields_of(cls)
    properties = {field.name: _value(field) for field in fields}
    if "train" in properties:  # of the retraining: what it leaves out is the winner's
        properties["train"] |= _without_defaults(_settings(OVERRIDABLE))
    return _object(properties, fields)


def _object(properties: Mapping[str, Schema], fields: Collection[Field] = ()) -> Schema:
    """Return the schema of a mapping that has these keys and no other."""
    missing = dataclasses.MISSING
    required = [field.name for field in fields if field.default is missing]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _value(field: Field) -> Schema:
    """Return the schema of a field: what it means, its type, its range, its default."""
    default = {} if field.default is dataclasses.MISSING else {"default": field.default}
    return {"description": field.doc, **_type(field), **default}


def _type(field: Field) -> Schema:
    """Return the schema of a field's type, its numbers within the field's range."""
    bounds = _limits(field.bounds) if field.bounds else {}
    schema = _kind(field.kind, bounds)
    if "unique" in field.doc:
        schema |= {"minItems": 2 if "at least two" in field.doc else 1, "uniqueItems": True}
    return schema


def _kind(kind: Any, bounds: Schema) -> Schema:
    """Return the schema of a type; a test holds it to what the loader takes."""
    words = {bool: "boolean", str: "string", types.NoneType: "null"}
    if kind in (int, float):
        return {"type": "integer" if kind is int else "number", **bounds}
    if kind in words:
        return {"type": words[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_kind(each, bounds) for each in arguments]}
    if origin is tuple:
        length = (
            {} if arguments[-1] is ... else {"minItems": len(arguments), "maxItems": len(arguments)}
        )
        return {"type": "array", "items": _kind(arguments[0], bounds), **length}
    assert origin is dict, kind
    return {"type": "object"}


def _limits(bounds: Bounds) -> Schema:
    """Return a range in the words of JSON Schema."""
    limits: Schema = {"exclusiveMinimum" if bounds.is_low_open else "minimum": bounds.low}
    if bounds.high is not None:
        limits["exclusiveMaximum" if bounds.is_high_open else "maximum"] = bounds.high
    return limits
