"""Messages that tools make for the incoming webhooks of Slack and Discord, sent here instead.

Many tools can post to a chat and to nothing else. The colour of such a message tells a
status, and the headline what it is about. Rules find both below ``reading``::

    {"colour": "red", "subject": "api", "headline": "[api] is down", "at": ..., "url": ...}
"""

import colorsys
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway import Body, Delivery, MalformedPayload, Provider, Register, Unsigned, hookimpl

RED, YELLOW, GREEN, OTHER = "red", "yellow", "green", "other"

_SLACK_NAMES = {"danger": RED, "warning": YELLOW, "good": GREEN}
_SLACK_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_BRIGHTEST = 0xFFFFFF
_PALEST, _DARKEST = 0.25, 0.25
_HUES = ((20, RED), (70, YELLOW), (170, GREEN), (335, OTHER), (360, RED))
"""Up to which angle on the colour wheel a hue has which name."""

_CAN_END = {
    RED: "broken crashed down errored failed failing failure firing offline unavailable unhealthy",
    YELLOW: "degraded unstable",
    GREEN: "available fixed healthy ok okay online operational passed passing recovered resolved "
    "restored succeeded success successful up",
}
_OTHERS = {
    RED: "alarm alert alerting critical error outage problem triggered",
    YELLOW: "warn warning",
    GREEN: "normal recovery",
}
_COLOURS = {
    word: colour for each in (_CAN_END, _OTHERS) for colour in each for word in each[colour].split()
}
"""What words about a state say. Those of ``_OTHERS`` are too often part of a name to be
taken for a state at the end of a headline, unless something "is" so."""

_END = "|".join(word for words in _CAN_END.values() for word in words.split())
_ANY = "|".join(_COLOURS)
_LINK = "is|are|was|has|have|been|went|now|again|still|back|to"
_STATES = (
    # [FIRING:2] api    [api] [Down] timeout
    re.compile(
        rf"(?P<rest>.*?)\[[^\w\]]*(?P<state>{_ANY})(?::\d+)?(?:, *(?:{_ANY}):\d+)*[^\w\]]*\]"
        r"(?P<after>.*)",
        re.IGNORECASE,
    ),
    # Resolved: api    OK - api
    re.compile(rf"(?P<rest>)(?P<state>{_ANY}) *[:|\u2013\u2014-]+ +(?P<after>.+)", re.IGNORECASE),
    # api is critical
    re.compile(
        rf"(?P<rest>.*?)(?<!\bnot)(?<!longer) +(?:(?:{_LINK}) +)+(?P<state>{_ANY})(?P<after>)",
        re.IGNORECASE,
    ),
    # api failed    api: down
    re.compile(
        rf"(?P<rest>.*?)(?<!\bnot)(?<!longer)[ :|\u2013\u2014-]+(?P<state>{_END})(?P<after>)",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<rest>)(?P<state>{_ANY})(?P<after>)", re.IGNORECASE),
)

_LINKED = re.compile(r"<[^<>|]*\|([^<>]*)>")
_FORMATTING = re.compile(r"[*`~]|(?<!\w):[a-z0-9_+-]+:(?!\w)")
_NUMBERED = re.compile(r"\b(build|run|job|pipeline|workflow|deployment) +#\d+", re.IGNORECASE)
_EDGES = re.compile(r"^[^\w\[(<\"'/#@]+|[^\w\])>\"'/%]+$")
_LONGEST_LINE, _MOST_LINES = 300, 50


def colour_of(rgb: int) -> str:
    """The name of a colour's hue; grey, black and white have none that says anything."""
    parts = [(rgb >> shift & 0xFF) / 0xFF for shift in (16, 8, 0)]
    hue, saturation, value = colorsys.rgb_to_hsv(*parts)
    if saturation < _PALEST or value < _DARKEST:
        return OTHER
    return next(name for limit, name in _HUES if hue * 360 < limit)


def split_headline(line: str) -> tuple[str, str]:
    """What a headline is about, and the colour of what it says about that.

    The same thing must have the same subject whatever its state is, so the words for the
    state at both ends, in brackets, and the number of a build are taken off.
    """
    subject, colour = _tidied(line), ""
    while found := next(filter(None, (each.fullmatch(subject) for each in _STATES)), None):
        colour = colour or _COLOURS[found["state"].lower()]
        # What follows a state in brackets tells of it; if it begins the line, of the subject.
        subject = _tidied(found["rest"]) or _tidied(found["after"])
    return subject, colour


def parse_slack(delivery: Delivery) -> dict[str, Any]:
    """The message with its ``reading``; an old form has it as JSON in one field."""
    message = _object(Body(field="payload")(delivery))
    attachments = _objects(message.get("attachments"))
    shown, colour = _decisive((each, _slack_colour(each.get("color"))) for each in attachments)
    titles = (shown.get(name) for name in ("title", "pretext", "fallback"))
    texts = [shown.get("text"), message.get("text")]
    for holder in (message, shown):
        texts += _block_texts(holder.get("blocks"))
    reading = _reading(colour, titles, texts)
    return {
        **message,
        "reading": {**reading, "at": shown.get("ts"), "url": shown.get("title_link")},
    }


def parse_discord(delivery: Delivery) -> dict[str, Any]:
    """The message with its ``reading``; with files it is JSON in one field."""
    message = _object(Body(field="payload_json")(delivery))
    embeds = _objects(message.get("embeds"))
    shown, colour = _decisive((each, _discord_colour(each.get("color"))) for each in embeds)
    texts = (message.get("content"), shown.get("description"))
    reading = _reading(colour, [shown.get("title")], texts)
    return {
        **message,
        "reading": {**reading, "at": shown.get("timestamp"), "url": shown.get("url")},
    }


def _reading(colour: str, titles: Iterable[Any], texts: Iterable[Any]) -> dict[str, str]:
    """A title stands for itself; in text the first line that tells a state is the headline."""
    title = next(_lines(titles), "")
    headlines = [title] if title else list(_lines(texts)) or [""]
    split = [(line, *split_headline(line)) for line in headlines]
    headline, subject, said = next((each for each in split if each[2]), split[0])
    return {"colour": colour or said or OTHER, "subject": subject, "headline": headline}


def _decisive(parts: Iterable[tuple[dict[str, Any], str]]) -> tuple[dict[str, Any], str]:
    """The first part of a message whose colour says something, else the first at all."""
    parts = list(parts)
    said = (part for part in parts if part[1] in {RED, YELLOW, GREEN})
    return next(said, parts[0] if parts else ({}, ""))


def _slack_colour(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    found = _SLACK_HEX.fullmatch(value)
    return colour_of(int(found[1], 16)) if found else _SLACK_NAMES.get(value, "")


def _discord_colour(value: Any) -> str:
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,8}", value) else value
    # Zero is no colour but Discord's word for none.
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _BRIGHTEST:
        return ""
    return colour_of(number)


def _block_texts(blocks: Any) -> Iterator[Any]:
    for block in _objects(blocks):
        for holder in (block, *_objects(block.get("fields"))):
            text = holder.get("text")
            yield text.get("text") if isinstance(text, Mapping) else text


def _lines(texts: Iterable[Any]) -> Iterator[str]:
    found = (line for text in texts if isinstance(text, str) for line in text.splitlines())
    for line, _ in zip(filter(str.strip, found), range(_MOST_LINES), strict=False):
        yield line.strip()[:_LONGEST_LINE]


def _tidied(text: str) -> str:
    text = _FORMATTING.sub("", _LINKED.sub(r"\1", text))
    return _EDGES.sub("", " ".join(_NUMBERED.sub(r"\1", text).split()))


def _object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise MalformedPayload("a message must be a JSON object")
    return payload


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@hookimpl
def register_providers(register: Register) -> None:
    """Register the messages of both shapes."""
    reason = "a tool that posts to a chat cannot sign; its address is the secret"
    register(
        Provider(
            "slack_shaped",
            title="Slack-shaped messages",
            docs_url="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/",
            signature=Unsigned(reason),
            parse=parse_slack,
        )
    )
    register(
        Provider(
            "discord_shaped",
            title="Discord-shaped messages",
            docs_url="https://docs.discord.com/developers/resources/webhook#execute-webhook",
            signature=Unsigned(reason),
            parse=parse_discord,
        )
    )
