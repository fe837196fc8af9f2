"""``taco rules``: the workbench for integrators who write rule files."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import click

from gateway.app import open_providers, utc_now
from gateway.cli.context import Settings, print_json, reporting
from gateway.core.errors import GatewayError, SourceError
from gateway.core.explanations import Explanation, explain
from gateway.core.model import Delivery
from gateway.core.nodes import suggest
from gateway.core.proofs import Scheme
from gateway.core.rules import RuleSet
from gateway.core.times import format_time
from gateway.examples import Example, differences
from gateway.known_answers import KnownAnswer
from gateway.provider import Parse
from gateway.providers import LoadedProvider, Providers, bundled
from gateway.rulefiles import RuleFile, load_rule_file

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SUFFIXES = {".yaml", ".yml"}
targets_argument = click.argument("targets", nargs=-1, metavar="[FILE or PROVIDER]...")


@dataclass(frozen=True, slots=True)
class Result:
    """In which ways an example or a known answer does not hold; none if it does."""

    source: str
    example: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """Rules to work on, wherever they came from."""

    source: str
    rules: RuleSet
    examples: tuple[Example, ...]
    parse: Parse
    signature: Scheme | None
    known_answers: tuple[KnownAnswer, ...]

    def results(self) -> Iterator[Result]:
        """What came of each example and known answer."""
        for example in self.examples:
            yield Result(self.source, example.name, tuple(differences(example, self.rules)))
        # A file without a signature, of a provider that is not loaded, has nothing to verify with.
        if self.signature is not None:
            for answer in self.known_answers:
                problem = answer.problem(self.signature)
                found = (problem,) if problem else ()
                yield Result(self.source, f"{answer.name} (known answer)", found)


class Workbench:
    """Finds rules by file or provider; loads the providers when one is needed, and once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def providers(self) -> Providers:
        """All providers; raises `SourceErrors`."""
        return open_providers(self._settings.load())

    def check(self, target: str) -> None:
        """Raise `GatewayError` with all that is wrong with a file, or for no such provider."""
        if _is_file(target):
            self._rules(_read(target))
        else:
            self._provider(target)

    def subject(self, target: str) -> Subject:
        """The rules of a file or provider; raises `GatewayError`."""
        if not _is_file(target):
            loaded = self._provider(target)
            return _subject_of(target, loaded)
        file = _read(target)
        rules = self._rules(file)
        alone = Subject(target, rules, file.examples, file.body, file.signature, file.known_answers)
        if file.given & {"body", "signature"} or file.provider not in self.providers:
            return alone
        known = self.providers.get(file.provider)
        examples = tuple(each.parsed_by(known.parse) for each in file.examples)
        signature = known.provider.signature
        return replace(alone, examples=examples, parse=known.parse, signature=signature)

    def subjects(self, targets: tuple[str, ...]) -> list[Subject]:
        """The same for several; all providers if there are none."""
        return [self.subject(target) for target in targets or self.providers.names]

    def _rules(self, file: RuleFile) -> RuleSet:
        if not file.written.reuses:
            return file.rules()
        # What stands in the file counts, also where it is loaded as a provider already.
        return file.rules({**self.providers.written, file.provider: file.written})

    def _provider(self, name: str) -> LoadedProvider:
        if name not in self.providers:
            hint = suggest(name, self.providers.names)
            raise GatewayError(f"no file and no provider {name!r} ({hint})")
        return self.providers.get(name)


def _subject_of(name: str, loaded: LoadedProvider) -> Subject:
    signature, answers = loaded.provider.signature, loaded.known_answers
    return Subject(name, loaded.rules, loaded.examples, loaded.parse, signature, answers)


def _is_file(target: str) -> bool:
    path = Path(target)
    return path.suffix in _SUFFIXES or path.is_file()


@click.group()
def rules() -> None:
    """Check, test and explain rule files."""


@rules.command()
@targets_argument
@json_option
@click.pass_obj
@reporting
def check(settings: Settings, *, targets: tuple[str, ...], as_json: bool) -> None:
    """Check that rule files can be loaded; all known ones without arguments."""
    problems = []
    workbench = Workbench(settings)
    names = targets or tuple(str(file) for file in _known_files(settings))
    for name in names:
        try:
            workbench.check(name)
        except GatewayError as error:
            problems.append({"target": name, "error": str(error)})
    if as_json:
        print_json({"checked": len(names), "problems": problems})
    elif problems:
        click.echo("\n".join(problem["error"] for problem in problems))
    else:
        click.echo(f"{len(names)} fine")
    if problems:
        raise SystemExit(1)


@rules.command("test")
@targets_argument
@json_option
@click.pass_obj
@reporting
def test(settings: Settings, *, targets: tuple[str, ...], as_json: bool) -> None:
    """Run the examples and known answers of rule files; all that are known without arguments."""
    subjects = Workbench(settings).subjects(targets)
    results = [result for subject in subjects for result in subject.results()]
    failed = [result for result in results if result.differences]
    if as_json:
        print_json(results)
    else:
        for result in failed:
            click.secho(f"{result.source}: {result.example}", fg="red")
            for difference in result.differences:
                click.echo(f"  {difference}")
        click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed or not results:
        raise SystemExit(1)


@rules.command("explain")
@click.argument("target", metavar="FILE or PROVIDER")
@click.option(
    "--payload",
    "payload_file",
    type=click.File("rb"),
    help="A file with the body as the provider sends it; - for standard input.",
)
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--query", "queries", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--example", "example_name", help="Explain this example of the file instead.")
@json_option
@click.pass_obj
@reporting
def explain_(
    settings: Settings,
    *,
    target: str,
    payload_file: BinaryIO | None,
    headers: tuple[str, ...],
    queries: tuple[str, ...],
    example_name: str | None,
    as_json: bool,
) -> None:
    """Say which rule decides about a payload, and why every other one does not."""
    subject = Workbench(settings).subject(target)
    if (payload_file is None) is (example_name is None):
        raise click.UsageError("give --payload or --example")
    if example_name is not None:
        example = find_example(subject.examples, example_name)
        payload, delivery = example.payload, example.delivery
    else:
        delivery = Delivery(
            body=payload_file.read() if payload_file is not None else b"",
            headers={name.lower(): value for name, value in _pairs(headers)},
            query=dict(_pairs(queries)),
            received_at=utc_now(),
        )
        payload = subject.parse(delivery)
    explanation = explain(subject.rules, payload, delivery)
    if as_json:
        print_json(_view(explanation))
    else:
        click.echo(str(explanation))


def find_example(examples: tuple[Example, ...], name: str) -> Example:
    """An example by name or by its number, counted from 1; raises `GatewayError`."""
    if name.isdigit() and 0 < int(name) <= len(examples):
        return examples[int(name) - 1]
    for example in examples:
        if example.name == name:
            return example
    hint = suggest(name, [example.name for example in examples])
    raise GatewayError(f"no example {name!r} ({hint})")


def _read(target: str) -> RuleFile:
    try:
        text = Path(target).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot be read: {error}", source=target) from None
    return load_rule_file(text, target)


def _known_files(settings: Settings) -> Iterator[Path]:
    for folder in (bundled("rules"), *settings.load().rules):
        yield from sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)


def _pairs(texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f"{text!r} is not NAME=VALUE")
        yield name.strip(), value


def _view(explanation: Explanation) -> dict[str, object]:
    return {
        "rule": explanation.mapped.rule or None,
        "reason": explanation.mapped.reason or None,
        "events": [
            {
                "status": event.status,
                "key": event.key,
                "message": event.message,
                "metadata": event.metadata,
                "eventId": event.event_id,
                "occurredAt": format_time(event.occurred_at),
                "rule": event.rule,
            }
            for event in explanation.mapped.events
        ],
        "attempts": [
            {
                "rule": attempt.rule,
                "item": attempt.item,
                "verdict": attempt.verdict,
                "reason": attempt.reason,
                "seen": [str(seen) for seen in attempt.seen],
            }
            for attempt in explanation.attempts
        ],
    }
