"""The answer in words: who wins, by how much, whether that is shown, and what it has cost."""

from collections.abc import Iterator
from datetime import datetime

from search.study.checks.wording import called, command, count
from search.study.confirmation import Confirmation
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.view.page.html import Content, Html, code, escape, note, table, tag
from search.view.page.units import Units, duration, sentence, setting, units_of


def lead(snapshot: Snapshot, at: datetime) -> Html:
    """Return what stands on top of the page.

    Args:
        snapshot: of the study.
        at: when it was taken; with a time zone.
    """
    units = units_of(snapshot)
    verdict, more = _verdict(snapshot, units)
    parts = [tag("p", verdict, class_="verdict")]
    if more:
        parts.append(tag("p", more, class_="more"))
    parts += [tag("p", caution, class_="caution") for caution in _cautions(snapshot)]
    if _can_be_confirmed(snapshot):
        parts.append(code(command(snapshot, "confirm")))
    parts.append(_facts(snapshot, units))
    parts.append(note(f"As the study stood on {at:%Y-%m-%d at %H:%M %Z}."))
    if snapshot.winner is not None:
        parts.append(_settings(snapshot, snapshot.winner))
    return escape(parts)


def _can_be_confirmed(snapshot: Snapshot) -> bool:
    """Return whether the winner is a gain that nobody has looked into, and nothing runs."""
    is_open = snapshot.confirmation is None and not snapshot.progress.running
    has_gain = snapshot.winner is not None and snapshot.winner.number > 0
    return is_open and has_gain and snapshot.config.is_seresnet


def _verdict(snapshot: Snapshot, units: Units) -> tuple[str, str]:
    """Return the verdict, and its numbers where they are too many for one line."""
    best = snapshot.winner
    if not snapshot.trials:
        return "No trial has been begun yet.", ""
    if best is None:
        return f"No result yet: of {count(len(snapshot.trials), 'trial')}, none is complete.", ""
    if snapshot.confirmation is not None:
        claim, _, numbers = snapshot.confirmation.sentence.partition(": ")
        return sentence(claim), sentence(numbers)
    if best.number == 0:
        return f"The baseline itself is the best so far, at {units.value(best.value)}.", ""
    beside = "; the baseline is not complete, so no gain is known"
    if snapshot.baseline is not None and best.value is not None:
        gain = best.value - snapshot.baseline
        beside = f", {units.difference(gain).lstrip('+')} above the baseline in the search"
    return f"{called(best)} reaches {units.value(best.value)}{beside}.", ""


def _cautions(snapshot: Snapshot) -> Iterator[str]:
    """Yield what must be known beside the verdict."""
    confirmation, best = snapshot.confirmation, snapshot.winner
    if confirmation is None and best is not None and best.number:
        yield (
            "This is not confirmed: the best of many noisy values is too high. Fresh seeds, for it "
            "and the baseline, tell whether the gain is real."
        )
    if confirmation is None and snapshot.folder.confirmation.exists():
        yield "There is a confirmation, but of an earlier state of the study: it does not count."
    if snapshot.ablation is None and snapshot.folder.ablation.exists():
        yield "There is an ablation, but of an earlier winner: it is not shown."
    if confirmation is not None and confirmation.is_better and confirmation.image_error:
        yield (
            f"Not covered: the choice of these {confirmation.num_val:,} validation images, which "
            f"adds a standard error of at most {100 * confirmation.image_error:.2f} points."
        )


def _facts(snapshot: Snapshot, units: Units) -> Html:
    """Return the numbers beside the verdict."""
    progress, trials = snapshot.progress, snapshot.trials
    full = len(trials) * progress.max_epochs
    saved = f"of {full:,} without stopping" if full else ""
    facts = [
        *_known_of_winner(snapshot, units),
        ("Search", *state(snapshot)),
        ("Epochs", count(progress.epochs_done, "epoch"), saved),
        ("Time", duration(snapshot.search_seconds), "of the search, all starts together"),
    ]
    if (confirmation := snapshot.confirmation) is not None:
        runs, epochs = len(confirmation.runs), confirmation.terms.epochs
        cost = f"{count(runs, 'run')} of {count(epochs, 'epoch')}"
        facts.append(("Confirmation", count(runs * epochs, "epoch"), cost))
    items = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", more)))
        for name, value, more in facts
    ]
    return tag("dl", items, class_="facts")


def _known_of_winner(snapshot: Snapshot, units: Units) -> Iterator[tuple[str, str, str]]:
    """Yield its value and its gain: that on fresh seeds where they are known."""
    best, gain = snapshot.winner, snapshot.progress.gain
    if best is not None:
        yield f"Winner, {best.id}", units.value(best.value), f"{units.name} in the search"
    if snapshot.confirmation is not None:
        yield _confirmed(snapshot.confirmation, units)
    elif gain is not None and gain > 0:
        yield "Gain in the search", units.difference(gain), "not yet proof"


def _confirmed(confirmation: Confirmation, units: Units) -> tuple[str, str, str]:
    """Return what the winner gains on fresh seeds."""
    winner = confirmation.best
    if winner.gain is None:
        return "Confirmed gain", "none", "the baseline is the highest"
    least = "no bound: too little noise to measure"
    if winner.at_least is not None:
        least = f"at least {units.difference(winner.at_least)}"
    name = "Confirmed gain" if confirmation.is_better else "Gain, not shown"
    return name, units.difference(winner.gain), least


def state(snapshot: Snapshot) -> tuple[str, str]:
    """Return in a word or two how far the study is, and the trials by state."""
    progress = snapshot.progress
    states, num_trials = progress.tally.lower(), count(len(snapshot.trials), "trial")
    trials = f"{num_trials}: {states}" if states else "no trial"
    if progress.budget:
        return "Budget used", trials
    if progress.running:
        return f"{len(progress.running)} running", f"{trials}; of {progress.num_trials} in all"
    if len(snapshot.trials) < progress.num_trials:
        return "Not finished", f"{trials}; of {progress.num_trials} in all"
    return "Done", trials


def _settings(snapshot: Snapshot, best: TrialRecord) -> Html:
    """Return the winner's settings beside the baseline's."""
    baseline, rows = snapshot.config.baseline, []
    for name, domain in snapshot.config.space.items():
        scale = ", log" if domain.log else ""
        searched = f"{setting(domain.low)} to {setting(domain.high)}{scale}"
        row: list[Content] = [tag("strong", name), setting(best.params[name])]
        rows.append([*row, setting(baseline[name]), searched])
    header = ["hyperparameter", called(best), "baseline", "searched"]
    return escape([tag("h3", "Its settings"), table(header, rows, numbers=(1, 2))])
