"""What the pages show to receivers and plugin authors, tried."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alerting import SECRET, Desk

from docs._generate import pages
from gateway.alerts.kinds import Kinds
from gateway.alerts.messages import Writer
from gateway.alerts.templates import Templates
from gateway.alerts.webhook import body_of, new_secret, signed_headers
from gateway.channel_kind import SettingWrong
from gateway.core.times import format_time
from gateway.outgoing import Answer, NoAnswer
from gateway.providers import load_channel_kinds

PAGES = {page.name: page for page in pages()}
RECEIVER = PAGES["docs/receivers/webhooks.md"]


def sample(language: str) -> str:
    return next(fence.text for fence in RECEIVER.fences if fence.language == language)


@dataclass(frozen=True)
class Case:
    name: str
    accepted: bool
    body: bytes = b'{"type":"test","data":"\xc3\xa3"}'
    header: dict[str, str] = field(default_factory=dict)
    secret: str = SECRET
    age: int = 0

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("signed", True),
    Case("by the other of two secrets", True, secret=new_secret()),
    Case("by another", False, secret=new_secret()),
    Case("changed", False, body=b"{}"),
    Case("with another id", False, header={"webhook-id": "other"}),
    Case("old", False, age=301),
    Case("from the future", False, age=-301),
    Case("without a signature", False, header={"webhook-signature": ""}),
    Case("with nonsense", False, header={"webhook-signature": "v1,\u00e9 v2,x ,"}),
    Case("with a time that is none", False, header={"webhook-timestamp": "soon"}),
]


def request(desk: Desk, case: Case) -> dict[str, Any]:
    """What the receiver gets: signed by us, then as the case has it."""
    signers = (SECRET, case.secret) if case.accepted else (SECRET,)
    headers = signed_headers(
        "01KFDMDAG0Z81HFVRCN4DC9ED3", Case("", True).body, signers, desk.clock()
    )
    now = desk.clock().timestamp() + case.age
    return {
        "body": case.body,
        "headers": {name.lower(): value for name, value in headers.items()} | case.header,
        "secret": case.secret,
        "now": now,
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_python_receiver(desk: Desk, case: Case) -> None:
    names: dict[str, Any] = {}
    exec(sample("python"), names)

    assert names["verify"](**request(desk, case)) is case.accepted


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_node_receiver(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "sample.js").write_text(sample("javascript"), "utf-8")
    requests = [request(desk, case) for case in CASES]
    given = [{**each, "body": each["body"].decode()} for each in requests]
    call = """
      const { verify } = require("./sample.js");
      const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
      console.log(JSON.stringify(given.map(
        (each) => verify(Buffer.from(each.body), each.headers, each.secret, each.now))));
    """
    done = subprocess.run(
        ["node", "-e", call],
        cwd=tmp_path,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [case.accepted for case in CASES]


def test_the_sample_of_a_body_has_the_fields_of_one(desk: Desk) -> None:
    shown = json.loads(sample("json"))
    test = Writer(Templates(), "en", "https://x").test("ID", None, desk.clock())
    sent = json.loads(body_of(test))

    assert set(shown) == set(sent)
    assert set(shown["data"]) == set(sent["data"])
    assert set(shown["data"]["monitor"]) == set(sent["data"]["monitor"])
    assert set(shown["data"]["incident"]) == set(sent["data"]["incident"])
    assert shown["data"]["at"] == format_time(desk.clock()).replace("00.000Z", "01.000Z")


@dataclass
class World:
    """Answers what a plugin sends."""

    answer: Answer | NoAnswer
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def request(self, method: str, url: str, *, headers: dict[str, str], body: bytes) -> Answer:
        self.asked.append((method, url, headers, body))
        if isinstance(self.answer, NoAnswer):
            raise self.answer
        return self.answer


class TestPlugin:
    @pytest.fixture
    def kinds(self, tmp_path: Path) -> Kinds:
        [text] = PAGES["docs/plugins/channels.md"].files.values()
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "burrito.py").write_text(text, "utf-8")
        return Kinds(load_channel_kinds([tmp_path / "plugins"]))

    def test_it_sends(self, desk: Desk, kinds: Kinds) -> None:
        world = World(Answer(200, {}, b""))
        settings, _ = kinds.complete("burrito", {"room": ("#ops",), "token": ("s3cret-token",)})
        desk.channel(kind="burrito", settings=settings)
        desk.say(desk.monitor(), "down")
        desk.send(desk.dispatcher(kinds=kinds, outgoing=_with(world)))

        [(method, url, headers, body)] = world.asked
        [row] = desk.rows()
        assert (method, url) == ("POST", "https://burrito.example/v1/messages")
        assert headers["Idempotency-Key"] == row.id
        assert json.loads(body)["text"].startswith("Down: shop, api\n")
        assert row.state == "sent"

    @pytest.mark.parametrize(
        ("answer", "state", "error"),
        [
            (Answer(500, {}, b""), "pending", "Burrito answers 500"),
            (Answer(410, {}, b""), "dead", "Burrito answers 410"),
            (NoAnswer("no answer in time"), "pending", "no answer in time"),
        ],
    )
    def test_it_fails(
        self, desk: Desk, kinds: Kinds, answer: Answer | NoAnswer, state: str, error: str
    ) -> None:
        desk.channel(kind="burrito", settings={"room": ("#ops",), "token": ("t",)})
        desk.say(desk.monitor(), "down")
        desk.send(desk.dispatcher(kinds=kinds, outgoing=_with(World(answer))))

        [row] = desk.rows()
        assert (row.state, row.last_error) == (state, error)

    def test_it_checks(self, kinds: Kinds) -> None:
        with pytest.raises(SettingWrong, match="begins with #"):
            kinds.complete("burrito", {"room": ("ops",), "token": ("t",)})

    def test_one_of_an_operator_stands_above_ours(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(
            "from gateway import ChannelKind, hookimpl\n"
            "@hookimpl\n"
            "def register_channels(register):\n"
            "    register(ChannelKind('email', 'Mine', (), lambda *_: None))\n"
        )
        [mine] = load_channel_kinds([tmp_path])

        assert [kind.title for kind in Kinds([mine])] == ["Mine"]


def _with(world: World) -> Any:
    return SimpleNamespace(request=world.request, patience=1.0)
