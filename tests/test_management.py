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
        ({"credentials": {"secret": "no base64!"}}, "credentials.secret"),
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


BUNDLED = load_providers(entry_points=False)


def problems_of(provider: str, credentials: dict[str, object]) -> list[tuple[str, str]]:
    fields = {"name": "shop", "provider": provider, "credentials": credentials}
    with pytest.raises(RequestError) as refused:
        draft_of(fields, BUNDLED, default_interval=300, default_grace=60)
    return [(each["field"], each["message"]) for each in refused.value.details["fields"]]


@pytest.mark.parametrize(
    ("provider", "credentials", "field", "parts"),
    [
        (
            "whatsapp",
            {"verify_token": "any"},
            "verify_token",
            ["not enough to verify deliveries: add secret (App secret: In the app dashboard"],
        ),
        ("auto", {"verify_token": "any"}, "verify_token", ["not enough", "add secret"]),
        ("gcp_pubsub", {"audience": "taco"}, "audience", ["add service_account (Service account:"]),
        ("auto", {"tenant": "t"}, "tenant", ["add application"]),
        # The token alone would do, but not for the tenant that was meant to count.
        ("azure", {"secret": "s", "tenant": "t"}, "tenant", ["add application (Application"]),
        ("aws_sns", {"topic": "x"}, "topic", ["it uses topic_arn (Topic ARN:", "; basic_auth ("]),
        ("aws_sns", {"topic_arn": "x"}, "topic_arn", ["it is not the ARN of an SNS topic"]),
        ("pingdom", {"secret": "s"}, "secret", ["it uses none: it cannot sign"]),
        ("auto", {"topik_arn": "x"}, "topik_arn", ["any provider (did you mean 'topic_arn'?)"]),
    ],
)
def test_credentials_that_could_not_do_their_work(
    provider: str, credentials: dict[str, object], field: str, parts: list[str]
) -> None:
    [(found, message)] = problems_of(provider, credentials)

    assert found == f"credentials.{field}"
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("provider", "credentials"),
    [
        ("whatsapp", {"secret": "s"}),
        ("whatsapp", {"secret": "s", "verify_token": "any"}),
        ("auto", {"secret": "s", "verify_token": "any"}),
        ("azure", {"secret": "s", "basic_auth": "a:b", "tenant": "t", "application": "a"}),
        ("gcp_pubsub", {"audience": ["a", "b"], "service_account": "x"}),
        ("auto", {"topic_arn": "x"}),
    ],
)
def test_credentials_that_can(provider: str, credentials: dict[str, object]) -> None:
    fields = {"name": "shop", "provider": provider, "credentials": credentials}
    made = draft_of(fields, BUNDLED, default_interval=300, default_grace=60)

    assert set(made.credentials) == set(credentials)


def test_a_credential_that_is_required() -> None:
    key = Credential("secret", "Key", "In base64.", required=True)
    keyed = replace(NATIVE, provider=replace(KEYED, credentials=(key,)))
    fields = {"name": "shop", "provider": "keyed"}

    with pytest.raises(RequestError, match=r"secret is missing.* needs secret \(Key: In base64\)"):
        draft_of(fields, Providers([NATIVE, keyed]), default_interval=1, default_grace=1)


def test_what_is_wrong_already_keeps_nothing_else_from_being_changed(
    store: Store, team: NewTeam
) -> None:
    alone = {"verify_token": ("any",)}
    wrong, automatic = (
        monitors.create(store, team.id, Draft("x", provider=name, credentials=alone), NOW)
        for name in ("whatsapp", "auto")
    )

    assert changes_of({"active": False}, wrong, BUNDLED) == {"active": False}
    with pytest.raises(RequestError, match="add secret"):
        changes_of({"provider": "whatsapp"}, automatic, BUNDLED)
