"""One attempt: send a request, read its answer to the end, leave the connection alone."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from .auth import OAuth2
from .body import ENCODING, Body, BrokenBody
from .departure import Loopback, Resent, last_look
from .errors import DecodeError, EmailLogsError, InvalidInput, InvalidState, TransportError, clip
from .network import system_context
from .proxies import proxy_for
from .secret import Secret, blanked
from .tokens import TokenKeeper
from .version import __version__
from .wire import Reply, Request, urls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from yarl import URL

    from .auth import Auth
    from .network import Network, Timeouts

USER_AGENT = f"infobip_email_logs/{__version__} {aiohttp.http.SERVER_SOFTWARE}"

CHUNK = 1 << 16


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
        self._verification = network.verification()
        if session is not None and self._verification is True and base.scheme == "https":
            self._verification = system_context()  # The session's own may verify nothing.
        self._proxy = proxy_for(base, network.proxy, trust_env=network.trust_env)
        self._network = network
        self._connections = connections
        self._closed = False

    @property
    def renews(self) -> bool:
        """Whether a refused request may be accepted with credentials that are fetched anew."""
        return isinstance(self._auth, TokenKeeper)

    async def authorization(self) -> str:
        """Return what goes into ``Authorization``.

        Raises:
            InvalidInput: Credentials of the caller's own give no text.
            EmailLogsError: With OAuth 2.0, whatever went wrong with the request for a token.
        """
        auth = self._auth
        header: Any = await auth.header() if isinstance(auth, TokenKeeper) else auth.header()
        if not isinstance(header, str):
            raise InvalidInput("the credentials give something else than text as their header")
        return Secret(header)

    async def send(self, request: Request, authorization: str) -> Reply:
        """Send ``request`` once and return what comes back, whatever its status.

        Raises:
            TransportError: No whole answer arrived; its cause says why.
            DecodeError: The answer has status 200, and is larger than ``max_body``.
        """
        headers = {**request.headers, "Authorization": authorization}
        secret = Secret(authorization.rpartition(" ")[2])
        reply = await self._exchange("GET", request.url, headers, secret)
        if reply.status == HTTPStatus.UNAUTHORIZED and isinstance(self._auth, TokenKeeper):
            self._auth.forget(authorization)
        return reply

    async def _post(self, path: str, form: dict[str, str]) -> Reply:
        """Send a form to a path of the service."""
        url = urls.url(self._base, path, ())
        headers, secret = {"Accept": "application/json"}, Secret(form["client_secret"])
        return await self._exchange("POST", url, headers, secret, data=form)

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], secret: Secret, **more: Any
    ) -> Reply:
        """Send one request, and read its answer to the end; a secret in it is blanked out."""
        session = self._session()
        options = self._options(headers, session) | more
        try:
            reply = await self._received(session.request(method, url, **options))
        except _TROUBLE as error:
            told, cause = _told(error, url, secret), _cause(error, secret)
        else:
            names = {name: blanked(text, secret) for name, text in reply.headers.items()}
            return Reply(reply.status, names, blanked(reply.body, secret))
        # Raised out here, so that it does not hold what aiohttp's errors and frames hold: headers.
        raise told from cause

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
            resolver = Loopback() if self._base.scheme == "http" else None
            connector = aiohttp.TCPConnector(limit=self._connections, resolver=resolver)
            self._own = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
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
            "middlewares": (*getattr(session, "_middlewares", ()), last_look(self._base.origin())),
            "ssl": self._verification,
        }
        if self._proxy:
            options["proxy"] = self._proxy.url
            if self._proxy.authorization:
                options["proxy_headers"] = {"Proxy-Authorization": self._proxy.authorization}
        return options

    async def _received(
        self, context: AbstractAsyncContextManager[aiohttp.ClientResponse]
    ) -> Reply:
        """Read an answer to its end, and leave its connection."""
        async with context as reply:
            try:
                body = await self._body(reply)
            except (BrokenBody, DecodeError):
                if reply.status == HTTPStatus.OK:
                    raise
                body = b""  # the status says it all: a refusal is not to be asked for again
        return Reply(
            reply.status, {name.lower(): text for name, text in reply.headers.items()}, body
        )

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        """Read a body, but not without bound."""
        encoding = reply.headers.get("Content-Encoding", "")
        body = Body(encoding, most=self._network.max_body)
        async for piece in reply.content.iter_chunked(CHUNK):
            body.feed(piece)
        return body.whole()


_TROUBLE = (
    EmailLogsError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    ValueError,
    asyncio.CancelledError,
)
_HARMLESS = (
    BrokenBody,
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    Resent,
    OSError,
    TimeoutError,
)
_CONNECTING: tuple[type[BaseException], ...] = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
)
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def _cause(trouble: BaseException, secret: Secret) -> BaseException | None:
    """Return why something went wrong, as far as that tells nothing else.

    Frames of aiohttp hold the headers, its errors of connecting hold the proxy with its password,
    and others may hold what was received.
    """
    cause: BaseException | None = trouble
    while cause is not None and isinstance(cause, _CONNECTING):
        cause = cause.__cause__
    if not isinstance(cause, _HARMLESS) or blanked(said := repr(cause), secret) != said:
        return None
    cause.__cause__ = cause.__context__ = None
    return cause.with_traceback(None)


def _told(trouble: BaseException, url: URL, secret: Secret) -> BaseException:
    """Return the error for what went wrong while a request was sent."""
    if isinstance(trouble, EmailLogsError) or _was_asked_for(trouble):
        return trouble.with_traceback(None)
    if isinstance(trouble, asyncio.CancelledError):
        return TransportError("the connection was closed while a request was under way")
    if isinstance(trouble, BrokenBody):
        said = blanked(str(trouble), secret)
        return TransportError(f"the answer of {_place(url)} is broken: {said}")
    if isinstance(trouble, aiohttp.InvalidURL):
        return InvalidInput("aiohttp can't use the address of the service or of the proxy")
    if isinstance(trouble, ValueError) and not isinstance(trouble, aiohttp.ClientError):
        why = clip(blanked(str(trouble), secret))
        return InvalidInput(f"aiohttp can't send this request: {why}")
    why = blanked(_why(trouble, url), secret)
    return TransportError(why, sent=not isinstance(trouble, _NOT_SENT))


def _was_asked_for(trouble: BaseException) -> bool:
    """Say whether it is the caller who was cancelled, not something within aiohttp."""
    task = asyncio.current_task()
    return isinstance(trouble, asyncio.CancelledError) and bool(task and task.cancelling())


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
