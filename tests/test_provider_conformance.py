"""Holds for every provider that comes with the gateway; a new one needs no new Python."""

import conformance
import pytest

from docs._generate import ROOT
from gateway.providers import LoadedProvider, load_providers
from gateway.testing import SignatureCase

PROVIDERS = load_providers()
CASES = [case for loaded in PROVIDERS for case in conformance.cases(loaded)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_signatures(case: SignatureCase) -> None:
    case.check()


@pytest.mark.parametrize("loaded", PROVIDERS, ids=lambda loaded: loaded.name)
class TestEveryProvider:
    def test_is_complete(self, loaded: LoadedProvider) -> None:
        conformance.check_complete(loaded)

    def test_examples_give_what_they_expect(self, loaded: LoadedProvider) -> None:
        conformance.check_examples(loaded)

    def test_no_other_claims_what_it_sends(self, loaded: LoadedProvider) -> None:
        conformance.check_claims(loaded, PROVIDERS)

    def test_answers_anything(self, loaded: LoadedProvider) -> None:
        conformance.check_answers_anything(loaded)

    def test_has_a_page(self, loaded: LoadedProvider) -> None:
        conformance.check_page(loaded, ROOT / "docs" / "providers")
