"""Pulls in worlds: one in this process, or through sockets; and the smallest that goes wrong."""

import asyncio
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs
from in_process import KEY, InProcess
from judging import Told
from virtual_time import VirtualTimeLoop
from worlds import MILLISECOND, NOW, World

from infobip_email_logs import (
    ApiKey,
    EmailLog,
    EmailLogsClient,
    Gap,
    IncompleteError,
    LogsQuery,
    Pull,
    TimeLimit,
)
from infobip_email_logs.page_facts import PageFacts
from infobip_email_logs.sandbox import Sandbox, Settings

FOREVER = 2400.0
"""Seconds after which nothing more is expected to come."""

SLOWNESS = 3.0
"""Seconds that a slow consumer rests, now and then."""

TRIES = 400
"""The pulls, at most, that the smallest world that goes wrong is looked for in."""

MOST = 400
"""The requests of a pull, at most, beside those for its records."""

MOST_PER_PAGE = 15
"""The requests, at most, for as many records as a page holds."""

PERIOD = 10.0
PACES = {"quick": None, "slow": TimeLimit(2, per=PERIOD)}


def options(world: World) -> dict[str, Any]:
    """Return the arguments of the client that a world is pulled with."""
    version = {"api_version": 4} if world.version == 4 else {}
    pace, concurrency = PACES[world.drawn["pace"]], world.drawn["concurrency"]
    return {"auth": ApiKey(KEY), "limit": pace, "concurrency": concurrency, **version}


async def pull_in_process(world: World) -> Told:
    """Pull the logs of a world without a socket."""
    service = InProcess(world, MOST + MOST_PER_PAGE * len(world.records) // world.capacity)
    session: Any = service
    async with EmailLogsClient("http://127.0.0.1", session=session, **options(world)) as client:
        return await _told(world, client, service.now, lambda: len(service.targets))


async def pull_through_sockets(world: World) -> Told:
    """Pull the logs of a world from the stand-in that listens on a port."""
    given: dict[str, Any] = {"records": world.records, "settings": world.settings, "now": NOW}
    async with (
        Sandbox(**given, seed=1) as sandbox,
        EmailLogsClient(sandbox.url, **options(world)) as client,
    ):
        return await _told(world, client, sandbox.now, lambda: len(sandbox.arrivals))


async def _told(
    world: World,
    client: EmailLogsClient,
    now: Callable[[], datetime],
    requests: Callable[[], int],
) -> Told:
    if world.drawn["known"]:
        await _outcome(_scaled(client, world, LogsQuery()), slow=False)
        await asyncio.sleep(6 * PERIOD)  # until the limit is of no account again
    began, before, pull = now(), requests(), _scaled(client, world, world.query)
    logs, gaps, error = await _outcome(pull, slow=world.drawn["consumer"] == "slow")
    return Told(
        logs=logs,
        gaps=gaps,
        error=error,
        report=pull.report,
        began=(began - NOW) // MILLISECOND,
        ended=(now() - NOW) // MILLISECOND,
        requests=requests() - before,
    )


def _scaled(client: EmailLogsClient, world: World, query: LogsQuery) -> Pull:
    """Return a pull whose requests ask for the pages of the world."""
    if client._pages == PageFacts():
        client._pages.cap = world.page
        client._pages.whole = world.suspicious - 1
    pull = client.logs(query)
    sweep: Any = pull._plan
    sweep._query = attrs.evolve(sweep._query, limit=world.page)
    return pull


async def _outcome(pull: Pull, *, slow: bool) -> tuple[list[EmailLog], Sequence[Gap] | None, str]:
    """Take all that comes of a pull, and note how it ends."""
    logs: list[EmailLog] = []
    try:
        async with asyncio.timeout(FOREVER), pull:
            async for log in pull:
                logs.append(log)
                if slow and not len(logs) % 7:
                    await asyncio.sleep(SLOWNESS)
    except IncompleteError as error:
        return logs, error.gaps, ""
    except Exception:  # noqa: BLE001 - whatever it is, it is wrong
        return logs, None, traceback.format_exc()
    return logs, None, ""


@contextmanager
def virtual_runner() -> Iterator[asyncio.Runner]:
    """Run pulls in virtual time, and without asyncio's own checks, which would take longer."""
    with asyncio.Runner(debug=False, loop_factory=VirtualTimeLoop) as runner:
        yield runner


def smallest(world: World, is_wrong: Callable[[World], bool]) -> World:
    """Return a world with as little in it as possible that goes wrong, too."""
    tries = iter(range(TRIES))
    size = len(world.records) // 2
    while size:
        for start in range(0, len(world.records), size):
            records = world.records[:start] + world.records[start + size :]
            fewer = attrs.evolve(world, records=records)
            if next(tries, None) is not None and is_wrong(fewer):
                world = fewer
                break
        else:
            size //= 2
    return _usual(world, is_wrong)


def _usual(world: World, is_wrong: Callable[[World], bool]) -> World:
    """Return the world with the usual setting wherever it goes wrong all the same."""
    usual = Settings(v1_limits=(), v4_limits=())
    for field in attrs.fields(Settings):
        settings = attrs.evolve(world.settings, **{field.name: getattr(usual, field.name)})
        plainer = attrs.evolve(world, settings=settings)
        if settings != world.settings and is_wrong(plainer):
            world = plainer
    for field in attrs.fields(LogsQuery):
        default: dict[str, Any] = {field.name: field.default}
        query = attrs.evolve(world.query, **default)
        plainer = attrs.evolve(world, query=query)
        if query != world.query and is_wrong(plainer):
            world = plainer
    return world
