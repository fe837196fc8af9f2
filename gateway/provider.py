"""A provider as a value: what a plugin registers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from gateway.core.errors import DefinitionError
from gateway.core.model import Delivery, Outcome
from gateway.core.signatures import Credentials, Scheme
from gateway.fetching import Fetch

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that an operator copies between the provider and a monitor.

    ``label`` and ``help`` are shown in forms and by the command line.
    """

    name: str = "secret"
    label: str = "Secret"
    help: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that a provider insists on.

    ``visit`` is an address to call before the answer is sent, as a sign of consent; when
    that fails, the sender is asked to try again later.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    visit: Fetch | None = None


Detect = Callable[[Delivery], bool]
Parse = Callable[[Delivery], Any]
Handshake = Callable[[Delivery, Credentials], Reply | None]
Respond = Callable[[Outcome], Reply | None]
Fetches = Callable[[Delivery, Credentials], tuple[Fetch, ...]]


@runtime_checkable
class FetchingScheme(Protocol):
    """A signature scheme whose proof refers to something that must be got first."""

    def fetches(self, delivery: Delivery, credentials: Credentials) -> tuple[Fetch, ...]:
        """What `verify` expects in ``delivery.fetched``; none where there is no proof at all."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An external platform that sends webhooks.

    ``signature`` has no default: whoever cannot sign says ``Unsigned(reason=...)``.
    ``detect`` claims a delivery of monitors without a named provider. ``parse`` turns a
    delivery into the payload that the rules see (default: JSON, or a form as an object)
    and raises `MalformedPayload`. ``handshake`` answers challenges, before anything is
    verified, and returns None for everything else. ``reply`` gives the answer to an
    outcome where the usual one would not do. ``redact`` names payload paths that are
    never stored. ``answer_within`` is the sender's own patience in seconds. ``methods`` are
    those of HTTP that carry deliveries. ``fetches`` names what must be got before a
    delivery can be verified; it is then in ``delivery.fetched``. It is asked only when
    credentials are configured, and added to what the signature itself asks for.

    Raises `DefinitionError` for a provider that cannot work.
    """

    name: str
    title: str
    signature: Scheme
    docs_url: str = ""
    detect: Detect | None = None
    parse: Parse | None = None
    handshake: Handshake | None = None
    reply: Respond | None = None
    credentials: tuple[Credential, ...] = ()
    redact: tuple[str, ...] = ()
    answer_within: float = 10.0
    methods: tuple[str, ...] = ("POST",)
    fetches: Fetches | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DefinitionError(
                f"{self.name!r} cannot be the name of a provider",
                field="name",
                hint="up to 40 lower-case letters, digits and underscores",
            )
        if not self.title.strip():
            raise DefinitionError(f"provider {self.name} has no title", field="title")
        if not isinstance(self.signature, Scheme):
            raise DefinitionError(
                f"the signature of {self.name} is not a signature scheme",
                field="signature",
                hint="use Hmac, HeaderEquals, Bearer, Basic, QueryEquals, Ed25519, Jwt, AnyOf "
                "or Unsigned",
            )
        self._complete_credentials()

    def _complete_credentials(self) -> None:
        """Declare what the signature needs; forms ask for exactly what is declared."""
        needed = self.signature.credential_names
        if self.credentials and not needed:
            raise DefinitionError(
                f"no credential can verify deliveries of {self.name}",
                field="credentials",
                hint="declare none: with any of them set, every delivery would be refused",
            )
        declared = [credential.name for credential in self.credentials]
        if not self.credentials:
            defaults = (Credential(name, name.replace("_", " ").capitalize()) for name in needed)
            object.__setattr__(self, "credentials", tuple(defaults))
        elif missing := [name for name in needed if name not in declared]:
            raise DefinitionError(
                f"the signature of {self.name} needs the credential {missing[0]!r}",
                field="credentials",
                hint="declare it with Credential(...)",
            )
