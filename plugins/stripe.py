"""Stripe: payments, payouts, accounts and terminals."""

from gateway import Credential, Delivery, Hmac, Pairs, Provider, Register, hookimpl


def detect(delivery: Delivery) -> bool:
    """Whether the delivery is signed the way only Stripe signs."""
    return delivery.header("Stripe-Signature") is not None


@hookimpl
def register_providers(register: Register) -> None:
    """Register Stripe."""
    # https://docs.stripe.com/webhooks#verify-manually
    # Stripe uses the secret as it is, with its whsec_ prefix and without decoding it.
    register(
        Provider(
            "stripe",
            title="Stripe",
            docs_url="https://docs.stripe.com/webhooks",
            signature=Hmac(
                header="Stripe-Signature",
                signed="{timestamp}.{body}",
                list=Pairs(signature="v1", timestamp="t"),
                tolerance=300,
            ),
            detect=detect,
            credentials=(
                Credential(
                    label="Signing secret",
                    help="Begins with whsec_; shown on the page of the webhook endpoint.",
                ),
            ),
        )
    )
