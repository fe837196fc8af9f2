"""WhatsApp Business: directly from Meta, or by way of 360Dialog."""

from collections.abc import Iterator
from typing import Any

from gateway import (
    AnyOf,
    Basic,
    Delivery,
    HeaderEquals,
    Hmac,
    Provider,
    Register,
    hookimpl,
    parse_json,
)


def parse(delivery: Delivery) -> Any:
    """The payload, in which each change also bears the id and time of its ``entry``.

    A delivery can hold changes of several accounts, and rules see one change at a time.
    """
    payload = parse_json(delivery.body)
    if isinstance(payload, dict):
        for entry in _objects(payload.get("entry")):
            origin = {"id": entry.get("id"), "time": entry.get("time")}
            for change in _objects(entry.get("changes")):
                change["entry"] = origin
    return payload


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


@hookimpl
def register_providers(register: Register) -> None:
    """Register both; all else about them is in their rule files."""
    # https://developers.facebook.com/docs/graph-api/webhooks/getting-started/
    register(
        Provider(
            "whatsapp",
            title="WhatsApp Business",
            docs_url="https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview",
            signature=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
            parse=parse,
        )
    )
    # Partner events are signed; messaging webhooks bear the headers that were set with their
    # address: https://docs.360dialog.com/partner/onboarding/webhook-events-and-setup/signature-validation
    # https://docs.360dialog.com/docs/messaging-api/api-reference/webhooks
    register(
        Provider(
            "dialog360",
            title="360Dialog",
            docs_url="https://docs.360dialog.com",
            signature=AnyOf(
                (
                    Hmac(
                        header="x-360dialog-signature",
                        prefix="sha256=",
                        prefix_optional=True,
                        credential="platform_secret",
                    ),
                    HeaderEquals(header="X-Webhook-Secret"),
                    Basic(),
                )
            ),
            parse=parse,
        )
    )
