"""Every variant of a service, configured as what it is: no 429, and hardly any time lost."""

from collections.abc import Iterator
from functools import partial

from limits_server import Server, best, models
from limits_world import (
    START,
    Client,
    Maker,
    Run,
    Send,
    alone,
    cases,
    ours,
)
from measuring import Result, Row

from infobip_email_logs import LIMIT_V1, TokenLimit

REQUESTS = 600
LONGEST = {"fixed": 1.12, "sliding": 1.01, "bucket-60": 1.01, "bucket-5": 1.02}
FEW = 20


def rows() -> Iterator[Row]:
    """Yield the cases."""
    for name in models():
        yield Row(f"exact-{name}", partial(_exact, name))
    yield Row("idle", _idle)


def as_it_is(name: str) -> Maker:
    """Return what makes clients that are told what a variant is."""
    return ours(TokenLimit(burst=5, refill=1.0) if name == "bucket-5" else LIMIT_V1)


def _exact(name: str) -> list[Result]:
    model = models()[name]
    runs = [
        alone(as_it_is(name), server, requests=REQUESTS, most=10 * REQUESTS, seed=seed)
        for server, seed in cases(model)
    ]
    shortest = best(model, START, REQUESTS)
    longest = max(run.makespan for run in runs) / shortest
    limit = next(limit for kind, limit in LONGEST.items() if name.startswith(kind))
    return [
        Result(f"exact-{name}: 429s", max(run.before + run.after for run in runs), 0),
        Result(f"exact-{name}: time / best", longest, limit, _unfinished(runs)),
    ]


def _unfinished(runs: list[Run]) -> str:
    never = sum(not run.finished for run in runs)
    return f"{never} of {len(runs)} runs never finish" if never else ""


def _idle() -> list[Result]:
    """20 requests on an idle account, beside 20 without any limiter."""

    async def free(send: Send) -> None:
        await send()

    def unlimited() -> Client:
        return free

    def seconds(maker: Maker) -> float:
        server = Server(models()["sliding"]())
        return alone(maker, server, requests=FEW, most=600, seed=1).makespan

    return [
        Result("idle: time / without a limiter", seconds(ours(LIMIT_V1)) / seconds(unlimited), 1.05)
    ]
