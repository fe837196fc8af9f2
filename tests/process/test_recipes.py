"""The recipes of the documentation, run as they stand there against a real gateway."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import yaml
from processes import Place

from docs._generate import ROOT, Page
from gateway.core.rhythm import check_cron

pytestmark = pytest.mark.process

PAGE = Page("docs/senders/heartbeats.md", (ROOT / "docs/senders/heartbeats.md").read_text("utf-8"))
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


def recipe(language: str, label: str = "") -> str:
    [fence] = [each for each in PAGE.fences if (each.language, each.label) == (language, label)]
    return fence.text


@dataclass
class Watched:
    """A monitor of its own in a running gateway, and a command ``backup`` that ends as told."""

    place: Place
    token: str
    folder: Path
    made: dict[str, Any]

    @property
    def url(self) -> str:
        url: str = self.made["webhookUrl"]
        return url

    def backup_ends(self, code: int) -> None:
        command = self.folder / "backup"
        command.write_text(f"#!/bin/sh\necho it ends with {code}\nexit {code}\n")
        command.chmod(0o755)

    def shell(self, script: str, **variables: str) -> int:
        path = f"{self.folder}:{os.environ['PATH']}"
        environment = {"PATH": path, "URL": self.url, **variables}
        ran = subprocess.run(["/bin/sh", "-c", script], env=environment, timeout=30, check=False)
        return ran.returncode

    def show(self, path: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.place.request("GET", f"/monitors/{self.made['id']}{path}", headers=headers).json

    @property
    def runs(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.show("/runs")["items"]
        return items

    def ended(self, code: int) -> None:
        """One run, told from its start to its end, and the status that it means."""
        [run] = self.runs
        assert run["state"] == ("failed" if code else "succeeded")
        assert UUID.fullmatch(run["rid"])
        assert run["duration"] is not None
        assert self.show()["status"] == ("down" if code else "up")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    place = Place(tmp_path_factory.mktemp("recipes"))
    running = place.start("up")
    try:
        running.ready()
        found = re.search(r"API token +([0-9a-f]{64})", running.printed)
        assert found, running.printed
        yield place, found[1]
    finally:
        running.end()


@pytest.fixture
def watched(gateway: tuple[Place, str], tmp_path: Path) -> Watched:
    place, token = gateway
    body = orjson.dumps({"name": "backup", "heartbeatInterval": 3600})
    made = place.request("POST", "/monitors", body, {"Authorization": f"Bearer {token}"}).json
    return Watched(place, token, tmp_path, made)


def test_a_line_of_shell(watched: Watched) -> None:
    assert watched.shell(recipe("sh", "curl")) == 0

    assert watched.show()["status"] == "up"


@pytest.mark.parametrize("code", [0, 3])
def test_a_job(watched: Watched, code: int) -> None:
    watched.backup_ends(code)

    assert watched.shell(recipe("sh", "job")) == code

    watched.ended(code)
    assert watched.runs[0]["exitCode"] == code
    assert watched.runs[0]["log"] == f"it ends with {code}"


@pytest.mark.parametrize("code", [0, 1])
def test_cron(watched: Watched, code: int) -> None:
    setting, line = recipe("crontab").splitlines()
    *schedule, command = line.split(" ", 5)
    watched.backup_ends(code)

    check_cron(" ".join(schedule))
    watched.shell(command)

    assert setting.startswith("URL=")
    assert "%" not in line
    assert watched.show()["status"] == ("pending" if code else "up")


@pytest.mark.parametrize("code", [0, 1])
def test_systemd(watched: Watched, code: int) -> None:
    service = unit(recipe("ini", "backup.service"))["Service"]
    timer = unit(recipe("ini", "backup.timer"))
    watched.backup_ends(code)
    # What systemd sets: https://www.freedesktop.org/software/systemd/man/systemd.exec.html
    variables = {
        "INVOCATION_ID": "0123456789abcdef0123456789abcdef",
        "SERVICE_RESULT": "exit-code" if code else "success",
    }
    for key in ("ExecStartPre", "ExecStart", "ExecStopPost"):
        watched.shell(service[key].removeprefix("-"), **variables)

    assert timer["Timer"]["OnCalendar"]
    watched.ended(code)


def unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("code", [0, 2])
def test_kubernetes(watched: Watched, code: int) -> None:
    cron_job = yaml.safe_load(recipe("yaml", "kubernetes"))
    [container] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    watched.backup_ends(code)

    check_cron(cron_job["spec"]["schedule"])
    ZoneInfo(cron_job["spec"]["timeZone"])
    assert {each["name"] for each in container["env"]} == {"URL", "RUN"}
    assert container["command"] == ["/bin/sh", "-c"]
    run = "0b7b9d35-8f1e-4f0c-9d3a-3f2d7e1c5a11"
    assert watched.shell(container["args"][0], RUN=run) == code
    watched.ended(code)


@pytest.mark.parametrize("code", [0, 1])
def test_python(watched: Watched, code: int) -> None:
    names: dict[str, Any] = {"backup": lambda: 1 / (1 - code)}
    exec(recipe("python"), names)
    usage = recipe("python", "usage").replace("https://status.example.com/webhooks/the-token", "{}")

    try:
        exec(usage.format(watched.url), names)
    except ZeroDivisionError:
        assert code
    watched.ended(code)
    assert ("ZeroDivisionError" in watched.runs[0]["log"]) is bool(code)


def test_python_without_a_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(recipe("python"), names)

    with names["monitored"]("http://127.0.0.1:9/webhooks/x"):
        done = True

    assert done
    assert "the monitor does not answer" in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
@pytest.mark.parametrize("code", [0, 1])
def test_node(watched: Watched, code: int) -> None:
    (watched.folder / "monitored.mjs").write_text(recipe("js", "monitored.mjs"))
    job = "() => { throw new Error('no space') }" if code else "() => 42"
    main = watched.folder / "main.mjs"
    main.write_text(
        f"import {{ monitored }} from './monitored.mjs';\n"
        f"await monitored({orjson.dumps(watched.url).decode()}, {job});\n"
    )

    assert watched.shell(f"node {shlex.quote(str(main))} 2>&1") == code

    watched.ended(code)
    assert ("no space" in watched.runs[0]["log"]) is bool(code)
