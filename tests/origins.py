"""Servers and proxies of this machine that note all that they see, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs

CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"
"""A certificate for ``localhost`` and 127.0.0.1 with its key, which has to be trusted by name."""

EMPTY = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"results":[]}'
)


@attrs.define
class Seen:
    """A place that listens, and what it saw of others, in clear.

    Attributes:
        url: Its address.
        heads: The requests, from their first line to the end of their headers, and forms.
    """

    url: str
    heads: list[str] = attrs.field(factory=list, repr=False)

    @property
    def port(self) -> int:
        """Return the port of its address."""
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def origin(
    answer: bytes = EMPTY, *, tls: bool = False, close: bool = False
) -> AsyncGenerator[Seen]:
    """Listen, and give each request the same answer; then hang up, or not."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            seen.heads.append(head)
            writer.write(answer)
            await writer.drain()
            if close:
                return

    seen = Seen("")
    async with _listening(serve, context) as port:
        seen.url = f"{'https' if tls else 'http'}://localhost:{port}"
        yield seen


@asynccontextmanager
async def proxy() -> AsyncGenerator[Seen]:
    """Listen as a proxy does: tunnels are dug, and what comes in clear is read and answered."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            seen.heads.append(head)
            method, target, *_ = head.split(" ")
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _tunnel(reader, writer, int(target.rpartition(":")[2]))
                return
            writer.write(EMPTY)
            await writer.drain()

    seen = Seen("")
    async with _listening(serve, None) as port:
        seen.url = f"http://127.0.0.1:{port}"
        yield seen


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes between a client and a port of this machine until either hangs up."""
    there, back = await asyncio.open_connection("127.0.0.1", port)
    ways = [asyncio.create_task(_carry(*way)) for way in ((reader, back), (there, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        back.close()  # At once: whoever ends this may not wait for the rest.
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        with suppress(OSError):
            await back.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()


async def _head(reader: asyncio.StreamReader) -> str:
    """Return the next request with its form; nothing where the client has gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        form = await reader.readexactly(int(length[0].partition(":")[2])) if length else b""
    except (asyncio.IncompleteReadError, OSError):
        return ""
    return head + form.decode("latin-1")


@asynccontextmanager
async def _listening(serve: object, context: ssl.SSLContext | None) -> AsyncGenerator[int]:
    """Listen on a free port, and leave nobody behind."""
    working: set[asyncio.Task[None]] = set()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        working.add(task)
        try:
            await serve(reader, writer)  # type: ignore[operator]
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            working.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(visited, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
