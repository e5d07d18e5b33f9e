"""What `python -m seresnet` does with a finished model: predict, evaluate, export."""

import csv
import io
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from seresnet.data import Split

Body = Callable[[Namespace], Iterator[str]]
"""Yields the lines of stdout."""


class AddCommand(Protocol):
    """Adds a command and returns its parser, to which options are added."""

    def __call__(
        self, name: str, body: Body, *, title: str, text: str, example: str
    ) -> ArgumentParser:
        """Add it."""


def add_commands(add_command: AddCommand) -> None:
    """Add the three commands to the parser of `python -m seresnet`."""
    model = "a model.pt of train, tune or retrain"
    predict = add_command(
        "predict",
        _predict,
        title="name what is on images",
        text="Label images with a finished model. Prints CSV: image, label, probability.",
        example="--model results/demo/retrain/seed0/model.pt --images photos",
    )
    predict.add_argument("--model", type=Path, required=True, metavar="FILE", help=model)
    predict.add_argument(
        "--images", type=Path, required=True, metavar="PATH",
        help="a PNG or JPEG file, a folder of them, the competition's test file, a CIFAR-10 batch",
    )  # fmt: skip
    predict.add_argument("--all", action="store_true", help="the probability of every class")
    predict.add_argument("--mirror", action="store_true", help="average each with its mirror image")
    evaluate = add_command(
        "evaluate",
        _evaluate,
        title="measure a model on CIFAR-10's test set, once",
        text="Evaluate a finished model on CIFAR-10's test_batch, once, when nothing is left to\n"
        "choose: the averaged and the last weights, with and without mirror averaging. Each look\n"
        "is added to evaluation.json beside the model, and to its model card; mistakes.json keeps\n"
        "which classes were taken for which, and the most confident mistakes.",
        example="--model results/seresnet/model.pt --data data",
    )
    evaluate.add_argument("--model", type=Path, required=True, metavar="FILE", help=model)
    evaluate.add_argument(
        "--data", required=True, metavar="DIR", help="CIFAR-10's folder, or: synthetic"
    )
    for command in (predict, evaluate):
        command.add_argument(
            "--device", help="such as cuda:0; default: the first GPU, else the CPU"
        )
    export = add_command(
        "export",
        _export,
        title="write an ONNX file",
        text="Write a model as ONNX: uint8 images (n, 3, 32, 32) in, logits out, normalised\n"
        'inside. Compared with PyTorch before it is written. Needs: pip install -e ".[onnx]"',
        example="--model results/seresnet/model.pt",
    )
    export.add_argument("--model", type=Path, required=True, metavar="FILE", help=model)
    export.add_argument("--out", type=Path, metavar="FILE", help="default: model.onnx beside it")


def _predict(arguments: Namespace) -> Iterator[str]:
    from seresnet.data import CLASS_NAMES
    from seresnet.device import choose_device, place, resolve_precision
    from seresnet.images import load_images
    from seresnet.model_file import load_model
    from seresnet.predict import predict

    device = choose_device(arguments.device)
    network, config = load_model(arguments.model)
    found = load_images(arguments.images)
    logits = predict(
        place(network, device),
        found.images,
        config=config,
        dtype=resolve_precision(config.precision, device),
        mirror=arguments.mirror,
    )
    yield _row(["image", "label", "probability", *(CLASS_NAMES if arguments.all else ())])
    for name, shares in zip(found.names, logits.softmax(dim=1).tolist(), strict=True):
        best = max(shares)
        cells = [f"{share:.4f}" for share in ([best, *shares] if arguments.all else [best])]
        yield _row([name, CLASS_NAMES[shares.index(best)], *cells])


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _evaluate(arguments: Namespace) -> Iterator[str]:
    from seresnet.device import choose_device
    from seresnet.evaluation import LAST, evaluate_model
    from seresnet.mistakes import FILE as MISTAKES

    device, folder = choose_device(arguments.device), arguments.model.parent
    test, names = _test_images(arguments.data)
    found = evaluate_model(arguments.model, test, device=device, class_names=names)
    yield "weights   accuracy  +-      mirrored  +-"
    for name, each in found["weights"].items():
        yield (
            f"{name:8}  {each['accuracy']:.4f}    {each['standard_error']:.4f}  "
            f"{each['accuracy_mirrored']:.4f}    {each['standard_error_mirrored']:.4f}"
        )
    yield str(folder / "evaluation.json")
    if arguments.model.name != LAST:
        yield str(folder / MISTAKES)
    if (folder / "metrics.json").is_file():
        from seresnet.card import CARD, write_card
        from seresnet.run import read_metrics

        metrics = read_metrics(folder)
        if "train_sha256" in metrics:  # runs of earlier versions have no card
            write_card(folder, metrics)
            yield str(folder / CARD)


def _test_images(data: str) -> "tuple[Split, tuple[str, ...]]":
    """Return labelled images that no model of ours was trained on, and the names of classes."""
    from seresnet.data import CLASS_NAMES, file_report, load_test, warn_unpublished
    from seresnet.errors import DataError
    from seresnet.synthetic import SHAPE_NAMES, load_synthetic

    if data == "synthetic":
        return load_synthetic()[1], SHAPE_NAMES
    test = load_test(Path(data))
    if test is None:
        raise DataError(
            f"{data}: must hold CIFAR-10's test_batch, got no such file",
            "let `python -m seresnet train --download` fetch CIFAR-10 into this folder",
        )
    report = file_report(Path(data))
    warn_unpublished({name: each for name, each in report.items() if name == "test_batch"})
    return test, CLASS_NAMES


def _export(arguments: Namespace) -> Iterator[str]:
    from seresnet.onnx_file import MAX_DIFFERENCE, NUM_CHECKED, export

    out = arguments.out or arguments.model.with_suffix(".onnx")
    difference = export(arguments.model, out)
    yield (
        f"largest difference of a logit from PyTorch's on {NUM_CHECKED} images: {difference:.1e} "
        f"(at most {MAX_DIFFERENCE:g})"
    )
    yield str(out)
