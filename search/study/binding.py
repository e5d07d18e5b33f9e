"""A study folder and the database that holds its study belong together."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from search.study.storage import VARIABLE, Location
from seresnet.errors import ConfigError, DataError
from seresnet.files import write_text

if TYPE_CHECKING:
    from search.study.folder import StudyFolder


@dataclass(frozen=True, slots=True)
class Binding:
    """Which study a folder belongs to, as its provenance tells; nothing where it tells nothing."""

    folder: "StudyFolder"
    provenance: dict[str, Any]

    @classmethod
    def read(cls, folder: "StudyFolder") -> "Binding":
        """Return what the folder's provenance tells."""
        try:
            content = json.loads(folder.provenance.read_text())
        except (OSError, ValueError):
            content = {}
        return cls(folder, content if isinstance(content, dict) else {})

    def refuse_missing(self, location: Location) -> None:
        """Refuse to begin a second study where the folder's own lies in another database.

        Raises:
            ConfigError: where the study lies is named.
        """
        elsewhere = self.provenance.get("storage", location.recorded)
        if location.is_at(self.folder.database) and not self.folder.database.exists():
            if str(elsewhere).startswith("postgresql"):
                raise ConfigError(
                    f"{self.folder.path}: its study lies in {elsewhere}, and no URL was given",
                    f"put the URL into the environment variable {VARIABLE}",
                )
            if elsewhere != location.recorded:
                raise ConfigError(
                    f"{self.folder.path}: its study lies in another file, {elsewhere}",
                    "name that file with --storage",
                )

    def refuse_foreign(self, storage: BaseStorage, location: Location, name: str) -> None:
        """Refuse a database whose study is not the folder's.

        Raises:
            DataError: both studies are named.
        """
        bound = self.provenance.get("study")
        found = _stored_id(storage, name)
        if bound is None or found == bound:
            return
        if found is None and location.is_at(self.folder.database):
            # Someone deleted the study, to begin anew; a kill before the next start is recorded
            # must not leave the folder bound to the old one.
            content = {key: value for key, value in self.provenance.items() if key != "study"}
            text = json.dumps(content, indent=2, allow_nan=False)
            write_text(self.folder.provenance, f"{text}\n")
            return
        holds = f"holds study {str(found)[:12]}" if found else "holds no study"
        raise DataError(
            f"{self.folder.path}: belongs to study {str(bound)[:12]}, but {location.masked} {holds}"
            f" under the name {name}",
            "name the database that holds the folder's study, or give another study another --name",
        )


def _stored_id(storage: BaseStorage, name: str) -> object:
    try:
        number = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    return storage.get_study_user_attrs(number).get("id")
