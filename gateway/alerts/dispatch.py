"""Sends what is due in the outbox, each alert to its channel, and notes what became of it."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.alerts.kinds import Kinds
from gateway.alerts.messages import Writer
from gateway.channel_kind import AlertNotSent, Message, Settings, SettingWrong
from gateway.core.alerting import pause_of, retry_delay
from gateway.core.errors import GatewayError
from gateway.ids import new_id
from gateway.outgoing import Outgoing
from gateway.store import alert_log, outbox, settlement
from gateway.store.channels import Channel, open_settings
from gateway.store.engine import Store
from gateway.store.outbox import Claimed
from gateway.store.settlement import Failure

_LEASE_FACTOR = 6  # an attempt has several steps, each with the timeout
_LONGEST_ERROR = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Sends alerts; for any number of threads and processes.

    An alert is claimed with a lease, sent, and settled. Whoever dies in between leaves a
    lease that ends, and the alert is sent again under the same id.
    """

    store: Store
    kinds: Kinds
    writer: Writer
    outgoing: Outgoing
    clock: Callable[[], datetime]
    attempts: int

    def run(self, until: datetime) -> bool:
        """Send until nothing is due; False if the time is over before that."""
        while self.clock() < until:
            if not self._round(until):
                return self.clock() < until
        return False

    def _round(self, until: datetime) -> bool:
        """One alert of each channel that has one: a long backlog keeps no other waiting.

        False when there was none to be had.
        """
        due = list(outbox.due_channels(self.store, self.clock()))
        random.shuffle(due)  # several dispatchers do not begin with the same one
        found = False
        for channel_id in due:
            if self.clock() >= until:
                break
            claimed = outbox.claim(self.store, channel_id, self.clock(), self._lease)
            if claimed is not None:
                self._send(claimed)
                found = True
        return found

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.outgoing.patience * _LEASE_FACTOR)

    def test(self, channel: Channel) -> str:
        """Send a test to a channel now; returns why it failed, or nothing.

        A channel that takes the test is taken to work again: what waits for it is due.
        """
        now = self.clock()
        message = self.writer.test(new_id(now), channel.language, now)
        failed = self._attempt(channel, lambda: message)
        if failed is not None:
            return failed.message
        alert_log.close_breaker(self.store, channel.id, self.clock())
        return ""

    def _send(self, claimed: Claimed) -> None:
        channel = claimed.channel
        failed = self._attempt(channel, lambda: self.writer.message(claimed, self.clock()))
        now = self.clock()
        if failed is None:
            if not settlement.settle_sent(self.store, claimed, now):
                _log.warning("alert %s was sent, but only after its lease", claimed.id)
            return
        failure = self._failure(claimed, failed, now)
        settlement.settle_failed(self.store, claimed, failure, now)
        level = logging.WARNING if failure.retry_at else logging.ERROR
        _log.log(
            level,
            "alert %s did not reach channel %s (attempt %d, %s): %s",
            claimed.id,
            channel.id,
            claimed.attempts,
            "another follows" if failure.retry_at else "given up",
            failure.error,
        )

    def _failure(self, claimed: Claimed, failed: AlertNotSent, now: datetime) -> Failure:
        asked = failed.retry_after or timedelta(0)
        luck = random.random
        over = failed.permanent or claimed.attempts >= self.attempts
        pause = max(pause_of(claimed.channel.failures + 1, luck()), asked)
        wait = max(retry_delay(claimed.attempts, luck()), asked)
        return Failure(
            error=failed.message,
            retry_at=None if over else now + wait,
            paused_until=now + pause if pause else None,
        )

    def _attempt(self, channel: Channel, write: Callable[[], Message]) -> AlertNotSent | None:
        """Why the message did not get there, in words without secrets; None if it did."""
        settings: Settings = {}
        try:
            settings = open_settings(self.store, channel)
            self.kinds.get(channel.kind).send(write(), settings, self.outgoing)
        except AlertNotSent as error:
            told = self.kinds.scrubbed(channel.kind, settings, error.message)
            return AlertNotSent(
                told[:_LONGEST_ERROR], retry_after=error.retry_after, permanent=error.permanent
            )
        except SettingWrong as error:
            return AlertNotSent(f"{error.field} {error.message}"[:_LONGEST_ERROR])
        except GatewayError as error:
            return AlertNotSent(error.message[:_LONGEST_ERROR])
        except Exception as error:  # noqa: BLE001 - a channel's code may raise anything
            # Only the name: the text of such errors tends to hold the address.
            return AlertNotSent(f"the channel's code raised {type(error).__name__}")
        return None
