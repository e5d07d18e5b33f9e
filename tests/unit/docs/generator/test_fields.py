import dataclasses
from dataclasses import dataclass
from typing import Literal, get_origin

import pytest

from generator.fields import fields_of
from search.study import sections
from seresnet.config import TrainConfig

CLASSES = [
    sections.Budget, sections.DataConfig, sections.SamplerConfig, sections.PrunerConfig,
    sections.Resources, sections.ConfirmConfig, sections.RetrainConfig, TrainConfig,
]  # fmt: skip
STATED = [
    pytest.param(cls, field, id=f"{cls.__name__}.{field.name}")
    for cls in CLASSES
    for field in fields_of(cls)
    # Budget alone cannot know what the epochs must pay for: test_schema.py asks the whole file.
    if field.bounds is not None and field.name != "max_total_epochs"
]


@dataclass(frozen=True)
class MadeUp:
    plain: int
    """Something; things, >= 2, or so."""
    ratio: float = 0.5
    """A share of [1 - x, 1 + x]; [0, 1)."""
    power: int = 0
    """A seed; [0, 2**32)."""
    relative: int = 3
    """Up to another; epochs, [1, plain], as it is."""
    is_on: bool = False
    """Whether; needs ratio > 0."""
    free: Literal["a", "b"] = "a"
    """One of two."""


def complaints(cls, field, value):
    """The lines with which a dataclass refuses a value of one field, those of that field alone."""
    if get_origin(field.kind) is tuple:
        value = (value, *field.default[1:])
    shape = {"warmup_epochs": 0} if cls is TrainConfig and field.name == "epochs" else {}
    shape |= {"max_epochs": 10**6} if field.name == "min_epochs" else {}
    try:
        cls(**{**shape, field.name: value})
    except ValueError as error:
        return [line for line in str(error).splitlines() if line.startswith(f"{field.name}: ")]
    return []


def test_docstrings_and_ranges_of_a_dataclass():
    found = {field.name: field for field in fields_of(MadeUp)}
    texts = {name: field.bounds.text for name, field in found.items() if field.bounds}
    assert texts == {
        "plain": ">= 2", "ratio": "[0, 1)", "power": "[0, 2**32)", "relative": "[1, plain]",
    }  # fmt: skip
    assert found["power"].bounds.high == 2**32
    assert found["power"].bounds.is_high_open
    assert found["relative"].bounds.high is None
    assert found["plain"].default is dataclasses.MISSING
    assert [field.meaning for field in found.values()] == [
        "Something; things, or so.",
        "A share of [1 - x, 1 + x].",
        "A seed.",
        "Up to another; epochs, as it is.",
        "Whether; needs ratio > 0.",
        "One of two.",
    ]


def test_a_field_without_a_docstring_is_named():
    @dataclass
    class Bare:
        silent: int = 0

    Bare.__module__, Bare.__name__ = __name__, "MadeUpToo"
    with pytest.raises(AssertionError, match=r"without a docstring: \['silent'\]"):
        fields_of(Bare)


class MadeUpToo:
    silent: int = 0


@pytest.mark.parametrize(("cls", "field"), STATED)
def test_the_code_refuses_what_lies_below_the_stated_range(cls, field):
    low = field.bounds.low
    step = 1 if isinstance(low, int) and not field.bounds.is_low_open else 1e-9
    below = low if field.bounds.is_low_open else low - step
    assert complaints(cls, field, below)
    assert not complaints(cls, field, low + (step if field.bounds.is_low_open else 0))


@pytest.mark.parametrize(
    ("cls", "field"), [each for each in STATED if each.values[1].bounds.high is not None]
)
def test_the_code_refuses_what_lies_above_the_stated_range(cls, field):
    high, is_open = field.bounds.high, field.bounds.is_high_open
    step = 1 if high > 1 else 1e-9
    assert complaints(cls, field, high if is_open else high + step)
    assert not complaints(cls, field, high - step if is_open else high)
