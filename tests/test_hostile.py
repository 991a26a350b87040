"""What a second reader tried: each once lost a record, hung a caller or told a secret."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from credentials import KEY
from service import SMALL, all_of, delivered, ids_of, service

from infobip_email_logs import (
    ApiKey,
    EmailLog,
    EmailLogsClient,
    EmailLogsError,
    IncompleteError,
    InvalidInput,
    InvalidState,
    LocalLimiter,
    LogsQuery,
    Network,
    Permit,
    RateLimited,
    RetryPolicy,
    TimeLimit,
    TransportError,
    WaitTooLong,
)
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, Traffic


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


async def cancelled() -> None:
    """Wait for something that somebody cancelled."""
    task = asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def test_a_source_of_ids_that_is_cancelled_ends_the_pull() -> None:
    """The consumer is told, and does not wait forever."""

    async def ids() -> AsyncIterator[str]:
        yield "a"
        await cancelled()

    async with service() as (_, client):
        with pytest.raises(InvalidState, match="cancelled"):
            await all_of(client.logs_by_message_id(ids()))


class CancelledLimiter(LocalLimiter):
    """A limiter in which something is cancelled."""

    async def acquire(self, **options: Any) -> Permit:
        """Wait for something that was cancelled."""
        await cancelled()
        return await super().acquire(**options)


async def test_a_request_that_is_cancelled_from_within_ends_the_pull() -> None:
    """The consumer is told, and does not wait forever."""
    async with service(limiter=CancelledLimiter(TimeLimit(1))) as (_, client):
        with pytest.raises(InvalidState, match="cancelled"):
            await all_of(client.logs())


@pytest.mark.parametrize("what", ["pull", "client"])
async def test_closing_before_the_first_step_is_told_to_the_consumer(what: str) -> None:
    """The fetching that never began ends like any other."""
    async with service() as (_, client):
        pull = client.logs()
        task = asyncio.create_task(all_of(pull))
        await asyncio.sleep(0)
        await (pull.aclose() if what == "pull" else client.close())
        with pytest.raises(InvalidState):
            await task


async def test_a_closed_pull_does_not_begin() -> None:
    """Neither by a loop nor by a single step."""
    async with service() as (sandbox, client):
        async with client.logs() as pull:
            pass
        with pytest.raises(InvalidState, match="closed"):
            await anext(pull)
        with pytest.raises(InvalidState, match="closed"):
            await all_of(pull)
        assert sandbox.arrivals == []


async def test_several_consumers_of_one_pull_all_come_to_its_end() -> None:
    """Each log goes to one of them."""
    async with service() as (sandbox, client):
        pull = client.logs()
        logs: list[EmailLog] = []

        async def consume() -> None:
            with suppress(StopAsyncIteration):
                while True:
                    logs.append(await anext(pull))

        await asyncio.gather(*(consume() for _ in range(5)))
        assert ids_of(logs) == sorted(sandbox.message_ids)


async def test_draining_a_pull_that_runs_is_refused() -> None:
    """It would swallow its end."""
    async with service(Settings(latency=(1, 2)), concurrency=1) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids)
        await anext(aiter(pull))
        with pytest.raises(InvalidState, match="close"):
            pull.drain()
        await pull.aclose()
        assert len(pull.drain()) == pull.report.records - 1


async def test_records_without_a_bulk_do_not_pass_a_filter_that_was_not_asked() -> None:
    """Several bulks can't be asked for beside messages: the client sifts, and strictly."""
    async with service() as (sandbox, client):
        loose = [record.message_id or "" for record in sandbox.records if not record.bulk_id]
        bulk = sandbox.bulk_ids[0]
        mine = [record.message_id or "" for record in sandbox.matching(bulk_id=bulk)]
        query = LogsQuery(bulk_id=[bulk, "another"])
        logs = await all_of(client.logs_by_message_id([*loose, *mine], query=query))
        assert ids_of(logs) == sorted(mine)


async def test_several_campaigns_are_refused() -> None:
    """Records of version 1 do not tell their campaign, so that none could be sifted by it."""
    async with service() as (_, client):
        with pytest.raises(InvalidInput, match="campaign_reference_id"):
            await all_of(client.logs(LogsQuery(campaign_reference_id=["a", "b"])))


async def test_records_on_the_bounds_of_a_window_belong_to_it() -> None:
    """Whatever the service makes of its bounds: two windows beside each other miss nothing."""
    for inclusive in (False, True):
        settings = Settings(since_inclusive=inclusive, until_inclusive=inclusive)
        async with service(settings, SMALL) as (sandbox, client):
            first, *_, last = sorted(record.sent_at for record in sandbox.records)
            pull = client.logs(LogsQuery(sent_since=first, sent_until=last))
            assert ids_of(await all_of(pull)) == sorted(sandbox.message_ids)


@pytest.mark.parametrize("password", ["s3cr3t/x", "s3cr3t#x", "s3cr3t?x", "s3cr3t[x"])
def test_a_proxy_that_is_no_address_is_refused_without_telling_it(password: str) -> None:
    """Its password may be what makes it none."""
    with pytest.raises(InvalidInput, match="percent-encode") as caught:
        Network(proxy=f"http://user:{password}@127.0.0.1:9")
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert "s3cr3t" not in repr(Network(proxy="http://user:s3cr3t@127.0.0.1:9"))


async def test_a_broken_answer_does_not_show_the_headers_of_its_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the error, nor what caused it, nor the context, nor a log line holds them."""

    async def broken(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 abc nonsense\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    caplog.set_level(logging.DEBUG)
    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with EmailLogsClient(url, ApiKey(KEY), retry=RetryPolicy(attempts=2)) as client:
            with pytest.raises(TransportError) as caught:
                await client.get_page()
    error: BaseException | None = caught.value
    assert KEY not in "".join(traceback.format_exception(caught.value))
    while error:
        assert KEY not in repr(error) + repr(vars(error))
        assert error.__context__ is None or error.__context__ is error.__cause__
        error = error.__cause__
    assert KEY not in caplog.text


async def test_a_429_without_patience_is_told_to_those_who_wait_already() -> None:
    """Nobody is left in the queue for an hour."""
    async with service(limit="2/60s") as (sandbox, client):
        sandbox.script(Fault(429, headers={"Retry-After": "86400"}))
        tasks = [asyncio.create_task(client.get_page()) for _ in range(20)]
        start = now()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [one for one in done if isinstance(one, WaitTooLong | RateLimited)]
        assert len(refused) >= 18
        assert now() - start < 1


async def test_a_retry_after_of_nothing_does_not_burn_the_attempts() -> None:
    """It is as good as none: the pauses grow."""
    async with service(Settings(fault=Fault(429, headers={"Retry-After": "0"}))) as (box, client):
        start = now()
        with pytest.raises(RateLimited):
            await client.get_page()
        assert now() - start > 60
        assert len(box.arrivals) <= 8


async def test_a_probe_that_is_not_sent_leaves_its_turn_to_another() -> None:
    """Nobody waits for the answer to a request that never left."""
    limiter = LocalLimiter(TimeLimit(10, per=1))
    (await limiter.acquire()).throttled(None)
    probe = await limiter.acquire()
    start = now()
    probe.unused()
    await limiter.acquire()
    assert now() == start


async def test_a_middleware_that_sends_again_does_not_outrun_the_limit() -> None:
    """One token is one request on the wire, also within a session of the caller's."""

    async def thrice(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        for _ in range(2):
            (await handler(request)).release()
        return await handler(request)

    async with Sandbox() as sandbox, aiohttp.ClientSession(middlewares=[thrice]) as session:
        auth = ApiKey(sandbox.credentials.api_key)
        client = EmailLogsClient(sandbox.url, auth, session=session, retry=RetryPolicy(attempts=1))
        with pytest.raises(TransportError):
            await client.get_page()
        assert len(sandbox.arrivals) == 1


async def test_an_error_before_the_request_costs_no_token() -> None:
    """Credentials that fail are not a request."""

    class Failing:
        def header(self) -> str:
            raise ZeroDivisionError

    limiter = LocalLimiter(TimeLimit(1, per=1000))
    async with Sandbox() as sandbox:
        client = EmailLogsClient(sandbox.url, Failing(), limiter=limiter)
        with pytest.raises(ZeroDivisionError):
            await client.get_page()
        (await limiter.acquire(max_wait=0)).unused()


async def test_a_trickle_of_ids_is_asked_for_after_a_while() -> None:
    """Logs expire while a list waits to be filled."""
    async with service() as (sandbox, client):

        async def ids() -> AsyncIterator[str]:
            for one in sandbox.message_ids[:7]:
                yield one
            await asyncio.sleep(1_000_000)

        start = now()
        async with client.logs_by_message_id(ids()) as pull:
            async for _ in pull:
                break
        assert now() - start < 10


async def test_one_414_does_not_make_a_client_refuse_ids() -> None:
    """What is learned of lists is not held against a single id."""
    async with service() as (sandbox, client):
        sandbox.script(Fault(414))
        assert len(await all_of(client.logs_by_message_id(sandbox.message_ids[:2]))) == 2
        assert await all_of(client.logs_by_message_id("x" * 900)) == []
        before = len(sandbox.arrivals)
        await all_of(client.logs_by_message_id(sandbox.message_ids[:40]))
        assert len(sandbox.arrivals) - before <= 20


async def test_a_list_that_is_answered_with_the_default_number_is_asked_for_again() -> None:
    """The service may ignore `limit`: what is beyond its fifty is neither missing nor lost."""
    traffic = Traffic(bulks=0, loose=300, hours=24)
    async with service(Settings(page_cap=50), traffic) as (sandbox, client):
        pull = client.logs_by_message_id([*sandbox.message_ids, "absent"])
        assert ids_of(await all_of(pull)) == sorted(sandbox.message_ids)
        assert pull.missing_ids == ("absent",)
        assert len(sandbox.arrivals) <= 6 + 1 + 2 * 6 + 2  # a sample, and two halves of each list


async def test_an_id_in_another_spelling_is_not_told_to_be_missing() -> None:
    """A record that was not asked for, to the letter, leaves it open."""
    async with Sandbox() as sandbox:
        sandbox.settings.fault = Fault(200, '{"results": [{"messageId": "abc-1"}]}')
        async with EmailLogsClient(sandbox.url, ApiKey("k")) as client:
            pull = client.logs_by_message_id("ABC-1")
            with pytest.raises(IncompleteError):
                await all_of(pull)
            assert pull.missing_ids == ()
            assert pull.report.unconfirmed_ids == ("ABC-1",)
            assert not pull.report.complete


async def test_a_session_that_is_closed_while_a_name_is_resolved_ends_the_pull() -> None:
    """What aiohttp cancels within itself is an error here."""

    class NeverResolves(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            await asyncio.sleep(1000)

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=NeverResolves())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = EmailLogsClient("https://nowhere.example", ApiKey("k"), session=session)
        task = asyncio.create_task(all_of(client.logs()))
        await asyncio.sleep(1)
        await session.close()
        with pytest.raises(EmailLogsError):
            await task
        await client.close()


async def test_a_name_that_has_no_address_is_told() -> None:
    """The error names the host, and that it can't be resolved."""

    class Knows(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            raise OSError(-2, "Name or service not known")

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=Knows())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = EmailLogsClient("https://nowhere.example", ApiKey("k"), session=session)
        with pytest.raises(TransportError, match=r"nowhere\.example can't be resolved"):
            await client.get_page()
        await client.close()


async def test_logs_without_an_id_come_once_though_lists_are_ignored() -> None:
    """Each list brings all of them anew; that some are left out is said, since twins may be two."""
    settings = Settings(v1_limits=(), v1_message_ids="ignored", absent={"messageId"})
    async with service(settings, Traffic(bulks=0, loose=30)) as (sandbox, client):
        ids = [f"{number:0>100}" for number in range(60)]
        logs, error = await delivered(client.logs_by_message_id(ids))
        assert len(logs) == len(sandbox.records)
        assert isinstance(error, IncompleteError)
        assert {gap.why for gap in error.gaps} >= {"unproven"}
