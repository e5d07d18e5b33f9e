"""Several writes to a study as one: stored together, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import BaseStorage, RDBStorage


@contextmanager
def one_transaction(storage: BaseStorage) -> Iterator[None]:
    """Store what the block writes when it ends, and nothing of it if it raises or is killed.

    Optuna ends a transaction, and waits for the disk, with every single value. Here its session
    joins a transaction of ours, which its commits leave open, while its rollbacks end it.

    Not to be nested, and for one thread at a time. Storage in memory stores each write at once.

    Source: https://docs.sqlalchemy.org/en/20/orm/session_transaction.html, "Joining a Session into
    an External Transaction".

    Raises:
        SQLAlchemyError: the database refuses, or Optuna has rolled back without a word; what the
            block wrote after that is stored. Only a second writer, who is locked out, could cause
            it.
    """
    if not isinstance(storage, RDBStorage):
        yield
        return
    sessions = storage.scoped_session
    sessions.remove()  # this thread's; its successor is bound to our connection
    with storage.engine.connect() as connection:
        transaction = connection.begin()
        sessions(bind=connection, join_transaction_mode="rollback_only")
        try:
            yield
        finally:
            sessions.remove()
        transaction.commit()
