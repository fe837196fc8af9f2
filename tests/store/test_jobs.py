"""Claims of periodic runs."""

import threading

import pytest
from recording import at

from gateway.store.engine import Store
from gateway.store.jobs import claim


@pytest.mark.parametrize(
    ("slots", "claimed"),
    [
        ([0], [True]),
        ([0, 0], [True, False]),
        ([0, 5, 10], [True, True, True]),
        ([5, 0], [True, False]),
        ([0, 5, 0, 5, 6], [True, True, False, False, True]),
    ],
)
def test_a_slot_is_claimed_once_and_never_backwards(
    store: Store, slots: list[float], claimed: list[bool]
) -> None:
    assert [claim(store, "sweep", at(slot)) for slot in slots] == claimed


def test_jobs_do_not_disturb_each_other(store: Store) -> None:
    assert claim(store, "sweep", at(0))
    assert claim(store, "prune", at(0))


def test_of_many_threads_one_claims(store: Store) -> None:
    claimed: list[bool] = []
    gate = threading.Barrier(5)

    def work() -> None:
        gate.wait()
        claimed.append(claim(store, "sweep", at(0)))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed) == [False, False, False, False, True]
