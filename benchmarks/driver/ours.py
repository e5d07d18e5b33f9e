"""Our driver: `python -m search.tune` as it is, but for the trial."""

import sys
from typing import Any

import ray.tune
from arm import BASELINE, NUM_STARTUP, REDUCTION_FACTOR, SEED, SPACE, Arm, parse
from made_up import note_peak, result

import search.engine.trial
import search.results
from search import tune
from search.engine.adapters import LedgerScheduler, LedgerSearcher
from search.engine.messages import EpochMessage
from search.study.backup import Backups
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.records import Host
from search.view.live import View

_HOST = Host(node="here", device="cpu", dtype="float32", threads=1)


def train_once(config: dict[str, Any], *, epochs: int, peaks: Any) -> None:
    """Report made-up epochs at once, as a worker of ours does."""
    note_peak(peaks)
    for epoch in range(1, epochs + 1):
        made_up = result(config["number"], epoch)
        ray.tune.report(EpochMessage(made_up, _HOST, config["attempt"]).as_report())


def study_file(asked: Any) -> str:
    """Return a study with the space, the rungs and the sampler of both drivers."""
    space = "".join(
        f"  {name}: {{low: {low}, high: {high}, log: {str(log).lower()}}}\n"
        for name, (low, high, log) in SPACE.items()
    )
    return f"""\
study: {{num_trials: {asked.num_trials}, min_epochs: 1, max_epochs: {asked.epochs},
  reduction_factor: {REDUCTION_FACTOR}, seed: {SEED}}}
data: {{source: synthetic, num_val: 256, num_train: 256}}
train: {{warmup_epochs: 0}}
space:
{space}baseline: {BASELINE}
sampler: {{name: tpe, num_startup: {NUM_STARTUP}}}
pruner: {{name: asha, rungs: fixed}}
resources: {{cpus_per_trial: 1, gpus_per_trial: 0, max_concurrent: {asked.concurrent}}}
"""


def main() -> int:
    """Run the command; return its exit code."""
    asked = parse()
    arm = Arm(LedgerScheduler, asked)
    time = arm.stopwatch.time
    time(Ledger, "suggest report fail begin_attempt", "decisions")
    time(LedgerSearcher, "on_trial_complete", "decisions")
    time(search.results, "write_tables", "tables")
    time(Backups, "note take", "backups")
    time(StudyFolder, "clear_checkpoints", "clearing checkpoints")
    time(View, "trial_changed", "view")
    search.engine.trial.trainable = lambda *_: ray.tune.with_parameters(
        train_once, epochs=asked.epochs, peaks=arm.peaks
    )
    space = asked.folder / "study.yaml"
    space.write_text(study_file(asked))
    code = tune.main(["--space", str(space), "--results", str(asked.folder), "--no-retrain"])
    arm.write(asked.folder / "measured.json")
    return code


if __name__ == "__main__":
    sys.exit(main())
