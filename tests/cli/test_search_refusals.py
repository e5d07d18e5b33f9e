"""What the commands refuse: exit code 2, one `error:`, one `hint:`, and nothing is written."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import ray

from search import retrain, tune

CIFAR_STUDY = """\
study: {num_trials: 2, min_epochs: 1, max_epochs: 1}
data: {source: cifar10, num_val: 10}
train: {warmup_epochs: 0}
space: {dropout: {low: 0.0, high: 0.5}}
baseline: {dropout: 0.2}
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty folder to work in, and a Ray that must not be started."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    return folder


@pytest.fixture
def told(capsys):
    """A function that returns the lines of stderr after seeing that they are an error."""

    def told(code):
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        lines = captured.err.splitlines()
        assert [line.partition(":")[0] for line in lines] == ["error", "hint"], captured.err
        assert code == 2
        return lines

    return told


@pytest.mark.parametrize("is_dry", [True, False], ids=["dry-run", "run"])
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(
            "num_trials: 6", "num_trails: 6", "tiny.yaml:1: study.num_trails: unknown key", id="key"
        ),
        pytest.param(
            "retrain:", "study: {}\nretrain:",
            "tiny.yaml:11: study: must be given once, got it on lines 1 and 11",
            id="repeated-key",
        ),
        pytest.param(
            "low: 0.0, high: 0.5", "low: 0.5, high: 0.2",
            "tiny.yaml:5: space.dropout.low: must be <= high (0.2), got 0.5",
            id="reversed-bounds",
        ),
        pytest.param(
            "low: 0.0, high: 0.5", "low: 0.0, high: 0.5, log: true",
            "tiny.yaml:5: space.dropout.low: must be > 0 when `log` is true, got 0.0",
            id="log-of-zero",
        ),
        pytest.param(
            "[0]", "!!python/object/apply:os.system [0]",
            "tiny.yaml:11: must not use a tag, got !!python/object/apply:os.system",
            id="python-tag",
        ),
        pytest.param("{name: tpe", "{name: tpe,,", "must be valid YAML", id="no-yaml"),
    ],
)  # fmt: skip
def test_a_bad_study_file_is_refused_at_its_line(
    study_file, workplace, told, is_dry, old, new, complaint
):
    text = study_file.read_text()
    assert old in text
    study_file.write_text(text.replace(old, new, 1))
    flags = ["--dry-run"] if is_dry else []
    error, hint = told(tune.main(["--space", str(study_file), *flags]))
    assert error.startswith(f"error: {study_file}:")
    assert complaint in error
    assert hint > "hint: "
    assert list(workplace.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        pytest.param(["--name", "../x"], "--name: must be", id="name-outside"),
        pytest.param(["--name", ""], "--name: must be", id="no-name"),
        pytest.param(["--num-trials", "0"], "--num-trials: study.num_trials: must be", id="zero"),
        pytest.param(["--gpus-per-trial", "1.5"], "--gpus-per-trial: resources", id="gpus"),
        pytest.param(["--max-concurrent", "0"], "--max-concurrent: resources", id="concurrent"),
        pytest.param(["--seed", "-1"], "--seed: study.seed", id="seed"),
        pytest.param(["--test", "nowhere.pkl"], "nowhere.pkl: cannot read", id="test-images"),
    ],
)
def test_a_bad_flag_is_refused_by_name(study_file, workplace, tmp_path, told, flags, complaint):
    error, _ = told(tune.main(["--space", str(study_file), *flags]))
    assert complaint in error
    assert list(workplace.iterdir()) == []
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "path", ["nowhere.yaml", ".", "two words.yaml"], ids=["missing", "a-folder", "no-name"]
)
def test_a_study_file_that_cannot_be_read_or_lend_its_name_is_refused(
    study_file, workplace, tmp_path, told, path
):
    (tmp_path / "two words.yaml").write_text(study_file.read_text())
    error, hint = told(tune.main(["--space", str(tmp_path / path)]))
    assert "cannot be read" in error or "--name" in hint
    assert list(workplace.iterdir()) == []


@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry-run"])
def test_a_study_file_that_calls_a_function_is_refused_and_nothing_is_executed(
    study_file, workplace, capsys, flags
):
    call = "!!python/object/apply:os.system ['touch executed']"
    study_file.write_text(study_file.read_text().replace("seed: 7", f"seed: {call}"))
    assert tune.main(["--space", str(study_file), *flags]) == 2
    captured = capsys.readouterr()
    assert "tiny.yaml:1: must not use a tag, got !!python/object/apply:os.system" in captured.err
    assert captured.err.count("hint: ") == 1
    assert captured.out == ""
    assert list(workplace.iterdir()) == []


class Execute:
    """Pickles as a call of os.system."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def batch(num=40):
    labels = [k % 10 for k in range(num)]
    return {b"data": np.zeros((num, 3072), dtype=np.uint8), b"labels": labels}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(pickle.dumps(batch())[:-1000], "data_batch_4", id="truncated"),
        pytest.param(b"", "data_batch_4", id="empty"),
        pytest.param(
            pickle.dumps({b"data": Execute("executed"), b"labels": [0]}),
            "refused to load global posix.system",
            id="executes",
        ),
        pytest.param(
            pickle.dumps({**batch(), b"labels": 40 * [10]}),
            "labels: must lie in 0 to 9",
            id="labels",
        ),
    ],
)
def test_bad_images_are_refused_and_nothing_is_executed(
    workplace, tmp_path, told, content, complaint
):
    space, data = tmp_path / "cifar.yaml", tmp_path / "data"
    space.write_text(CIFAR_STUDY)
    data.mkdir()
    for k in range(1, 6):
        (data / f"data_batch_{k}").write_bytes(content if k == 4 else pickle.dumps(batch()))
    error, _ = told(tune.main(["--space", str(space), "--data", str(data)]))
    assert f"{data}/data_batch_4" in error
    assert complaint in error
    assert list(workplace.iterdir()) == []
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.parametrize("exists", [True, False], ids=["empty", "missing"])
def test_a_data_folder_without_images_is_named_with_the_remedy(workplace, tmp_path, told, exists):
    space, data = tmp_path / "cifar.yaml", tmp_path / "my images"
    space.write_text(CIFAR_STUDY)
    if exists:
        data.mkdir()
    error, hint = told(tune.main(["--space", str(space), "--data", str(data)]))
    assert str(data) in error
    assert "--download" in hint
    assert list(workplace.iterdir()) == []
    assert data.exists() == exists


def test_download_fetches_into_the_data_folder(tmp_path, monkeypatch, told):
    fetched = []
    monkeypatch.setattr("seresnet.download.download", fetched.append)
    (tmp_path / "cifar.yaml").write_text(CIFAR_STUDY)
    command = ["--space", str(tmp_path / "cifar.yaml"), "--data", "here", "--download"]
    told(tune.main(command))  # there is still nothing there
    assert fetched == [Path("here")]


@pytest.mark.parametrize("exists", [True, False], ids=["empty", "missing"])
def test_a_folder_without_a_study_cannot_be_retrained(workplace, tmp_path, told, exists):
    folder = tmp_path / "results" / "nothing"
    if exists:
        folder.mkdir(parents=True)
    error, hint = told(retrain.main(["--study", str(folder)]))
    assert f"{folder}: holds no study" in error
    assert "results/demo" in hint
    assert folder.exists() == exists
    assert not exists or list(folder.iterdir()) == []
