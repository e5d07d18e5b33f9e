"""What the retrained model takes for what, and the mistakes it was surest of, as images."""

from collections.abc import Iterator, Sequence
from functools import partial

from search.study.checks.wording import command, count
from search.study.retrained import Retrained, retrained_models
from search.study.snapshot import Snapshot
from search.view.page.document import Part, Section
from search.view.page.html import Html, code, note, table, tag
from search.view.page.units import sentence
from seresnet.mistakes import Mistake, Mistakes

_section = partial(Section, id="mistakes", title="What the model gets wrong", link="Mistakes")
_NUM_NAMED = 3
"""Confusions that the sentence names."""


def mistakes(snapshot: Snapshot) -> Section:
    """Return the section of the look at the test set, or why there was none."""
    models = retrained_models(snapshot)
    looked_at = [model for model in models if model.looks]
    if not looked_at:
        return _section(parts=list(_why_none(snapshot, models)))
    parts: list[Part] = [note(_told(looked_at)), _accuracies(looked_at)]
    first = looked_at[0]
    if first.mistakes is None:
        parts += _not_kept(first)
    else:
        parts += [*_confusion(first, first.mistakes), *_images(first.mistakes)]
    return _section(parts=parts)


def _why_none(snapshot: Snapshot, models: Sequence[Retrained]) -> Iterator[Part]:
    """Yield why no model was looked at, and what to do."""
    problems = [model.problem for model in models if model.problem]
    if not snapshot.config.is_seresnet:
        yield note("A model of another trainable is not retrained here, so there is none to test.")
    elif snapshot.winner is None:
        yield note("No trial is complete, so no model is retrained yet.")
    elif problems:
        yield note(sentence(problems[0]))
    elif not models and snapshot.folder.submission.exists():
        yield note(
            "The retrained models are not in this folder, as in a copy of its tables and database: "
            "what they get wrong cannot be told."
        )
    elif not models:
        yield note("The winner is not retrained yet; this retrains it:")
        yield code(command(snapshot, "retrain"))
    elif snapshot.config.data.source == "cifar10":
        yield note(
            "Labels of a test set, CIFAR-10's test_batch, were not in the data folder, so the "
            "retrained model was tested on none. This fetches them and looks once; nothing is "
            "trained again:"
        )
        yield code(command(snapshot, "retrain", "--download"))
    else:
        yield note("The retrained model was not tested yet; this looks at the test images once:")
        yield code(command(snapshot, "retrain"))


def _told(models: Sequence[Retrained]) -> str:
    seen = models[0].looks[0]
    told = (
        f"What {count(len(models), 'retrained model')} did on {seen.num_images:,} labelled test "
        f"images, looked at on {seen.at[:10]}, when nothing was left to choose."
    )
    if any(len(model.looks) > 1 for model in models):
        told += " The test set was looked at again later: the first look counts."
    if not all(model.is_winner for model in models):
        told += " It is of an earlier winner: the present one is not retrained yet."
    return told


def _accuracies(models: Sequence[Retrained]) -> Html:
    """Return how many images each model has right, at its first look."""
    header = ["retrained with", "weights", "right", "standard error", "with mirror averaging"]
    rows = [
        [
            f"seed {model.seed}",
            found.weights,
            f"{found.plain:.2%}",
            f"{100 * found.standard_error:.2f} points",
            f"{found.mirrored:.2%}",
        ]
        for model in models
        for found in model.looks[0].accuracies
    ]
    return table(header, rows, numbers=(2, 3, 4))


def _not_kept(model: Retrained) -> list[Part]:
    told = (
        "What it gets wrong was not kept: it was tested by an earlier version. This keeps it, but "
        "it is a second look at the test set:"
    )
    model_file = f"retrain/seed{model.seed}/model.pt"
    return [note(told), code(f"python -m seresnet evaluate --model {model_file} --data DIR")]


def _confusion(model: Retrained, found: Mistakes) -> list[Part]:
    """Return which classes are taken for which, as a table that is read row by row."""
    names, num = found.class_names, len(found.class_names)
    wrong = [
        (-found.confusion[row][column], row, column)
        for row in range(num)
        for column in range(num)
        if row != column and found.confusion[row][column]
    ]
    told = f"The model of seed {model.seed} has {count(found.num_wrong, 'image')} wrong. "
    if wrong:
        named = [f"{names[r]} for {names[c]} ({-n:,})" for n, r, c in sorted(wrong)[:_NUM_NAMED]]
        told += f"Taken most often: {', '.join(named)}. "
    told += "A row is a class, a column what the model called its images."
    most = -min(wrong)[0] if wrong else 1
    heads = [tag("th", tag("span", name), scope="col") for name in names]
    head = tag("tr", tag("th", "class"), heads, tag("th", tag("span", "right"), scope="col"))
    rows = [
        tag(
            "tr",
            tag("th", names[row], scope="row"),
            [_cell(found, row, column, most) for column in range(num)],
            tag("td", "-" if share is None else f"{share:.1%}"),
        )
        for row, share in enumerate(found.accuracy_by_class)
    ]
    inner = tag("table", tag("thead", head), tag("tbody", rows), class_="confusion")
    heading = tag("h3", "Which classes are taken for which")
    return [heading, note(told), tag("div", inner, class_="scroll fitted", tabindex=0)]


def _cell(found: Mistakes, row: int, column: int, most: int) -> Html:
    """Return a count, the deeper in colour the more: of its class if right, else of the worst."""
    names, number, total = (
        found.class_names,
        found.confusion[row][column],
        sum(found.confusion[row]),
    )
    if not number:
        return tag("td", "·", class_="none")
    is_right = row == column
    depth = number / total if is_right else (number / most) ** 0.5
    taken = "recognised" if is_right else f"taken for {names[column]}"
    return tag(
        "td",
        f"{number:,}",
        class_="right" if is_right else "wrong",
        style=f"--depth: {depth:.2f}",
        title=f"{names[row]} {taken}: {number:,} of {total:,} ({number / total:.1%})",
    )


def _images(found: Mistakes) -> list[Part]:
    """Return the mistakes that the model was surest of."""
    if not found.most_confident:
        return [note("It has every image right.")]
    names = found.class_names
    told = (
        f"The {count(len(found.most_confident), 'mistake')} with the highest probabilities, the "
        "surest first: what the model called the image, how sure it was, and what it is."
    )
    shown = [_image(each, names) for each in found.most_confident]
    gallery = tag("div", shown, class_="gallery")
    return [tag("h3", "Its most confident mistakes"), note(told), gallery]


def _image(each: Mistake, names: Sequence[str]) -> Html:
    label, predicted = names[each.label], names[each.predicted]
    share = f"{each.probability:.1%}" if each.probability < 0.9995 else "> 99.9%"
    picture = tag(
        "img",
        src=f"data:image/png;base64,{each.png}",
        alt=f"test image {each.index}: {label}, called {predicted} at {share}",
        width=96,
        height=96,
        loading="lazy",
    )
    said = tag("figcaption", tag("b", predicted), tag("small", share), tag("small", f"is {label}"))
    return tag("figure", picture, said, class_="mistake")
