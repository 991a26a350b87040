"""Credentials go to the service they are for, and are read by nobody on the way."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from credentials import CLIENT_ID, CLIENT_SECRET, KEY, PROXY_PASSWORD
from origins import CERTIFICATE, Seen, origin, proxy
from yarl import URL

from infobip_email_logs import (
    ApiKey,
    EmailLogsClient,
    EmailLogsError,
    InvalidInput,
    Network,
    OAuth2,
    RequestRejected,
    RetryPolicy,
    TransportError,
    Unauthorized,
)
from infobip_email_logs.network import service_url

TRUSTING = Network(ca_file=str(CERTIFICATE))
ONCE = RetryPolicy(attempts=1)


def redirect(status: int, place: Seen) -> bytes:
    """Return an answer that points elsewhere."""
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {place.url}/email/1/logs\r\n"
    return f"{head}Refresh: 0; url={place.url}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", [ApiKey(KEY), OAuth2(CLIENT_ID, CLIENT_SECRET)])
async def test_a_redirect_is_told_and_not_followed(status: int, auth: Any) -> None:
    """The place that it points to is not even connected to: for logs, and for a token."""
    async with origin() as elsewhere, origin(redirect(status, elsewhere)) as service:
        async with EmailLogsClient(service.url, auth) as client:
            with pytest.raises((RequestRejected, Unauthorized), match=str(status)):
                await client.get_page()
        assert 1 <= len(service.heads) <= 2
        assert elsewhere.heads == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.evil.example",
        "http://localhost.evil.example:8080",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        r"http://127.0.0.1\@evil.example",
        "http://evil.example#@127.0.0.1",
        "http://evil.example?@127.0.0.1",
        "http://evil.example/127.0.0.1",
        "http://notlocalhost",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://192.168.0.1",
        "http://128.0.0.1",
        "http://127.0.0.1..",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://[::]",
        "http://[::2]",
        "http://[fe80::1]",
        "http://[::ffff:127.0.0.1]",
        "http://[::1%25eth0]",
        "http://[2130:7064::33]",
    ],
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    """What only looks like it is refused, in whatever way it is written."""
    with pytest.raises(InvalidInput):
        EmailLogsClient(url, ApiKey(KEY))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.255.255.254:8080",
        "http://[::1]:8080",
        "http://localhost",
        "http://LOCALHOST:1",
        "http://localhost.:1",
        "http://sandbox.localhost:1",
    ],
)
def test_these_are_this_machine(url: str) -> None:
    """All of 127.0.0.0/8, ::1, localhost, and the names below it."""
    assert service_url(url).scheme == "http"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com:0/?key=made-up-secret",
        "ftp://user:made-up-secret@api.example.com",
        "ftp://api.example.com/#made-up-secret",
        "https://user:made-up-secret@api.example.com",
        "https://api.example.com/?key=made-up-secret",
        "https://user:made-up-secret#1@api.example.com",
        "https://user:made-up-secret?1@api.example.com",
        "https://api.example.com:0/?key=1@made-up-secret",
    ],
)
def test_a_refused_address_is_told_without_a_key_in_it(url: str) -> None:
    """Neither a user nor a query of it is repeated."""
    with pytest.raises(InvalidInput) as caught:
        EmailLogsClient(url, ApiKey("k"))
    assert "made-up-secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "sandbox.localhost", "localhost."])
async def test_nobody_is_asked_where_localhost_is(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that says something else about this machine is not heard."""

    def lying(*_: object, **__: object) -> Any:
        raise AssertionError("a resolver was asked")

    async with origin() as service:
        monkeypatch.setattr(socket, "getaddrinfo", lying)
        url = f"http://{host}:{service.port}"
        async with EmailLogsClient(url, ApiKey(KEY), retry=ONCE) as client:
            await client.get_page()
        assert len(service.heads) == 1


async def test_https_goes_through_a_proxy_as_through_a_tunnel() -> None:
    """The proxy sees where to, and its own password; one tunnel serves many requests."""
    async with origin(tls=True) as service, proxy() as between:
        named = f"http://user:{URL.build(host='x', password=PROXY_PASSWORD).raw_password}"
        network = Network(proxy=f"{named}@127.0.0.1:{between.port}", ca_file=str(CERTIFICATE))
        async with EmailLogsClient(service.url, ApiKey(KEY), network=network) as client:
            await client.get_page()
            await client.get_page()
        assert len(service.heads) == 2
        assert all(f"App {KEY}" in head for head in service.heads)
        assert not any("Proxy-Authorization" in head for head in service.heads)
        (head,) = between.heads
        assert head.startswith(f"CONNECT localhost:{service.port} ")
        basic = base64.b64encode(f"user:{PROXY_PASSWORD}".encode()).decode()
        assert f"Proxy-Authorization: Basic {basic}\r\n" in head
        assert KEY not in head


async def test_a_proxy_of_the_environment_is_a_tunnel_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is looked at where that is wished, and left out for hosts of NO_PROXY; .netrc never is."""
    (tmp_path / ".netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    network = Network(trust_env=True, ca_file=str(CERTIFICATE))
    async with origin(tls=True) as service, proxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{between.port}")
        for no_proxy in ("", "localhost"):
            monkeypatch.setenv("NO_PROXY", no_proxy)
            async with EmailLogsClient(service.url, ApiKey(KEY), network=network) as client:
                await client.get_page()
        assert len(between.heads) == 1
        assert all(f"App {KEY}" in head for head in service.heads)
        assert len(service.heads) == 2
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTPS_PROXY", "http://user:made-up-secret@[nowhere")
        with pytest.raises(InvalidInput, match="HTTPS_PROXY") as caught:
            EmailLogsClient(service.url, ApiKey(KEY), network=network)
        assert "made-up-secret" not in str(caught.value)


async def test_plain_http_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is named is refused, those of the environment are passed by or refused."""
    async with origin() as service, proxy() as between:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, between.url)
        with pytest.raises(InvalidInput, match="proxy"):
            EmailLogsClient(service.url, ApiKey(KEY), network=Network(proxy=between.url))
        network = Network(trust_env=True)
        async with EmailLogsClient(service.url, ApiKey(KEY), network=network) as client:
            await client.get_page()
        for options in ({"trust_env": True}, {"proxy": between.url}):
            async with aiohttp.ClientSession(**options) as session:
                client = EmailLogsClient(service.url, ApiKey(KEY), session=session)
                with pytest.raises(InvalidInput, match="proxy"):
                    await client.get_page()
        assert len(service.heads) == 1
        assert between.heads == []


async def test_a_session_cannot_turn_a_request_away() -> None:
    """A middleware of the caller's that sends it elsewhere is refused before it leaves."""
    async with origin() as elsewhere, origin() as service:

        async def astray(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.url = URL(elsewhere.url)
            return await handler(request)

        async with aiohttp.ClientSession(middlewares=[astray]) as session:
            client = EmailLogsClient(service.url, ApiKey(KEY), session=session)
            with pytest.raises(InvalidInput, match="middleware"):
                await client.get_page()
        assert elsewhere.heads == service.heads == []


async def test_a_certificate_that_nobody_trusts_is_refused() -> None:
    """The request does not leave, and is not tried again."""
    async with origin(tls=True) as service:
        async with EmailLogsClient(service.url, ApiKey(KEY)) as client:
            with pytest.raises(TransportError, match="not trusted") as caught:
                await client.get_page()
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        async with EmailLogsClient(service.url, ApiKey(KEY), network=TRUSTING) as client:
            await client.get_page()
        assert len(service.heads) == 1


@pytest.mark.parametrize("lax", [{"ssl": False}, {"ssl": ssl._create_unverified_context()}])
async def test_a_session_that_verifies_nothing_does_not_count(lax: dict[str, Any]) -> None:
    """What certificates are verified with is told by the network, whatever a session is for."""
    async with origin(tls=True) as service:
        connector = aiohttp.TCPConnector(**lax)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = EmailLogsClient(service.url, ApiKey(KEY), session=session)
            with pytest.raises(TransportError, match="not trusted"):
                await client.get_page()
            assert service.heads == []
            client = EmailLogsClient(service.url, ApiKey(KEY), session=session, network=TRUSTING)
            await client.get_page()


@pytest.mark.parametrize(
    "context",
    [
        lambda: False,
        lambda: True,
        lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl._create_unverified_context,
        lambda: ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED),
    ],
)
def test_a_context_that_verifies_nothing_is_refused(context: Callable[[], Any]) -> None:
    """TLS can't be switched off, nor can the names of certificates."""
    with pytest.raises(InvalidInput, match="ssl_context"):
        Network(ssl_context=context())


async def test_what_led_to_an_error_tells_no_proxy() -> None:
    """Connecting to it fails, and the cause is that of the system, without an address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        named = f"http://user:made-up-password@127.0.0.1:{unused.getsockname()[1]}"
        network = Network(proxy=named)
        url = "https://nowhere.example"
        async with EmailLogsClient(url, ApiKey(KEY), network=network, retry=ONCE) as client:
            with pytest.raises(TransportError) as caught:
                await client.get_page()
    assert type(caught.value.__cause__) is ConnectionRefusedError


async def echoes(wrap: str) -> list[EmailLogsError]:
    """Return the errors of a service that repeats what it was sent, in the words of ``wrap``."""
    errors: list[EmailLogsError] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        told = head.partition("Authorization: ")[2].partition("\r\n")[0]
        answer = wrap.replace("<told>", told)
        writer.write(answer.replace("\n", "\r\n").encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with EmailLogsClient(url, ApiKey(KEY), retry=RetryPolicy(attempts=2)) as client:
            try:
                await client.get_page()
            except EmailLogsError as error:
                errors.append(error)
    return errors


ECHOES = {
    "an error page": "HTTP/1.1 500 Oops\n\nyou sent: <told>",
    "an error of the service": 'HTTP/1.1 400 Bad\n\n{"errorCode": "E400", "description": "<told>"}',
    "no page": "HTTP/1.1 200 OK\n\n<html><told></html>",
    "a value": 'HTTP/1.1 200 OK\n\n{"results": [{"sentAt": "<told>"}]}',
    "a status line": "HTTP/1.1 <told>\n\n",
    "a header": "HTTP/1.1 500 Oops\nX <told>: x\n\n",
    "a piece of a body": "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n<told>\n",
    "a header that is told": "HTTP/1.1 200 OK\nDeprecation: <told>\n\nx",
    "an encoding": "HTTP/1.1 200 OK\nContent-Encoding: <told>\n\nx",
    "a redirect": "HTTP/1.1 302 Found\nLocation: https://<told>.example/\n\n",
}


@pytest.mark.parametrize("name", ECHOES)
async def test_a_service_that_repeats_the_credentials_is_not_quoted(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that shows what it was sent makes an error, and the error has stars in it."""
    caplog.set_level("DEBUG")
    (error,) = await echoes(ECHOES[name])
    assert KEY not in f"{error} {vars(error)} {error.__cause__!r} {caplog.text}"
