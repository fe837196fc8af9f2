"""``taco send``: posts an example the way its provider would, signature and all."""

import http.client
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

import click
import orjson

from gateway.app import open_providers, utc_now
from gateway.cli.context import Settings, fail, print_json, reporting
from gateway.cli.rules import find_example
from gateway.cli.secrets import read_secret
from gateway.core.errors import GatewayError
from gateway.core.model import Delivery
from gateway.core.nodes import suggest
from gateway.providers import LoadedProvider

_TIMEOUT = 15
_OK = 300


@click.command()
@click.argument("provider")
@click.argument("example")
@click.option("--to", "url", required=True, help="The monitor's webhook URL.")
@click.option(
    "--secret",
    metavar="VALUE",
    help="What to sign with; unsigned when left out. @FILE takes it from a file, - from "
    "standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def send(
    settings: Settings, *, provider: str, example: str, url: str, secret: str | None, as_json: bool
) -> None:
    """Post an EXAMPLE (name or number) of a PROVIDER's rule file, signed as it signs.

    'taco providers show PROVIDER' lists the examples. Exit code 1 unless the answer is 2xx.
    """
    loaded = open_providers(settings.load())
    if provider not in loaded:
        fail(f"no provider {provider!r} ({suggest(provider, loaded.names)})")
    given = None if secret is None else read_secret(secret)
    delivery = build_delivery(loaded.get(provider), example, given, url)
    status, body = post(url, delivery)
    if as_json:
        print_json({"status": status, "body": _decoded(body)})
    else:
        click.secho(f"{status} ", fg="green" if status < _OK else "red", nl=False)
        click.echo(body.decode("utf-8", "replace"))
        if status == HTTPStatus.UNAUTHORIZED and secret is None:
            click.secho("nothing was signed: give --secret", fg="yellow", err=True)
    if status >= _OK:
        raise SystemExit(1)


def build_delivery(loaded: LoadedProvider, example: str, secret: str | None, url: str) -> Delivery:
    """The request that the provider would make for an example."""
    found = find_example(loaded.examples, example)
    now = utc_now()
    delivery = Delivery(
        body=found.body,
        headers={"content-type": "application/json", **found.headers},
        query=found.query,
        method=found.method,
        url=url,
        received_at=now,
    )
    if secret is None:
        return delivery
    return loaded.provider.signature.sign(delivery, secret, now)


def post(url: str, delivery: Delivery) -> tuple[int, bytes]:
    """Send it; returns the HTTP status and the body of the answer."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in {"http", "https"}:
        raise GatewayError(f"{url!r} is not an http or https address")
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    query = urlencode({**dict(parse_qsl(parts.query)), **delivery.query})
    target = (parts.path or "/") + (f"?{query}" if query else "")
    connection = connect(host, port, timeout=_TIMEOUT)
    try:
        connection.request(delivery.method, target, delivery.body, dict(delivery.headers))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise GatewayError(f"no answer from {host}:{port or parts.scheme}: {error}") from None
    finally:
        connection.close()


def _decoded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
