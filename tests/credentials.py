"""The credentials of the tests, and every form in which one could be told to somebody.

No output of the whole suite may hold one (``leaks.py``). Those of the sandbox are the same for
everybody, and made up as well. Characters that each encoding writes in its own way are among
theirs, so that no form goes unnoticed.
"""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from infobip_email_logs.sandbox import Credentials

KEY = "t3st-key/that+nobody=may&see"
USER = "t3st-user"
PASSWORD = "t3st-päss wörd:/+&='that\"nobody\\may%see"
SESSION_TOKEN = "t3st-session-token/that+nobody=may&see"
ACCESS_TOKEN = "t3st-access-token/that+nobody=may&see"
CLIENT_ID = "t3st-client"
CLIENT_SECRET = "t3st-client-secret/that+nobody=may&see"
PROXY_PASSWORD = "t3st-proxy-password/that+nobody=may&see"

SECRETS = {
    "the key": KEY,
    "the password": PASSWORD,
    "the session token": SESSION_TOKEN,
    "the access token": ACCESS_TOKEN,
    "the client secret": CLIENT_SECRET,
    "the proxy's password": PROXY_PASSWORD,
    "the sandbox's key": Credentials().api_key,
    "the sandbox's password": Credentials().password,
    "the sandbox's session token": Credentials().ibsso_token,
    "the sandbox's access token": Credentials().bearer_token,
    "the sandbox's client secret": Credentials().client_secret,
    "a token that the sandbox gave out": "made-up-token-",
}
"""What must not be told, by what it is called when it was."""


def accepted() -> Credentials:
    """Return these, for a sandbox that is to accept them."""
    return Credentials(
        api_key=KEY,
        username=USER,
        password=PASSWORD,
        ibsso_token=SESSION_TOKEN,
        bearer_token=ACCESS_TOKEN,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )


def forms(secret: str) -> set[bytes]:
    """Return how a secret reads where it is told: as it is, quoted, encoded, within base64."""
    plain = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="@:"),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        repr(secret.encode("latin-1"))[2:-1],
    }
    written = {text.encode() for text in plain} | {secret.encode("latin-1")}
    return written | {form for one in written for form in _within_base64(one)}


def _within_base64(secret: bytes) -> Iterator[bytes]:
    """Yield what base64 of any text shows that has a secret in it, wherever it begins."""
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        for alphabet in (b"+/", b"-_"):
            yield base64.b64encode(b"\0" * before + secret, alphabet)[first:end]


FORMS = {(name, form) for name, secret in SECRETS.items() for form in forms(secret)}
