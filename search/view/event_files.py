"""TensorBoard's event files, one a trial: what they hold is a function of the study.

A file is only ever appended to while it is a beginning of what it should be, and written anew where
it is not. So whatever a kill leaves, a record cut in two included, the next start mends, and a
TensorBoard that reads meanwhile sees points come, each once.
"""

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)
from tensorboard.summary.writer.record_writer import RecordWriter

from search.study.records import TrialRecord
from search.study.sections import Domain
from search.view.followers import Point, begin_of, points

_FILE = "events.out.tfevents.search"  # TensorBoard knows its files by `tfevents`
_COMPARED = ("val_accuracy", "val_accuracy_raw", "val_loss")  # columns of the HParams tab
# A trial that was stopped early is neither: its values are of mid-schedule, and the HParams tab can
# leave it out.
_STATUS = {
    "COMPLETE": api_pb2.STATUS_SUCCESS,
    "PRUNED": api_pb2.STATUS_UNKNOWN,
    "FAIL": api_pb2.STATUS_FAILURE,
}


class EventFiles:
    """Follows a study with a file a trial, `<folder>/t0000/events...`."""

    def __init__(
        self, folder: Path, space: Mapping[str, Domain], trials: Sequence[TrialRecord]
    ) -> None:
        """Bring the files to where the study is.

        Args:
            folder: of the event files.
            space: the hyperparameters.
            trials: all that the study holds by now.

        Raises:
            OSError: the system refused a file.
        """
        self._folder = folder
        self._space = space
        self._num_told: dict[int, int] = {}  # epochs in the files of trials that may go on
        self._clear(trials)
        for trial in trials:
            self._catch_up(trial)

    def trial_changed(self, trial: TrialRecord) -> None:
        """Append what is new of a trial.

        Raises:
            OSError: the system refused the file.
        """
        told = self._num_told.get(trial.number)
        self._append(trial, self._content(trial, told))
        self._num_told[trial.number] = len(trial.epochs)

    def _clear(self, trials: Sequence[TrialRecord]) -> None:
        """Delete the files of trials that the study lacks, as after a step back to a backup."""
        names = {trial.id for trial in trials}
        for path in self._folder.glob(f"t[0-9]*/{_FILE}"):
            if path.parent.name not in names:
                shutil.rmtree(path.parent)

    def _catch_up(self, trial: TrialRecord) -> None:
        path, whole = self._path(trial), self._content(trial, None)
        present = path.read_bytes() if path.is_file() else b""
        if not whole.startswith(present):
            path.unlink()
            present = b""
        self._append(trial, whole.removeprefix(present))
        self._num_told[trial.number] = len(trial.epochs)

    def _append(self, trial: TrialRecord, content: bytes) -> None:
        if content:
            path = self._path(trial)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(content)

    def _path(self, trial: TrialRecord) -> Path:
        return self._folder / trial.id / _FILE

    def _content(self, trial: TrialRecord, num_told: int | None) -> bytes:
        """Return a trial's records after so many epochs; None: from the file's beginning."""
        file = io.BytesIO()
        writer = RecordWriter(file)
        for event in self._events(trial, num_told):
            writer.write(event.SerializeToString(deterministic=True))
        return file.getvalue()

    def _events(self, trial: TrialRecord, num_told: int | None) -> Iterator[Event]:
        all_points = points(trial)
        if num_told is None:
            yield from self._beginning(trial)
        for point in all_points[num_told or 0 :]:
            yield _event(point)
        if trial.is_finished:
            at = all_points[-1].at if all_points else begin_of(trial)
            end = SessionEndInfo(status=_STATUS[trial.state], end_time_secs=at)
            value = _hparams(metadata.SESSION_END_INFO_TAG, session_end_info=end)
            yield Event(wall_time=at, summary=Summary(value=[value]))

    def _beginning(self, trial: TrialRecord) -> Iterator[Event]:
        """Yield what stands before the first epoch: hyperparameters, theirs and this trial's."""
        at = begin_of(trial)
        yield Event(wall_time=at, file_version="brain.Event:2")
        # The group is what the HParams tab calls a trial by.
        start = SessionStartInfo(group_name=f"{trial.id} {trial.name}".rstrip(), start_time_secs=at)
        for name, setting in trial.params.items():
            start.hparams[name].number_value = setting
        values = [
            _hparams(metadata.EXPERIMENT_TAG, experiment=_experiment(self._space)),
            _hparams(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        ]
        yield Event(wall_time=at, summary=Summary(value=values))


def _event(point: Point) -> Event:
    values = [Summary.Value(tag=name, simple_value=value) for name, value in point.values.items()]
    return Event(wall_time=point.at, step=point.epoch, summary=Summary(value=values))


def _experiment(space: Mapping[str, Domain]) -> api_pb2.Experiment:
    hparams = [
        api_pb2.HParamInfo(
            name=name,
            type=api_pb2.DATA_TYPE_FLOAT64,
            domain_interval=api_pb2.Interval(min_value=domain.low, max_value=domain.high),
        )
        for name, domain in space.items()
    ]
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name)) for name in _COMPARED]
    return api_pb2.Experiment(hparam_infos=hparams, metric_infos=metrics)


def _hparams(tag: str, **content: object) -> Summary.Value:
    # Of protobuf's own, a map's order differs from process to process.
    data = HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
    plugin = SummaryMetadata.PluginData(
        plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString(deterministic=True)
    )
    return Summary.Value(
        tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=metadata.NULL_TENSOR
    )
