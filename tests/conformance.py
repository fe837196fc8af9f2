"""What must hold for any provider, whoever wrote it: each check takes one loaded provider.

The tests of the bundled providers call all of them, and so do those that add a provider.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.core.errors import (
    GatewayError,
    MalformedPayload,
    MethodNotAllowed,
    SignatureError,
    Unavailable,
)
from gateway.core.model import Delivery
from gateway.core.signatures import Credentials
from gateway.examples import differences
from gateway.intake import read
from gateway.providers import LoadedProvider, Providers
from gateway.testing import (
    SignatureCase,
    credentials_for,
    known_answer_cases,
    secret_for,
    signature_cases,
    signed,
)
from gateway.testing import delivery as unsigned

CONTENT_TYPES = (
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "image/png",
    "\N{LATIN SMALL LETTER E WITH ACUTE};;=",
)
BODIES = (b"", b"\xff\xfe\x00", b"[]", b"{}", b"null", b"1", b"payload=%7B%7D", b"[" * 10_000)
DOCUMENTED = (SignatureError, MalformedPayload, MethodNotAllowed, Unavailable)


def cases(loaded: LoadedProvider) -> Iterator[SignatureCase]:
    """Every case of the signature: those that are made up, and those around known answers."""
    yield from signature_cases(loaded.provider)
    yield from known_answer_cases(loaded.provider, loaded.known_answers)


def check_complete(loaded: LoadedProvider) -> None:
    """It has examples, asks for what it verifies with, and knows an answer for each of it."""
    used = set(loaded.provider.signature.credential_names)
    known = {name for answer in loaded.known_answers for name in answer.credentials}
    problems = [answer.problem(loaded.provider.signature) for answer in loaded.known_answers]

    assert loaded.examples
    assert used <= {credential.name for credential in loaded.provider.credentials}
    assert used == known, f"known_answers: none with {sorted(used - known)}"
    assert not any(problems), problems
    assert all(credential.label for credential in loaded.provider.credentials)
    assert loaded.provider.answer_within > 0


def check_examples(loaded: LoadedProvider) -> None:
    """From the bytes on: each is parsed by the provider and then mapped by its rules."""
    for example in loaded.examples:
        payload = loaded.parse(example.delivery)
        found = list(differences(replace(example, payload=payload), loaded.rules))

        assert found == [], example.name


def check_claims(loaded: LoadedProvider, providers: Providers) -> None:
    """No other provider claims one of its examples or known answers."""
    for example in loaded.examples:
        delivered = signed(loaded.provider, example.body, headers=example.headers)
        claims = {each.name for each in providers if each.detect(delivered)}

        assert claims <= {loaded.name}, example.name
    for answer in loaded.known_answers:
        claims = {each.name for each in providers if each.detect(answer.delivery)}

        assert claims <= {loaded.name}, answer.name


def check_answers_anything(loaded: LoadedProvider) -> None:
    """Odd bodies and wrong content types: with an outcome or a documented error, never else."""
    bodies = (*BODIES, *(example.body for example in loaded.examples[:3]))
    for body in bodies:
        for delivered, credentials in _signed_and_not(loaded, body):
            for kind in CONTENT_TYPES:
                typed = replace(delivered, headers={**delivered.headers, "content-type": kind})
                answer_of(loaded, credentials, typed)


def answer_of(loaded: LoadedProvider, credentials: Credentials, delivery: Delivery) -> str:
    """The outcome or the code of the documented error; raises whatever is not documented."""
    try:
        return read(loaded, credentials, delivery).outcome
    except DOCUMENTED as error:
        return error.code


def check_page(loaded: LoadedProvider, folder: Path) -> None:
    """There is a page, and its table of events comes from the rules."""
    text = (folder / f"{loaded.name}.md").read_text("utf-8")

    assert f"<!-- begin generated: events {loaded.name} -->" in text


def _signed_and_not(loaded: LoadedProvider, body: bytes) -> Iterator[tuple[Delivery, Credentials]]:
    scheme = loaded.provider.signature
    yield replace(signed_or_plain(loaded, body), query={}), {}
    if scheme.credential_names:
        secret = secret_for(scheme)
        yield signed_or_plain(loaded, body), credentials_for(scheme, secret)


def signed_or_plain(loaded: LoadedProvider, body: bytes) -> Delivery:
    """Signed as far as a body like this can be."""
    try:
        return signed(loaded.provider, body)
    except GatewayError:
        return unsigned(body)
