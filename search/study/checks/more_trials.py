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
            sentence=f"{count(len(values), 'complete trial')} cannot tell: it takes {_LEAST}",
            advice="look again when more are complete",
        )
    gain, noise = gain_of_second_half(values), noise_of(snapshot)
    sentence = (
        f"the second half of {len(values)} complete trials raised the best by "
        f"{points(gain.expected)} points, averaged over their orders (80% interval "
        f"{points(gain.low)} to {points(gain.high)})"
    )
    more = f"--num-trials {2 * snapshot.progress.num_trials} goes on with this study"
    if noise is None:
        is_flat = gain.expected <= 0
        sentence += ", and nothing says how noisy a value is"
    else:
        is_flat = gain.expected <= noise.size
        more_or_less = "no more" if is_flat else "more"
        sentence += f": {more_or_less} than the noise of a value, {noise.text}"
    return Check(
        name=_NAME,
        status=Status.PASS if is_flat else Status.WARNING,
        sentence=sentence,
        advice="" if is_flat else f"more are likely to help: {more}",
    )
