"""The token endpoint of OAuth 2.0, for the grant of client credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .answers import Answer

if TYPE_CHECKING:
    from random import Random

    from .credentials import Credentials

TOKEN_PATH = "/auth/1/oauth2/token"  # noqa: S105 - a path is no secret


class Tokens:
    """The access tokens that were given out.

    Args:
        credentials: The client that may have one.
        random: For tokens that are new each time.
    """

    def __init__(self, credentials: Credentials, random: Random) -> None:
        self._credentials = credentials
        self._random = random
        self._ends: dict[str, float] = {}

    def issue(self, body: bytes, *, at: float, lasts: float) -> Answer:
        """Return the answer to a form: a token, or why there is none.

        Args:
            body: The form.
            at: Seconds since the sandbox started.
            lasts: Seconds that a token is good for.
        """
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type")
        known = (self._credentials.client_id, self._credentials.client_secret)
        if (form.get("client_id"), form.get("client_secret")) != known:
            return _refused(401, "invalid_client")
        token = f"made-up-token-{self._random.getrandbits(64):016x}"
        self._ends[token] = at + lasts
        told = {"access_token": token, "expires_in": lasts, "token_type": "bearer"}
        return Answer(status=200, body=json.dumps(told).encode())

    def scheme(self, authorization: str, *, at: float) -> str | None:
        """Return the scheme of a token that is good at an instant, or None."""
        scheme, _, token = authorization.partition(" ")
        return scheme if scheme == "Bearer" and at < self._ends.get(token, at) else None

    def revoke(self) -> None:
        """Let no token be good any more."""
        self._ends.clear()


def _refused(status: int, error: str) -> Answer:
    return Answer(status=status, body=json.dumps({"error": error}).encode())
