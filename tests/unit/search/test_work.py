import contextlib
import json
from argparse import Namespace

import pytest
import ray
from optuna.storages import InMemoryStorage

from search import cli, work
from search.engine.grants import Grant
from search.engine.packing import Row
from search.interrupts import StopRequest
from search.study.dataset import Dataset
from search.study.ledger import Ledger
from search.study.provenance import record_start
from search.study.space import load_study


def test_options_default_to_this_machine_the_data_folder_and_the_studys_own_database():
    parser = cli.make_parser("search.test", "", "")
    work.add_options(parser)
    arguments = parser.parse_args([])
    assert (str(arguments.data), arguments.download, arguments.recover) == ("data", False, False)
    assert (arguments.test, arguments.address, arguments.storage) == (None, None, None)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """What is measured on a pretended machine of one GPU and four CPUs, without MPS."""
    asked = []

    def measure(load, trials, pipe, *, cpus):
        asked.append((trials, cpus))
        return Row(trials, images_per_second=100.0 * trials)

    monkeypatch.setenv("PATH", str(tmp_path))
    node = {"Alive": True, "Resources": {"CPU": 4, "GPU": 1}}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    monkeypatch.setattr("search.engine.cluster.session", lambda **_: contextlib.nullcontext())
    monkeypatch.setattr("search.engine.nodes.probe", lambda *_: None)
    monkeypatch.setattr(
        "search.engine.cluster.usable_grant",
        lambda given, **_: Grant(given.cpus_per_trial, given.gpus_per_trial != 0, 1, "H200"),
    )
    monkeypatch.setattr("search.engine.measuring.measure", measure)
    return asked


@pytest.fixture
def start(study_file, study_dir, tiny_split):
    """A function that starts a command on the study; returns the grant and the start's record."""
    storage = InMemoryStorage()

    def start(slots_at_most=None, **resources):
        flags = {f"resources.{key}": value for key, value in resources.items()}
        ledger = Ledger.open(storage, load_study(study_file, flags))
        arguments = Namespace(address=None, verbose=False, stop=StopRequest(print, ""))
        dataset = Dataset(tiny_split, tiny_split, {})
        study = work.Work(study_dir, ledger, dataset, None, None, "here", arguments)
        record_start(study_dir.provenance, ledger, {}, command="again", stored_in="here")
        with work.workers(study, slots_at_most=slots_at_most) as granted:
            record = json.loads(study_dir.provenance.read_text())["starts"][-1]
            return granted, record.get("packing")

    return start


def test_how_many_trials_share_a_gpu_is_measured_once_and_kept(measured, start, capsys):
    granted, record = start()
    assert granted == Grant(1, 0.25, 4, "H200")
    assert measured == [(1, 1), (2, 1), (4, 1)]
    assert record["choice"] == {"trials": 4, "is_mps": False}
    assert record["mps"] == "not tried: no nvidia-cuda-mps-control on PATH"
    assert [row["images_per_second"] for row in record["rows"]] == [100, 200, 400]
    assert not record["is_reused"]
    assert "trials a GPU: 2 on a GPU: 200 images/s" in capsys.readouterr().err
    again, record = start()
    assert (again, len(measured), record["is_reused"]) == (granted, 3, True)
    assert "as measured on " in capsys.readouterr().err
    assert start(slots_at_most=2)[0] == Grant(1, 0.25, 2, "H200")
    assert len(measured) == 3


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param({"gpus_per_trial": 0.5}, id="a-fraction"),
        pytest.param({"gpus_per_trial": 1}, id="one"),
        pytest.param({"gpus_per_trial": 0}, id="none"),
        pytest.param({"max_concurrent": 1}, id="one-at-once"),
        pytest.param({"cpus_per_trial": 3}, id="cpus-for-one"),
    ],
)
def test_where_nothing_is_left_to_choose_nothing_is_measured(measured, start, resources):
    granted, record = start(**resources)
    assert granted.slots == 1  # that of usable_grant
    assert (measured, record) == ([], None)


def test_no_more_are_tried_than_may_run_at_once(measured, start):
    granted, record = start(max_concurrent=2)
    assert (granted.gpus, granted.slots, record["candidates"]) == (0.5, 2, [1, 2])
