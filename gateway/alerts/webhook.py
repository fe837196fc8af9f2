"""The signed webhook: alerts for programs, as Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

import orjson

from gateway.addresses import AddressRefused, read_url
from gateway.alerts.messages import message_data
from gateway.alerts.texts import TEST
from gateway.channel_kind import (
    AlertNotSent,
    ChannelKind,
    Message,
    Setting,
    Settings,
    SettingWrong,
)
from gateway.core.alerting import read_retry_after
from gateway.core.model import Delivery
from gateway.core.signatures import Hmac, Pairs, Timestamp
from gateway.core.times import format_time
from gateway.outgoing import NoAnswer, Outgoing

SCHEME = Hmac(
    header="webhook-signature",
    signed="{header.webhook-id}.{timestamp}.{body}",
    encoding="base64",
    list=Pairs(signature="v1", separator=" ", pair=","),
    timestamp=Timestamp("webhook-timestamp", unit="s"),
    tolerance=300,
    secret_encoding="base64",  # noqa: S106 - names an encoding
    secret_prefix="whsec_",  # noqa: S106 - what stands before each
)
"""How the alerts are signed; a receiver verifies with the same."""

_SUCCESS = range(200, 300)
_REDIRECTS = range(300, 400)


def new_secret() -> str:
    """A new signing secret."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(
    alert_id: str, body: bytes, keys: Sequence[str], now: datetime
) -> dict[str, str]:
    """The headers of one attempt, with a signature for each current secret."""
    unsigned = Delivery(body, {"webhook-id": alert_id}, received_at=now)
    signed = [SCHEME.sign(unsigned, key, now).headers for key in keys]
    signatures = " ".join(headers["webhook-signature"] for headers in signed)
    return {**signed[0], "webhook-signature": signatures, "Content-Type": "application/json"}


def body_of(message: Message) -> bytes:
    """What is posted: ``type``, ``timestamp`` and ``data``; the same at each attempt."""
    kind = TEST if message.kind == TEST else f"incident.{message.kind}"
    data = {**message_data(message), "title": message.title, "text": message.text}
    return orjson.dumps({"type": kind, "timestamp": format_time(message.at), "data": data})


def webhook_kind() -> ChannelKind:
    """The kind ``webhook``."""
    return ChannelKind(
        "webhook",
        title="Signed webhook",
        settings=(
            Setting(
                "url", "Address", "Where alerts are posted; it begins with https://.", secret=True
            ),
            Setting(
                "secret",
                "Signing secret",
                "Begins with whsec_; two during a rotation. One is made when it is left out.",
                secret=True,
                several=True,
                make=new_secret,
            ),
        ),
        send=_send,
        check=_check,
    )


def _check(settings: Settings) -> None:
    check_url(settings, "url")
    for secret in settings["secret"]:
        if found := SCHEME.problem(secret):
            raise SettingWrong("secret", found)


def check_url(settings: Settings, name: str) -> None:
    """Raise `SettingWrong` unless the setting is an http or https address."""
    try:
        read_url(settings[name][0])
    except AddressRefused as error:
        raise SettingWrong(name, error.message) from None


def _send(message: Message, settings: Settings, outgoing: Outgoing) -> None:
    body = body_of(message)
    headers = signed_headers(message.id, body, settings["secret"], message.sent_at)
    post(settings["url"][0], headers, body, message.sent_at, outgoing)


def post(url: str, headers: dict[str, str], body: bytes, now: datetime, outgoing: Outgoing) -> None:
    """Post to ``url``; raises `AlertNotSent` unless the answer is 2xx.

    410 means never again; ``Retry-After`` is obeyed; redirects are not followed.
    """
    try:
        answer = outgoing.request("POST", url, headers=headers, body=body)
    except (AddressRefused, NoAnswer) as error:
        raise AlertNotSent(error.message) from None
    if answer.status in _SUCCESS:
        return
    told = f"{read_url(url)} answers {answer.status}"
    if answer.status in _REDIRECTS:
        told += ", and redirects are not followed"
    raise AlertNotSent(
        told,
        retry_after=read_retry_after(answer.headers.get("retry-after"), now),
        permanent=answer.status == HTTPStatus.GONE,
    )
