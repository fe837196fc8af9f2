"""Teams and the API tokens that speak for them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Insert, insert, select, update

from gateway.ids import new_id, new_token
from gateway.store.dialect import wait_for_turn
from gateway.store.engine import Store
from gateway.store.tables import api_tokens, teams
from gateway.vault import hash_token


@dataclass(frozen=True, slots=True)
class NewTeam:
    """A team just made. The token is shown this once; the store keeps only its hash."""

    id: str
    name: str
    api_token: str


def ensure_first_team(store: Store, name: str, now: datetime) -> NewTeam | None:
    """Make the first team and its API token, or return None where a team exists."""
    with store.write() as connection:
        wait_for_turn(connection)
        if connection.execute(select(teams.c.id).limit(1)).first() is not None:
            return None
        team = NewTeam(id=new_id(now), name=name, api_token=new_token())
        connection.execute(insert(teams).values(id=team.id, name=name, created_at=now))
        connection.execute(_new_token(team.id, "first token", team.api_token, now))
    return team


def add_token(store: Store, team_id: str, name: str, now: datetime) -> str:
    """Make one more API token of a team; shown this once."""
    token = new_token()
    with store.write() as connection:
        connection.execute(_new_token(team_id, name, token, now))
    return token


def revoke_tokens(store: Store, team_id: str, name: str, now: datetime) -> int:
    """Revoke a team's API tokens of this name, at once everywhere; returns how many."""
    statement = (
        update(api_tokens)
        .where(
            api_tokens.c.team_id == team_id,
            api_tokens.c.name == name,
            api_tokens.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    with store.write() as connection:
        return connection.execute(statement).rowcount


def _new_token(team_id: str, name: str, token: str, now: datetime) -> Insert:
    return insert(api_tokens).values(
        id=new_id(now),
        team_id=team_id,
        name=name,
        token_hash=hash_token(token),
        created_at=now,
    )


def first_team(store: Store) -> str | None:
    """The id of the oldest team; what the command line acts for."""
    with store.read() as connection:
        return connection.scalar(select(teams.c.id).order_by(teams.c.id).limit(1))


def team_of_token(store: Store, api_token: str) -> str | None:
    """The id of the team that a valid API token speaks for."""
    query = select(api_tokens.c.team_id).where(
        api_tokens.c.token_hash == hash_token(api_token), api_tokens.c.revoked_at.is_(None)
    )
    with store.read() as connection:
        return connection.scalar(query)
