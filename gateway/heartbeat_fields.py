"""What may be said of a monitor's heartbeats, field by field and together."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    model_validator,
)

from gateway.core import feed
from gateway.core.rhythm import check_cron
from gateway.request_bodies import RequestBody

_MONTH = 31 * 24 * 3600
_YEAR = 366 * 24 * 3600


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError("should be a time zone such as America/Sao_Paulo") from None
    return name


def _cron(expression: str) -> str:
    check_cron(expression)
    return expression


def _silence(value: object) -> int:
    if value == "auto":
        return feed.AUTO
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _YEAR:
        raise ValueError(f"should be auto, or seconds from 1 to {_YEAR}")
    return value


NEVER_NULL = frozenset({"heartbeat_grace", "heartbeat_timezone"})
"""Fields that can be left out, but not switched off."""

Seconds = Annotated[int, Field(ge=1, le=_MONTH, strict=True)]
Grace = Annotated[int, Field(ge=0, le=_MONTH, strict=True)]
Silence = Annotated[int, BeforeValidator(_silence)]
Schedule = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_time_zone)]


class HeartbeatFields(RequestBody):
    """The fields, which mean nothing by themselves when they are null or left out."""

    heartbeat_interval: Seconds | None = None
    heartbeat_schedule: Schedule | None = None
    heartbeat_timezone: Zone | None = None
    heartbeat_grace: Grace | None = None
    heartbeat_late_after: Grace | None = None
    heartbeat_max_run: Seconds | None = None
    heartbeat_post_only: StrictBool = False
    webhook_is_heartbeat: StrictBool = False
    stale_after: Silence | None = None

    @model_validator(mode="after")
    def _one_rhythm(self) -> Self:
        if self.heartbeat_interval is not None and self.heartbeat_schedule is not None:
            raise ValueError("give heartbeatInterval or heartbeatSchedule, not both")
        return self

    @property
    def named_rhythm(self) -> str:
        """The field that says when signs of life are due; empty if none does."""
        for name in ("heartbeat_interval", "heartbeat_schedule"):
            if getattr(self, name) is not None:
                return name
        return ""


def heartbeat_draft(
    request: HeartbeatFields, default_interval: int, default_grace: int
) -> dict[str, Any]:
    """The columns of a new monitor. Only who names no rhythm gets the default one."""
    columns = heartbeat_changes(request)
    columns.setdefault("heartbeat_grace", default_grace)
    columns.setdefault("heartbeat_interval", default_interval)
    return columns


def heartbeat_changes(request: HeartbeatFields) -> dict[str, Any]:
    """The columns that a request changes. A rhythm takes the place of the one before."""
    given = request.model_fields_set & HeartbeatFields.model_fields.keys()
    columns = {name: getattr(request, name) for name in given}
    for name in NEVER_NULL & columns.keys():
        if columns[name] is None:
            del columns[name]
    if "heartbeat_timezone" in columns:
        columns["heartbeat_zone"] = columns.pop("heartbeat_timezone")
    if request.named_rhythm == "heartbeat_interval":
        columns["heartbeat_schedule"] = None
    if request.named_rhythm == "heartbeat_schedule":
        columns["heartbeat_interval"] = None
    return columns


def contradictions(columns: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not go together, as field and problem."""
    late_after, grace = columns.get("heartbeat_late_after"), columns["heartbeat_grace"]
    if late_after is not None and late_after >= grace:
        yield "heartbeatLateAfter", f"should be less than heartbeatGrace, which is {grace}"
    interval, longest = columns.get("heartbeat_interval"), columns.get("heartbeat_max_run")
    if interval is not None and longest is not None and longest > interval + grace:
        limit = "should not be more than heartbeatInterval and heartbeatGrace together"
        yield "heartbeatMaxRun", f"{limit}, which is {interval + grace}"
