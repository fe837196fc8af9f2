"""The command's root, and the commands that run the gateway."""

import os
from pathlib import Path
from threading import Event

import click

from gateway import __version__
from gateway.alerts.templates import load_templates
from gateway.app import open_providers, open_store, retention_of, utc_now
from gateway.cli.alerts import alerts
from gateway.cli.channels import channels
from gateway.cli.context import (
    Settings,
    fail,
    find_config,
    open_workplace,
    print_json,
    print_table,
    reporting,
)
from gateway.cli.monitors import monitors
from gateway.cli.providers import providers
from gateway.cli.rules import rules
from gateway.cli.send import send
from gateway.cli.status import status
from gateway.cli.tokens import tokens
from gateway.config import Config
from gateway.logs import configure_logging
from gateway.providers import Providers
from gateway.store import prune as pruning
from gateway.store import teams
from gateway.store.engine import Store, describe
from gateway.store.migrate import migrate as run_migrations
from gateway.store.teams import NewTeam


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taco")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="TACO_CONFIG",
    help="The configuration file; config.yaml in this folder when left out.",
)
@click.pass_context
def main(context: click.Context, config_file: Path | None) -> None:
    """Taco Gateway turns webhooks into status: up, degraded or down."""
    context.obj = find_config(config_file)


@main.command()
@click.pass_obj
@reporting
def up(settings: Settings) -> None:
    """Prepare everything, then run the web and worker processes until Ctrl-C."""
    from gateway.up import Supervisor, check_port  # noqa: PLC0415 - only needed here

    config = settings.load()
    configure_logging(config.log.level, config.log.format)
    check_port(config.web.host, config.web.port)
    loaded = open_providers(config)
    load_templates(config.alerts.templates)
    team = prepare(config)
    announce(config, loaded, team)
    patience = max(config.web.graceful_timeout, config.worker.shutdown_timeout).total_seconds()
    Supervisor(
        {
            "web": [*settings.arguments(), "serve"],
            "worker": [*settings.arguments(), "worker"],
        },
        patience=patience + 2,
    ).run()


def prepare(config: Config) -> NewTeam | None:
    """Make and migrate the database, and the first team where there is none."""
    store = open_store(config, create=True)
    try:
        set_up(store)
        return teams.ensure_first_team(store, "main", utc_now())
    finally:
        store.close()


def set_up(store: Store) -> str:
    """Bring the tables to this release, also those of the queue; returns the revision."""
    from gateway.tasks import make_queue_tables  # noqa: PLC0415 - loads huey

    revision = run_migrations(store)
    make_queue_tables(store)
    return revision


def announce(config: Config, loaded: Providers, team: NewTeam | None) -> None:
    """Say where the gateway is; the first time also the token, which is shown only once."""
    click.echo(f"Taco Gateway {__version__} at {click.style(config.web.address, bold=True)}")
    click.echo(f"  database   {describe(config.database_url.get_secret_value())}")
    click.echo(f"  providers  {', '.join(loaded.names)}")
    if team is not None:
        click.echo(f"  team       {team.id}")
        click.echo(f"  API token  {click.style(team.api_token, bold=True)}")
        click.echo("             shown only this once: keep it")
    click.echo("Ctrl-C stops it.")


@main.command()
@click.pass_obj
@reporting
def serve(settings: Settings) -> None:
    """Run the web process alone (under a supervisor of your own)."""
    from gateway.serve import serve as run  # noqa: PLC0415 - loads gunicorn

    run(settings.load(), os.cpu_count() or 1)


@main.command()
@click.pass_obj
@reporting
def worker(settings: Settings) -> None:
    """Run the worker process alone: it finds what did not come in time, and sends alerts."""
    from gateway.worker import work  # noqa: PLC0415 - loads huey

    work(settings.load())


@main.command()
@click.pass_obj
@reporting
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this release; make it if it is not there."""
    config = settings.load()
    store = open_store(config, create=True)
    try:
        click.echo(f"the database is at revision {set_up(store)}")
    finally:
        store.close()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def prune(settings: Settings, *, as_json: bool) -> None:
    """Delete what is older than the configuration keeps, as the worker does by itself."""
    workplace = open_workplace(settings)
    retention = retention_of(workplace.config)
    done = pruning.prune(workplace.store, retention, utc_now(), Event().wait)
    if as_json:
        print_json({each.kind: each.rows for each in done})
    else:
        print_table(["KIND", "ROWS DELETED"], [(each.kind, str(each.rows)) for each in done])
    failed = [f"{each.kind}: {each.error}" for each in done if each.error is not None]
    if failed:
        fail(f"not all could be deleted: {'; '.join(failed)}")


@main.group()
def config() -> None:
    """Look after config.yaml."""


@config.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def config_check(settings: Settings, *, as_json: bool) -> None:
    """Check the configuration, the plugins and the rule files without starting anything."""
    config = settings.load()
    loaded = open_providers(config)
    load_templates(config.alerts.templates)
    if as_json:
        print_json({"file": str(settings.file or ""), "providers": list(loaded.names)})
        return
    click.echo(f"{settings.file or 'no file: all defaults'}: fine, {len(loaded)} providers")


for command in (alerts, channels, monitors, providers, rules, send, status, tokens):
    main.add_command(command)
