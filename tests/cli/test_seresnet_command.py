"""`python -m seresnet train`, called as a function; the last test starts it as people do."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seresnet import __main__ as command
from seresnet import run as running
from seresnet import synthetic
from seresnet.config import TrainConfig
from seresnet.model_file import load_model
from seresnet.synthetic import make_synthetic

ROOT = Path(__file__).parents[2]
NARROW = ["warmup_epochs=0", "channels=(8, 8, 16, 16)", "batch_size=32", "precision=fp32"]


@pytest.fixture
def few_images(monkeypatch):
    """The embedded images, but only 100 of them."""
    few = make_synthetic(num=80, seed=0), make_synthetic(num=20, seed=1)
    monkeypatch.setattr(synthetic, "load_synthetic", lambda: few)


@pytest.fixture
def train(few_images, tmp_path, capsys):
    """Run the command in this process; return exit code, stdout and stderr."""

    def called(*arguments, epochs=1, settings=(), num_val=20):
        pairs = [part for setting in [*NARROW, *settings] for part in ("--set", setting)]
        given = ["--data", "synthetic", "--epochs", str(epochs), "--num-val", str(num_val)]
        argv = [*given, *pairs, "--out", str(tmp_path / "out"), "--device", "cpu", *arguments]
        return command.main(["train", *argv]), *capsys.readouterr()

    return called


def rows(stdout):
    """The epochs of the printed table, each a list of cells."""
    return [line.split() for line in stdout.splitlines() if re.match(r" +\d+ ", line)]


def refused(result, *, error, hint):
    """Assert exit code 2 with these two lines and nothing on stdout."""
    code, stdout, stderr = result
    assert code == 2
    assert stdout == ""
    assert re.search(f"^error: {error}", stderr, re.M), stderr
    assert re.search(f"^hint: {hint}", stderr, re.M), stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("epochs", [1, 3], ids=["one-epoch", "three-epochs"])
def test_training_prints_a_row_an_epoch_and_writes_the_model(train, tmp_path, epochs):
    code, stdout, stderr = train(epochs=epochs)
    heading, *_, tested, path = stdout.splitlines()
    assert code == 0
    assert len(stdout.splitlines()) == epochs + 3  # data only: progress goes to stderr
    assert "epochs" in stderr
    assert heading.split()[:3] == ["epoch", "train_loss", "val_loss"]
    assert [int(row[0]) for row in rows(stdout)] == list(range(1, epochs + 1))
    assert all(len(row) == len(heading.split()) for row in rows(stdout))
    assert re.fullmatch(r"test_accuracy 0\.\d{4} \(averaged weights, no mirroring\)", tested)
    assert path == str(tmp_path / "out" / "model.pt")
    _, config = load_model(tmp_path / "out" / "model.pt")
    assert (config.epochs, config.channels) == (epochs, (8, 8, 16, 16))


def test_metrics_are_the_printed_numbers_and_name_the_threads_asked_for(train, tmp_path):
    torch.set_num_threads(2)
    _, stdout, _ = train("--threads", "1")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    (row,) = rows(stdout)
    names = ("train_loss", "val_loss", "val_accuracy", "val_accuracy_raw", "lr")
    printed = [float(cell) for cell in row[1:6]]
    assert printed == pytest.approx([metrics[name] for name in names], abs=5e-5)
    assert f"test_accuracy {metrics['test_accuracy']:.4f}" in stdout
    assert metrics["threads"] == 1


def test_the_same_command_again_says_done_and_trains_nothing(train, tmp_path, monkeypatch):
    _, first, _ = train(epochs=2)
    monkeypatch.setattr(running, "run", lambda *_, **__: pytest.fail("it trained again"))
    code, stdout, stderr = train(epochs=2)
    assert (code, stdout.splitlines()) == (0, first.splitlines()[-2:])  # test accuracy and path
    assert f"{tmp_path / 'out'}: done already" in stderr


def test_an_interrupted_training_goes_on_with_the_same_command(train, monkeypatch):
    real = command._row

    def interrupted(result):
        if result.epoch == 2:
            raise KeyboardInterrupt
        return real(result)

    with monkeypatch.context() as patch:
        patch.setattr(command, "_row", interrupted)
        code, stdout, stderr = train(epochs=3)
    assert (code, [row[0] for row in rows(stdout)]) == (130, ["1"])
    typed = shlex.split(re.search("^interrupted: .*; to go on: (.*)$", stderr, re.M)[1])
    assert typed[:4] == ["python", "-m", "seresnet", "train"]
    assert command.main(typed[3:]) == 0
    assert "done already" in train(epochs=3)[2]


def test_without_a_hold_out_its_columns_are_dashes(train):
    _, stdout, _ = train(num_val=0)
    assert rows(stdout)[0][2:5] == ["-", "-", "-"]


def test_a_training_that_diverges_is_exit_code_1_with_a_remedy(train, tmp_path):
    code, _, stderr = train(settings=["lr=1e30"])
    assert code == 1
    assert re.search("^error: diverged in epoch 1: .*\nhint: lower lr, or lengthen", stderr, re.M)
    assert not (tmp_path / "out" / "model.pt").exists()


@pytest.mark.parametrize(
    "changes", [{"settings": ["dropout=0.3"]}, {"num_val": 30}], ids=["settings", "images"]
)
def test_a_folder_of_another_training_is_refused(train, tmp_path, changes):
    train()
    refused(
        train(**changes),
        error=f"{tmp_path / 'out'}: holds a run with other settings or on other images$",
        hint="give this run a folder of its own",
    )


# id: setting, error, hint
BAD_SETTINGS = {
    "misspelt": ("drop_out=0.1", r".*=0.1: .* TrainConfig, did you mean dropout\?$", "use one of"),
    "unknown": ("xyz=1", r"xyz=1: must be FIELD=VALUE with a field of TrainConfig$", "use one of"),
    "no-value": ("dropout", "dropout: must be FIELD=VALUE", "use one of epochs, batch_size, lr"),
    "no-field": ("=1", "=1: must be FIELD=VALUE", "use one of epochs, batch_size, lr"),
    "fraction": ("batch_size=64.5", "batch_size: must be like 128, got 64.5", "give a value"),
    "text": ("lr=fast", "lr: must be like 0.1, got fast", "give a value of that kind"),
    "code": ("lr=exit()", r"lr: must be like 0.1, got exit\(\)", "give a value of that kind"),
    "boolean": ("lr=True", "lr: must be like 0.1, got True", "give a value of that kind"),
    "empty": ("lr=", "lr: must be like 0.1, got $", "give a value of that kind"),
    "short": ("channels=(8, 8, 16)", r"channels: must be like \(32, 64, 128, 256\)", "give"),
    "float-width": ("channels=(8, 8, 16, 16.0)", "channels: must be like", "give a value"),
    "not-three": ("std=0.5", r"std: must be like \(0.35, 0.35, 0.35\), got 0.5", "give a value"),
    "high": ("dropout=1.5", r"dropout: must be in \[0, 1\), got 1.5$", "see seresnet/config.py"),
    "infinite": ("lr=1e999", "lr: must be finite, got inf$", "see seresnet/config.py"),
    "word": ("precision=fp16", "precision: must be auto, bf16 or fp32, got fp16$", "see seres"),
}


@pytest.mark.parametrize(("setting", "error", "hint"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_its_field_and_a_remedy(
    train, tmp_path, setting, error, hint
):
    refused(train(settings=[setting]), error=f"--set {error}", hint=hint)
    assert not (tmp_path / "out").exists()


def test_every_setting_out_of_range_is_told_at_once(few_images, capsys):
    code = command.main(["train", "--data", "synthetic", "--epochs", "5", "--set", "dropout=1.5"])
    assert code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: --set dropout: must be in [0, 1), got 1.5",
        "error: --set warmup_epochs: must be < epochs (5), got 15",
    ]


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("lr=1", 1.0), ("weight_decay=5e-3", 5e-3), ("warmup_epochs=3", 3),
        ("channels=[8, 16, 32, 64]", (8, 16, 32, 64)), ("std=(1, 0.5, 0.25)", (1.0, 0.5, 0.25)),
        (f"seed={2**62}", 2**62), ("precision=bf16", "bf16"), ("nesterov=true", True),
        ("decay_norms=False", False),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_is_read_as_its_fields_type(assignment, value):
    field = assignment.partition("=")[0]
    config = command.read_settings(None, [assignment])
    assert config == replace(TrainConfig(), **{field: value})
    assert type(getattr(config, field)) is type(value)


@pytest.mark.parametrize(
    "value", ["{[]: 1}", "1" + "0" * 400], ids=["unhashable", "integer-beyond-floats"]
)
def test_an_odd_literal_is_refused(train, value):
    refused(train(settings=[f"lr={value}"]), error="--set lr: must be", hint="give a value")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "hpu", "meta"])
def test_a_device_that_nothing_can_be_trained_on_is_refused(train, device):
    result = train("--device", device)
    refused(result, error=f"--device {device}: ", hint="use cpu, cuda or cuda:N")


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_missing_images_are_refused_with_the_download(tmp_path, capsys, folder):
    (tmp_path / "empty").mkdir()
    code = command.main(["train", "--data", str(tmp_path / folder)])
    error = f"{tmp_path / folder}: must hold CIFAR-10's cifar-10-batches-py"
    hint = "let --download fetch CIFAR-10 into this folder"
    refused((code, *capsys.readouterr()), error=error, hint=hint)


def test_a_file_in_the_place_of_the_folder_is_exit_code_3(train, tmp_path):
    (tmp_path / "out").write_text("not a folder")
    code, _, stderr = train()
    assert code == 3
    assert re.search(f"^error: .*{tmp_path / 'out'}", stderr, re.M)


@pytest.mark.parametrize(("flag", "num"), [([], 70), (["--num-val", "600"], 600)])
def test_a_tenth_of_the_images_is_held_out_unless_said(monkeypatch, flag, num):
    monkeypatch.setattr(synthetic, "load_synthetic", lambda: (make_synthetic(num=700, seed=0),) * 2)
    arguments = command._parser().parse_args(["train", "--data", "synthetic", *flag])
    train_data, val_data, _ = command._read_data(arguments)
    assert (len(train_data), len(val_data)) == (700 - num, num)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["train"],
        ["train", "--dat", "x"],
        ["train", "--data", "x", "--epochs", "1.5"],
        ["train", "--data", "x", "--threads", "0"],
    ],
    ids=["nothing", "unknown-command", "no-data", "abbreviation", "epochs-not-whole", "threads-0"],
)
def test_wrong_usage_is_exit_code_2_with_the_usage(capsys, argv):
    with pytest.raises(SystemExit) as caught:
        command.main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m seresnet")


@pytest.mark.parametrize(
    "argv",
    [["--help"], *([name, "--help"] for name in ("train", "predict", "evaluate", "export"))],
    ids=" ".join,
)
def test_help_ends_with_an_example_that_the_parser_accepts(capsys, argv):
    with pytest.raises(SystemExit) as caught:
        command.main(argv)
    assert caught.value.code == 0
    example = capsys.readouterr().out.split("example:\n")[1]
    python, dash_m, module, *typed = shlex.split(example)
    assert (python, dash_m, module) == ("python", "-m", "seresnet")
    arguments = command._parser().parse_args(typed)
    if typed[0] == "train":
        command.read_settings(arguments.epochs, arguments.set)


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from seresnet.__main__ import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'rich' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines()[-1] == "False False"


@pytest.mark.slow
def test_the_command_as_people_type_it_trains_on_the_embedded_images(tmp_path):
    typed = "--data synthetic --epochs 1 --set warmup_epochs=0 --set channels=(8,8,16,16)"
    done = subprocess.run(
        [sys.executable, "-m", "seresnet", "train", *typed.split(), "--set", "batch_size=256"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.endswith("results/seresnet/model.pt\n")
    assert (tmp_path / "results" / "seresnet" / "model.pt").is_file()
