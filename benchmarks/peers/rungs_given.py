"""Peers that hand out a setting together with the epochs it is to be trained to."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from peers.loop import Work

Tell = Callable[[object, float], None]


@dataclass(slots=True)
class Jobs:
    """Which trial is which setting, and to which rungs it is being trained.

    A setting that is asked for again at a higher rung goes on from its checkpoint, one that is
    asked for at a rung it has passed has its value already, and one that is asked for twice at
    once is trained once: as a user would have it who keeps checkpoints and values. The packages
    only ask for a setting at a number of epochs.
    """

    tell: Tell
    """Tells the peer the value of what it asked for, in its own terms."""
    _numbers: dict[Hashable, int] = field(default_factory=dict)
    _values: dict[int, dict[int, float]] = field(default_factory=dict)
    """Reported, by trial and epoch."""
    _asked: dict[int, dict[int, list[object]]] = field(default_factory=dict)
    """What waits for a value, by trial and rung."""

    def ask(
        self, setting: Hashable, params: Mapping[str, float], rung: int, info: object
    ) -> Work | None:
        """Return the work that brings a setting to a rung; None where there is none to do.

        Args:
            setting: the same whenever the same setting is meant.
            params: of the setting.
            rung: epochs.
            info: the peer's own name for this request.
        """
        number = self._numbers.setdefault(setting, len(self._numbers))
        values, asked = self._values.setdefault(number, {}), self._asked.setdefault(number, {})
        if rung in values:
            self.tell(info, values[rung])
            return None
        is_running = bool(asked)
        asked.setdefault(rung, []).append(info)
        return None if is_running else Work(number, params)

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Keep a value, tell it if it was asked for; return whether a later one was, too."""
        self._values[number][epoch] = value
        for info in self._asked[number].pop(epoch, ()):
            self.tell(info, value)
        return bool(self._asked[number])
