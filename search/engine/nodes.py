"""Before a study starts: does every node of the cluster see its folder, and run the same code?"""

import hashlib
import logging
import os
import platform
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.engine.cluster import PACKAGES
from search.study.errors import MachineError

_log = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
"""A node that has not answered by then takes no part, and the study does not start."""
CACHE_SECONDS = 10.0
"""A network file system may show a new file late."""

_NEEDED = ("torch", "ray", "numpy", "optuna", "pydantic", "pyyaml")
_EQUAL = ("python", "ray", "code")
_SHARE = "keep --results on a file system that every node sees under the same path"
_INSTALL = (
    "every node needs the same Python, packages, RAY_AUTH_MODE and token; see cluster/README.md"
)


def probe(folder: Path, *, seconds: float = ANSWER_SECONDS) -> None:
    """See that every node of the running cluster can take part in a study.

    Each reads what this process has written into the study folder, writes a file of its own that
    is read back here, and says which code and versions it would run. A Ray of one node that was
    started here is not asked.

    Args:
        folder: of the study; it exists.
        seconds: to wait for the nodes, all of them together.

    Raises:
        MachineError: a node does not answer, does not see the folder, cannot write there, or would
            run other code; the message names it.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    here = ray.get_runtime_context().get_node_id()
    is_joined = "py_modules" in ray.get_runtime_context().runtime_env  # see `session`
    if not is_joined and [node["NodeID"] for node in nodes] == [here]:
        return
    folder = folder.resolve()
    marker = folder / f".probe-{secrets.token_hex(8)}"
    secret = secrets.token_hex(16)
    try:
        marker.mkdir()
        (marker / "driver").write_text(secret)
        answers = _ask(nodes, marker, secret, seconds)
        found = [_problem(node, answer, marker, secret) for node, answer in answers]
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written: {error.strerror}", _SHARE) from error
    finally:
        shutil.rmtree(marker, ignore_errors=True)
    problems = [problem for problem in found if problem is not None]
    if problems:
        first, *others = problems
        more = f" ({len(others)} more of {len(nodes)} nodes have a problem)" if others else ""
        raise MachineError(first.message + more, first.hint)


def name_of(node: Mapping[str, Any]) -> str:
    """Return what a person calls a node: its address and its host's name."""
    return f"node {node['NodeManagerAddress']} ({node['NodeManagerHostname']})"


def _ask(
    nodes: Sequence[Mapping[str, Any]], marker: Path, secret: str, seconds: float
) -> list[tuple[Mapping[str, Any], dict[str, str]]]:
    """Return each node with what it says of itself, without those that have left meanwhile.

    Raises:
        MachineError: a node does not answer, or cannot run the question.
    """
    # Actors, as trials are: where this process has a token and the cluster does not ask for one,
    # tasks run but every actor dies.
    witness = ray.remote(num_cpus=0)(Witness)
    asked: dict[Any, Mapping[str, Any]] = {}
    witnesses: list[Any] = []  # an actor that nobody holds is ended
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        witnesses.append(witness.options(scheduling_strategy=there).remote())
        asked[witnesses[-1].describe.remote(str(marker), secret)] = node
    done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
    if silent:
        node = asked[silent[0]]
        raise MachineError(
            f"{name_of(node)} does not answer within {seconds:g} s ({marker.parent})",
            "look at it, or take it out of the cluster; " + _SHARE,
        )
    answers = []
    for answer in done:
        node = asked[answer]
        try:
            answers.append((node, ray.get(answer)))
        except (ray.exceptions.RayError, RuntimeError) as error:
            if not _is_alive(node):
                _log.warning("%s has left the cluster; going on without it", name_of(node))
                continue
            reason = " ".join(str(error).split())[-300:]
            raise MachineError(
                f"{name_of(node)} cannot run this program: {reason}", _INSTALL
            ) from error
    return answers


def _is_alive(node: Mapping[str, Any]) -> bool:
    return any(other["NodeID"] == node["NodeID"] and other["Alive"] for other in ray.nodes())


def _problem(
    node: Mapping[str, Any], answer: Mapping[str, str], marker: Path, secret: str
) -> MachineError | None:
    """Return why a node cannot take part, or nothing; a difference that may do harm is warned of.

    Args:
        node: Ray's entry.
        answer: of `describe` there.
        marker: the folder in which it was to write.
        secret: what its file must hold.
    """
    where, folder = name_of(node), marker.parent
    if "problem" in answer:
        return MachineError(f"{where}: {folder}: {answer['problem']}", _SHARE)
    if _read(marker / answer["node"]) != secret:
        return MachineError(f"{where}: {folder}: what it writes there is not seen here", _SHARE)
    ours = versions()
    missing = [name for name in _NEEDED if not answer.get(name)]
    if missing:
        return MachineError(f"{where} lacks {', '.join(missing)}", _INSTALL)
    for name in _EQUAL:
        if answer[name] != ours[name]:
            text = f"{where} runs {name} {answer[name]}, this process {ours[name]}"
            return MachineError(text, _INSTALL)
    if answer["torch"] != ours["torch"]:
        text = "%s has torch %s, this process %s: the same trial may differ in its last digits"
        _log.warning(text, where, answer["torch"], ours["torch"])
    return None


class Witness:
    """Runs `describe` on a node."""

    def describe(self, marker: str, secret: str) -> dict[str, str]:
        """Return what `describe` says there."""
        return describe(marker, secret)


def describe(marker: str, secret: str) -> dict[str, str]:
    """Return what a node is, and its `problem` with the study folder if it has one; runs there.

    Args:
        marker: folder that the driver made in the study folder.
        secret: what the file `driver` in it must hold, and this node's file shall.
    """
    folder = Path(marker)
    node = ray.get_runtime_context().get_node_id()
    seen = _read(folder / "driver", wanted=secret)
    if seen is None:
        return {"problem": "what the driver's machine writes is not seen there"}
    if seen != secret:
        return {"problem": "it holds another file there than this process has written"}
    try:
        with (folder / node).open("x") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return {"problem": f"it cannot write there: {error.strerror}"}
    return {"node": node, **versions()}


def versions() -> dict[str, str]:
    """Return what a process would run: Python's minor version, the packages', a hash of our code.

    The packages are not imported, which takes minutes from a slow file system; one that is not
    installed is empty.
    """
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "code": code_hash()}
    for name in _NEEDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def code_hash() -> str:
    """Return the first digits of SHA-256 over the modules of this program that this process has."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _read(path: Path, *, wanted: str | None = None) -> str | None:
    """Return a file's text, looked for again while a cache may hide it; nothing if it stays so."""
    until = time.monotonic() + CACHE_SECONDS
    while True:
        try:
            text: str | None = path.read_text()
        except OSError:
            text = None
        if (text and (wanted is None or text == wanted)) or time.monotonic() > until:
            return text
        time.sleep(0.2)
