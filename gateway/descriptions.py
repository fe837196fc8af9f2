"""What a provider needs, does and answers, as plain data: for the API, the command, the pages."""

from typing import Any

from gateway.core.errors import DeliveryFailed
from gateway.core.hmac_scheme import Hmac
from gateway.core.model import Outcome
from gateway.core.proofs import Scheme
from gateway.core.shared_secrets import Basic, Bearer, HeaderEquals, QueryEquals
from gateway.core.signatures import AnyOf, Unsigned, companions
from gateway.provider import Credential
from gateway.providers import LoadedProvider


def provider_view(loaded: LoadedProvider) -> dict[str, Any]:
    """One provider, with field names in camelCase."""
    provider = loaded.provider
    return {
        "name": loaded.name,
        "title": provider.title,
        "docs": provider.docs_url or None,
        "verifiedBy": verified_by(provider.signature),
        "signed": bool(provider.signature.credential_names),
        "credentials": [_credential(each, provider.signature) for each in provider.credentials],
        "methods": list(provider.methods),
        "handshake": provider.handshake is not None,
        "answer": _answer(loaded),
        "answerWithin": provider.answer_within,
        "redact": list(loaded.redact),
        "rules": [rule.name for rule in loaded.rules.rules],
        "examples": [example.name for example in loaded.examples],
    }


def verified_by(scheme: Scheme) -> str:
    """A signature scheme in a few words."""
    match scheme:
        case Hmac():
            age = f", at most {scheme.tolerance} s old" if scheme.tolerance else ""
            words = f"HMAC-{scheme.algorithm.upper()} in `{_first(scheme.header)}`{age}"
        case HeaderEquals():
            words = f"the secret in `{_first(scheme.header)}`"
        case Bearer() | Basic():
            words = f"`Authorization: {type(scheme).__name__}`"
        case QueryEquals():
            words = f"the secret in `?{scheme.parameter}=`"
        case AnyOf():
            words = ", or ".join(map(verified_by, scheme.schemes))
        case Unsigned():
            words = f"nothing: {scheme.reason}"
        case _:
            words = first_sentence(type(scheme)).rstrip(".")
    return words


def first_sentence(described: type) -> str:
    """The first sentence of a class's docstring, on one line."""
    return " ".join((described.__doc__ or "").split("\n\n")[0].split())


def _credential(credential: Credential, scheme: Scheme) -> dict[str, Any]:
    return {
        "name": credential.name,
        "label": credential.label,
        "help": credential.help,
        "required": credential.required,
        # Without these it is of no use.
        "needs": list(companions(scheme, credential.name)),
    }


def _answer(loaded: LoadedProvider) -> dict[str, Any] | None:
    """What a stored delivery is answered with, None for the usual JSON."""
    try:
        reply = loaded.reply(Outcome.RECORDED)
    except DeliveryFailed:  # then the usual one is given
        reply = None
    if reply is None:
        return None
    body = reply.body.decode("utf-8", "replace")
    return {"status": reply.status, "contentType": reply.content_type, "body": body}


def _first(header: str | tuple[str, ...]) -> str:
    return header if isinstance(header, str) else header[0]
