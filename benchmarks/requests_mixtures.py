"""Mixtures of ids and windows: is the way that is chosen nearly the cheaper one, each time?"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

import attrs
from measuring import Call, Cost, Result, Row, cost, unlimited
from service_process import Service, service

from infobip_email_logs import EmailLogsClient, LogsQuery, Pull
from infobip_email_logs.sandbox import Traffic

MIXTURES = 200
HOURS = 47.0
SINCE_ALL = timedelta(hours=HOURS + 0.5)
TRAFFIC = Traffic(bulks=150, bulk_size=(1, 250), loose=20_000, hours=HOURS)
FACTOR, EXTRA = 1.1, 3
Strategy = Literal["by_id", "sweep"]


@attrs.frozen
class Mixture:
    """Some ids, and the window that they were sent in.

    Attributes:
        field: Of what they are.
        ids: The ids; some are known to nobody.
        query: The window; it may be open.
    """

    field: Literal["message_id", "bulk_id"]
    ids: list[str]
    query: LogsQuery

    def __str__(self) -> str:
        """Return what it is, in short."""
        since, until = self.query.sent_since, self.query.sent_until
        window = "open" if since is None or until is None else f"{until - since}"
        return f"{len(self.ids)} {self.field}s, window {window}"

    def truth(self, there: Service) -> list[str]:
        """Return the message ids that it matches."""
        return there.truth(
            sent_since=self.query.sent_since,
            sent_until=self.query.sent_until,
            since_inclusive=True,
            until_inclusive=True,
            **{self.field: self.ids},
        )

    def since(self, instant: datetime) -> "Mixture":
        """Return it with a window that begins there, if it had no beginning."""
        query = attrs.evolve(self.query, sent_since=self.query.sent_since or instant)
        return attrs.evolve(self, query=query)

    def call(self, strategy: Strategy | None) -> Call:
        """Return the call for it: by a strategy, or by the plan's own choice."""
        options: dict[str, Any] = {"query": self.query} | (
            {"strategy": strategy} if strategy else {}
        )

        def begin(client: EmailLogsClient) -> Pull:
            if self.field == "bulk_id":
                return client.logs_by_bulk_id(self.ids, **options)
            return client.logs_by_message_id(self.ids, **options)

        return begin


@attrs.frozen
class Compared:
    """A mixture, had in three ways."""

    mixture: Mixture
    plan: Cost
    by_id: Cost
    sweep: Cost

    @property
    def best(self) -> int:
        """The requests of the cheaper way."""
        return min(self.by_id.requests, self.sweep.requests)

    @property
    def excess(self) -> float:
        """How many requests the plan takes beyond what it may."""
        return self.plan.requests - FACTOR * self.best - EXTRA

    @property
    def wrong(self) -> str:
        """What is wrong with what came, whichever way."""
        return self.plan.wrong or self.by_id.wrong or self.sweep.wrong

    def __str__(self) -> str:
        """Return the three figures."""
        told = f"{self.plan.requests} requests, {self.by_id.requests} by id, {self.sweep.requests}"
        return f"{told} by sweep: {self.mixture}"


def rows() -> Iterator[Row]:
    """Yield the one case."""
    yield Row("mixtures", _measured)


def _measured() -> list[Result]:
    with service(settings=unlimited(), traffic=TRAFFIC, seed=1) as there:
        compared = [_compared(there, mixture) for mixture in mixtures(there)]
    worst = max(compared, key=lambda one: one.excess)
    best = sum(one.best for one in compared)
    beyond = sum(one.excess > 0 for one in compared)
    note = f"{beyond} of {len(compared)} are beyond theirs; {worst}"
    wrong = "; ".join([f"{one.wrong} ({one.mixture})" for one in compared if one.wrong][:3])
    plan = sum(one.plan.requests for one in compared)
    return [
        Result("mixtures: sum", plan, FACTOR * best + EXTRA, wrong, f"the better way: {best}"),
        Result("mixtures: worst", worst.plan.requests, FACTOR * worst.best + EXTRA, "", note),
    ]


def _compared(there: Service, mixture: Mixture) -> Compared:
    truth = mixture.truth(there)
    by_id = cost(there, mixture.call("by_id"), truth)
    closed = mixture.since(there.start - SINCE_ALL)  # an open window is not for a sweep
    sweep = cost(there, closed.call("sweep"), truth)
    return Compared(mixture, cost(there, mixture.call(None), truth), by_id, sweep)


def mixtures(there: Service) -> Iterator[Mixture]:
    """Yield mixtures of any size, in windows from minutes to two days, the same each time."""
    bulk_ids = there.bulk_ids()
    for number in range(MIXTURES):
        chance = Random(f"mixture {number}")
        since, until = _window(chance, there.start)
        query = LogsQuery(sent_since=since, sent_until=until)
        inside = there.truth(sent_since=since, sent_until=until)
        if number % 2:
            known = chance.choice([inside, there.message_ids(5000, seed=number)])
            yield Mixture("message_id", _some(chance, known, 3000), query)
        else:
            yield Mixture("bulk_id", _some(chance, bulk_ids, 200), query)


def _window(chance: Random, start: datetime) -> tuple[datetime | None, datetime | None]:
    """Return a window of the traffic: one in five is open."""
    if chance.random() < 0.2:  # noqa: PLR2004
        return None, None
    hours = HOURS * 1000 ** (-chance.random())
    until = start - timedelta(hours=chance.uniform(0, HOURS - hours))
    return until - timedelta(hours=hours), until


def _some(chance: Random, known: list[str], most: int) -> list[str]:
    """Return some of the ids, a few more often than many, and at times some that are unknown."""
    count = round(most ** chance.random())
    unknown = [f"unknown-{number}" for number in range(chance.choice([0, 0, 1, 20]))]
    return chance.sample(known, min(count, len(known))) + unknown
