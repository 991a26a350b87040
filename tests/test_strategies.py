"""Ids by asking for them, or by going through their window; what a pull may cost, and will."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from service import all_of, delivered, ids_of, service

from infobip_email_logs import (
    InvalidInput,
    InvalidState,
    LogsQuery,
    RetryPolicy,
    ServerError,
    TimeLimit,
)
from infobip_email_logs.sandbox import STATUSES, Fault, Record, Sandbox, Settings, Traffic

BULKS = Traffic(bulks=60, bulk_size=(40, 60), loose=200, hours=3)
NO_LIMIT = Settings(v1_limits=(), v4_limits=())


def window(sandbox: Sandbox, **more: Any) -> LogsQuery:
    """Return the hours in which everything was sent."""
    return LogsQuery(sent_since=sandbox.now() - timedelta(hours=4), **more)


def truth(sandbox: Sandbox, **filters: Any) -> list[str]:
    """Return the message ids of what matches."""
    return sorted(record.message_id or "" for record in sandbox.matching(**filters))


async def test_many_bulks_of_a_window_are_swept() -> None:
    """Sixty bulks in three thousand logs are a few pages, and nobody else's logs come."""
    async with service(NO_LIMIT, BULKS) as (sandbox, client):
        wanted = [*sandbox.bulk_ids[:50], "absent"]
        pull = client.logs_by_bulk_id(wanted, query=window(sandbox))
        assert ids_of(await all_of(pull)) == truth(sandbox, bulk_id=wanted)
        assert (pull.report.plan, pull.missing_ids) == ("sweep", ("absent",))
        assert len(sandbox.arrivals) < 10
        assert pull.report.complete


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("strategy", ["by_id", "sweep"])
async def test_a_strategy_can_be_forced(strategy: Any, version: Any) -> None:
    """Both ways deliver the same."""
    async with service(NO_LIMIT, BULKS, api_version=version) as (sandbox, client):
        wanted = sandbox.bulk_ids[:3]
        query = window(sandbox, general_status="DELIVERED")
        pull = client.logs_by_bulk_id(wanted, query=query, strategy=strategy)
        logs = await all_of(pull)
        assert ids_of(logs) == truth(sandbox, bulk_id=wanted, general_status="DELIVERED")
        assert pull.report.plan == strategy
        messages = [log.message_id or "" for log in logs]
        pull = client.logs_by_message_id(messages, query=query, strategy=strategy)
        assert ids_of(await all_of(pull)) == sorted(messages)


async def test_a_sweep_that_turns_out_dear_is_given_up() -> None:
    """What it handed over does not come again when the ids are asked for."""
    crowd = Traffic(bulks=8, bulk_size=(150, 150), loose=40_000, hours=3)
    async with service(NO_LIMIT, crowd) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, query=window(sandbox))
        assert ids_of(await all_of(pull)) == truth(sandbox, bulk_id=sandbox.bulk_ids)
        assert len(sandbox.arrivals) <= 8 * 1.1 + 3


async def test_ids_that_a_sweep_leaves_open_are_asked_for() -> None:
    """A millisecond with more than a page has its bulks by their ids; then nothing is open."""
    async with service(NO_LIMIT, Traffic(bulks=0, loose=100, hours=3)) as (sandbox, client):
        sent = sandbox.now() - timedelta(hours=1)
        sandbox.extend(
            Record(message_id=f"m{number}", sent_at=sent, bulk_id=f"b{number % 40}")
            for number in range(2000)
        )
        ids = [f"b{number}" for number in range(40)]
        pull = client.logs_by_bulk_id(ids, query=window(sandbox))
        assert len(await all_of(pull)) == 2000
        assert pull.report.complete


async def test_records_without_an_id_do_not_make_one_missing() -> None:
    """Swept logs that do not tell their bulk may be of one that was not found: it is asked for."""
    async with service(NO_LIMIT, BULKS) as (sandbox, client):
        hidden = frozenset({"bulkId"})
        sandbox.add(bulk_id="shy", hidden=hidden, sent_at=sandbox.now() - timedelta(hours=1))
        wanted = [*sandbox.bulk_ids, "absent"]
        pull = client.logs_by_bulk_id(wanted, query=window(sandbox), strategy="sweep")
        logs, _ = await delivered(pull)
        assert len(logs) == len(truth(sandbox, bulk_id=wanted))


async def test_ids_that_come_in_one_by_one_are_asked_for_as_they_come() -> None:
    """Unless a sweep is wanted: it begins when all are known."""
    async with service(NO_LIMIT, BULKS) as (sandbox, client):

        async def ids() -> AsyncIterator[str]:
            for one in sandbox.bulk_ids[:20]:
                await asyncio.sleep(0.1)
                yield one

        wanted = truth(sandbox, bulk_id=sandbox.bulk_ids[:20])
        pull = client.logs_by_bulk_id(ids(), query=window(sandbox))
        assert ids_of(await all_of(pull)) == wanted
        assert pull.report.plan == "by_id"
        pull = client.logs_by_bulk_id(ids(), query=window(sandbox), strategy="sweep")
        assert ids_of(await all_of(pull)) == wanted
        assert pull.report.plan == "sweep"
        with pytest.raises(InvalidInput, match="one by one"):
            await client.logs_by_bulk_id(ids()).plan()


async def test_bad_requests_for_a_plan_are_refused_at_once() -> None:
    """One clear error each, and nothing is sent."""
    async with service() as (sandbox, client):
        calls: list[tuple[str, Any]] = [
            ("sweep", lambda: client.logs_by_bulk_id(["a"], strategy="sweep")),
            ("strategy", lambda: client.logs_by_bulk_id(["a"], strategy="magic")),  # type: ignore[arg-type]
            ("max_requests", lambda: client.logs(max_requests=0)),
            ("max_requests", lambda: client.logs(max_requests=True)),
            ("deadline", lambda: client.logs(deadline=-1.0)),
            ("deadline", lambda: client.logs_by_message_id(["a"], deadline="soon")),  # type: ignore[arg-type]
            (
                "future",
                lambda: client.logs(LogsQuery(sent_until=sandbox.now() + timedelta(days=1))),
            ),
            (
                "future",
                lambda: client.logs_by_bulk_id(
                    ["a"], query=LogsQuery(sent_until=sandbox.now() + timedelta(days=1))
                ),
            ),
        ]
        for words, call in calls:
            with pytest.raises(InvalidInput, match=words):
                call()
        assert not sandbox.arrivals


@pytest.mark.parametrize("version", [1, 4])
async def test_requests_are_never_more_than_they_may_be(version: Any) -> None:
    """What came is handed over, retries count, and all that is missing lies in a gap."""
    crowd = Traffic(bulks=0, loose=9000, hours=3)
    async with service(NO_LIMIT, crowd, api_version=version) as (sandbox, client):
        sandbox.script(None, Fault(status=503), Fault(status=503))
        pull = client.logs(window(sandbox), max_requests=6)
        logs, error = await delivered(pull)
        assert len(sandbox.arrivals) == 6
        assert error
        assert {gap.why for gap in error.gaps} == {"max_requests"}
        came = ids_of(logs)
        assert len(came) == len(set(came)) > 2000
        for record in sandbox.records:
            if record.message_id not in set(came):
                assert any(
                    (not gap.since or gap.since <= record.sent_at)
                    and (not gap.until or record.sent_at <= gap.until)
                    for gap in error.gaps
                )


async def test_a_deadline_ends_a_pull_in_order() -> None:
    """What was received is handed over, and the rest of the ids is a gap."""
    async with service(traffic=Traffic(bulks=90, bulk_size=(5, 9), loose=0)) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id", deadline=30)
        logs, error = await delivered(pull)
        assert error
        (gap,) = error.gaps
        assert gap.why == "deadline"
        missing = gap.filters["bulk_id"]
        assert len(missing) == 30
        assert {log.bulk_id for log in logs} == set(sandbox.bulk_ids) - set(missing)
        assert pull.report.seconds == pytest.approx(30)


async def test_a_deadline_ends_a_sweep_for_ids() -> None:
    """Its window is the gap, and what is not found is not proven."""
    crowd = Traffic(bulks=60, bulk_size=(100, 100), loose=2000, hours=3)
    async with service(NO_LIMIT, crowd) as (sandbox, client):
        query = window(sandbox)
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, query=query, max_requests=4)
        logs, error = await delivered(pull)
        assert error
        assert {gap.why for gap in error.gaps} >= {"max_requests"}
        assert len(logs) == len(set(ids_of(logs)))
        assert not pull.missing_ids


async def test_feeding_ends_with_the_requests() -> None:
    """A source of ids that never ends does not keep a pull alive."""
    async with service(NO_LIMIT) as (sandbox, client):

        async def ids() -> AsyncIterator[str]:
            number = 0
            while True:
                await asyncio.sleep(1)
                number += 1
                yield f"b{number}"

        logs, error = await delivered(client.logs_by_bulk_id(ids(), max_requests=3))
        assert (logs, len(sandbox.arrivals)) == ([], 3)
        assert error


async def test_a_plan_tells_what_a_pull_costs() -> None:
    """A page at most is asked for, and it is not asked for again."""
    crowd = Traffic(bulks=0, loose=20_000, hours=3)
    async with service(NO_LIMIT, crowd) as (sandbox, client):
        pull = client.logs(window(sandbox))
        plan = await pull.plan()
        assert len(sandbox.arrivals) == 1
        assert (plan.strategy, plan.seconds) == ("sweep", 0)
        assert 20 <= plan.requests <= 32
        assert ids_of(await all_of(pull)) == truth(sandbox)
        assert len(sandbox.arrivals) <= plan.requests
        with pytest.raises(InvalidState, match="before"):
            await pull.plan()


async def test_a_plan_for_ids_asks_for_nothing_where_their_number_tells() -> None:
    """A hundred and fifty messages are three requests, a minute's limit is not at its end."""
    async with service() as (sandbox, client):
        ids = [f"id-{number:036}" for number in range(150)]
        plan = await client.logs_by_message_id(ids).plan()
        assert plan.to_dict() == {"strategy": "by_id", "requests": 3, "seconds": 0.0}
        assert not sandbox.arrivals
        pull = client.logs_by_bulk_id([f"b{number}" for number in range(130)])
        plan = await pull.plan()
        assert (plan.strategy, len(sandbox.arrivals)) == ("sweep", 1)
        assert await all_of(pull) == []


async def test_a_bulk_that_is_cut_below_the_limit_comes_whole() -> None:
    """Whether it is the account's only one, or another page shows larger ones."""
    for traffic in (Traffic(bulks=1, bulk_size=(500, 500), loose=0), BULKS):
        async with service(Settings(page_cap=137), traffic) as (sandbox, client):
            pull = client.logs_by_bulk_id(sandbox.bulk_ids, strategy="by_id")
            assert ids_of(await all_of(pull)) == truth(sandbox, bulk_id=sandbox.bulk_ids)
            assert pull.report.complete


async def test_unread_ids_are_told_when_a_pull_is_ended() -> None:
    """A gap without ids stands for those that nobody knows."""
    async with service(NO_LIMIT, BULKS) as (sandbox, client):

        async def ids() -> AsyncIterator[str]:
            for one in sandbox.bulk_ids:
                yield one
                await asyncio.sleep(100)

        logs, error = await delivered(client.logs_by_bulk_id(ids(), deadline=250))
        assert logs
        assert error
        assert any(gap.filters == {} and gap.why == "deadline" for gap in error.gaps)


async def test_logs_of_bulks_that_expire_while_the_limit_is_waited_for_are_told() -> None:
    """A bulk whose oldest log is about to expire may have lost another one."""
    async with service(NO_LIMIT, limit=TimeLimit(1, per=120)) as (box, client):
        for left in (60, 480):
            sent = box.now() - timedelta(hours=48) + timedelta(seconds=left)
            box.add(sent_at=sent, bulk_id="old")
        pull = client.logs_by_bulk_id(["aaa", "bbb", "old"], strategy="by_id")
        logs, error = await delivered(pull)
        assert len(logs) == 1
        assert error
        (gap,) = error.gaps
        assert (gap.why, gap.filters) == ("expired", {"bulk_id": ("old",)})


async def test_a_sweep_for_ids_ends_when_its_cursor_dies() -> None:
    """The rest is asked for by id, where the pages could not be continued."""
    settings = Settings(cursor_dies_after=1, v4_limits=())
    traffic = Traffic(bulks=0, loose=2500, hours=20)
    async with service(settings, traffic, api_version=4) as (box, client):
        hidden = frozenset({"sentAt"})
        for number in range(30):
            box.add(sent_at=box.now() - timedelta(minutes=number), hidden=hidden)
        query = LogsQuery(sent_since=box.now() - timedelta(hours=21))
        pull = client.logs_by_message_id(box.message_ids, query=query, strategy="sweep")
        logs, _ = await delivered(pull)
        assert ids_of(logs) == truth(box)


async def test_a_pull_goes_on_after_a_plan_that_failed() -> None:
    """The request that failed is made again; one that is under way is waited for."""
    async with service(NO_LIMIT, BULKS, retry=RetryPolicy(attempts=1)) as (box, client):
        box.script(Fault(status=503))
        pull = client.logs()
        with pytest.raises(ServerError):
            await pull.plan()
        assert ids_of(await all_of(pull)) == truth(box)
        pull = client.logs()
        planning = asyncio.create_task(pull.plan())
        await asyncio.sleep(0)
        with pytest.raises(InvalidState, match="meanwhile"):
            aiter(pull)
        await planning
        assert ids_of(await all_of(pull)) == truth(box)


async def test_a_plan_does_not_cost_more_than_a_pull_may() -> None:
    """The bound is told as it always is, when the pull is iterated."""
    async with service(NO_LIMIT, BULKS) as (box, client):
        box.script(*[Fault(status=503)] * 5)
        pull = client.logs(max_requests=1)
        plan = await pull.plan()
        assert plan.requests >= 1
        logs, error = await delivered(pull)
        assert (logs, len(box.arrivals)) == ([], 1)
        assert error


async def test_whole_seconds_are_gone_through_by_seconds() -> None:
    """Where timestamps have no milliseconds, no record falls between two stretches."""
    traffic = Traffic(bulks=1, bulk_size=(1500, 1500), spread=20, loose=300, hours=20)
    async with service(Settings(fraction=False, v1_limits=()), traffic) as (box, client):
        assert ids_of(await all_of(client.logs())) == truth(box)


async def test_the_last_page_that_is_wanted_is_the_last_request() -> None:
    """A limit that one page reaches is one request."""
    async with service(NO_LIMIT, Traffic(bulks=0, loose=5000)) as (box, client):
        pull = client.logs(LogsQuery(limit=10))
        assert (await pull.plan()).requests == 1
        assert len(await all_of(pull)) == 10
        assert len(box.arrivals) == 1


async def test_what_parts_proved_once_is_not_doubted_again() -> None:
    """Sixty logs of one millisecond, and no others, are no gap, however often they are asked."""
    async with service(NO_LIMIT, Traffic(bulks=0, loose=0)) as (sandbox, client):
        sent = sandbox.now() - timedelta(hours=1)
        names = ("DELIVERED_TO_HANDSET", "REJECTED_NETWORK")
        sandbox.extend(
            Record(message_id=f"m{number}", sent_at=sent, status=STATUSES[names[number % 2]])
            for number in range(60)
        )
        for _ in range(3):
            assert len(await all_of(client.logs())) == 60
        assert len(sandbox.arrivals) < 30


async def test_a_cut_that_one_pull_met_is_known_to_the_next() -> None:
    """Halves that hold more than the whole show that it was cut, and the next one may be."""
    cut = Settings(v1_limits=(), page_cap=60)
    async with service(cut, Traffic(bulks=0, loose=0)) as (box, client):
        for number in range(70):
            box.add(message_id=f"m{number}", sent_at=box.now() - timedelta(minutes=number + 0.5))
        assert len(await all_of(client.logs())) == 70
        query = LogsQuery(sent_until=box.now() - timedelta(minutes=5))
        assert len(await all_of(client.logs(query))) == 65


@pytest.mark.parametrize("ids", [(), ("m",)])
async def test_a_window_beyond_what_is_kept_is_a_gap(ids: tuple[str, ...]) -> None:
    """Nothing comes of it, and nobody knows what was in it."""
    async with service(NO_LIMIT, BULKS) as (sandbox, client):
        until = sandbox.now() - timedelta(days=3)
        query = LogsQuery(sent_since=until - timedelta(days=1), sent_until=until)
        pull = client.logs_by_message_id(ids, query=query) if ids else client.logs(query)
        logs, error = await delivered(pull)
        assert not logs
        assert error is not None
        assert {gap.why for gap in error.gaps} == {"expired"}


async def test_a_look_at_the_window_is_no_sweep() -> None:
    """Ids that were asked for by id after a look are said to be had by id."""
    crowd = Traffic(bulks=8, bulk_size=(150, 150), loose=40_000, hours=3)
    async with service(NO_LIMIT, crowd) as (sandbox, client):
        pull = client.logs_by_bulk_id(sandbox.bulk_ids, query=window(sandbox))
        assert len(await all_of(pull)) == 1200
        assert pull.report.plan == "by_id"
