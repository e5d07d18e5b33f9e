"""What is said of a running study: each fact as a text, and as a shorter one for a narrow place."""

from datetime import datetime, timedelta

from search.study.progress import Progress, seconds_left
from search.study.records import TrialRecord
from search.study.stages import Stage
from seresnet.epoch import EpochResult


def describe_progress(
    progress: Progress, *, elapsed: float, epochs_before: int, now: datetime
) -> str:
    """Return one line: trials by state, epochs, incumbent, gain, time."""
    left = seconds_left(progress, elapsed=elapsed, epochs_before=epochs_before)
    parts = [
        f"{describe_finished(progress)} trials{describe_states(progress)}",
        describe_epochs(progress),
        f"best: {describe_best(progress)}",
        describe_times(f"{clock(elapsed)} elapsed", left, now=now, is_bound=True)[0],
    ]
    return ", ".join(parts)


def describe_finished(progress: Progress) -> str:
    """Return the trials at their end, of all."""
    return f"{progress.num_finished}/{progress.num_trials}"


def describe_states(progress: Progress) -> str:
    """Return the trials by state, in brackets; nothing where there are none."""
    return f" ({progress.tally.lower()})" if progress.tally else ""


def describe_epochs(progress: Progress) -> str:
    """Return the epochs done, of the most there can be."""
    return f"{progress.epochs_done} of at most {progress.epochs_most} epochs"


def describe_best(progress: Progress, *, is_short: bool = False) -> str:
    """Return the incumbent and its gain."""
    best = progress.incumbent
    if best is None or best.value is None:
        return "no full trial yet"
    over = "" if is_short else " over the baseline"
    gain = "" if progress.gain is None else f", {progress.gain:+.4f}{over}"
    return f"{best.id} {best.value:.4f}{gain}"


def describe_times(past: str, left: float | None, *, now: datetime, is_bound: bool) -> list[str]:
    """Return what is past and what is to come, ever shorter: how long, and until when.

    Args:
        past: a text.
        left: seconds; None where they are not known.
        now: local time.
        is_bound: whether the rest may take less.
    """
    if left is None:
        return [past]
    most, by = ("at most", "by") if is_bound else ("about", "at")
    end = moment(now + timedelta(seconds=left), now)
    rest = f"{most} {clock(left)} left (done {by} {end})"
    return [f"{past}, {rest}", rest, f"{clock(left)} left, {end}"]


def describe_trial(trial: TrialRecord) -> str:
    """Return one line on a finished trial."""
    name = f" {trial.name}" if trial.name else ""
    reason = trial.error or trial.stop_reason
    return f"{trial.id}{name} {trial.state} ({reason}) {describe_value(trial)}".rstrip()


def describe_value(trial: TrialRecord) -> str:
    """Return a trial's last validation accuracy."""
    last = trial.last
    if last is None or last.val_accuracy is None:
        return ""
    return f"val_accuracy {last.val_accuracy:.4f} at epoch {last.epoch}"


def describe_run(stage: str, name: str, result: EpochResult, epochs: int) -> str:
    """Return one line on an epoch of a run after the search."""
    what = "" if result.train_loss is None else f", train loss {result.train_loss:.3f}"
    if result.val_accuracy is not None:
        what = f", val_accuracy {result.val_accuracy:.4f}"
    return f"{stage} {name}: epoch {result.epoch}/{epochs}{what}"


def describe_runs(stage: Stage) -> str:
    """Return the runs of a stage at their end, of all, and its epochs."""
    runs = f"{stage.num_done}/{len(stage.runs)} runs"
    return f"{runs}, {stage.epochs_done} of {stage.epochs_most} epochs"


def describe_speed(results: list[EpochResult]) -> str:
    """Return the training images a second of all that run now, by their last epochs."""
    speeds = [each.images_per_second for each in results if each.images_per_second]
    if not speeds:
        return ""
    beside = f" by {len(speeds)} at once" if len(speeds) > 1 else ""
    return f"{sum(speeds):,.0f} images/s{beside}"


def clock(seconds: float) -> str:
    """Return a length of time."""
    return str(timedelta(seconds=round(seconds)))


def moment(when: datetime, now: datetime) -> str:
    """Return a moment as a clock shows it, with the day unless it is today."""
    return when.strftime("%H:%M" if when.date() == now.date() else "%a %d %b %H:%M")


def size(num_bytes: float) -> str:
    """Return an amount of data."""
    units = ["GB", "MB", "kB", "B"]
    while num_bytes >= 999.5 and len(units) > 1:
        num_bytes /= 1000
        units.pop()
    return f"{num_bytes:.3g} {units[-1]}"
