"""Sweeps: all records of the last hours, in whatever order and choice the service has."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import mean
from typing import Any

import attrs
from measuring import Cost, Result, Row, cost, unlimited
from service_process import service

from infobip_email_logs import EmailLogsClient, LogsQuery, Pull
from infobip_email_logs.sandbox import Traffic

N = 100_000
SHAPES = ("uniform", "diurnal", "bursts")
WINDOW = timedelta(hours=47.5)
SEEDS = 10

EARLIEST = {"full_page": "earliest", "order": "oldest"}
RANDOM = {"full_page": "random", "order": "random"}
HASH = {"full_page": "hash", "order": "random"}
STRETCH = {"full_page": "stretch", "order": "random"}


@attrs.frozen
class Sweep:
    """One kind of service that is swept.

    Attributes:
        name: What it is called.
        limits: The requests at most, by the shape of the traffic; a shape without is reported.
        settings: How the service answers.
        client: Options of the client.
        seeds: How many runs the figure is the mean of.
    """

    name: str
    limits: Mapping[str, float]
    settings: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    client: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    seeds: int = 1


_ANY = {"uniform": 1.3 * N / 1000, "diurnal": 1.5 * N / 1000, "bursts": 1.5 * N / 1000}
SWEEPS = (
    Sweep("v1", dict.fromkeys(SHAPES, 104)),
    Sweep("v4", dict.fromkeys(SHAPES, 103), client={"api_version": 4}),
    Sweep("oldest", dict.fromkeys(SHAPES, 105), EARLIEST),
    Sweep("random", _ANY, RANDOM, seeds=SEEDS),
    Sweep("hash", _ANY, HASH, seeds=SEEDS),
    Sweep("stretch", {}, STRETCH, seeds=3),
)


def rows() -> Iterator[Row]:
    """Yield the sweeps of each service, each shape, with a window and without."""
    for sweep in SWEEPS:
        for shape in SHAPES:
            for is_open in (False, True):
                name = f"sweep-{sweep.name}-{shape}" + ("-open" if is_open else "")
                yield Row(name, partial(_measured, name, sweep, shape, is_open=is_open))


def _measured(name: str, sweep: Sweep, shape: str, *, is_open: bool) -> list[Result]:
    """Return the mean of the runs, and what is wrong with any of them."""
    costs = [_cost(sweep, shape, seed, is_open=is_open) for seed in range(1, sweep.seeds + 1)]
    counts = [one.requests for one in costs]
    wrongs = [one.wrong for one in costs if one.wrong]
    wrong = f"{len(wrongs)} of {len(costs)} runs: {wrongs[0]}" if wrongs else ""
    note = "" if len(counts) == 1 else f"{min(counts)} to {max(counts)} in {len(counts)} runs"
    return [Result(name, mean(counts), sweep.limits.get(shape), wrong, note)]


def _cost(sweep: Sweep, shape: Any, seed: int, *, is_open: bool) -> Cost:
    traffic = Traffic(bulks=0, loose=N, shape=shape)
    with service(settings=unlimited(**sweep.settings), traffic=traffic, seed=seed) as there:
        call = _open if is_open else _last_hours
        return cost(there, call, there.truth(), **sweep.client)


def _last_hours(client: EmailLogsClient) -> Pull:
    now = datetime.now(UTC)
    return client.logs(LogsQuery(sent_since=now - WINDOW, sent_until=now))


def _open(client: EmailLogsClient) -> Pull:
    return client.logs()
