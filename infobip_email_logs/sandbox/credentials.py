"""The credentials that a sandbox accepts; made up, and the same everywhere."""

from __future__ import annotations

import base64
import binascii

import attrs


@attrs.frozen(kw_only=True)
class Credentials:
    """What the sandbox takes in ``Authorization``: any of the four; and what it gives a token for.

    Attributes:
        api_key: For ``App``.
        username: For ``Basic``.
        password: For ``Basic``.
        ibsso_token: For ``IBSSO``.
        bearer_token: For ``Bearer``.
        client_id: For an OAuth 2.0 token.
        client_secret: For an OAuth 2.0 token.
    """

    api_key: str = "made-up-api-key"
    username: str = "made-up-user"
    password: str = attrs.field(default="made-up-password", repr=False)
    ibsso_token: str = attrs.field(default="made-up-session-token", repr=False)
    bearer_token: str = attrs.field(default="made-up-access-token", repr=False)
    client_id: str = "made-up-client"
    client_secret: str = attrs.field(default="made-up-client-secret", repr=False)

    def scheme(self, authorization: str) -> str | None:
        """Return the scheme that ``authorization`` uses, or None when it is not accepted."""
        scheme, _, told = authorization.partition(" ")
        if scheme == "Basic":
            told = _decoded(told)
        return scheme if told and told == self._expected().get(scheme) else None

    def _expected(self) -> dict[str, str]:
        return {
            "App": self.api_key,
            "Basic": f"{self.username}:{self.password}",
            "IBSSO": self.ibsso_token,
            "Bearer": self.bearer_token,
        }


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
