"""The first team, and what API tokens are good for."""

import threading

from recording import at
from sqlalchemy import select, update

from gateway.store import teams
from gateway.store.engine import Store
from gateway.store.tables import api_tokens
from gateway.store.teams import NewTeam
from gateway.vault import hash_token


def test_the_first_team_is_made_once(store: Store) -> None:
    assert teams.first_team(store) is None

    made = teams.ensure_first_team(store, "main", at(0))

    assert made is not None
    assert made.name == "main"
    assert len(made.api_token) == 64
    assert teams.ensure_first_team(store, "other", at(1)) is None
    assert teams.first_team(store) == made.id


def test_two_gateways_that_start_at_once_make_one_team(store: Store) -> None:
    made: list[NewTeam | None] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        made.append(teams.ensure_first_team(store, "main", at(0)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(each is not None for each in made) == [False, False, False, True]


def test_a_token_speaks_for_its_team_until_it_is_revoked(store: Store, team: NewTeam) -> None:
    assert teams.team_of_token(store, team.api_token) == team.id
    assert teams.team_of_token(store, team.api_token.upper()) is None
    assert teams.team_of_token(store, "") is None

    with store.write() as connection:
        connection.execute(update(api_tokens).values(revoked_at=at(5)))

    assert teams.team_of_token(store, team.api_token) is None


def test_of_a_token_only_the_hash_is_kept(store: Store, team: NewTeam) -> None:
    with store.read() as connection:
        row = connection.execute(select(api_tokens)).one()

    assert team.api_token not in map(str, row)
    assert row.token_hash == hash_token(team.api_token)


def test_more_tokens_can_be_made_and_revoked(store: Store, team: NewTeam) -> None:
    token = teams.add_token(store, team.id, "ci", at(1))
    assert teams.team_of_token(store, token) == team.id

    assert teams.revoke_tokens(store, team.id, "ci", at(2)) == 1

    assert teams.team_of_token(store, token) is None
    assert teams.team_of_token(store, team.api_token) == team.id
    assert teams.revoke_tokens(store, team.id, "ci", at(3)) == 0
