import io
from dataclasses import replace

from rich.console import Console

from search.engine.retraining import Job
from search.view.live import View
from search.view.told import Told


def test_a_view_shows_what_is_told_of_a_stage(ledger, clock, result, tiny_config, tmp_path):
    console = Console(file=io.StringIO(), width=40)
    told = Told(View(ledger, console), "confirm", 2)
    config = replace(tiny_config, epochs=2)
    jobs = [Job(config, tmp_path / name, "0" * 64, {}) for name in ("a", "b", "c")]
    told.begins(jobs, jobs[1:])
    told.trained(jobs[1], result(2))
    told.diverged(jobs[2])
    assert [line.partition(", 0:00:00")[0] for line in console.file.getvalue().splitlines()] == [
        "confirm: 1/3 runs, 0 of 4 epochs",
        "confirm b: epoch 2/2, val_accuracy 0.5000 | 2/3 runs, 2 of 4 epochs",
        "confirm c: diverged | 3/3 runs, 2 of 2 epochs",
    ]
