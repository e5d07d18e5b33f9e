"""A Ray session for one command, and what its machines can hold."""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

# Ray reads these when it is imported: no telemetry, none of Tune's own output, files or folders.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
# A cluster started where a token lies asks for it, but a driver sends it only if told to. Once Ray
# is imported its driver has decided, and its servers alone would hear of a change.
if "ray" not in sys.modules and (Path.home() / ".ray" / "auth_token").is_file():
    os.environ.setdefault("RAY_AUTH_MODE", "token")

import ray

import search
import seresnet
from search.engine.grants import Grant, Node, grant_on, widen_on
from search.study.errors import MachineError
from search.study.space import Resources
from search.study.storage import hidden_from_children

_log = logging.getLogger(__name__)

PACKAGES = (seresnet, search)
"""The code that a cluster's nodes are sent."""

_LISTENER_PAUSE = 3.0  # seconds; a head that is starting up is worth one more look

# Longer than any teardown: a reused worker whose last trial has not left in time hangs the search.
_WORKER_ENVIRONMENT = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60", "RAY_CHDIR_TO_TRIAL_DIR": "0"}

MAX_RETRIES = 2
"""Of a trial or a training whose worker died; what would fail again is not retried."""


@contextmanager
def session(
    *,
    address: str | None = None,
    verbose: bool = False,
    after_start: Callable[[], None] | None = None,
    **options: Any,
) -> Iterator[None]:
    """Start Ray on this machine, or join a running cluster; leave it at the end.

    A cluster's nodes need this program's dependencies alone: its code travels with the session.

    Args:
        address: of a running cluster; none starts one here, whatever else runs on this machine.
        verbose: show the workers' output.
        after_start: called once Ray runs. Ray takes SIGTERM for itself when it starts, so this is
            the place to take it back.
        options: passed to `ray.init`, such as `num_gpus=2` to pretend.

    Raises:
        MachineError: the cluster cannot be reached or Ray does not start.
    """
    settings = {
        "address": address or "local",
        "include_dashboard": False if address is None else None,
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
        "runtime_env": None if address is None else _runtime_env(),
        **options,
    }
    if address is None:
        os.environ.update(_WORKER_ENVIRONMENT)  # by `runtime_env` each worker is started anew
    else:
        _check_listener(address)
    with _guarded_token(), hidden_from_children(), redirect_stdout(sys.stderr):
        _start(settings, address)
    try:
        if after_start is not None:
            after_start()
        yield
    finally:
        ray.shutdown()


def _start(settings: Mapping[str, Any], address: str | None) -> None:
    """Call `ray.init`, a second time where Ray on this machine did not start at once.

    A cluster is joined once: Ray itself keeps trying for minutes.

    Raises:
        MachineError: it failed.
    """
    for is_last in (False, True) if address is None else (True,):
        try:
            ray.init(**settings)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            ray.shutdown()  # what half a start has left
            if is_last:
                raise _no_ray(error, address) from error
            _log.info("Ray did not start; trying once more", exc_info=error)
        else:
            return


def _no_ray(error: Exception, address: str | None) -> MachineError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if address is not None:
        return MachineError(
            f"cannot start or join the cluster at {address}: {reason}",
            "check the address, and that RAY_AUTH_MODE and the token agree with the cluster's",
        )
    return MachineError(
        f"cannot start or join Ray on this machine: {reason}", f"see its log: {_log_folder()}"
    )


def _log_folder() -> Path:
    """Return where the newest Ray of this machine has put its logs, as far as can be said."""
    temporary = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    newest = Path(temporary) / "ray" / "session_latest"
    return newest.resolve() / "logs" if newest.exists() else newest.parent


def _check_listener(address: str) -> None:
    """See that something listens at `HOST:PORT`; Ray would look for it for minutes.

    Raises:
        MachineError: nothing does, twice within some seconds.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():  # `auto`, and what Ray alone can read
        return
    for is_last in (False, True):
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            if is_last:
                raise MachineError(
                    f"cannot reach the cluster at {address}: {error.strerror or error}",
                    "check the address, and that the cluster's head runs",
                ) from error
            time.sleep(_LISTENER_PAUSE)
        else:
            return


def _runtime_env() -> dict[str, Any]:
    return {
        "env_vars": dict(_WORKER_ENVIRONMENT),
        "py_modules": [str(Path(package.__path__[0])) for package in PACKAGES],
        "excludes": ["__pycache__/"],
    }


@contextmanager
def _guarded_token() -> Iterator[None]:
    """Keep Ray's token to its owner if Ray makes it here, and say what would open the cluster."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        _log.warning(
            "RAY_AUTH_MODE=disabled: everybody who reaches Ray's ports can run code as you; "
            "unset it unless the network is yours alone"
        )
    default = Path.home() / ".ray" / "auth_token"
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or default)
    is_new = not default.exists()
    if token.exists() and token.stat().st_mode & 0o077:
        _warn_of_readable(token)
    try:
        yield
    finally:
        if is_new and default.exists():
            default.chmod(0o600)  # Ray writes it for everybody to read


@cache
def _warn_of_readable(token: Path) -> None:
    """Say it once, however often Ray is started."""
    _log.warning("%s: others can read Ray's token; to keep it: chmod 600 %s", token, token)


def grant(
    resources: Resources, *, slots_at_most: int | None = None, trials_per_gpu: int = 1
) -> Grant:
    """Return what each trial gets on the running cluster, see `grants.grant_on`.

    Raises:
        MachineError: no machine of the cluster can hold a single trial.
    """
    return grant_on(
        live_nodes(), resources, slots_at_most=slots_at_most, trials_per_gpu=trials_per_gpu
    )


def live_nodes() -> list[Node]:
    """Return what each machine of the running cluster has, in Ray's names."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def usable_grant(resources: Resources, *, slots_at_most: int | None = None) -> Grant:
    """Return `grant`, once PyTorch has been seen to compute on what it gives, and on what.

    Where Ray sees a GPU that PyTorch cannot use, every trial would fail, and a failed one is final.

    Raises:
        MachineError: no machine can hold a trial, or PyTorch cannot use the GPU.
    """
    granted = grant(resources, slots_at_most=slots_at_most)
    if granted.gpus:
        # max_calls: a process that has touched one GPU would not see another
        probe = ray.remote(num_cpus=granted.cpus, num_gpus=granted.gpus, max_calls=1)(_try_gpu)
        name, problem = ray.get(probe.remote())
        if problem:
            raise MachineError(
                f"resources: PyTorch cannot use the GPU that Ray grants: {problem}",
                "install the PyTorch build that fits the driver, or say --gpus-per-trial 0",
            )
        granted = replace(granted, gpu_name=name)
    return granted


def _try_gpu() -> tuple[str, str]:
    """Return the GPU's name, and why PyTorch cannot compute on it, or nothing."""
    import torch

    try:
        torch.zeros(1, device="cuda")
        return torch.cuda.get_device_name(), ""
    except (AssertionError, RuntimeError) as error:
        return "", str(error).splitlines()[0]


def widen(granted: Grant, num_jobs: int) -> Grant:
    """Return a grant for few jobs on the running cluster, see `grants.widen_on`."""
    if num_jobs >= granted.slots:
        return granted  # nothing is idle, whatever there is: Ray need not be asked
    return widen_on(live_nodes(), granted, num_jobs)
