"""What goes into the ``Authorization`` header; no I/O, and no secret in any ``repr``.

All four ways are accepted by both versions of the API (API reference, "Authorizations").
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import attrs

from .errors import DecodeError, InvalidInput
from .secret import Secret

_VISIBLE = re.compile(r"[\x21-\x7e]+")


@runtime_checkable
class Auth(Protocol):
    """Anything that knows what to put into the ``Authorization`` header."""

    def header(self) -> str:
        """Return the value of the header."""
        ...  # pragma: no cover - a protocol's body never runs


GRACE = 30.0
"""Seconds before its end at which an OAuth 2.0 token is renewed."""

SHORTEST = 60.0
"""Seconds that a token is taken to be good for where the service does not say."""


def _secret(name: str, prefix: str) -> Any:
    """Return a field for one credential: no ``repr``, no white space, its scheme cut off."""

    def convert(value: object) -> Secret:
        if not isinstance(value, str):
            raise InvalidInput(f"{name} must be text, not {type(value).__name__}")
        text = value.strip()
        scheme, _, rest = text.partition(" ")
        if prefix and scheme.lower() == prefix.lower():
            text = rest.strip()
        if not _VISIBLE.fullmatch(text):
            raise InvalidInput(
                f"{name} is empty, or has white space or characters that no header can carry in it"
            )
        return Secret(text)

    return cast("Any", attrs.field(repr=False, converter=convert))


@attrs.frozen
class ApiKey:
    """An API key, with or without the ``App`` in front that people store it with."""

    key: str = _secret("the API key", "App")

    def header(self) -> Secret:
        """Return ``App <key>``."""
        return Secret(f"App {self.key}")


def _hidden(value: Any) -> Any:
    """Return a text as one that is not shown; what is none is for the validator."""
    return Secret(value) if isinstance(value, str) else value


def _check_user(_auth: object, _field: object, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidInput("the user name must be text and not empty")
    if ":" in value:
        raise InvalidInput("the user name must not hold a colon: it would end there")
    _check_encodable("the user name", value)


def _check_password(_auth: object, _field: object, value: Any) -> None:
    if not isinstance(value, str):
        raise InvalidInput("the password must be text")
    _check_encodable("the password", value)


def _check_encodable(name: str, value: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(f"{name} has characters in it that UTF-8 can't carry")


@attrs.frozen
class Basic:
    """A user and a password, sent as UTF-8; or :meth:`encoded`, where they are base64 already."""

    user: str = attrs.field(repr=False, converter=_hidden, validator=_check_user)
    password: str = attrs.field(repr=False, converter=_hidden, validator=_check_password)

    @classmethod
    def encoded(cls, token: str) -> Basic:
        """Return the credentials from ``base64(user:password)``, with or without ``Basic ``.

        Raises:
            InvalidInput: It is not base64, or has no colon in it.
        """
        text = token.strip()
        if text[:6].lower() == "basic ":
            text = text[6:].strip()
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            colon = user = password = ""
        if not colon:
            raise InvalidInput("the ready-made Basic credentials must be base64 of user:password")
        return cls(user, password)

    def header(self) -> Secret:
        """Return ``Basic <base64 of user:password>``."""
        pair = f"{self.user}:{self.password}".encode()
        return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")


@attrs.frozen
class IbssoToken:
    """A session token, as the service's sign-in hands it out."""

    token: str = _secret("the session token", "IBSSO")

    def header(self) -> Secret:
        """Return ``IBSSO <token>``."""
        return Secret(f"IBSSO {self.token}")


@attrs.frozen
class Bearer:
    """An OAuth 2.0 access token that somebody else renews."""

    token: str = _secret("the access token", "Bearer")

    def header(self) -> Secret:
        """Return ``Bearer <token>``."""
        return Secret(f"Bearer {self.token}")


@attrs.frozen
class Token:
    """An OAuth 2.0 access token.

    Attributes:
        header: What goes into ``Authorization``.
        since: When it was asked for, on the clock of whoever asked.
        until: When it is to be renewed, on the same clock.
    """

    header: str = attrs.field(repr=False)
    since: float
    until: float


@attrs.frozen
class OAuth2:
    """OAuth 2.0 client credentials: a token is fetched when needed, and renewed before its end.

    Its request goes to ``/auth/1/oauth2/token`` of the same host, and is no part of the limit.
    """

    client_id: str = _secret("the client id", "")
    client_secret: str = _secret("the client secret", "")

    PATH: ClassVar[str] = "/auth/1/oauth2/token"

    def form(self) -> dict[str, str]:
        """Return the fields of the request for a token."""
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "client_credentials",
        }

    def token(self, body: bytes, asked: float) -> Token:
        """Return the token of an answer.

        Args:
            body: The answer's body.
            asked: When it was asked for.

        Raises:
            DecodeError: There is no token in it. The body is not shown.
        """
        header, lasts = _told(body)
        if not lasts > 0:
            del body  # Whoever shows the variables of this frame must not show half a token.
            raise DecodeError("the answer of the token endpoint holds no access token")
        return Token(header, asked, asked + max(lasts - GRACE, lasts / 2))


def _told(body: bytes) -> tuple[str, float]:
    """Return what a token endpoint's answer holds: a header, and for how many seconds."""
    try:
        told: Any = json.loads(body)
        header = Bearer(told["access_token"]).header()
        return header, float(told.get("expires_in") or SHORTEST)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return "", math.nan
