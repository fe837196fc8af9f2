"""What may be asked of a channel: checks requests of the API and the command line alike."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator
from pydantic.alias_generators import to_camel

from gateway.alerts.kinds import Kinds
from gateway.channel_kind import Settings, SettingWrong
from gateway.core.model import Status
from gateway.management import Name, Tags, Title, storable, validated, wrong
from gateway.request_bodies import RequestBody
from gateway.store.channels import ChannelDraft

_MINUTE = 60
_MONTH = 31 * 24 * 3600
_LONGEST_VALUE = 2000
_MOST_VALUES = 50


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


MonitorId = Annotated[str, Field(pattern="^[0-9A-Z]{26}$")]
Monitors = Literal["all"] | Annotated[tuple[MonitorId, ...], Field(max_length=500)]
Value = Annotated[str, Field(min_length=1, max_length=_LONGEST_VALUE), AfterValidator(storable)]
Values = Annotated[
    tuple[Value, ...] | None, Field(max_length=_MOST_VALUES), BeforeValidator(_as_tuple)
]
Distance = Annotated[int, Field(ge=_MINUTE, le=_MONTH, strict=True)]


class _Fields(RequestBody):
    settings: dict[Name, Values] = Field(default_factory=dict)
    minimum_status: Literal["degraded", "down"] = "degraded"
    monitors: Monitors | None = None
    tags: Tags = ()
    language: Literal["pt-BR", "en"] | None = None
    reminders: Annotated[tuple[Distance, ...], Field(max_length=10)] = ()
    active: StrictBool = True

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.monitors == "all" and self.tags:
            raise ValueError("choose all monitors, or some by tags, not both")
        return self

    @property
    def given_settings(self) -> dict[str, tuple[str, ...]]:
        """The settings that have a value."""
        return {name: values for name, values in self.settings.items() if values}

    @property
    def monitor_ids(self) -> tuple[str, ...] | None:
        """The chosen monitors, None for all: what is meant when nothing is chosen."""
        if self.monitors == "all" or (self.monitors is None and not self.tags):
            return None
        return tuple(dict.fromkeys(self.monitors or ()))


class NewChannel(_Fields):
    """The body of ``POST /channels``."""

    name: Title
    kind: Name


class ChannelChange(_Fields):
    """The body of ``PATCH /channels/{id}``: only what is given changes."""

    name: Title | None = None


def channel_draft_of(fields: object, kinds: Kinds) -> tuple[ChannelDraft, dict[str, str]]:
    """A checked draft of a channel, and the settings that were made up, to be shown once.

    Raises `RequestError` with what is wrong.
    """
    request = validated(NewChannel, fields)
    settings, made = _complete(kinds, request.kind, request.given_settings)
    draft = ChannelDraft(
        name=request.name,
        kind=request.kind,
        settings=settings,
        minimum=Status(request.minimum_status),
        monitor_ids=request.monitor_ids,
        tags=request.tags,
        language=request.language,
        reminders=_distances(request.reminders),
        active=request.active,
    )
    return draft, made


def channel_changes_of(
    fields: object, kind: str, current: Settings, kinds: Kinds
) -> tuple[dict[str, Any], dict[str, str]]:
    """The checked changes to a channel by field, and the settings that were made up.

    ``current`` are the settings that stay where none are given; null takes one away.
    """
    request = validated(ChannelChange, fields)
    given = request.model_fields_set
    changes: dict[str, Any] = {
        name: getattr(request, name) for name in given & {"name", "language", "active"}
    }
    if "name" in changes and changes["name"] is None:
        raise wrong((to_camel("name"), "cannot be null"))
    if "minimum_status" in given:
        changes["minimum"] = Status(request.minimum_status)
    if "reminders" in given:
        changes["reminders"] = _distances(request.reminders)
    if given & {"monitors", "tags"}:
        changes |= {"monitor_ids": request.monitor_ids, "tags": request.tags}
    made: dict[str, str] = {}
    if "settings" in given:
        changes["settings"], made = _complete(kinds, kind, _merged(current, request.settings))
    return changes, made


def _merged(current: Settings, given: Mapping[str, tuple[str, ...] | None]) -> Settings:
    merged = {**current, **given}
    return {name: values for name, values in merged.items() if values}


def _complete(kinds: Kinds, kind: str, settings: Settings) -> tuple[Settings, dict[str, str]]:
    try:
        return kinds.complete(kind, settings)
    except SettingWrong as error:
        field = error.field if error.field == "kind" else f"settings.{error.field}"
        raise wrong((field, error.message)) from None


def _distances(seconds: tuple[int, ...]) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in seconds)
