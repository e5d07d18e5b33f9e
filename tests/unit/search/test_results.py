import math
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.results import (
    Tables,
    incumbent,
    read_epochs,
    read_records,
    read_trials,
    trial_row,
    write_tables,
)
from search.study.records import Host, TrialRecord
from seresnet.epoch import EpochResult
from seresnet.errors import DataError

HOST = Host(node="node,1", device="cuda NVIDIA H200", dtype="bfloat16", threads=4)
AWKWARD = [
    "nan",
    "NA",
    "None",
    "=1+1",
    "",
    " ",
    "a,b",
    'say "so"',
    "two\nlines",
    "-",
    "1e5",
    "#",
    "é",
]
# Neither a surrogate nor a zero byte is text that a table could hold.
TEXTS = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SHARES = st.floats(0, 1)


def result(epoch, value=0.5, **changes):
    numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 2.0}
    numbers |= {"val_accuracy_raw": 0.25, "images_per_second": 100.0, **changes}
    return EpochResult(epoch=epoch, val_accuracy=value, **numbers)


def trial(number, state="COMPLETE", *values, **changes):
    epochs = {k: result(k, value) for k, value in enumerate(values, 1)}
    params = {"dropout": 0.1 * number, "warmup_epochs": number}
    return TrialRecord(number=number, params=params, state=state, epochs=epochs, **changes)


@st.composite
def records(draw):
    """One trial as the study may hold it, with or without epochs, host and error."""
    optional = st.none() | NUMBERS
    values = draw(st.lists(st.tuples(SHARES, NUMBERS, NUMBERS, optional), max_size=3))
    epochs = {
        k: result(k, share, val_accuracy_raw=draw(SHARES), train_loss=x, lr=y, val_loss=z)
        for k, (share, x, y, z) in enumerate(values, 1)
    }
    host = st.builds(Host, node=TEXTS, device=TEXTS, dtype=TEXTS, threads=st.integers(1, 256))
    return TrialRecord(
        number=draw(st.integers(0, 20_000)),
        params={"dropout": draw(NUMBERS), "warmup_epochs": draw(st.integers(0, 99))},
        name=draw(TEXTS),
        seed=draw(st.integers(0, 2**31 - 1)),
        state=draw(st.sampled_from(["RUNNING", "COMPLETE", "PRUNED", "FAIL"])),
        stop_reason=draw(TEXTS),
        epochs=epochs,
        attempts=draw(st.integers(0, 9)),
        error_kind=draw(TEXTS),
        error=draw(TEXTS),
        host=draw(st.none() | host),
    )


def cells(row, dtypes):
    """Return a row as pandas is to hold it: no text is the empty text, no number is missing."""
    kinds = {name: str(dtype) for name, dtype in dtypes.items()}
    empty = {name: "" if kind == "string" else None for name, kind in kinds.items()}
    return {**empty, **{name: value for name, value in row.items() if value is not None}}


def same(read, written):
    return bool(pd.isna(read)) if written is None else read == written


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(trials=st.lists(records(), min_size=1, max_size=3))
def test_the_tables_survive_the_file(tmp_path, trials):
    write_tables(trials, tmp_path)
    table, epochs = read_trials(tmp_path), read_epochs(tmp_path)
    assert len(table) == len(trials)
    for (_, read), record in zip(table.iterrows(), trials, strict=True):
        for name, value in cells(trial_row(record), table.dtypes).items():
            assert same(read[name], value), name
    flat = [(t.id, e) for t in trials for e in t.epochs.values()]
    assert list(epochs["trial"]) == [name for name, _ in flat]
    for column in ("epoch", "train_loss", "val_loss", "val_accuracy", "lr"):
        for read, (_, written) in zip(epochs[column], flat, strict=True):
            assert same(read, getattr(written, column))


def test_the_columns_stand_in_the_order_of_the_documentation(tmp_path):
    write_tables([trial(0, "COMPLETE", 0.5, host=HOST)], tmp_path)
    assert (tmp_path / "trials.csv").read_text().splitlines()[0] == (
        "trial,name,state,stop_reason,dropout,warmup_epochs,val_accuracy,val_accuracy_raw,val_loss,"
        "epochs,seconds,images_per_second,seed,attempts,error_kind,error,node,device,dtype,threads"
    )
    assert (tmp_path / "epochs.csv").read_text().splitlines()[0] == (
        "trial,epoch,train_loss,val_loss,val_accuracy,val_accuracy_raw,lr,seconds,images_per_second"
    )


@pytest.mark.parametrize(
    "trials",
    [
        pytest.param([], id="no-trials"),
        pytest.param([trial(0, "RUNNING")], id="nothing-to-tell-yet"),
        pytest.param([trial(0, "RUNNING"), trial(1, "COMPLETE", 0.5, host=HOST)], id="mixed"),
    ],
)
def test_the_kinds_of_the_columns_do_not_depend_on_the_rows(tmp_path, trials):
    write_tables(trials, tmp_path)
    kinds = {name: str(dtype) for name, dtype in read_trials(tmp_path).dtypes.items()}
    texts = ("trial", "name", "state", "stop_reason", "error_kind", "error", "node", "device")
    assert {kinds[name] for name in (*texts, "dtype")} == {"string"}
    floats = ("val_accuracy", "val_accuracy_raw", "val_loss", "seconds", "images_per_second")
    assert {kinds[name] for name in floats} == {"float64"}
    assert {kinds[name] for name in ("epochs", "seed", "attempts")} == {"int64"}
    assert kinds["threads"] == "Int64"
    kinds = {name: str(dtype) for name, dtype in read_epochs(tmp_path).dtypes.items()}
    assert (kinds.pop("trial"), kinds.pop("epoch")) == ("string", "int64")
    assert set(kinds.values()) == {"float64"}


def test_a_trial_without_epochs_has_no_value_and_no_time(tmp_path):
    write_tables([trial(0, "RUNNING")], tmp_path)
    (row,) = read_trials(tmp_path).to_dict("records")
    assert (row["trial"], row["epochs"], row["node"]) == ("t0000", 0, "")
    missing = ("val_accuracy", "val_accuracy_raw", "val_loss", "seconds", "images_per_second")
    assert all(math.isnan(row[name]) for name in missing)
    assert pd.isna(row["threads"])
    assert read_epochs(tmp_path).empty


def test_a_row_tells_the_last_epochs_values_the_total_time_and_the_mean_speed():
    record = trial(3, "PRUNED", name="bare", seed=5, attempts=2, host=HOST)
    record.epochs = {
        2: result(2, 0.75, seconds=3.0, images_per_second=300.0, val_loss=0.5),
        1: result(1, 0.5, seconds=2.0, images_per_second=100.0),
    }
    row = trial_row(record)
    assert (row["val_accuracy"], row["val_loss"], row["val_accuracy_raw"]) == (0.75, 0.5, 0.25)
    assert (row["epochs"], row["seconds"], row["images_per_second"]) == (2, 5.0, 200.0)
    assert (row["trial"], row["name"], row["attempts"]) == ("t0003", "bare", 2)
    assert (row["device"], row["threads"]) == ("cuda NVIDIA H200", 4)


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        pytest.param([trial(0, "COMPLETE", 0.5), trial(1, "COMPLETE", 0.7)], "t0001", id="best"),
        pytest.param(
            [
                trial(0, "PRUNED", 0.9),
                trial(1, "FAIL", 0.9),
                trial(2, "RUNNING", 0.9),
                trial(3, "COMPLETE", 0.1),
            ],
            "t0003",
            id="none-but-a-complete-one",
        ),
        pytest.param(
            [trial(k, "COMPLETE", (0.4, 0.5, 0.6)[k % 3]) for k in range(100)],
            "t0002",
            id="of-equals-the-earliest",
        ),
        pytest.param(
            [trial(0, "COMPLETE", 0.9, 0.1), trial(1, "COMPLETE", 0.2, 0.2)],
            "t0001",
            id="at-its-end",
        ),
    ],
)
def test_the_incumbent_is_the_best_at_full_budget(tmp_path, trials, expected):
    write_tables(trials, tmp_path)
    assert incumbent(read_trials(tmp_path))["trial"] == expected


@pytest.mark.parametrize("trials", [[], [trial(0, "PRUNED", 0.9)]], ids=["none", "pruned"])
def test_without_a_complete_trial_there_is_no_incumbent(tmp_path, trials):
    write_tables(trials, tmp_path)
    with pytest.raises(DataError, match="no trial is complete"):
        incumbent(read_trials(tmp_path))


@pytest.mark.parametrize("read", [read_trials, read_epochs])
def test_a_folder_without_tables_is_an_error_that_names_the_file(tmp_path, read):
    with pytest.raises(DataError, match=rf"{tmp_path}.*\.csv: no such table") as caught:
        read(tmp_path)
    assert "study folder" in caught.value.hint


def test_tables_are_written_anew_and_nothing_else_is_left(tmp_path):
    write_tables([trial(0, "COMPLETE", 0.5), trial(1, "COMPLETE", 0.5)], tmp_path)
    write_tables([trial(0, "COMPLETE", 0.5)], tmp_path)
    assert len(read_trials(tmp_path)) == len(read_epochs(tmp_path)) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epochs.csv", "trials.csv"]


def test_a_carriage_return_in_an_error_stays_in_its_cell(tmp_path):
    write_tables([trial(0, "FAIL", error="progress 10%\rprogress 20%")], tmp_path)
    assert read_trials(tmp_path)["error"].tolist() == ["progress 10%\rprogress 20%"]


def test_tables_are_written_without_pandas():
    code = "import sys, search.results; print({'pandas', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


class Watch:
    """A clock, and how long a writing of tables takes on it."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.written = 100.0, []
        monkeypatch.setattr("search.results.write_tables", self.write)
        self.seconds = seconds

    def write(self, trials, folder):
        self.written.append(len(trials))
        self.now += self.seconds


def test_tables_follow_every_end_that_lies_apart(monkeypatch, tmp_path):
    watch, trials = Watch(monkeypatch, seconds=0.01), []
    tables = Tables(trials, tmp_path, clock=lambda: watch.now)
    for number in range(3):
        trials.append(trial(number))
        tables.note()
        watch.now += 1.0
    assert watch.written == [1, 2, 3]


def test_tables_take_a_fiftieth_of_the_time_where_ends_come_thick(monkeypatch, tmp_path):
    watch = Watch(monkeypatch, seconds=0.5)
    tables = Tables([], tmp_path, clock=lambda: watch.now)
    while watch.now < 200:
        tables.note()
        watch.now += 0.125
    assert len(watch.written) == 4
    tables.write()  # whatever was written just now
    assert len(watch.written) == 5


PARAMS = ("dropout", "warmup_epochs")


def test_trials_are_read_back_from_their_tables(tmp_path):
    trials = [
        trial(0, "COMPLETE", 0.25, 0.5, name="baseline", stop_reason="max_epochs"),
        trial(1, "FAIL"),
        trial(2, "PRUNED", 0.1, stop_reason="rung 1"),
    ]
    trials[0].epochs[2] = result(2, 0.5, val_accuracy_raw=None)
    write_tables(trials, tmp_path)
    read = read_records(tmp_path, PARAMS)
    assert read == trials
    assert isinstance(read[0].epochs[1].epoch, int)


@pytest.mark.parametrize("file", ["trials.csv", "epochs.csv"])
def test_tables_that_lack_a_line_are_refused(tmp_path, file):
    write_tables([trial(k, "COMPLETE", 0.1, 0.2) for k in range(3)], tmp_path)
    lines = (tmp_path / file).read_text().splitlines(keepends=True)
    (tmp_path / file).write_text("".join([*lines[:1], *lines[2:]]))
    with pytest.raises(DataError, match="lack a trial or an epoch") as caught:
        read_records(tmp_path, PARAMS)
    assert str(tmp_path) in caught.value.message
