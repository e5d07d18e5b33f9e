import hashlib
import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seresnet.errors import DataError
from seresnet.submission import MAX_PARAMETERS, write_submission

repeated = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
LABELS = [3, 0, 9, 3]
IDS = [12, -1, 10_000_000_000, 7]


def logits_of(labels):
    return torch.nn.functional.one_hot(torch.tensor(labels), 10).float() - 0.5


def write(path, *, labels=LABELS, ids=IDS, logits=None, **changes):
    settings = {"num_parameters": 2_818_122, "run": "mine", "provenance": {"seed": 0}} | changes
    logits = logits_of(labels) if logits is None else logits
    return write_submission(logits, torch.tensor(ids), path, **settings)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_rows_carry_the_files_ids_in_ascending_order(tmp_path):
    write(tmp_path / "submission.csv")
    expected = b"ID,Labels\n-1,0\n7,3\n12,3\n10000000000,9\n"
    assert (tmp_path / "submission.csv").read_bytes() == expected


def test_label_is_the_class_with_the_largest_logit(tmp_path):
    logits = torch.full((2, 10), -5.0)
    logits[0, 4], logits[0, 5] = -0.2, -0.1
    logits[1, 0] = 1e30
    write(tmp_path / "submission.csv", logits=logits, ids=[0, 1])
    assert (tmp_path / "submission.csv").read_text().splitlines()[1:] == ["0,5", "1,0"]


def test_sidecar_says_what_the_file_holds_and_what_made_it(tmp_path):
    path = tmp_path / "submission.csv"
    returned = write(path, provenance={"val_accuracy": 0.9, "model": "model.pt"})
    sidecar = json.loads((tmp_path / "submission.json").read_text())
    assert sidecar == {
        "run": "mine",
        "rows": 4,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "class_histogram": [1, 0, 0, 2, 0, 0, 0, 0, 0, 1],
        "num_parameters": 2_818_122,
        "is_eligible": True,
        "val_accuracy": 0.9,
        "model": "model.pt",
    }
    assert returned == sidecar
    assert names(tmp_path) == ["submission.csv", "submission.json"]


def rows_with(*bad):
    """Four rows of logits, the first of them spoilt."""
    logits = logits_of(LABELS)
    for row, value in enumerate(bad):
        logits[row, 2 * row] = float(value)
    return logits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"ids": [1, 2, 3, 2]}, "1 ids occur more than once", id="id-twice"),
        pytest.param({"ids": [5, 5, 5, 2]}, "2 ids occur more than once", id="id-thrice"),
        pytest.param(
            {"logits": rows_with("nan")}, "1 of 4 rows of logits are not finite", id="nan"
        ),
        pytest.param(
            {"logits": rows_with("inf", "-inf", "nan")},
            "3 of 4 rows of logits are not finite",
            id="infinite",
        ),
        pytest.param(
            {"logits": torch.full((4, 10), float("nan"))},
            "4 of 4 rows of logits are not finite",
            id="every-value-of-every-row",
        ),
        pytest.param(
            {"num_parameters": 5_000_001},
            "5000001 parameters, the competition allows 5000000",
            id="too-many-parameters",
        ),
        pytest.param({"ids": [1, 2, 3]}, r"3 ids, but logits of shape \(4, 10\)", id="few-ids"),
        pytest.param(
            {"logits": torch.zeros(4, 9)}, r"4 ids, but logits of shape \(4, 9\)", id="nine-classes"
        ),
        pytest.param({"logits": torch.zeros(4)}, r"4 ids, but logits of shape \(4,\)", id="labels"),
        pytest.param({"logits": torch.zeros(4, 1, 10)}, r"shape \(4, 1, 10\)", id="three-axes"),
    ],
)
def test_a_check_that_fails_writes_nothing(tmp_path, changes, message):
    with pytest.raises(DataError, match=f"^submission: .*{message}"):
        write(tmp_path / "submission.csv", **changes)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"logits": rows_with("nan")}, "lower lr"),
        ({"num_parameters": 5_000_001}, "narrower channels"),
        ({"ids": [1, 2, 3, 2]}, "test file"),
        ({"ids": [1, 2, 3]}, "the file that the ids come from"),
    ],
    ids=["not-finite", "parameters", "repeated-ids", "few-ids"],
)
def test_a_check_that_fails_names_the_remedy(tmp_path, changes, remedy):
    with pytest.raises(DataError, match=r"^submission: ") as caught:
        write(tmp_path / "submission.csv", **changes)
    assert remedy in caught.value.hint


def test_exactly_the_allowed_number_of_parameters_is_accepted(tmp_path):
    assert MAX_PARAMETERS == 5_000_000
    write(tmp_path / "submission.csv", num_parameters=5_000_000)
    assert (tmp_path / "submission.csv").exists()


def test_a_check_that_fails_keeps_the_old_submission(tmp_path):
    write(tmp_path / "submission.csv")
    before = [(tmp_path / name).read_bytes() for name in names(tmp_path)]
    with pytest.raises(DataError, match="not finite"):
        write(tmp_path / "submission.csv", logits=rows_with("nan"))
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == before


def test_a_run_overwrites_its_own_submission(tmp_path):
    path = tmp_path / "submission.csv"
    write(path)
    write(path, labels=[1, 1, 1, 1])
    assert path.read_text().splitlines()[1:] == ["-1,1", "7,1", "12,1", "10000000000,1"]
    sidecar = json.loads((tmp_path / "submission.json").read_text())
    assert sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "sidecar",
    [
        pytest.param('{"run": "theirs"}', id="another-run"),
        pytest.param(None, id="no-sidecar"),
        pytest.param("{", id="damaged-sidecar"),
        pytest.param("[]", id="sidecar-of-another-kind"),
        pytest.param('{"rows": 4}', id="sidecar-without-a-run"),
        pytest.param("", id="empty-sidecar"),
        pytest.param("\0" * 40, id="zero-filled-sidecar"),
        pytest.param("[" * 100_000, id="deep-sidecar"),
        pytest.param("1" * 5000, id="number-too-long"),
    ],
)
def test_a_submission_that_is_not_this_runs_is_refused_and_kept(tmp_path, sidecar):
    path = tmp_path / "submission.csv"
    path.write_text("ID,Labels\n0,0\n")
    if sidecar is not None:
        path.with_suffix(".json").write_text(sidecar)
    before = names(tmp_path)
    with pytest.raises(DataError, match=rf"^{path}: another run's submission") as caught:
        write(path)
    assert "submission.json" in caught.value.message
    assert caught.value.hint == "move it away, then run the same command"
    assert path.read_text() == "ID,Labels\n0,0\n"
    assert names(tmp_path) == before


@given(st.binary(max_size=120))
@repeated
def test_a_sidecar_of_any_bytes_vouches_for_no_submission(tmp_path, content):
    path = tmp_path / "submission.csv"
    path.write_text("ID,Labels\n0,0\n")
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(DataError, match="another run's submission"):
        write(path)
    assert path.with_suffix(".json").read_bytes() == content


def test_a_json_file_that_is_no_sidecar_is_kept_though_there_is_no_submission(tmp_path):
    (tmp_path / "study.json").write_text('{"starts": []}')
    with pytest.raises(DataError, match="another run's submission"):
        write(tmp_path / "study.csv")
    assert (tmp_path / "study.json").read_text() == '{"starts": []}'


def test_too_many_parameters_are_marked_where_they_may_be(tmp_path):
    path = tmp_path / "submission.csv"
    assert not write(path, num_parameters=5_000_001, may_exceed=True)["is_eligible"]
    assert write(path, num_parameters=5_000_000, may_exceed=True)["is_eligible"]


def test_a_sidecar_cut_or_with_a_bit_flipped_is_refused_or_written_anew(tmp_path):
    path = tmp_path / "submission.csv"
    write(path)
    sound = [(tmp_path / name).read_bytes() for name in names(tmp_path)]
    sidecar, outcomes = sound[1], set()
    flips = [(position, 1 << position % 8) for position in range(len(sidecar))]
    damaged = [bytes(c ^ bit * (k == at) for k, c in enumerate(sidecar)) for at, bit in flips]
    for content in [*damaged, *(sidecar[:length] for length in range(len(sidecar)))]:
        path.with_suffix(".json").write_bytes(content)
        try:
            write(path)
        except DataError:
            outcomes.add("refused")
            assert path.read_bytes() == sound[0]
        else:
            outcomes.add("written anew")
            assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == sound
    assert outcomes == {"refused", "written anew"}


def test_a_submission_that_is_a_link_is_replaced_and_its_target_kept(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    path = tmp_path / "submission.csv"
    path.symlink_to(target)
    path.with_suffix(".json").write_text('{"run": "mine"}')
    write(path)
    assert target.read_text() == "precious"
    assert not path.is_symlink()
