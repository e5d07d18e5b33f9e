"""A real PostgreSQL server of the tests' own, on loopback, with a password."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

# Every character that a URL, a shell or a driver could stumble over.
PASSWORD = "s3cret-7f/@:%41 {x}"
USER = "ann"
ATTEMPTS = 5  # another process may take the port between our look and the server's start


def programs() -> Path | None:
    """Return the folder of the newest server's programs: Debian keeps them off the PATH."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    newest = max(found, key=lambda p: float(p.parent.name), default=None)
    return newest or (Path(on_path).parent if on_path else None)


def account() -> str | None:
    """Return whom the server runs as: it refuses to be root's. None is the tests' own user."""
    return "postgres" if os.getuid() == 0 else None


class Server:
    """One cluster of databases, started and stopped as the tests like."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.data = folder / "data"
        self.log = folder / "log"
        self.user = account()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self.user:
            owner = pwd.getpwnam(self.user)
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        method = ("-A", "scram-sha-256", "--pwfile", str(secret), "-U", USER)
        self.run("initdb", "-D", str(self.data), "-E", "UTF8", "--no-sync", *method)
        secret.unlink()
        self.port = 0
        self.is_running = False

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs to its end."""
        # Its output goes to a file: a started server would hold a pipe open for ever.
        with Path(self.data.parent / f"{program}.out").open("w+") as out:
            done = subprocess.run(
                [self.programs / program, *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", user=self.user,
                check=False,
            )  # fmt: skip
            out.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program}: {out.read()}")

    def start(self) -> None:
        """Start the server, on the port that it had, and wait until it answers."""
        for attempt in range(ATTEMPTS):
            if not self.port or attempt:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    self.port = probe.getsockname()[1]
            options = f"-h 127.0.0.1 -p {self.port} -k '' -F"
            try:
                self.run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-o", options,
                         "start")  # fmt: skip
            except RuntimeError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                self.is_running = True
                return

    def stop(self) -> None:
        """Stop the server at once, as a crash does: by its process, which its folder names."""
        self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")
        self.is_running = False

    def url(self, database: str, *, password: str | None = PASSWORD) -> str:
        """Return the URL of a database."""
        secret = "" if password is None else f":{quote(password, safe='')}"
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="session")
def session_server():
    pytest.importorskip("psycopg")
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # pytest's folders are closed to other users
    try:
        server = Server(place, folder)
        server.start()
        yield server
        if server.is_running:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def server(session_server):
    """The server, which a test may stop."""
    yield session_server
    if not session_server.is_running:
        session_server.start()


@pytest.fixture(scope="session")
def numbers():
    return itertools.count()


@pytest.fixture
def database(server, numbers):
    """The name of an empty database."""
    import psycopg

    name = f"team{next(numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def url(server, database, monkeypatch):
    """The URL of an empty database, which stands in the environment as for a user's command."""
    url = server.url(database)
    monkeypatch.setenv("SEARCH_STORAGE_URL", url)
    return url
