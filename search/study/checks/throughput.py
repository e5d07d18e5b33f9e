"""Did every node and every trial run at its speed?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from search.study.checks.check import Check, Status
from search.study.checks.wording import count
from search.study.records import TrialRecord, trial_id
from search.study.snapshot import Snapshot

_NAME = "throughput"
_SLOW_HOST, _SLOW_TRIAL, _SLOW_LATER = 0.8, 0.6, 0.8
_LEAST_RESULTS = 9  # three in each third of the search
_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Host:
    """A node's device, as trials have found it."""

    node: str
    device: str
    speeds: Mapping[int, Mapping[int, float]]
    """Images a second by trial and epoch."""

    @property
    def usual(self) -> float:
        """Images a second."""
        return median(v for epochs in self.speeds.values() for v in epochs.values())

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.node} ({self.device})"


def check_throughput(snapshot: Snapshot) -> Check:
    """Compare images a second between devices, trials and times; first epochs apart."""
    hosts = _hosts(snapshot)
    if not hosts:
        sentence = "no trial has told yet how fast it trains after its first epoch"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    found = [*_slow_hosts(hosts), *_slow_trials(snapshot, hosts), *_slow_later(snapshot, hosts)]
    if found:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence="; ".join(found),
            advice="see what else ran there, and whether the device throttles for heat",
        )
    speeds = sorted(host.usual for host in hosts)
    span = f"{speeds[0]:,.0f}" + (f" to {speeds[-1]:,.0f}" if len(speeds) > 1 else "")
    num_trials = sum(len(host.speeds) for host in hosts)
    where = count(len(hosts), "device")
    sentence = f"{count(num_trials, 'trial')} on {where} at {span} images/s, none of them slow"
    return Check(name=_NAME, status=Status.PASS, sentence=sentence)


def _hosts(snapshot: Snapshot) -> list[_Host]:
    """Return where trials ran; one that moved counts where it ran last."""
    found: dict[tuple[str, str], dict[int, Mapping[int, float]]] = defaultdict(dict)
    for trial in snapshot.trials:
        if trial.host is not None and (speeds := _speeds(trial)):
            found[trial.host.node, trial.host.device][trial.number] = speeds
    return [
        _Host(node=node, device=device, speeds=speeds) for (node, device), speeds in found.items()
    ]


def _speeds(trial: TrialRecord) -> dict[int, float]:
    """Return images a second by epoch, without the first, which begins with preparations."""
    return {
        epoch: result.images_per_second
        for epoch, result in trial.epochs.items()
        if epoch > 1 and result.images_per_second
    }


def _slow_hosts(hosts: list[_Host]) -> Iterator[str]:
    usual = {host.name: host.usual for host in hosts}
    fastest = max(usual, key=lambda name: usual[name])
    for name, speed in usual.items():
        if speed < _SLOW_HOST * usual[fastest]:
            yield f"{name} trains {speed:,.0f} images/s, {fastest} {usual[fastest]:,.0f}"


def _slow_trials(snapshot: Snapshot, hosts: list[_Host]) -> Iterator[str]:
    """Yield who was slow beside others on the same device, unless settings made it so."""
    if "batch_size" in snapshot.config.space:
        return
    found: list[tuple[float, int]] = []
    for host in hosts:
        usual = host.usual
        shares = {n: median(each.values()) / usual for n, each in host.speeds.items()}
        found += [(share, number) for number, share in shares.items() if share < _SLOW_TRIAL]
    if found:
        slowest = sorted(found)[:_MOST_NAMED]
        named = ", ".join(f"{trial_id(number)} at {share:.0%}" for share, number in slowest)
        yield f"{count(len(found), 'trial')} far below the speed usual on its device: {named}"


def _slow_later(snapshot: Snapshot, hosts: list[_Host]) -> Iterator[str]:
    """Yield that the last third of the results was slower than the first."""
    shares = {
        (number, epoch): speed / usual
        for host in hosts
        for usual in [host.usual]
        for number, epochs in host.speeds.items()
        for epoch, speed in epochs.items()
    }
    ordered = [shares[each] for each in snapshot.order if each in shares]
    third = len(ordered) // 3
    if len(ordered) >= _LEAST_RESULTS:
        later = median(ordered[-third:]) / median(ordered[:third])
        if later < _SLOW_LATER:
            yield f"the last third of the search ran at {later:.0%} of the speed of the first"
