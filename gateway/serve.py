"""The web process: gunicorn with its asgi worker, set up from our configuration."""

import gc
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from gateway.app import build_web
from gateway.config import Config
from gateway.logs import logging_settings

_WORKER_TIMEOUT = 30
_GC_ALLOCATIONS = 50_000


class SilentAccessLogger(Logger):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn's logger without access lines, which show the path and so the secret token.

    gunicorn would otherwise put together the parts of each line, only to drop it.
    """

    @property
    def access_log_enabled(self) -> bool:
        """No access lines."""
        return False


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn, told by a `Config` instead of by its own settings."""

    def __init__(self, config: Config, cores: int) -> None:
        self._config = config
        self._cores = cores
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn; it calls this."""
        for name, value in gunicorn_settings(self._config, self._cores).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application; gunicorn calls this in each worker, after the fork."""
        application = build_web(self._config)
        calm_garbage_collector()
        return application


def calm_garbage_collector() -> None:
    """Look for cycles seldom, and never among what lives as long as the process.

    Requests leave hardly any; with the defaults the search took a third of the throughput.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS, 50, 100)


def gunicorn_settings(config: Config, cores: int) -> dict[str, Any]:
    """Our settings in gunicorn's words."""
    web = config.web
    host = f"[{web.host}]" if ":" in web.host else web.host
    return {
        "bind": f"{host}:{web.port}",
        "workers": config.web_processes(cores),
        "worker_class": "asgi",
        "keepalive": int(web.keepalive.total_seconds()),
        "graceful_timeout": int(web.graceful_timeout.total_seconds()),
        "timeout": _WORKER_TIMEOUT,
        "asgi_lifespan": "on",
        # The optional C parser cannot be installed in the version gunicorn asks for.
        "http_parser": "python",
        # Two gateways of one user would take each other's control socket away.
        "control_socket_disable": True,
        "proc_name": "taco-web",
        "logger_class": SilentAccessLogger,
        "logconfig_dict": logging_settings(config.log.level, config.log.format),
    }


def serve(config: Config, cores: int) -> None:
    """Serve until told to stop (SIGTERM: finish what runs; SIGINT: at once)."""
    WebServer(config, cores).run()
