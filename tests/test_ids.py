"""Public ids and secret tokens."""

import re
import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.ids import least_id, new_id, new_token

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_an_id_has_the_form_of_a_ulid() -> None:
    made = new_id(NOON)

    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", made)


def test_the_first_ten_characters_tell_the_time() -> None:
    # The example of https://github.com/ulid/spec: 01ARYZ6S41 is 1469918176385.
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1469918176385)

    assert new_id(moment)[:10] == "01ARYZ6S41"


@given(first=times, second=times)
def test_ids_sort_as_their_times(first: datetime, second: datetime) -> None:
    if abs(first - second) >= timedelta(milliseconds=1):
        assert (new_id(first) < new_id(second)) is (first < second)


def test_ids_of_one_millisecond_sort_in_the_order_of_making() -> None:
    made = [new_id(NOON) for _ in range(1000)]

    assert made == sorted(made)
    assert len(set(made)) == 1000


@given(made=times, time=times)
def test_the_least_id_of_a_time_parts_what_was_made_before(made: datetime, time: datetime) -> None:
    floor = time.replace(microsecond=time.microsecond // 1000 * 1000)

    assert (new_id(made) < least_id(time)) is (made < floor)
    assert len(least_id(time)) == 26


def test_ids_of_many_threads_differ() -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(new_id(NOON) for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 2000


def test_a_token_is_32_random_bytes_in_hex() -> None:
    made = {new_token() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch("[0-9a-f]{64}", token) for token in made)
