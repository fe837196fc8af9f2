"""The composition root: builds everything from a `Config`; alone reads the clock."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from ipaddress import ip_network

from falcon.asgi import App, Request, Response
from huey.api import Huey

from gateway.admission import Buckets
from gateway.alerts.apprise_kind import apprise_kind
from gateway.alerts.dispatch import Dispatcher
from gateway.alerts.email import MailServer, email_kind
from gateway.alerts.kinds import Kinds
from gateway.alerts.messages import Writer
from gateway.alerts.tasks import Bell, register_alert_tasks, register_wake_up
from gateway.alerts.templates import Templates, load_templates
from gateway.alerts.webhook import webhook_kind
from gateway.channel_kind import ChannelKind
from gateway.config import Config
from gateway.core.blindness import Duty
from gateway.core.errors import SourceErrors
from gateway.directory import Directory
from gateway.fetching import Fetcher
from gateway.intake import Intake
from gateway.outgoing import Outgoing
from gateway.presence import PATIENCE, Presence
from gateway.providers import Providers, load_channel_kinds, load_providers
from gateway.recorder import Recorder
from gateway.store import monitors
from gateway.store.engine import Store, open_engine
from gateway.store.migrate import check_migrated
from gateway.store.monitors import Monitor
from gateway.store.prune import Retention
from gateway.store.watermarks import mark
from gateway.tasks import QUEUE_FILE, open_queue
from gateway.vault import Vault, decode_key, load_or_make_key
from gateway.web.api import Management
from gateway.web.application import create_app
from gateway.web.webhooks import Reception
from gateway.writing import writing

# Readers that serve requests while others are recorded.
_LOOKUP_THREADS = 4
# The database holds what platforms sent: nobody else on the machine needs to read it.
_PRIVATE = 0o700
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time. Everything else is told it."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def open_vault(config: Config) -> Vault:
    """The vault with the configured key, or with the key file that the first start makes."""
    if config.encryption.key is not None:
        return Vault(decode_key(config.encryption.key.get_secret_value()))
    config.data_dir.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    return Vault(load_or_make_key(config.encryption_key_file))


def open_store(config: Config, *, create: bool = False) -> Store:
    """The configured database; ``create`` also makes a SQLite file that is not there."""
    if create:
        config.data_dir.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    engine = open_engine(
        config.database_url.get_secret_value(),
        lock_timeout=config.database.busy_timeout,
        pool_size=config.database.pool_size,
        create=create,
    )
    return Store(engine, open_vault(config))


def open_providers(config: Config) -> Providers:
    """All providers; raises `SourceErrors` when a plugin or rule file is broken."""
    return load_providers(config.plugins, config.rules, redact=config.redact)


def retention_of(config: Config) -> Retention:
    """How long everything is kept."""
    kept = config.retention
    return Retention(
        webhook_log=kept.webhook_log,
        checks=kept.checks,
        seen_events=kept.seen_events,
        heartbeat_runs=kept.heartbeat_runs,
        resolved_incidents=kept.resolved_incidents,
    )


def build_web(config: Config, fetcher: Fetcher | None = None) -> App[Request, Response]:
    """The web application. Call it after the fork: it opens the database."""
    providers = open_providers(config)
    store = open_store(config)
    store = replace(store, on_alerts=Bell(_worker_call(config, store)).ring)
    recorder = Recorder(
        writing(store, config.limits.per_monitor.limit),
        max_batch=config.recorder.max_batch,
        max_waiting=config.recorder.max_waiting,
    )
    intake = build_intake(config, store, providers, recorder, fetcher or Fetcher())
    return create_app(
        intake=intake,
        recorder=recorder,
        presence=Presence(lambda: mark(store, Duty.RECEIVING, utc_now(), PATIENCE)),
        reception=Reception(
            clock=utc_now,
            max_body=config.web.max_body,
            read_timeout=config.web.read_timeout,
            public_url=config.web.address,
            proxies=tuple(ip_network(str(proxy)) for proxy in config.web.trusted_proxies),
        ),
        management=Management(
            store=store,
            providers=providers,
            clock=utc_now,
            public_url=config.web.address,
            default_interval=_seconds(config.heartbeat.default_interval),
            default_grace=_seconds(config.heartbeat.grace),
        ),
        dispatcher=build_dispatcher(config, store, providers.channel_kinds),
        ready=partial(check_migrated, store),
        language=config.language,
    )


def _worker_call(config: Config, store: Store) -> Callable[[], object]:
    """What wakes the worker from another process.

    The queue is opened with the first call: the data folder may be made later than this.
    """

    @cache
    def opened() -> Callable[[], object]:
        return register_wake_up(open_queue(store, config.data_dir / QUEUE_FILE))

    def call() -> None:
        opened()()

    return call


def start_alerts(config: Config, store: Store, queue: Huey) -> Store:
    """Let the queue send alerts; returns the store that wakes it after each commit of some.

    A plugin that cannot be loaded is no reason to send nothing: its kinds are left out.
    """
    try:
        kinds = load_channel_kinds(config.plugins)
    except SourceErrors as errors:
        _log.error("no kinds of channel from plugins: %s", errors)
        kinds = ()
    wake = register_alert_tasks(
        queue,
        build_dispatcher(config, store, kinds),
        threads=config.worker.threads,
        every=config.heartbeat.sweep_every,
        keep=config.alerts.keep,
    )
    return replace(store, on_alerts=Bell(wake).ring)


def build_dispatcher(
    config: Config, store: Store, plugin_kinds: Iterable[ChannelKind]
) -> Dispatcher:
    """What sends alerts, of the outbox and tests alike."""
    return Dispatcher(
        store=store,
        kinds=_kinds(config, plugin_kinds),
        writer=Writer(_templates(config), config.language, config.web.address),
        outgoing=Outgoing(
            patience=config.alerts.timeout.total_seconds(),
            networks=config.alerts.allow_networks,
        ),
        clock=utc_now,
        attempts=config.alerts.attempts,
    )


def _kinds(config: Config, plugin_kinds: Iterable[ChannelKind]) -> Kinds:
    """All kinds of channel; one that a plugin registers stands above ours of that name."""
    ours = (webhook_kind(), email_kind(_mail_server(config)), apprise_kind())
    return Kinds((*ours, *plugin_kinds))


def _mail_server(config: Config) -> MailServer | None:
    email = config.email
    if email.host is None:
        return None
    return MailServer(
        host=email.host,
        port=email.port,
        security=email.security,
        sender=email.sender,
        username=email.username,
        password=email.password.get_secret_value() if email.password else None,
        timeout=config.alerts.timeout.total_seconds(),
    )


def _templates(config: Config) -> Templates:
    """The operator's texts; ours where those are wrong, for no alert may be lost for a text."""
    try:
        return load_templates(config.alerts.templates)
    except SourceErrors as errors:
        _log.error("alerts have the built-in texts: %s", errors)
        return Templates()


def build_intake(
    config: Config, store: Store, providers: Providers, recorder: Recorder, fetcher: Fetcher
) -> Intake:
    """The pipe, with its limits in memory."""
    lookups = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")

    async def find(token: str) -> Monitor | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(lookups, monitors.find_by_token, store, token)

    return Intake(
        providers=providers,
        directory=Directory(find),
        recorder=recorder,
        senders=Buckets(config.limits.per_monitor.limit),
        strangers=Buckets(config.limits.unknown_tokens_per_address),
        refusals=Buckets(config.limits.refused_log_per_monitor),
        fetcher=fetcher,
    )


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
