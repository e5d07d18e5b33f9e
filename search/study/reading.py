"""A study opened by those who only look: no lock, nothing made, nothing written."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import BaseStorage

from search.study.binding import Binding
from search.study.folder import StudyFolder
from search.study.storage import close_storage, locate, open_storage, translated
from seresnet.errors import DataError


@contextmanager
def read(folder: StudyFolder, flag: str | None = None) -> Iterator[tuple[BaseStorage, str]]:
    """Yield the storage of a study that exists, and the study's name there.

    Args:
        folder: of the study.
        flag: the value of `--storage`.

    Raises:
        ConfigError: the folder's study lies in another database, which is named.
        DataError: the folder holds no study.
        UserError: its database cannot be read.
    """
    location = locate(flag, folder.database)
    Binding.read(folder).refuse_missing(location)
    if location.path is not None and not location.path.is_file():
        raise DataError(
            f"{folder.path}: holds no study ({location.masked} is missing)",
            "name a folder such as results/demo",
        )
    with translated(location):
        storage = open_storage(location)
        try:
            yield storage, folder.study_name(location)
        finally:
            close_storage(storage)
