"""What a search does after a node ran out of memory: fewer trials at once, then the culprit fails.

Ray does not say whose worker it killed. With several trials at once none is to blame for sure, so
half as many run from then on; a trial that is killed twice while it runs alone is at its end.
"""

from search.study.ledger import Ledger

_KILLS_ALONE = 2


class MemoryKills:
    """Counts the kills of one command."""

    def __init__(self) -> None:
        self._alone: dict[int, int] = {}

    def next_slots(self, ledger: Ledger, slots: int) -> int:
        """Take note of a kill; return how many trials may run at once from now on.

        Args:
            ledger: the study; a trial that needs more than a node has is failed.
            slots: trials that ran at once when it happened.
        """
        if slots > 1:
            return slots // 2
        for number in ledger.handed_out():
            self._alone[number] = self._alone.get(number, 0) + 1
            if self._alone[number] >= _KILLS_ALONE:
                error = f"killed {_KILLS_ALONE} times for want of memory on its node, running alone"
                ledger.fail(number, kind="host-memory", error=error)
        return 1
