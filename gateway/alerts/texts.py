"""What an alert says, in Portuguese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.channel_kind import TransitionTold
from gateway.core.model import Change, Status

RESOLVED, REMINDER, TEST = "resolved", "reminder", "test"
KINDS = ("opened", "worsened", "eased", RESOLVED, REMINDER, TEST)
"""What an alert can be about."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_UNITS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. ``titles`` are by kind of alert, or else by status."""

    statuses: Mapping[Status, str]
    titles: Mapping[str, str]
    key: str
    since: str
    reason: str
    rule: str
    lasted: str
    ended: str
    steps: str
    test: str


LANGUAGES: Mapping[str, Words] = {
    "pt-BR": Words(
        statuses={
            Status.PENDING: "pendente",
            Status.UP: "no ar",
            Status.DEGRADED: "degradado",
            Status.DOWN: "fora do ar",
        },
        titles={
            RESOLVED: "Resolvido",
            REMINDER: "Continua {status}",
            "eased": "Melhorou, {status}",
            "worsened": "Piorou, {status}",
            "opened": "{status}",
            TEST: "Teste do Taco Gateway",
        },
        key="Chave",
        since="Desde",
        reason="Motivo",
        rule="regra",
        lasted="Duração",
        ended="Até",
        steps="O que aconteceu",
        test="Este canal recebe os alertas do Taco Gateway.",
    ),
    "en": Words(
        statuses={
            Status.PENDING: "pending",
            Status.UP: "up",
            Status.DEGRADED: "degraded",
            Status.DOWN: "down",
        },
        titles={
            RESOLVED: "Resolved",
            REMINDER: "Still {status}",
            "eased": "Better, {status}",
            "worsened": "Worse, {status}",
            "opened": "{status}",
            TEST: "Test of Taco Gateway",
        },
        key="Key",
        since="Since",
        reason="Why",
        rule="rule",
        lasted="Duration",
        ended="Until",
        steps="What happened",
        test="This channel gets the alerts of Taco Gateway.",
    ),
}
"""The languages that alerts are written in."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to say. ``at`` is the time of what is told, ``opened_at`` of the incident."""

    kind: str
    monitor: str
    key: str
    status: Status
    opened_at: datetime
    at: datetime
    steps: tuple[TransitionTold, ...]
    link: str


def title_of(facts: Facts, language: str) -> str:
    """One line, as in ``Down: shop, key api``."""
    words = LANGUAGES[language]
    title = words.titles[facts.kind].format(status=words.statuses[facts.status])
    title = title[:1].upper() + title[1:]
    subject = ", ".join(filter(None, (facts.monitor, facts.key)))
    return " ".join(f"{title}: {subject}".split()) if subject else title


def text_of(facts: Facts, language: str) -> str:
    """All there is to say, in lines."""
    words = LANGUAGES[language]
    if facts.kind == TEST:
        return f"{words.test}\n{facts.link}\n"
    lines = [title_of(facts, language), ""]
    if facts.key:
        lines.append(f"{words.key}: {facts.key}")
    lines += _reasons(facts.steps, words)
    lines.append(f"{words.since}: {_moment(facts.opened_at)}")
    if facts.kind == RESOLVED:
        lines.append(f"{words.ended}: {_moment(facts.at)}")
    if facts.at > facts.opened_at:
        lines.append(f"{words.lasted}: {duration(facts.at - facts.opened_at)}")
    return "\n".join([*lines, facts.link, ""])


def _reasons(steps: tuple[TransitionTold, ...], words: Words) -> list[str]:
    if len(steps) == 1:
        return [f"{words.reason}: {_why(steps[0], words)}"]
    told = [f"- {_moment(step.at)} {_outcome(step, words)}: {_why(step, words)}" for step in steps]
    return [f"{words.steps}:", *told]


def _outcome(step: TransitionTold, words: Words) -> str:
    if step.change is Change.RESOLVED:
        return words.titles[RESOLVED].lower()
    return words.statuses[step.after]


def _why(step: TransitionTold, words: Words) -> str:
    rule = f"{words.rule} {step.rule}" if step.rule else ""
    if step.message and rule:
        return f"{step.message} ({rule})"
    return step.message or rule


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def duration(time: timedelta) -> str:
    """A length of time in its two largest units: ``2 h 5 min``."""
    left = max(int(time.total_seconds()), 0)
    parts = []
    for seconds, unit in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:_UNITS_SHOWN]) or "0 s"
