"""A whole gateway within the test's process: the real application on a real database."""

import asyncio
import base64
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from falcon.asgi import App
from falcon.testing import ASGIConductor, Result
from sqlalchemy import func, select

from gateway.app import build_web, open_providers, open_store, utc_now
from gateway.config import Config, load_config
from gateway.core.model import Delivery
from gateway.fetching import Fetcher
from gateway.outgoing import Outgoing
from gateway.providers import LoadedProvider, Providers
from gateway.store import history, monitors, tables, teams
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.teams import NewTeam
from gateway.testing import credentials_for, secret_for, signed
from gateway.testing import delivery as sample
from gateway.vault import KEY_BYTES

PUBLIC_URL = "https://status.example.com"
STATE = ("checks", "signals", "seen_events", "incidents")
"""The tables that a refused delivery must leave as they are."""

T = TypeVar("T")


def settings_in(folder: Path, text: str = "", **environment: str) -> Config:
    """Settings whose files are in ``folder``; the encryption key is that of the template."""
    variables = {
        "TACO_DATA_DIR": str(folder),
        "TACO_ENCRYPTION_KEY": base64.b64encode(bytes(KEY_BYTES)).decode(),
        "TACO_PUBLIC_URL": PUBLIC_URL,
    }
    return load_config(text, str(folder / "config.yaml"), variables | environment)


@dataclass(repr=False)
class Gateway:
    """A running application, and the test's own view of its database."""

    config: Config
    app: App[Any, Any]
    store: Store
    team: NewTeam
    providers: Providers
    runner: asyncio.Runner
    conductor: ASGIConductor
    fetcher: Fetcher
    serial: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def request(self, method: str, path: str, **options: Any) -> Result:
        result: Result = self.run(self.conductor.simulate_request(method, path, **options))
        return result

    def manage(self, method: str, path: str, **options: Any) -> Result:
        """A request with the API token of the first team."""
        headers = {"Authorization": f"Bearer {self.team.api_token}", **options.pop("headers", {})}
        return self.request(method, path, headers=headers, **options)

    def monitor(self, provider: str = "auto", **fields: Any) -> Monitor:
        """A new monitor straight in the store."""
        draft = Draft(f"monitor {next(self.serial)}", provider=provider, **fields)
        return monitors.create(self.store, self.team.id, draft, utc_now())

    def signed_monitor(self, provider: str) -> tuple[Monitor, str]:
        """A monitor with a secret that suits the provider, and the secret."""
        scheme = self.providers.get(provider).provider.signature
        secret = secret_for(scheme)
        return self.monitor(provider, credentials=credentials_for(scheme, secret)), secret

    def deliver(self, monitor: Monitor, delivery: Delivery) -> Result:
        for url, content in delivery.fetched.items():
            self.fetcher.keep(url, content, delivery.received_at)
        return self.request(
            "POST",
            f"/webhooks/{monitor.token}",
            body=delivery.body,
            headers=dict(delivery.headers),
            query_string=urlencode(delivery.query),
        )

    def post(
        self, monitor: Monitor, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Result:
        return self.request(
            "POST", f"/webhooks/{monitor.token}", body=body, headers=dict(headers or {})
        )

    def log(self, monitor: Monitor) -> list[tuple[str, str]]:
        """Outcome and reason of each line of the webhook log, oldest first."""
        lines = history.list_deliveries(self.store, monitor.id, before=None, limit=500)
        return [(line.outcome, line.reason) for line in reversed(lines)]

    def stored(self, monitor: Monitor) -> Counter[str]:
        """How many rows of state the monitor has, by table; absent where there are none."""
        return stored_rows(self.store, monitor.id)

    @property
    def url(self) -> str:
        """The database."""
        return self.config.database_url.get_secret_value()

    def reread(self, monitor: Monitor) -> Monitor:
        found = monitors.find(self.store, monitor.team_id, monitor.id)
        assert found is not None
        return found


def stored_rows(store: Store, monitor_id: str) -> Counter[str]:
    rows: Counter[str] = Counter()
    with store.read() as connection:
        for name in STATE:
            table = tables.metadata.tables[name]
            query = select(func.count()).where(table.c.monitor_id == monitor_id)
            rows[name] = connection.scalar(query) or 0
    return +rows


class _AsServed:
    """The application as a server calls it: with lists in the scope, not iterators."""

    def __init__(self, app: App[Any, Any]) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["headers"] = [tuple(header) for header in scope["headers"]]
            scope["client"] = tuple(scope.get("client", ("127.0.0.1", 1)))
        await self._app(scope, receive, send)


@contextmanager
def running(folder: Path, url: str, settings: str = "") -> Iterator[Gateway]:
    """Start the application in ``folder``, on a migrated database without rows."""
    config = settings_in(folder, settings, TACO_DATABASE_URL=url)
    store = open_store(config)
    team = teams.ensure_first_team(store, "main", utc_now())
    assert team is not None
    # Nothing is allowed to be called; `Gateway.deliver` keeps what would be fetched.
    fetcher = Fetcher(Outgoing(resolve=lambda _: (), is_public=lambda _: False))
    app = build_web(config, fetcher)
    conductor = ASGIConductor(_AsServed(app))
    with asyncio.Runner() as runner:
        runner.run(conductor.__aenter__())
        yield Gateway(config, app, store, team, open_providers(config), runner, conductor, fetcher)
        runner.run(conductor.__aexit__(None, None, None))
    store.close()


def signed_for(
    loaded: LoadedProvider,
    body: bytes,
    secret: str,
    *,
    now: datetime | None = None,
    headers: Mapping[str, str] | None = None,
    url: str = "",
) -> Delivery:
    """A delivery as the provider would send it at this moment, to ``url`` where it signs that."""
    now = now or utc_now()
    if not url:
        return signed(loaded.provider, body, secret, now, headers)
    unsigned = replace(sample(body, now=now, headers=headers), url=url)
    return loaded.provider.signature.sign(unsigned, secret, now)
