"""What a study says of itself: schema, settings, identity, images."""

import uuid
from collections.abc import Mapping

import optuna
from optuna.storages import BaseStorage

from search.study.errors import RECOVER, DamagedStudyError, ForeignVersionError
from search.study.events import find_damage
from search.study.guard import RungChoice
from search.study.space import StudyConfig, changed_keys, dump_study, loads_resolved
from seresnet.errors import ConfigError, DataError

STUDY_NAME = "search"
"""Of the study in a file of its own; in a database that is shared, the study folder's name."""
SCHEMA = 2
"""Version of what is stored; a study of a newer one is refused, an older one is converted.

1: suggestions, epochs, ends. 2: pauses and the search's time; for a program of schema 1 the numbers
of pauses would be missing in the history.
"""


def create_study(storage: BaseStorage, config: StudyConfig, name: str) -> optuna.Study:
    """Return the study in this storage, made where it is missing.

    Raises:
        ConfigError: the stored study was made with other settings; the keys are named.
        DamagedStudyError: it was written by a newer version.
    """
    study = optuna.create_study(
        study_name=name, storage=storage, direction="maximize", load_if_exists=True
    )
    if "config" in study.user_attrs:
        _refuse_changes(stored_config(study), config)
        if study.user_attrs["schema"] != SCHEMA:  # before anything of the newer one is stored
            study.set_user_attr("schema", SCHEMA)
    else:
        study.set_user_attr("schema", SCHEMA)
        study.set_user_attr("id", uuid.uuid4().hex)
    study.set_user_attr("config", dump_study(config))
    return study


def load_study(storage: BaseStorage, name: str) -> optuna.Study:
    """Return a study that exists.

    Raises:
        DamagedStudyError: the storage holds no such study.
    """
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError as error:
        raise DamagedStudyError(
            "study.db: holds no study of this program", "name a folder that a search has made"
        ) from error


def stored_config(study: optuna.Study) -> StudyConfig:
    """Return the settings that a study holds.

    Raises:
        DamagedStudyError: they are missing or cannot be read, or a newer version wrote them.
    """
    attributes = study.user_attrs
    schema = attributes.get("schema", 0)
    other = "use the version that made the study, or start another with --name"
    if schema > SCHEMA:
        raise ForeignVersionError(
            f"study.db: written by a newer version (schema {schema}, this program knows {SCHEMA})",
            other,
        )
    if schema < 1 or "config" not in attributes:
        raise DamagedStudyError("study.db: holds no study of this program", other)
    try:
        return loads_resolved(attributes["config"], name="study.db")
    except ConfigError as error:
        message = f"study.db: its settings cannot be read: {error.message}"
        raise DamagedStudyError(message, other) from error


def refuse_damage(study: optuna.Study) -> None:
    """A value that rotted or was edited must not decide which trials are stopped, or which wins.

    Raises:
        DamagedStudyError: something is not what was stored; its place is named.
    """
    damage = next(find_damage(study.get_trials(deepcopy=False)), None)
    if damage is not None:
        raise DamagedStudyError(f"study.db: {damage}", RECOVER)


def bind_images(study: optuna.Study, report: Mapping[str, object]) -> None:
    """Keep the hashes of the study's images; refuse others on a later start.

    Raises:
        DataError: the study was made with other images: its values would not compare.
    """
    hashes = {key: report[key] for key in ("train_sha256", "val_sha256")}
    stored = study.user_attrs.get("images")
    if stored is None:
        study.set_user_attr("images", hashes)
    elif stored != hashes:
        raise DataError(
            "the images are not those that the study was made with (SHA-256 differs)",
            "name the same --data folder, or start another study with --name",
        )


def keep_choice(study: optuna.Study, choice: RungChoice | None) -> None:
    """Keep what was chosen of the rungs, once; it is derived from the trials whenever needed."""
    if choice is not None and "rungs" not in study.user_attrs:
        kept = {"first_rung": choice.first_rung, "sentence": choice.sentence}
        study.set_user_attr("rungs", kept)


def _refuse_changes(old: StudyConfig, new: StudyConfig) -> None:
    lines = [f"the study was made with other settings: {c}" for c in changed_keys(old, new)]
    if lines:
        hint = "restore these keys, or start another study with --name"
        raise ConfigError("\n".join(lines), hint)
