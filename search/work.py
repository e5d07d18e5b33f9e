"""What the commands share that work on a study: its images, its folder held open, its workers."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from search.engine.grants import Grant
    from search.engine.mps import Daemon
    from search.interrupts import StopRequest
    from search.study.ablation import Ablation
    from search.study.backup import Backups
    from search.study.confirmation import Confirmation
    from search.study.dataset import Dataset
    from search.study.folder import StudyFolder
    from search.study.ledger import Ledger
    from search.study.records import TrialRecord
    from search.study.space import StudyConfig
    from search.view.followers import Follower
    from search.view.live import View
    from seresnet.data import Unlabelled


@dataclass(frozen=True, slots=True)
class Work:
    """A study that a command holds open."""

    folder: "StudyFolder"
    ledger: "Ledger"
    dataset: "Dataset"
    test: "Unlabelled | None"
    """Images to label; none where there is no such file."""
    backups: "Backups"
    stored_in: str
    """Where the study lies, without secrets."""
    arguments: Namespace

    @property
    def stop(self) -> "StopRequest":
        """Whether the command was asked to end."""
        stop: StopRequest = self.arguments.stop
        return stop


def add_options(parser: ArgumentParser, *, labels: bool = True) -> None:
    """Add the options of all commands that read images, hold a study and start workers.

    Args:
        parser: of the command.
        labels: whether it labels test images.
    """
    add = parser.add_argument
    add("--data", type=Path, default=Path("data"), metavar="DIR", help="CIFAR-10; default: data")
    add("--download", action="store_true", help="fetch CIFAR-10 into the data folder")
    parser.set_defaults(labels=labels)
    if labels:
        add("--test", type=Path, metavar="FILE", help="to label; default: looked for in --data")
    add("--storage", metavar="URL", help="of the study; default: study.db in its folder")
    add("--recover", action="store_true", help="take the last good backup of a damaged study")
    add("--address", metavar="A", help="of a running Ray cluster; default: this machine alone")


def existing(path: Path) -> "StudyFolder":
    """Return a study folder that a search has made.

    Raises:
        DataError: it holds no study.
    """
    from search.study.folder import StudyFolder
    from seresnet.errors import DataError

    folder = StudyFolder(path)
    if not folder.study_file.is_file():
        raise DataError(f"{folder.path}: holds no study", "name a folder such as results/demo")
    return folder


@contextmanager
def opened(path: Path, config: "StudyConfig", arguments: Namespace) -> Iterator[Work]:
    """Hold a study open, made where it is missing.

    The images are read first: where they are bad, nothing is written.

    Raises:
        UserError: something is wrong with the images, the folder or the study.
    """
    from search.study import folder as folders
    from search.study.backup import Backups
    from search.study.dataset import load_dataset, load_test_images
    from search.study.storage import locate

    folder = folders.StudyFolder(path)
    location = locate(arguments.storage, folder.database)
    if arguments.download and config.data.source == "cifar10":
        from seresnet.download import download

        download(arguments.data)
    dataset = load_dataset(config.data, arguments.data)
    test = None
    if arguments.labels:
        test = load_test_images(config.data, arguments.data, arguments.test)
    backups = Backups(location.path, folder.backups)
    study = folders.opened(
        folder,
        config,
        dataset.report,
        location=location,
        backups=backups,
        recovering=arguments.recover,
    )
    with study as ledger:
        yield Work(folder, ledger, dataset, test, backups, location.recorded, arguments)


@contextmanager
def watched(work: Work) -> Iterator["View"]:
    """Record this start, and show the study while the block runs."""
    from search.study.provenance import record_start
    from search.view.live import watch

    record_start(
        work.folder.provenance,
        work.ledger,
        work.dataset.report,
        command=work.arguments.command,
        stored_in=work.stored_in,
    )
    with watch(work.ledger) as view:
        yield view


@contextmanager
def followed(
    folder: "StudyFolder", ledger: "Ledger", backups: "Backups", *followers: "Follower"
) -> Iterator[None]:
    """Let views, tables and backups follow the trials; the tables are whole, whatever happens."""
    from search.results import Tables

    tables = Tables(ledger.trials, folder.path)

    def observe(trial: "TrialRecord") -> None:
        for follower in followers:
            follower.trial_changed(trial)
        if not trial.is_running:
            tables.note()
            folder.clear_checkpoints(ledger.trials)
            backups.note(ledger.num_events)

    ledger.observe = observe
    try:
        yield
    finally:
        tables.write()


@contextmanager
def workers(work: Work, *, slots_at_most: int | None = None) -> Iterator["Grant"]:
    """Hold Ray open; yield what each trial is granted, once every node has been looked at.

    How many trials share a GPU is measured the first time, where the study leaves it to us.

    Raises:
        MachineError: Ray does not start, a node does not see the study folder, nothing can hold a
            trial, or the disk lacks room.
    """
    from search.engine.cluster import session, usable_grant
    from search.engine.mps import Daemon
    from search.engine.nodes import probe
    from search.study.disk import bytes_in, checkpoint_bytes, require_space
    from seresnet.model import SEResNet, num_parameters

    arguments, config = work.arguments, work.ledger.config
    with (
        Daemon(is_local=arguments.address is None) as daemon,  # outlives all workers
        session(
            address=arguments.address,
            verbose=arguments.verbose,
            after_start=work.stop.install,
        ),
    ):
        probe(work.folder.path)
        granted = usable_grant(config.resources, slots_at_most=slots_at_most)
        granted = _packed(work, granted, daemon, slots_at_most)
        size = num_parameters(SEResNet(channels=config.train.channels))
        present = bytes_in(work.folder.checkpoints)
        require_space(work.folder.path, checkpoint_bytes(size, granted.slots, present=present))
        yield granted


def _packed(work: Work, granted: "Grant", daemon: "Daemon", slots_at_most: int | None) -> "Grant":
    """Return the grant with as many trials a GPU as make most of it, and record why."""
    from search.engine.cluster import grant, live_nodes
    from search.engine.measuring import measure, shape_of, training_of
    from search.engine.packing import Packing, candidates, settle
    from search.study.provenance import packings, record_packing

    config, path = work.ledger.config, work.folder.provenance
    resources, concurrent = config.resources, config.study.num_trials
    if resources.gpus_per_trial != "auto" or not granted.gpus:
        return granted
    if resources.max_concurrent != "auto":
        concurrent = min(concurrent, resources.max_concurrent)
    tried = candidates(live_nodes(), cpus=granted.cpus, concurrent=concurrent)
    if tried == (1,):
        return granted
    wanted = Packing(granted.gpu_name, shape_of(config), tried)
    measure_one = partial(measure, training_of(config, work.dataset), cpus=granted.cpus)
    packing, pipe = settle(wanted, packings(path), daemon, measure_one, cli.note)
    record_packing(path, packing.as_record())
    num = packing.choice.trials
    shared = grant(resources, slots_at_most=slots_at_most, trials_per_gpu=num)
    return replace(shared, gpu_name=granted.gpu_name, mps_pipe=pipe)


def show(work: Work) -> None:
    """Print the best trials, what is known of the winner, and the paths of what was made.

    As JSON all of that; as CSV the trials alone, since a table has one kind of row.
    """
    from search.study.records import incumbent
    from search.view.formats import as_csv, as_json
    from search.view.page.drawing import draw
    from search.view.summary import best_rows, describe_study, record_of

    draw(work.folder.path, work.arguments.storage)
    has_winner = incumbent(work.ledger.trials) is not None
    confirmation, ablation = _verdicts(work) if has_winner else (None, None)
    products = [str(path) for path in work.folder.products()]
    match work.arguments.format:
        case "csv":
            cli.output(as_csv(best_rows(work.ledger)))
        case "json":
            verdicts = {"confirmation": confirmation, "ablation": ablation}
            plain = {name: each and asdict(each) for name, each in verdicts.items()}
            cli.output(as_json({**record_of(work.ledger), **plain, "products": products}))
        case _:
            cli.output(describe_study(work.ledger))
            _show_verdicts(confirmation, ablation)
            for product in products:
                cli.output(product)


def _show_verdicts(confirmation: "Confirmation | None", ablation: "Ablation | None") -> None:
    from search.view.ablation import describe_ablation
    from search.view.confirmation import describe_confirmation

    if confirmation is not None:
        cli.output(describe_confirmation(confirmation))
    if ablation is not None:
        cli.output(describe_ablation(ablation))


def _verdicts(work: Work) -> "tuple[Confirmation | None, Ablation | None]":
    """Return confirmation and ablation; what was made for an earlier state is called stale."""
    from search.engine.delivery import is_stale
    from search.study.winner import ablation_of, confirmation_of, winner

    folder, ledger = work.folder, work.ledger
    confirmation = confirmation_of(folder, ledger)
    if confirmation is None and folder.confirmation.exists():
        _call_stale(folder, "confirm.json", "confirm")
    ablation = ablation_of(folder, ledger, winner(folder, ledger))
    if ablation is None and folder.ablation.exists():
        _call_stale(folder, "ablate.json", "ablate")
    if is_stale(folder, ledger, work.dataset):
        _call_stale(folder, "what was retrained and submitted", "retrain")
    return confirmation, ablation


def _call_stale(folder: "StudyFolder", what: str, command: str) -> None:
    again = f"python -m search.{command} --study {folder.path}"
    cli.note(f"{what} is stale, of an earlier state of the study; anew: {again}")
