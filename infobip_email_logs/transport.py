"""One attempt: send a request, read its answer to the end, leave the connection alone.

The only module on the client's side that imports aiohttp.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from .auth import OAuth2
from .body import ENCODING, Body, BrokenBody
from .errors import InvalidInput, InvalidState, TransportError, clip
from .tokens import TokenKeeper
from .version import __version__
from .wire import Reply, Request, urls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from .auth import Auth
    from .network import Network, Timeouts

USER_AGENT = f"infobip_email_logs/{__version__} {aiohttp.http.SERVER_SOFTWARE}"

CHUNK = 1 << 16


class Resent(aiohttp.ClientError):
    """The connection was dead, and aiohttp was about to send the request again by itself."""


def _once() -> Any:
    """Return a middleware, to be the innermost, that lets one request through.

    aiohttp sends a GET again, unasked, when a kept connection turns out to be dead. That would be
    a request that no token was taken for: it is an attempt of its own.
    """
    sent: list[aiohttp.ClientRequest] = []

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if sent:
            raise Resent("the kept connection was dead")
        sent.append(request)
        return await handler(request)

    return middleware


class Transport:
    """Sends requests, with credentials that nothing else sees.

    Args:
        base: The address of the service.
        auth: What goes into ``Authorization``.
        session: A session of the caller's, never closed here; else one is made when needed.
        timeouts: How long an attempt may take.
        network: How the service is reached.
        connections: How many connections are opened, at most.
    """

    def __init__(
        self,
        base: URL,
        auth: Auth | OAuth2,
        *,
        session: aiohttp.ClientSession | None,
        timeouts: Timeouts,
        network: Network,
        connections: int,
    ) -> None:
        self._base = base
        self._auth = TokenKeeper(auth, self._post) if isinstance(auth, OAuth2) else auth
        self._given = session
        self._own: aiohttp.ClientSession | None = None
        self._timeout = aiohttp.ClientTimeout(
            total=timeouts.total, connect=timeouts.connect, sock_read=timeouts.read
        )
        self._network = network
        self._verification = network.verification()
        self._connections = connections
        self._closed = False

    @property
    def renews(self) -> bool:
        """Whether a refused request may be accepted with credentials that are fetched anew."""
        return isinstance(self._auth, TokenKeeper)

    async def authorization(self) -> str:
        """Return what goes into ``Authorization``.

        Raises:
            EmailLogsError: With OAuth 2.0, whatever went wrong with the request for a token.
        """
        auth = self._auth
        return await auth.header() if isinstance(auth, TokenKeeper) else auth.header()

    async def send(self, request: Request, authorization: str) -> Reply:
        """Send ``request`` once and return what comes back, whatever its status.

        Raises:
            TransportError: No whole answer arrived; its cause says why.
            DecodeError: The answer is larger than ``max_body``.
        """
        headers = {**request.headers, "Authorization": authorization}
        reply = await self._exchange("GET", request.url, headers)
        if reply.status == HTTPStatus.UNAUTHORIZED and isinstance(self._auth, TokenKeeper):
            self._auth.forget(authorization)
        return reply

    async def _post(self, path: str, form: dict[str, str]) -> Reply:
        """Send a form to a path of the service."""
        url = urls.url(self._base, path, ())
        return await self._exchange("POST", url, {"Accept": "application/json"}, data=form)

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], **more: Any
    ) -> Reply:
        """Send one request, and read its answer to the end."""
        session = self._session()
        options = self._options(headers, session) | more
        try:
            async with session.request(method, url, **options) as reply:
                body = await self._body(reply)
        except _TROUBLE as error:
            trouble: BaseException = error
        else:
            names = {name.lower(): value for name, value in reply.headers.items()}
            return Reply(reply.status, names, body)
        # Raised out here, so that it does not hold what aiohttp's errors hold: the headers.
        raise _told(trouble, url) from (trouble if isinstance(trouble, _HARMLESS) else None)

    async def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        self._closed = True
        if isinstance(self._auth, TokenKeeper):
            await self._auth.close()
        own, self._own = self._own, None
        if own is not None:
            await own.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise InvalidState("this client is closed")
        if self._given is not None:
            if self._given.closed:
                raise InvalidState("the aiohttp session that this client was given is closed")
            return self._given
        if self._own is None:
            self._own = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._network.trust_env,
            )
        return self._own

    def _options(
        self, headers: Mapping[str, str], session: aiohttp.ClientSession
    ) -> dict[str, Any]:
        options: dict[str, Any] = {
            "headers": {
                **headers,
                "User-Agent": USER_AGENT,
                "Accept-Encoding": ENCODING,
            },
            "auto_decompress": False,  # else one piece may become a gigabyte
            "allow_redirects": False,
            "raise_for_status": False,
            "timeout": self._timeout,
            "proxy": self._network.proxy,
            "middlewares": (*getattr(session, "_middlewares", ()), _once()),
        }
        if self._verification is not True:
            options["ssl"] = self._verification
        return options

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        """Read a body, but not without bound."""
        encoding = reply.headers.get("Content-Encoding", "")
        body = Body(encoding, most=self._network.max_body)
        async for piece in reply.content.iter_chunked(CHUNK):
            body.feed(piece)
        return body.whole()


_TROUBLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError, asyncio.CancelledError)
_HARMLESS = (
    BrokenBody,
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    Resent,
    OSError,
    TimeoutError,
)
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def _told(trouble: BaseException, url: URL) -> BaseException:
    """Return the error for what went wrong while a request was sent."""
    if isinstance(trouble, asyncio.CancelledError):
        task = asyncio.current_task()
        if task and task.cancelling():
            return trouble
        return TransportError("the connection was closed while a request was under way")
    if isinstance(trouble, BrokenBody):
        return TransportError(f"the answer of {_place(url)} is broken: {trouble}")
    if isinstance(trouble, aiohttp.InvalidURL):
        return InvalidInput("aiohttp can't use the address of the service or of the proxy")
    if isinstance(trouble, ValueError) and not isinstance(trouble, aiohttp.ClientError):
        return InvalidInput(f"aiohttp can't send this request: {clip(str(trouble))}")
    return TransportError(_why(trouble, url), sent=not isinstance(trouble, _NOT_SENT))


def _why(error: BaseException, url: URL) -> str:
    """Return one line that says what went wrong on the way to the service, without the query."""
    place = _place(url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name of {place} can't be resolved: {clip(str(error.os_error))}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {place} is not trusted: {clip(str(error.certificate_error))}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{place} can't be reached: {clip(str(error.os_error))}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{place} or a proxy answered {error.status} {clip(error.message)}"
    if isinstance(error, asyncio.TimeoutError):
        return f"{place} did not answer in time ({clip(str(error)) or type(error).__name__})"
    return f"the answer of {place} did not arrive: {clip(str(error)) or type(error).__name__}"


def _place(url: URL) -> str:
    port = f":{url.explicit_port}" if url.explicit_port else ""
    return f"{url.scheme}://{url.host_subcomponent}{port}"
