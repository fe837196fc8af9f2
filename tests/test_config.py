import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from gateway.config import ENVIRONMENT, Config, load_config
from gateway.core.errors import SourceError, SourceErrors
from gateway.core.ratelimit import Limit

CONFIG_YAML = Path(__file__).parent.parent / "config.yaml"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def load(text: str, **environ: str) -> Config:
    return load_config(text, "folder/config.yaml", environ)


def complaints(text: str, **environ: str) -> list[str]:
    with pytest.raises(SourceErrors) as caught:
        load(text, **environ)
    return str(caught.value).replace("folder/config.yaml:", "").splitlines()


def accepted_keys(section: type[BaseModel] = Config, above: str = "") -> Iterator[tuple[str, str]]:
    """Every key and what its docstring says."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield above + name, kind.__doc__ or ""
            yield from accepted_keys(kind, f"{above}{name}.")
        else:
            yield above + name, field.description or ""


def written_keys(text: str) -> Iterator[tuple[str, str, str]]:
    """Every key of a YAML text, the comment above it and the value beside it."""
    parents: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if key := re.fullmatch(r"( *)(\w+):(.*)", line):
            parents[len(key[1]) // 2 :] = [key[2]]
            yield ".".join(parents), " ".join(comment), key[3].strip()
        comment = [*comment, line.strip("# ")] if line.strip().startswith("#") else []


def test_config_yaml_shows_exactly_the_accepted_keys() -> None:
    written = [key for key, _, _ in written_keys(CONFIG_YAML.read_text())]

    assert written == [key for key, _ in accepted_keys()]


def test_config_yaml_shows_the_defaults() -> None:
    assert load(CONFIG_YAML.read_text()) == load("")


def test_comments_of_config_yaml_say_what_the_docstrings_say_and_the_default() -> None:
    documented = dict(accepted_keys())
    variables = {".".join(path): name for name, path in ENVIRONMENT.items()}
    for key, comment, value in written_keys(CONFIG_YAML.read_text()):
        expected = " ".join(documented[key].split())
        expected += f" Default: {value}." if value else ""
        expected += f" Environment: {variables[key]}." if key in variables else ""

        assert comment == expected


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment\n", "web:\n", "web:\n  port:\n"])
def test_what_is_left_out_or_empty_has_its_default(text: str) -> None:
    assert load(text) == load("")


def test_without_a_file_paths_start_at_the_current_folder() -> None:
    config = load_config("", "", {})

    assert config.data_dir == Path("data")
    assert config.database_url.get_secret_value() == "sqlite:///data/gateway.db"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("data_dir: state", "data_dir", Path("folder/state")),
        ("data_dir: /srv/taco", "data_dir", Path("/srv/taco")),
        ("data_dir: ~/taco", "data_dir", Path("~/taco").expanduser()),
        ("plugins: [mine, /opt/x]", "plugins", (Path("folder/mine"), Path("/opt/x"))),
        ("language: en", "language", "en"),
        ("heartbeat: {grace: 0s}", "heartbeat.grace", timedelta(0)),
        ("watchdog: {every: 30s}", "watchdog.every", timedelta(seconds=30)),
        (
            "watchdog: {url: 'https://hc.example/a?b=c'}",
            "watchdog.url",
            SecretStr("https://hc.example/a?b=c"),
        ),
        ("heartbeat: {default_interval: 2h}", "heartbeat.default_interval", timedelta(hours=2)),
        ("retention: {checks: 3660d}", "retention.checks", timedelta(days=3660)),
        ("web: {max_body: 256KiB}", "web.max_body", 262_144),
        ("web: {max_body: 2MiB}", "web.max_body", 2_097_152),
        ("web: {workers: 3}", "web.workers", 3),
        ("web: {public_url: 'https://x.example/taco/'}", "web.address", "https://x.example/taco"),
        ("web: {port: 80}", "web.address", "http://127.0.0.1:80"),
        ("web: {host: 0.0.0.0}", "web.address", "http://localhost:8600"),
        ("web: {host: '::1'}", "web.address", "http://[::1]:8600"),
        (
            "web: {trusted_proxies: [10.1.2.3/8]}",
            "web.trusted_proxies",
            (ip_network("10.0.0.0/8"),),
        ),
        (
            "limits: {unknown_tokens_per_address: 5/1h}",
            "limits.unknown_tokens_per_address",
            Limit(5, timedelta(hours=1), burst=5),
        ),
        (
            "limits: {per_monitor: {rate: 60/1m, burst: 7}}",
            "limits.per_monitor.limit",
            Limit(60, timedelta(minutes=1), burst=7),
        ),
        ("data_dir: d", "encryption_key_file", Path("folder/d/encryption.key")),
        ("data_dir: d", "database_url", SecretStr("sqlite:///folder/d/gateway.db")),
        ("database: {url: 'sqlite:///x.db'}", "database_url", SecretStr("sqlite:///folder/x.db")),
        ("database: {url: 'sqlite:////srv/x'}", "database_url", SecretStr("sqlite:////srv/x")),
        ("database: {url: 'postgresql://h/d'}", "database_url", SecretStr("postgresql://h/d")),
        ("database: {url: 'postgresql://h/d'}", "uses_sqlite", False),
    ],
)
def test_values_are_read(text: str, path: str, expected: Any) -> None:
    value: Any = load(text)
    for name in path.split("."):
        value = getattr(value, name)

    assert value == expected


@pytest.mark.parametrize(
    ("text", "cores", "processes"),
    [
        ("", 8, 1),
        ("database: {url: 'postgresql://h/d'}", 8, 8),
        ("database: {url: 'postgresql://h/d'}", 0, 1),
        ("web: {workers: 3}", 8, 3),
    ],
)
def test_number_of_web_processes(text: str, cores: int, processes: int) -> None:
    assert load(text).web_processes(cores) == processes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("wbe: {}", "1:1: unknown key 'wbe' (did you mean 'web'?)"),
        ("web: {prot: 1}", "1:7: unknown key 'prot' (did you mean 'port'?)"),
        ("web: {prot: }", "1:7: unknown key 'prot' (did you mean 'port'?)"),
        (
            "limits: {per_monitor: {x: 1}}",
            "1:24: unknown key 'x' (known: burst, rate)",
        ),
        ("- web", "1:1: the file should be a mapping of keys"),
        ("web: 8600", "1:6: web should be a mapping of keys"),
        ("web: {port: many}", "1:13: web.port should be a whole number"),
        ("web: {port: 1.5}", "1:13: web.port should be a whole number"),
        ("web: {port: true}", "1:13: web.port should be a whole number"),
        ("web: {port: 0}", "1:13: web.port should be greater than or equal to 1"),
        ("web: {host: 127}", "1:13: web.host should be text"),
        ("web: {host: ''}", "1:13: web.host should not be empty"),
        ("web: {workers: some}", "1:16: web.workers should be auto or a number from 1 to 128"),
        ("web: {workers: true}", "1:16: web.workers should be auto or a number from 1 to 128"),
        (
            "web: {keepalive: 15}",
            (
                "1:18: web.keepalive should be a duration with its unit, not 15"
                " (write 30s, 5m, 2h or 1d)"
            ),
        ),
        (
            "web: {keepalive: 0s}",
            "1:18: web.keepalive should be a duration from 1s to 366d, not 0s",
        ),
        (
            "heartbeat: {grace: 999999999d}",
            "1:20: heartbeat.grace should be a duration from 0s to 366d, not 999999999d",
        ),
        (
            "retention: {webhook_log: 1h}",
            "1:26: retention.webhook_log should be a duration from 1d to 3660d, not 1h",
        ),
        (
            "web: {max_body: 1024}",
            "1:17: web.max_body should be a size with its unit, not 1024 (write 256KiB or 1MiB)",
        ),
        (
            "web: {max_body: 1MB}",
            "1:17: web.max_body should be a size, not '1MB' (write 256KiB or 1MiB)",
        ),
        (
            "web: {max_body: 0KiB}",
            "1:17: web.max_body should be a size, not '0KiB' (write 256KiB or 1MiB)",
        ),
        (
            "limits: {per_monitor: {rate: 600}}",
            (
                "1:30: limits.per_monitor.rate should be a number per duration, not 600"
                " (write 600/1m or 10/1s)"
            ),
        ),
        (
            "limits: {per_monitor: {rate: 0/1m}}",
            (
                "1:30: limits.per_monitor.rate should be a rate from 1 to 1000000 per duration,"
                " not '0/1m'"
            ),
        ),
        (
            "limits: {per_monitor: {rate: 5/min}}",
            (
                "1:30: limits.per_monitor.rate should be a duration with its unit, not 'min'"
                " (write 30s, 5m, 2h or 1d)"
            ),
        ),
        (
            "web: {public_url: 'status.example.com'}",
            (
                "1:19: web.public_url should be an http or https address without user, query or"
                " fragment (write https://status.example.com)"
            ),
        ),
        (
            "web: {public_url: 'https://h:port'}",
            (
                "1:19: web.public_url should be an http or https address without user, query or"
                " fragment (write https://status.example.com)"
            ),
        ),
        (
            "web: {trusted_proxies: [10.0.0.0/8, nginx]}",
            (
                "1:37: web.trusted_proxies.1 should be an IP address or network"
                " (write 10.0.0.7 or 10.0.0.0/8)"
            ),
        ),
        (
            "web: {trusted_proxies: 10.0.0.7}",
            "1:24: web.trusted_proxies should be a list",
        ),
        ("plugins: [1]", "1:11: plugins.0 should be a folder"),
        ("language: pt", "1:11: language should be 'pt-BR' or 'en'"),
        (
            "log: {level: loud}",
            "1:14: log.level should be 'debug', 'info', 'warning' or 'error'",
        ),
        (
            "database: {url: 'mysql://u:hidden@h/d'}",
            (
                "1:17: database.url should be the URL of an SQLite file or a PostgreSQL database"
                " (write sqlite:///gateway.db or postgresql://user:password@host/database)"
            ),
        ),
        (
            "database: {url: 'sqlite:///:memory:'}",
            (
                "1:17: database.url should name a file, because several processes share the"
                " database (write sqlite:///gateway.db or postgresql://user:password@host/database)"
            ),
        ),
        (
            "encryption: {key: aGlkZGVu}",
            (
                "1:19: encryption.key should be 32 random bytes in base64"
                " (make one with: openssl rand -base64 32)"
            ),
        ),
        (
            "encryption: {key: 12}",
            (
                "1:19: encryption.key should be 32 random bytes in base64"
                " (make one with: openssl rand -base64 32)"
            ),
        ),
    ],
)
def test_wrong_settings_are_explained(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


def test_all_errors_are_shown_at_once_in_the_order_of_the_file() -> None:
    text = "web:\n  port: many\n  max_body: 1\nlog:\n  levl: info\n"

    assert [line.split(": ")[0] for line in complaints(text)] == ["2:9", "3:13", "5:3"]


@pytest.mark.parametrize("text", ["log: {}\nweb: [", "log: {}\nlog: {}"])
def test_text_that_is_not_usable_yaml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises((SourceError, SourceErrors), match=r"^folder/config\.yaml:[23]:"):
        load(text)


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("TACO_DATA_DIR", "/srv", "data_dir", Path("/srv")),
        ("TACO_DATA_DIR", "srv", "data_dir", Path("folder/srv")),
        ("TACO_LANGUAGE", "en", "language", "en"),
        ("TACO_HOST", "10.0.0.7", "web.host", "10.0.0.7"),
        ("TACO_PORT", "99", "web.port", 99),
        ("TACO_PUBLIC_URL", "https://x", "web.public_url", "https://x"),
        ("TACO_DATABASE_URL", "postgresql://h/d", "database.url", SecretStr("postgresql://h/d")),
        ("TACO_ENCRYPTION_KEY", KEY, "encryption.key", SecretStr(KEY)),
    ],
)
@pytest.mark.parametrize("text", ["", CONFIG_YAML.read_text(), "web:\ndatabase: {}\n"])
def test_environment_stands_above_the_file(
    text: str, variable: str, value: str, path: str, expected: Any
) -> None:
    found: Any = load(text, **{variable: value})
    for name in path.split("."):
        found = getattr(found, name)

    assert found == expected


def test_empty_variables_count_as_left_out() -> None:
    assert load("web: {port: 99}", TACO_PORT="").web.port == 99


def test_wrong_variables_are_named() -> None:
    assert complaints("log: 5", TACO_PORT="many", TACO_LANGUAGE="de") == [
        "TACO_LANGUAGE: should be 'pt-BR' or 'en'",
        "TACO_PORT: should be a whole number",
        "1:6: log should be a mapping of keys",
    ]


def test_a_variable_does_not_hide_a_wrong_section() -> None:
    assert complaints("web: 5", TACO_PORT="99") == ["1:6: web should be a mapping of keys"]


def test_secrets_are_never_printed() -> None:
    config = load("database: {url: 'postgresql://u:hidden@h/d'}", TACO_ENCRYPTION_KEY=KEY)

    assert "hidden" not in repr(config) + str(config) + config.model_dump_json()
    assert KEY not in repr(config) + str(config) + config.model_dump_json()


@pytest.mark.parametrize("secret", ["mysql://u:hidden@h/d", "sqlite:///:hidden"])
def test_wrong_secrets_are_never_printed(secret: str) -> None:
    lines = complaints("", TACO_DATABASE_URL=secret, TACO_ENCRYPTION_KEY="hidden")

    assert [line.split(":")[0] for line in lines] == ["TACO_DATABASE_URL", "TACO_ENCRYPTION_KEY"]
    assert "hidden" not in "".join(lines)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load("").web.port = 1


def test_every_variable_leads_to_a_key() -> None:
    assert {".".join(path) for path in ENVIRONMENT.values()} <= {key for key, _ in accepted_keys()}


def test_config_yaml_is_valid_for_any_yaml_reader() -> None:
    assert isinstance(yaml.safe_load(CONFIG_YAML.read_text()), dict)
