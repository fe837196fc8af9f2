"""``taco channels`` and ``taco alerts``."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alerting import Desk
from click.testing import CliRunner, Result
from gateways import settings_in
from receiving import Reaction, Receiver, receiving

from gateway.app import build_dispatcher, open_store, utc_now
from gateway.cli import main
from gateway.store import channels, teams
from gateway.store.engine import Store
from gateway.vault import KEY_BYTES

Taco = Callable[..., Result]
SETTINGS = "alerts: {allow_networks: [127.0.0.0/8], timeout: 1s}\nlanguage: en\n"


@pytest.fixture
def store(tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    shutil.copy(migrated_file, tmp_path / "gateway.db")
    (tmp_path / "config.yaml").write_text(SETTINGS)
    opened = open_store(settings_in(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def taco(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taco:
    teams.ensure_first_team(store, "main", utc_now())
    monkeypatch.setenv("TACO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TACO_ENCRYPTION_KEY", base64.b64encode(bytes(KEY_BYTES)).decode())
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments: str) -> Result:
        result = runner.invoke(main, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def test_a_channel_from_beginning_to_end(taco: Taco, receiver: Receiver) -> None:
    made = taco("channels", "add", "ops", "webhook", "--set", f"url={receiver.url}")
    assert made.exit_code == 0, made.output
    assert "whsec_" in made.output
    assert "Try it: taco channels test " in made.output

    listed = taco("channels", "list")
    assert [word in listed.output for word in ("ops", "webhook", "working")] == [True] * 3
    assert "s3cret" not in listed.output
    assert taco("channels", "test", "ops").output == "it got there\n"
    assert receiver.kinds == ["test"]
    receiver.usual = Reaction(500)
    failed = taco("channels", "test", "ops")
    assert (failed.exit_code, "answers 500" in failed.stderr) == (1, True)
    told = taco("channels", "test", "ops", "--json")
    assert (told.exit_code, json.loads(told.stdout)["sent"]) == (1, False)

    assert taco("channels", "remove", "ops").output == "ops is removed\n"
    gone = taco("channels", "test", "ops")
    assert (gone.exit_code, "no channel 'ops'" in gone.stderr) == (1, True)


def test_all_that_can_be_chosen(taco: Taco) -> None:
    assert taco("monitors", "add", "shop", "--tag", "Prod").exit_code == 0
    made = taco(
        *("channels", "add", "ops", "apprise", "--set", "url=slack://a/b/c"),
        *("--minimum", "down", "--monitor", "shop", "--tag", "prod", "--language", "en"),
        *("--remind", "30m", "--remind", "2h", "--json"),
    )

    assert made.exit_code == 0, made.output
    view = json.loads(made.stdout)
    assert view["settings"] == {"url": "slack://..."}
    assert (view["minimumStatus"], len(view["monitors"]), view["tags"]) == ("down", 1, ["prod"])
    assert view["reminders"] == [1800, 7200]
    [listed] = json.loads(taco("channels", "list", "--json").stdout)
    assert listed["id"] == view["id"]
    [monitor] = json.loads(taco("monitors", "list", "--json").stdout)
    assert monitor["tags"] == ["prod"]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["webhook"], 1, "settings.url is missing"),
        (["webhok", "--set", "url=https://a/"], 1, "'webhok' is unknown"),
        (["webhook", "--set", "url"], 2, "is not NAME=VALUE"),
        (["webhook", "--set", "url=https://a/", "--remind", "30"], 2, "--remind 30"),
        (["webhook", "--set", "url=https://a/", "--monitor", "none"], 1, "no monitor 'none'"),
        (["webhook", "--set", "url=https://a/", "--minimum", "up"], 2, "up"),
    ],
)
def test_mistakes(taco: Taco, arguments: list[str], code: int, error: str) -> None:
    result = taco("channels", "add", "ops", *arguments)

    assert (result.exit_code, error in result.stderr) == (code, True), result.stderr


def test_two_of_one_name(taco: Taco) -> None:
    for _ in range(2):
        taco("channels", "add", "ops", "webhook", "--set", "url=https://a.example/")

    assert "2 channels are called 'ops'" in taco("channels", "remove", "ops").stderr


def test_dead_alerts(taco: Taco, store: Store, receiver: Receiver, tmp_path: Path) -> None:
    receiver.usual = Reaction(410)
    taco("channels", "add", "ops", "webhook", "--set", f"url={receiver.url}")
    team = teams.first_team(store)
    assert team is not None
    desk = Desk(store, teams.NewTeam(team, "main", ""))
    desk.say(desk.monitor(), "down")
    dispatcher = build_dispatcher(settings_in(tmp_path, SETTINGS), store, ())
    assert dispatcher.run(utc_now() + timedelta(seconds=5))

    [dead] = json.loads(taco("alerts", "list", "--state", "dead", "--json").stdout)
    assert "answers 410" in taco("alerts", "list").output
    assert taco("alerts", "list", "--state", "sent").output.count("\n") == 1
    assert taco("alerts", "resend", dead["id"]).output == "it is due now\n"
    again = taco("alerts", "resend", dead["id"])
    assert (again.exit_code, "no dead alert" in again.stderr) == (1, True)
    [channel] = channels.list_page(store, team, after=None, limit=5)
    assert channel.paused_until is None


def test_texts_are_checked_before_anything_starts(taco: Taco, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SETTINGS.replace("timeout: 1s", "templates: texts"))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("opend: {}")

    result = taco("config", "check")
    assert result.exit_code == 1
    assert "en.yaml:1:1: unknown key 'opend'" in result.stderr
