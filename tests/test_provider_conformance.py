"""Holds for every provider that comes with the gateway; a new one needs no new Python."""

from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.core.errors import MalformedPayload
from gateway.examples import Example, differences
from gateway.providers import LoadedProvider, load_providers
from gateway.testing import SignatureCase, signature_cases, signed

PROVIDERS = load_providers()
CASES = [case for loaded in PROVIDERS for case in signature_cases(loaded.provider)]
EXAMPLES = [(loaded, example) for loaded in PROVIDERS for example in loaded.examples]
EXAMPLE_IDS = [f"{loaded.name}: {example.name}" for loaded, example in EXAMPLES]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_signatures(case: SignatureCase) -> None:
    case.check()


@pytest.mark.parametrize(("loaded", "example"), EXAMPLES, ids=EXAMPLE_IDS)
def test_examples_give_what_they_expect(loaded: LoadedProvider, example: Example) -> None:
    """From the bytes on: parsed by the provider and then mapped by its rules."""
    payload = loaded.parse(example.delivery)

    assert list(differences(replace(example, payload=payload), loaded.rules)) == []


@pytest.mark.parametrize(("loaded", "example"), EXAMPLES, ids=EXAMPLE_IDS)
def test_no_other_provider_claims_an_example(loaded: LoadedProvider, example: Example) -> None:
    delivered = signed(loaded.provider, example.body, headers=example.headers)
    claims = {each.name for each in PROVIDERS if each.detect(delivered)}

    assert claims <= {loaded.name}


@pytest.mark.parametrize("loaded", PROVIDERS, ids=lambda loaded: loaded.name)
class TestEveryProvider:
    def test_is_complete(self, loaded: LoadedProvider) -> None:
        names = {credential.name for credential in loaded.provider.credentials}

        assert loaded.examples
        assert names >= set(loaded.provider.signature.credential_names)
        assert all(credential.label for credential in loaded.provider.credentials)
        assert loaded.provider.answer_within > 0

    def test_answers_bodies_of_any_kind(self, loaded: LoadedProvider) -> None:
        """With a payload or as malformed, never by accident."""
        for body in (b"", b"\xff", b"[]", b"{}", b"null", b"payload=%7B%7D", b"[" * 10_000):
            for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
                delivered = replace(signed(loaded.provider, body), headers=headers)
                with suppress(MalformedPayload):
                    loaded.rules.map(loaded.parse(delivered), delivered)
