"""What an account is called where several processes share its limit; never by its credentials."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from .auth import Auth, Basic, OAuth2
from .network import SHARED_BASE_URL, service_url

if TYPE_CHECKING:
    from yarl import URL

PERSONAL = ".api.infobip.com"
"""What the host of exactly one account ends with."""

_COST = {"n": 1 << 12, "r": 8, "p": 1}


def account_key(
    base_url: str | URL | None, auth: Auth | OAuth2, *, api_version: int = 1, name: str = ""
) -> str:
    """Return a key for an account and a version of the API: ``infobip-email-logs:{…}:v1``.

    The limit is the account's, so all that reach it by its personal host have one key, whatever
    their credentials. Elsewhere it is the user name or the client id that tells accounts apart,
    or a slow hash of a key or token, from which neither can be guessed. Tokens change: with
    those, name the account yourself.

    Args:
        base_url: The address of the service, as the client takes it.
        auth: The credentials, as the client takes them.
        api_version: The version of the API; each has a limit of its own.
        name: A name for the account, instead of what tells it apart otherwise.

    Raises:
        InvalidInput: The address can't be used.
    """
    url = service_url(base_url)
    told = ["named", name] if name else _identity(url, auth)
    account = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
    return f"infobip-email-logs:{{{account}}}:v{api_version}"


def _identity(url: URL, auth: Auth | OAuth2) -> list[str]:
    """Return what tells an account apart."""
    host = url.host or ""
    if host.endswith(PERSONAL) and url.scheme == "https":
        return ["host", host]
    shared = str(url) if str(url) != SHARED_BASE_URL else ""
    if isinstance(auth, Basic):
        return ["user", shared, auth.user]
    if isinstance(auth, OAuth2):
        return ["client", shared, auth.client_id]
    slow = hashlib.scrypt(auth.header().encode(), salt=b"infobip_email_logs", dklen=16, **_COST)
    return ["key", shared, slow.hex()]
