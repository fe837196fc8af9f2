"""``taco providers``: who can post, and how each is verified."""

import click

from gateway.app import open_providers
from gateway.cli.context import Settings, fail, print_json, print_table, reporting
from gateway.core.nodes import suggest
from gateway.providers import LoadedProvider


@click.group()
def providers() -> None:
    """Show the providers that are loaded."""


@providers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all providers."""
    loaded = open_providers(settings.load())
    views = [_view(loaded.get(name)) for name in loaded.names]
    if as_json:
        print_json(views)
        return
    columns = ("name", "title", "signature", "origin")
    print_table(
        [column.upper() for column in columns],
        [[str(view[column]) for column in columns] for view in views],
    )


@providers.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def show(settings: Settings, *, name: str, as_json: bool) -> None:
    """Show one provider: what it needs, its rules and its examples."""
    loaded = open_providers(settings.load())
    if name not in loaded:
        fail(f"no provider {name!r} ({suggest(name, loaded.names)})")
    provider = loaded.get(name)
    view = _view(provider)
    if as_json:
        print_json(view)
        return
    click.echo(f"{click.style(provider.provider.title, bold=True)} ({name})")
    click.echo(f"  documentation  {provider.provider.docs_url or '-'}")
    click.echo(f"  signature      {view['signature']}")
    click.echo(f"  defined in     {provider.origin}")
    for credential in provider.provider.credentials:
        need = "required" if credential.required else "optional"
        click.echo(f"  credential     {credential.name} ({need}): {credential.help}")
    click.echo("\nrules, the first match decides")
    for rule in provider.rules.rules:
        click.echo(f"  {rule.name}")
    click.echo("\nexamples for 'taco send'")
    for example in provider.examples:
        click.echo(f"  {example.name}")


def _view(loaded: LoadedProvider) -> dict[str, object]:
    return {
        "name": loaded.name,
        "title": loaded.provider.title,
        "signature": type(loaded.provider.signature).__name__,
        "docs": loaded.provider.docs_url,
        "credentials": [
            {
                "name": credential.name,
                "label": credential.label,
                "help": credential.help,
                "required": credential.required,
            }
            for credential in loaded.provider.credentials
        ],
        "rules": [rule.name for rule in loaded.rules.rules],
        "examples": [example.name for example in loaded.examples],
        "origin": loaded.origin,
    }
