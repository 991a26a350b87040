"""Cancelled at every await, once or twice or by a timeout: nothing is left, and all works on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
from service import all_of, ids_of
from turning import BLOWS, CANCEL, TIMEOUT, Blow, each_turn, no_files_left, others

from infobip_email_logs import (
    ApiKey,
    EmailLog,
    EmailLogsClient,
    KeepAnswers,
    LocalLimiter,
    LogsQuery,
    OAuth2,
    Pull,
    TimeLimit,
)
from infobip_email_logs.bucket import GRACE
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, Traffic

FEW = Traffic(bulks=2, bulk_size=(8, 12), loose=45)
SETTINGS = Settings(v1_limits=(), v4_limits=(), page_cap=52)
LIMIT = TimeLimit(20, per=1)
ALL_BACK = LIMIT.per + GRACE + 1
"""Seconds after which all tokens are there again, whatever became of their requests."""

Call = Callable[[Sandbox, EmailLogsClient], Coroutine[Any, Any, None]]


@asynccontextmanager
async def served(**options: Any) -> AsyncGenerator[tuple[Sandbox, EmailLogsClient]]:
    """Start a sandbox, and a client of it."""
    async with Sandbox(traffic=FEW, settings=SETTINGS, seed=1) as box:
        auth = options.pop("auth", lambda box: ApiKey(box.credentials.api_key))(box)
        kept = LocalLimiter(LIMIT)
        async with EmailLogsClient(box.url, auth, limiter=kept, concurrency=3, **options) as client:
            yield box, client


async def nothing_left(client: EmailLogsClient) -> None:
    """See that no task and no connection is in use, and that all tokens come back."""
    await asyncio.sleep(ALL_BACK)
    assert not others()
    session = client._transport._own
    assert session is None or not vars(session.connector)["_acquired"]
    assert isinstance(client._limiter, LocalLimiter)
    known = client._limiter.snapshot()
    assert (known.tokens, known.waiting, known.not_before) == (LIMIT.requests, 0, 0)


async def a_page(box: Sandbox, client: EmailLogsClient) -> None:
    """Ask for one page."""
    page = await client.get_page(LogsQuery(limit=20))
    assert page.size == 20


async def a_page_behind_others(box: Sandbox, client: EmailLogsClient) -> None:
    """Ask for a page when the limit is used up."""
    for _ in range(LIMIT.requests):
        (await client._limiter.acquire()).answered()
    await client.get_page(LogsQuery(limit=1), max_wait=30)


def a_page_after(fault: Fault) -> Call:
    """Return a call for a page that meets trouble first."""

    async def call(box: Sandbox, client: EmailLogsClient) -> None:
        box._faults.clear()
        box.script(fault)
        await a_page(box, client)

    return call


async def a_page_with_a_new_token(box: Sandbox, client: EmailLogsClient) -> None:
    """Ask for a page when the access token was revoked."""
    box.revoke_tokens()
    await a_page(box, client)


async def lookups(box: Sandbox, client: EmailLogsClient) -> None:
    """Look single messages up, at the same time and in several requests."""
    ids = box.message_ids[:8]
    log, again, found = await asyncio.gather(
        client.get_log(ids[0]), client.get_log(ids[0]), client.get_logs([*ids, "absent"])
    )
    assert log
    assert log is again
    assert found.pop("absent") is None
    assert [one and one.message_id for one in found.values()] == ids


async def consumed(pull: Pull, ids: list[str]) -> None:
    """Iterate over a pull for all that there is, or for these ids."""
    assert ids_of([log async for log in pull]) == sorted(ids)
    assert pull.report.complete


async def a_window(box: Sandbox, client: EmailLogsClient) -> None:
    """Pull a window that takes several requests."""
    async with client.logs() as pull:
        await consumed(pull, box.message_ids)


async def a_window_left_alone(box: Sandbox, client: EmailLogsClient) -> None:
    """Iterate without a context."""
    await consumed(client.logs(), box.message_ids)


async def some_messages(box: Sandbox, client: EmailLogsClient) -> None:
    """Pull by ids."""
    async with client.logs_by_message_id(box.message_ids[:20]) as pull:
        await consumed(pull, box.message_ids[:20])


async def ids_that_come_in(box: Sandbox, client: EmailLogsClient) -> None:
    """Pull by ids of an async generator, which is closed in any case."""
    closed = asyncio.Event()

    async def ids() -> AsyncIterator[str]:
        try:
            for one in box.message_ids[:12]:
                yield one
            await asyncio.sleep(0.1)
        finally:
            await asyncio.sleep(0.1)
            closed.set()

    pull = client.logs_by_message_id(ids())
    async with pull:
        await consumed(pull, box.message_ids[:12])
    assert closed.is_set()


async def bulks(box: Sandbox, client: EmailLogsClient) -> None:
    """Pull by bulks, the first half of the logs, and leave."""
    async with client.logs_by_bulk_id(box.bulk_ids, strategy="by_id") as pull:
        async for _ in pull:
            if pull.report.records == 10:
                break


async def planned(box: Sandbox, client: EmailLogsClient) -> None:
    """Plan a pull, and iterate over it in any case."""
    pull = client.logs()
    try:
        await pull.plan()
    finally:
        await asyncio.shield(asyncio.create_task(consumed(pull, box.message_ids)))


def oauth(box: Sandbox) -> OAuth2:
    """Return credentials that are exchanged for a token."""
    return OAuth2(box.credentials.client_id, box.credentials.client_secret)


CALLS: dict[str, tuple[Call, dict[str, Any]]] = {
    "page": (a_page, {}),
    "limit": (a_page_behind_others, {}),
    "500": (a_page_after(Fault(500)), {}),
    "429": (a_page_after(Fault(429, headers={"Retry-After": "1"})), {}),
    "reset": (a_page_after(Fault(disconnect="in_body")), {}),
    "token": (a_page_with_a_new_token, {"auth": oauth}),
    "lookups": (lookups, {"max_ids_length": 200}),
    "kept": (lookups, {"keep_answers": KeepAnswers(final=8, pending=8)}),
    "window": (a_window, {}),
    "cursors": (a_window, {"api_version": 4}),
    "alone": (a_window_left_alone, {}),
    "ids": (some_messages, {"max_ids_length": 400}),
    "coming": (ids_that_come_in, {"max_ids_length": 200}),
    "bulks": (bulks, {}),
    "plan": (planned, {}),
}


OTHER_BLOWS = [(name, blow) for name in ("token", "coming", "window") for blow in BLOWS[1:]]


@pytest.mark.parametrize(
    ("name", "blow"), [*((name, CANCEL) for name in CALLS), *OTHER_BLOWS], ids=str
)
async def test_a_call_that_is_disturbed_leaves_nothing_behind(name: str, blow: Blow) -> None:
    """At whichever await: it ends as it is told, and the same client delivers the truth then."""
    call, options = CALLS[name]
    with no_files_left():
        async with served(**options) as (box, client):
            async for _ in each_turn(partial(call, box, client), blow):
                await nothing_left(client)
                await a_page(box, client)


@pytest.mark.parametrize("blow", [CANCEL, TIMEOUT], ids=repr)
async def test_a_step_that_is_given_up_loses_no_log(blow: Blow) -> None:
    """Whoever gives up waiting for a log may go on later: all come, and each of them once."""
    async with served() as (box, client):
        pull, logs = client.logs(), list[EmailLog]()

        async def consume() -> None:
            nonlocal pull, logs
            pull, logs = client.logs(), []
            async for log in pull:
                logs.append(log)

        async for _ in each_turn(consume, blow):
            with suppress(StopAsyncIteration):
                while True:
                    logs.append(await anext(pull))
            assert ids_of(logs) == sorted(box.message_ids)
        await nothing_left(client)


async def test_one_that_is_cancelled_takes_nothing_from_its_neighbours() -> None:
    """Those who wait for the same token, list or answer get what they wait for."""
    async with served(auth=oauth) as (box, client):
        one, other = box.message_ids[:2]
        neighbours: list[asyncio.Task[Any]] = []

        async def together() -> None:
            box.revoke_tokens()
            asked = (client.get_log(one), client.get_log(other), client.get_page())
            neighbours[:] = map(asyncio.create_task, asked)
            await client.get_log(one)

        async for _ in each_turn(together):
            first, second, page = await asyncio.gather(*neighbours)
            assert [first.message_id, second.message_id] == [one, other]
            assert page.size == 50
        await nothing_left(client)


async def test_a_source_of_ids_that_fails_as_it_is_stopped_is_not_complained_about() -> None:
    """Its error is the consumer's, unless the consumer has gone."""
    async with served() as (box, client):

        async def ids() -> AsyncIterator[str]:
            yield box.message_ids[0]
            await asyncio.sleep(0)
            raise ZeroDivisionError

        async def consume() -> None:
            with suppress(ZeroDivisionError):
                async with client.logs_by_message_id(ids()) as pull:
                    await all_of(pull)

        async for _ in each_turn(consume):
            await nothing_left(client)
