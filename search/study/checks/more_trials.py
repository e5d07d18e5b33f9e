"""Would more trials have helped?"""

from search.study.best_of import gain_of_second_half
from search.study.checks.check import Check, Status
from search.study.checks.noise import noise_of
from search.study.checks.wording import count
from search.study.snapshot import Snapshot
from search.study.verdict import points

_NAME = "would more trials help"
_LEAST = 4  # complete trials: of fewer, half of them is one


def check_more_trials(snapshot: Snapshot) -> Check:
    """Hold what the second half of the trials brought against the noise of a value."""
    values = [t.value for t in snapshot.trials if t.state == "COMPLETE" and t.value is not None]
    if len(values) < _LEAST:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"{count(len(values), 'complete trial')} cannot tell: at least {_LEAST} can",
            advice="look again when more trials are complete",
        )
    gain = gain_of_second_half(values)
    told = (
        f"the second half of {len(values)} complete trials raised the best by "
        f"{points(gain.expected)} points on average over their orders "
        f"(80% interval {points(gain.low)} to {points(gain.high)})"
    )
    more = f"--num-trials {2 * snapshot.progress.num_trials} goes on with this study"
    noise = noise_of(snapshot)
    if noise is None:
        is_flat, beside = gain.expected <= 0, "; what a value's noise is nothing says"
    else:
        is_flat = gain.expected <= noise.size
        size = f"{points(noise.size)} points ({noise.source})"
        beside = f", {'less' if is_flat else 'more'} than the noise of one value, {size}"
    return Check(
        name=_NAME,
        status=Status.PASS if is_flat else Status.WARNING,
        sentence=told + beside,
        advice="" if is_flat else f"as many again would likely help: {more}",
    )
