"""Single lookups share requests and answers, and nothing else."""

import asyncio
import json
from typing import Any

import pytest
from service import service

from infobip_email_logs import (
    DecodeError,
    EmailLog,
    EmailLogsClient,
    IncompleteError,
    InvalidInput,
    InvalidState,
    KeepAnswers,
    RetryPolicy,
    ServerError,
    Status,
)
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, Traffic

MANY = Traffic(bulks=0, loose=1000, hours=24)


async def test_a_thousand_lookups_at_once_share_nineteen_requests() -> None:
    """Each caller gets the log of its own message."""
    async with service(traffic=MANY) as (sandbox, client):
        ids = sandbox.message_ids
        logs = await asyncio.gather(*map(client.get_log, ids))
        assert [log and log.message_id for log in logs] == ids
        assert len(sandbox.arrivals) <= 19


async def test_a_message_without_a_log_is_none() -> None:
    """One id alone needs no list, and several are made sure of."""
    async with service() as (sandbox, client):
        assert await client.get_log("absent") is None
        known = sandbox.message_ids[:2]
        logs = await client.get_logs([*known, "absent", "absent"])
        assert {one: log and log.message_id for one, log in logs.items()} == {
            known[0]: known[0],
            known[1]: known[1],
            "absent": None,
        }


async def test_equal_ids_share_one_answer() -> None:
    """Also with a caller that comes while the request is under way."""
    async with service(Settings(latency=(1, 1))) as (sandbox, client):
        one = sandbox.message_ids[0]
        first = [asyncio.create_task(client.get_log(one)) for _ in range(5)]
        await asyncio.sleep(0.5)
        late = await client.get_log(one)
        assert {id(await task) for task in first} == {id(late)}
        assert len(sandbox.arrivals) == 1


async def test_answers_are_not_kept_unless_asked_for() -> None:
    """A second lookup asks again."""
    async with service() as (sandbox, client):
        for _ in range(2):
            await client.get_log(sandbox.message_ids[0])
        assert len(sandbox.arrivals) == 2


async def test_final_answers_are_kept_for_longer() -> None:
    """Each is forgotten after its time."""
    keep = KeepAnswers(final=100, pending=10)
    async with service(keep_answers=keep) as (sandbox, client):
        final = sandbox.matching(general_status="DELIVERED")[0].message_id
        pending = sandbox.matching(general_status="PENDING")[0].message_id
        assert final
        assert pending
        for pause in (0, 5, 6, 50, 50):
            await asyncio.sleep(pause)
            await client.get_logs([final, pending])
        asked = [arrival.query for arrival in sandbox.arrivals]
        assert sum(query.count(final) for query in asked) == 2
        assert sum(query.count(pending) for query in asked) == 4


async def test_one_callers_giving_up_touches_nobody_else() -> None:
    """Not even when it was the first, or the only one."""
    async with service(Settings(latency=(1, 1))) as (sandbox, client):
        one, other = sandbox.message_ids[:2]
        gone = [asyncio.create_task(client.get_log(one)) for _ in range(2)]
        stays = asyncio.create_task(client.get_log(one))
        lonely = asyncio.create_task(client.get_log(other))
        await asyncio.sleep(0.5)
        for task in (*gone, lonely):
            task.cancel()
        log = await stays
        assert log
        assert log.message_id == one
        assert all(task.cancelled() for task in gone)


async def test_what_nobody_waits_for_any_more_is_not_asked_for() -> None:
    """A lookup that is given up in the queue takes nobody's turn, and leaves no task behind."""
    async with service(limit="1/10s") as (sandbox, client):
        one, other = sandbox.message_ids[:2]
        await client.get_log(one)
        for pause in (0, 1):
            lookups = [asyncio.create_task(client.get_log(id_)) for id_ in (one, other, one)]
            await asyncio.sleep(pause)
            for lookup in lookups:
                lookup.cancel()
            await asyncio.wait(lookups)
            again = asyncio.create_task(client.get_log(other))
            await asyncio.sleep(1)
            assert len(client._tasks) <= 2 + client._concurrency
            log = await again
            assert log
            assert log.message_id == other
            assert not client._tasks
            assert not client._lookups._asked
        asked = [arrival.query.partition("&")[0] for arrival in sandbox.arrivals]
        assert asked == [f"messageId={id_}" for id_ in (one, other, other)]


async def test_visitors_who_give_up_soon_do_not_keep_the_others_waiting() -> None:
    """While more ask than the limit allows, its requests are for those who still wait."""
    async with service(limit="1/2s", max_ids_length=40, traffic=MANY) as (sandbox, client):

        async def visit(message_id: str) -> bool:
            try:
                async with asyncio.timeout(5):
                    return await client.get_log(message_id) is not None
            except TimeoutError:
                return False

        visits = list[asyncio.Task[bool]]()
        for one in sandbox.message_ids[:120]:
            visits.append(asyncio.create_task(visit(one)))
            await asyncio.sleep(0.5)
        served = sum(await asyncio.gather(*visits))
        assert served >= 0.9 * len(sandbox.arrivals)
        assert len(sandbox.arrivals) >= 120 * 0.5 / 2


async def test_an_error_reaches_those_it_concerns() -> None:
    """Two requests, one of which fails: the callers of the other get their logs."""
    async with service(traffic=MANY, concurrency=1, retry=RetryPolicy(attempts=1)) as (
        sandbox,
        client,
    ):
        sandbox.script(None, Fault(500))
        ids = sandbox.message_ids[:110]
        results = await asyncio.gather(*map(client.get_log, ids), return_exceptions=True)
        failed = [result for result in results if isinstance(result, ServerError)]
        assert len(failed) == 55
        assert sum(result is not None for result in results) == 110
        sandbox.script(None, Fault(500))
        with pytest.raises(ServerError):
            await client.get_logs(ids)


@pytest.mark.parametrize(
    ("record", "kinds"),
    [
        ({"messageId": "bad", "sentAt": "soon"}, [DecodeError, EmailLog, EmailLog]),
        ("no record", [DecodeError, EmailLog, EmailLog]),
    ],
)
async def test_a_record_that_cannot_be_decoded_fails_its_own_lookup(
    record: Any, kinds: list[type]
) -> None:
    """Those whose request it shares get their logs; without an id, it is of those not found."""
    body = json.dumps({"results": [{"messageId": "a"}, record, {"messageId": "b"}]})
    async with service(Settings(fault=Fault(200, body))) as (sandbox, client):
        asked = map(client.get_log, ("bad", "a", "b"))
        assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == kinds
        assert len(sandbox.arrivals) == 1
        with pytest.raises(DecodeError, match=r"record 1: \$\.results\[1\]") as caught:
            await client.get_logs(["a", "bad"])
        assert caught.value.index == 1


async def test_what_breaks_in_the_callers_own_code_reaches_those_who_wait() -> None:
    """A limiter, credentials or a callback that fail leave nobody waiting for ever."""

    class Failing:
        def header(self) -> str:
            raise ZeroDivisionError

    async with Sandbox() as sandbox, EmailLogsClient(sandbox.url, Failing()) as client:
        done = await asyncio.gather(*map(client.get_log, "ab"), return_exceptions=True)
        assert [type(one) for one in done] == [ZeroDivisionError] * 2


async def test_what_is_not_certain_is_an_error() -> None:
    """A service that does not keep the filter proves nothing about an absent id."""
    async with service(Settings(ignored_filters={"messageId"})) as (_, client):
        with pytest.raises(IncompleteError, match="absent"):
            await client.get_log("absent")


async def test_ids_that_cannot_be_sent_are_refused() -> None:
    """At once, or when they are packed; the others are not held up."""
    async with service() as (sandbox, client):
        with pytest.raises(InvalidInput):
            await client.get_log("a,b")
        with pytest.raises(InvalidInput, match="longer"):
            await client.get_log("x" * 3000)
        assert await client.get_log(sandbox.message_ids[0])


async def test_closing_the_client_is_told_to_those_who_wait() -> None:
    """Those who are asked for, and those who were still gathered."""
    async with service(Settings(fault=Fault(delay=100))) as (_, client):
        asked = asyncio.create_task(client.get_log("a"))
        await asyncio.sleep(1)
        gathered = asyncio.create_task(client.get_log("b"))
        await asyncio.sleep(0)
        await client.close()
        for task in (asked, gathered):
            with pytest.raises((IncompleteError, InvalidState)):
                await task
        with pytest.raises(InvalidState):
            await client.get_log("c")


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (Status(group_name="DELIVERED", name="DELIVERED_TO_HANDSET"), True),
        (Status(group_name="DELIVERED", name="DELIVERED_TO_OPERATOR"), False),
        (Status(group_name="REJECTED"), True),
        (Status(group_name="PENDING"), False),
        (Status(group_name="ACCEPTED"), False),
        (Status(group_name="NEW"), False),
        (Status(), False),
    ],
)
def test_a_status_is_final_or_not(status: Status, final: bool) -> None:  # noqa: FBT001 - a row
    """What is not known to be final may change."""
    assert status.is_final is final


def test_seconds_to_keep_answers_are_checked() -> None:
    """Less than nothing is no time."""
    with pytest.raises(InvalidInput, match="final"):
        KeepAnswers(final=-1)
