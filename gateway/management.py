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
from gateway.credentials import Given, problems, problems_for_any
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
    return storable(value)


def storable(value: str) -> str:
    """The text, if every database can store it; a validator of pydantic."""
    if "\0" in value:  # PostgreSQL has no such text
        raise ValueError("should not hold a NUL character")
    return value


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(storable),
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
Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=40, pattern=r"^[^\W_][\w.:-]*$"
    ),
]
"""A short word by which channels choose monitors; kept in lower case."""
Tags = Annotated[
    tuple[Tag, ...],
    Field(max_length=20),
    AfterValidator(lambda tags: tuple(dict.fromkeys(tags))),
]


class _Fields(HeartbeatFields):
    url: Address | None = None
    provider: Name = AUTO
    webhook_secret: Secrets | None = None
    credentials: dict[Name, Secrets] = Field(default_factory=dict)
    alerts_enabled: StrictBool = True
    tags: Tags = ()

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

    def field_of(self, credential: str) -> str:
        """The field in which a credential was given, or can be."""
        is_short = credential == _SECRET and self.webhook_secret is not None
        return "webhookSecret" if is_short else f"credentials.{credential}"


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
    request = validated(NewMonitor, fields)
    _check_provider(request, request.provider, request.all_credentials, providers)
    heartbeat = heartbeat_draft(request, default_interval, default_grace)
    _check_together(heartbeat)
    return Draft(
        name=request.name,
        type=request.type,
        url=request.url,
        provider=request.provider,
        credentials=request.all_credentials,
        alerts_enabled=request.alerts_enabled,
        tags=request.tags,
        starts_at_creation=bool(request.named_rhythm),
        **heartbeat,
    )


def changes_of(fields: object, current: Monitor, providers: Providers) -> dict[str, Any]:
    """The checked changes to a monitor by column; raises `RequestError`.

    What is not given stays as in ``current``, and is checked together with what is.
    """
    request = validated(MonitorChange, fields)
    given = request.model_fields_set
    columns = given - {"webhook_secret", "credentials", *HeartbeatFields.model_fields}
    changes = {name: getattr(request, name) for name in columns}
    for name in {"name", "active", *NEVER_NULL} & given:
        if getattr(request, name) is None:
            raise wrong((to_camel(name), "cannot be null"))
    heartbeat = heartbeat_changes(request)
    if heartbeat:
        _check_together({name: getattr(current, name) for name in SETTINGS} | heartbeat)
    if given & {"webhook_secret", "credentials"}:
        changes["credentials"] = request.all_credentials
    if changes.keys() & {"provider", "credentials"}:
        name = changes.get("provider", current.provider)
        _check_provider(request, name, changes.get("credentials", current.credentials), providers)
    return changes | heartbeat


def _check_together(heartbeat: Mapping[str, Any]) -> None:
    if problems := list(contradictions(heartbeat)):
        raise wrong(*problems)


def validated(model: type[Model], fields: object) -> Model:
    """The checked body; raises `RequestError` with every field that is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as invalid:
        problems = [(".".join(map(str, e["loc"])), _plain(e["msg"])) for e in invalid.errors()]
    raise wrong(*problems)


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def wrong(*problems: tuple[str, str]) -> RequestError:
    """The error for these fields; an empty field is the body itself."""
    return RequestError(
        "; ".join(f"{field or 'the body'} {message}" for field, message in problems),
        fields=[{"field": field, "message": message} for field, message in problems],
    )


def _check_provider(request: _Fields, name: str, given: Given, providers: Providers) -> None:
    if name != AUTO and name not in providers:
        hint = suggest(name, [AUTO, *providers.names])
        raise wrong(("provider", f"{name!r} is unknown ({hint})"))
    if name == AUTO:
        found = list(problems_for_any(providers, given))
    else:
        found = list(problems(providers.get(name).provider, given))
    if found:
        raise wrong(*((request.field_of(credential), what) for credential, what in found))
