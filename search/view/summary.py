"""The end of a command in a few lines: the best trials, the gain, what was made."""

from search.study.ledger import Ledger
from search.study.modeller import describe_modeller
from search.study.progress import describe_budget, progress_of
from search.study.records import TrialRecord, baseline_value
from search.view.table import aligned

_NUM_SHOWN = 5


def describe_study(ledger: Ledger) -> str:
    """Return the best trials as a table, the study as a whole, and what it chose itself.

    A last line says how to go on where the budget is used.
    """
    baseline = baseline_value(ledger.trials)
    complete = [t for t in ledger.trials if t.state == "COMPLETE" and t.value is not None]
    best = sorted(complete, key=lambda t: (-(t.value or 0), t.number))[:_NUM_SHOWN]
    params = list(ledger.config.space)
    rows = [["trial", "name", "val_accuracy", "gain", *params]]
    rows += [_row(trial, baseline, params) for trial in best]
    chosen = {
        "sampler": describe_modeller(ledger.config),
        "rungs": ledger.rules.describe_choice(ledger.trials),
    }
    said = [f"{name}: {sentence}" for name, sentence in chosen.items() if sentence]
    last = filter(None, [*said, describe_budget(ledger)])
    return "\n".join([*aligned(rows), _totals(ledger), *last])


def _row(trial: TrialRecord, baseline: float | None, params: list[str]) -> list[str]:
    assert trial.value is not None  # only complete trials are shown
    gain = "" if baseline is None else f"{trial.value - baseline:+.4f}"
    settings = [f"{trial.params[name]:.4g}" for name in params]
    return [trial.id, trial.name or "-", f"{trial.value:.4f}", gain, *settings]


def _totals(ledger: Ledger) -> str:
    progress = progress_of(ledger)
    states = ", ".join(f"{n} {state}" for state, n in sorted(progress.states.items()))
    full = len(ledger.trials) * progress.max_epochs
    share = f" of {full} without stopping" if full else ""
    return f"{len(ledger.trials)} trials ({states}), {progress.epochs_done} epochs{share}"
