"""Twilio: its signature, which covers the address and the fields of a form."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from gateway import (
    Credential,
    Credentials,
    Delivery,
    Hmac,
    Provider,
    Register,
    SignatureMalformed,
    SignatureMismatch,
    hookimpl,
    is_form,
)

BODY_HASH = "bodySHA256"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
MOST_FIELDS = 1000

_SCHEMES = {
    name: Hmac(header="X-Twilio-Signature", algorithm=algorithm, encoding="base64")
    for name, algorithm in (("HMAC_SHA1", "sha1"), ("HMAC_SHA256", "sha256"))
}


@dataclass(frozen=True, slots=True)
class TwilioSignature:
    """HMAC-SHA1 over the address and the fields of a form, in ``X-Twilio-Signature``.

    Of any other body the address holds the hash, in the parameter ``bodySHA256``.
    https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The one credential whose values are keys."""
        return ("secret",)

    def problem(self, secret: str) -> str:
        """Why this text cannot be a key; empty if it can."""
        return _SCHEMES["HMAC_SHA1"].problem(secret)

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if a current key signed the address and what it vouches for.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureMismatch`.
        """
        scheme, fields = _scheme(delivery), _fields(delivery)
        *others, last = spellings(delivery.url)
        for url in others:
            try:
                scheme.verify(replace(delivery, body=url.encode() + fields), credentials, now)
                break
            except SignatureMismatch:
                continue
        else:
            scheme.verify(replace(delivery, body=last.encode() + fields), credentials, now)
        if not _is_covered(delivery):
            raise SignatureMismatch(f"the body is not the one of {BODY_HASH} in the address")

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add the signature, and the hash of a body that is not a form to the address."""
        if delivery.body and not is_form(delivery):
            digest = hashlib.sha256(delivery.body).hexdigest()
            joint = "&" if "?" in delivery.url else "?"
            delivery = replace(
                delivery,
                url=f"{delivery.url}{joint}{BODY_HASH}={digest}",
                query={**delivery.query, BODY_HASH: digest},
            )
        message = delivery.url.encode() + _fields(delivery)
        signed = _scheme(delivery).sign(replace(delivery, body=message), secret, now)
        return replace(signed, body=delivery.body)


def spellings(url: str) -> Iterator[str]:
    """The address as it is, and as Twilio may have signed it: with or without a port."""
    yield url
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    if port is not None:
        yield f"{scheme}://{parts.netloc.rpartition(':')[0]}{rest[len(parts.netloc) :]}"
    elif parts.hostname:
        default = 443 if parts.scheme == "https" else 80
        yield f"{scheme}://{parts.netloc}:{default}{rest[len(parts.netloc) :]}"


def _scheme(delivery: Delivery) -> Hmac:
    """The HMAC that the sender says it used: SHA-1 for the account's token, else a newer one."""
    settings = delivery.header(SETTINGS) or ""
    named = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    algorithm = named.get("algorithm") or "HMAC_SHA1"
    if algorithm not in _SCHEMES:
        raise SignatureMalformed(f"{SETTINGS} names an unknown algorithm")
    return _SCHEMES[algorithm]


def _fields(delivery: Delivery) -> bytes:
    """Name and value of each field of a form, sorted, one right behind the other."""
    if not is_form(delivery):
        return b""
    try:
        pairs = parse_qsl(
            delivery.body.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise SignatureMalformed("the form has too many fields") from None
    text = "".join(name + value for name, value in sorted(set(pairs)))
    return text.encode("utf-8", "surrogateescape")


def _is_covered(delivery: Delivery) -> bool:
    """Whether what is signed determines the body."""
    if is_form(delivery) or not delivery.body:
        return True
    given = delivery.query.get(BODY_HASH, "")
    return given.lower() == hashlib.sha256(delivery.body).hexdigest()


@hookimpl
def register_providers(register: Register) -> None:
    """Register Twilio; all else about it is in its rule file."""
    register(
        Provider(
            "twilio",
            title="Twilio",
            docs_url="https://www.twilio.com/docs/usage/webhooks",
            signature=TwilioSignature(),
            credentials=(
                Credential(
                    label="Auth token",
                    help="The primary auth token of the account, or the secret of a shared key.",
                ),
            ),
        )
    )
