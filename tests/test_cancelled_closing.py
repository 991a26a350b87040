"""Cancelled while something is closed, and while somebody waits for a limit, shared or not."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from service import all_of
from sharing import Shelf
from turning import BLOWS, CANCEL, SOON_AGAIN, STUBBORN, Blow, each_turn, no_files_left, others

from infobip_email_logs import (
    EmailLogsClient,
    EmailLogsError,
    HostLimiter,
    LocalLimiter,
    OAuth2,
    RetryPolicy,
    TimeLimit,
)
from infobip_email_logs.redis_limiter import RedisLimiter
from infobip_email_logs.sandbox import Sandbox, Settings, Traffic
from infobip_email_logs.shared_limiter import SharedLimiter

FEW = Traffic(bulks=0, loose=5)
LIMIT = TimeLimit(4, per=1)
PATIENCE = 20.0
"""Seconds that a token which is there is waited for, at most: by far more than it takes."""

Kept = LocalLimiter | SharedLimiter

keys = (f"{{cancelled}}:{number}" for number in itertools.count())


def client_of(box: Sandbox, **options: Any) -> EmailLogsClient:
    """Return a client that has to fetch a token first."""
    auth = OAuth2(box.credentials.client_id, box.credentials.client_secret)
    return EmailLogsClient(box.url, auth, **options)


@pytest.mark.parametrize("blow", [CANCEL, SOON_AGAIN, STUBBORN], ids=repr)
async def test_a_whole_life_that_is_disturbed_leaves_nothing_behind(blow: Blow) -> None:
    """From the opening to the closing: the ledger that it shared holds nothing for it any more."""
    shelf = Shelf(delay=lambda: 0.01)
    async with Sandbox(traffic=FEW, settings=Settings(v1_limits=())) as box:

        async def life() -> None:
            limiter = SharedLimiter(shelf, LIMIT)
            async with limiter, client_of(box, limiter=limiter) as client:
                await client.get_page()
                looks = asyncio.create_task(client.get_log("a"))
                looks.add_done_callback(lambda _: looks.cancelled() or looks.exception())
                async with client.logs() as pull:
                    await anext(pull)

        with no_files_left():
            async for _ in each_turn(life, blow):
                await asyncio.sleep(1)
                assert not others()
                if shelf.ledger:
                    assert not shelf.ledger.held
                    assert not shelf.ledger.members


@pytest.mark.parametrize("when", [0.5, 1.5], ids=["token", "requests"])
@pytest.mark.parametrize("blow", BLOWS, ids=repr)
async def test_closing_a_busy_client_may_be_disturbed(blow: Blow, when: float) -> None:
    """Those who wait are told, what was begun ends, and nothing has to be closed again."""
    once = RetryPolicy(attempts=1)
    async with Sandbox(traffic=FEW, settings=Settings(latency=(1, 1))) as box:

        async def busy() -> tuple[EmailLogsClient, list[asyncio.Task[Any]]]:
            client = client_of(box, limit=LIMIT, retry=once)
            calls = [client.get_page(), client.get_log("a"), client.get_page()]
            tasks = [asyncio.create_task(work) for work in [*calls, all_of(client.logs())]]
            await asyncio.sleep(when)
            return client, tasks

        with no_files_left():
            client, tasks = await busy()

            async def close() -> None:
                await client.close()

            async for _ in each_turn(close, blow):
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(one, EmailLogsError) for one in ended)
                assert not others()
                client, tasks = await busy()
            await client.close()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def sharers(kind: str, place: Any) -> AsyncGenerator[tuple[Kept, Kept]]:
    """Return two who share a limit; on one loop they may be one."""
    limit, key = TimeLimit(2, per=0.02), next(keys)
    if kind == "local":
        one = LocalLimiter(limit)
        yield one, one
        return
    make: Callable[[], SharedLimiter]
    async with AsyncExitStack() as stack:
        if kind == "redis":
            redis = await stack.enter_async_context(Redis.from_url(place))
            make = lambda: RedisLimiter(redis, limit, key=key)  # noqa: E731
        elif kind == "host":
            make = lambda: HostLimiter(limit, key=key, folder=place)  # noqa: E731
        else:
            shelf = Shelf(delay=lambda: 0.001)
            make = lambda: SharedLimiter(shelf, limit)  # noqa: E731
        yield (
            await stack.enter_async_context(make()),
            await stack.enter_async_context(make()),
        )


async def use(limiter: Kept) -> None:
    """Send a request that is answered at once."""
    (await limiter.acquire()).answered()


async def waits_are_cancelled(kind: str, place: Any, blow: Blow) -> None:
    """Give up waiting among others in each turn: they get their turns, and all tokens come back."""
    async with sharers(kind, place) as (one, other):
        behind: list[asyncio.Task[None]] = []

        async def wait() -> None:
            ahead = [asyncio.create_task(use(one)) for _ in range(2)]
            await asyncio.sleep(0)
            behind[:] = [*ahead, asyncio.create_task(use(one))]
            await use(one)

        async for _ in each_turn(wait, blow):
            await asyncio.gather(*behind)
            permits = [await other.acquire(max_wait=PATIENCE) for _ in range(2)]
            for permit in permits:
                permit.unused()
            assert one.snapshot().waiting == 0


@pytest.mark.parametrize("kind", ["local", "shelf"])
@pytest.mark.parametrize("blow", BLOWS, ids=repr)
async def test_a_wait_for_the_limit_that_is_given_up_costs_nobody_anything(
    kind: str, blow: Blow
) -> None:
    """Also in the turn in which its permit comes, and while the ledger is told."""
    await waits_are_cancelled(kind, None, blow)


@pytest.mark.real_time
@pytest.mark.parametrize("kind", ["host", "redis"])
@pytest.mark.parametrize("blow", [CANCEL, STUBBORN], ids=repr)
async def test_a_wait_that_is_given_up_costs_no_other_process_anything(
    request: pytest.FixtureRequest, kind: str, blow: Blow
) -> None:
    """On a file and on a Redis server."""
    place = request.getfixturevalue("redis_url" if kind == "redis" else "tmp_path")
    await waits_are_cancelled(kind, place, blow)
