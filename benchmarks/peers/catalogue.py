"""The peers by name, and what each needs; nothing is imported before it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata

from peers.loop import Peer
from search.study.space import StudyConfig

Make = Callable[[StudyConfig, int], Peer]


@dataclass(frozen=True, slots=True)
class Entry:
    """One peer at some settings."""

    package: str
    """On PyPI."""
    module: str
    """Its adapter, in this folder."""
    make: str
    """A function of the adapter: of the study, the seed and the settings."""
    settings: tuple[object, ...] = ()

    def load(self) -> Make:
        """Return what makes a fresh peer.

        Raises:
            ImportError: the package is not installed here.
        """
        make = getattr(import_module(f"peers.{self.module}"), self.make)
        return lambda config, seed: make(config, seed, *self.settings)

    @property
    def version(self) -> str:
        """Package and version, as in a requirements file."""
        return f"{self.package}=={metadata.version(self.package)}"


PEERS = {
    "ours none": Entry("optuna", "ours", "Ours", ("tpe+none",)),
    "ours asha:25%,2": Entry("optuna", "ours", "Ours", ("tpe+asha:25%,2",)),
    "ours auto": Entry("optuna", "ours", "Ours", ("auto",)),
    "ours auto, cut off": Entry("optuna", "ours", "cut_off", ("auto",)),
    "ours gp+none, cut off": Entry("optuna", "ours", "cut_off", ("gp+none",)),
    "ours none, cut off": Entry("optuna", "ours", "cut_off", ("tpe+none",)),
    "optuna tpe": Entry("optuna", "optuna_alone", "OptunaAlone", ("tpe", "none")),
    "optuna gp": Entry("optuna", "optuna_alone", "OptunaAlone", ("gp", "none")),
    "optuna tpe+median": Entry("optuna", "optuna_alone", "OptunaAlone", ("tpe", "median")),
    "optuna tpe+halving": Entry("optuna", "optuna_alone", "OptunaAlone", ("tpe", "halving")),
    "optuna tpe+hyperband": Entry("optuna", "optuna_alone", "OptunaAlone", ("tpe", "hyperband")),
    "ray asha:1,4": Entry("ray", "ray_stock", "RayStock", (1, 4)),
    "ray asha:15,2": Entry("ray", "ray_stock", "RayStock", (15, 2)),
    "syne cqr": Entry("syne-tune", "syne", "cqr"),
    "syne asha:1,3": Entry("syne-tune", "syne", "asha", ("random_search", 1, 3)),
    "syne asha:15,2": Entry("syne-tune", "syne", "asha", ("random_search", 15, 2)),
    "syne asha+cqr:1,3": Entry("syne-tune", "syne", "asha", ("cqr", 1, 3, 8)),
    "syne asha+cqr:15,2": Entry("syne-tune", "syne", "asha", ("cqr", 15, 2)),
    "smac hyperband:1,3": Entry("smac", "smac3", "Smac", (1, 3, 185)),
    "smac hyperband:15,2": Entry("smac", "smac3", "Smac", (15, 2, 60)),
    "dehb hyperband:1,3": Entry("dehb", "dehb", "Evolution", (1, 3)),
    "dehb hyperband:15,2": Entry("dehb", "dehb", "Evolution", (15, 2)),
}
"""By the name in the table; numbers are the first rung and the factor."""
