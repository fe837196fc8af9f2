"""Which alert is sent next, by whom, and what becomes of it; on a real database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from alerting import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import NO_LIMIT, at, beat, delivery, event
from sqlalchemy import event as sql_events

from gateway.core.alerting import BREAKER_AFTER
from gateway.core.model import Status
from gateway.store import alert_log, channels, history, monitors, outbox, settlement
from gateway.store.channels import Channel
from gateway.store.outbox import Claimed
from gateway.store.record import record
from gateway.store.settlement import Failure
from gateway.store.sweep import sweep

LEASE = timedelta(seconds=60)


def claim(desk: Desk, channel: Channel) -> Claimed | None:
    return outbox.claim(desk.store, channel.id, desk.clock.now, LEASE)


def claimed(desk: Desk, channel: Channel) -> Claimed:
    found = claim(desk, channel)
    assert found is not None
    return found


def sent(desk: Desk, channel: Channel) -> Claimed:
    found = claimed(desk, channel)
    assert settlement.settle_sent(desk.store, found, desk.clock.now)
    return found


def failed(desk: Desk, channel: Channel, *, dead: bool = False, pause: float = 0) -> Claimed:
    found = claimed(desk, channel)
    failure = Failure(
        "it broke",
        None if dead else desk.clock.now + timedelta(seconds=10),
        desk.clock.now + timedelta(seconds=pause) if pause else None,
    )
    assert settlement.settle_failed(desk.store, found, failure, desk.clock.now)
    return found


def changes(found: Claimed) -> list[str]:
    return [told.event.change for told in found.told]


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    seen: list[str] = []

    def watch(_connection: object, _cursor: object, text: str, *_: object) -> None:
        seen.append(text)

    sql_events.listen(desk.store.engine, "before_cursor_execute", watch)
    yield seen
    sql_events.remove(desk.store.engine, "before_cursor_execute", watch)


class TestWriting:
    def test_each_transition_has_its_alert(self, desk: Desk) -> None:
        desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "up", "down", "down", "degraded", "up", "down")

        [second, first] = history.list_incidents(desk.store, monitor.id, before=None, limit=5)
        rows = desk.rows()
        events = [each.id for incident in (first, second) for each in incident.timeline]
        assert [row.incident_event_id for row in rows] == events
        assert [row.sequence for row in rows] == [1, 2, 3, 1]
        assert {row.state for row in rows} == {"pending"}

    def test_all_channels_that_want_it(self, desk: Desk) -> None:
        monitor = desk.monitor(tags=("shop", "prod"))
        everything = desk.channel()
        desk.channel(minimum=Status.DOWN)
        desk.channel(monitor_ids=())
        mine = desk.channel(monitor_ids=(monitor.id,))
        tagged = desk.channel(monitor_ids=(), tags=("prod",))
        desk.channel(active=False)
        desk.say(monitor, "degraded")

        assert {row.channel_id for row in desk.rows()} == {everything.id, mine.id, tagged.id}

    @pytest.mark.parametrize("fields", [{"alerts_enabled": False}, {"active": False}])
    def test_a_monitor_that_is_silenced(self, desk: Desk, fields: dict[str, Any]) -> None:
        desk.channel()
        monitor = desk.monitor()
        changed = monitors.change(desk.store, desk.team.id, monitor.id, fields, at(0))
        assert changed is not None
        desk.say(changed, "down", "up")

        assert desk.rows() == []

    def test_the_sweep_tells_too(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.monitor(heartbeat_interval=10, heartbeat_grace=0, starts_at_creation=True)

        sweep(desk.store, at(60))
        desk.clock.move(seconds=60)
        found = claimed(desk, channel)
        assert changes(found) == ["opened"]
        assert found.incident.key == "heartbeat"
        assert found.incident.opened_at == at(10)

    def test_so_do_a_heartbeat_and_switching_them_off(self, desk: Desk) -> None:
        desk.channel()
        fields = {"heartbeat_interval": 10, "heartbeat_grace": 0, "starts_at_creation": True}
        for ends in ("beat", "off"):
            monitor = desk.monitor(**fields)
            sweep(desk.store, at(60))
            if ends == "beat":
                record(desk.store, [beat(monitor, 61)], NO_LIMIT)
            else:
                off = {"heartbeat_interval": None}
                monitors.change(desk.store, desk.team.id, monitor.id, off, at(61))
            assert [row.sequence for row in desk.rows(monitor_id=monitor.id)] == [1, 2]

    def test_what_goes_with_a_monitor(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down")
        monitors.remove(desk.store, desk.team.id, monitor.id)

        assert desk.rows() == []
        assert claim(desk, channel) is None

    def test_one_refused_transaction_leaves_neither(self, desk: Desk) -> None:
        desk.channel()
        monitor = desk.monitor()

        def boom(*_: object) -> None:
            raise RuntimeError("at the last moment")

        sql_events.listen(desk.store.engine, "commit", boom)
        with pytest.raises(RuntimeError, match="last moment"):
            desk.say(monitor, "down")
        sql_events.remove(desk.store.engine, "commit", boom)
        assert desk.rows() == []
        assert history.list_incidents(desk.store, monitor.id, before=None, limit=5) == []

    def test_the_ring_comes_after_the_commit_and_only_for_alerts(self, desk: Desk) -> None:
        rung: list[int] = []
        store = type(desk.store)(
            desk.store.engine, desk.store.vault, lambda: rung.append(len(desk.rows()))
        )
        monitor = desk.monitor()
        for second, status in enumerate(("down", "up")):
            record(store, [delivery(monitor, event(status, second))], NO_LIMIT)
        assert rung == []  # nobody listens
        desk.channel()
        record(store, [delivery(monitor, event("up", 5))], NO_LIMIT)
        assert rung == []  # nothing changes
        record(store, [delivery(monitor, event("down", 6))], NO_LIMIT)
        assert rung == [1]

    def test_without_a_transition_no_statement_more(self, desk: Desk) -> None:
        monitor = desk.monitor()
        desk.say(monitor, "up")
        counts = []
        for _ in range(2):
            with statements(desk) as seen:
                desk.say(monitor, "up")
            counts.append(seen)
            desk.channel()

        assert counts[0] == counts[1]
        assert not [text for text in counts[0] if "channels" in text or "alerts" in text]


@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from("ab"), st.sampled_from(list(Status)[1:])),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=5,
    ),
    minimum=st.sampled_from([Status.DEGRADED, Status.DOWN]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_transition_without_its_alert(
    desk: Desk, batches: list[list[tuple[int, str, Status]]], minimum: Status
) -> None:
    """Each incident's alerts are its transitions, from the first that the channel wants."""
    channel = desk.channel(minimum=minimum)
    watched = [desk.monitor(), desk.monitor()]
    for batch in batches:
        desk.seconds += 10
        entries = [
            delivery(watched[which], event(status, desk.seconds + n / 10, key=key))
            for n, (which, key, status) in enumerate(batch)
        ]
        record(desk.store, entries, NO_LIMIT)

    for monitor in watched:
        for incident in history.list_incidents(desk.store, monitor.id, before=None, limit=100):
            reached = [
                n
                for n, each in enumerate(incident.timeline)
                if Status(each.status_after).severity >= minimum.severity
            ]
            expected = [each.id for each in incident.timeline[reached[0] :]] if reached else []
            rows = desk.rows(incident_id=incident.row.id, channel_id=channel.id)
            assert [row.incident_event_id for row in rows] == expected
            assert [row.sequence for row in rows] == [*range(1, len(expected) + 1)]
    channels.remove(desk.store, desk.team.id, channel.id)


class TestClaiming:
    def test_a_claim_is_for_one(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.say(desk.monitor(), "down")

        first = claimed(desk, channel)
        assert claim(desk, channel) is None
        desk.clock.move(seconds=61)  # whoever had it is gone
        second = claimed(desk, channel)
        assert (second.id, second.attempts) == (first.id, 2)
        # It was not gone, only slow: what it says about the alert does not count any more.
        assert not settlement.settle_sent(desk.store, first, desk.clock.now)
        assert settlement.settle_sent(desk.store, second, desk.clock.now)
        assert desk.states() == ["sent"]

    def test_many_threads_claim_each_once(self, desk: Desk) -> None:
        channel = desk.channel()
        for _ in range(12):
            desk.say(desk.monitor(), "down")
        taken: list[str] = []
        gate = threading.Barrier(4)

        def work() -> None:
            gate.wait()
            while (found := claim(desk, channel)) is not None:
                taken.append(found.id)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(row.id for row in desk.rows())

    def test_a_later_one_waits_for_an_earlier_one(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down")
        failed(desk, channel)
        desk.say(monitor, "up")
        assert claim(desk, channel) is None  # the first is not due, the second not its turn

        desk.clock.move(seconds=10)
        first = claimed(desk, channel)
        assert claim(desk, channel) is None
        assert settlement.settle_sent(desk.store, first, desk.clock.now)
        assert changes(first) == ["opened"]
        assert changes(claimed(desk, channel)) == ["resolved"]

    def test_a_dead_one_holds_nobody_up(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down")
        failed(desk, channel, dead=True)
        desk.say(monitor, "up")

        assert changes(sent(desk, channel)) == ["resolved"]
        assert desk.states() == ["dead", "sent"]

    def test_what_waits_untried_becomes_one(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.say(desk.monitor(), "degraded", "down", "up")

        found = sent(desk, channel)
        assert changes(found) == ["opened", "worsened", "resolved"]
        rows = desk.rows()
        assert found.id == rows[-1].id
        assert [told.alert_id for told in found.told] == [row.id for row in rows]
        assert [row.state for row in rows] == ["merged", "merged", "sent"]
        assert [row.merged_into for row in rows] == [found.id, found.id, None]
        assert claim(desk, channel) is None

    def test_what_was_tried_stays_as_it_was(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down", "degraded")
        first = failed(desk, channel)
        desk.say(monitor, "down", "up")
        desk.clock.move(seconds=10)

        again = sent(desk, channel)
        assert (again.id, changes(again)) == (first.id, ["opened", "eased"])
        assert changes(sent(desk, channel)) == ["worsened", "resolved"]

    def test_incidents_do_not_wait_for_each_other(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down", key="one")
        failed(desk, channel)
        desk.say(monitor, "down", "up", key="two")

        assert changes(sent(desk, channel)) == ["opened", "resolved"]

    def test_nothing_before_it_is_due(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.clock.move(seconds=5)
        desk.say(desk.monitor(), "down")
        desk.clock.move(seconds=-1)

        assert outbox.due_channels(desk.store, desk.clock.now) == []
        assert claim(desk, channel) is None
        desk.clock.move(seconds=1)
        assert outbox.due_channels(desk.store, desk.clock.now) == [channel.id]


class TestBreaker:
    def test_a_channel_that_failed_gets_one_at_a_time(self, desk: Desk) -> None:
        channel = desk.channel()
        for _ in range(3):
            desk.say(desk.monitor(), "down")
        failed(desk, channel)

        claimed(desk, channel)
        assert claim(desk, channel) is None
        assert outbox.due_channels(desk.store, desk.clock.now) == []

    def test_success_lets_all_go_on(self, desk: Desk) -> None:
        channel = desk.channel()
        for _ in range(3):
            desk.say(desk.monitor(), "down")
        failed(desk, channel)
        assert desk.reread(channel).failures == 1
        sent(desk, channel)

        healed = desk.reread(channel)
        assert (healed.failures, healed.paused_until, healed.last_error) == (0, None, "")
        claimed(desk, channel)

    def test_a_pause_delays_and_drops_nothing(self, desk: Desk) -> None:
        channel = desk.channel()
        for _ in range(2):
            desk.say(desk.monitor(), "down")
        failed(desk, channel, pause=300)

        desk.clock.move(seconds=299)
        assert claim(desk, channel) is None
        desk.clock.move(seconds=1)
        assert sent(desk, channel) is not None
        assert sent(desk, channel) is not None
        assert desk.states() == ["sent", "sent"]

    def test_what_was_put_off_comes_when_it_works_again(self, desk: Desk) -> None:
        channel = desk.channel()
        for _ in range(BREAKER_AFTER + 1):
            desk.say(desk.monitor(), "down")
        for _ in range(BREAKER_AFTER):
            failed(desk, channel)
        sent(desk, channel)

        for _ in range(BREAKER_AFTER):  # not ten seconds later, as each failure said
            sent(desk, channel)
        assert set(desk.states()) == {"sent"}


class TestReminders:
    DISTANCES = (timedelta(minutes=30), timedelta(hours=2))

    def test_until_it_is_resolved(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        monitor = desk.monitor()
        desk.say(monitor, "down")
        sent(desk, channel)
        for number, minutes in enumerate((30, 120, 120), start=1):
            desk.clock.move(minutes=minutes - 1)
            assert claim(desk, channel) is None
            desk.clock.move(minutes=1)
            found = sent(desk, channel)
            assert (found.reminder, changes(found)) == (number, ["opened"])
            assert claim(desk, channel) is None
        desk.say(monitor, "up")

        assert changes(sent(desk, channel)) == ["resolved"]
        assert desk.states() == ["sent"] * 4 + ["dropped", "sent"]
        desk.clock.move(days=30)
        assert claim(desk, channel) is None

    def test_they_begin_anew_when_it_changes(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        monitor = desk.monitor()
        desk.say(monitor, "degraded")
        sent(desk, channel)
        desk.clock.move(minutes=29)
        desk.say(monitor, "down")
        assert changes(sent(desk, channel)) == ["worsened"]

        desk.clock.move(minutes=29)
        assert claim(desk, channel) is None
        desk.clock.move(minutes=1)
        found = sent(desk, channel)
        assert (found.reminder, changes(found)) == (1, ["worsened"])

    def test_a_due_one_gives_way_to_news(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        monitor = desk.monitor()
        desk.say(monitor, "down")
        sent(desk, channel)
        desk.clock.move(minutes=31)
        desk.say(monitor, "up")

        assert changes(sent(desk, channel)) == ["resolved"]
        assert claim(desk, channel) is None

    def test_one_that_is_being_sent_is_waited_for(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        monitor = desk.monitor()
        desk.say(monitor, "down")
        sent(desk, channel)
        desk.clock.move(minutes=30)
        reminder = claimed(desk, channel)
        desk.say(monitor, "up")

        assert claim(desk, channel) is None
        settlement.settle_sent(desk.store, reminder, desk.clock.now)
        assert changes(sent(desk, channel)) == ["resolved"]
        assert desk.states() == ["sent", "sent", "sent", "dropped"]

    def test_a_dead_one_is_followed_by_the_next(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        desk.say(desk.monitor(), "down")
        failed(desk, channel, dead=True)
        desk.clock.move(minutes=30)
        assert failed(desk, channel, dead=True).reminder == 1
        desk.clock.move(hours=2)

        assert sent(desk, channel).reminder == 2
        assert desk.states() == ["dead", "dead", "sent", "pending"]

    def test_whoever_acknowledges_can_end_them(self, desk: Desk) -> None:
        channel = desk.channel(reminders=self.DISTANCES)
        desk.say(desk.monitor(), "down")
        found = sent(desk, channel)
        with desk.store.write() as connection:
            settlement.drop_reminders(connection, found.incident.id)

        desk.clock.move(days=1)
        assert claim(desk, channel) is None


class TestLog:
    def test_dead_ones_are_seen_and_sent_again(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.say(desk.monitor(), "down")
        dead = failed(desk, channel, dead=True, pause=600)
        team = desk.team.id

        [row] = alert_log.list_alerts(desk.store, team, state="dead", before=None, limit=5)
        assert (row.id, row.last_error, row.channel_name, row.monitor_name, row.change) == (
            dead.id,
            "it broke",
            "ops",
            "shop",
            "opened",
        )
        assert not alert_log.resend(desk.store, "another team", dead.id, desk.clock.now)
        assert alert_log.resend(desk.store, team, dead.id, desk.clock.now)
        assert not alert_log.resend(desk.store, team, dead.id, desk.clock.now)
        again = sent(desk, channel)
        assert (again.id, again.attempts) == (dead.id, 1)

    def test_old_ones_are_forgotten_but_not_of_open_incidents(self, desk: Desk) -> None:
        channel = desk.channel()
        closed, still_open, waiting = desk.monitor(), desk.monitor(), desk.monitor()
        desk.say(closed, "down", "up")
        desk.say(still_open, "down")
        sent(desk, channel)
        sent(desk, channel)
        desk.say(waiting, "down", "up")

        assert alert_log.forget(desk.store, at(-1)) == 0
        assert alert_log.forget(desk.store, at(3600)) == 2
        assert {row.monitor_id for row in desk.rows()} == {still_open.id, waiting.id}

    def test_a_channel_that_is_switched_off_drops_what_waits(self, desk: Desk) -> None:
        channel = desk.channel()
        monitor = desk.monitor()
        desk.say(monitor, "down")
        channels.change(desk.store, desk.team.id, channel.id, {"active": False})
        assert desk.states() == ["dropped"]

        channels.change(desk.store, desk.team.id, channel.id, {"active": True})
        desk.say(monitor, "up")
        assert changes(sent(desk, channel)) == ["resolved"]

    def test_a_change_ends_the_pause(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.say(desk.monitor(), "down")
        failed(desk, channel, pause=600)
        changed = channels.change(desk.store, desk.team.id, channel.id, {"name": "new"})

        assert changed is not None
        assert (changed.name, changed.failures, changed.paused_until) == ("new", 0, None)

    def test_a_channel_goes_with_its_alerts(self, desk: Desk) -> None:
        channel = desk.channel()
        desk.say(desk.monitor(), "down")

        assert not channels.remove(desk.store, "another team", channel.id)
        assert desk.rows()
        assert channels.remove(desk.store, desk.team.id, channel.id)
        assert desk.rows() == []
        assert outbox.due_channels(desk.store, desk.clock.now) == []


def test_settings_are_sealed(desk: Desk) -> None:
    channel = desk.channel("https://hooks.example.com/s3cret")

    assert b"s3cret" not in channel.settings_sealed
    assert "s3cret" not in repr(channel)
    assert channels.open_settings(desk.store, channel)["url"] == (
        "https://hooks.example.com/s3cret",
    )


def test_a_monitor_keeps_its_tags(desk: Desk) -> None:
    monitor = desk.reread_monitor(desk.monitor(tags=("a", "b")))

    assert monitor.tags == ("a", "b")
