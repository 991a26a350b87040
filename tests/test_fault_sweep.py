"""Fifty thousand records through random faults: exactly the truth, for few requests.

Three seeds are part of every run; `nox -s faults` has twenty, as FAULT_SEEDS=20 says.
"""

import os
import statistics
from collections import Counter
from datetime import timedelta
from functools import cache

import attrs
import pytest
from pulling import virtual_runner

from infobip_email_logs import ApiKey, EmailLogsClient, LogsQuery, Network, PullReport
from infobip_email_logs.sandbox import PASSING, Sandbox, Settings, Traffic

SEEDS = range(int(os.environ.get("FAULT_SEEDS", "3")))
RECORDS = 50_000
RATE = 0.2
REACH = 1.35
ROOM = 4 << 20
"""The bytes that an answer may hold here: twice as many as a page has."""


@attrs.frozen
class Swept:
    """What came of a pull.

    Attributes:
        missing: The records that were not delivered.
        surplus: Those that were delivered once too often.
        requests: The requests that arrived.
        faults: How many of them met a fault, by its kind.
        report: What the pull says of itself.
    """

    missing: int
    surplus: int
    requests: int
    faults: int
    report: PullReport


@cache
def swept(seed: int, rate: float) -> Swept:
    """Pull everything that an account has, while so many of the requests meet a fault."""
    with virtual_runner() as runner:
        return runner.run(_sweep(seed, rate))


async def _sweep(seed: int, rate: float) -> Swept:
    faults = tuple(PASSING.values())
    settings = Settings(v1_limits=(), faults=faults, fault_rate=rate)
    traffic = Traffic(bulks=0, loose=RECORDS, hours=40)
    async with (
        Sandbox(traffic=traffic, settings=settings, seed=seed) as sandbox,
        EmailLogsClient(
            sandbox.url,
            ApiKey(sandbox.credentials.api_key),
            limit="100000/60s",
            network=Network(max_body=ROOM),
        ) as client,
    ):
        since = sandbox.now() - timedelta(hours=41)  # what expires meanwhile is another story
        pull = client.logs(LogsQuery(sent_since=since))
        came = Counter([log.message_id async for log in pull])
        due = Counter[str | None](sandbox.message_ids)
        return Swept(
            missing=(due - came).total(),
            surplus=(came - due).total(),
            requests=len(sandbox.arrivals),
            faults=sum(arrival.fault is not None for arrival in sandbox.arrivals),
            report=pull.report,
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sweep_through_faults_delivers_exactly_the_truth(seed: int) -> None:
    """Nothing is lost, nothing comes twice, and the report counts what arrived."""
    sweep = swept(seed, RATE)
    assert (sweep.missing, sweep.surplus) == (0, 0)
    assert sweep.faults > 3
    assert sweep.report.complete
    assert sweep.report.requests == sweep.requests


def test_faults_cost_little_more_than_the_requests_that_meet_them() -> None:
    """On average of the seeds, at most 1.35 x the requests of a run without faults."""
    quiet = swept(0, 0.0)
    assert (quiet.missing, quiet.faults) == (0, 0)
    costs = [swept(seed, RATE).requests / quiet.requests for seed in SEEDS]
    assert statistics.mean(costs) <= REACH
