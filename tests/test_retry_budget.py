"""The budget for further attempts: no storm, the real cause at once, and later again by itself."""

import asyncio
import random
from itertools import pairwise

import attrs
import pytest
from service import SMALL, ids_of, service

from infobip_email_logs import (
    ApiKey,
    DecodeError,
    EmailLog,
    EmailLogsClient,
    EmailLogsError,
    LogsQuery,
    RateLimited,
    RetryPolicy,
    ServerError,
    TransportError,
    Unauthorized,
)
from infobip_email_logs.retry_budget import FORGOTTEN, LATEST, RESERVE, SOONEST, RetryBudget
from infobip_email_logs.sandbox import PASSING, Fault, Sandbox, Settings, Traffic
from infobip_email_logs.spending import Spending

CALLERS = 50
REST = 4.0
SECONDS = 12.0
AMPLE = "1000000/60s"
DOWN = ServerError("down", status=503)


def used_up(now: float = 0.0) -> RetryBudget:
    """Return a budget with nothing left."""
    budget = RetryBudget()
    for _ in range(RESERVE):
        budget.spend(now, DOWN)
    return budget


def test_nothing_is_refused_before_the_reserve_is_spent() -> None:
    """And then it is what failed last."""
    budget = RetryBudget()
    for _ in range(RESERVE):
        assert budget.refusal(0.0, 0) is None
        budget.spend(0.0, DOWN)
    assert budget.refusal(0.0, 0) is DOWN


def test_what_a_request_spent_itself_is_not_held_against_it() -> None:
    """Whoever is alone is never refused, however often it fails."""
    budget = RetryBudget()
    for spent in range(1000):
        assert budget.refusal(0.0, spent) is None
        budget.admit(0.0, spent)
        budget.spend(0.0, DOWN)
    assert budget.refusal(0.0, 900) is DOWN


def test_one_tries_at_growing_intervals() -> None:
    """As long as nobody is answered."""
    budget, now, tries = used_up(), 0.0, list[float]()
    while now < 60:
        if budget.refusal(now, 0) is None:
            budget.admit(now, 0)
            assert budget.refusal(now, 0) is DOWN
            tries.append(now)
            budget.spend(now, DOWN)
        now += SOONEST / 2
    assert tries[:4] == [0.5, 1.5, 3.5, 7.5]
    assert {later - earlier for earlier, later in pairwise(tries[4:])} == {LATEST}


def test_an_answer_opens_it_again() -> None:
    """Whatever is owed; and the next time, the intervals begin anew."""
    budget = used_up()
    budget.spend(0.0, DOWN)
    budget.earn()
    assert budget.refusal(0.0, 0) is None
    budget.spend(0.0, DOWN)
    assert budget.refusal(SOONEST / 2, 0) is DOWN
    assert budget.refusal(SOONEST, 0) is None


def test_answers_earn_no_more_than_the_reserve() -> None:
    """A long time of good answers is no leave for a storm."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.earn()
    for _ in range(RESERVE):
        budget.spend(0.0, DOWN)
    assert budget.refusal(0.0, 0) is DOWN


def test_what_is_long_ago_is_forgotten() -> None:
    """Callers that come together after a quiet time are not refused for one another."""
    budget = used_up()
    now = SOONEST + FORGOTTEN
    for _ in range(CALLERS):
        assert budget.refusal(now, 0) is None
        budget.admit(now, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_failures_never_uses_it_up(seed: int) -> None:
    """Not in a hundred thousand requests, one after the other."""
    budget, chance = RetryBudget(), random.Random(seed)
    for _ in range(100_000):
        spent = 0
        while chance.random() < 0.2:
            budget.spend(0.0, DOWN)
            spent += 1
            assert budget._left > 0
        budget.earn()


@pytest.mark.parametrize(
    ("error", "change"),
    [
        (TransportError(""), -1),
        (ServerError(""), -1),
        (DecodeError("no page"), -1),
        (RateLimited(""), 0),
        (EmailLogsError("the limiter can't be reached"), 0),
        (Unauthorized(""), 1),
        (DecodeError("a record", index=3), 1),
    ],
)
def test_what_earns_and_what_spends(error: EmailLogsError, change: int) -> None:
    """A service that refuses is well; waiting for the limit is no business of the budget's."""
    budget = RetryBudget()
    for _ in range(5):
        budget.spend(0.0, DOWN)
    spending = Spending(budget, lambda: 0.0, patient=False)
    with pytest.raises(type(error)), spending.attempt():
        raise error
    spending.settle()
    assert budget._left == RESERVE - 5 + change


@attrs.frozen
class Call:
    """One call: when it ended, how long it took, and the error."""

    ended: float
    took: float
    error: EmailLogsError | None


class Callers:
    """Fifty callers that call, rest a while, and call again.

    Args:
        client: The client that they share.
    """

    def __init__(self, client: EmailLogsClient) -> None:
        self._client = client
        self.calls: list[Call] = []

    async def run(self) -> None:
        """Call until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(self._caller(REST * number / CALLERS))

    async def _caller(self, late: float) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(late)
        while True:
            began, error = clock(), None
            try:
                await self._client.get_page(LogsQuery(limit=1))
            except EmailLogsError as met:
                error = met
            self.calls.append(Call(clock(), clock() - began, error))
            await asyncio.sleep(REST)


@pytest.mark.parametrize(
    ("name", "attempts"), [("500", 8), ("reset-before-headers", 8), ("html-with-200", 1)]
)
async def test_fifty_callers_send_no_storm_to_a_service_that_is_down(
    name: str, attempts: int
) -> None:
    """Not more than 1.2 x what a healthy one gets, in no stretch; and they are back when it is."""
    settings = Settings(v1_limits=(), latency=(0.05, 0.15))
    policy = RetryPolicy(attempts=attempts)
    async with service(settings, limit=AMPLE, retry=policy) as (sandbox, client):
        clock, callers = asyncio.get_running_loop().time, Callers(client)
        task = asyncio.create_task(callers.run())
        await asyncio.sleep(SECONDS)
        healthy, down = len(sandbox.arrivals), clock()
        settings.fault = PASSING[name]
        await asyncio.sleep(SECONDS)
        up, arrived = clock(), len(sandbox.arrivals) - healthy
        settings.fault = None
        await asyncio.sleep(LATEST + REST + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    first = [one for one in sandbox.arrivals if down <= one.at < down + REST]
    assert len(first) <= 1.2 * CALLERS
    assert arrived <= healthy / 2
    failed = [call for call in callers.calls if call.error]
    assert max(call.took for call in failed) < 5
    assert {type(call.error) for call in failed} == {type(failed[0].error)}
    unsent = [call.error for call in failed if call.took == 0]
    assert len(unsent) > 0.7 * len(failed)
    assert all(error and type(error.__cause__) is type(error) for error in unsent)
    assert max(call.ended for call in failed) < up + LATEST + REST


async def pulled(client: EmailLogsClient) -> tuple[list[EmailLog], EmailLogsError | None]:
    """Return what a pull delivers, and its error."""
    logs: list[EmailLog] = []
    try:
        async for log in client.logs():
            logs += [log]
    except EmailLogsError as error:
        return logs, error
    return logs, None


@pytest.mark.parametrize(
    ("outage", "expected"), [(5.0, type(None)), (100_000.0, ServerError)], ids=str
)
async def test_a_pull_in_a_storm_is_complete_or_loud(
    outage: float, expected: type[EmailLogsError]
) -> None:
    """Though fifty callers have used the budget up, in its middle: for a while, or for good."""
    settings = Settings(v1_limits=(), latency=(0.2, 0.4))
    traffic = Traffic(bulks=0, loose=9000, hours=24)
    async with service(settings, traffic, limit=AMPLE) as (sandbox, client):
        callers = asyncio.create_task(Callers(client).run())
        pull = asyncio.create_task(pulled(client))
        while sum(arrival.records == 1000 for arrival in sandbox.arrivals) < 3:
            await asyncio.sleep(0.05)
        settings.fault = Fault(503)
        await asyncio.wait([pull], timeout=outage)
        settings.fault = None
        logs, error = await pull
        callers.cancel()
        await asyncio.gather(callers, return_exceptions=True)
        assert type(error) is expected
        if error is None:
            assert ids_of(logs) == sorted(sandbox.message_ids)
        else:
            assert 0 < len(set(ids_of(logs))) == len(logs) < 9000
            assert set(ids_of(logs)) < set(sandbox.message_ids)


async def test_a_single_caller_is_as_patient_as_its_policy() -> None:
    """A minute's outage, and more attempts than the reserve: it survives."""
    policy = RetryPolicy(attempts=1000, longest=4)
    async with service(retry=policy, limit=AMPLE) as (sandbox, client):
        sandbox.settings.v1_limits = ()
        sandbox.settings.fault = Fault(503)
        call = asyncio.create_task(client.get_page())
        await asyncio.wait([call], timeout=60)
        assert not call.done()
        assert len(sandbox.arrivals) > RESERVE
        sandbox.settings.fault = None
        assert (await call).size == 50


async def test_a_lookup_fails_with_the_cause_though_a_429_comes_between() -> None:
    """What is refused is refused for a failure, never for the limit."""
    async with service(limit=AMPLE) as (sandbox, client):
        sandbox.settings.fault = Fault(429, headers={"Retry-After": "1"})
        calls = [asyncio.create_task(client.get_log(one)) for one in sandbox.message_ids[:CALLERS]]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in done} == {RateLimited}
        sandbox.settings.fault = None
        assert await client.get_log(sandbox.message_ids[0])


async def test_a_client_that_was_refused_works_on_when_it_is_called_again() -> None:
    """Without being told; the errors had said that nothing was sent."""
    async with Sandbox(traffic=SMALL) as sandbox:
        client = EmailLogsClient(sandbox.url, ApiKey(sandbox.credentials.api_key), limit=AMPLE)
        sandbox.script(*[Fault(disconnect="before_headers")] * 60)
        calls = [client.get_page(LogsQuery(limit=number)) for number in range(1, 61)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in done if isinstance(one, TransportError) and not one.sent]
        assert refused
        assert "not sent" in str(refused[0])
        sandbox._faults.clear()
        await asyncio.sleep(LATEST)
        assert (await client.get_page()).size == 50
        await client.close()
