"""A study in the middle, time that passes when a test says so, and terminals of any size."""

import io
import re
from datetime import datetime

import pytest
from optuna.storages import InMemoryStorage
from rich.console import Console

from fakes import HOST
from search.study.ledger import Ledger
from search.view import live
from seresnet.epoch import EpochResult

NOON = datetime(2026, 11, 28, 12)


@pytest.fixture
def result():
    """A function that makes an epoch's result: two seconds, 1,000 images a second."""

    def make(epoch, value=0.5, *, seconds=2.0, speed=1000):
        return EpochResult(
            epoch=epoch, train_loss=1.25, val_loss=1.0, val_accuracy=value, val_accuracy_raw=value,
            lr=0.1, seconds=seconds, images_per_second=speed,
        )  # fmt: skip

    return make


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


@pytest.fixture
def run(result):
    """A function that hands out one trial, reports an epoch for each value, returns its number."""

    def run(ledger, *values):
        number = ledger.suggest().number
        for epoch, value in enumerate(values, 1):
            ledger.report(number, result(epoch, value), HOST, attempt=1)
        return number

    return run


@pytest.fixture
def busy(ledger, run):
    """A study in the middle: trials of each state, three of them running."""
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    run(ledger, 0.4, 0.5, 0.6, 0.7)
    ledger.fail(run(ledger, 0.1), kind="diverged", error="")
    for _ in range(3):
        run(ledger, 0.6)
    return ledger


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when a test says so, from noon on."""

    class Clock:
        now = NOON.timestamp()

        def monotonic(self):
            return self.now

        time = monotonic

    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    return clock


@pytest.fixture
def shown():
    """A function that returns the lines of a terminal, without colours; none is too long."""

    def shown(renderable, width, *, height=25, **options):
        console = Console(
            file=io.StringIO(), width=width, height=height, **{"force_terminal": True, **options}
        )
        console.print(renderable)
        text = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
        lines = [line.rstrip() for line in text.splitlines()]
        assert all(len(line) <= width for line in lines)
        return lines

    return shown
