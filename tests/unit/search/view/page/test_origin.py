import json
import re

import pytest
import studies

from search.study.space import dump_study, loads_resolved
from search.view.page.origin import config, provenance, reproduction


def text_of(section):
    plain = re.sub(r"\s*<[^>]*>\s*", "\n", section.render())
    return plain.replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">").replace(
        "&quot;", '"').replace("&amp;", "&")  # fmt: skip


def test_the_study_file_can_be_copied_from_the_page(whole):
    shown = text_of(config(whole)).split("folder.\n", 1)[1]
    assert loads_resolved(shown, name="page") == whole.config
    assert dump_study(whole.config).strip() in shown


def test_code_versions_machine_and_images_are_named(whole):
    text = text_of(provenance(whole))
    for part in (whole.id, "newest start, commit", "torch 2.", "cpus ", "train_sha256 aaaa"):
        assert part in text


def test_the_commands_stand_as_typed_and_the_replay_last(whole):
    text = text_of(reproduction(whole))
    lines = [line for line in text.splitlines() if line.startswith(("git", "echo", "python"))]
    assert lines[0].startswith("git checkout ")
    assert lines[1] == f"echo '{studies.HOSTILE}'"
    assert lines[2].startswith("python -m search.replay --study ")


@pytest.fixture
def single(tmp_path):
    return studies.snapshot_of(studies.single, tmp_path / "one")


def changed(snapshot, **facts):
    path = snapshot.folder.provenance
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return snapshot


@pytest.mark.parametrize(
    "starts",
    [[], "none", [3, None], [{"command": ["a"], "commit": {"b": 1}, "versions": "c"}], [{}]],
    ids=["none", "text", "numbers", "other kinds", "empty"],
)
def test_a_file_that_somebody_wrote_is_shown_as_far_as_it_goes(single, starts):
    snapshot = changed(single, starts=starts)
    assert single.id in text_of(provenance(snapshot))
    assert "search.replay" in text_of(reproduction(snapshot))
    assert "git checkout" not in text_of(reproduction(snapshot))


def test_other_versions_and_changed_files_are_said(single):
    starts = [{"command": "a", "commit": "1" * 40, "dirty": True}, {"command": "b", "commit": None}]
    text = text_of(reproduction(changed(single, starts=starts)))
    assert "The starts ran 2 versions of the code." in text
    assert "Tracked files were changed beside the commit." in text


@pytest.mark.parametrize("content", ["", "[1]", "{" * 10_000])
def test_a_file_that_cannot_be_read_is_said(single, content):
    single.folder.provenance.write_text(content)
    assert "nothing is known of what made this study" in text_of(provenance(single))
    assert "search.replay" in text_of(reproduction(single))
