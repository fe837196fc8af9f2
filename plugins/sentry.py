"""Sentry: metric alerts, issue alerts and issues."""

import re
from typing import Any

from gateway import Delivery, Hmac, Provider, Register, hookimpl, parse_json

_DOCS = "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/"
_ISSUE = re.compile(r"/issues/(\d+)/")


def parse(delivery: Delivery) -> Any:
    """The payload, whose event always has an ``issue_id``.

    Older versions of Sentry name the issue only in addresses. Without its id what an issue
    alert reports could not be resolved by the issue.
    """
    payload = parse_json(delivery.body)
    match payload:
        case {"data": {"event": {"issue_url": str(url)} as event} as data} if not event.get(
            "issue_id"
        ):
            found = _ISSUE.search(url)
            issue_id = found[1] if found else None
            return {**payload, "data": {**data, "event": {**event, "issue_id": issue_id}}}
    return payload


@hookimpl
def register_providers(register: Register) -> None:
    """Register Sentry."""
    # The second name is what some integrations get.
    register(
        Provider(
            "sentry",
            title="Sentry",
            docs_url=_DOCS,
            signature=Hmac(header=("Sentry-Hook-Signature", "Sentry-App-Signature")),
            parse=parse,
        )
    )
