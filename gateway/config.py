"""Reads ``config.yaml`` and the environment into one frozen `Config`.

Every error is reported in one go, each with its place. Nothing else in the gateway
reads settings from anywhere.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from gateway.config_values import (
    SQLITE,
    Age,
    DatabaseUrl,
    Duration,
    DurationOrZero,
    EncryptionKey,
    Folder,
    MailAddress,
    PingUrl,
    Port,
    Proxy,
    PublicUrl,
    Rate,
    Size,
    Text,
    Workers,
    whole,
)
from gateway.core.errors import SourceError, SourceErrors
from gateway.core.nodes import Path as KeyPath
from gateway.core.nodes import suggest
from gateway.core.ratelimit import Limit
from gateway.documents import Document, load_document

ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "TACO_DATA_DIR": ("data_dir",),
    "TACO_LANGUAGE": ("language",),
    "TACO_DATABASE_URL": ("database", "url"),
    "TACO_ENCRYPTION_KEY": ("encryption", "key"),
    "TACO_HOST": ("web", "host"),
    "TACO_PORT": ("web", "port"),
    "TACO_PUBLIC_URL": ("web", "public_url"),
    "TACO_EMAIL_PASSWORD": ("email", "password"),
    "TACO_WATCHDOG_URL": ("watchdog", "url"),
}
"""Which environment variable stands above which key."""


class Section(BaseModel):
    """A mapping whose keys are all known; a key without a value counts as left out."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if v is not None or k not in cls.model_fields}


class Database(Section):
    """Where the state lives."""

    url: DatabaseUrl | None = None
    """The database: `sqlite:///path` or `postgresql://user:password@host/name`. When it is
    empty, an SQLite file `gateway.db` in the data folder."""

    pool_size: Annotated[int, whole(1, 100)] = 5
    """How many database connections each process keeps; under load it opens up to ten more."""

    busy_timeout: Duration = timedelta(seconds=5)
    """How long a transaction waits for another process that writes; on PostgreSQL a single
    statement may take twice as long."""


class Encryption(Section):
    """How stored secrets are protected."""

    key: EncryptionKey | None = None
    """32 random bytes in base64 (`openssl rand -base64 32`) that encrypt tokens, secrets and
    channel addresses in the database. When it is empty, the key is in the file
    `encryption.key` in the data folder, which the first start makes: back it up, without
    it the stored secrets are lost."""


class Web(Section):
    """The web process."""

    host: Text = "127.0.0.1"
    """The address to listen on; `0.0.0.0` is every address of the machine."""

    port: Port = 8600
    """The port to listen on."""

    public_url: PublicUrl | None = None
    """The address under which others reach the gateway, as in `https://status.example.com`;
    webhook URLs and links in alerts begin with it. When it is empty, `http://host:port`."""

    workers: Workers = "auto"
    """How many web processes run; `auto` is one on SQLite and one per core on PostgreSQL."""

    read_timeout: Duration = timedelta(seconds=10)
    """How long a sender may take to send a whole request body."""

    max_body: Size = 1024 * 1024
    """The largest request body that is accepted, in KiB or MiB."""

    keepalive: Duration = timedelta(seconds=15)
    """How long an idle connection stays open; behind a load balancer, more than its own
    idle timeout."""

    graceful_timeout: Duration = timedelta(seconds=25)
    """How long requests may still run after the order to stop."""

    trusted_proxies: tuple[Proxy, ...] = ()
    """IP addresses or networks of the proxies in front of the gateway, whose
    `X-Forwarded-For` is believed."""

    @property
    def address(self) -> str:
        """The public address without a slash at its end."""
        if self.public_url:
            return self.public_url
        host = "localhost" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class MonitorLimit(Section):
    """How many deliveries one monitor may get, counted over all processes and machines."""

    rate: Rate = Limit(600, timedelta(minutes=1), burst=600)
    """The steady rate, as a number per duration."""

    burst: Annotated[int, whole(1, 1_000_000)] = 100
    """How many of them may come at once."""

    @property
    def limit(self) -> Limit:
        """Rate and burst together."""
        return Limit(self.rate.count, self.rate.period, self.burst)


class Limits(Section):
    """What is refused with 429, or not logged any more."""

    per_monitor: MonitorLimit = MonitorLimit()

    unknown_tokens_per_address: Rate = Limit(60, timedelta(minutes=1), burst=60)
    """Requests with an unknown token from one address, as a number per duration."""

    refused_log_per_monitor: Rate = Limit(10, timedelta(minutes=1), burst=10)
    """Refused deliveries of one monitor that the webhook log keeps, as a number per
    duration; the others are only counted."""


class Recorder(Section):
    """Writing many deliveries in one transaction."""

    max_batch: Annotated[int, whole(1, 10_000)] = 500
    """How many deliveries one transaction takes at most."""

    max_waiting: Annotated[int, whole(1, 1_000_000)] = 5000
    """How many deliveries may wait to be written; further ones are answered with 503."""


class Heartbeat(Section):
    """Signs of life."""

    default_interval: Duration = timedelta(minutes=5)
    """How often a monitor expects a sign of life when its creator names no interval."""

    grace: DurationOrZero = timedelta(seconds=60)
    """How long a late sign of life is forgiven."""

    sweep_every: Duration = timedelta(seconds=5)
    """How often passed deadlines are looked for."""


class Retention(Section):
    """How long what was recorded is kept. The figures of days behind the uptime stay."""

    webhook_log: Age = timedelta(days=14)
    """Deliveries with their bodies, by the time they came. By far the largest part."""

    checks: Age = timedelta(days=180)
    """What was observed, by the time it came."""

    seen_events: Age = timedelta(days=30)
    """Event ids by which repeated deliveries are known. Longer than any provider tries
    again: some do for 7 days."""

    heartbeat_runs: Age = timedelta(days=90)
    """Runs of jobs with their logs, by their start. Those that go on are never deleted."""

    resolved_incidents: Age = timedelta(days=400)
    """Incidents with their timelines, by their end. Open ones are never deleted."""

    prune_every: Duration = timedelta(minutes=5)
    """How often the worker deletes what is older."""


class Alerts(Section):
    """Telling people when something changes."""

    templates: Folder | None = None
    """A folder with texts of your own, `pt-BR.yaml` and `en.yaml`. When it is empty, the
    built-in texts."""

    allow_networks: tuple[Proxy, ...] = ()
    """IP addresses or networks that alerts may be sent to although they are not public, as
    in `10.0.0.0/8`; only these are spoken to without TLS."""

    timeout: Duration = timedelta(seconds=10)
    """How long a receiver may take to accept an alert."""

    attempts: Annotated[int, whole(1, 30)] = 12
    """How often an alert is tried before it is given up; 12 attempts take about a day."""

    keep: Duration = timedelta(days=30)
    """How long alerts that were sent or given up stay in the list."""


class Email(Section):
    """The mail server that alerts by email go through."""

    host: Text | None = None
    """The name of the server. When it is empty, no email is sent."""

    port: Port = 587
    """The port of the server."""

    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected: starttls, tls, or none."""

    username: Text | None = None
    """Who to log in as. When it is empty, without a login."""

    password: SecretStr | None = None
    """The password for the login; rather in the environment than here."""

    sender: MailAddress = "taco-gateway@localhost"
    """The address that alerts come from."""


class Worker(Section):
    """The process that finds passed deadlines and sends alerts."""

    threads: Annotated[int, whole(1, 64)] = 4
    """How many tasks run at once."""

    shutdown_timeout: Duration = timedelta(seconds=8)
    """How long tasks may still run after the order to stop."""


class Watchdog(Section):
    """The ping that tells another service that this gateway watches."""

    url: PingUrl | None = None
    """The address to call with GET while the gateway receives and sweeps, such as a check at
    healthchecks.io: when the calls stop, that service alerts you. Empty: no ping."""

    every: Duration = timedelta(minutes=1)
    """How often it is called."""


class Log(Section):
    """What the processes write to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages that are written: debug, info, warning or error."""

    format: Literal["text", "json"] = "text"
    """`text` for people, `json` for log collectors."""


class Config(Section):
    """All settings. Paths are below the folder of the file they came from."""

    data_dir: Folder = Field(default=Path("data"), validate_default=True)
    """The folder for everything the gateway writes to disk; made on first start."""

    language: Literal["pt-BR", "en"] = "pt-BR"
    """The language of answers and pages when the client asks for none: pt-BR or en."""

    plugins: tuple[Folder, ...] = ()
    """Folders with your own provider plugins, besides those that come with the gateway."""

    rules: tuple[Folder, ...] = ()
    """Folders with your own rule files; one for a known provider replaces the file that
    comes with the gateway."""

    redact: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    """Further payload paths that are never stored, by the name of the provider, as in
    `{github: [sender.email]}`; `*` stands for every name or index at its place."""

    database: Database = Database()
    encryption: Encryption = Encryption()
    web: Web = Web()
    limits: Limits = Limits()
    recorder: Recorder = Recorder()
    heartbeat: Heartbeat = Heartbeat()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    email: Email = Email()
    worker: Worker = Worker()
    watchdog: Watchdog = Watchdog()
    log: Log = Log()

    @property
    def database_url(self) -> SecretStr:
        """The database of `database.url`, or the SQLite file in the data folder."""
        return self.database.url or SecretStr(f"{SQLITE}{self.data_dir / 'gateway.db'}")

    @property
    def uses_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.database_url.get_secret_value().startswith(SQLITE)

    @property
    def encryption_key_file(self) -> Path:
        """Where the encryption key is when `encryption.key` is empty."""
        return self.data_dir / "encryption.key"

    def web_processes(self, cores: int) -> int:
        """How many web processes to start on a machine with so many cores."""
        if self.web.workers == "auto":
            return 1 if self.uses_sqlite else max(cores, 1)
        return self.web.workers


def load_config(text: str, source: str, environ: Mapping[str, str]) -> Config:
    """Read the settings from the text of a file, or all defaults from an empty text.

    ``source`` is the path of the file: relative paths start at its folder, also those
    in ``environ``, and errors name it. Raises `SourceError` when the text is not YAML
    and `SourceErrors` with everything that is wrong with the settings.
    """
    document = load_document(text, source)
    variables: dict[KeyPath, str] = {
        path: name for name, path in ENVIRONMENT.items() if environ.get(name)
    }
    data = {} if document.data is None else document.data
    for path, name in variables.items():
        data = _overlay(data, path, environ[name])
    try:
        return Config.model_validate(data, context={"folder": Path(source).parent})
    except ValidationError as invalid:
        errors = [_explain(error, document, variables) for error in invalid.errors()]
    raise SourceErrors(sorted(errors, key=lambda error: (error.source, error.line, error.column)))


def _overlay(data: Any, path: KeyPath, value: str) -> Any:
    """``data`` with the text of a variable at ``path``; wrong data is left to be reported."""
    if not path:
        return value
    if data is not None and not isinstance(data, dict):
        return data
    data = data or {}
    return {**data, path[0]: _overlay(data.get(path[0]), path[1:], value)}


_PLAIN_WORDS: Final = {
    "int_type": "should be a whole number",
    "model_type": "should be a mapping of keys",
    "string_too_short": "should not be empty",
    "string_type": "should be text",
    "tuple_type": "should be a list",
}


def _explain(
    error: ErrorDetails, document: Document, variables: Mapping[KeyPath, str]
) -> SourceError:
    """Put an error of pydantic in plain words, at its place in the file or environment."""
    path: KeyPath = error["loc"]
    hint = str(error.get("ctx", {}).get("hint", ""))
    message = _PLAIN_WORDS.get(error["type"], error["msg"].removeprefix("Input "))
    if error["type"] == "extra_forbidden":
        return document.error(
            path, f"unknown key {path[-1]!r}", suggest(path[-1], _keys(path)), at_key=True
        )
    if path in variables:
        return SourceError(message, source=variables[path], hint=hint)
    subject = ".".join(map(str, path)) or "the file"
    return document.error(path, f"{subject} {message}", hint)


def _keys(path: KeyPath) -> Iterator[str]:
    """The known keys beside the last of ``path``."""
    section: Any = Config
    for key in path[:-1]:
        section = section.model_fields[key].annotation
    yield from section.model_fields
