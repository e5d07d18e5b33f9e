"""MLflow's runs, one a trial, found by their tags `study` and `trial`.

A start brings the runs to where the study is: it tells what they lack, and deletes those that are
of no trial of the study, as after a step back to a backup. So nothing stands there twice.
"""

import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.study.provenance import code_version
from search.study.records import TrialRecord
from search.view.followers import METRICS, begin_of, points
from seresnet.errors import ConfigError

# Before the import: MLflow would tell its makers of its use, write its notes among ours and
# addresses to stdout, and wait long for a dead server.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it tells of each try

REFUSALS = (MlflowException, SQLAlchemyError, OSError)
"""What MLflow raises where it does not answer, or not as wished."""

_FORMS = "sqlite:///FILE.db, or http://HOST:PORT of an MLflow server"
_ALLOW_FILES = "MLFLOW_ALLOW_FILE_STORE"
_METRICS_AT_ONCE = 1000 // len(METRICS) * len(METRICS)  # whole epochs, as many as MLflow takes
_STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED", "RUNNING": "RUNNING"}
_PAUSED = "SCHEDULED"

_Place = tuple[str, int]  # a metric's name and epoch


def refuse_uri(uri: str) -> None:
    """Refuse an address that MLflow cannot serve, or that holds a password.

    Raises:
        ConfigError: `--mlflow` is named.
    """
    if re.match(r"[\w+]+://[^/]*@", uri):
        raise ConfigError(
            "--mlflow: must not hold a password: everyone on the machine sees commands",
            "put it into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    if uri.startswith("file:"):
        if os.environ.get(_ALLOW_FILES, "").lower() not in ("true", "1"):
            raise ConfigError(
                f"--mlflow: must be {_FORMS}: MLflow 3 has closed its folders of files",
                f"give sqlite:///mlruns.db, or set {_ALLOW_FILES}=true and use them still",
            )
    elif not re.match(r"sqlite:///.|https?://.", uri):
        raise ConfigError(f"--mlflow: must be {_FORMS}, got {uri}", "give sqlite:///mlruns.db")


@dataclass(slots=True)
class _Held:
    """What MLflow holds of a trial."""

    run: str
    told: set[_Place]
    status: str


class MlflowRuns:
    """Follows a study with a run a trial, in the experiment of the study's name."""

    def __init__(self, uri: str, name: str, study: str, trials: Sequence[TrialRecord]) -> None:
        """Look up what MLflow holds of the study.

        Args:
            uri: seen by `refuse_uri`.
            name: of the experiment.
            study: identity of the study.
            trials: all that the study holds by now.

        Raises:
            MlflowException: it does not answer, or refuses; see REFUSALS for what else.
        """
        self._client = MlflowClient(uri)
        self._study = study
        self._commit = code_version()["commit"]
        found = self._client.get_experiment_by_name(name)
        self._id = found.experiment_id if found else self._client.create_experiment(name)
        self._held: dict[int, _Held] = {}
        by_id = {trial.id: trial for trial in trials}
        for run in self._present():
            trial = by_id.get(run.data.tags.get("trial", ""))
            if trial is None or trial.number in self._held or not self._take_up(run, trial):
                self._client.delete_run(run.info.run_id)

    def trial_changed(self, trial: TrialRecord) -> None:
        """Bring a trial's run to where the trial is.

        Raises:
            MlflowException: MLflow does not answer, or refuses; see REFUSALS for what else.
        """
        if trial.number not in self._held:
            self._create(trial)
        held = self._held[trial.number]
        news = [metric for place, metric in _metrics(trial).items() if place not in held.told]
        for start in range(0, len(news), _METRICS_AT_ONCE):
            part = news[start : start + _METRICS_AT_ONCE]
            self._client.log_batch(held.run, metrics=part)
            held.told |= {(metric.key, metric.step) for metric in part}
        if held.status != (status := _status(trial)):
            self._change(trial, held.run, status)
            held.status = status

    def _change(self, trial: TrialRecord, run: str, status: str) -> None:
        """Tell how a trial ended, that it waits, or that it goes on."""
        self._client.log_batch(run, tags=[RunTag(*item) for item in _changing(trial).items()])
        if trial.is_finished:
            end = max([begin_of(trial), *(point.at for point in points(trial))])
            self._client.set_terminated(run, status, end_time=_milliseconds(end))
        else:
            self._client.update_run(run, status=status)

    def _create(self, trial: TrialRecord) -> None:
        tags = {"study": self._study, "trial": trial.id, "seed": str(trial.seed)}
        tags |= {"name": trial.name} if trial.name else {}
        tags |= {"mlflow.source.git.commit": str(self._commit)} if self._commit else {}
        run = self._client.create_run(
            self._id,
            start_time=_milliseconds(begin_of(trial)),
            tags=tags | _changing(trial),
            run_name=f"{trial.id} {trial.name}".rstrip(),
        )
        self._tell_params(run, trial)
        self._held[trial.number] = _Held(run.info.run_id, set(), run.info.status)

    def _tell_params(self, run: Run, trial: TrialRecord) -> None:
        params = [Param(*item) for item in _params(trial).items()]
        self._client.log_batch(run.info.run_id, params=params)

    def _present(self) -> Iterator[Run]:
        """Yield the study's runs, the oldest first: of two for one trial it is kept."""
        token = None
        while True:
            page = self._client.search_runs(
                [self._id],
                f"tags.study = '{self._study}'",
                order_by=["attributes.start_time", "attributes.run_id"],
                page_token=token,
            )
            yield from page
            if not (token := page.token):
                return

    def _take_up(self, run: Run, trial: TrialRecord) -> bool:
        """Note what a run holds already; return whether it is the trial's.

        What a person has added to it does not matter.
        """
        wanted = {place: metric.value for place, metric in _metrics(trial).items()}
        last = {name: value for (name, _), value in wanted.items()}
        latest = {name: value for name, value in run.data.metrics.items() if name in METRICS}
        status, params = run.info.status, run.data.params
        is_whole = status == _status(trial) and latest.keys() == last.keys()
        if is_whole and trial.is_finished and all(_is_same(latest[n], last[n]) for n in last):
            told = dict(wanted)  # the end is told last, so no more need be asked for
        else:
            told = {
                (metric.key, metric.step): metric.value
                for name in latest
                for metric in self._client.get_metric_history(run.info.run_id, name)
            }
        if not all(p in wanted and _is_same(value, wanted[p]) for p, value in told.items()):
            return False
        if not params:  # a kill came between
            self._tell_params(run, trial)
        elif not _params(trial).items() <= params.items():
            return False
        self._held[trial.number] = _Held(run.info.run_id, set(told), status)
        return True


def _params(trial: TrialRecord) -> dict[str, str]:
    return {name: str(value) for name, value in trial.params.items()}


def _metrics(trial: TrialRecord) -> dict[_Place, Metric]:
    return {
        (name, point.epoch): Metric(name, value, _milliseconds(point.at), point.epoch)
        for point in points(trial)
        for name, value in point.values.items()
    }


def _changing(trial: TrialRecord) -> dict[str, str]:
    """Return the tags that change: `stop_reason` may go away again, an error does not."""
    known = {"error_kind": trial.error_kind, "error": trial.error}
    known |= {"device": trial.host.device} if trial.host else {}
    known = {name: value for name, value in known.items() if value}
    return {"state": trial.state, "stop_reason": trial.stop_reason, **known}


def _status(trial: TrialRecord) -> str:
    return _PAUSED if trial.is_paused else _STATUS[trial.state]


def _is_same(held: float, wanted: float) -> bool:
    """Return whether two numbers are one, as far as databases keep them."""
    return math.isclose(held, wanted, rel_tol=1e-9)


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
