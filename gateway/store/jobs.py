"""Claims a periodic run, so that any number of workers run each slot once."""

from datetime import datetime

from gateway.store.dialect import claim_slot
from gateway.store.engine import Store
from gateway.store.tables import job_runs


def claim(store: Store, name: str, slot: datetime) -> bool:
    """True for the one caller that may run ``name`` for ``slot`` (or a later one)."""
    with store.write() as connection:
        statement = claim_slot(connection.dialect.name, job_runs).values(name=name, slot=slot)
        return connection.execute(statement).first() is not None
