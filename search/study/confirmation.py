"""What a confirmation says: who wins, by how much at least, in `confirm.json`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from search.study.contest import Run, Terms, entrants, fingerprints, planned, terms_of
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.sealed import read_sealed, write_sealed
from search.study.verdict import (
    ERROR_RATE,
    METHOD,
    RULE,
    Comparison,
    Verdict,
    compare,
    image_error,
    judge,
    points,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """One configuration of a confirmation; accuracies are fractions."""

    trial: str
    name: str
    params: dict[str, float]
    val_accuracy_in_search: float | None
    values: dict[str, float]
    """Seed to validation accuracy at the last epoch."""
    error: str = ""
    """Why it has no mean: it diverged."""
    mean: float | None = None
    gain: float | None = None
    """Mean less the baseline's; None for the baseline itself."""
    at_least: float | None = None
    at_most: float | None = None
    """Bounds of the gain, each `Confirmation.error_rate` likely to fail anywhere."""
    overstated: float | None = None
    """Value in the search less the mean; None where the schedules differ in length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """What was run, by which rule, and what it says; the content of `confirm.json`."""

    study: str
    made: str
    number: int
    """From 1; more than one where the study or its settings changed in between."""
    rule: str
    method: str
    error_rate: float
    terms: Terms
    runs: dict[str, str]
    """Name to the fingerprint of its settings."""
    entrants: list[Entrant]
    """The best in the search first."""
    winner: str
    is_better: bool
    sentence: str
    noise: float | None
    degrees: int
    critical: float | None
    num_val: int
    image_error: float | None
    """Standard error that the choice of validation images adds to the winner's gain, at most."""
    earlier: list[dict[str, object]] = field(default_factory=list)
    """Date, terms, winner and sentence of each confirmation before this one."""

    @property
    def ranked(self) -> list[Entrant]:
        """The configurations, the highest mean first, those without one last."""
        return sorted(self.entrants, key=lambda e: -(e.mean if e.mean is not None else -1))

    @property
    def best(self) -> Entrant:
        """The winner."""
        return next(each for each in self.entrants if each.trial == self.winner)


def conclude(
    ledger: Ledger,
    terms: Terms,
    accuracies: Mapping[str, float | str],
    *,
    num_val: int,
    before: Confirmation | None = None,
) -> Confirmation:
    """Return what the runs say.

    Args:
        ledger: of the study.
        terms: of the confirmation.
        accuracies: name of a run to its accuracy, or to why it has none.
        num_val: images that each was judged on.
        before: the study's last confirmation, of other runs.
    """
    runs = planned(ledger, terms)
    rows = [_entrant(each, runs, accuracies) for each in entrants(ledger.trials, terms.top)]
    whole = {row.trial: list(row.values.values()) for row in rows if not row.error}
    baseline = ledger.trials[0].id
    comparison = compare(whole, baseline) if baseline in whole else None
    verdict = _judge(comparison, whole, rows, len(terms.seeds))
    is_alike = terms.epochs == ledger.config.study.max_epochs
    rows = [_measured(row, comparison, is_alike=is_alike) for row in rows]
    winner = next(row for row in rows if row.trial == verdict.winner)
    past = before if before is not None and before.study == ledger.id else None
    number = past.number + 1 if past else 1
    return Confirmation(
        study=ledger.id,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        number=number,
        rule=RULE,
        method=METHOD,
        error_rate=ERROR_RATE,
        terms=terms,
        runs=fingerprints(runs),
        entrants=rows,
        winner=verdict.winner,
        is_better=verdict.is_better,
        sentence=_with_search(verdict, winner, number),
        noise=comparison.noise if comparison else None,
        degrees=comparison.degrees if comparison else 0,
        critical=comparison.critical if comparison else None,
        num_val=num_val,
        image_error=_image_error(winner, num_val),
        earlier=[*past.earlier, _short(past)] if past else [],
    )


def is_current(confirmation: Confirmation, ledger: Ledger) -> bool:
    """Return whether the study would be confirmed by the same runs today.

    A study file that leaves the stage out has no terms of its own: those of the confirmation count.
    """
    terms = terms_of(ledger.config) if ledger.config.confirm.top else confirmation.terms
    same = confirmation.study == ledger.id and confirmation.terms == terms
    return same and confirmation.runs == fingerprints(planned(ledger, terms))


def write_confirmation(confirmation: Confirmation, path: Path) -> None:
    """Write `confirm.json`."""
    write_sealed(confirmation, path)


def read_confirmation(path: Path) -> Confirmation | None:
    """Return what the file says; nothing where it is missing or was changed."""
    return read_sealed(path, Confirmation)


def _entrant(
    trial: TrialRecord, runs: Iterable[Run], accuracies: Mapping[str, float | str]
) -> Entrant:
    own = {str(run.seed): accuracies[run.name] for run in runs if run.who == trial.id}
    errors = [f"{value} (seed {seed})" for seed, value in own.items() if isinstance(value, str)]
    return Entrant(
        trial=trial.id,
        name=trial.name,
        params=dict(trial.params),
        val_accuracy_in_search=trial.value if trial.state == "COMPLETE" else None,
        values={seed: value for seed, value in own.items() if not isinstance(value, str)},
        error="; ".join(errors),
    )


def _measured(row: Entrant, comparison: Comparison | None, *, is_alike: bool) -> Entrant:
    """Return an entrant with its mean and what follows from it."""
    if row.error:
        return row
    mean, before = fmean(row.values.values()), row.val_accuracy_in_search
    overstated = before - mean if before is not None and is_alike else None
    row = dataclasses.replace(row, mean=mean, overstated=overstated)
    if comparison is None or row.trial == comparison.reference:
        return row
    gain, margin = comparison.difference(row.trial), comparison.margin
    at_least, at_most = (None, None) if margin is None else (gain - margin, gain + margin)
    return dataclasses.replace(row, gain=gain, at_least=at_least, at_most=at_most)


def _judge(
    comparison: Comparison | None,
    whole: Mapping[str, Sequence[float]],
    rows: Sequence[Entrant],
    num_seeds: int,
) -> Verdict:
    if comparison is not None:
        return judge(comparison, list(whole), num_seeds)
    winner = max(whole, key=lambda name: fmean(whole[name]))
    (reason,) = [row.error for row in rows if row.name == "baseline"]
    why = f"that has no mean to compare with: {reason}"
    sentence = f"{winner} is not shown to be better than the baseline: {why}"
    return Verdict(winner=winner, is_better=False, sentence=sentence)


def _image_error(winner: Entrant, num_val: int) -> float | None:
    if winner.mean is None or winner.gain is None:
        return None
    return image_error(winner.mean, winner.mean - winner.gain, num_val)


def _with_search(verdict: Verdict, winner: Entrant, number: int) -> str:
    """Return the sentence with what the search had said of the winner."""
    parts = [verdict.sentence]
    if winner.overstated is not None:
        what = "overstated" if winner.overstated >= 0 else "understated"
        parts.append(f"the search had {what} it by {points(abs(winner.overstated))}")
    if number > 1:
        parts.append(f"confirmation {number} of this study")
    return "; ".join(parts)


def _short(confirmation: Confirmation) -> dict[str, object]:
    """Return what is remembered of a confirmation when the next one takes its place."""
    return {
        "made": confirmation.made,
        **dataclasses.asdict(confirmation.terms),
        "winner": confirmation.winner,
        "sentence": confirmation.sentence,
    }
