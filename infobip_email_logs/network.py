"""Where the service is, and how it is reached: addresses and settings, checked when given."""

from __future__ import annotations

import functools
import math
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import attrs
from yarl import URL

from . import proxies
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
    said = str(SHARED_BASE_URL if text is None else text).strip()
    try:
        url = URL(said if "://" in said else f"https://{said}")
        host, port = url.host, url.port
    except ValueError:
        host = port = None
        url = URL()
    if not host or port == 0 or url.scheme not in ("http", "https"):
        raise InvalidInput(
            "the base URL must be an address such as https://xyz.api.infobip.com, "
            f"not {clip(_harmless(said))!r}"
        )
    if url.user or url.password or url.query_string or url.fragment:
        raise InvalidInput("the base URL must have no user, password, query or fragment in it")
    if url.scheme == "http" and not _loopback(host):
        raise InvalidInput(
            f"plain http:// would send the credentials in clear to {host}; use https://"
        )
    return url.with_path(url.raw_path.rstrip("/"), encoded=True)


def _harmless(said: str) -> str:
    """Return an address without what may be a password or a key in it.

    A password may hold what ends an address, and a key what ends a password.
    """
    plain = said.partition("?")[0].partition("#")[0]
    return "…" if "@" in said[len(plain) :] else plain.rpartition("@")[2]


def _loopback(host: str) -> bool:
    """Say whether a host is this machine: 127.0.0.0/8, ::1, localhost, and names below it.

    What Python says of other addresses, such as IPv4's within IPv6, differs by its version.
    """
    try:
        address = ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        return name == "localhost" or name.endswith(".localhost")
    if isinstance(address, IPv4Address):
        return address.is_loopback
    return address == IPv6Address("::1")


def _check_proxy(_network: object, _field: object, value: Any) -> None:
    if value is not None:
        proxies.check(value)


def _check_context(_network: object, _field: object, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, ssl.SSLContext):
        raise InvalidInput("ssl_context must be an ssl.SSLContext; TLS can't be switched off")
    if value.verify_mode is not ssl.CERT_REQUIRED or not value.check_hostname:
        raise InvalidInput(
            "this ssl_context does not verify certificates and their names, and whoever is on the "
            "way could read the credentials; begin with ssl.create_default_context()"
        )


def _check_bytes(_network: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{field.name} must be a number of bytes from 1 on, not {value!r}")


@attrs.frozen(kw_only=True)
class Network:
    """How the service is reached. Nothing here can switch the verification of TLS off.

    Attributes:
        proxy: The address of an HTTP proxy. HTTPS only: it would see what goes over plain HTTP.
        ca_file: A file of further certificate authorities, beside the system's.
        ssl_context: A context of your own, instead; it must verify certificates and their names.
        trust_env: Whether ``HTTPS_PROXY`` and ``NO_PROXY`` are looked at.
        max_body: The bytes that an answer may hold, decompressed.
    """

    proxy: str | None = attrs.field(default=None, repr=False, validator=_check_proxy)
    ca_file: str | None = None
    ssl_context: ssl.SSLContext | None = attrs.field(default=None, validator=_check_context)
    trust_env: bool = False
    max_body: int = attrs.field(default=32 << 20, validator=_check_bytes)

    def verification(self) -> ssl.SSLContext | bool:
        """Return what certificates are verified with; True leaves it to aiohttp's own context.

        Raises:
            InvalidInput: The CA file can't be used.
        """
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


@functools.cache
def system_context() -> ssl.SSLContext:
    """Return the context that trusts whom the system trusts: reading them takes a while."""
    return ssl.create_default_context()
