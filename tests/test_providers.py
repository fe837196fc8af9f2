import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gateway
from gateway import hookspecs
from gateway.core.errors import (
    DefinitionError,
    DeliveryFailed,
    MalformedPayload,
    SignatureMissing,
    SourceErrors,
)
from gateway.core.model import Delivery, Outcome
from gateway.core.rules import RuleSet
from gateway.core.signatures import Bearer, HeaderEquals, Hmac, Unsigned
from gateway.provider import Credential, Provider, Reply
from gateway.providers import LoadedProvider, Providers, bundled, load_providers
from gateway.testing import BODY, NOW, delivery, secret_for, signed

PLUGIN = """\
from gateway import HeaderEquals, Provider, hookimpl

@hookimpl
def register_providers(register):
    register(Provider("acme", title="Acme", signature=HeaderEquals("X-Acme")))
"""

RULES = """\
provider: acme
rules:
  - name: all
    status: up
examples:
  - payload: {}
    expect: {status: up}
"""

YAML_ONLY = RULES + "title: Acme\nsignature: {type: bearer}\ndetect: {header: X-Acme-Event}\n"

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes files into a folder that serves as plugins and rules folder alike."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


Folder = Callable[[Mapping[str, str]], Path]


def load(folder: Path, *others: Path) -> Providers:
    folders = [folder, *others]
    return load_providers(folders, folders, entry_points=False)


def mistakes(folder: Path, *others: Path) -> list[str]:
    with pytest.raises(SourceErrors) as caught:
        load(folder, *others)
    return [str(error).replace(f"{folder}/", "") for error in caught.value.errors]


def loaded(**arguments: Any) -> LoadedProvider:
    provider = Provider("acme", title="Acme", signature=Bearer(), **arguments)
    return LoadedProvider(provider, RuleSet(()), (), "here")


def broken(*_: object) -> Any:
    raise KeyError("id")


def refusing(*_: object) -> Any:
    raise MalformedPayload("no")


class TestLoading:
    def test_the_bundled_providers_load(self) -> None:
        providers = load_providers()

        assert {"native", "github", "stripe"} <= set(providers.names)
        assert len(providers) == len(providers.names)
        assert "github" in providers
        assert providers.get("github").name == "github"
        assert Path(providers.get("github").origin.rpartition(":")[0]).name == "github.py"
        assert bundled("plugins").is_dir()

    def test_a_plugin_and_its_rules_are_one_provider(self, folder: Folder) -> None:
        found = load(folder({"acme.py": PLUGIN, "acme.yaml": RULES})).get("acme")

        assert found.provider.signature == HeaderEquals("X-Acme")
        assert found.origin.endswith("acme.py:5")
        assert len(found.examples) == 1
        assert found.rules.map({}, delivery()).events

    def test_a_rule_file_alone_can_be_a_provider(self, folder: Folder) -> None:
        providers = load(folder({"acme.yml": YAML_ONLY}))
        found = providers.get("acme")

        assert found.provider.signature == Bearer()
        assert found.provider.credentials == (Credential("secret", "Secret"),)
        assert providers.detect(delivery(headers={"X-Acme-Event": "x"})) is found

    def test_own_rules_replace_the_bundled_ones(self, folder: Folder) -> None:
        own = load(folder({"github.yaml": RULES.replace("acme", "github")})).get("github")
        bundled_one = load_providers().get("github")

        assert own.provider.signature == bundled_one.provider.signature
        assert len(own.examples) == 1 != len(bundled_one.examples)

    def test_own_rules_keep_the_bundled_signature(self, folder: Folder) -> None:
        own = load(folder({"circleci.yaml": RULES.replace("acme", "circleci")})).get("circleci")

        assert own.provider == load_providers().get("circleci").provider
        assert len(own.examples) == 1

    def test_own_plugins_replace_the_bundled_ones(self, folder: Folder) -> None:
        files = {name: PLUGIN.replace("acme", name) for name in ("github", "circleci")}
        providers = load(folder({f"{name}.py": text for name, text in files.items()}))

        for name in files:
            assert providers.get(name).provider.title == "Acme"
            assert providers.get(name).rules == load_providers().get(name).rules

    def test_own_providers_are_asked_first(self, folder: Folder) -> None:
        text = YAML_ONLY.replace("X-Acme-Event", "X-GitHub-Event").replace("acme", "zebra")
        providers = load(folder({"zebra.yaml": text}))

        assert providers.detect(delivery(headers={"X-GitHub-Event": "ping"})).name == "zebra"
        assert [each.name for each in providers][1:] == sorted(load_providers().names)

    def test_installed_packages_are_found_by_entry_point(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = folder(
            {
                "acme_plugin.py": PLUGIN,
                "acme_plugin-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-plugin\n",
                "acme_plugin-1.dist-info/entry_points.txt": (
                    "[taco_gateway]\nacme = acme_plugin\nlost = acme_lost\n"
                ),
            }
        )
        rules = folder({"rules/acme.yaml": RULES}) / "rules"
        monkeypatch.syspath_prepend(root)
        with pytest.raises(SourceErrors) as caught:
            load_providers([], [rules])

        assert "acme_lost" in str(caught.value)

        (root / "acme_plugin-1.dist-info/entry_points.txt").write_text(
            "[taco_gateway]\nacme = acme_plugin\n"
        )
        providers = load_providers([], [rules])

        assert providers.get("acme").origin == "entry point acme (acme_plugin):5"

    def test_an_installed_package_brings_its_own_rules(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = folder(
            {
                "packed_plugin/__init__.py": PLUGIN,
                "packed_plugin/rules/acme.yaml": RULES,
                "packed_plugin-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: packed\n",
                "packed_plugin-1.dist-info/entry_points.txt": (
                    "[taco_gateway]\nacme = packed_plugin\n"
                ),
            }
        )
        monkeypatch.syspath_prepend(root)

        assert [rule.name for rule in load_providers().get("acme").rules.rules]

    def test_files_that_begin_with_an_underscore_are_no_plugins(self, folder: Folder) -> None:
        assert "acme" not in load(folder({"_draft.py": "raise SystemExit"}))

    def test_plugins_may_use_dataclasses_and_relative_folders(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass(slots=True)\nclass Thing:\n    name: str\n"
        )
        monkeypatch.chdir(folder({"acme.py": text + PLUGIN.replace("\n@", "\n\n@")}))
        (Path() / "acme.yaml").write_text(RULES)

        assert "acme" in load(Path())


BROKEN_PLUGINS = [
    ("register = 1\n", "acme.py: no hook is implemented (a plugin has @hookimpl"),
    (PLUGIN.replace("@hookimpl", ""), "acme.py: no hook is implemented"),
    (
        PLUGIN.replace("def register_providers", "def register_provider"),
        "acme.py:3:1: unknown hook 'register_provider' (did you mean 'register_providers'?)",
    ),
    (
        PLUGIN.replace("(register):", "(registry):").replace("    register(", "    registry("),
        "acme.py:3:1: register_providers has no argument 'registry' (the hook is register_",
    ),
    ("def x(:\n", "acme.py:1:7: not Python: invalid syntax"),
    ("\nimport acme_missing\n", "acme.py:2:1: the plugin raised ModuleNotFoundError: No module"),
    ("\n\n1 / 0\n", "acme.py:3:1: the plugin raised ZeroDivisionError: division by zero"),
    ("raise SystemExit\n", "acme.py:1:1: the plugin raised SystemExit"),
    (
        PLUGIN.replace('"acme"', '"Acme!"'),
        "acme.py:5:1: 'Acme!' cannot be the name of a provider (up to 40",
    ),
    (PLUGIN.replace('"Acme"', '" "'), "acme.py:5:1: provider acme has no title"),
    (
        PLUGIN.replace('HeaderEquals("X-Acme")', '"X-Acme"'),
        "acme.py:5:1: the signature of acme is not a signature scheme (use Hmac",
    ),
    (PLUGIN.replace('"X-Acme"', '"X Acme"'), "acme.py:5:1: 'X Acme' cannot be the name"),
    (
        PLUGIN.replace('register(Provider("acme", ', "register(dict("),
        "acme.py:5:1: register() got dict, not a Provider (register(Provider(...)))",
    ),
    (
        PLUGIN.replace("))\n", ', credentials=(Credential("token"),)))\n').replace(
            "Provider, hook", "Provider, Credential, hook"
        ),
        "acme.py:5:1: the signature of acme needs the credential 'secret' (declare it",
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN_PLUGINS)
def test_broken_plugins_are_told_with_their_place(folder: Folder, text: str, message: str) -> None:
    before = set(sys.modules)
    found = mistakes(folder({"acme.py": text, "acme.yaml": RULES}))

    assert len(found) == 1
    assert found[0].startswith(message)
    assert not [name for name in set(sys.modules) - before if "acme" in name and "1 / 0" in text]


class TestMistakes:
    def test_everything_is_told_at_once(self, folder: Folder) -> None:
        found = mistakes(
            folder(
                {"a.py": "1 / 0", "b.py": "x", "c.yaml": "rules: 1\nprovider: c\n", "d.py": PLUGIN}
            )
        )

        assert [message.partition(":")[0] for message in found] == ["a.py", "b.py", "c.yaml"]

    def test_a_plugin_needs_rules(self, folder: Folder) -> None:
        [message] = mistakes(folder({"acme.py": PLUGIN}))

        assert message.startswith("acme.py:5:1: the provider 'acme' has no rules")
        assert "write the file acme.yaml" in message

    def test_rules_without_a_plugin_need_a_signature(self, folder: Folder) -> None:
        [message] = mistakes(folder({"acme.yaml": RULES}))

        assert message.startswith("acme.yaml: no plugin registers 'acme'")
        assert "{type: unsigned, reason: why}" in message

    def test_a_signature_is_defined_once(self, folder: Folder) -> None:
        [message] = mistakes(folder({"acme.py": PLUGIN, "acme.yaml": YAML_ONLY}))

        assert message.startswith("acme.yaml: a plugin defines the signature of 'acme' already")
        assert "acme.py:5" in message

    def test_the_signature_of_a_bundled_plugin_is_not_weakened(self, folder: Folder) -> None:
        [message] = mistakes(folder({"github.yaml": YAML_ONLY.replace("acme", "github")}))

        assert "a plugin defines the signature of 'github' already" in message

    def test_a_provider_is_defined_once(self, folder: Folder) -> None:
        files = {"a.py": PLUGIN, "b.py": PLUGIN, "c.yaml": RULES, "d.yaml": RULES}
        first, second = mistakes(folder(files))

        assert first.startswith("b.py:5:1: the provider 'acme' is defined a second time (first in")
        assert first.endswith("a.py:5)")
        assert second.startswith("d.yaml: the provider 'acme' is defined a second time")

    def test_a_rule_file_must_describe_a_possible_provider(self, folder: Folder) -> None:
        [message] = mistakes(folder({"x.yaml": YAML_ONLY.replace("acme", "Not A Name")}))

        assert message.startswith("x.yaml: 'Not A Name' cannot be the name of a provider (up to")

    def test_rule_files_must_be_yaml_in_utf8(self, folder: Folder) -> None:
        root = folder({"a.yaml": "{"})
        (root / "b.yaml").write_bytes(b"\xff")
        first, second = mistakes(root)

        assert first.startswith("a.yaml:2:1: ")
        assert second.startswith("b.yaml: cannot be read: 'utf-8' codec")

    def test_folders_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(SourceErrors) as caught:
            load_providers([], [tmp_path / "lost"])

        assert str(caught.value) == (
            f"{tmp_path}/lost: the folder cannot be read: no such file or directory"
        )


class TestLoadedProvider:
    def test_what_a_provider_leaves_out_has_a_default(self) -> None:
        plain = loaded()

        assert plain.parse(delivery()) == {"status": "up"}
        assert plain.handshake(delivery(), {}) is None
        assert plain.reply(Outcome.RECORDED) is None
        assert plain.detect(delivery()) is False
        assert plain.redact == ()

    def test_who_fetches_nothing_waits_for_nothing(self) -> None:
        assert loaded().fetches(delivery(), {"secret": ("s",)}) == ()

    def test_the_provider_s_own_functions_are_used(self) -> None:
        own = loaded(
            parse=lambda delivery: [delivery.method],
            handshake=lambda _, credentials: Reply(body=credentials["secret"][0].encode()),
            reply=lambda outcome: Reply(202) if outcome is Outcome.IGNORED else None,
            detect=lambda delivery: delivery.header("x") == "y",
            redact=("a.b",),
        )

        assert own.parse(delivery()) == ["POST"]
        assert own.handshake(delivery(), {"secret": ("s",)}) == Reply(body=b"s")
        assert own.reply(Outcome.IGNORED) == Reply(202)
        assert own.reply(Outcome.RECORDED) is None
        assert own.detect(delivery(headers={"X": "y"})) is True
        assert own.redact == ("a.b",)

    @pytest.mark.parametrize(
        "call",
        [
            lambda each: each.parse(delivery()),
            lambda each: each.handshake(delivery(), {}),
            lambda each: each.reply(Outcome.RECORDED),
            lambda each: each.detect(delivery()),
        ],
    )
    def test_accidents_come_out_as_failed_deliveries(
        self, call: Callable[[LoadedProvider], object]
    ) -> None:
        faulty = loaded(parse=broken, handshake=broken, reply=broken, detect=broken)
        strict = loaded(parse=refusing, handshake=refusing, reply=refusing, detect=refusing)

        with pytest.raises(DeliveryFailed, match="acme failed: KeyError") as caught:
            call(faulty)
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(MalformedPayload):
            call(strict)

    def test_verification_follows_the_policy(self) -> None:
        bearer = loaded()

        bearer.verify(delivery(), {}, NOW)
        bearer.verify(signed(bearer.provider, secret="abc"), {"secret": ("abc",)}, NOW)
        with pytest.raises(SignatureMissing):
            bearer.verify(delivery(), {"secret": ("abc",)}, NOW)


class TestProviders:
    def test_native_is_the_fallback(self) -> None:
        assert load_providers().detect(delivery()).name == "native"

    @pytest.mark.parametrize(
        ("header", "name"),
        [("X-GitHub-Event", "github"), ("Stripe-Signature", "stripe")],
    )
    def test_headers_tell_the_provider(self, header: str, name: str) -> None:
        assert load_providers().detect(delivery(headers={header: "x"})).name == name

    def test_a_provider_that_is_gone_is_told(self) -> None:
        with pytest.raises(DeliveryFailed, match="did you mean 'github'"):
            load_providers().get("githup")

    def test_two_that_claim_a_delivery_are_asked_in_order(self) -> None:
        one = loaded(detect=lambda _: True)
        two = replace(one, provider=replace(one.provider, name="other"))

        providers = Providers([loaded(), one]), Providers([two, one])

        assert [each.detect(delivery()).name for each in providers] == ["acme", "other"]


class TestProviderValues:
    def test_credentials_follow_from_the_signature(self) -> None:
        provider = Provider("acme", "Acme", Hmac("X", credential="signing_key"))

        assert provider.credentials == (Credential("signing_key", "Signing key"),)
        assert Provider("open", "Open", Unsigned("it cannot")).credentials == ()

    @pytest.mark.parametrize("name", ["", "Acme", "a b", "_a", "a-b", "a" * 41])
    def test_names_are_plain(self, name: str) -> None:
        with pytest.raises(DefinitionError):
            Provider(name, "Acme", Bearer())


def github(body: bytes, content_type: str) -> Delivery:
    provider = load_providers().get("github").provider
    return signed(provider, body, headers={"Content-Type": content_type})


class TestGitHub:
    def test_hooks_that_send_forms(self) -> None:
        body = b"payload=%7B%22action%22%3A%22completed%22%7D"
        delivered = github(body, FORM)
        loaded_one = load_providers().get("github")
        secret = secret_for(loaded_one.provider.signature)

        loaded_one.verify(delivered, {"secret": (secret,)}, NOW)
        assert loaded_one.parse(delivered) == {"action": "completed"}
        assert loaded_one.parse(github(b"{}", "application/json")) == {}

    @pytest.mark.parametrize("body", [b"other=1", b"payload=", b"payload=%7B", b""])
    def test_forms_without_a_payload(self, body: bytes) -> None:
        with pytest.raises(MalformedPayload):
            load_providers().get("github").parse(github(body, FORM))


class TestNative:
    @pytest.mark.parametrize(
        "body",
        [
            BODY,
            b'{"status": "down", "message": null, "metadata": null}',
            b'{"status": "degraded", "message": "", "metadata": {"a": [1]}, "more": 1}',
        ],
    )
    def test_the_format(self, body: bytes) -> None:
        payload = (
            load_providers().get("native").parse(delivery(body, headers={"content-type": FORM}))
        )

        assert payload["status"] in {"up", "degraded", "down"}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"[]", "must be a JSON object"),
            (b"{}", "'status' is missing"),
            (b'{"status": null}', "exactly up, degraded or down"),
            (b'{"status": "UP"}', "exactly up, degraded or down"),
            (b'{"status": ["up"]}', "exactly up, degraded or down"),
            (b'{"status": "up", "message": 5}', "'message' must be text or null"),
            (b'{"status": "up", "metadata": []}', "'metadata' must be an object or null"),
            (b"status=up", "not JSON"),
        ],
    )
    def test_what_is_not_the_format(self, body: bytes, message: str) -> None:
        with pytest.raises(MalformedPayload, match=message):
            load_providers().get("native").parse(delivery(body))


def test_what_plugins_import_is_there() -> None:
    assert all(hasattr(gateway, name) for name in gateway.__all__)
    assert gateway.__all__ == sorted(gateway.__all__)


def test_every_hook_is_documented() -> None:
    hooks = [
        name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "taco_gateway_spec")
    ]

    assert hooks == ["register_providers", "register_channels"]
    assert all(getattr(hookspecs, name).__doc__ for name in hooks)


def test_an_unsigned_provider_has_no_use_for_credentials() -> None:
    with pytest.raises(DefinitionError, match="no credential can verify deliveries of acme"):
        Provider("acme", "Acme", Unsigned("it cannot"), credentials=(Credential("secret"),))
