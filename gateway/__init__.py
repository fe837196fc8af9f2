"""Taco Gateway: turns the webhooks of other platforms into status.

The names below are all that plugins import.
"""

from gateway.addresses import AddressRefused
from gateway.asymmetric import Ed25519
from gateway.bodies import Body, Unwrap
from gateway.channel_kind import (
    AlertNotSent,
    ChannelKind,
    Message,
    Setting,
    Settings,
    SettingWrong,
    TransitionTold,
)
from gateway.core.errors import (
    DefinitionError,
    MalformedPayload,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Change, Delivery, Outcome, Status
from gateway.core.signatures import (
    AnyOf,
    Basic,
    Bearer,
    Credentials,
    HeaderEquals,
    Hmac,
    Pairs,
    QueryEquals,
    Scheme,
    Segments,
    Timestamp,
    Unsigned,
)
from gateway.fetching import Fetch
from gateway.hookspecs import Register, RegisterChannel, hookimpl
from gateway.outgoing import Answer, NoAnswer, Outgoing
from gateway.payloads import is_form, parse_form, parse_json
from gateway.provider import Credential, Provider, Reply
from gateway.token_claims import FromCredential
from gateway.tokens import Jwt

__all__ = [
    "AddressRefused",
    "AlertNotSent",
    "Answer",
    "AnyOf",
    "Basic",
    "Bearer",
    "Body",
    "Change",
    "ChannelKind",
    "Credential",
    "Credentials",
    "DefinitionError",
    "Delivery",
    "Ed25519",
    "Fetch",
    "FromCredential",
    "HeaderEquals",
    "Hmac",
    "Jwt",
    "MalformedPayload",
    "Message",
    "NoAnswer",
    "Outcome",
    "Outgoing",
    "Pairs",
    "Provider",
    "QueryEquals",
    "Register",
    "RegisterChannel",
    "Reply",
    "Scheme",
    "Segments",
    "Setting",
    "SettingWrong",
    "Settings",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "SignatureStale",
    "Status",
    "Timestamp",
    "TransitionTold",
    "Unsigned",
    "Unwrap",
    "hookimpl",
    "is_form",
    "parse_form",
    "parse_json",
]

__version__ = "0.1.0"
