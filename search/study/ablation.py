"""Which settings of a winner are needed: each back at its baseline value, then all that are not."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

from search.study.contest import Run, fingerprints
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.verdict import ERROR_RATE, METHOD, compare, points

Params = Mapping[str, float]
Outcome = Sequence[float] | str
"""Accuracies of a variant, one a seed, or how it diverged."""
WINNER, BASELINE, REDUCED = "winner", "baseline", "reduced"
RULE = (
    "a hyperparameter is needed if putting it back to its baseline value is shown to lose; the "
    "reduced recipe has all others there, and keeps the gain if it is shown to be better than the "
    "baseline and not shown to be worse than the winner"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """The winner with one hyperparameter back at its baseline value; accuracies are fractions."""

    hyperparameter: str
    value: float
    baseline: float
    variant: str
    """Name of the runs without it."""
    mean: float | None = None
    loss: float | None = None
    """The winner's mean less this one's: what the setting is worth; None where it diverged."""
    at_least: float | None = None
    at_most: float | None = None
    """Bounds of the loss, each `Ablation.error_rate` likely to fail anywhere."""
    is_needed: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """What was run and what it says; the content of `ablate.json`."""

    study: str
    made: str
    rule: str
    method: str
    error_rate: float
    trial: str
    """The winner."""
    seeds: tuple[int, ...]
    epochs: int
    search_epochs: int
    """Of the search's schedules: shorter ones may rank settings otherwise."""
    runs: dict[str, str]
    """Name to the fingerprint of its settings."""
    values: dict[str, list[float]]
    """Variant to its accuracies, one a seed; without those that diverged."""
    effects: list[Effect]
    """The largest loss first."""
    recipe: dict[str, float]
    """The smallest that keeps the gain, the winner itself where nothing smaller does."""
    gain: float | None
    """The winner's mean less the baseline's."""
    kept: float | None
    """The reduced recipe's mean less the baseline's; None where there is none to be tried."""
    keeps_gain: bool
    sentence: str
    noise: float | None
    degrees: int

    @property
    def is_short(self) -> bool:
        """Whether the schedules were shorter than the search's."""
        return self.epochs < self.search_epochs


def variants(winner: Params, baseline: Params) -> dict[str, dict[str, float]]:
    """Return the winner, the baseline, and the winner with each difference undone, by name."""
    found = {WINNER: dict(winner), BASELINE: dict(baseline)}
    for name in changed(winner, baseline):
        undone = {**winner, name: baseline[name]}
        if undone not in found.values():  # a single difference undone is the baseline
            found[f"revert-{name}"] = undone
    return found


def changed(winner: Params, baseline: Params) -> list[str]:
    """Return the hyperparameters in which the two differ."""
    return [name for name, value in winner.items() if value != baseline[name]]


def find_effects(winner: Params, baseline: Params, outcomes: Mapping[str, Outcome]) -> list[Effect]:
    """Return what each difference is worth, and whether that is shown.

    Args:
        winner: its settings.
        baseline: the baseline's.
        outcomes: by name, of all `variants`; the winner's are accuracies.
    """
    whole = _whole(outcomes)
    names = {
        name: BASELINE if len(changed(winner, baseline)) == 1 else f"revert-{name}"
        for name in changed(winner, baseline)
    }
    num_compared = sum(variant in whole for variant in names.values())
    comparison = compare(whole, WINNER, num_compared=num_compared)
    effects = []
    for name, variant in names.items():
        effect = Effect(
            hyperparameter=name, value=winner[name], baseline=baseline[name], variant=variant
        )
        if isinstance(error := outcomes[variant], str):
            effects.append(dataclasses.replace(effect, is_needed=True, error=error))
            continue
        loss, margin = -comparison.difference(variant), comparison.margin
        at_least, at_most = (None, None) if margin is None else (loss - margin, loss + margin)
        effects.append(
            dataclasses.replace(
                effect,
                mean=comparison.means[variant],
                loss=loss,
                at_least=at_least,
                at_most=at_most,
                is_needed=comparison.is_below(variant),
            )
        )
    return sorted(effects, key=lambda e: e.loss if e.loss is not None else 1.0, reverse=True)


def reduce(winner: Params, baseline: Params, effects: Sequence[Effect]) -> dict[str, float]:
    """Return the winner with everything back at the baseline that is not needed."""
    undone = {each.hyperparameter for each in effects if not each.is_needed}
    return {name: baseline[name] if name in undone else v for name, v in winner.items()}


def conclude(
    ledger: Ledger,
    winner: TrialRecord,
    runs: Sequence[Run],
    outcomes: Mapping[str, Outcome],
    effects: Sequence[Effect],
) -> Ablation:
    """Return what the runs say.

    Args:
        ledger: of the study.
        winner: the trial that was taken apart.
        runs: all that were made.
        outcomes: by name, of all variants, and of the reduced recipe where it is one more.
        effects: of the winner's hyperparameters.
    """
    baseline = ledger.trials[0].params
    recipe = reduce(winner.params, baseline, effects)
    known = {name: dict(params) for name, params in variants(winner.params, baseline).items()}
    of_recipe = next((name for name, params in known.items() if params == recipe), REDUCED)
    whole = _whole(outcomes)
    comparison = compare(whole, WINNER, num_compared=1)
    gain, kept = (
        fmean(whole[name]) - fmean(whole[BASELINE]) if name in whole and BASELINE in whole else None
        for name in (WINNER, of_recipe)
    )
    keeps_gain, sentence = _judge(whole, of_recipe, effects)
    epochs = runs[0].config.epochs
    return Ablation(
        study=ledger.id,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        rule=RULE,
        method=METHOD,
        error_rate=ERROR_RATE,
        trial=winner.id,
        seeds=tuple(dict.fromkeys(run.seed for run in runs)),
        epochs=epochs,
        search_epochs=ledger.config.study.max_epochs,
        runs=fingerprints(runs),
        values={name: list(values) for name, values in whole.items()},
        effects=list(effects),
        recipe=recipe if keeps_gain else dict(winner.params),
        gain=gain,
        kept=None if of_recipe in (WINNER, BASELINE) else kept,
        keeps_gain=keeps_gain,
        sentence=sentence,
        noise=comparison.noise,
        degrees=comparison.degrees,
    )


def _judge(
    whole: Mapping[str, Sequence[float]], of_recipe: str, effects: Sequence[Effect]
) -> tuple[bool, str]:
    """Return whether a smaller recipe keeps the gain, and a sentence on it."""
    if BASELINE not in whole:
        return False, "no gain can be told, because the baseline diverged: the whole recipe stays"
    num_compared = 1 if of_recipe in (WINNER, BASELINE) else 2
    beside = compare(whole, BASELINE, num_compared=num_compared)
    gain = points(beside.difference(WINNER))
    needed = [each.hyperparameter for each in effects if each.is_needed]
    others = [each.hyperparameter for each in effects if not each.is_needed]
    if not beside.is_above(WINNER):
        return False, f"no gain is shown that a smaller recipe could keep ({gain} points)"
    if not others:
        return False, f"all are needed for the gain of {gain} points: {', '.join(needed)}"
    if of_recipe == BASELINE:
        alone = "none is shown to be needed by itself, but without all of them the gain"
        return False, f"{alone} of {gain} points is gone: the whole recipe stays"
    if of_recipe not in whole:
        return False, f"without {', '.join(others)} it diverges: the whole recipe stays"
    kept = f"{points(beside.difference(of_recipe))} of {gain} points"
    is_worse = compare(whole, WINNER, num_compared=1).is_below(of_recipe)
    if beside.is_above(of_recipe) and not is_worse:
        back = f"{', '.join(others)} back at the baseline"
        return True, f"the gain stays with {', '.join(needed)} alone: {kept}, {back}"
    together = f"without {', '.join(others)}, none of them shown to be needed by itself"
    return False, f"{kept} stay {together}: the gain is not kept, the whole recipe stays"


def _whole(outcomes: Mapping[str, Outcome]) -> dict[str, Sequence[float]]:
    return {name: each for name, each in outcomes.items() if not isinstance(each, str)}
