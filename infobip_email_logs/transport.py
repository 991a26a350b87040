"""One attempt: send a request, read its answer to the end, leave the connection alone.

The only module on the client's side that imports aiohttp.
"""

from __future__ import annotations

import asyncio
import math
import ssl as ssl_module
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs
from yarl import URL

from .errors import DecodeError, InvalidInput, InvalidState, TransportError, clip
from .version import __version__
from .wire import Reply, Request, urls

if TYPE_CHECKING:
    from collections.abc import Mapping

from .auth import Auth, OAuth2
from .tokens import TokenKeeper

SHARED_BASE_URL = "https://api.infobip.com"
"""The host that serves every account; a personal one is ``https://<name>.api.infobip.com``."""

USER_AGENT = f"infobip_email_logs/{__version__} {aiohttp.http.SERVER_SOFTWARE}"

CHUNK = 1 << 16


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
    ssl_context: ssl_module.SSLContext | None = None
    trust_env: bool = False
    max_body: int = attrs.field(default=32 << 20, validator=_check_bytes)

    def verification(self) -> ssl_module.SSLContext | bool:
        """Return what aiohttp is to verify certificates with."""
        if self.ssl_context is not None:
            return self.ssl_context
        if self.ca_file is None:
            return True
        context = ssl_module.create_default_context()
        try:
            context.load_verify_locations(self.ca_file)
        except (OSError, ssl_module.SSLError) as error:
            raise InvalidInput(f"{self.ca_file} can't be used as CA file: {error}") from error
        return context


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
            },
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
        pieces = bytearray()
        async for piece in reply.content.iter_chunked(CHUNK):
            pieces += piece
            if len(pieces) > self._network.max_body:
                raise DecodeError(
                    f"the answer is larger than {self._network.max_body} bytes (max_body)"
                )
        return bytes(pieces)


_TROUBLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError, asyncio.CancelledError)
_HARMLESS = (
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
    if isinstance(trouble, aiohttp.InvalidURL):
        return InvalidInput("aiohttp can't use the address of the service or of the proxy")
    if isinstance(trouble, ValueError) and not isinstance(trouble, aiohttp.ClientError):
        return InvalidInput(f"aiohttp can't send this request: {clip(str(trouble))}")
    return TransportError(_why(trouble, url), sent=not isinstance(trouble, _NOT_SENT))


def _why(error: BaseException, url: URL) -> str:
    """Return one line that says what went wrong on the way to the service, without the query."""
    place = f"{url.scheme}://{url.host_subcomponent}" + (
        f":{url.explicit_port}" if url.explicit_port else ""
    )
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
