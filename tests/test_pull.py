"""Streams: complete or loud, bounded, and gone without a trace when they are left."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import nullcontext, suppress
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service import SMALL, all_of, ids_of, service

from infobip_email_logs import (
    DecodeError,
    EmailLog,
    IncompleteError,
    InvalidInput,
    InvalidState,
    LogsQuery,
    Pull,
    RequestRejected,
    RetryPolicy,
    ServerError,
    StatusGroup,
    TimeLimit,
)
from infobip_email_logs.pull import PAGES_AHEAD
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, Traffic
from infobip_email_logs.sandbox.settings import V1Lists

MANY = Traffic(bulks=60, bulk_size=(20, 40), loose=0, hours=24)


async def settle() -> None:
    """Let everything happen that can happen without the consumer."""
    await asyncio.sleep(100)


def truth(sandbox: Sandbox, **filters: Any) -> list[str]:
    """Return the message ids that a perfect service would return."""
    return sorted(record.message_id or "" for record in sandbox.matching(**filters))


async def test_many_message_ids_are_pulled_in_the_fewest_requests() -> None:
    """Every log comes once; the ids without one are named."""
    async with service(traffic=MANY) as (sandbox, client):
        absent = [f"absent-{number}" for number in range(30)]
        ids = [*sandbox.message_ids, *absent, *sandbox.message_ids[:100]]
        async with client.logs_by_message_id(ids) as pull:
            logs = await all_of(pull)
        assert ids_of(logs) == sorted(sandbox.message_ids)
        assert set(pull.missing_ids) == set(absent)
        report = pull.report
        assert report.complete
        assert (report.records, report.requests) == (len(logs), len(sandbox.arrivals))
        assert report.requests <= -(-len(sandbox.message_ids) // 55) + 1
        assert all("limit=1000" in arrival.query for arrival in sandbox.arrivals)
        assert not report.unconfirmed_ids
        assert not report.gaps


async def test_many_bulks_are_pulled_with_a_request_each() -> None:
    """Every log of every bulk comes once; no page is so large that it may be cut."""
    async with service(traffic=MANY) as (sandbox, client):
        bulks = [*sandbox.bulk_ids[:50], "absent"]
        query = LogsQuery(general_status=StatusGroup.DELIVERED)
        pull = client.logs_by_bulk_id(bulks, query=query, strategy="by_id")
        logs = await all_of(pull)
        wanted = [truth(sandbox, bulk_id=one, general_status="DELIVERED") for one in bulks]
        assert ids_of(logs) == sorted(one for ids in wanted for one in ids)
        assert pull.missing_ids == ("absent",)
        assert len(sandbox.arrivals) == 51


async def test_both_kinds_of_ids_mean_that_both_hold() -> None:
    """However they are given, a log must have one of the messages' and one of the bulks' ids."""
    async with service() as (sandbox, client):
        bulks = sandbox.bulk_ids[:2]
        mine = [one for bulk in bulks for one in truth(sandbox, bulk_id=bulk)][::2]
        others = truth(sandbox, bulk_id=sandbox.bulk_ids[2])
        query = LogsQuery(message_id=[*mine, *others], bulk_id=bulks)
        by_message = client.logs_by_message_id([*mine, *others], query=LogsQuery(bulk_id=bulks))
        by_bulk = client.logs_by_bulk_id(bulks, query=LogsQuery(message_id=[*mine, *others]))
        for pull in (client.logs(query), by_message, by_bulk):
            assert ids_of(await all_of(pull)) == sorted(mine)
        assert set(by_message.missing_ids) == set(others)


async def test_a_small_window_is_one_request_once_a_larger_page_was_seen() -> None:
    """A page may be cut without a word: the latest logs of all, or its halves, are asked for."""
    async with service() as (sandbox, client):
        query = LogsQuery(general_status=StatusGroup.DELIVERED)
        for wanted, requests in ((query, 2), (query, 1), (None, 3)):
            before = len(sandbox.arrivals)
            pull = client.logs(wanted)
            filters = {"general_status": "DELIVERED"} if wanted else {}
            assert ids_of(await all_of(pull)) == truth(sandbox, **filters)
            assert pull.report.complete
            assert len(sandbox.arrivals) - before == requests


async def test_a_full_page_is_never_taken_for_all() -> None:
    """A window, and a bulk, of more than a page are gone through to their end."""
    async with service(traffic=Traffic(bulks=1, bulk_size=(1900, 1900), loose=500)) as (
        box,
        client,
    ):
        pull = client.logs()
        assert ids_of(await all_of(pull)) == truth(box)
        assert pull.report.complete
        pull = client.logs_by_bulk_id(box.bulk_ids)
        assert len(await all_of(pull)) == pull.report.records == 1900


async def test_more_than_a_page_in_a_millisecond_is_loud() -> None:
    """All that can be had comes first, then the error names the gap."""
    traffic = Traffic(bulks=1, bulk_size=(1500, 1500), spread=0, loose=500)
    async with service(traffic=traffic) as (box, client):
        pull = client.logs()
        logs: list[EmailLog] = []
        with pytest.raises(IncompleteError, match="unproven") as caught:
            await append_all(pull, logs)
        assert len(logs) > 1700
        assert len({log.message_id for log in logs}) == len(logs)
        assert caught.value.gaps == pull.report.gaps
        (sent,) = {record.sent_at for record in box.records if record.bulk_id}
        assert all(gap.since == gap.until == sent for gap in caught.value.gaps)
        assert not pull.report.complete


async def test_a_limit_bounds_the_total() -> None:
    """At most so many logs come, and each request still asks for a thousand."""
    async with service(traffic=MANY) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, query=LogsQuery(limit=33))
        assert len(await all_of(pull)) == 33
        assert (pull.report.records, pull.report.complete) == (33, True)
        assert pull.report.unconfirmed_ids == ()
        assert all("limit=1000" in arrival.query for arrival in sandbox.arrivals)
        before = len(sandbox.arrivals)
        await settle()
        assert len(sandbox.arrivals) == before < 60


@pytest.mark.parametrize("lists", get_args(V1Lists))
async def test_whatever_a_service_does_with_lists_is_noticed(lists: V1Lists) -> None:
    """Every log comes and every absent id is named, or at least told to be unconfirmed."""
    async with service(Settings(v1_message_ids=lists)) as (sandbox, client):
        absent = [f"absent-{number}" for number in range(20)]
        pull = client.logs_by_message_id([*sandbox.message_ids, *absent])
        logs: list[EmailLog] = []
        ending = pytest.raises(IncompleteError) if lists == "ignored" else nullcontext()
        with ending:
            await append_all(pull, logs)
        assert ids_of(logs) == sorted(sandbox.message_ids)
        assert {*pull.missing_ids, *pull.report.unconfirmed_ids} == set(absent)
        assert pull.report.complete == (lists != "ignored")
        assert bool(pull.report.contradictions) == (lists == "ignored")


async def test_a_list_that_is_too_long_is_halved_once_and_remembered() -> None:
    """A 414 costs one request; the next call asks in shorter lists at once."""
    async with service(Settings(longest_url=1200)) as (sandbox, client):
        logs = await all_of(client.logs_by_message_id(sandbox.message_ids))
        assert ids_of(logs) == sorted(sandbox.message_ids)
        asked = len(sandbox.arrivals)
        await all_of(client.logs_by_message_id(sandbox.message_ids))
        assert {arrival.status for arrival in sandbox.arrivals[asked:]} == {200}


async def test_one_id_that_is_too_long_is_the_services_error() -> None:
    """Nothing is left to halve."""
    async with service(Settings(longest_url=60)) as (_, client):
        with pytest.raises(RequestRejected, match="414"):
            await all_of(client.logs_by_message_id(["x" * 40]))


@pytest.mark.parametrize(
    "wrap", [iter, set, lambda ids: (one for one in ids), tuple, dict.fromkeys]
)
async def test_ids_come_from_any_iterable(wrap: Callable[[list[str]], Iterable[str]]) -> None:
    """A list, a generator, a set, the keys of a dictionary."""
    async with service() as (sandbox, client):
        logs = await all_of(client.logs_by_message_id(wrap(sandbox.message_ids)))
        assert ids_of(logs) == sorted(sandbox.message_ids)


async def test_one_id_may_be_given_as_text() -> None:
    """A text is one id, not its letters."""
    async with service() as (sandbox, client):
        (log,) = await all_of(client.logs_by_message_id(sandbox.message_ids[0]))
        assert log.message_id == sandbox.message_ids[0]


async def test_no_ids_are_no_request() -> None:
    """Nothing asked for is nothing asked: never an unfiltered pull."""
    async with service() as (sandbox, client):
        for pull in (client.logs_by_message_id([]), client.logs_by_bulk_id(())):
            assert await all_of(pull) == []
            assert pull.report.complete
        assert sandbox.arrivals == []


async def test_ids_that_come_slowly_are_asked_for_as_lists_fill_up() -> None:
    """An async generator is read as far as is needed, and closed at the end."""
    closed = asyncio.Event()
    async with service(traffic=MANY) as (sandbox, client):

        async def ids() -> AsyncIterator[str]:
            try:
                for one in sandbox.message_ids:
                    await asyncio.sleep(0.01)
                    yield one
            finally:
                closed.set()

        logs = await all_of(client.logs_by_message_id(ids()))
        assert ids_of(logs) == sorted(sandbox.message_ids)
        assert len(sandbox.arrivals) == -(-len(sandbox.message_ids) // 55)
        assert closed.is_set()


async def test_an_endless_source_of_ids_is_read_no_further_than_needed() -> None:
    """A consumer that stops, stops the source."""
    read = 0

    async def ids() -> AsyncIterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"{read:036}"

    async with service(Settings(v1_limits=())) as (_, client):
        async with client.logs_by_message_id(ids()) as pull:
            async with asyncio.timeout(5):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await anext(aiter(pull))
        before = read
        await settle()
        assert read == before


async def test_what_goes_wrong_with_the_ids_reaches_the_consumer() -> None:
    """An error of the source is its own, a bad id is named."""

    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError

    async with service() as (_, client):
        with pytest.raises(ZeroDivisionError):
            await all_of(client.logs_by_message_id(broken()))
        with pytest.raises(InvalidInput, match="comma"):
            await all_of(client.logs_by_bulk_id(["a", "b,c"]))
        with pytest.raises(InvalidInput, match="argument"):
            client.logs_by_bulk_id(["a"], query=LogsQuery(bulk_id="b"))


async def test_a_failing_batch_reaches_the_consumer_as_its_own_error() -> None:
    """After what was received; not as a cancellation, nor as a group."""
    async with service(traffic=MANY, concurrency=2, retry=RetryPolicy(attempts=1)) as (
        sandbox,
        client,
    ):
        sandbox.script(None, None, None, Fault(500))
        logs: list[EmailLog] = []
        with pytest.raises(ServerError) as caught:
            await append_all(client.logs_by_bulk_id(sandbox.bulk_ids), logs)
        assert len(logs) >= 3 * 20
        assert caught.value.status == 500


async def test_a_bad_record_ends_a_pull_or_is_kept_beside_it() -> None:
    """`on_bad_record` decides."""
    body = '{"results":[{"messageId":"a","bulkId":"b"},{"sentAt":"soon"}]}'
    async with service(Settings(fault=Fault(200, body))) as (_, client):
        with pytest.raises(DecodeError, match="page 1, record 1"):
            await all_of(client.logs_by_bulk_id(["b"]))
    async with service(Settings(fault=Fault(200, body)), on_bad_record="keep") as (_, client):
        pull = client.logs_by_bulk_id(["b"])
        assert [log.message_id for log in await all_of(pull)] == ["a"]
        assert [reject.path for reject in pull.rejects] == ["$.results[1].sentAt"]
        assert (pull.report.rejected, pull.report.complete) == (1, False)


async def test_a_pull_can_be_iterated_once() -> None:
    """A second time says so."""
    async with service() as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids)
        await all_of(pull)
        with pytest.raises(InvalidState, match="once"):
            await all_of(pull)
        with pytest.raises(StopAsyncIteration):
            await anext(pull)


async def test_a_slow_consumer_slows_the_fetching() -> None:
    """No more is fetched than the buffer holds, and what is on its way."""
    async with service(Settings(v1_limits=()), MANY, concurrency=3) as (sandbox, client):
        async with client.logs_by_bulk_id(sandbox.bulk_ids) as pull:
            await anext(aiter(pull))
            await settle()
            assert len(sandbox.arrivals) <= 1 + PAGES_AHEAD + 3
            rest = [log async for log in _continued(pull)]
        assert len(rest) + 1 == sum(len(truth(sandbox, bulk_id=one)) for one in sandbox.bulk_ids)


async def append_all(pull: AsyncIterator[EmailLog], logs: list[EmailLog]) -> None:
    """Keep the logs that come, also when an error follows."""
    async for log in pull:
        logs.append(log)  # noqa: PERF401 - a comprehension would lose them


async def _continued(pull: Pull) -> AsyncIterator[EmailLog]:
    """Go on with a stream that was begun."""
    while True:
        try:
            yield await anext(pull)
        except StopAsyncIteration:
            return


async def test_leaving_the_context_stops_everything_at_once() -> None:
    """Not one request more is made."""
    settings = Settings(v1_limits=(), fault=Fault(delay=1))
    async with service(settings, MANY) as (sandbox, client):
        async with client.logs_by_bulk_id(sandbox.bulk_ids) as pull:
            await anext(aiter(pull))
        before = len(sandbox.arrivals)
        assert not client._tasks
        await settle()
        assert len(sandbox.arrivals) == before
        with pytest.raises(InvalidState, match="closed"):
            await append_all(_continued(pull), [])


async def test_leaving_the_loop_leaves_nothing_behind() -> None:
    """After a `break` out of a plain loop the tasks end with the object."""
    async with service(Settings(v1_limits=(), latency=(1, 2)), MANY) as (sandbox, client):
        async for _ in client.logs_by_bulk_id(sandbox.bulk_ids):
            break
        gc.collect()
        await asyncio.sleep(0.1)
        assert not client._tasks
        await client.get_page()


async def test_closing_the_client_ends_its_pulls() -> None:
    """A consumer that waits is told."""
    async with service(Settings(fault=Fault(delay=1000))) as (_, client):
        task = asyncio.create_task(all_of(client.logs()))
        await asyncio.sleep(1)
        await client.close()
        with pytest.raises(InvalidState, match="closed"):
            await task


async def test_what_was_received_can_be_drained() -> None:
    """After closing, nothing that came is lost."""
    async with service(Settings(v1_limits=()), MANY, concurrency=3) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id")
        await anext(aiter(pull))
        await settle()
        await pull.aclose()
        mine = (arrival for arrival in sandbox.arrivals if "bulkId" in arrival.query)
        answered = sum(arrival.records for arrival in mine)
        assert len(pull.drain()) + 1 == answered == pull.report.records
        assert pull.drain() == []


async def test_cancelling_the_consumer_leaves_nothing_behind() -> None:
    """Wherever it waits, its tasks end with it, and the client works on."""
    async with service(Settings(latency=(0.1, 0.3)), MANY) as (sandbox, client):

        async def consume() -> None:
            async with client.logs_by_bulk_id(sandbox.bulk_ids) as pull:
                async for _ in pull:
                    await asyncio.sleep(0.01)

        for number in range(15):
            task = asyncio.create_task(consume())
            await asyncio.sleep(0.05 * number)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert not client._tasks
        sandbox.settings.v1_limits = ()
        assert (await client.get_page()).size == 50


@pytest.mark.parametrize("concurrency", [None, 3])
async def test_requests_at_a_time_are_bounded(concurrency: int | None) -> None:
    """Eight without a word, else as many as are asked for: each needs a connection."""
    options = {"concurrency": concurrency} if concurrency else {}
    async with service(Settings(latency=(0.1, 0.3)), MANY, **options) as (sandbox, client):
        await all_of(client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id"))
        used = {arrival.connection for arrival in sandbox.arrivals}
        assert len(used) == (concurrency or 8)


async def test_pulls_share_the_limit() -> None:
    """Several pulls at once stay within it together."""
    async with service(Settings(latency=(0.02, 0.1)), MANY) as (sandbox, client):
        pulls = [client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id") for _ in range(3)]
        await asyncio.gather(*map(all_of, pulls))
        assert sandbox.throttled == 0
        assert len(sandbox.arrivals) == 180
        assert sum(pull.report.requests for pull in pulls) == len(sandbox.arrivals)


@given(
    chosen=st.sets(st.integers(0, 150), max_size=120),
    lists=st.sampled_from(get_args(V1Lists)),
    concurrency=st.integers(1, 9),
    longest_url=st.integers(150, 3000),
    status=st.none() | st.sampled_from(["DELIVERED", "PENDING", "EXPIRED"]),
)
@settings(max_examples=40, deadline=None)
def test_a_pull_delivers_exactly_the_truth(
    chosen: set[int], lists: V1Lists, concurrency: int, longest_url: int, status: str | None
) -> None:
    """Whatever ids, whatever the service does with them."""

    async def case() -> None:
        options = Settings(v1_message_ids=lists, longest_url=longest_url, v1_limits=())
        quick = TimeLimit(10_000, per=1)
        async with service(options, concurrency=concurrency, limit=quick) as (sandbox, client):
            known = sandbox.message_ids
            ids = [known[number] if number < len(known) else f"x{number}" for number in chosen]
            logs: list[EmailLog] = []
            query = LogsQuery(general_status=status)
            async with client.logs_by_message_id(ids, query=query) as pull:
                with suppress(IncompleteError):
                    await append_all(pull, logs)
            assert pull.report.complete == (not pull.report.gaps)
            matching = sandbox.matching(message_id=ids, general_status=status)
            wanted = {record.message_id for record in matching}
            assert set(ids_of(logs)) == wanted
            assert len(logs) == len(wanted)
            unanswered = {*pull.missing_ids, *pull.report.unconfirmed_ids}
            assert unanswered == set(ids) - wanted
            assert lists == "ignored" or not pull.report.unconfirmed_ids

    asyncio.run(case())


def test_small_traffic_is_what_these_tests_take_it_for() -> None:
    """It fits into one page, and has bulks that do not fit into the default one."""
    assert SMALL.bulks * SMALL.bulk_size[1] + SMALL.loose < 1000
