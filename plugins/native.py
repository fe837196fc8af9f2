"""The gateway's own format, for senders that can be told what to send.

``{"status": "up" | "degraded" | "down", "message"?: text, "metadata"?: object}``
"""

from typing import Any

from gateway import (
    Credential,
    Delivery,
    Hmac,
    MalformedPayload,
    Provider,
    Register,
    hookimpl,
    parse_json,
)

STATUSES = ("up", "degraded", "down")


def parse(delivery: Delivery) -> dict[str, Any]:
    """The payload, whatever content type it has; every field of ours has its right type."""
    payload = parse_json(delivery.body)
    if not isinstance(payload, dict):
        raise MalformedPayload("the body must be a JSON object")
    if "status" not in payload:
        raise MalformedPayload("the field 'status' is missing; it must be up, degraded or down")
    if payload["status"] not in STATUSES:
        raise MalformedPayload("the field 'status' must be exactly up, degraded or down")
    if not isinstance(payload.get("message"), str | None):
        raise MalformedPayload("the field 'message' must be text or null")
    if not isinstance(payload.get("metadata"), dict | None):
        raise MalformedPayload("the field 'metadata' must be an object or null")
    return payload


@hookimpl
def register_providers(register: Register) -> None:
    """Register the native format."""
    register(
        Provider(
            "native",
            title="Native format",
            # Senders compute the signature over JSON.stringify(body); some then send the
            # same JSON with other spacing, hence the second form.
            signature=Hmac(
                header="X-Webhook-Signature",
                signed=("{body}", "{body|json}"),
                prefix="sha256=",
                prefix_optional=True,
            ),
            parse=parse,
            credentials=(
                Credential(
                    label="Webhook secret",
                    help="Any text that you and the sender share.",
                ),
            ),
        )
    )
