"""The reference of the study file and of one training's settings, taken from the dataclasses."""

import dataclasses
import json
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from generator.fields import Field, fields_of
from generator.table import escaped, table
from search.study.consistency import SET_BY_TRIAL
from search.study.names import NAME_RULE
from search.study.overrides import OVERRIDABLE
from search.study.searchable import SEARCHABLE
from search.study.sections import Domain
from search.study.space import MAY_CHANGE, StudyConfig
from seresnet.config import TrainConfig

_STUDY_FILE = """\
# The study file

A YAML file, UTF-8, at most 64 KB. What is left out is its default; `study`, `space` and `baseline`
must be given. `python -m search.tune --space FILE --dry-run` prints a file with its defaults filled
in. Three examples lie in [search_spaces/](../../search_spaces/), and
[study.schema.json](../../search_spaces/study.schema.json) tells an editor what stands here: a
comment `# yaml-language-server: $schema=study.schema.json` in a file beside it is enough.

Refused, all at once and each with its line: unknown and repeated keys, text for a number, anchors,
aliases, tags, numbers that are not decimal (`0x1F`, `010`, `1:30`), infinity and NaN. `1e-5` is a
number here, although PyYAML reads text.

Between two starts of a study these may change: {may_change}.
Any other change is refused, naming the keys.
"""
_SPACE = """\
## space

At least one hyperparameter, each with its domain. It may be any number of
[train](train-config.md) of which the tables have no column:
{searchable}.
Whole numbers alone are drawn where the setting is an integer. Both ends of a domain must be values
that the setting may have.
"""
_POINTS = """\
## baseline, recipes

`baseline` is trial 0: a value for each key of `space` and for no other, inside its domain.
`recipes` has any number of such mappings, each under a name
({name_rule});
they run after the baseline. None of them is ever stopped.
"""
_TRAIN = """\
## train

What all trials share: the settings of a training, [train-config.md](train-config.md), but
{set_by_trial}.
"""
_TRAIN_CONFIG = """\
# The settings of one training

The section `train` of a [study file](study-file.md), `--set FIELD=VALUE` of
[`python -m seresnet train`](commands.md#python--m-seresnet-train), and `config` in a model's
`metrics.json`. The defaults are the recipe of ZBW-P/Deep-learning-resnet. The last column says
where in a study file a setting may stand: in `train`, in `space`, in `retrain.train`.
"""


def study_file_page() -> str:
    """Return docs/reference/study-file.md."""
    introduction = _STUDY_FILE.format(may_change=_listed([key.rstrip(".") for key in MAY_CHANGE]))
    sections = [_section(field) for field in fields_of(StudyConfig)]
    return "\n".join([introduction, *filter(None, sections)])


def train_config_page() -> str:
    """Return docs/reference/train-config.md."""
    titles = ["setting", "type", "default", "range", "meaning", "may stand in"]
    rows = [[*_row(field), _places(field.name)] for field in fields_of(TrainConfig)]
    return f"{_TRAIN_CONFIG}\n{table(titles, rows)}"


def _section(section: Field) -> str:
    """Return heading, purpose and keys of a section; nothing where another section has said it."""
    texts = {
        "space": _SPACE.format(searchable=_listed(SEARCHABLE))
        + "\n"
        + _keys(Domain, without="integer"),
        "baseline": _POINTS.format(name_rule=NAME_RULE.removeprefix("must be ")),
        "train": _TRAIN.format(set_by_trial=_set_by_trial()),
        "recipes": "",
        "trainable": "",  # other functions come by `search.api`, not by a file
    }
    if section.name in texts:
        return texts[section.name]
    return f"## {section.name}\n\n{section.doc}\n\n{_keys(section.kind)}"


def _keys(cls: type, *, without: str = "") -> str:
    rows = [_row(field) for field in fields_of(cls) if field.name != without]
    return table(["key", "type", "default", "range", "meaning"], rows)


def _row(field: Field) -> list[str]:
    bounds = f"`{field.bounds.text}`" if field.bounds else ""
    if bounds and get_origin(field.kind) is tuple:
        bounds = f"each {bounds}"
    return [
        f"`{field.name}`", kind_text(field.kind), _default_text(field.default), bounds,
        escaped(field.meaning),
    ]  # fmt: skip


def kind_text(kind: Any) -> str:
    """Return a type in the words of someone who writes YAML."""
    words = {int: "integer", float: "number", bool: "true or false", str: "text"}
    if kind in words:
        return words[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(
            "null" if each is types.NoneType else kind_text(each) for each in arguments
        )
    if origin is tuple:
        number = "list of" if arguments[-1] is ... else f"list of {len(arguments)}"
        return f"{number} {words[arguments[0]]}s"
    assert origin is dict, kind
    return "mapping"


def _default_text(value: Any) -> str:
    """Return a default as a study file would say it."""
    if value is dataclasses.MISSING:
        return "must be given"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _places(name: str) -> str:
    """Return where in a study file a setting of TrainConfig may stand."""
    is_set_by_trial = f"train.{name}" in SET_BY_TRIAL
    places = {
        "train": not is_set_by_trial,
        "space": name in SEARCHABLE,
        "retrain.train": name in OVERRIDABLE,
    }
    return ", ".join(place for place, is_one in places.items() if is_one)


def _set_by_trial() -> str:
    rules = [f"`{key}` ({rule})" for key, rule in SET_BY_TRIAL.items()]
    return " and ".join(rules)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
