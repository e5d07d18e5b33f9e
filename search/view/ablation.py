"""An ablation in a few lines: what each setting is worth, and the smallest recipe."""

from search.study.ablation import Ablation, Effect
from search.study.config import dump
from search.study.searchable import is_integer
from search.view.table import aligned


def describe_ablation(ablation: Ablation) -> str:
    """Return the hyperparameters, the largest loss first, and the smallest recipe."""
    rows = [["without", "value", "baseline", "mean", "loss", "at least", "needed"]]
    rows += [_row(effect) for effect in ablation.effects]
    seeds = " ".join(map(str, ablation.seeds))
    length = f"{ablation.epochs} epochs each"
    if ablation.is_short:
        length += f", a short schedule: the search's had {ablation.search_epochs}"
    recipe = {k: int(v) if is_integer(k) else v for k, v in ablation.recipe.items()}
    verdict = f"ablation of {ablation.trial}: {ablation.sentence}"
    text = dump({"recipe": recipe}).strip()
    return "\n".join([*aligned(rows), f"seeds {seeds}, {length}", verdict, text])


def _row(effect: Effect) -> list[str]:
    return [
        effect.hyperparameter,
        f"{effect.value:.4g}",
        f"{effect.baseline:.4g}",
        "diverged" if effect.mean is None else f"{effect.mean:.4f}",
        "" if effect.loss is None else f"{effect.loss:+.4f}",
        "" if effect.at_least is None else f"{effect.at_least:+.4f}",
        "yes" if effect.is_needed else "not shown",
    ]
