"""The ``taco`` command: what it prints, and its exit codes 0, 1 and 2."""

import base64
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from gateways import settings_in
from sqlalchemy import text as sql
from sqlalchemy import update

from gateway import __version__
from gateway.app import open_store, utc_now
from gateway.cli import main
from gateway.core.blindness import Duty
from gateway.core.heartbeat import word_of
from gateway.core.model import Delivery, Event, Outcome, Status
from gateway.core.ratelimit import Limit
from gateway.core.signatures import verify
from gateway.ids import new_id
from gateway.providers import load_providers
from gateway.store import monitors, tables, teams
from gateway.store.engine import Store
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import DeliveryEntry, LogLine, record
from gateway.store.runs import Log
from gateway.store.watermarks import mark
from gateway.vault import KEY_BYTES

Taco = Callable[..., Result]
PROVIDERS = load_providers()
RULES = """\
provider: acme
title: Acme
signature: {type: unsigned, reason: made for a test}
rules:
  - name: state
    when: kind == 'state'
    status:
      from: state
      values: {good: up, bad: down}
    key: "{{ header('X-Region') }}"
    message: "It is {{ state }}"
examples:
  - name: a good one
    headers: {X-Region: south}
    payload: {kind: state, state: good}
    expect: {status: up, key: south}
  - name: a bad one
    headers: {X-Region: south}
    payload: {kind: state, state: bad}
    expect: {status: down, message: It is bad}
"""
BAD = '{"kind": "state", "state": "bad"}'


@pytest.fixture
def taco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taco:
    """Runs the command in an empty folder."""
    for name in ("CONFIG", "DATABASE_URL", "HOST", "PORT", "PUBLIC_URL", "LANGUAGE"):
        monkeypatch.delenv(f"TACO_{name}", raising=False)
    monkeypatch.setenv("TACO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TACO_ENCRYPTION_KEY", base64.b64encode(bytes(KEY_BYTES)).decode())
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        result = runner.invoke(main, arguments, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


@pytest.fixture
def store(taco: Taco, tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    """A database with a team where the command looks for it."""
    assert taco("--version").exit_code == 0
    (tmp_path / "data").mkdir()
    shutil.copy(migrated_file, tmp_path / "data" / "gateway.db")
    opened = open_store(settings_in(tmp_path / "data"))
    teams.ensure_first_team(opened, "main", utc_now())
    yield opened
    opened.close()


def make(store: Store, name: str, provider: str = "auto") -> Monitor:
    team = teams.first_team(store)
    assert team is not None
    return monitors.create(store, team, Draft(name, provider=provider), utc_now())


def observe(
    store: Store,
    monitor: Monitor,
    message: str,
    status: Status = Status.DOWN,
    now: datetime | None = None,
) -> None:
    now = now or utc_now()
    log = LogLine(new_id(now), "native", "POST", {}, "192.0.2.1", 2, "0" * 64, b"{}")
    event = Event(status, now, key="api", message=message, rule="native")
    entry = DeliveryEntry(
        monitor.id, monitor.revision, now, log, Outcome.RECORDED, True, "native", "", (event,)
    )
    record(store, [entry], Limit(10, now - now.min.replace(tzinfo=now.tzinfo), 10))


def data(result: Result) -> Any:
    assert result.exit_code in {0, 1}, result.output
    return json.loads(result.stdout)


COMMANDS = [
    *("up", "serve", "worker", "migrate", "prune", "config"),
    *("alerts", "channels", "monitors", "providers", "rules", "send", "tokens"),
]
LEAVES = [
    *[(name,) for name in ("up", "serve", "worker", "migrate", "prune", "send")],
    ("config", "check"),
    *[("alerts", name) for name in ("list", "resend")],
    *[("channels", name) for name in ("add", "list", "remove", "test")],
    *[("monitors", name) for name in ("add", "list", "show")],
    *[("providers", name) for name in ("list", "show")],
    *[("rules", name) for name in ("check", "test", "explain")],
    *[("tokens", name) for name in ("add", "revoke")],
]


def test_the_help_names_every_command(taco: Taco) -> None:
    helped = taco("--help")

    assert helped.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", helped.stdout, re.MULTILINE)
    assert taco("--version").stdout == f"taco, version {__version__}\n"


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_has_help_and_refuses_what_it_does_not_know(
    taco: Taco, command: tuple[str, ...]
) -> None:
    helped = taco(*command, "--help")
    refused = taco(*command, "--no-such-option")

    assert helped.exit_code == 0
    assert len(helped.stdout.splitlines()) >= 5
    assert refused.exit_code == 2
    assert "No such option" in refused.stderr


@pytest.mark.parametrize("command", [(), ("monitors",), ("rules",), ("nothing",), ("send",)])
def test_called_wrongly(taco: Taco, command: tuple[str, ...]) -> None:
    assert taco(*command).exit_code == 2


NEED_DATABASE = [
    ("monitors", "add", "shop"),
    ("monitors", "list"),
    ("monitors", "list", "--json"),
    ("monitors", "show", "shop"),
    ("tokens", "add", "ci"),
    ("tokens", "revoke", "ci"),
    ("prune",),
]


@pytest.mark.parametrize("command", NEED_DATABASE, ids=" ".join)
def test_without_a_database(taco: Taco, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = taco(*command)

    assert (result.exit_code, result.stdout) == (1, "")
    file = tmp_path / "data" / "gateway.db"
    assert result.stderr == f"there is no database at {file}: run 'taco up' first\n"
    assert list(tmp_path.iterdir()) == []


def test_migrate_makes_the_database_and_does_no_harm_again(taco: Taco, tmp_path: Path) -> None:
    first, second = taco("migrate"), taco("migrate")

    assert first.exit_code == 0
    assert first.stdout.startswith("the database is at revision ")
    assert second.stdout == first.stdout
    assert (tmp_path / "data" / "gateway.db").exists()
    without = taco("monitors", "list")
    assert (without.exit_code, without.stderr) == (1, "there is no team yet: run 'taco up' first\n")


def test_an_old_database_is_named(taco: Taco, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").touch()

    result = taco("monitors", "list")

    assert result.exit_code == 1
    assert "run 'taco migrate'" in result.stderr


class TestConfig:
    def test_all_defaults(self, taco: Taco) -> None:
        result = taco("config", "check")

        assert result.exit_code == 0
        assert result.stdout == f"no file: all defaults: fine, {len(PROVIDERS)} providers\n"
        assert data(taco("config", "check", "--json")) == {
            "file": "",
            "providers": list(PROVIDERS.names),
        }

    def test_the_file_of_this_folder_or_the_one_that_is_named(
        self, taco: Taco, tmp_path: Path
    ) -> None:
        (tmp_path / "config.yaml").write_text("language: en\n")
        (tmp_path / "other.yaml").write_text("language: en\n")

        assert taco("config", "check").stdout.startswith("config.yaml: fine")
        named = taco("--config", "other.yaml", "config", "check", "--json")
        assert data(named)["file"] == "other.yaml"

    @pytest.mark.parametrize("command", [("config", "check"), ("rules", "check"), ("up",)])
    def test_an_error_has_its_place(
        self, taco: Taco, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        (tmp_path / "config.yaml").write_text("language: en\nweb:\n  prot: 8600\n")

        result = taco(*command)

        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr == ("config.yaml:3:3: unknown key 'prot' (did you mean 'port'?)\n")

    def test_a_file_that_is_not_there(self, taco: Taco) -> None:
        result = taco("--config", "none.yaml", "config", "check")

        assert result.exit_code == 1
        assert result.stderr.startswith("none.yaml: cannot be read: ")

    def test_a_broken_plugin_is_told_with_its_place(self, taco: Taco, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text("plugins: [plugins]\n")
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "acme.py").write_text("import nothing_like_this\n")

        result = taco("config", "check")

        assert result.exit_code == 1
        assert re.search(r"acme\.py:1:1: the plugin raised ModuleNotFoundError", result.stderr)


class TestStatus:
    def test_of_a_gateway_that_never_ran(self, taco: Taco, store: Store) -> None:
        assert teams.first_team(store)
        assert taco("status").stdout == (
            "last receiving  never\nlast sweeping   never\nbehind by       0.0 s\n"
        )

    def test_marks_and_gaps(self, taco: Taco, store: Store) -> None:
        for minute in (0, 10):
            at = datetime(2026, 1, 20, 12, minute, tzinfo=UTC)
            mark(store, Duty.RECEIVING, at, timedelta(seconds=5))

        view = data(taco("status", "--json"))
        shown = taco("status").stdout

        assert view == {
            "receiving": "2026-01-20T12:10:00.000Z",
            "sweeping": None,
            "lagSeconds": 0.0,
            "gaps": [
                {
                    "duty": "receiving",
                    "from": "2026-01-20T12:00:00.000Z",
                    "to": "2026-01-20T12:10:00.000Z",
                    "seconds": 600.0,
                }
            ],
        }
        assert "last receiving  2026-01-20T12:10:00.000Z\n" in shown
        assert "2026-01-20T12:00:00.000Z  2026-01-20T12:10:00.000Z  600.0    receiving" in shown


class TestMonitors:
    def test_add_prints_the_addresses(self, taco: Taco, store: Store) -> None:
        result = taco("monitors", "add", "shop", "--secret", "s3cret")

        assert result.exit_code == 0
        assert re.fullmatch(
            r"id             [0-9A-Z]{26}\n"
            r"webhook URL    http://127\.0\.0\.1:8600/webhooks/[0-9a-f]{64}\n"
            r"heartbeat URL  http://127\.0\.0\.1:8600/webhooks/[0-9a-f]{64}/heartbeat\n",
            result.stdout,
        )
        assert "s3cret" not in result.output
        assert "unsigned" in taco("monitors", "add", "open").stdout
        team = teams.first_team(store)
        assert team is not None
        made = monitors.list_page(store, team, after=None, limit=5)
        assert [each.credentials for each in made] == [{"secret": ("s3cret",)}, {}]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), {"heartbeatInterval": 300, "heartbeatGrace": 60, "deadline": None}),
            (("--no-heartbeat",), {"heartbeatInterval": None, "deadline": None}),
            (("--heartbeat-interval", "30"), {"heartbeatInterval": 30}),
            (("--heartbeat-grace", "0"), {"heartbeatGrace": 0, "heartbeatInterval": 300}),
            (
                ("--heartbeat-late-after", "0", "--heartbeat-max-run", "9"),
                {"heartbeatLateAfter": 0, "heartbeatMaxRun": 9},
            ),
            (
                ("--heartbeat-post-only", "--webhook-is-heartbeat"),
                {"heartbeatPostOnly": True, "webhookIsHeartbeat": True},
            ),
            (("--stale-after", "3600"), {"staleAfter": 3600}),
            (("--stale-after", "auto"), {"staleAfter": "auto"}),
            (("--provider", "github"), {"provider": "github", "signed": False}),
            (("--secret", "a", "--secret", "b"), {"signed": True}),
            (("--url", "https://x.example"), {"url": "https://x.example"}),
        ],
    )
    def test_add_takes_options(
        self, taco: Taco, store: Store, options: tuple[str, ...], expected: dict[str, Any]
    ) -> None:
        made = data(taco("monitors", "add", "shop", *options, "--json"))

        assert {name: made[name] for name in expected} == expected
        assert bool(made["deadline"]) is ("--heartbeat-interval" in options)
        team = teams.first_team(store)
        assert team is not None
        assert monitors.find(store, team, made["id"]) is not None

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (("--provider", "githup"), 1, "did you mean 'github'?"),
            (("--url", "nowhere"), 1, "url should be an http or https address"),
            (("--heartbeat-interval", "0"), 1, "heartbeatInterval should be"),
            (("--heartbeat-interval", "soon"), 2, "'soon' is not a valid integer"),
            (("--secret", ""), 1, "credentials.secret"),
            (("--credential", "pin=1"), 1, "credentials.pin is of no use to any provider"),
            (
                ("--provider", "whatsapp", "--credential", "verify_token=x"),
                1,
                "credentials.verify_token is not enough to verify deliveries: add secret (App",
            ),
            (("--credential", "secret=@none.txt"), 1, "'none.txt' cannot be read"),
            (("--credential", "secret=-"), 1, "standard input holds no further line"),
            (("--no-heartbeat", "--heartbeat-interval", "5"), 2, "not both"),
            (("--no-heartbeat", "--heartbeat-schedule", "* * * * *"), 2, "not both"),
            (("--heartbeat-schedule", "now"), 1, "heartbeatSchedule should be five fields"),
            (("--heartbeat-late-after", "60"), 1, "less than heartbeatGrace, which is 60"),
            (("--stale-after", "often"), 1, "staleAfter should be auto, or seconds"),
        ],
    )
    def test_add_says_what_is_wrong(
        self, taco: Taco, options: tuple[str, ...], code: int, message: str
    ) -> None:
        result = taco("monitors", "add", "shop", *options)

        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr

    def test_add_takes_credentials_from_where_nobody_reads_along(
        self, taco: Taco, store: Store, tmp_path: Path
    ) -> None:
        topics = [f"arn:aws:sns:eu-west-1:12345678901{each}:alarms" for each in range(4)]
        (tmp_path / "topic.txt").write_text(topics[1] + "\n", "utf-8")
        forms = [topics[0], "@topic.txt", "-"]
        options = [("--credential", f"topic_arn={form}") for form in forms]

        result = taco(
            *("monitors", "add", "alarms", "--provider", "aws_sns"),
            *(word for option in options for word in option),
            *("--credential", "topic_arn", "--secret", "-"),
            stdin=f"{topics[2]}\n{topics[3]}\na:b\n",
        )

        assert (result.exit_code, result.stdout) == (1, "")
        assert "credentials.secret is of no use to the provider 'aws_sns'" in result.stderr
        result = taco(
            *("monitors", "add", "alarms", "--provider", "aws_sns"),
            *(word for option in options for word in option),
            *("--credential", "topic_arn"),
            stdin=f"{topics[2]}\n{topics[3]}\n",
        )
        assert result.exit_code == 0, result.output
        assert not [topic for topic in topics if topic in result.output]
        team = teams.first_team(store)
        assert team is not None
        [made] = monitors.list_page(store, team, after=None, limit=5)
        assert made.credentials == {"topic_arn": tuple(topics)}

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(
        ("provider", "advice"),
        [
            ("auto", "add --credential secret=..."),
            ("aws_sns", "add --credential with topic_arn (Topic ARN: arn:aws:sns:"),
            ("pingdom", "Pingdom cannot sign"),
        ],
    )
    def test_add_says_how_an_open_door_is_closed(
        self, taco: Taco, provider: str, advice: str
    ) -> None:
        printed = taco("monitors", "add", "open", "--provider", provider).stdout

        assert f"unsigned: whoever knows the URL can post; {advice}" in printed

    def test_list(self, taco: Taco, store: Store) -> None:
        assert taco("monitors", "list").stdout.split() == [
            "ID",
            "NAME",
            "PROVIDER",
            "STATUS",
            "SINCE",
        ]
        made = [make(store, name, "github") for name in ("shop", "a longer name")]

        result = taco("monitors", "list")

        lines = result.stdout.splitlines()
        assert [line.split("  ")[0] for line in lines[1:]] == [each.id for each in made]
        assert re.search(r"  a longer name  github    pending  \d{4}-\d\d-\d\d ", lines[2])
        listed = data(taco("monitors", "list", "--json"))
        assert [each["name"] for each in listed] == ["shop", "a longer name"]

    def test_show_by_id_and_by_name(self, taco: Taco, store: Store) -> None:
        made = make(store, "shop")
        observe(store, made, "no answer", now=utc_now() - timedelta(seconds=10))

        by_id, by_name = taco("monitors", "show", made.id), taco("monitors", "show", "shop")

        assert by_id.exit_code == 0
        assert by_id.stdout == by_name.stdout
        assert by_id.stdout.startswith("shop  down\n")
        for text in (made.id, made.token, "api", "no answer", "incidents", "recorded"):
            assert text in by_id.stdout
        shown = data(taco("monitors", "show", "shop", "--json"))
        assert shown["signals"][0]["message"] == "no answer"
        assert shown["incidents"][0]["worst"] == "down"
        assert shown["checks"][0]["status"] == "down"
        assert shown["deliveries"][0]["outcome"] == "recorded"
        assert set(shown["uptime"]) == {"today", "7d", "30d", "90d"}

    def test_show_the_uptime_of_several_spans(self, taco: Taco, store: Store) -> None:
        made = make(store, "shop")
        day = timedelta(days=1)
        midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
        for status, days in (("up", 20), ("down", 10), ("up", 9)):
            happened = midnight - days * day
            observe(store, made, "news", Status(status), happened)

        shown = taco("monitors", "show", "shop").stdout
        shares = data(taco("monitors", "show", "shop", "--json"))["uptime"]

        assert re.search(
            r"^  uptime         today 100 %, 7d 100 %, 30d 9\d(\.\d+)? %, 90d 9\d(\.\d+)? %$",
            shown,
            re.MULTILINE,
        )
        assert 0.95 <= shares["90d"] < 0.953

    def test_add_with_a_schedule(self, taco: Taco, store: Store) -> None:
        options = ("--heartbeat-schedule", "0 3 * * *", "--heartbeat-timezone", "Europe/Berlin")
        made = data(taco("monitors", "add", "nightly", *options, "--json"))

        assert made["heartbeatSchedule"] == "0 3 * * *"
        assert made["heartbeatTimezone"] == "Europe/Berlin"
        assert made["heartbeatInterval"] is None
        assert made["deadline"]
        assert teams.first_team(store)

    def test_runs(self, taco: Taco, store: Store) -> None:
        made = make(store, "job")
        nothing = taco("monitors", "runs", "job").stdout
        for said, log in (("start", b"begun"), ("3", b"disk full\x1b[31m\nend")):
            word = word_of(said, "r1")
            assert word is not None
            now = utc_now()
            entry = HeartbeatEntry(made.id, made.revision, now, word, Log(log, len(log)))
            record(store, [entry], Limit(9, timedelta(seconds=1), burst=9))

        table = taco("monitors", "runs", "job").stdout.splitlines()
        [run] = data(taco("monitors", "runs", made.id, "--json"))

        assert nothing.startswith("no runs: ")
        headings = ["STARTED AT", "ENDED AT", "DURATION", "STATE", "EXIT CODE", "RID"]
        assert re.split("  +", table[0].strip()) == headings
        assert table[1].split()[3:] == ["failed", "3", "r1"]
        assert (run["state"], run["exitCode"], run["rid"]) == ("failed", 3, "r1")
        assert taco("monitors", "runs", "job", "--log").stdout == "disk full\ufffd[31m\nend\n"

    def test_a_stale_one_is_listed_as_such(self, taco: Taco, store: Store) -> None:
        made = make(store, "feed")
        with store.write() as connection:
            connection.execute(update(tables.monitors).values(stale_since=made.created_at))

        lines = taco("monitors", "list").stdout.splitlines()

        assert lines[0].endswith("STALE SINCE")
        assert lines[1].endswith(f"{made.created_at:%F %T}")
        assert data(taco("monitors", "list", "--json"))[0]["staleSince"]

    def test_show_a_new_one(self, taco: Taco, store: Store) -> None:
        make(store, "shop")

        shown = taco("monitors", "show", "shop").stdout

        assert "last heartbeat -\n" in shown
        assert "  uptime         today -, 7d -, 30d -, 90d -\n" in shown
        assert "signals" not in shown

    def test_show_one_that_is_not_clear(self, taco: Taco, store: Store) -> None:
        for _ in range(2):
            make(store, "shop")

        twice, none = taco("monitors", "show", "shop"), taco("monitors", "show", "shep")

        assert (twice.exit_code, none.exit_code) == (1, 1)
        assert "2 monitors are called 'shop': use the id" in twice.stderr
        assert "no monitor 'shep'" in none.stderr

    def test_a_message_cannot_command_the_terminal(self, taco: Taco, store: Store) -> None:
        made = make(store, "sh\x1b[2Jop")
        observe(store, made, "a\x1b]0;title\x07b\nc")

        for command in (("list",), ("show", made.id)):
            printed = taco("monitors", *command).stdout
            assert not set("\x1b\x07") & set(printed)


class TestPrune:
    def test_what_is_old_goes(self, taco: Taco, store: Store) -> None:
        made = make(store, "shop")
        observe(store, made, "old", now=utc_now() - timedelta(days=15))
        observe(store, made, "new")

        printed, again = taco("prune"), data(taco("prune", "--json"))

        assert printed.exit_code == 0
        assert re.findall(r"^(\w+) +(\d+)$", printed.stdout, re.MULTILINE) == [
            ("webhook_log", "1"),
            ("checks", "0"),
            ("seen_events", "0"),
            ("heartbeat_runs", "0"),
            ("resolved_incidents", "0"),
        ]
        assert again == dict.fromkeys(
            ("webhook_log", "checks", "seen_events", "heartbeat_runs", "resolved_incidents"), 0
        )

    def test_the_configuration_says_what_is_old(
        self, taco: Taco, store: Store, tmp_path: Path
    ) -> None:
        observe(store, make(store, "shop"), "old", now=utc_now() - timedelta(days=3))
        (tmp_path / "config.yaml").write_text("retention: {checks: 2d}\n")

        assert data(taco("prune", "--json"))["checks"] == 1

    def test_what_fails_is_said(self, taco: Taco, store: Store) -> None:
        with store.write() as connection:
            connection.execute(sql("ALTER TABLE checks RENAME TO lost"))

        result = taco("prune")

        assert result.exit_code == 1
        assert "webhook_log" in result.stdout
        assert "not all could be deleted: checks: " in result.stderr


class TestTokens:
    def test_a_token_is_shown_once_and_works_until_it_is_revoked(
        self, taco: Taco, store: Store
    ) -> None:
        made = data(taco("tokens", "add", "ci", "--json"))
        printed = taco("tokens", "add", "ci")

        assert made == {"name": "ci", "team": teams.first_team(store), "token": made["token"]}
        assert re.search(r"^API token  [0-9a-f]{64}$", printed.stdout, re.MULTILINE)
        assert teams.team_of_token(store, made["token"]) == made["team"]
        revoked = taco("tokens", "revoke", "ci")
        assert (revoked.exit_code, revoked.stdout) == (0, "2 revoked\n")
        assert teams.team_of_token(store, made["token"]) is None

    @pytest.mark.usefixtures("store")
    def test_revoking_what_does_not_exist(self, taco: Taco) -> None:
        result = taco("tokens", "revoke", "none")

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "no API token is called 'none'\n"


class TestProviders:
    def test_list(self, taco: Taco) -> None:
        result = taco("providers", "list")

        lines = result.stdout.splitlines()
        assert lines[0].split() == ["NAME", "TITLE", "CREDENTIALS", "ORIGIN"]
        assert [line.split()[0] for line in lines[1:]] == list(PROVIDERS.names)
        listed = data(taco("providers", "list", "--json"))
        assert {each["name"] for each in listed} == set(PROVIDERS.names)

    @pytest.mark.parametrize("name", PROVIDERS.names)
    def test_show(self, taco: Taco, name: str) -> None:
        loaded = PROVIDERS.get(name)

        text = taco("providers", "show", name).stdout
        shown = data(taco("providers", "show", name, "--json"))

        assert f"{loaded.provider.title} ({name})" in text
        for example in loaded.examples:
            assert f"  {example.name}\n" in text
        assert shown["rules"] == [rule.name for rule in loaded.rules.rules]
        assert (shown["docs"] or "") == loaded.provider.docs_url
        assert f"  documentation  {shown['docs'] or '-'}\n" in text
        assert shown["redact"] == list(loaded.redact)
        for line in (*loaded.redact, *shown["rules"]):
            assert f"  {line}\n" in text
        for credential in loaded.provider.credentials:
            assert f"  {credential.name} (optional" in text
            assert f"    {credential.label}: {credential.help}".rstrip(": ") in text
        assert [each["name"] for each in shown["credentials"]] == [
            each.name for each in loaded.provider.credentials
        ]

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("whatsapp", ["verify_token (optional, only with secret)", "POST, and a handshake"]),
            ("gcp_pubsub", ["audience (optional, only with service_account)"]),
            ("discord", ["is answered    204 within 3 s"]),
            ("slack_shaped", ["is answered    200 ok within", "verified by    nothing: a tool"]),
            ("github", ["is answered    200 and JSON that says what was recorded, within 10 s"]),
            ("stripe", ["verified by    HMAC-SHA256 in Stripe-Signature, at most 300 s old"]),
            ("mercadopago", ["sends with     POST, GET\n"]),
        ],
    )
    def test_show_says_what_is_needed_and_answered(
        self, taco: Taco, name: str, lines: list[str]
    ) -> None:
        text = taco("providers", "show", name).stdout

        for line in lines:
            assert line in text

    def test_show_one_that_is_unknown(self, taco: Taco) -> None:
        result = taco("providers", "show", "githup")

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "no provider 'githup' (did you mean 'github'?)\n"


class TestRules:
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        (tmp_path / "acme.yaml").write_text(RULES)
        (tmp_path / "broken.yaml").write_text(RULES.replace("kind ==", "knd(kind) =="))
        (tmp_path / "wrong.yaml").write_text(RULES.replace("key: south", "key: north"))

    @pytest.mark.parametrize(
        ("targets", "told"),
        [
            ((), "fine"),
            (("acme.yaml",), "1 fine"),
            (("github",), "1 fine"),
            (("acme.yaml", "github", "wrong.yaml"), "3 fine"),
        ],
    )
    def test_check(self, taco: Taco, targets: tuple[str, ...], told: str) -> None:
        result = taco("rules", "check", *targets)

        assert result.exit_code == 0
        assert told in result.stdout
        assert data(taco("rules", "check", *targets, "--json"))["problems"] == []

    def test_check_shows_the_place_of_each_error(self, taco: Taco) -> None:
        result = taco("rules", "check", "broken.yaml", "acme.yaml", "none.yaml", "githup")

        assert result.exit_code == 1
        first, second, third = result.stdout.splitlines()
        assert re.match(r"broken\.yaml:6:11: .*'knd'", first)
        assert second.startswith("none.yaml: cannot be read: ")
        assert third == "no file and no provider 'githup' (did you mean 'github'?)"
        checked = taco("rules", "check", "broken.yaml", "acme.yaml", "githup", "--json")
        assert checked.exit_code == 1
        assert data(checked)["checked"] == 3
        assert [each["target"] for each in data(checked)["problems"]] == ["broken.yaml", "githup"]

    @pytest.mark.parametrize("suffix", ["yaml", "yml"])
    def test_check_knows_the_files_of_the_operator(
        self, taco: Taco, tmp_path: Path, suffix: str
    ) -> None:
        (tmp_path / "rules").mkdir()
        (tmp_path / "broken.yaml").rename(tmp_path / "rules" / f"broken.{suffix}")
        (tmp_path / "config.yaml").write_text("rules: [rules]\n")

        result = taco("rules", "check")

        assert result.exit_code == 1
        assert f"broken.{suffix}:6:11: " in result.stdout
        assert "broken" not in taco("rules", "check", "acme.yaml").output

    @pytest.mark.parametrize("targets", [(), ("acme.yaml",), ("github", "acme.yaml")])
    def test_test(self, taco: Taco, targets: tuple[str, ...]) -> None:
        result = taco("rules", "test", *targets)

        assert result.exit_code == 0, result.output
        assert re.fullmatch(r"\d+ passed, 0 failed\n", result.stdout)
        assert not any(e["differences"] for e in data(taco("rules", "test", *targets, "--json")))

    def test_test_shows_what_differs(self, taco: Taco) -> None:
        result = taco("rules", "test", "wrong.yaml")

        assert result.exit_code == 1
        assert result.stdout == (
            'wrong.yaml: a good one\n  key is "south" and not "north"\n1 passed, 1 failed\n'
        )
        results = taco("rules", "test", "wrong.yaml", "--json")
        assert results.exit_code == 1
        assert [len(each["differences"]) for each in data(results)] == [1, 0]

    def test_test_fails_where_there_is_nothing_to_test(self, taco: Taco, tmp_path: Path) -> None:
        (tmp_path / "acme.yaml").write_text(RULES.partition("examples:")[0])

        assert taco("rules", "test", "acme.yaml").exit_code == 1

    def test_explain_a_payload(self, taco: Taco, tmp_path: Path) -> None:
        (tmp_path / "payload.json").write_text(BAD)
        options = ("acme.yaml", "--header", "X-Region=south=1")

        from_file = taco("rules", "explain", *options, "--payload", "payload.json")
        from_stdin = taco("rules", "explain", *options, "--payload", "-", stdin=BAD)

        assert from_file.exit_code == 0
        assert from_file.stdout.splitlines()[1:] == from_stdin.stdout.splitlines()[1:]
        assert "It is bad" in from_file.stdout
        explained = data(taco("rules", "explain", *options, "--payload", "payload.json", "--json"))
        [event] = explained["events"]
        assert (event["status"], event["key"], event["message"]) == ("down", "south=1", "It is bad")
        assert explained["attempts"][0]["verdict"] == "matched"

    def test_explain_why_nothing_matches(self, taco: Taco) -> None:
        result = taco("rules", "explain", "acme.yaml", "--payload", "-", stdin='{"kind": "x"}')

        assert result.exit_code == 0
        assert "not matched" in result.stdout
        assert '"x"' in result.stdout

    @pytest.mark.parametrize("target", ["acme.yaml", "github"])
    @pytest.mark.parametrize("example", ["1", "2"])
    def test_explain_an_example(self, taco: Taco, target: str, example: str) -> None:
        result = taco("rules", "explain", target, "--example", example)

        assert result.exit_code == 0
        assert "matched" in result.stdout

    def test_explain_reads_a_body_as_its_provider_does(self, taco: Taco) -> None:
        form = "payload=%7B%22zen%22%3A%22x%22%7D"
        headers = ["X-GitHub-Event=ping", "Content-Type=application/x-www-form-urlencoded"]
        options = [each for header in headers for each in ("--header", header)]

        result = taco("rules", "explain", "github", *options, "--payload", "-", stdin=form)
        broken = taco("rules", "explain", "github", "--payload", "-", stdin="{")

        assert result.exit_code == 0, result.output
        assert broken.exit_code == 1
        assert broken.stderr.startswith("the body is not JSON: ")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("acme.yaml",), 2, "give --payload or --example"),
            (("acme.yaml", "--payload", "-", "--example", "1"), 2, "give --payload or --example"),
            (("acme.yaml", "--payload", "none.json"), 2, "No such file"),
            (("acme.yaml", "--payload", "-", "--header", "X"), 2, "'X' is not NAME=VALUE"),
            (("acme.yaml", "--example", "a god one"), 1, "did you mean 'a good one'?"),
            (("acme.yaml", "--example", "3"), 1, "no example '3'"),
            (("broken.yaml", "--example", "1"), 1, "broken.yaml:6:11: "),
            (("githup", "--example", "1"), 1, "did you mean 'github'?"),
        ],
    )
    def test_explain_says_what_is_wrong(
        self, taco: Taco, arguments: tuple[str, ...], code: int, message: str
    ) -> None:
        result = taco("rules", "explain", *arguments, stdin=BAD)

        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr


@dataclass
class Receiver:
    """A tiny server that keeps what it got and answers with ``status``."""

    url: str = ""
    status: int = 200
    got: list[Delivery] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Delivery(body, headers, utc_now(), url=self.path))
            answer = b'{"success": true}'
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks/token?x=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


class TestSend:
    @pytest.mark.parametrize("provider", ["native", "github", "stripe", "circleci"])
    def test_it_signs_as_the_provider_does(
        self, taco: Taco, receiver: Receiver, provider: str
    ) -> None:
        loaded = PROVIDERS.get(provider)

        result = taco("send", provider, "1", "--to", receiver.url, "--secret", "the secret")

        assert result.exit_code == 0, result.output
        assert result.stdout == '200 {"success": true}\n'
        [got] = receiver.got
        assert got.body == loaded.examples[0].body
        assert got.url == "/webhooks/token?x=1"
        assert got.headers["content-type"] == "application/json"
        assert dict(got.headers).items() >= dict(loaded.examples[0].headers).items()
        verify(loaded.provider.signature, got, {"secret": ("the secret",)}, utc_now())

    def test_the_secret_can_come_from_a_file(
        self, taco: Taco, receiver: Receiver, tmp_path: Path
    ) -> None:
        (tmp_path / "secret.txt").write_text("the secret\n", "utf-8")

        taco("send", "github", "1", "--to", receiver.url, "--secret", "@secret.txt")

        signature = PROVIDERS.get("github").provider.signature
        verify(signature, receiver.got[0], {"secret": ("the secret",)}, utc_now())

    def test_without_a_secret_nothing_is_signed(self, taco: Taco, receiver: Receiver) -> None:
        name = PROVIDERS.get("github").examples[0].name

        sent = data(taco("send", "github", name, "--to", receiver.url, "--json"))

        assert sent == {"status": 200, "body": {"success": True}}
        assert "x-hub-signature-256" not in receiver.got[0].headers

    def test_a_refusal_of_what_was_not_signed_says_so(self, taco: Taco, receiver: Receiver) -> None:
        receiver.status = 401

        unsigned = taco("send", "github", "1", "--to", receiver.url)
        signed = taco("send", "github", "1", "--to", receiver.url, "--secret", "x")

        assert unsigned.stderr == "nothing was signed: give --secret\n"
        assert signed.stderr == ""

    @pytest.mark.parametrize("status", [300, 401, 404, 503])
    def test_an_answer_that_is_no_success(
        self, taco: Taco, receiver: Receiver, status: int
    ) -> None:
        receiver.status = status

        result = taco("send", "native", "1", "--to", receiver.url)

        assert result.exit_code == 1
        assert result.stdout.startswith(f"{status} ")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("githup", "1", "--to", "http://x"), 1, "did you mean 'github'?"),
            (("github", "none", "--to", "http://x"), 1, "no example 'none'"),
            (("native", "1"), 2, "Missing option '--to'"),
            (("native", "1", "--to", "nowhere"), 1, "is not an http or https address"),
            (("native", "1", "--to", "ftp://x/y"), 1, "is not an http or https address"),
            (("native", "1", "--to", "http://x:99999/"), 1, "is not an http or https address"),
            (("native", "1", "--to", "http://[x/"), 1, "is not an http or https address"),
            (("native", "1", "--to", "http://x.invalid/a"), 1, "no answer from x.invalid:http"),
            (("native", "1", "--to", "http://x/y", "--secret", ""), 1, "cannot sign"),
        ],
    )
    def test_it_says_what_is_wrong(
        self, taco: Taco, arguments: tuple[str, ...], code: int, message: str
    ) -> None:
        result = taco("send", *arguments)

        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr
