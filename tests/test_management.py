"""What a provider says about the secrets of a monitor, where its plugin is not enough to ask."""

from dataclasses import replace

import pytest

from gateway.core.errors import RequestError
from gateway.core.signatures import Hmac
from gateway.management import changes_of, draft_of
from gateway.provider import Credential, Provider
from gateway.providers import Providers, load_providers
from gateway.store import monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.teams import NewTeam
from gateway.testing import NOW

NATIVE = load_providers().get("native")
KEYED = Provider(
    "keyed",
    "Keyed",
    Hmac(header="x-signature", secret_encoding="base64"),
    credentials=(Credential("secret"), Credential("verify_token")),
)
PROVIDERS = Providers([NATIVE, replace(NATIVE, provider=KEYED)])


def draft(**fields: object) -> object:
    return draft_of(
        {"name": "shop", "provider": "keyed", **fields},
        PROVIDERS,
        default_interval=300,
        default_grace=60,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"webhookSecret": "c2VjcmV0"},
        {"credentials": {"secret": ["c2VjcmV0", "b2xk"], "verify_token": "any text"}},
    ],
)
def test_secrets_that_a_provider_can_use(fields: dict[str, object]) -> None:
    assert draft(**fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"webhookSecret": "no base64!"}, "webhookSecret"),
        ({"webhookSecret": ["c2VjcmV0", "no base64!"]}, "webhookSecret"),
        ({"credentials": {"secret": "no base64!"}}, "webhookSecret"),
    ],
)
def test_secrets_that_it_cannot(fields: dict[str, object], field: str) -> None:
    with pytest.raises(RequestError, match="it is not a key in base64") as refused:
        draft(**fields)

    [problem] = refused.value.details["fields"]
    assert problem["field"] == field
    assert "no base64!" not in str(refused.value)


def test_a_change_of_provider_must_suit_the_secrets_that_stay(store: Store, team: NewTeam) -> None:
    made = Draft("shop", provider="native", credentials={"secret": ("no base64!",)})
    current = monitors.create(store, team.id, made, NOW)

    assert changes_of({"name": "x"}, current, PROVIDERS) == {"name": "x"}
    with pytest.raises(RequestError, match="not a key in base64"):
        changes_of({"provider": "keyed"}, current, PROVIDERS)
