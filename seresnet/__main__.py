"""`python -m seresnet`: one training, and what to do with its model; no search."""

import argparse
import ast
import dataclasses
import difflib
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seresnet.config import TrainConfig
from seresnet.errors import ConfigError, SystemRefusalError, UserError
from seresnet.model_commands import Body, add_commands

if TYPE_CHECKING:
    from seresnet.data import Split
    from seresnet.epoch import EpochResult

_HEADINGS = (
    "epoch  train_loss  val_loss  val_accuracy  val_accuracy_raw        lr  seconds  images/s"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    Returns:
        0 done; 1 diverged, or an export that is not faithful; 2 wrong usage or input; 3 the
        system refused a file, or another process trains in this folder; 130 interrupted.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr)
    typed = sys.argv[1:] if argv is None else argv
    try:
        code: int = arguments.run(arguments)
        return code
    except UserError as error:
        print(error.as_text(), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        refusal = SystemRefusalError(error)
        print(refusal.as_text(), file=sys.stderr)
        return refusal.exit_code
    except KeyboardInterrupt:
        command = shlex.join(["python", "-m", "seresnet", *typed])
        kept = "every finished epoch is kept; to go on" if arguments.run is _train else "again"
        print(f"interrupted: {kept}: {command}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seresnet",
        description="The SE-ResNet for CIFAR-10.",
        epilog="example:\n  python -m seresnet train --data data --epochs 30 --set dropout=0.1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add_command(
        name: str, body: Body, *, title: str, text: str, example: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=title,
            description=text,
            epilog=f"example:\n  python -m seresnet {name} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.set_defaults(run=partial(_print, body))
        return made

    train = add_command(
        "train",
        lambda _: iter(()),
        title="train one network and save it",
        text="Train one network on CIFAR-10, evaluate it after each epoch, save it.\n"
        "The same command again goes on where it was interrupted.",
        example="--data synthetic --epochs 5 --set warmup_epochs=1 "
        '--set "channels=(8, 16, 32, 64)"',
    )
    train.set_defaults(run=_train)
    _add_train_options(train)
    add_commands(add_command)
    return parser


def _print(body: Body, arguments: argparse.Namespace) -> int:
    for line in body(arguments):
        print(line)
    return 0


def _add_train_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="CIFAR-10's folder, or: synthetic")
    add("--download", action="store_true", help="fetch CIFAR-10 into that folder")
    add("--epochs", type=int, metavar="N", help="length of the schedule; default: 250")
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help="any TrainConfig field")
    add("--num-val", type=int, metavar="N", help="held out; 0: none; default: a tenth")
    add("--out", type=Path, default=Path("results/seresnet"), metavar="DIR", help="of the model")
    add("--device", help="such as cuda:0; default: the first GPU, else the CPU")
    add("--threads", type=_count, metavar="N", help="CPU threads; default: PyTorch's choice")


def _count(text: str) -> int:
    """Return a number of at least one; argparse makes a complaint of the ValueError."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be >= 1, got {value}")
    return value


def read_settings(epochs: int | None, assignments: Sequence[str]) -> TrainConfig:
    """Return the seed recipe with changes.

    Args:
        epochs: as `--epochs`.
        assignments: `field=value` each.

    Raises:
        ConfigError: a field is unknown, or a value of the wrong type or out of range.
    """
    values: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    defaults = dataclasses.asdict(TrainConfig())
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in defaults:
            nearest = difflib.get_close_matches(name, defaults, n=1)
            guess = f", did you mean {nearest[0]}?" if nearest else ""
            raise ConfigError(
                f"--set {assignment}: must be FIELD=VALUE with a field of TrainConfig{guess}",
                f"use one of {', '.join(defaults)}",
            )
        values[name] = _value(name, text, defaults[name])
    try:
        return TrainConfig(**values)
    except ValueError as error:
        lines = [f"--set {line}" for line in str(error).splitlines()]
        raise ConfigError(
            "\n".join(lines), "see seresnet/config.py for units and ranges"
        ) from error


def _value(name: str, text: str, default: object) -> object:
    """Return a value of the default's type; an integer will do for a float."""
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (SyntaxError, TypeError, ValueError):
        value = text
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        kinds = (int,) if isinstance(default[0], int) else (int, float)
        if len(value) == len(default) and all(type(v) in kinds for v in value):
            return tuple(value)
    elif type(value) is type(default):
        return value
    elif type(value) is int and isinstance(default, float) and abs(value) < 2**53:
        return float(value)
    raise ConfigError(
        f"--set {name}: must be like {default}, got {text}", "give a value of that kind"
    )


def _train(arguments: argparse.Namespace) -> int:
    import torch

    from seresnet.device import choose_device
    from seresnet.fence import StaleAttemptError
    from seresnet.run import identity, is_finished, read_metrics, run
    from seresnet.train import DivergedError

    config = read_settings(arguments.epochs, arguments.set)
    train_data, val_data, test_data = _read_data(arguments)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    out = arguments.out
    if is_finished(out, identity(config, train_data, val_data)):
        print(f"{out}: done already", file=sys.stderr)
    else:
        device = choose_device(arguments.device)
        results = run(
            config,
            train_data,
            val_data,
            folder=out,
            device=device,
            provenance={"data": arguments.data},
            test_data=test_data,
        )
        try:
            _show(results, config.epochs)
        except DivergedError as error:
            print(f"error: {error}\nhint: lower lr, or lengthen warmup_epochs", file=sys.stderr)
            return 1
        except StaleAttemptError:
            hint = "let that one finish, or stop it and run the same command again"
            print(f"error: {out}: another process trains here now\nhint: {hint}", file=sys.stderr)
            return 3
    metrics = read_metrics(out)
    if "test_accuracy" in metrics:
        print(f"test_accuracy {metrics['test_accuracy']:.4f} (averaged weights, no mirroring)")
    print(out / "model.pt")
    return 0


def _show(results: "Iterator[EpochResult]", epochs: int) -> None:
    """Print a row an epoch to stdout, under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("epochs", total=epochs)
        for position, result in enumerate(results):
            if position == 0:
                print(_HEADINGS)
            print(_row(result), flush=True)
            progress.update(bar, completed=result.epoch)


def _read_data(arguments: argparse.Namespace) -> "tuple[Split, Split | None, Split | None]":
    """Return the images to train on, those held out, and the test set, if there are any."""
    from seresnet.data import file_report, load_labelled, load_test, warn_unpublished
    from seresnet.splits import hold_out
    from seresnet.synthetic import load_synthetic

    test_data: Split | None
    if arguments.data == "synthetic":
        labelled, test_data = load_synthetic()
    else:
        root = Path(arguments.data)
        if arguments.download:
            from seresnet.download import download

            download(root)
        labelled, test_data = load_labelled(root), load_test(root)
        warn_unpublished(file_report(root))
    num_val = len(labelled) // 10 if arguments.num_val is None else arguments.num_val
    if num_val == 0:
        return labelled, None, test_data
    train_data, val_data = hold_out(labelled, num_val=num_val, seed=0)
    return train_data, val_data, test_data


def _row(result: "EpochResult") -> str:
    def cell(value: float | None, width: int) -> str:
        return f"{'-':>{width}}" if value is None else f"{value:{width}.4f}"

    return (
        f"{result.epoch:5d}  {result.train_loss:10.4f}  {cell(result.val_loss, 8)}  "
        f"{cell(result.val_accuracy, 12)}  {cell(result.val_accuracy_raw, 16)}  "
        f"{result.lr:8.5f}  {result.seconds:7.1f}  {result.images_per_second:8.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
