"""Study files of any content: a study or a ConfigError that can be shown, never anything else."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.study.space import StudyConfig, dump_study, load_study
from seresnet.errors import ConfigError

STUDY = b"""\
study: {num_trials: 4, min_epochs: 4, max_epochs: 8}
train: {warmup_epochs: 1}
space:
  dropout: {low: 0.0, high: 0.5}
  warmup_epochs: {low: 0, high: 3}
baseline: {dropout: 0.2, warmup_epochs: 2}
recipes: {v1.2: {dropout: 0.1, warmup_epochs: 0}}
retrain: {epochs: 9, seeds: [0, 1]}
"""
many = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

SECTIONS = ["study", "data", "train", "space", "baseline", "recipes", "sampler", "pruner",
            "resources", "confirm", "retrain"]  # fmt: skip
KEYS = ["num_trials", "min_epochs", "max_epochs", "seed", "num_val", "source", "lr", "dropout",
        "warmup_epochs", "channels", "low", "high", "log", "name", "epochs", "seeds",
        "top"]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.fixture
def outcome(tmp_path):
    """Load a file of these bytes; return a study that is whole, or none after a fair complaint."""

    def load(content):
        path = tmp_path / "s.yaml"
        path.write_bytes(content)
        try:
            config = load_study(path)
        except ConfigError as error:
            complaint = error
        else:
            complaint = None
        if complaint:
            lines = complaint.message.split("\n")
            assert all(line.startswith((f"{path}:", "hint: ")) for line in lines), lines
            assert all(line.isprintable() and len(line) < 2000 for line in lines), lines
            assert complaint.hint
            return None
        again = tmp_path / "again.yaml"
        again.write_text(dump_study(config))
        assert load_study(again) == config
        return config

    return load


@given(st.binary(max_size=200))
@many
def test_any_bytes_are_refused_with_the_files_name(outcome, content):
    assert outcome(content) is None


@given(st.text(st.characters(codec="utf-8"), max_size=200))
@many
def test_any_text_is_refused_with_the_files_name(outcome, content):
    assert outcome(content.encode()) is None


@given(st.text("{}[]:,-?&*!|>'\"%@`#~<= \n\t01eE.xyu\\", max_size=60))
@many
def test_any_text_of_yamls_own_signs_is_refused_with_the_files_name(outcome, content):
    assert outcome(content.encode()) is None


@given(st.dictionaries(st.sampled_from(SECTIONS), VALUES, max_size=6))
@many
def test_sections_of_any_content_are_a_study_or_refused(outcome, sections):
    outcome(yaml.safe_dump(sections, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(SECTIONS), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
@many
def test_one_section_of_any_content_in_a_sound_study_is_a_study_or_refused(outcome, name, section):
    content = {**yaml.safe_load(STUDY), name: section}
    outcome(yaml.safe_dump(content).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("remainder", range(8))
def test_a_study_cut_anywhere_is_a_study_or_refused(outcome, remainder):
    assert isinstance(outcome(STUDY), StudyConfig)
    for end in range(remainder, STUDY.index(b"recipes"), 8):
        config = outcome(STUDY[:end])
        assert config is None or end > STUDY.index(b"baseline")


@given(st.data())
@many
def test_a_study_with_any_bytes_changed_is_a_study_or_refused(outcome, data):
    content = bytearray(STUDY)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    outcome(bytes(content))


def test_a_file_that_never_ends_is_read_no_further_than_a_study_may_be_long():
    with pytest.raises(ConfigError, match="must be at most 64 KB, got more"):
        load_study(Path("/dev/zero"))
