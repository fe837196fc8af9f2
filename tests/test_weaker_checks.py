"""A secret set on a monitor must hold, whatever a delivery pretends to be."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.core.errors import MethodNotAllowed, SignatureError
from gateway.core.model import Delivery, Outcome
from gateway.core.signatures import Credentials, alternatives
from gateway.intake import read
from gateway.providers import LoadedProvider, load_providers
from gateway.testing import NOW, signed

PROVIDERS = load_providers()
SENT = [
    (loaded.name, replace(example.delivery, received_at=NOW))
    for loaded in PROVIDERS
    for example in loaded.examples
]


def secrets_of(loaded: LoadedProvider) -> Iterator[Credentials]:
    """What a monitor can have, for each of the provider's ways to prove the origin."""
    for scheme in alternatives(loaded.provider.signature):
        for answer in loaded.known_answers:
            if answer.credentials.keys() == set(scheme.credential_names):
                yield answer.credentials
                break


ARMED = [
    pytest.param(loaded, credentials, id=f"{loaded.name}: {', '.join(credentials)}")
    for loaded in PROVIDERS
    for credentials in secrets_of(loaded)
]


def got_in(loaded: LoadedProvider, delivery: Delivery, credentials: Credentials) -> bool:
    """Whether a delivery had an effect; a handshake is an answer and has none."""
    try:
        return read(loaded, credentials, delivery).outcome is not Outcome.HANDSHAKE
    except (SignatureError, MethodNotAllowed):
        return False


def test_every_signed_provider_is_tried() -> None:
    tried = {loaded.name for loaded in PROVIDERS if list(secrets_of(loaded))}

    assert tried == {
        loaded.name for loaded in PROVIDERS if loaded.provider.signature.credential_names
    }


@pytest.mark.parametrize(("loaded", "credentials"), ARMED)
def test_what_is_not_signed_gets_in_nowhere(
    loaded: LoadedProvider, credentials: Credentials
) -> None:
    """Of any provider, to a monitor that names its own and to one that goes by the delivery."""
    assert [n for n, sent in SENT if got_in(loaded, sent, credentials)] == []
    assert [n for n, sent in SENT if got_in(PROVIDERS.detect(sent), sent, credentials)] == []


@pytest.mark.parametrize(("loaded", "credentials"), ARMED)
def test_what_is_signed_with_another_secret_gets_in_nowhere(
    loaded: LoadedProvider, credentials: Credentials
) -> None:
    """As any provider signs, with a secret that is not the monitor's."""
    for each in PROVIDERS:
        if not can_sign(each):
            continue
        sent = signed(each.provider, each.examples[0].body, headers=each.examples[0].headers)

        assert not got_in(PROVIDERS.detect(sent), sent, credentials), each.name
        assert not got_in(loaded, sent, credentials), each.name


def can_sign(loaded: LoadedProvider) -> bool:
    return bool(loaded.provider.signature.credential_names) and loaded.name != "aws_sns"
