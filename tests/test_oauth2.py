"""OAuth 2.0: a token is fetched once for all, renewed in time, and never told."""

import asyncio

import pytest
from credentials import CLIENT_ID, CLIENT_SECRET
from origins import origin
from service import SMALL

from infobip_email_logs import (
    DecodeError,
    EmailLogsClient,
    InvalidInput,
    InvalidState,
    OAuth2,
    RetryPolicy,
    ServerError,
    TransportError,
    Unauthorized,
)
from infobip_email_logs.sandbox import Sandbox, Settings


def credentials(sandbox: Sandbox) -> OAuth2:
    """Return what the sandbox gives a token for."""
    return OAuth2(sandbox.credentials.client_id, sandbox.credentials.client_secret)


async def test_a_token_is_fetched_once_for_all_who_wait() -> None:
    """Twenty callers, one request for a token."""
    settings = Settings(latency=(0.5, 1))
    async with (
        Sandbox(traffic=SMALL, settings=settings) as sandbox,
        EmailLogsClient(sandbox.url, credentials(sandbox)) as client,
    ):
        await asyncio.gather(*(client.get_page() for _ in range(20)))
        assert sandbox.token_requests == 1
        assert {arrival.status for arrival in sandbox.arrivals} == {200}


async def test_a_token_is_renewed_before_its_end() -> None:
    """No request is refused for a token that has ended."""
    settings = Settings(token_lifetime=100)
    async with (
        Sandbox(settings=settings) as sandbox,
        EmailLogsClient(sandbox.url, credentials(sandbox)) as client,
    ):
        for _ in range(30):
            await client.get_page()
            await asyncio.sleep(10)
        assert {arrival.status for arrival in sandbox.arrivals} == {200}
        assert 3 <= sandbox.token_requests <= 5


async def test_a_token_that_was_revoked_is_renewed_once() -> None:
    """All who met the 401 ask again, with one new token."""
    async with (
        Sandbox(traffic=SMALL) as sandbox,
        EmailLogsClient(sandbox.url, credentials(sandbox)) as client,
    ):
        await client.get_page()
        sandbox.revoke_tokens()
        await asyncio.gather(*(client.get_page() for _ in range(5)))
        assert sandbox.token_requests == 2
        statuses = [arrival.status for arrival in sandbox.arrivals]
        assert statuses.count(401) == 5
        assert statuses.count(200) == 6


async def test_a_401_for_good_is_an_error() -> None:
    """A token that is never accepted is not fetched over and over."""
    async with (
        Sandbox(settings=Settings(token_lifetime=0.5, latency=(2, 2))) as sandbox,
        EmailLogsClient(sandbox.url, credentials(sandbox)) as client,
    ):
        with pytest.raises(Unauthorized):
            await client.get_page()
        assert sandbox.token_requests == 2


async def test_wrong_client_credentials_are_told_without_being_told() -> None:
    """The error says what to check, and holds no secret; no request for logs was made."""
    async with Sandbox() as sandbox:
        wrong = OAuth2(sandbox.credentials.client_id, CLIENT_SECRET)
        async with EmailLogsClient(sandbox.url, wrong, limit="1/1000s") as client:
            for _ in range(2):
                with pytest.raises(Unauthorized, match="client id and secret") as caught:
                    await client.get_page(max_wait=0)
            assert CLIENT_SECRET not in str(caught.value)
            assert CLIENT_SECRET not in repr(wrong)
        assert sandbox.arrivals == []


async def test_an_unreachable_token_endpoint_is_a_transport_error() -> None:
    """It is tried again like any other request."""
    async with Sandbox() as sandbox:
        auth = credentials(sandbox)
    client = EmailLogsClient("http://127.0.0.1:9", auth, retry=RetryPolicy(attempts=2))
    async with client:
        with pytest.raises(TransportError):
            await client.get_page()


async def test_a_token_endpoint_that_is_asked_too_often_is_left_alone() -> None:
    """Its 429 is not the limiter's, which makes nobody wait for it: all ask again together."""
    refusal = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n"
    auth, retry = OAuth2(CLIENT_ID, CLIENT_SECRET), RetryPolicy(attempts=3)
    began = asyncio.get_running_loop().time()
    async with origin(refusal) as seen, EmailLogsClient(seen.url, auth, retry=retry) as client:
        for caller in asyncio.as_completed([client.get_page() for _ in range(5)]):
            with pytest.raises(ServerError, match="no access token: HTTP 429"):
                await caller
    assert len(seen.heads) == 3
    assert asyncio.get_running_loop().time() - began >= 40


async def test_closing_stops_the_request_for_a_token() -> None:
    """Nothing is left behind, and those who wait are told."""
    async with Sandbox(settings=Settings(latency=(100, 100))) as sandbox:
        client = EmailLogsClient(sandbox.url, credentials(sandbox))
        task = asyncio.create_task(client.get_page())
        await asyncio.sleep(1)
        await client.close()
        with pytest.raises(InvalidState, match="closed"):
            await task


async def test_who_gives_up_as_the_client_is_closed_has_given_up() -> None:
    """In whichever turn: a cancellation is not turned into the error of those who wait on."""
    async with Sandbox(settings=Settings(latency=(100, 100))) as sandbox:
        gave_up = 0
        for turns in range(10):
            client = EmailLogsClient(sandbox.url, credentials(sandbox))
            asked = asyncio.create_task(client.get_page())
            await asyncio.sleep(1)
            closing = asyncio.create_task(client.close())
            for _ in range(turns):
                await asyncio.sleep(0)
            cancels = asked.cancel()
            await asyncio.wait([asked, closing])
            assert asked.cancelled() == cancels
            gave_up += cancels
        assert 0 < gave_up < 10


async def test_giving_up_leaves_the_token_to_the_others() -> None:
    """A caller that is cancelled while the token is fetched touches nobody else."""
    async with (
        Sandbox(settings=Settings(latency=(1, 1))) as sandbox,
        EmailLogsClient(sandbox.url, credentials(sandbox)) as client,
    ):
        first = asyncio.create_task(client.get_page())
        second = asyncio.create_task(client.get_page())
        await asyncio.sleep(0.5)
        first.cancel()
        await second
        assert first.cancelled()
        assert sandbox.token_requests == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"access_token": 5}',
        b'{"access_token": "a b"}',
        b'{"access_token": "a", "expires_in": "x"}',
        b'{"access_token": "a", "expires_in": -5}',
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_token_is_an_error(body: bytes) -> None:
    """Its body is not shown: it might hold half a secret."""
    with pytest.raises(DecodeError, match="no access token"):
        OAuth2("id", "secret").token(body, 0.0)


def test_a_token_without_an_end_is_good_for_a_minute() -> None:
    """It is renewed some time before it may have ended."""
    token = OAuth2("id", "secret").token(b'{"access_token": "a"}', 100.0)
    assert token.header == "Bearer a"
    assert token.until == 130
    assert "Bearer" not in repr(token)


def test_half_credentials_are_refused() -> None:
    """A client id without a secret is no credential."""
    with pytest.raises(InvalidInput, match="secret"):
        OAuth2("id", "")
