"""Our own ledger in the peers' loop: it must get the rows of `search.simulate`."""

from optuna.storages import InMemoryStorage

from peers.loop import Work
from search.engine.virtual import NOWHERE, virtual_result
from search.study.ledger import Ledger
from search.study.policies import parse_policy, with_budget
from search.study.space import StudyConfig

_MANY = 10**6  # `study.max_total_epochs` ends a race, never the number of trials


class Ours:
    """The ledger under a policy of `search.simulate`."""

    def __init__(self, config: StudyConfig, seed: int, policy: str) -> None:
        study = with_budget(parse_policy(policy).applied(config), seed=seed, num_trials=_MANY)
        self._ledger = Ledger.open(InMemoryStorage(), study)

    def suggest(self) -> Work | None:
        """Return the ledger's next trial."""
        suggestion = self._ledger.suggest()
        return suggestion and Work(suggestion.number, suggestion.params)

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Let the ledger decide."""
        result = virtual_result(epoch, value, seconds=1.0)
        return self._ledger.report(number, result, NOWHERE, attempt=1)


def cut_off(config: StudyConfig, seed: int, policy: str) -> Ours:
    """Return the ledger without a budget of its own: what runs at the end is lost, as a peer's."""
    return Ours(with_budget(config, max_total_epochs="none"), seed, policy)
