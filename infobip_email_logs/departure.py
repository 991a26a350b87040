"""The last look at a request before it leaves: once, to its own origin, to no proxy in clear."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from .errors import InvalidInput

if TYPE_CHECKING:
    from yarl import URL


class Resent(aiohttp.ClientError):
    """The connection was dead, and aiohttp was about to send the request again by itself."""


def last_look(origin: URL) -> Any:
    """Return a middleware, to be the innermost, that lets one request through, to ``origin``.

    aiohttp sends a GET again, unasked, when a kept connection turns out to be dead. That would be
    a request that no token was taken for: it is an attempt of its own. And a session of the
    caller's may have middlewares and a proxy of its own, which would see the credentials.
    """
    sent: list[aiohttp.ClientRequest] = []

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if sent:
            raise Resent("the kept connection was dead")
        _check(request, origin)
        sent.append(request)
        return await handler(request)

    return middleware


def _check(request: aiohttp.ClientRequest, origin: URL) -> None:
    if request.url.origin() != origin:
        raise InvalidInput(f"a middleware of the session would send the credentials off {origin}")
    if request.proxy is not None and not request.is_ssl():
        raise InvalidInput(
            "a proxy would see the credentials that go over plain http://: the session that this "
            "client was given has one, or takes it from the environment"
        )


class Loopback(AbstractResolver):
    """Knows where ``localhost`` is, and asks nobody: plain HTTP goes nowhere else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of this machine, whatever it is called."""
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": kind,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for kind, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
            if family in (kind, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """Do nothing: it holds nothing."""
