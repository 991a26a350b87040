"""Where the service is, and how it is reached: addresses and settings, checked when given."""

from __future__ import annotations

import math
import ssl
from ipaddress import ip_address
from typing import Any

import attrs
from yarl import URL

from .errors import InvalidInput, clip

SHARED_BASE_URL = "https://api.infobip.com"
"""The host that serves every account; a personal one is ``https://<name>.api.infobip.com``."""


def _check_seconds(_timeouts: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not 0 < value < math.inf:
        raise InvalidInput(f"the {field.name} timeout must be above zero seconds, not {value!r}")


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take, in seconds.

    Attributes:
        connect: Until a connection is there.
        read: Between two pieces of the answer.
        total: In all.
    """

    connect: float = attrs.field(default=10.0, validator=_check_seconds)
    read: float = attrs.field(default=30.0, validator=_check_seconds)
    total: float = attrs.field(default=120.0, validator=_check_seconds)


def service_url(text: str | URL | None) -> URL:
    """Return the address of the service: ``https://`` where no scheme is named, no last slash.

    Raises:
        InvalidInput: It is no address; or plain ``http://`` to a host other than this machine.
    """
    said = str(text or SHARED_BASE_URL).strip()
    try:
        url = URL(said if "://" in said else f"https://{said}")
        host, port = url.host, url.port
    except ValueError:
        host = port = None
        url = URL()
    if not host or port == 0 or url.scheme not in ("http", "https"):
        raise InvalidInput(
            "the base URL must be an address such as https://xyz.api.infobip.com, "
            f"not {clip(said.rpartition('@')[2])!r}"
        )
    if url.user or url.password or url.query_string or url.fragment:
        raise InvalidInput("the base URL must have no user, password, query or fragment in it")
    if url.scheme == "http" and not _loopback(host):
        raise InvalidInput(
            f"plain http:// would send the credentials in clear to {host}; use https://"
        )
    return url.with_path(url.raw_path.rstrip("/"), encoded=True)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.endswith(".localhost")


def _check_proxy(_network: object, _field: object, value: Any) -> None:
    """Refuse what is no address, without repeating it: it may hold a password."""
    if value is None:
        return
    try:
        url = URL(value)
        usable = bool(url.scheme in ("http", "https") and url.host and url.port)
        usable = usable and not (url.path.strip("/") or url.query_string or url.fragment)
    except (ValueError, TypeError):
        usable = False
    if not usable:
        raise InvalidInput(
            "the proxy must be an address such as http://user:password@proxy.example.com:8080; "
            "percent-encode what is not plain in the password"
        )


def _check_bytes(_network: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{field.name} must be a number of bytes from 1 on, not {value!r}")


@attrs.frozen(kw_only=True)
class Network:
    """How the service is reached. Nothing here can switch the verification of TLS off.

    Attributes:
        proxy: The address of an HTTP proxy.
        ca_file: A file of further certificate authorities, beside the system's.
        ssl_context: A context of your own, instead.
        trust_env: Whether ``HTTPS_PROXY`` and its like are looked at.
        max_body: The bytes that an answer may hold, decompressed.
    """

    proxy: str | None = attrs.field(default=None, repr=False, validator=_check_proxy)
    ca_file: str | None = None
    ssl_context: ssl.SSLContext | None = None
    trust_env: bool = False
    max_body: int = attrs.field(default=32 << 20, validator=_check_bytes)

    def verification(self) -> ssl.SSLContext | bool:
        """Return what aiohttp is to verify certificates with."""
        if self.ssl_context is not None:
            return self.ssl_context
        if self.ca_file is None:
            return True
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(f"{self.ca_file} can't be used as CA file: {error}") from error
        return context
