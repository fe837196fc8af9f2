"""Wires the routes to what they need."""

from collections.abc import Mapping
from typing import Any

from falcon.asgi import App, Request, Response

from gateway.alerts.dispatch import Dispatcher
from gateway.intake import Intake
from gateway.presence import Presence
from gateway.recorder import Recorder
from gateway.store.engine import Store
from gateway.web.api import (
    Management,
    MonitorResource,
    MonitorsResource,
    ProvidersResource,
    UptimeResource,
    history_resources,
)
from gateway.web.channels import Telling, alert_routes
from gateway.web.errors import ErrorHandlers
from gateway.web.health import HealthResource, Probe, ReadinessResource
from gateway.web.webhooks import HeartbeatResource, Reception, WebhookResource


class Lifespan:
    """Starts what runs beside the requests, and ends it after the last of them."""

    def __init__(self, recorder: Recorder, presence: Presence, store: Store) -> None:
        self._recorder = recorder
        self._presence = presence
        self._store = store

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Begin to record, and to say so."""
        self._recorder.start()
        await self._presence.start()

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Record what still waits."""
        await self._presence.stop()
        await self._recorder.stop()
        self._store.close()


def create_app(
    *,
    intake: Intake,
    recorder: Recorder,
    presence: Presence,
    reception: Reception,
    management: Management,
    dispatcher: Dispatcher,
    ready: Probe,
    language: str,
) -> App[Request, Response]:
    """The ASGI application."""
    app = App(middleware=Lifespan(recorder, presence, management.store))
    ErrorHandlers(language).install(app)
    app.add_route("/webhooks/{token}", WebhookResource(intake, reception))
    heartbeat = HeartbeatResource(intake, reception)
    app.add_route("/webhooks/{token}/heartbeat", heartbeat)
    app.add_route("/webhooks/{token}/heartbeat/{said}", heartbeat)
    for prefix in ("", "/api"):
        app.add_route(f"{prefix}/providers", ProvidersResource(management))
        app.add_route(f"{prefix}/monitors", MonitorsResource(management))
        app.add_route(f"{prefix}/monitors/{{monitor_id}}", MonitorResource(management))
        app.add_route(f"{prefix}/monitors/{{monitor_id}}/uptime", UptimeResource(management))
        for name, resource in history_resources(management).items():
            app.add_route(f"{prefix}/monitors/{{monitor_id}}/{name}", resource)
        for path, resource in alert_routes(Telling(management, dispatcher)).items():
            app.add_route(prefix + path, resource)
    app.add_route("/healthz", HealthResource())
    app.add_route("/readyz", ReadinessResource(ready))
    return app
