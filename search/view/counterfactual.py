"""What other rungs would have done to a study, in a few lines."""

from collections.abc import Sequence

from search.study.counterfactual import Counterfactual
from search.study.guard import LEAST_CURVES, Candidate
from search.study.records import TrialRecord, trial_id
from search.view.table import aligned


def describe_counterfactual(
    found: Counterfactual, trials: Sequence[TrialRecord], *, is_in_order: bool
) -> str:
    """Return what the whole curves say, and what the rungs would have done.

    Args:
        found: of the study.
        trials: of the study, by number.
        is_in_order: whether results were taken as they came in, not trial by trial.
    """
    lines = [_describe_curves(found)]
    if len(found.guard.candidates):
        rows = [["epoch", "r", "80% interval", "rho", "the best of them"]]
        lines += aligned(rows + [_candidate(each) for each in found.guard.candidates])
    lines += [found.guard.sentence, "", _describe_rungs(found, is_in_order=is_in_order)]
    stopped = [each for each in found.judgements if each.is_stopped]
    if stopped:
        rows = [["trial", "recorded", "would have been stopped"]]
        rows += [
            [trial_id(each.number), _end(trials[each.number]), _judged(each.number, found)]
            for each in stopped
        ]
        lines += aligned(rows)
    return "\n".join([*lines, *_describe_best(found, trials), *_describe_epochs(found)])


def _describe_curves(found: Counterfactual) -> str:
    text = f"whole curves: {found.guard.num_curves} of {found.num_trials} trials"
    if found.num_survivors and found.guard.num_curves >= LEAST_CURVES:
        text += f"; {found.num_survivors} of them passed the study's rungs, so they are no sample"
    return text


def _candidate(candidate: Candidate) -> list[str]:
    interval = f"[{candidate.low:.2f}, {candidate.high:.2f}]"
    fate = "is stopped" if candidate.stops_best else "goes on"
    r, rho = f"{candidate.r:.2f}", f"{candidate.rho:.2f}"
    return [str(candidate.epoch), r, interval, rho, fate]


def _describe_rungs(found: Counterfactual, *, is_in_order: bool) -> str:
    if not found.rungs:
        return "without rungs nobody is stopped"
    order = "as they came in" if is_in_order else "trial by trial, since tables hold no other order"
    at = ", ".join(str(rung) for rung in found.rungs)
    return f"rungs {at}, one in {found.reduction_factor} goes on; results {order}:"


def _end(trial: TrialRecord) -> str:
    return f"{trial.state}, {len(trial.epochs)} epochs"


def _judged(number: int, found: Counterfactual) -> str:
    """Return where a trial stood at the last rung that judged it."""
    *_, last = (each for each in found.judgements if each.number == number)
    return f"epoch {last.epoch}: {last.value:.4f} is place {last.place} of {last.num_there}"


def _describe_best(found: Counterfactual, trials: Sequence[TrialRecord]) -> list[str]:
    if found.best is None:
        return ["no trial is complete, so none is the best"]
    value, name = trials[found.best].value, trial_id(found.best)
    text = f"{name}, the best with {value:.4f}, "
    if not found.keeps_best:
        return [f"{text}would have been stopped"]
    is_judged = any(each.number == found.best for each in found.judgements)
    return [f"{text}comes to its end" + (f" ({_judged(found.best, found)})" if is_judged else "")]


def _describe_epochs(found: Counterfactual) -> list[str]:
    lines = [f"recorded epochs saved: {found.epochs_saved}"]
    if found.unknown:
        until = sorted(set(found.unknown.values()))
        lines += [
            f"not known: {len(found.unknown)} trials that the study stopped would have gone on to "
            f"epoch {' or '.join(map(str, until))} at least,",
            f"{found.epochs_added} epochs more; where they would stand then nobody has measured",
        ]
    return lines
