"""A service and a client between which everything of docs/failures.md can go wrong."""

import asyncio
import socket
import ssl
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver, ResolveResult

from infobip_email_logs import (
    ApiKey,
    EmailLogsClient,
    LocalLimiter,
    Network,
    OAuth2,
    RetryPolicy,
    TimeLimit,
)
from infobip_email_logs.limiter import End
from infobip_email_logs.sandbox import FAULTS, Fault, Sandbox, Settings, Traffic

DATA = Path(__file__).parent / "data"
BULKS = Traffic(bulks=4, bulk_size=(5, 20), loose=0)
ATTEMPTS = 3

NOWHERE = -1
"""The way to a name that has no address."""


class Ways(AbstractResolver):
    """Leads to a port, or to others first.

    Args:
        port: Where the service is.

    Attributes:
        others: The ports for the next connections.
        always: The port for all behind them.
    """

    def __init__(self, port: int) -> None:
        self.others: deque[int] = deque()
        self.always = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Lead to the next port."""
        way = self.others.popleft() if self.others else self.always
        if way == NOWHERE:
            raise OSError(-2, "Name or service not known")
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=way, family=2, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Have nothing to close."""


class Told(LocalLimiter):
    """A limiter that notes how its permits ended."""

    def __init__(self) -> None:
        super().__init__(TimeLimit(10_000, per=60))
        self.given = 0
        self.ends: Counter[str] = Counter()

    async def acquire(self, **options: Any) -> Any:
        """Count one more."""
        self.given += 1
        return await super().acquire(**options)

    def _settle(self, sent_at: float, end: End, retry_after: float | None) -> None:
        self.ends[end.name.lower()] += 1
        super()._settle(sent_at, end, retry_after)


@attrs.frozen
class Played:
    """A service, a client, and a fault that has not happened yet.

    Attributes:
        sandbox: The service.
        client: The client.
        limiter: Its limiter.
        once: Lets the fault happen to the second of the requests from now.
        always: Lets it happen to all of them but the first.
    """

    sandbox: Sandbox
    client: EmailLogsClient
    limiter: Told
    once: Callable[[], None]
    always: Callable[[], None]


@asynccontextmanager
async def playing(name: str, **options: Any) -> AsyncGenerator[Played]:
    """Start a service and a client that will meet the fault of that name; options are its."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            Sandbox(traffic=BULKS, settings=Settings(v1_limits=()))
        )
        port = int(sandbox.url.rpartition(":")[2])
        over_tls = name.startswith("tls-")
        good = await stack.enter_async_context(_tls("server.pem", port)) if over_tls else port
        ways, limiter = Ways(good), Told()
        connector = aiohttp.TCPConnector(resolver=ways, use_dns_cache=False, force_close=True)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        known = sandbox.credentials
        client = EmailLogsClient(
            "https://localhost:1" if over_tls else "http://service.localhost:1",
            OAuth2(known.client_id, known.client_secret)
            if name == "token-refused"
            else ApiKey(known.api_key),
            limiter=limiter,
            concurrency=1,
            session=session,
            network=Network(ca_file=str(DATA / "server.pem")),
            **{"retry": RetryPolicy(attempts=ATTEMPTS), **options},
        )
        await stack.enter_async_context(client)
        way = await stack.enter_async_context(_other_way(name, port))
        if way is None:
            fault = FAULTS.get(name) or Fault(401)
            once = lambda: sandbox.script(None, fault)  # noqa: E731
            always = lambda: sandbox.script(None, *[fault] * 100)  # noqa: E731
        else:
            once = lambda: ways.others.extend([good, way])  # noqa: E731
            always = lambda: ways.others.extend([good, *[way] * 100])  # noqa: E731
        yield Played(sandbox, client, limiter, once, always)


@asynccontextmanager
async def _other_way(name: str, port: int) -> AsyncGenerator[int | None]:
    """Give the port that a fault leads to; None where it is the service that plays it."""
    if name == "tls-untrusted":
        async with _tls("stranger.pem", port) as other:
            yield other
    elif name == "connection-refused":
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            yield closed.getsockname()[1]
    else:
        yield {"name-not-resolved": NOWHERE, "tls-broken": port}.get(name)


@asynccontextmanager
async def _tls(certificate: str, port: int) -> AsyncGenerator[int]:
    """Listen with a certificate of these tests, and hand on to another port; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / certificate)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", port)
        to_there.write(await reader.readuntil(b"\r\n\r\n"))
        while piece := await there.read(1 << 16):
            writer.write(piece)
        for one in (writer, to_there):
            one.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
