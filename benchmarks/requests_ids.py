"""Many bulks, many messages, many lookups: what the ids in hand cost."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from measuring import Cost, Result, Row, client, cost, unlimited
from service_process import Service, service

from infobip_email_logs import LogsQuery
from infobip_email_logs.sandbox import Traffic

MANY = 2_000_000
HUNDRED = (100, 100)
LOOKUPS = 1000


def rows() -> Iterator[Row]:
    """Yield the cases."""
    for name, measure, limit in (
        ("bulks-in-a-window", _bulks_in_a_window, 56),
        ("bulks-among-millions", _bulks_among_millions, 4),
        ("ids-among-millions", _ids_among_millions, 183),
        ("ids-in-a-window", _ids_in_a_window, 34),
        ("lookups", _lookups, 19),
    ):
        yield Row(name, partial(_measured, name, measure, limit))


def _measured(name: str, measure: Any, limit: float) -> list[Result]:
    found: Cost = measure()
    return [Result(name, found.requests, limit, found.wrong)]


def _bulks_in_a_window() -> Cost:
    """500 bulks of 100 mails, sent in three hours that are known."""
    traffic = Traffic(bulks=500, bulk_size=HUNDRED, loose=0, hours=3)
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        wanted, query = there.bulk_ids(), _before(there, hours=3)
        truth = there.truth(bulk_id=wanted)
        return cost(there, lambda client: client.logs_by_bulk_id(wanted, query=query), truth)


def _bulks_among_millions() -> Cost:
    """Three bulks of 100 mails, at any time."""
    traffic = Traffic(bulks=3, bulk_size=HUNDRED, loose=MANY - 300)
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        wanted = there.bulk_ids()
        truth = there.truth(bulk_id=wanted)
        return cost(there, lambda client: client.logs_by_bulk_id(wanted), truth)


def _ids_among_millions() -> Cost:
    """10 000 messages, at any time."""
    traffic = Traffic(bulks=0, loose=MANY, hours=47.9)
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        wanted = there.message_ids(10_000)
        return cost(there, lambda client: client.logs_by_message_id(wanted), sorted(wanted))


def _ids_in_a_window() -> Cost:
    """10 000 messages of the 30 000 of an hour that is known."""
    traffic = Traffic(bulks=0, loose=30_000, hours=1)
    with service(settings=unlimited(), traffic=traffic, seed=1) as there:
        wanted, query = there.message_ids(10_000), _before(there, hours=1)
        return cost(
            there, lambda client: client.logs_by_message_id(wanted, query=query), sorted(wanted)
        )


def _before(there: Service, *, hours: float) -> LogsQuery:
    """Return the window in which all was sent."""
    return LogsQuery(sent_since=there.start - timedelta(hours=hours), sent_until=there.start)


def _lookups() -> Cost:
    """1 000 lookups at the same time."""
    with service(settings=unlimited(), traffic=Traffic(loose=5000), seed=1) as there:
        wanted = there.message_ids(LOOKUPS)
        found = asyncio.run(_looked_up(there, wanted))
        wrong = sum(one != two for one, two in zip(found, wanted, strict=True))
        requests, _ = there.counts()
    return Cost(requests, f"{wrong} answers are wrong" if wrong else "")


async def _looked_up(there: Service, wanted: list[str]) -> list[str | None]:
    async with client(there) as asked:
        logs = await asyncio.gather(*map(asked.get_log, wanted))
    return [None if log is None else log.message_id for log in logs]
