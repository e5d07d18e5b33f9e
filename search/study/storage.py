"""Where a study lies: in one SQLite file, or in a PostgreSQL database that a team shares.

A password comes from the environment alone, and goes nowhere: not into the study folder, not into
a message, not to Ray's processes.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from search.study.errors import RECOVER, DamagedStudyError, ForeignVersionError, MachineError
from seresnet.errors import ConfigError, UserError

VARIABLE = "SEARCH_STORAGE_URL"
_RESTORE = "restore the database from its backups, or start another study with --name"
BUSY_SECONDS = 60  # a dashboard may read while the driver writes
_CONNECT_SECONDS = 10
_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")
_DAMAGED = ("malformed", "not a database", "no such table", "could not decode")  # SQLite's words
_SECRET_KEYS = ("password", "sslpassword")
# What a password with `@`, `/` or `:` of its own turns the rest of the URL into.
_HOST = re.compile(r"[A-Za-z0-9._:%-]*")
_DATABASE = re.compile(r"[^/@:]+")
_FORMS = "sqlite:///FILE.db, a path that ends in .db, or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True, repr=False)
class Location:
    """The database of a study. Its text and its repr never show a password."""

    url: URL

    @classmethod
    def of_file(cls, path: Path) -> "Location":
        """Return the location of an SQLite file."""
        return cls(URL.create("sqlite", database=str(path)))

    def __repr__(self) -> str:
        return f"Location({self.masked})"

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file, which the study has for itself."""
        return self.url.drivername == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.url.database or "") if self.is_sqlite else None

    def is_at(self, path: Path) -> bool:
        """Return whether it is this file, however both are written."""
        return self.path is not None and self.path.absolute() == path.absolute()

    @property
    def masked(self) -> str:
        """What a person is shown: the file's path, or the URL without its secrets."""
        if self.is_sqlite:
            return str(self.path)
        public = self.url.difference_update_query(_SECRET_KEYS)
        return public.set(drivername="postgresql").render_as_string(hide_password=True)

    @property
    def bare(self) -> URL:
        """The URL without its secrets, which are handed to the driver beside it."""
        return self.url._replace(password=None).difference_update_query(_SECRET_KEYS)

    @property
    def recorded(self) -> str:
        """What the study folder keeps of it: no secret, and no path, so that it can be moved."""
        return f"sqlite:///{self.path.name}" if self.path else self.masked

    @property
    def secrets(self) -> list[str]:
        """What must not be shown."""
        values = [str(self.url.password or "")]
        values += [str(self.url.query.get(key, "")) for key in _SECRET_KEYS]
        return [value for value in values if value]

    def scrubbed(self, text: str) -> str:
        """Return a text without the location's secrets, however they are written."""
        for secret in self.secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}:
                text = text.replace(form, "***")
        return text


def locate(
    flag: str | None, default: Path, environ: MutableMapping[str, str] | None = None
) -> Location:
    """Return where a study lies: as the flag says, else the environment, else in its own folder.

    Args:
        flag: the value of `--storage`.
        default: the study folder's own database file.
        environ: read for SEARCH_STORAGE_URL and PGPASSWORD; that of the process if none is given.

    Raises:
        ConfigError: it cannot be read or is of another kind, shows a password to everyone on the
            machine, lacks its driver, or the study folder holds a study of its own.
    """
    environ = os.environ if environ is None else environ
    if flag is not None:
        location = _parse(flag, "--storage")
        if location.secrets:
            raise ConfigError(
                "--storage: must not hold a password: everyone on the machine sees commands",
                f"put the URL into the environment variable {VARIABLE}, or the password into "
                "~/.pgpass",
            )
    elif environ.get(VARIABLE):
        location = _parse(environ[VARIABLE], VARIABLE)
        if not location.is_at(default) and default.is_file() and default.stat().st_size:
            raise ConfigError(
                f"{VARIABLE}: must not be set for a study that lies in {default}, got "
                f"{location.masked}",
                f"unset {VARIABLE} for this study, or give the new one another --name",
            )
    else:
        return Location.of_file(default)
    if not location.is_sqlite:
        _require_driver()
        if not location.secrets and environ.get("PGPASSWORD"):
            return Location(location.url.set(password=environ["PGPASSWORD"]))
    return location


@contextmanager
def hidden_from_children() -> Iterator[None]:
    """Keep the database's URL and password out of the environment of processes started here."""
    hidden = {key: os.environ.pop(key, None) for key in (VARIABLE, "PGPASSWORD")}
    try:
        yield
    finally:
        os.environ.update({key: value for key, value in hidden.items() if value is not None})


def sqlite_storage(path: Path) -> BaseStorage:
    """Return Optuna's storage on one SQLite file, made where it is missing."""
    return open_storage(Location.of_file(path))


def open_storage(location: Location, options: Mapping[str, Any] | None = None) -> BaseStorage:
    """Return Optuna's storage; its tables are made where they are missing.

    Args:
        location: of the study.
        options: of SQLAlchemy's engine, beside or in place of ours.

    Raises:
        ForeignVersionError: the tables are of another version of Optuna.
    """
    # Optuna takes a URL as text and fills in its braces, so neither path nor password is in it.
    path = location.path
    if path is not None:
        url = "sqlite:///study.db"
        kwargs: dict[str, Any] = {"creator": lambda: _connect_file(path)}
    else:
        url = location.bare.render_as_string().replace("{", "{{").replace("}", "}}")
        # A connection that a server's restart has cut is made anew, not met in mid-search.
        kwargs = {"pool_pre_ping": True, "connect_args": connect_arguments(location)}
    try:
        return RDBStorage(url, engine_kwargs={**kwargs, **(options or {})})
    except RuntimeError as error:  # of Optuna's check of its tables' version
        raise ForeignVersionError(
            f"{location.masked}: {error}", "use the version of Optuna that made the study"
        ) from error


def connect_arguments(location: Location) -> dict[str, object]:
    """Return what the driver of PostgreSQL needs beside the URL without its secrets."""
    given = {key: location.url.query[key] for key in _SECRET_KEYS if key in location.url.query}
    if location.url.password:
        given["password"] = str(location.url.password)
    return {"connect_timeout": _CONNECT_SECONDS, **given}


def close_storage(storage: BaseStorage) -> None:
    """Let go of the database; storage in memory has none."""
    if isinstance(storage, RDBStorage):
        storage.scoped_session.remove()
        storage.engine.dispose()


@contextmanager
def translated(location: Location) -> Iterator[None]:
    """Turn a database's complaints into errors that say what to do and hold no secret.

    What is said of `study.db` is said of the location, with a remedy that serves there.

    Raises:
        MachineError: the database cannot be read or written now: locked, no permission, no space,
            or its server does not answer.
        DamagedStudyError: the file is no database, or a damaged one.
    """
    try:
        yield
    except DamagedStudyError as error:
        message, own = error.message, "study.db: "
        if message.startswith(own):
            message = f"{location.masked}: {message.removeprefix(own)}"
        is_recoverable = location.is_sqlite or RECOVER not in error.hint
        raise type(error)(message, error.hint if is_recoverable else _RESTORE) from error
    except UserError:
        raise
    except Exception as error:
        complaint = database_error(error)
        if complaint is None:
            raise
        refusal = _refusal(location, complaint)
        # Nobody knows what all the drivers put into the errors behind this one.
        raise refusal from (error if location.is_sqlite else None)


def refusal_of_file(path: Path, reason: str) -> UserError:
    """Return the error for what SQLite says of a file."""
    reason = reason.lower()
    if any(
        sign in reason
        for sign in ("malformed", "not a database", "no such table", "could not decode")
    ):
        return DamagedStudyError(f"{path}: {reason}", RECOVER)
    hint = "end what else holds it open, or free space; then run the same command again"
    return MachineError(f"{path}: {reason}", hint)


def _refusal(location: Location, complaint: BaseException) -> UserError:
    reason = str(getattr(complaint, "orig", None) or complaint)
    if location.path is not None:
        return refusal_of_file(location.path, reason)
    lines = [line.strip() for line in location.scrubbed(reason).splitlines()]
    return MachineError(
        f"{location.masked}: {'; '.join(line for line in lines if line)[:500]}",
        "see that the server runs and lets you in; then run the same command again",
    )


def database_error(error: BaseException) -> BaseException | None:
    """Return the database's own error among those that led to this one."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for kind in (DBAPIError, sqlite3.Error, SQLAlchemyError, StorageInternalError):
        for link in chain:
            if isinstance(link, kind):
                return link
    return None


def _connect_file(path: Path) -> sqlite3.Connection:
    # Optuna's sessions belong to a thread each; their connections are handed on between them.
    return sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)


def _parse(text: str, source: str) -> Location:
    """Return the location that a text names. No error shows the text: it may hold a password."""
    if "://" not in text and text.endswith(".db"):
        return Location.of_file(Path(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        hint = "percent-encode what is special in a password: @ is %40, / is %2F, : is %3A"
        raise ConfigError(f"{source}: must be {_FORMS}", hint) from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query or url.host:
            raise ConfigError(
                f"{source}: must name a file and nothing more, as in sqlite:///FILE.db",
                "an absolute path has four slashes: sqlite:////home/me/study.db",
            )
        return Location.of_file(Path(url.database))
    if url.drivername not in _POSTGRESQL:
        raise ConfigError(
            f"{source}: must be {_FORMS}, got {url.drivername}", "use one of these databases"
        )
    if not _HOST.fullmatch(url.host or "") or not _DATABASE.fullmatch(url.database or ""):
        hint = "name the database; in a password write @ as %40, / as %2F and : as %3A"
        raise ConfigError(f"{source}: must be postgresql://USER@HOST/DATABASE", hint)
    return Location(url.set(drivername="postgresql+psycopg"))


def _require_driver() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "PostgreSQL's driver for Python is not installed", 'pip install ".[postgres]"'
        ) from error
