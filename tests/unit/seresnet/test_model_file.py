import os
import pickle
import zipfile
from dataclasses import asdict, replace

import pytest
import torch

from seresnet import model_file
from seresnet.errors import CheckpointError, DamagedError
from seresnet.files import sha256_of
from seresnet.model import SEResNet
from seresnet.model_file import load_model, save_model


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    made = SEResNet(channels=tiny_config.channels).train()
    made(torch.randn(8, 3, 32, 32))  # moves the statistics of the norms
    return made


@pytest.fixture
def saved(model, tiny_config, tmp_path):
    save_model(model, tiny_config, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_model_and_settings_come_back_equal(model, tiny_config, saved):
    config = replace(tiny_config, std=(0.1, 0.2, 0.3), seed=2**63 - 1)
    save_model(model, config, saved)
    loaded, loaded_config = load_model(saved)
    assert loaded_config == config
    assert loaded_config.fingerprint() == config.fingerprint()
    theirs = loaded.state_dict()
    assert theirs.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in model.state_dict().items())


def test_a_loaded_model_predicts_what_the_saved_one_did(model, saved):
    images = torch.rand(2, 3, 32, 32)
    loaded, _ = load_model(saved)
    assert not loaded.training
    assert torch.equal(loaded(images), model.eval()(images))


def test_the_file_holds_plain_values_and_tensors_only(tiny_config, saved):
    content = torch.load(saved, weights_only=True)
    assert content.keys() == {"config", "state_dict", "sha256"}
    assert content["config"] == asdict(tiny_config)
    assert all(type(value) is torch.Tensor for value in content["state_dict"].values())


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5000])


def flip_the_zip_directory(path):
    content = bytearray(path.read_bytes())
    content[-22:] = b"\x00" * 22
    path.write_bytes(content)


def resave(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    if content.keys() == {"config", "state_dict", "sha256"}:
        content["sha256"] = model_file._digest(content["config"], content["state_dict"])
    torch.save(content, path)


def with_settings(**changes):
    return lambda path: resave(path, lambda content: content["config"].update(changes))


def without(key):
    return lambda path: resave(path, lambda content: content.pop(key))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(lambda p: p.unlink(), "No such file", id="missing"),
        pytest.param(lambda p: (p.unlink(), p.mkdir()), "Is a directory", id="folder"),
        pytest.param(lambda p: p.write_bytes(b""), ".", id="empty"),
        pytest.param(lambda p: p.write_text("ID,Labels\n0,1\n"), ".", id="text"),
        pytest.param(truncate, ".", id="truncated"),
        pytest.param(flip_the_zip_directory, ".", id="damaged"),
        pytest.param(lambda p: torch.save([1, 2], p), ".", id="list"),
        pytest.param(lambda p: torch.save(torch.zeros(3), p), ".", id="tensor"),
        pytest.param(without("config"), "config", id="no-settings"),
        pytest.param(without("state_dict"), "state_dict", id="no-weights"),
        pytest.param(with_settings(channels=[8, 16, 32, 64]), "another arch", id="other-widths"),
        pytest.param(without("sha256"), "sha256", id="no-checksum"),
        pytest.param(lambda p: p.write_bytes(bytes(p.stat().st_size)), ".", id="zero-filled"),
        pytest.param(with_settings(channels=[8, 8, 16]), ".", id="three-stages"),
        pytest.param(with_settings(dropout=1.5), "dropout: must be in", id="setting-out-of-range"),
        pytest.param(with_settings(lookahead=True), "lookahead", id="unknown-setting"),
        pytest.param(
            lambda p: resave(p, lambda c: c.update(state_dict=torch.nn.Linear(3, 4).state_dict())),
            "it is for another architecture: [0-9]+ missing, 2 unexpected keys$",
            id="other-architecture",
        ),
    ],
)
def test_a_file_that_is_no_model_is_one_line_with_file_reason_and_remedy(saved, damage, reason):
    damage(saved)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_model(saved)
    message = caught.value.message
    assert message.startswith(f"{saved}: cannot load this model: ")
    assert len(message.splitlines()) == 1
    assert caught.value.hint


def claim_old_version(content):
    """Let each module's weights claim to be of a version that had other keys."""
    content["state_dict"]._metadata = {name: {"version": 1} for name in ("", "stem.1")}


def test_what_a_file_claims_of_a_modules_version_changes_nothing(saved):
    sound = load_model(saved)[0].state_dict()
    resave(saved, claim_old_version)
    loaded = load_model(saved)[0].state_dict()
    assert all(torch.equal(loaded[name], sound[name]) for name in sound)


def spoil(value):
    """Put a value into the first weight."""
    return lambda path: resave(
        path, lambda c: next(iter(c["state_dict"].values())).view(-1)[:1].fill_(value)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, value):
    spoil(value)(saved)
    message = r"model\.pt: cannot load this model: it holds values that are not finite in 1 of \d+ "
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(saved)
    assert not isinstance(caught.value, DamagedError)  # its bytes are what was written


def test_a_changed_weight_with_the_old_checksum_is_damage(saved):
    content = torch.load(saved, weights_only=True)
    content["state_dict"]["stem.0.bias"][0] += 1
    torch.save(content, saved)
    with pytest.raises(DamagedError, match=r"it is damaged \(SHA-256 of its weights differs\)"):
        load_model(saved)


def test_a_file_other_than_the_one_expected_is_damage(saved):
    load_model(saved, sha256=sha256_of(saved))
    with pytest.raises(DamagedError, match=r"it is damaged \(SHA-256 differs\)"):
        load_model(saved, sha256="0" * 64)


class Shell:
    """Unpickled without care, this runs a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def plain(path, command):
    path.write_bytes(pickle.dumps(Shell(command), protocol=2))


def inside(path, command):
    """A real model file with the command among its weights."""
    torch.save({"config": {}, "state_dict": {"stem.0.weight": Shell(command)}}, path)
    assert b"system" in zipfile.ZipFile(path).read("model/data.pkl")


@pytest.mark.parametrize("write", [plain, inside], ids=["pickle", "model-file"])
def test_a_file_that_holds_a_command_executes_nothing(tmp_path, write):
    witness = tmp_path / "executed"
    write(tmp_path / "model.pt", f"touch {witness}")
    assert not witness.exists()
    with pytest.raises(CheckpointError, match=r"model\.pt: cannot load this model") as caught:
        load_model(tmp_path / "model.pt")
    assert not witness.exists()
    assert len(caught.value.message.splitlines()) == 1


def test_saving_leaves_no_temporary_file(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["model.pt"]
