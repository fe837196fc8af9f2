"""The composition root: builds everything from a `Config`; alone reads the clock."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network

from falcon.asgi import App, Request, Response

from gateway.admission import Buckets
from gateway.config import Config
from gateway.core.blindness import Duty
from gateway.directory import Directory
from gateway.fetching import Fetcher
from gateway.intake import Intake
from gateway.presence import PATIENCE, Presence
from gateway.providers import Providers, load_providers
from gateway.recorder import Recorder
from gateway.store import monitors
from gateway.store.engine import Store, open_engine
from gateway.store.migrate import check_migrated
from gateway.store.monitors import Monitor
from gateway.store.record import record
from gateway.store.watermarks import mark
from gateway.vault import Vault, decode_key, load_or_make_key
from gateway.web.api import Management
from gateway.web.application import create_app
from gateway.web.webhooks import Reception

# Readers that serve requests while the writer thread records.
_LOOKUP_THREADS = 4
# The database holds what platforms sent: nobody else on the machine needs to read it.
_PRIVATE = 0o700


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


def build_web(config: Config, fetcher: Fetcher | None = None) -> App[Request, Response]:
    """The web application. Call it after the fork: it opens the database."""
    store = open_store(config)
    providers = open_providers(config)
    recorder = Recorder(
        partial(record, store, limit=config.limits.per_monitor.limit),
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
        ready=partial(check_migrated, store),
        language=config.language,
    )


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
