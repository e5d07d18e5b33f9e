"""What a search does after a node ran out of memory: fewer trials at once, then the culprit fails.

Ray does not say whose worker it killed. With several trials at once none is to blame for sure, so
half as many run from then on; a trial that is killed twice while it runs alone is at its end.
"""

from search.engine.course import Course

_KILLS_ALONE = 2


class MemoryKills:
    """Counts the kills of one command.

    Args:
        course: of the search; is told of trials that need more than a node has.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._alone: dict[int, int] = {}

    def next_slots(self, slots: int) -> int:
        """Take note of a kill; return how many trials may run at once from now on.

        Args:
            slots: trials that ran at once when it happened.
        """
        ledger = self._course.ledger
        if slots > 1:
            return slots // 2
        for number in ledger.handed_out():
            self._alone[number] = self._alone.get(number, 0) + 1
            if self._alone[number] >= _KILLS_ALONE:
                error = f"killed {_KILLS_ALONE} times for want of memory on its node, running alone"
                ledger.fail(number, kind="host-memory", error=error)
                self._course.trial_finished(ledger.trials[number])
        return 1
