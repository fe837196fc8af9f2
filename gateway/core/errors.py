"""Every error raised on purpose. Each class has a stable code; texts are for people.

The web ring alone turns them into HTTP status codes and localized texts.
"""

from collections.abc import Mapping
from typing import Any


class GatewayError(Exception):
    """Something went wrong that somebody outside can understand and mend."""

    code = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class DeliveryError(GatewayError):
    """A delivery that is refused; nothing of it reaches the state."""


class UnknownToken(DeliveryError):
    """No monitor has this token."""

    code = "monitor_not_found"


class SignatureError(DeliveryError):
    """The delivery is not proven to come from its sender."""

    code = "signature_invalid"
    challenge = ""
    """What asks for the proof, where senders wait to be asked."""


class SignatureMissing(SignatureError):
    """The header or parameter that should prove the origin is absent."""

    code = "signature_missing"


class SignatureMalformed(SignatureError):
    """The proof of origin is present but cannot be read."""

    code = "signature_malformed"


class SignatureStale(SignatureError):
    """The signature is right but its timestamp is outside the tolerance."""

    code = "signature_stale"


class SignatureMismatch(SignatureError):
    """No current secret gives this signature."""

    code = "signature_mismatch"


class MalformedPayload(DeliveryError):
    """The body is not what its provider sends: not JSON, wrong type, not UTF-8."""

    code = "payload_malformed"


class RateLimited(DeliveryError):
    """More deliveries than the limit allows; ``retry_after`` is in seconds."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class MethodNotAllowed(GatewayError):
    """The provider does not send with this HTTP method, but with those ``allowed``.

    It is no delivery, so nothing is logged.
    """

    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class DeliveryFailed(DeliveryError):
    """A plugin raised, or a record could not be written for a reason of its own."""

    code = "delivery_failed"


class Unavailable(GatewayError):
    """The gateway cannot record now; ``retry_after`` is in seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RequestError(GatewayError):
    """A management request that asks for something impossible."""

    code = "invalid_request"


class NotFound(GatewayError):
    """The named thing does not exist, or belongs to another team."""

    code = "not_found"


class Unauthorized(GatewayError):
    """No valid API token was given."""

    code = "unauthorized"


class Forbidden(GatewayError):
    """The API token is valid, but not for this."""

    code = "forbidden"


class SourceError(GatewayError):
    """A file that an operator or integrator wrote is wrong, at a place, with a hint.

    ``str()`` reads ``rules/github.yaml:12:7: what is wrong (hint)``. Line and column
    count from 1; both are 0 when the whole file is meant.
    """

    code = "source_invalid"

    def __init__(
        self, message: str, *, source: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.source = source
        self.line = line
        self.column = column
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}: " if self.line else ""
        if not self.line and self.source:
            place = f"{self.source}: "
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


class SourceErrors(GatewayError):
    """All that is wrong with a set of files, so that one run shows everything."""

    code = "source_invalid"

    def __init__(self, errors: "list[SourceError]") -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class ExpressionError(GatewayError):
    """An expression or template that cannot be used; ``offset`` counts characters from 0."""

    code = "expression_invalid"

    def __init__(self, message: str, *, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class NotApplicable(GatewayError):
    """A valid expression that cannot be applied to this payload."""

    code = "not_applicable"


class DefinitionError(GatewayError):
    """A provider or signature scheme that cannot work as it is written.

    ``field`` is the argument (in YAML: the key) at fault, ``offset`` a character within it.
    """

    code = "definition_invalid"

    def __init__(self, message: str, *, field: str = "", offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.offset = offset
        self.hint = hint
