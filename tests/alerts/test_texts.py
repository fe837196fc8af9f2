"""What alerts say, in both languages and in an operator's own words."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alerting import PUBLIC_URL, Desk
from receiving import Receiver

from gateway.alerts.messages import Writer
from gateway.alerts.templates import load_templates
from gateway.alerts.texts import KINDS, LANGUAGES, duration
from gateway.core.errors import SourceErrors


def texts(desk: Desk, receiver: Receiver, writer: Writer | None = None) -> list[tuple[str, str]]:
    """Title and text of what one sending brings."""
    receiver.received.clear()
    sender = desk.dispatcher()
    desk.send(replace(sender, writer=writer) if writer else sender)
    return [(each.json["data"]["title"], each.json["data"]["text"]) for each in receiver.received]


def test_each_kind_in_portuguese(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url, language="pt-BR", reminders=(timedelta(minutes=30),))
    monitor = desk.monitor()
    link = f"{PUBLIC_URL}/monitors/{monitor.id}"
    said = []
    for status in ("degraded", "down", "degraded", "up"):
        desk.clock.move(minutes=10)
        desk.seconds = desk.clock_seconds - 1
        desk.say(monitor, status)
        said += texts(desk, receiver)

    assert [title for title, _ in said] == [
        "Degradado: shop, api",
        "Piorou, fora do ar: shop, api",
        "Melhorou, degradado: shop, api",
        "Resolvido: shop, api",
    ]
    assert said[-1][1] == (
        "Resolvido: shop, api\n"
        "\n"
        "Chave: api\n"
        "Motivo: it is up (regra r)\n"
        "Desde: 2026-01-20 12:10:00 UTC\n"
        "Até: 2026-01-20 12:40:00 UTC\n"
        "Duração: 30 min\n"
        f"{link}\n"
    )


def test_a_reminder(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url, reminders=(timedelta(minutes=30),))
    desk.say(desk.monitor(), "down")
    texts(desk, receiver)
    desk.clock.move(minutes=31)

    [(title, text)] = texts(desk, receiver)
    assert title == "Still down: shop, api"
    assert "Since: 2026-01-20 12:00:01 UTC\nDuration: 29 min 59 s\n" in text
    [posted] = receiver.received
    assert (posted.json["type"], posted.json["data"]["reminder"]) == ("incident.reminder", 1)


def test_several_steps_in_one(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "degraded", "down", "up")
    [(title, text)] = texts(desk, receiver)

    assert title == "Resolved: shop, api"
    assert (
        "What happened:\n"
        "- 2026-01-20 12:00:01 UTC degraded: it is degraded (rule r)\n"
        "- 2026-01-20 12:00:02 UTC down: it is down (rule r)\n"
        "- 2026-01-20 12:00:03 UTC resolved: it is up (rule r)\n"
    ) in text
    [posted] = receiver.received
    assert posted.json["data"]["worst"] == "down"
    assert len(posted.json["data"]["steps"]) == 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3661, "1 h 1 min"),
        (3605, "1 h"),
        (90000, "1 d 1 h"),
        (86400 * 40, "40 d"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_both_languages_have_words_for_everything() -> None:
    for words in LANGUAGES.values():
        assert set(words.titles) == set(KINDS)
        assert len(words.statuses) == 4


class TestTemplates:
    def writer(self, folder: Path, text: str) -> Writer:
        (folder / "en.yaml").write_text(text)
        return Writer(load_templates(folder), "en", PUBLIC_URL)

    def test_own_words(self, desk: Desk, receiver: Receiver, tmp_path: Path) -> None:
        writer = self.writer(
            tmp_path,
            "every:\n"
            '  title: "[ACME] {{ title }}"\n'
            "opened:\n"
            '  title: "{{ upper(status) }} {{ monitor.name }} {{ key }}"\n'
            "  text: |\n"
            "    {{ text }}\n"
            "    Runbook: https://wiki.example.com/{{ monitor.name }}\n",
        )
        desk.channel(receiver.url)
        monitor = desk.monitor()
        desk.say(monitor, "down")
        [(title, text)] = texts(desk, receiver, writer)
        assert title == "DOWN shop api"
        assert "Why: it is down (rule r)" in text
        assert text.endswith("Runbook: https://wiki.example.com/shop\n")
        desk.say(monitor, "up")
        [(title, text)] = texts(desk, receiver, writer)
        assert title == "[ACME] Resolved: shop, api"
        assert text.startswith("Resolved: shop, api\n")

    @pytest.mark.parametrize("template", ["{{ nothing }}", "{{ length(reminder) }}", "{{ ' ' }}"])
    def test_one_that_gives_nothing_loses_no_alert(
        self, desk: Desk, receiver: Receiver, tmp_path: Path, template: str
    ) -> None:
        writer = self.writer(tmp_path, f'every: {{title: "{template}", text: "{template}"}}')
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")

        [(title, text)] = texts(desk, receiver, writer)
        assert title == "Down: shop, api"
        assert text.startswith("Down: shop, api\n\nKey: api\n")

    @pytest.mark.parametrize(
        ("name", "text", "error"),
        [
            ("en.yaml", "opened: {title: '{{ uper(status) }}'}", "en.yaml:1:2.: .*uper"),
            ("en.yaml", "opend: {title: x}", "en.yaml:1:1: unknown key 'opend' .*opened"),
            ("en.yaml", "opened: {titel: x}", "unknown key 'titel'"),
            ("en.yaml", "opened: {title: [x]}", "en.yaml:1:17: expected text"),
            ("en.yaml", "opened: {title: '{{ a'}", "without '}}'"),
            ("en.yaml", "a: &x 1", "en.yaml:1"),
            ("en.yaml", "{", "en.yaml"),
            ("de.yaml", "opened: {title: x}", "de.yaml: it is not named for a language"),
        ],
    )
    def test_mistakes_have_their_place(
        self, tmp_path: Path, name: str, text: str, error: str
    ) -> None:
        (tmp_path / name).write_text(text)

        with pytest.raises(SourceErrors, match=error):
            load_templates(tmp_path)

    def test_an_empty_folder_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(SourceErrors, match=r"there is no pt-BR\.yaml or en\.yaml in it"):
            load_templates(tmp_path)
        with pytest.raises(SourceErrors, match="there is no"):
            load_templates(tmp_path / "nowhere")
