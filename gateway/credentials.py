"""Which credentials a monitor may have, said in the words of its provider."""

from collections.abc import Collection, Iterator, Mapping

from gateway.core.nodes import suggest
from gateway.core.signatures import companions, problem
from gateway.provider import Credential, Provider
from gateway.providers import Providers

Given = Mapping[str, tuple[str, ...]]
Problem = tuple[str, str]
"""The name of a credential, and what is wrong with it."""


def described(credential: Credential) -> str:
    """A credential for people: ``secret (App secret: In the app dashboard, ...)``."""
    label = f"{credential.label}: {credential.help}" if credential.help else credential.label
    return f"{credential.name} ({label.rstrip('.')})"


def problems(provider: Provider, given: Given) -> Iterator[Problem]:
    """All that is wrong with the credentials of a monitor of this provider.

    None may be of no use, none that is needed may be missing. That is also the case where
    no delivery could be verified with what is given: then each would be refused.
    """
    declared = {each.name: each for each in provider.credentials}
    for name, secrets in given.items():
        if name not in declared:
            can = "; ".join(map(described, declared.values())) or "none: it cannot sign"
            yield name, f"is of no use to the provider {provider.name!r} (it uses {can})"
            continue
        for found in filter(None, (problem(provider.signature, name, each) for each in secrets)):
            yield name, f"is of no use to the provider {provider.name!r}: {found}"
        lacking = [declared[each] for each in companions(provider.signature, name, given)]
        if lacking:
            needed = " and ".join(map(described, lacking))
            yield name, f"is not enough to verify deliveries: add {needed}"
    for each in provider.credentials:
        if each.required and each.name not in given:
            needed = described(each)
            yield each.name, f"is missing: the provider {provider.name!r} needs {needed}"


def problems_for_any(providers: Providers, given: Given) -> Iterator[Problem]:
    """The same where the provider is only found when a delivery comes: one must suit each."""
    known = {each.name for loaded in providers for each in loaded.provider.credentials}
    for name in given:
        if name not in known:
            yield name, f"is of no use to any provider ({suggest(name, known)})"
        elif lacking := _least(providers, name, given):
            yield name, f"is not enough to verify deliveries: add {' and '.join(lacking)}"


def _least(providers: Providers, name: str, given: Collection[str]) -> tuple[str, ...]:
    users = (loaded.provider for loaded in providers)
    found = (
        companions(provider.signature, name, given)
        for provider in users
        if any(each.name == name for each in provider.credentials)
    )
    return min(found, key=len)
