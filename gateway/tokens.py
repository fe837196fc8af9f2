"""Signed tokens (JWT, RFC 7519): the sender proves itself with claims that somebody signed."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from re import escape
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt import PyJWK, PyJWS
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import PyJWTError

from gateway.core.errors import (
    DefinitionError,
    MalformedPayload,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    Unavailable,
)
from gateway.core.model import Delivery
from gateway.core.proofs import Credentials, header_names, present_header
from gateway.core.signed_headers import check_word
from gateway.fetching import RECHECK_AGE, Fetch
from gateway.payloads import parse_json
from gateway.token_claims import (
    LEEWAY,
    LIFETIME,
    Claims,
    ClaimValue,
    FromCredential,
    check_times,
)

SHARED_KEY = ("HS256", "HS384", "HS512")
KEY_SET = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

KEY_SET_AGE = 3600.0
"""Seconds for which a key set is used; one without the key of a token is fetched again."""

_BEARER = "bearer "
_KEY_ID = "made up"
# HMAC fills up a short key with zeros anyway; filled up, it is nothing to warn of.
_BLOCK = 64
_JWS = PyJWS()


class _Token(NamedTuple):
    text: str
    algorithm: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Jwt:
    """A signed token (JWT) that claims what it must.

    It is in ``header``, with or without ``Bearer``, signed by one of ``algorithms``. The
    keys are the set at ``jwks_url``; without one, ``credential`` is the shared key.
    ``issuer`` is the claim ``iss`` and ``audience`` names the credential that ``aud`` must
    equal; a key set needs both, for it signs for others too. ``claims`` are further claims
    that the token must have, ``a|b`` being the first of both that it has.
    ``body_sha256_claim`` names the claim with the SHA-256 of the body, in hexadecimal. A
    token without it must expire.

    All credentials must be configured. `sign` makes a token with claims that hold the
    secret. It signs with the secret itself, or, as nobody but the provider has the keys of
    a key set, with a made-up one, whose set is then in ``fetched``.

    Raises `DefinitionError` if the scheme cannot work.
    """

    header: str | tuple[str, ...] = "Authorization"
    algorithms: tuple[str, ...] = ("RS256",)
    jwks_url: str = ""
    issuer: ClaimValue = ()
    audience: str = ""
    claims: Mapping[str, ClaimValue] = field(default_factory=dict)
    body_sha256_claim: str = ""
    credential: str = "secret"
    _headers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _claims: Claims = field(init=False, repr=False, compare=False)
    _fetch: Fetch | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_headers", header_names(self.header))
        object.__setattr__(self, "_claims", self._all_claims())
        object.__setattr__(self, "_fetch", self._key_set())
        if not self.algorithms:
            raise DefinitionError("no algorithm is named", field="algorithms")
        for algorithm in self.algorithms:
            # Never of both kinds: a public key must not become a shared one.
            check_word("algorithms", algorithm, KEY_SET if self.jwks_url else SHARED_KEY)
        if self.jwks_url and not (self.issuer and self.audience):
            raise DefinitionError(
                "whoever has a token of this key set could send",
                field="jwks_url",
                hint="name issuer and audience",
            )
        if not self.jwks_url and not self.credential:
            raise DefinitionError("no credential is named", field="credential")

    def _all_claims(self) -> Claims:
        found: dict[str, ClaimValue] = {"iss": self.issuer} if self.issuer else {}
        if self.audience:
            found["aud"] = FromCredential(self.audience)
        return Claims({**found, **self.claims})

    def _key_set(self) -> Fetch | None:
        if not self.jwks_url:
            return None
        try:
            host, path = Fetch(self.jwks_url, ".*", ".*").parts()
        except SignatureMalformed:
            raise DefinitionError(
                f"{self.jwks_url!r} is not a plain https address", field="jwks_url"
            ) from None
        return Fetch(self.jwks_url, escape(host), escape(path), KEY_SET_AGE)

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The shared key if there is one, and what claims are compared with."""
        own = () if self.jwks_url else (self.credential,)
        return tuple(dict.fromkeys((*own, *self._claims.credential_names)))

    @property
    def tolerance(self) -> int | None:
        """The seconds after which what `sign` made is stale; None for a token without an end."""
        return None if self.body_sha256_claim else LIFETIME + LEEWAY

    def problem(self, secret: str) -> str:
        """Why this text cannot be a credential; empty if it can."""
        return "" if secret else "it is empty"

    def fetches(self, delivery: Delivery, credentials: Credentials) -> tuple[Fetch, ...]:
        """The key set, with the key that the token names; nothing for what is no token."""
        if self._fetch is None or not all(map(credentials.get, self.credential_names)):
            return ()
        try:
            token = self._token(delivery)
        except SignatureError:
            return ()
        return (replace(self._fetch, contains=json.dumps(token.key_id)),)

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if the token is signed, and claims what it must.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureMismatch`, and
        `SignatureStale` only for what was signed rightly; `Unavailable` for a key set that
        cannot be read.
        """
        for name in self.credential_names:
            if not credentials.get(name):
                raise SignatureMismatch(f"no {name} is configured")
        token = self._token(delivery)
        claims = _signed_claims(token, self._keys(token, delivery, credentials))
        self._claims.check(claims, credentials)
        if self.body_sha256_claim:
            _check_body(claims.get(self.body_sha256_claim), delivery.body)
        elif claims.get("exp") is None:
            raise SignatureMalformed("the token never expires")
        check_times(claims, now)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add a token, and for one of a key set also the set, as fetched.

        Raises `DefinitionError` for an empty secret, or a key set of other than RSA keys.
        """
        if problem := self.problem(secret):
            raise DefinitionError(f"cannot sign: {problem}")
        claims = self._claims.made_up(secret)
        if self.body_sha256_claim:
            claims[self.body_sha256_claim] = hashlib.sha256(delivery.body).hexdigest()
        else:
            claims |= {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + LIFETIME}
        algorithm = self.algorithms[0]
        key: bytes | RSAPrivateKey = _shared_key(secret)
        headers, fetched = {}, delivery.fetched
        if self.jwks_url:
            if not algorithm.startswith(("RS", "PS")):
                raise DefinitionError(f"cannot make up a key for {algorithm}")
            key, headers = _made_up_key(), {"kid": _KEY_ID}
            fetched = {**fetched, self.jwks_url: _key_set_of(key)}
        text = _JWS.encode(json.dumps(claims).encode(), key, algorithm, headers)
        name = self._headers[0]
        value = f"Bearer {text}" if name == "authorization" else text
        return replace(delivery, headers={**delivery.headers, name: value}, fetched=fetched)

    def _token(self, delivery: Delivery) -> _Token:
        text = present_header(delivery, self._headers)
        if text.lower().startswith(_BEARER):
            text = text[len(_BEARER) :].strip()
        try:
            header = _JWS.get_unverified_header(text)
        except PyJWTError as error:
            raise SignatureMalformed(f"this is not a signed token: {error}") from None
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in self.algorithms:
            raise SignatureMalformed("the token is signed with another algorithm")
        if "crit" in header or (self.jwks_url and not key_id):
            raise SignatureMalformed("the token has an extension, or names no key")
        return _Token(text, algorithm, key_id)

    def _keys(
        self, token: _Token, delivery: Delivery, credentials: Credentials
    ) -> Iterator[bytes | PyJWK]:
        if not self.jwks_url:
            yield from map(_shared_key, filter(None, credentials[self.credential]))
            return
        for key in _read_key_set(delivery.fetched.get(self.jwks_url)):
            if key.get("kid") == token.key_id and key.get("use", "sig") == "sig":
                try:
                    yield PyJWK(key, token.algorithm)
                except PyJWTError:
                    continue


def _signed_claims(token: _Token, keys: Iterator[bytes | PyJWK]) -> dict[str, Any]:
    for key in keys:
        try:
            payload = _JWS.decode(token.text, key, [token.algorithm])
        except PyJWTError:
            continue
        return _object(payload)
    raise SignatureMismatch("no current key gives this signature")


def _object(payload: bytes) -> dict[str, Any]:
    try:
        claims = parse_json(payload)
    except MalformedPayload:
        claims = None
    if not isinstance(claims, dict):
        raise SignatureMalformed("the token holds no claims")
    return claims


def _check_body(claim: Any, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    given = claim.lower() if isinstance(claim, str) else ""
    if not hmac.compare_digest(given.encode(), digest.encode()):
        raise SignatureMismatch("the token is about another body")


def _read_key_set(content: bytes | None) -> list[dict[str, Any]]:
    if content is None:
        raise SignatureMismatch("the key set was not fetched")
    try:
        keys = parse_json(content)["keys"]
    except (MalformedPayload, KeyError, TypeError):
        raise Unavailable("the key set cannot be read", retry_after=RECHECK_AGE) from None
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _shared_key(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass").ljust(_BLOCK, b"\0")


@cache
def _made_up_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _key_set_of(key: RSAPrivateKey) -> bytes:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return json.dumps({"keys": [{**public, "kid": _KEY_ID, "use": "sig"}]}).encode()
