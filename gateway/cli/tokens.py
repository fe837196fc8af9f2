"""``taco tokens``: API tokens beside the one that the first start printed."""

import click

from gateway.app import utc_now
from gateway.cli.context import Settings, fail, open_workplace, print_json, reporting
from gateway.store import teams


@click.group()
def tokens() -> None:
    """Make and revoke API tokens."""


@tokens.command("add")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def add(settings: Settings, *, name: str, as_json: bool) -> None:
    """Make an API token called NAME and print it, this once."""
    workplace = open_workplace(settings)
    token = teams.add_token(workplace.store, workplace.team, name, utc_now())
    if as_json:
        print_json({"name": name, "team": workplace.team, "token": token})
        return
    click.echo(f"team       {workplace.team}")
    click.echo(f"API token  {click.style(token, bold=True)}")


@tokens.command("revoke")
@click.argument("name")
@click.pass_obj
@reporting
def revoke(settings: Settings, *, name: str) -> None:
    """Revoke the API tokens called NAME ('first token' is that of the first start)."""
    workplace = open_workplace(settings)
    count = teams.revoke_tokens(workplace.store, workplace.team, name, utc_now())
    if not count:
        fail(f"no API token is called {name!r}")
    click.echo(f"{count} revoked")
