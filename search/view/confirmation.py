"""A confirmation in a few lines: a table, the verdict, what it does not cover."""

from search.study.confirmation import Confirmation, Entrant
from search.study.verdict import points
from search.view.table import aligned


def describe_confirmation(confirmation: Confirmation) -> str:
    """Return the configurations, the highest mean first, and the sentence on the winner."""
    terms = confirmation.terms
    rows = [["confirmed", "name", "mean", "gain", "at least", "in search", "overstated"]]
    rows += [_row(entrant) for entrant in confirmation.ranked]
    seeds = " ".join(map(str, terms.seeds))
    lines = [*aligned(rows), f"seeds {seeds}, {terms.epochs} epochs each"]
    lines.append(f"verdict: {confirmation.sentence}")
    if confirmation.is_better and confirmation.image_error is not None:
        images = f"the choice of these {confirmation.num_val} validation images"
        error = f"a standard error of at most {points(confirmation.image_error)} points"
        lines.append(f"not covered: {images}, which adds {error}")
    return "\n".join(lines)


def _row(entrant: Entrant) -> list[str]:
    before = entrant.val_accuracy_in_search
    return [
        entrant.trial,
        entrant.name or "-",
        "diverged" if entrant.mean is None else f"{entrant.mean:.4f}",
        _signed(entrant.gain),
        _signed(entrant.at_least),
        "" if before is None else f"{before:.4f}",
        _signed(entrant.overstated),
    ]


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"
