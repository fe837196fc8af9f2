"""What messages in the shapes of Slack and Discord are read as."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import MalformedPayload
from gateway.core.model import Delivery, Outcome
from gateway.providers import load_providers

PROVIDERS = load_providers()
SLACK, DISCORD = PROVIDERS.get("slack_shaped"), PROVIDERS.get("discord_shaped")


def delivery(body: bytes, content_type: str = "application/json") -> Delivery:
    at = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
    return Delivery(body=body, headers={"content-type": content_type}, received_at=at)


def slack(message: Any) -> Any:
    return SLACK.parse(delivery(orjson.dumps(message)))["reading"]


def discord(message: Any) -> Any:
    return DISCORD.parse(delivery(orjson.dumps(message)))["reading"]


@pytest.mark.parametrize(
    ("colour", "read_as"),
    [
        ("danger", "red"),
        ("warning", "yellow"),
        ("good", "green"),
        # Uptime Kuma, Grafana, PagerDuty, Sentry, Opsgenie.
        ("#e01e5a", "red"),
        ("#2eb886", "green"),
        ("#D63232", "red"),
        ("#36a64f", "green"),
        ("#daa038", "yellow"),
        ("a30200", "red"),
        ("#FF9900", "yellow"),
        ("#439FE0", "other"),
        ("#000000", "other"),
        ("#ffffff", "other"),
        ("#95A5A6", "other"),
        ("#ff00ff", "other"),
        ("", "other"),
        ("#f00", "other"),
        ("reddish", "other"),
        (None, "other"),
        (16711680, "other"),
    ],
)
def test_colours_of_slack(colour: Any, read_as: str) -> None:
    assert slack({"attachments": [{"color": colour, "title": "api"}]})["colour"] == read_as


@pytest.mark.parametrize(
    ("colour", "read_as"),
    [
        (16711680, "red"),
        (10038562, "red"),
        ("16711680", "red"),
        (0xFFA500, "yellow"),
        (65280, "green"),
        (3066993, "green"),
        (9807270, "other"),
        (0x5865F2, "other"),
        (0, "other"),
        (-1, "other"),
        (0x1000000, "other"),
        (True, "other"),
        (1.5, "other"),
        ("red", "other"),
        (None, "other"),
    ],
)
def test_colours_of_discord(colour: Any, read_as: str) -> None:
    assert discord({"embeds": [{"color": colour, "title": "api"}]})["colour"] == read_as


@pytest.mark.parametrize(
    ("bad", "good", "subject"),
    [
        (
            '[FIRING:2] InstanceDown for api (env="prod", severity="critical")',
            '[RESOLVED] InstanceDown for api (env="prod", severity="critical")',
            'InstanceDown for api (env="prod", severity="critical")',
        ),
        ("[FIRING:1, RESOLVED:2] High load", "[RESOLVED:3] High load", "High load"),
        ("[shop] [🔴 Down] timeout of 48000ms", "[shop] [✅ Up] 200 - OK", "[shop]"),
        ("❌ Your service X went down. ❌", "✅ Your service X is up! ✅", "Your service X"),
        ('ALARM: "cpu-high" in EU', 'OK: "cpu-high" in EU', '"cpu-high" in EU'),
        ("PROBLEM: web is DOWN", "RECOVERY: web is UP", "web"),
        ("Build #45 of main failed", "Build #46 of main passed", "Build of main"),
        ("*<https://x.example|api>* :red_circle: is critical", "api is back to normal", "api"),
        ("deploy: failed", "deploy - succeeded", "deploy"),
        ("Down", "Up!", ""),
    ],
)
def test_both_states_of_a_headline_have_one_subject(bad: str, good: str, subject: str) -> None:
    for text, colour in ((bad, "red"), (good, "green")):
        assert slack({"text": text}) == {
            "colour": colour,
            "subject": subject,
            "headline": text,
            "at": None,
            "url": None,
        }


@pytest.mark.parametrize(
    "text",
    [
        "chris has started deploying project tag v0.0.2rc10 to staging",
        "API is not OK",
        "The alert is no longer firing",
        "Uptime Kuma Alert",
        "Login error",
        "What is up with the build?",
        "Downtime report",
    ],
)
def test_words_that_are_no_state(text: str) -> None:
    reading = slack({"text": text})

    assert reading["colour"] == "other"
    assert reading["subject"] == re.sub(r"\W$", "", text)


@pytest.mark.parametrize(
    ("message", "headline"),
    [
        ({"attachments": [{"title": "A", "fallback": "B", "text": "C"}], "text": "D"}, "A"),
        ({"attachments": [{"title": None, "pretext": " ", "fallback": "B"}], "text": "D"}, "B"),
        ({"attachments": [{"text": "C"}], "text": "D"}, "C"),
        ({"attachments": [{"color": "good"}], "text": "Title\napi is up\n"}, "api is up"),
        ({"attachments": [{"image_url": "x"}, {"color": "good", "title": "A"}]}, "A"),
        (
            {"attachments": [{"color": "#439FE0", "title": "A"}, {"color": "good", "title": "B"}]},
            "B",
        ),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "E"}}]}, "E"),
        (
            {"attachments": [{"blocks": [{"fields": [{"text": "F"}, {"text": "web: down"}]}]}]},
            "web: down",
        ),
        ({"attachments": [None, 1, []], "blocks": [{"text": 1}, "x"], "text": ["x"]}, ""),
        ({}, ""),
    ],
)
def test_headlines_of_slack(message: Any, headline: str) -> None:
    assert slack(message)["headline"] == headline


@pytest.mark.parametrize(
    ("message", "headline"),
    [
        ({"embeds": [{"title": "A", "description": "B"}], "content": "C"}, "A"),
        ({"embeds": [{"description": "B"}], "content": "C"}, "C"),
        ({"embeds": [{"description": "B"}]}, "B"),
        ({"embeds": [{"title": "A"}, {"title": "B", "color": 65280}]}, "B"),
        ({"embeds": {}}, ""),
    ],
)
def test_headlines_of_discord(message: Any, headline: str) -> None:
    assert discord(message)["headline"] == headline


def test_a_colour_is_stronger_than_words() -> None:
    assert slack({"attachments": [{"color": "good", "title": "api: down"}]})["colour"] == "green"
    assert slack({"attachments": [{"color": "#439FE0", "title": "api: down"}]})["colour"] == "other"


def test_a_message_in_a_field() -> None:
    message = orjson.dumps({"attachments": [{"color": "good", "title": "api"}]}).decode()
    form = delivery(urlencode({"payload": message}).encode(), "application/x-www-form-urlencoded")
    part = b'--x\r\nContent-Disposition: form-data; name="payload_json"\r\n\r\n%s\r\n--x--\r\n'
    embed = orjson.dumps({"embeds": [{"color": 65280, "title": "api"}]})
    files = delivery(part % embed, "multipart/form-data; boundary=x")

    for provider, received in ((SLACK, form), (DISCORD, files)):
        assert provider.parse(received)["reading"]["colour"] == "green"
        assert PROVIDERS.detect(received) is provider


@pytest.mark.parametrize("provider", [SLACK, DISCORD], ids=lambda loaded: loaded.name)
def test_a_list_is_no_message(provider: Any) -> None:
    with pytest.raises(MalformedPayload, match="object"):
        provider.parse(delivery(b"[]"))


def test_answers_are_those_of_the_chats() -> None:
    for provider, status, body in ((SLACK, 200, b"ok"), (DISCORD, 204, b"")):
        reply = provider.reply(Outcome.RECORDED)

        assert reply is not None
        assert (reply.status, reply.body) == (status, body)


@given(text=st.text(alphabet=st.sampled_from("[]:- #|<>*.!a🔴\n") | st.characters(), max_size=400))
def test_any_text_is_read(text: str) -> None:
    text = text.encode(errors="replace").decode()
    reading = slack({"text": text})

    assert reading["colour"] in {"red", "yellow", "green", "other"}
    # What is about the same thing has the same key: nothing is left to take off.
    assert slack({"text": reading["subject"]})["subject"] == reading["subject"]
