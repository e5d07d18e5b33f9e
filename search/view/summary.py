"""The end of a command in a few lines: the best trials, the gain, what was made."""

from search.study.ledger import Ledger
from search.study.modeller import describe_modeller
from search.study.progress import describe_budget, progress_of
from search.study.records import baseline_value, ranked
from search.view.formats import Row
from search.view.table import aligned

_NUM_SHOWN = 5


def best_rows(ledger: Ledger) -> list[Row]:
    """Return the best trials at full budget, with their gain; columns as in `trials.csv`."""
    baseline = baseline_value(ledger.trials)
    best = [(t.value or 0.0, t) for t in ranked(ledger.trials)[:_NUM_SHOWN]]
    return [
        {
            "trial": trial.id,
            "name": trial.name,
            "val_accuracy": value,
            "gain": None if baseline is None else value - baseline,
            **{name: trial.params[name] for name in ledger.config.space},
        }
        for value, trial in best
    ]


def record_of(ledger: Ledger) -> dict[str, object]:
    """Return a study as a whole for a program."""
    progress = progress_of(ledger)
    return {
        "trials": best_rows(ledger),
        "states": dict(progress.states),
        "epochs": progress.epochs_done,
        **_sentences(ledger),
    }


def describe_study(ledger: Ledger) -> str:
    """Return the best trials as a table, the study as a whole, and what it chose itself.

    A last line says how to go on where the budget is used.
    """
    rows = [["trial", "name", "val_accuracy", "gain", *ledger.config.space]]
    rows += [_row(row) for row in best_rows(ledger)]
    sentences = _sentences(ledger)
    last = [f"{name}: {sentences[name]}" for name in ("sampler", "rungs") if sentences[name]]
    last += filter(None, [sentences["budget"]])
    return "\n".join([*aligned(rows), _totals(ledger), *last])


def _row(row: Row) -> list[str]:
    trial, name, value, gain, *settings = row.values()
    return [
        str(trial),
        str(name) or "-",
        f"{value:.4f}",
        "" if gain is None else f"{gain:+.4f}",
        *(f"{setting:.4g}" for setting in settings),
    ]


def _sentences(ledger: Ledger) -> dict[str, str]:
    """Return what a study chose itself, and how to go on; empty where there is nothing to say."""
    return {
        "sampler": describe_modeller(ledger.config),
        "rungs": ledger.rules.describe_choice(ledger.trials),
        "budget": describe_budget(ledger),
    }


def _totals(ledger: Ledger) -> str:
    progress = progress_of(ledger)
    full = len(ledger.trials) * progress.max_epochs
    share = f" of {full} without stopping" if full else ""
    return f"{len(ledger.trials)} trials ({progress.tally}), {progress.epochs_done} epochs{share}"
