"""Did every node and every trial run at its speed?"""

from collections import defaultdict
from statistics import median

from search.study.checks.check import Check, Status
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot

_NAME = "throughput"
_SLOW_HOST, _SLOW_TRIAL, _SLOW_LATER = 0.8, 0.6, 0.8


def check_throughput(snapshot: Snapshot) -> Check:
    """Compare images a second between nodes, trials and times; a trial's first epoch apart."""
    speeds = {t.number: _speeds(t) for t in snapshot.trials}
    hosts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for trial in snapshot.trials:
        if trial.host is not None and speeds[trial.number]:
            hosts[trial.host.node, trial.host.device].append(trial.number)
    if not hosts:
        sentence = "no trial has told how fast it was beyond its first epoch"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    usual = {
        host: median(v for number in numbers for v in speeds[number].values())
        for host, numbers in hosts.items()
    }
    fastest = max(usual, key=lambda host: usual[host])
    found = [
        f"{host[0]} ({host[1]}) at {speed:,.0f} images/s, {fastest[0]} at {usual[fastest]:,.0f}"
        for host, speed in usual.items()
        if speed < _SLOW_HOST * usual[fastest]
    ]
    trials = {
        number: median(speeds[number].values()) / usual[host]
        for host, numbers in hosts.items()
        for number in numbers
    }
    found += [
        f"t{number:04d} at {share:.0%} of its node's usual speed"
        for number, share in trials.items()
        if share < _SLOW_TRIAL
    ]
    found += _over_time(snapshot, speeds, {n: usual[h] for h, ns in hosts.items() for n in ns})
    if found:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence="slow: " + "; ".join(found),
            advice="see what else ran there, and whether the device throttles",
        )
    slowest = min(usual.values())
    sentence = (
        f"{len(trials)} trials on {len(usual)} nodes and devices at {slowest:,.0f} to "
        f"{usual[fastest]:,.0f} images/s; the slowest trial at {min(trials.values()):.0%}"
    )
    return Check(name=_NAME, status=Status.PASS, sentence=sentence)


def _speeds(trial: TrialRecord) -> dict[int, float]:
    """Return images a second by epoch, without the first, which begins with preparations."""
    return {
        epoch: result.images_per_second
        for epoch, result in trial.epochs.items()
        if epoch > 1 and result.images_per_second
    }


def _over_time(
    snapshot: Snapshot, speeds: dict[int, dict[int, float]], usual: dict[int, float]
) -> list[str]:
    """Return that the last third of the results was slower than the first, or nothing."""
    shares = [
        speeds[number][epoch] / usual[number]
        for number, epoch in snapshot.order
        if number in usual and epoch in speeds[number]
    ]
    third = len(shares) // 3
    if third < 3:
        return []
    later = median(shares[-third:]) / median(shares[:third])
    return [f"the last third of the search at {later:.0%} of the first"] * (later < _SLOW_LATER)
