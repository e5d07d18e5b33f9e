"""Who follows a search where nobody asked, where something is missing, and what they are told."""

import subprocess
import sys
from argparse import ArgumentParser

import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, result, run
from search.study.ledger import Ledger
from search.view import followers
from search.view.event_files import EventFiles
from seresnet.errors import ConfigError


def arguments(*flags):
    parser = ArgumentParser()
    followers.add_options(parser)
    return parser.parse_args(flags)


def test_nobody_follows_unless_asked():
    assert (arguments().tensorboard, arguments().mlflow) == (False, None)
    followers.refuse_flags(arguments())
    with followers.opened(arguments(), None, None) as others:
        assert others == []


def test_what_is_off_is_not_imported():
    """In a process of its own, with the command's modules as a search loads them."""
    code = """
import sys, search.tune, search.work, search.view.live
from search.view import followers
from argparse import ArgumentParser
followers.add_options(parser := ArgumentParser())
followers.refuse_flags(parser.parse_args([]))
with followers.opened(parser.parse_args([]), None, None):
    print(sorted({"mlflow", "tensorboard", "alembic"} & {*sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("flags", "module", "missing"),
    [
        (["--tensorboard"], "event_files", "tensorboard.compat.proto.event_pb2"),
        (["--mlflow", "sqlite:///a.db"], "mlflow_runs", "mlflow.entities"),
    ],
    ids=["tensorboard", "mlflow"],
)
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, flags, module, missing):
    monkeypatch.delitem(sys.modules, f"search.view.{module}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=f"{flags[0]}: what it needs is not installed") as caught:
        followers.refuse_flags(arguments(*flags))
    assert caught.value.hint == f'pip install -e ".[{flags[0].strip("-")}]"'


def test_an_address_that_cannot_serve_is_refused_before_anything_begins():
    with pytest.raises(ConfigError, match="--mlflow: must be sqlite"):
        followers.refuse_flags(arguments("--mlflow", "mlruns"))


def test_event_files_lie_in_the_study_folder(study_dir):
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    with followers.opened(arguments("--tensorboard"), study_dir, ledger) as (files,):
        assert isinstance(files, EventFiles)
        ledger.observe = files.trial_changed
        run(ledger, 0.5)
    assert [path.name for path in study_dir.tensorboard.iterdir()] == ["t0000"]


def test_points_are_the_epochs_in_their_order_with_what_is_known():
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    trial = ledger.trials[run(ledger, 0.1, 0.2)]
    first, second = followers.points(trial)
    assert (first.epoch, second.epoch) == (1, 2)
    assert tuple(first.values) == followers.METRICS
    assert second.at - first.at == pytest.approx(result(2, 0.2).seconds)
    assert first.at - trial.began.timestamp() == pytest.approx(result(1, 0.1).seconds)


def test_a_study_read_again_tells_the_same_points():
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, CONFIG)
    run(ledger, 0.1, 0.2)
    (again,) = Ledger.load(storage).trials
    assert followers.points(again) == followers.points(ledger.trials[0])
