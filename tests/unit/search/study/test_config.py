from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from search.study.config import dump, loads
from seresnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    x: float
    y: float = 0.0

    def __post_init__(self):
        if self.x < 0:
            raise ValueError(f"x: must be >= 0, got {self.x}\nhint: drop the sign")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    count: int
    rate: float = 0.5
    label: str = ""
    is_on: bool = False
    kind: Literal["soft", "hard"] = "soft"
    limit: int | Literal["auto"] = "auto"
    some: int | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    seeds: tuple[int, ...] = ()
    points: dict[str, Point] = field(default_factory=dict)

    def __post_init__(self):
        if self.count == 13:
            raise ValueError("count: must not be 13, got 13\npoints.a.y: must be luckier, got 0.0")


def complaint(text, **options):
    with pytest.raises(ConfigError) as caught:
        loads(text, Settings, name="f.yaml", **options)
    return caught.value


def test_text_becomes_a_frozen_dataclass():
    settings = loads("count: 3\nrate: 1\nseeds: [1, 2]\npoints: {a: {x: .5}}\nlimit: 4\n", Settings)
    expected = Settings(count=3, rate=1.0, seeds=(1, 2), points={"a": Point(x=0.5)}, limit=4)
    assert settings == expected
    assert type(settings.rate) is float


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5), ("5E-4", 5e-4), ("1e+4", 1e4), ("1e5", 1e5), ("1.0e-05", 1e-5),
        ("1E-05", 1e-5), ("-.5", -0.5), ("3", 3.0), ("12_000", 12000.0), ("+2.", 2.0),
    ],
)  # fmt: skip
def test_a_number_reads_as_a_person_means_it(text, value):
    assert loads(f"{{count: 1, rate: {text}}}", Settings).rate == value


DECIMAL = "must be a finite decimal number, got"
HUGE = "must be an integer within 2**53 of zero, got"
BAD_SETTINGS = {
    "octal": ("count: 010", "1: count: " + DECIMAL + " 010"),
    "sixty": ("count: 1:30", "1: count: " + DECIMAL + " 1:30"),
    "hex": ("count: 0x1F", "1: count: " + DECIMAL + " 0x1F"),
    "octal-of-yaml-1.2": ("count: 0o10", "1: count: must be an integer, got 0o10"),
    "yes-for-an-integer": ("count: yes", "1: count: must be an integer, got yes"),
    "on-for-a-number": ("count: 1\nrate: on", "2: rate: must be a number, got on"),
    "off": ("count: off", "1: count: must be an integer, got off"),
    "no": ("{count: 1, rate: no}", "1: rate: must be a number, got no"),
    "n": ("count: n", "1: count: must be an integer, got n"),
    "y": ("count: y", "1: count: must be an integer, got y"),
    "half": ("count: 1.5", "1: count: must be an integer, got 1.5"),
    "float-for-an-integer": ("count: 1e2", "1: count: must be an integer, got 1e2"),
    "quoted-number": ("count: '3'", "1: count: must be an integer, got '3'"),
    "date": ("count: 2001-01-01", "1: count: must be an integer, got 2001-01-01"),
    "empty-value": ("count:", "1: count: must be an integer, got nothing"),
    "list": ("count: [1]", "1: count: must be an integer, got a list of 1"),
    "text": ("{count: 1, rate: '1e-5'}", "1: rate: must be a number, got '1e-5'"),
    "nan": ("{count: 1, rate: .nan}", "rate: " + DECIMAL + " .nan"),
    "inf": ("{count: 1, rate: -.inf}", DECIMAL + " -.inf"),
    "overflow": ("{count: 1, rate: 1e400}", DECIMAL + " 1e400"),
    "2**53+1": ("count: 9007199254740993", HUGE),
    "huge": ("count: " + "9" * 5000, HUGE + " 999"),
    "one-for-true": ("{count: 1, is_on: 1}", "is_on: must be true or false, got 1"),
    "number-for-text": ("{count: 1, label: 2}", "label: must be text, got 2"),
    "choice": ("{count: 1, kind: off}", "kind: must be soft or hard, got off"),
    "union": ("{count: 1, limit: yes}", "limit: must be an integer or auto, got yes"),
    "short": ("{count: 1, pair: [1]}", "pair: must be a longer list, got a list of 1"),
    "long": ("{count: 1, pair: [1, 2, 3]}", "pair: must be a shorter list, got a list"),
    "item": ("{count: 1, pair: [1, x]}", "pair.1: must be a number, got x"),
    "not-a-mapping": ("{count: 1, points: 3}", "points: must be a mapping, got 3"),
    "entry": ("count: 1\npoints:\n  a: 3", "3: points.a: must be a mapping, got 3"),
    "missing": ("rate: 1", "1: count: must be given"),
    "missing-deep": ("count: 1\npoints:\n  a: {y: 1}", "3: points.a.x: must be given"),
    "empty-file": ("", "1: top level: must be a mapping, got nothing"),
    "top-list": ("- 1\n- 2", "1: top level: must be a mapping, got a list of 2"),
    "typo": ("cuont: 1\ncount: 1", "1: cuont: unknown key, did you mean count?"),
    "unknown": ("count: 1\nzzz: 1", "2: zzz: unknown key"),
    "unknown-deep": ("count: 1\npoints:\n  a: {x: 1, z: 1}", "3: points.a.z: unknown key"),
    "repeated": (
        "count: 1\nrate: 1\ncount: 2",
        "3: count: must be given once, got it on lines 1 and 3",
    ),
    "number-key": ("count: 1\n7: 1", "2: top level: must have text for keys, got 7"),
    "list-key": ("count: 1\n? [a]\n: 1", "2: top level: must have text for keys, got a list"),
    "merge-key": ("count: 1\n<<: {rate: 1}", "2: top level: must have text for keys, got <<"),
    "escape": ('{count: 1, label: "\\e[31m"}', "label: must be printable text, got '\\x1b[31m'"),
    "surrogate": ('{count: 1, label: "\\ud800"}', "label: must be printable text, got '\\ud800'"),
    "rule": ("{count: 1, points: {a: {x: -1}}}", "points.a.x: must be >= 0, got -1.0"),
}


@pytest.mark.parametrize(("text", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_line_key_and_value(text, message):
    error = complaint(text)
    assert len(error.message.split("\n")) == 1
    assert error.message.startswith("f.yaml:")
    assert message in error.message
    assert error.hint


def test_all_problems_are_reported_at_once_in_the_order_of_lines():
    text = "zzz: 1\nrate: yes\nis_on: 3\npoints:\n  a: {x: -1}\n  b: {x: 1, x: 2}\ncount: .inf\n"
    error = complaint(text)
    assert error.message.split("\n") == [
        "f.yaml:1: zzz: unknown key",
        "f.yaml:2: rate: must be a number, got yes",
        "f.yaml:3: is_on: must be true or false, got 3",
        "f.yaml:5: points.a.x: must be >= 0, got -1.0",
        "f.yaml:6: points.b.x: must be given once, got it on lines 6 and 6",
        "f.yaml:7: count: " + DECIMAL + " .inf",
    ]
    assert error.hint == "correct these 6 places, then run the same command again"


def test_a_rule_between_keys_is_reported_at_the_nearest_line():
    error = complaint("points:\n  a:\n    x: 1\ncount: 13")
    assert error.message.split("\n") == [
        "f.yaml:2: points.a.y: must be luckier, got 0.0",
        "f.yaml:4: count: must not be 13, got 13",
    ]


def test_a_rule_brings_its_own_hint():
    assert complaint("count: 1\npoints: {a: {x: -1}}").hint == "drop the sign"


def test_a_name_with_dots_finds_its_line():
    text = "count: 1\npoints:\n  v1: {x: 1}\n  v1.2: {x: -1}"
    assert complaint(text).message == "f.yaml:4: points.v1.2.x: must be >= 0, got -1.0"


def test_a_complaint_cannot_steer_a_terminal():
    error = complaint("count: 1\npoints: {}\n\u202ezzz: 1\n'\u202e': 1")
    assert all(line.isprintable() for line in error.message.split("\n"))
    assert "\\u202e" in error.message


def test_an_override_replaces_the_value_of_the_file_and_adds_what_it_lacks():
    settings = loads("count: 1", Settings, overrides={"count": 2, "points.a.x": 3})
    assert settings == Settings(count=2, points={"a": Point(x=3.0)})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param({"count": "x"}, "--count: count: must be an integer, got 'x'", id="type"),
        pytest.param({"count": 13}, "--count: count: must not be 13, got 13", id="rule"),
        pytest.param({"points.a.x": -1}, "--x: points.a.x: must be >= 0, got -1.0", id="deep"),
        pytest.param({"limit": "many"}, "--limit: limit: must be", id="choice"),
        pytest.param(
            {"rate": float("nan")}, "--rate: rate: must be a finite number, got nan\n", id="nan"
        ),
        pytest.param(
            {"points.a.x": -float("inf")},
            "--x: points.a.x: must be a finite number, got -inf\n",
            id="deep-inf",
        ),
    ],
)
def test_a_bad_override_is_reported_by_its_flag_before_the_file(overrides, message):
    error = complaint("count: 1\nzzz: 1", overrides=overrides)
    assert error.message.startswith(message)
    assert "f.yaml:2: zzz: unknown key" in error.message


def test_a_refused_key_is_reported_and_its_value_judged_no_further():
    error = complaint("rate: 1\ncount: 13", refused={"count": "left to fate"})
    assert "f.yaml:2: count: must be left to fate, got 13" in error.message


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**53), 2**53)
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)
POINTS = st.builds(Point, x=st.floats(0, 1e300), y=NUMBERS)


@with_settings(deadline=None)  # the first example builds the validator
@given(
    st.builds(
        Settings,
        count=INTEGERS.filter(lambda n: n != 13),
        rate=NUMBERS,
        label=TEXT | st.sampled_from(["1e-5", "010", "yes", "null", "1:30", "=", "<<", "~", "1_0"]),
        is_on=st.booleans(),
        kind=st.sampled_from(["soft", "hard"]),
        limit=INTEGERS | st.just("auto"),
        some=INTEGERS | st.none(),
        pair=st.tuples(NUMBERS, NUMBERS),
        seeds=st.lists(INTEGERS).map(tuple),
        points=st.dictionaries(TEXT, POINTS, max_size=3),
    )
)
def test_what_is_dumped_loads_back_equal(settings):
    assert loads(dump(settings), Settings) == settings


def test_dumped_floats_read_as_numbers_everywhere():
    assert "rate: 1.0e-05" in dump(Settings(count=1, rate=1e-5))


def test_a_value_used_twice_is_dumped_without_anchors():
    point = Point(x=1.0)
    assert "&" not in dump(Settings(count=1, points={"a": point, "b": point}))
