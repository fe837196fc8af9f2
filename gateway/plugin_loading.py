"""Finds plugins and rule files and collects what they hold, with every error in them."""

import functools
import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import pluggy

from gateway import hookspecs
from gateway.channel_kind import ChannelKind
from gateway.core.errors import DefinitionError, SourceError, SourceErrors
from gateway.core.nodes import suggest
from gateway.provider import Provider
from gateway.rulefiles import RuleFile, load_rule_file

_EXAMPLE = "a plugin has @hookimpl above def register_providers(register):"

Registrable = Provider | ChannelKind
Value_co = TypeVar("Value_co", bound=Registrable, covariant=True)


@dataclass(frozen=True, slots=True)
class Registered(Generic[Value_co]):
    """A provider or a kind of channel, and the place that registers it."""

    value: Value_co
    source: str
    line: int

    @property
    def name(self) -> str:
        """The name of what is registered."""
        return self.value.name

    @property
    def origin(self) -> str:
        """Source and line, as in ``plugins/github.py:35``."""
        return f"{self.source}:{self.line}"


Found = Registered[Registrable]


def providers_in(found: Iterable[Found]) -> Iterator[Registered[Provider]]:
    """The providers among what plugins register."""
    for each in found:
        if isinstance(each.value, Provider):
            yield Registered(each.value, each.source, each.line)


def kinds_in(found: Iterable[Found]) -> Iterator[Registered[ChannelKind]]:
    """The kinds of channel among what plugins register."""
    for each in found:
        if isinstance(each.value, ChannelKind):
            yield Registered(each.value, each.source, each.line)


def load_plugin_folder(folder: Path, errors: list[SourceError]) -> list[Found]:
    """Everything that the plugins of a folder register; errors are added to the list."""
    found: list[Found] = []
    for path in _files(folder, (".py",), errors):
        if not path.name.startswith("_"):
            found += _load_plugin(functools.partial(_import, path), str(path), errors)
    return found


def load_entry_points(errors: list[SourceError]) -> list[Found]:
    """Everything that installed packages register by the entry point group."""
    found: list[Found] = []
    for entry in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        found += _load_plugin(entry.load, f"entry point {entry.name} ({entry.value})", errors)
    return found


def load_packaged_rules(errors: list[SourceError]) -> list[RuleFile]:
    """The rule files that installed packages keep in a folder ``rules`` beside their plugin."""
    found: list[RuleFile] = []
    for entry in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        # A package that cannot be found is told of where its plugin is loaded.
        with suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(entry.module)
            if spec is not None and spec.origin is not None:
                folder = Path(spec.origin).parent / "rules"
                found += load_rule_folder(folder, errors) if folder.is_dir() else []
    return found


def load_rule_folder(folder: Path, errors: list[SourceError]) -> list[RuleFile]:
    """The rule files of a folder; errors are added to the list."""
    found = []
    for path in _files(folder, (".yaml", ".yml"), errors):
        try:
            found.append(load_rule_file(path.read_text(encoding="utf-8"), str(path)))
        except SourceErrors as several:
            errors += several.errors
        except SourceError as error:
            errors.append(error)
        except (OSError, UnicodeDecodeError) as error:
            errors.append(SourceError(f"cannot be read: {error}", source=str(path)))
    return found


def _files(folder: Path, suffixes: tuple[str, ...], errors: list[SourceError]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        errors.append(SourceError(f"the folder cannot be read: {reason}", source=str(folder)))
        return []


def _load_plugin(load: Callable[[], Any], source: str, errors: list[SourceError]) -> list[Found]:
    """Import one plugin, check its hooks and call them.

    Each plugin has a plugin manager of its own, so that one that raises does not keep the
    others from loading.
    """
    found: list[Found] = []
    try:
        plugin = load()
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        mistakes = list(_hook_mistakes(manager, plugin, source))
        if mistakes:
            errors += mistakes
            return []
        manager.register(plugin)
        manager.hook.register_providers(register=_collector(Provider, source, found))
        manager.hook.register_channels(register=_collector(ChannelKind, source, found))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # plugins may raise anything
        errors.append(_located(error, source))
        return []
    return found


def _collector(
    kind: type[Provider] | type[ChannelKind], source: str, found: list[Found]
) -> Callable[[Any], None]:
    """A ``register`` that takes values of one kind, and remembers who called it."""

    def register(value: Any) -> None:
        if not isinstance(value, kind):
            raise DefinitionError(
                f"register() got {type(value).__name__}, not a {kind.__name__}",
                hint=f"register({kind.__name__}(...))",
            )
        line = sys._getframe(1).f_lineno  # noqa: SLF001  # names the place of a duplicate
        found.append(Registered(value, source, line))

    return register


def _hook_mistakes(
    manager: pluggy.PluginManager, plugin: Any, source: str
) -> Iterator[SourceError]:
    """What pluggy would accept in silence or refuse without a place."""
    known = {name: hook.spec for name, hook in vars(manager.hook).items() if hook.has_spec()}
    implemented = {
        name: options
        for name in dir(plugin)
        if (options := manager.parse_hookimpl_opts(plugin, name)) is not None
    }
    if not implemented:
        yield SourceError("no hook is implemented", source=source, hint=_EXAMPLE)
    for name, options in implemented.items():
        hook = options.get("specname") or name
        line = inspect.unwrap(getattr(plugin, name)).__code__.co_firstlineno
        if hook not in known:
            yield SourceError(
                f"unknown hook {hook!r}",
                source=source,
                line=line,
                column=1,
                hint=suggest(hook, known),
            )
        elif strangers := _arguments(getattr(plugin, name)) - set(known[hook].argnames):
            hint = f"the hook is {hook}({', '.join(known[hook].argnames)})"
            message = f"{hook} has no argument {min(strangers)!r}"
            yield SourceError(message, source=source, line=line, column=1, hint=hint)


def _arguments(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {each.name for each in parameters if each.default is inspect.Parameter.empty}


def _import(path: Path) -> ModuleType:
    # The name is kept apart from every real module; dataclasses and pickle look it up.
    name = f"taco_plugin_{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    loader = SourceFileLoader(name, str(path.absolute()))
    spec = ModuleSpec(name, loader, origin=loader.path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _located(error: BaseException, source: str) -> SourceError:
    """An error of a plugin with the last line of the plugin's file that led to it."""
    hint = error.hint if isinstance(error, DefinitionError) else ""
    file = str(Path(source).absolute())
    if isinstance(error, SyntaxError) and error.filename == file:
        return SourceError(
            f"not Python: {error.msg}",
            source=source,
            line=error.lineno or 0,
            column=error.offset or 1,
        )
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == file]
    message = str(error) if isinstance(error, DefinitionError) else _told(error)
    return SourceError(message, source=source, line=lines[-1] if lines else 0, column=1, hint=hint)


def _told(error: BaseException) -> str:
    return f"the plugin raised {type(error).__name__}: {error}".rstrip(": ")
