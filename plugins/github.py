"""GitHub: workflows, checks, deployments, pages and alerts."""

from typing import Any

from gateway import (
    Credential,
    Delivery,
    Hmac,
    MalformedPayload,
    Provider,
    Register,
    hookimpl,
    is_form,
    parse_form,
    parse_json,
)


def detect(delivery: Delivery) -> bool:
    """Whether the delivery names a GitHub event; Gitea and Forgejo copy the header."""
    return delivery.header("X-GitHub-Event") is not None


def parse(delivery: Delivery) -> Any:
    """The event, which hooks with the content type "form" put into the field ``payload``."""
    if not is_form(delivery):
        return parse_json(delivery.body)
    payload = parse_form(delivery.body).get("payload")
    if payload is None:
        raise MalformedPayload("the form has no field 'payload'")
    return parse_json(payload.encode())


@hookimpl
def register_providers(register: Register) -> None:
    """Register GitHub."""
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    register(
        Provider(
            "github",
            title="GitHub",
            docs_url="https://docs.github.com/en/webhooks",
            signature=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
            detect=detect,
            parse=parse,
            credentials=(
                Credential(
                    label="Webhook secret",
                    help="The text in the field Secret of the webhook's settings.",
                ),
            ),
            answer_within=10,
        )
    )
