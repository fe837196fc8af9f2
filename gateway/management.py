"""What may be asked of a monitor: checks requests of the API and the command line alike."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    Field,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from gateway.core.errors import RequestError
from gateway.core.nodes import suggest
from gateway.core.signatures import problem
from gateway.heartbeat_fields import (
    NEVER_NULL,
    HeartbeatFields,
    contradictions,
    heartbeat_changes,
    heartbeat_draft,
)
from gateway.intake import AUTO
from gateway.providers import Providers
from gateway.store.monitors import SETTINGS, Draft, Monitor

_SECRET = "secret"  # noqa: S105 - the usual name of a credential, not one

Model = TypeVar("Model", bound=BaseModel)


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("should not be empty")
    return value


def _web_address(value: str) -> str:
    try:
        TypeAdapter(AnyHttpUrl).validate_python(value)
    except ValidationError:
        raise ValueError("should be an http or https address") from None
    return _storable(value)


def _storable(value: str) -> str:
    if "\0" in value:  # PostgreSQL has no such text
        raise ValueError("should not hold a NUL character")
    return value


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Address = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]
Secret = Annotated[str, Field(min_length=1, max_length=4000)]
Secrets = Annotated[
    tuple[Secret, ...],
    Field(max_length=10),
    BeforeValidator(_as_tuple),
    AfterValidator(_not_empty),
]


class _Fields(HeartbeatFields):
    url: Address | None = None
    provider: Name = AUTO
    webhook_secret: Secrets | None = None
    credentials: dict[Name, Secrets] = Field(default_factory=dict)
    alerts_enabled: StrictBool = True

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.webhook_secret and _SECRET in self.credentials:
            raise ValueError("give webhookSecret or credentials.secret, not both")
        return self

    @property
    def all_credentials(self) -> dict[str, tuple[str, ...]]:
        """The credentials, ``webhookSecret`` among them under its usual name."""
        if self.webhook_secret is None:
            return dict(self.credentials)
        return {**self.credentials, _SECRET: self.webhook_secret}


class NewMonitor(_Fields):
    """The body of ``POST /monitors``."""

    name: Title
    type: Literal["webhook"] = "webhook"


class MonitorChange(_Fields):
    """The body of ``PATCH /monitors/{id}``: only what is given changes."""

    name: Title | None = None
    active: StrictBool | None = None


def draft_of(
    fields: object, providers: Providers, *, default_interval: int, default_grace: int
) -> Draft:
    """A checked draft of a monitor; raises `RequestError` with every field that is wrong.

    A ``heartbeatInterval`` that is left out is ``default_interval``, null switches it off.
    """
    request = _validated(NewMonitor, fields)
    _check_provider(request.provider, request.all_credentials, providers)
    heartbeat = heartbeat_draft(request, default_interval, default_grace)
    _check_together(heartbeat)
    return Draft(
        name=request.name,
        type=request.type,
        url=request.url,
        provider=request.provider,
        credentials=request.all_credentials,
        alerts_enabled=request.alerts_enabled,
        starts_at_creation=bool(request.named_rhythm),
        **heartbeat,
    )


def changes_of(fields: object, current: Monitor, providers: Providers) -> dict[str, Any]:
    """The checked changes to a monitor by column; raises `RequestError`.

    What is not given stays as in ``current``, and is checked together with what is.
    """
    request = _validated(MonitorChange, fields)
    given = request.model_fields_set
    columns = given - {"webhook_secret", "credentials", *HeartbeatFields.model_fields}
    changes = {name: getattr(request, name) for name in columns}
    for name in {"name", "active", *NEVER_NULL} & given:
        if getattr(request, name) is None:
            raise _wrong((to_camel(name), "cannot be null"))
    heartbeat = heartbeat_changes(request)
    if heartbeat:
        _check_together({name: getattr(current, name) for name in SETTINGS} | heartbeat)
    if given & {"webhook_secret", "credentials"}:
        changes["credentials"] = request.all_credentials
    _check_provider(
        changes.get("provider", current.provider),
        changes.get("credentials", current.credentials),
        providers,
    )
    return changes | heartbeat


def _check_together(heartbeat: Mapping[str, Any]) -> None:
    if problems := list(contradictions(heartbeat)):
        raise _wrong(*problems)


def _validated(model: type[Model], fields: object) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as invalid:
        problems = [(".".join(map(str, e["loc"])), _plain(e["msg"])) for e in invalid.errors()]
    raise _wrong(*problems)


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _wrong(*problems: tuple[str, str]) -> RequestError:
    """The error for these fields; an empty field is the body itself."""
    return RequestError(
        "; ".join(f"{field or 'the body'} {message}" for field, message in problems),
        fields=[{"field": field, "message": message} for field, message in problems],
    )


def _check_provider(
    name: str, credentials: Mapping[str, tuple[str, ...]], providers: Providers
) -> None:
    if name == AUTO:
        return
    if name not in providers:
        hint = suggest(name, [AUTO, *providers.names])
        raise _wrong(("provider", f"{name!r} is unknown ({hint})"))
    provider = providers.get(name).provider
    known = {credential.name for credential in provider.credentials}
    for credential, secrets in credentials.items():
        field = "webhookSecret" if credential == _SECRET else f"credentials.{credential}"
        if credential not in known:
            can = ", ".join(sorted(known)) or "none: it cannot sign"
            raise _wrong((field, f"is of no use to the provider {name!r} (it uses {can})"))
        for secret in secrets:
            if found := problem(provider.signature, credential, secret):
                raise _wrong((field, f"is of no use to the provider {name!r}: {found}"))
    for needed in provider.credentials:
        if needed.required and needed.name not in credentials:
            field = f"credentials.{needed.name}"
            raise _wrong((field, f"is missing: the provider {name!r} needs it"))
