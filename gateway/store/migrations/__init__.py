"""Alembic migrations; run by ``taco migrate`` and at every ``taco up``."""
