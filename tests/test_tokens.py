"""Signed tokens: known answers, hostile ones, claims and times."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.core.errors import (
    DefinitionError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
    Unavailable,
)
from gateway.core.model import Delivery
from gateway.core.nodes import Node, NodeError
from gateway.core.rules import RuleSet
from gateway.core.signatures import AnyOf, Basic
from gateway.fetching import Fetch
from gateway.provider import Provider
from gateway.providers import LoadedProvider
from gateway.scheme_types import read_scheme
from gateway.testing import (
    BODY,
    NOW,
    SignatureCase,
    credentials_for,
    delivery,
    signature_cases,
    signed,
)
from gateway.token_claims import FromCredential
from gateway.tokens import Jwt

KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"
GOOGLE = Jwt(
    jwks_url=KEYS_URL,
    issuer=("https://accounts.google.com", "accounts.google.com"),
    audience="audience",
    claims={"email": FromCredential("service_account"), "email_verified": True},
)
AZURE = Jwt(
    jwks_url="https://login.microsoftonline.com/common/discovery/v2.0/keys",
    issuer=FromCredential(
        "tenant", ("https://login.microsoftonline.com/{}/v2.0", "https://sts.windows.net/{}/")
    ),
    audience="audience",
    claims={"azp|appid": "461e8683-5575-4561-ac7f-899cc907d62a", "roles": "Secure"},
)
NETLIFY = Jwt(
    header="X-Webhook-Signature",
    algorithms=("HS256",),
    issuer="netlify",
    body_sha256_claim="sha256",
)
ALL = {"google": GOOGLE, "azure": AZURE, "netlify": NETLIFY}
CASES = [
    case
    for name, scheme in ALL.items()
    for case in signature_cases(Provider(name, title=name, signature=scheme))
]

AUDIENCE, ACCOUNT = "https://status.example.com/webhooks/x", "push@p.iam.gserviceaccount.com"
HELD = {"audience": (AUDIENCE,), "service_account": (ACCOUNT,)}
AT = int(NOW.timestamp())
CLAIMS = {
    "aud": AUDIENCE,
    "azp": "113774264463038321964",
    "email": ACCOUNT,
    "email_verified": True,
    "exp": AT + 3600,
    "iat": AT,
    "iss": "https://accounts.google.com",
    "sub": "113774264463038321964",
}


@cache
def rsa_key(_: str = "first") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "use": "sig", **more}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def token(claims: Mapping[str, Any] = CLAIMS, *, kid: str | None = "one", **header: Any) -> str:
    headers = {"kid": kid, **header} if kid is not None else header
    return jwt.encode(dict(claims), rsa_key(), "RS256", headers)


def carrying(
    text: str, *, keys: bytes | None = None, url: str = KEYS_URL, body: bytes = BODY
) -> Delivery:
    keys = (
        key_set(jwk(rsa_key("other"), kid="other"), jwk(rsa_key(), kid="one"))
        if keys is None
        else keys
    )
    found = delivery(body, headers={"Authorization": f"Bearer {text}"})
    return replace(found, fetched={url: keys})


def encoded(*parts: Any) -> str:
    raw = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts)
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in raw)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conforms(case: SignatureCase) -> None:
    case.check()


class TestKeySet:
    @pytest.mark.parametrize("prefix", ["Bearer ", "bearer  ", ""])
    def test_a_token_of_pub_sub(self, prefix: str) -> None:
        """https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions"""
        delivered = carrying(token())
        headers = {"authorization": f"{prefix}{token()}"}

        GOOGLE.verify(replace(delivered, headers=headers), HELD, NOW)

    def test_any_current_credential(self) -> None:
        held = {"audience": ("old", AUDIENCE), "service_account": (ACCOUNT, "new")}

        GOOGLE.verify(carrying(token()), held, NOW)

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "https://other.example.com"},
            {"aud": None},
            {"aud": [AUDIENCE + "/"]},
            {"aud": {AUDIENCE: 1}},
            {"email": "mallory@p.iam.gserviceaccount.com"},
            {"email": ACCOUNT.upper()},
            {"email_verified": False},
            {"email_verified": "true"},
            {"email_verified": 1},
            {"iss": "https://accounts.google.com.example.com"},
            {"iss": ""},
        ],
        ids=str,
    )
    def test_a_claim_that_is_not_what_it_must_be(self, changes: dict[str, Any]) -> None:
        with pytest.raises(SignatureMismatch):
            GOOGLE.verify(carrying(token({**CLAIMS, **changes})), HELD, NOW)

    @pytest.mark.parametrize("name", ["aud", "email", "email_verified", "iss"])
    def test_a_claim_that_is_absent(self, name: str) -> None:
        claims = {key: value for key, value in CLAIMS.items() if key != name}

        with pytest.raises(SignatureMismatch, match=name):
            GOOGLE.verify(carrying(token(claims)), HELD, NOW)

    def test_one_of_a_list_is_enough(self) -> None:
        GOOGLE.verify(carrying(token({**CLAIMS, "aud": ["x", AUDIENCE]})), HELD, NOW)

    @pytest.mark.parametrize("missing", ["audience", "service_account"])
    def test_every_credential_must_be_configured(self, missing: str) -> None:
        held = {**HELD, missing: ()}

        with pytest.raises(SignatureMismatch, match=missing):
            GOOGLE.verify(carrying(token()), held, NOW)
        assert GOOGLE.fetches(carrying(token()), held) == ()

    @pytest.mark.parametrize(
        ("name", "seconds", "passes"),
        [
            ("exp", -59, True),
            ("exp", -60, False),
            ("exp", -3600, False),
            ("nbf", 60, True),
            ("nbf", 61, False),
            ("iat", 60, True),
            ("iat", 61, False),
            ("iat", -86400, True),
            ("exp", 0.5, True),
        ],
    )
    def test_the_time_with_some_leeway(self, name: str, seconds: float, *, passes: bool) -> None:
        delivered = carrying(token({**CLAIMS, name: AT + seconds}))
        if passes:
            GOOGLE.verify(delivered, HELD, NOW)
        else:
            with pytest.raises(SignatureStale):
                GOOGLE.verify(delivered, HELD, NOW)

    @pytest.mark.parametrize(
        "changes", [{"exp": "never"}, {"exp": True}, {"exp": None}, {"nbf": []}]
    )
    def test_a_time_that_is_none(self, changes: dict[str, Any]) -> None:
        with pytest.raises(SignatureMalformed):
            GOOGLE.verify(carrying(token({**CLAIMS, **changes})), HELD, NOW)

    def test_a_token_that_never_expires(self) -> None:
        claims = {key: value for key, value in CLAIMS.items() if key != "exp"}

        with pytest.raises(SignatureMalformed, match="never expires"):
            GOOGLE.verify(carrying(token(claims)), HELD, NOW)

    @pytest.mark.parametrize("payload", [b"[]", b"1", b"no json", b"", b"\xff", b'{"exp": NaN}'])
    def test_signed_but_no_claims(self, payload: bytes) -> None:
        text = jwt.PyJWS().encode(payload, rsa_key(), "RS256", {"kid": "one"})

        with pytest.raises(SignatureMalformed):
            GOOGLE.verify(carrying(text), HELD, NOW)

    @pytest.mark.parametrize(
        "keys",
        [
            key_set(),
            key_set(jwk(rsa_key(), kid="two")),
            key_set(jwk(rsa_key("other"), kid="one")),
            key_set(jwk(rsa_key(), kid="one", use="enc")),
            key_set({"kid": "one"}),
            key_set({"kid": "one", "kty": "RSA", "n": "?", "e": "AQAB"}),
            key_set({"kid": "one", "kty": "oct", "k": "AAAA"}),
            key_set({"kid": "one", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            b'{"keys": {"kid": "one"}}',
            b'{"keys": ["one", null]}',
        ],
        ids=lambda keys: keys[:60].decode(),
    )
    def test_a_set_without_the_key(self, keys: bytes) -> None:
        with pytest.raises(SignatureMismatch):
            GOOGLE.verify(carrying(token(), keys=keys), HELD, NOW)

    @pytest.mark.parametrize("keys", [b"", b"<html>", b"[]", b"{}", b"\xff"])
    def test_a_set_that_cannot_be_read_is_not_the_senders_fault(self, keys: bytes) -> None:
        with pytest.raises(Unavailable):
            GOOGLE.verify(carrying(token(), keys=keys), HELD, NOW)

    def test_a_set_that_was_not_fetched(self) -> None:
        with pytest.raises(SignatureMismatch, match="not fetched"):
            GOOGLE.verify(carrying(token(), url="https://www.googleapis.com/"), HELD, NOW)

    def test_other_kinds_of_keys(self) -> None:
        curve = ec.generate_private_key(ec.SECP256R1())
        edwards = ed25519.Ed25519PrivateKey.generate()
        keys = key_set(
            {**ECAlgorithm.to_jwk(curve.public_key(), as_dict=True), "kid": "curve"},
            {**OKPAlgorithm.to_jwk(edwards.public_key(), as_dict=True), "kid": "edwards"},
        )
        scheme = replace(GOOGLE, algorithms=("ES256", "EdDSA"))

        for key, algorithm, kid in ((curve, "ES256", "curve"), (edwards, "EdDSA", "edwards")):
            text = jwt.encode(CLAIMS, key, algorithm, {"kid": kid})
            scheme.verify(carrying(text, keys=keys), HELD, NOW)
        text = jwt.encode(CLAIMS, curve, "ES256", {"kid": "edwards"})
        with pytest.raises(SignatureMismatch):
            scheme.verify(carrying(text, keys=keys), HELD, NOW)


def confused() -> str:
    """The public key, which everybody knows, used as if it were a shared one."""
    public = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = encoded({"alg": "HS256", "typ": "JWT", "kid": "one"}, CLAIMS)
    return f"{content}.{encoded(hmac.digest(public, content.encode(), 'sha256'))}"


class TestHostileTokens:
    @pytest.mark.parametrize(
        "text",
        [
            "x",
            "..",
            "a.b.c",
            "Basic dXNlcjpwYXNz",
            encoded({"alg": "none", "kid": "one"}, CLAIMS) + ".",
            encoded({"alg": "None", "kid": "one"}, CLAIMS) + ".",
            encoded({"alg": ["RS256"], "kid": "one"}, CLAIMS, b"x"),
            encoded({"alg": {}, "kid": "one"}, CLAIMS, b"x"),
            encoded({"kid": "one"}, CLAIMS, b"x"),
            encoded([], CLAIMS, b"x"),
            encoded(b"[" * 1000, CLAIMS, b"x"),
            encoded({"alg": "RS256", "kid": 1}, CLAIMS, b"x"),
            encoded({"alg": "RS256"}, CLAIMS, b"x"),
            encoded({"alg": "RS256", "kid": ""}, CLAIMS, b"x"),
            encoded({"alg": "RS256", "kid": "one", "b64": False, "crit": ["b64"]}, b"", b"x"),
            encoded({"alg": "RS512", "kid": "one"}, CLAIMS, b"x"),
            confused(),
            "a" * 4097,
        ],
        ids=lambda text: text[:40],
    )
    def test_are_malformed(self, text: str) -> None:
        with pytest.raises(SignatureMalformed):
            GOOGLE.verify(carrying(text), HELD, NOW)
        assert GOOGLE.fetches(carrying(text), HELD) == ()

    def test_an_extension_that_must_be_understood(self) -> None:
        with pytest.raises(SignatureMalformed):
            GOOGLE.verify(carrying(token(crit=["exp"], exp=1)), HELD, NOW)

    @pytest.mark.parametrize("header", [{"jwk": jwk(rsa_key())}, {"jku": "https://evil.example"}])
    def test_a_key_that_comes_along_is_not_used(self, header: dict[str, Any]) -> None:
        delivered = carrying(token(kid="mine", **header))

        with pytest.raises(SignatureMismatch):
            GOOGLE.verify(delivered, HELD, NOW)
        assert [fetch.url for fetch in GOOGLE.fetches(delivered, HELD)] == [KEYS_URL]

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_a_token_of_which_anything_was_changed(self, part: int) -> None:
        good, other = token().split("."), token({**CLAIMS, "sub": "1"}, typ="at+jwt").split(".")
        good[part] = other[part]

        with pytest.raises(SignatureMismatch):
            GOOGLE.verify(carrying(".".join(good)), HELD, NOW)


class TestFetches:
    def test_asks_for_a_set_with_the_key(self) -> None:
        [fetch] = GOOGLE.fetches(carrying(token(kid='a"b')), HELD)

        assert fetch == Fetch(
            KEYS_URL, r"www\.googleapis\.com", r"/oauth2/v3/certs", 3600.0, r'"a\"b"'
        )
        assert fetch.parts() == ("www.googleapis.com", "/oauth2/v3/certs")

    def test_asks_for_nothing_without_a_token_or_a_set(self) -> None:
        assert GOOGLE.fetches(delivery(), HELD) == ()
        netlify = NETLIFY.sign(delivery(), "secret", NOW)
        assert NETLIFY.fetches(netlify, {"secret": ("secret",)}) == ()

    def test_the_pipe_asks_every_scheme_of_a_provider(self) -> None:
        asked = Fetch("https://example.com/", "example.com", "/")
        provider = Provider(
            "many",
            title="Many",
            signature=AnyOf((Basic("basic"), GOOGLE)),
            fetches=lambda *_: (asked,),
        )
        loaded = LoadedProvider(provider, RuleSet(()), (), "here")

        assert [each.url for each in loaded.fetches(carrying(token()), HELD)] == [
            KEYS_URL,
            asked.url,
        ]
        assert loaded.fetches(carrying(token()), {"basic": ("a:b",)}) == (asked,)
        assert loaded.fetches(carrying(token()), {}) == ()


class TestAzure:
    """https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"""

    HELD = {"audience": ("api",), "tenant": ("t1", "t2")}  # noqa: RUF012
    APP = "461e8683-5575-4561-ac7f-899cc907d62a"

    @pytest.mark.parametrize(
        ("claims", "passes"),
        [
            ({"iss": "https://login.microsoftonline.com/t2/v2.0", "azp": APP}, True),
            ({"iss": "https://sts.windows.net/t1/", "appid": APP}, True),
            ({"iss": "https://sts.windows.net/t3/", "appid": APP}, False),
            ({"iss": "https://sts.windows.net/t1/", "appid": "other"}, False),
            ({"iss": "https://sts.windows.net/t1/", "azp": "other", "appid": APP}, False),
            ({"iss": "https://sts.windows.net/t1/", "appid": APP, "roles": ["x"]}, False),
            ({"iss": "https://sts.windows.net/t1/", "appid": APP, "roles": []}, False),
        ],
    )
    def test_tenant_application_and_role(self, claims: dict[str, Any], *, passes: bool) -> None:
        full = {"aud": "api", "exp": AT + 60, "roles": ["Secure", "x"], **claims}
        delivered = carrying(token(full), url=AZURE.jwks_url)
        if passes:
            AZURE.verify(delivered, self.HELD, NOW)
        else:
            with pytest.raises(SignatureMismatch):
                AZURE.verify(delivered, self.HELD, NOW)


class TestSharedKey:
    BODY = b'{"id": "5f", "state": "ready"}'

    def netlify(self, secret: str, *, algorithm: str = "HS256", **changes: Any) -> Delivery:
        """As https://docs.netlify.com/deploy/deploy-notifications/#payload-signature has it."""
        digest = hashlib.sha256(self.BODY).hexdigest()
        claims = {"iss": "netlify", "sha256": digest, **changes}
        content = encoded({"alg": algorithm, "typ": "JWT"}, claims)
        mac = hmac.digest(secret.encode(), content.encode(), "sha256")
        return delivery(self.BODY, headers={"X-Webhook-Signature": f"{content}.{encoded(mac)}"})

    @pytest.mark.parametrize("secret", ["short", "s" * 64, "s" * 65, "s" * 200, "gehëim"])
    def test_a_token_made_without_a_library(self, secret: str) -> None:
        """Netlify lets its users choose any secret, so a short one must do."""
        NETLIFY.verify(self.netlify(secret), {"secret": ("old", secret)}, NOW)

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "other"},
            {"sha256": hashlib.sha256(b"").hexdigest()},
            {"sha256": ""},
            {"sha256": None},
            {"sha256": 1},
            {"sha256": "\u00e9"},
        ],
    )
    def test_a_claim_that_is_wrong(self, changes: dict[str, Any]) -> None:
        with pytest.raises(SignatureMismatch):
            NETLIFY.verify(self.netlify("secret", **changes), {"secret": ("secret",)}, NOW)

    def test_the_case_of_hexadecimal_does_not_matter(self) -> None:
        digest = hashlib.sha256(self.BODY).hexdigest().upper()
        NETLIFY.verify(self.netlify("secret", sha256=digest), {"secret": ("secret",)}, NOW)

    def test_another_body(self) -> None:
        delivered = replace(self.netlify("secret"), body=self.BODY + b" ")
        with pytest.raises(SignatureMismatch, match="another body"):
            NETLIFY.verify(delivered, {"secret": ("secret",)}, NOW)

    def test_another_algorithm(self) -> None:
        with pytest.raises(SignatureMalformed):
            NETLIFY.verify(self.netlify("s", algorithm="HS512"), {"secret": ("s",)}, NOW)

    def test_times_count_where_there_are_any(self) -> None:
        old = NOW + timedelta(days=1)
        with pytest.raises(SignatureStale):
            NETLIFY.verify(self.netlify("s", exp=AT), {"secret": ("s",)}, old)

    def test_without_a_header(self) -> None:
        with pytest.raises(SignatureMissing):
            NETLIFY.verify(delivery(), {"secret": ("s",)}, NOW)

    def test_without_a_claim_about_the_body_it_must_expire(self) -> None:
        scheme = Jwt(algorithms=("HS256",), issuer="us")
        made = scheme.sign(delivery(), "secret", NOW)

        scheme.verify(made, {"secret": ("secret",)}, NOW)
        with pytest.raises(SignatureStale):
            scheme.verify(made, {"secret": ("secret",)}, NOW + timedelta(hours=2))


class TestSigning:
    def test_a_provider_with_a_key_set(self) -> None:
        provider = Provider("google", title="Google", signature=GOOGLE)
        made = signed(provider, secret="x@y")

        GOOGLE.verify(made, credentials_for(GOOGLE, "x@y"), NOW)
        assert list(made.fetched) == [KEYS_URL]

    @pytest.mark.parametrize(
        ("scheme", "secret"), [(GOOGLE, ""), (replace(GOOGLE, algorithms=("ES256",)), "x")]
    )
    def test_what_cannot_be_signed(self, scheme: Jwt, secret: str) -> None:
        with pytest.raises(DefinitionError, match="cannot"):
            scheme.sign(delivery(), secret, NOW)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"algorithms": ()}, "algorithms"),
        ({"algorithms": ("HS256",)}, "algorithms"),
        ({"algorithms": ("RS256", "HS256")}, "algorithms"),
        ({"algorithms": ("none",)}, "algorithms"),
        ({"jwks_url": ""}, "algorithms"),
        ({"jwks_url": "", "algorithms": ("HS256",), "credential": ""}, "credential"),
        ({"jwks_url": "http://example.com/keys"}, "jwks_url"),
        ({"jwks_url": "https://user@example.com/keys"}, "jwks_url"),
        ({"issuer": ()}, "jwks_url"),
        ({"audience": ""}, "jwks_url"),
        ({"header": ""}, "header"),
        ({"claims": {"x": ""}}, "claims"),
        ({"claims": {"x": ()}}, "claims"),
    ],
)
def test_what_cannot_work(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        replace(GOOGLE, **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize("forms", [(), ("x",), ("{}{}",)])
def test_forms_that_cannot_work(forms: tuple[str, ...]) -> None:
    with pytest.raises(DefinitionError):
        FromCredential("tenant", forms)
    with pytest.raises(DefinitionError):
        FromCredential("")


class TestYaml:
    def test_a_key_set(self) -> None:
        found = read_scheme(
            Node(
                {
                    "type": "jwt",
                    "algorithms": "RS256",
                    "jwks_url": KEYS_URL,
                    "issuer": ["https://accounts.google.com", "accounts.google.com"],
                    "audience": "audience",
                    "claims": {
                        "email": {"credential": "service_account"},
                        "email_verified": True,
                    },
                }
            )
        )

        assert found == GOOGLE

    def test_a_shared_key(self) -> None:
        written = {
            "type": "jwt",
            "header": "X-Webhook-Signature",
            "algorithms": ["HS256"],
            "issuer": "netlify",
            "body_sha256_claim": "sha256",
            "credential": "secret",
        }
        found = read_scheme(Node(written))
        found.verify(NETLIFY.sign(delivery(), "s", NOW), {"secret": ("s",)}, NOW)

    def test_forms(self) -> None:
        form = {"credential": "tenant", "form": "https://sts.windows.net/{}/"}
        found = read_scheme(
            Node(
                {
                    "type": "jwt",
                    "algorithms": "RS256",
                    "jwks_url": AZURE.jwks_url,
                    "issuer": form,
                    "audience": "audience",
                }
            )
        )
        assert isinstance(found, Jwt)
        assert found.issuer == FromCredential("tenant", ("https://sts.windows.net/{}/",))

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"algorithms": "none"}, ("algorithms",)),
            ({"algorithms": "HS256"}, ("algorithms",)),
            ({"algorithms": None}, ()),
            ({"jwks_url": "http://example.com/"}, ("jwks_url",)),
            ({"audience": None}, ("jwks_url",)),
            ({"claims": {"x": 1}}, ("claims", "x")),
            ({"claims": {"x": {"credential": "y", "form": "z"}}}, ("claims", "x", "form")),
            ({"claims": {"x": {}}}, ("claims", "x")),
            ({"key": "x"}, ("key",)),
        ],
        ids=str,
    )
    def test_wrong(self, changes: dict[str, Any], path: tuple[str, ...]) -> None:
        right = {
            "type": "jwt",
            "algorithms": "RS256",
            "jwks_url": KEYS_URL,
            "issuer": "x",
            "audience": "audience",
        }
        with pytest.raises(NodeError) as caught:
            read_scheme(Node({**right, **changes}, ("signature",)))
        assert caught.value.path == ("signature", *path)
