"""What a second reader found about pages that may be cut, and about services with other rules."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from service import all_of, delivered, ids_of, service

from infobip_email_logs import DecodeError, EmailLog, IncompleteError, InvalidInput, LogsQuery
from infobip_email_logs.pull import Pull
from infobip_email_logs.sandbox import Fault, Record, Sandbox, Settings, Traffic

NOTHING = Traffic(bulks=0, loose=0)
HOUR = timedelta(hours=1)


def cut_to(cap: int, **more: Any) -> Settings:
    """Return a service without a limit that cuts its pages without a word."""
    return Settings(v1_limits=(), v4_limits=(), page_cap=cap, **more)


def fill(box: Sandbox, number: int, *, ago: timedelta = HOUR, **fields: Any) -> list[str]:
    """Add so many records, a second from one to the next; return their ids."""
    begin, name = box.now() - ago, fields.pop("name", "m")
    wanted = [f"{name}-{place}" for place in range(number)]
    box.extend(
        Record(message_id=one, sent_at=begin + timedelta(seconds=place), **fields)
        for place, one in enumerate(wanted)
    )
    return wanted


async def test_a_page_of_exactly_the_cut_is_never_believed() -> None:
    """That one page of five hundred was whole does not show that five hundred and one would fit."""
    async with service(cut_to(500), NOTHING) as (box, client):
        first = fill(box, 500, ago=3 * HOUR)
        assert ids_of(await all_of(client.logs())) == sorted(first)
        more = fill(box, 1500, ago=HOUR, name="n")
        assert ids_of(await all_of(client.logs())) == sorted(first + more)


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("cap", [50, 137])
async def test_a_list_of_messages_may_be_cut(version: Any, cap: int) -> None:
    """Ids whose logs were cut off are neither missing nor lost, nor told to have none."""
    settings = cut_to(cap, ignored_filters={"useCursor"})
    async with service(settings, NOTHING, api_version=version) as (box, client):
        wanted = fill(box, 190)
        pull = client.logs_by_message_id([*wanted, "absent"])
        assert ids_of(await all_of(pull)) == sorted(wanted)
        assert pull.missing_ids == ("absent",)
        found = await client.get_logs(wanted)
        assert None not in found.values()


async def test_a_page_that_was_held_in_doubt_comes_after_a_sweep_was_given_up() -> None:
    """What the sweep handed over does not come again, and nothing else is left out."""
    async with service(cut_to(500), Traffic(bulks=0, loose=20_000, hours=20)) as (box, client):
        bulks = [f"bulk-{number}" for number in range(6)]
        wanted = [one for bulk in bulks for one in fill(box, 700, name=bulk, bulk_id=bulk)]
        query = LogsQuery(sent_since=box.now() - timedelta(hours=21))
        assert ids_of(await all_of(client.logs_by_bulk_id(bulks, query=query))) == sorted(wanted)


async def test_pages_of_one_pull_may_ask_for_the_same() -> None:
    """Each answer reaches the list that it was asked for; nobody else's logs come."""
    settings = cut_to(500, ignored_filters={"useCursor"})
    async with service(settings, Traffic(bulks=0, loose=300), api_version=4) as (box, client):
        bulks = [f"{number:0>1500}" for number in range(4)]
        sent = box.now() - HOUR
        box.extend(
            Record(message_id=f"{bulk[-1]}-{place}", bulk_id=bulk, sent_at=sent)
            for bulk in bulks
            for place in range(400)
        )
        logs, _ = await delivered(client.logs_by_bulk_id([*bulks, "y" * 1000, "z" * 1000]))
        assert len(logs) == len({log.message_id for log in logs}) == 1600
        assert {log.bulk_id for log in logs} == set(bulks)


@pytest.mark.parametrize("choice", ["latest", "earliest", "random"])
async def test_a_window_whose_end_is_compared_with_something_else_is_a_gap(choice: Any) -> None:
    """Where ``sentUntil`` acts on when mails were done, no window can be narrowed by it."""
    settings = Settings(v1_limits=(), sent_until_field="doneAt", full_page=choice)
    async with service(settings, NOTHING) as (box, client):
        begin = box.now() - 8 * HOUR
        box.extend(
            Record(
                message_id=f"m{place}",
                sent_at=begin + timedelta(seconds=place),
                done_at=begin + timedelta(seconds=place + 60),
            )
            for place in range(5000)
        )
        logs, error = await delivered(client.logs())
        came = {log.message_id for log in logs}
        assert len(came) == len(logs)
        assert error is not None
        lost = [one for one in box.records if one.message_id not in came]
        for gap in error.gaps:
            lost = [one for one in lost if not _covers(gap.since, gap.until, one)]
        assert not lost


def _covers(since: Any, until: Any, record: Record) -> bool:
    return (since or record.sent_at) <= record.sent_at <= (until or record.sent_at)


async def test_an_ignored_filter_and_a_cut_page_are_a_gap() -> None:
    """What came of a bulk is no proof that all of it came."""
    settings = cut_to(500, ignored_filters={"bulkId"})
    async with service(settings, NOTHING) as (box, client):
        fill(box, 100, bulk_id="mine", ago=2 * HOUR)
        fill(box, 480, name="o", bulk_id="other")
        logs, error = await delivered(client.logs_by_bulk_id("mine"))
        assert len(logs) < 100
        assert error is not None


async def test_a_plan_that_is_cancelled_forgets_no_id() -> None:
    """The ids that were read of a generator until then are asked for later."""
    async with service(Settings(v1_limits=()), NOTHING) as (box, client):
        wanted = fill(box, 3000, ago=2 * HOUR)

        def ids() -> Iterator[str]:
            yield from wanted

        pull = client.logs_by_message_id(ids())
        task = asyncio.create_task(pull.plan())
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert ids_of(await all_of(pull)) == sorted(wanted)


async def test_a_lookup_that_a_closing_client_cancels_ends() -> None:
    """Also where its request was about to begin."""
    async with service() as (_, client):
        lookup = asyncio.create_task(client.get_log("a"))
        await asyncio.sleep(0)
        client._lookups._depart()
        await client.close()
        with pytest.raises(IncompleteError, match="closed"):
            await lookup


async def test_a_lookup_with_an_impossible_id_fails_alone() -> None:
    """Those who asked in the same moment get their answers."""
    async with service() as (sandbox, client):
        known = sandbox.message_ids[0]
        found = await asyncio.gather(
            client.get_log(known), client.get_log("z" * 2100), return_exceptions=True
        )
        assert isinstance(found[0], EmailLog)
        assert isinstance(found[1], InvalidInput)


async def test_a_cursor_that_leads_to_empty_pages_only_is_an_error() -> None:
    """It is no loop without an end."""
    async with service(api_version=4) as (sandbox, client):
        pages = [f'{{"results": [], "cursor": {{"nextCursor": "c{n}"}}}}' for n in range(100)]
        sandbox.script(*(Fault(200, page) for page in pages))
        with pytest.raises(DecodeError, match="empty pages"):
            await all_of(client.logs())


async def _stopped_by_deadline(pull: Pull) -> None:
    with pytest.raises(IncompleteError):
        await all_of(pull)


async def _closed_early(pull: Pull) -> None:
    async with pull:
        async for _ in pull:
            break


@pytest.mark.parametrize("end", [_stopped_by_deadline, _closed_early])
async def test_ids_of_a_stopped_sweep_are_unconfirmed(end: Callable[[Pull], Any]) -> None:
    """Each id that no log came for is named, whatever stopped the pull."""
    settings = Settings(v1_limits=(), latency=(1.0, 1.0))
    async with service(settings, Traffic(bulks=0, loose=8000, hours=3)) as (box, client):
        query = LogsQuery(sent_since=box.now() - 4 * HOUR)
        absent = [f"absent-{number}" for number in range(50)]
        wanted = [*box.message_ids, *absent]
        pull = client.logs_by_message_id(wanted, query=query, strategy="sweep", deadline=3.5)
        await end(pull)
        drained = pull.drain()
        assert isinstance(drained, Iterable)
        assert set(absent) <= set(pull.report.unconfirmed_ids)
        assert not pull.missing_ids


async def test_ids_that_are_none_are_refused_at_once() -> None:
    """What can't be gone through is no ids, and the call says so."""
    wrong: Any = None
    async with service() as (_, client):
        with pytest.raises(InvalidInput, match="any iterable"):
            client.logs_by_message_id(wrong)
