"""Where a proxy is, and what it is told; what it must not see is not sent through it."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import attrs
from yarl import URL

from .auth import Basic
from .errors import InvalidInput
from .secret import Secret


@attrs.frozen
class Proxy:
    """An HTTP proxy.

    Attributes:
        url: Its address, without user and password.
        authorization: What goes into ``Proxy-Authorization``, if anything does.
    """

    url: URL
    authorization: Secret | None = attrs.field(repr=False)


def check(value: object) -> None:
    """Refuse what is no address of a proxy, without repeating it: it may hold a password.

    Raises:
        InvalidInput: It is none.
    """
    _address(value, "the proxy")


def proxy_for(service: URL, named: str | None, *, trust_env: bool) -> Proxy | None:
    """Return the proxy that the service is asked through, if any.

    HTTPS goes through a proxy as through a tunnel. Plain HTTP would be read by it, so that it
    takes none: one that is named is refused, one of the environment is for others.

    Args:
        service: The address of the service.
        named: The proxy that was asked for.
        trust_env: Whether ``HTTPS_PROXY`` and ``NO_PROXY`` are looked at, if none was.

    Raises:
        InvalidInput: It can't be used.
    """
    if service.scheme == "http":
        if named is not None:
            raise InvalidInput("a proxy would see the credentials that go over plain http://")
        return None
    if named is not None:
        return _proxy(_address(named, "the proxy"))
    found = getproxies().get("https") if trust_env else None
    if not found or proxy_bypass(service.host or ""):
        return None
    return _proxy(_address(found if "://" in found else f"http://{found}", "HTTPS_PROXY"))


def _proxy(url: URL) -> Proxy:
    header = None if url.user is None else Basic(url.user, url.password or "").header()
    return Proxy(url.with_user(None), header)


def _address(value: object, name: str) -> URL:
    """Return the address of a proxy."""
    try:
        url = URL(value)  # type: ignore[arg-type]
        usable = bool(url.scheme in ("http", "https") and url.host and url.port)
        usable = usable and not (url.path.strip("/") or url.query_string or url.fragment)
    except (ValueError, TypeError):
        url, usable = URL(), False
    if not usable:
        raise InvalidInput(
            f"{name} must be an address such as http://user:password@proxy.example.com:8080; "
            "percent-encode what is not plain in the password"
        )
    return url
