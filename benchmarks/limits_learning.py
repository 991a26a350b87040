"""A service that allows less than we were told, or that somebody else uses, too."""

from collections.abc import Iterator
from functools import partial

from limits_server import Model, allowed, best, models
from limits_world import (
    AT_A_TIME,
    START,
    Run,
    alone,
    cases,
    ours,
    together,
)
from measuring import Result, Row

from infobip_email_logs import LIMIT_V1, LIMIT_V4

REQUESTS = 600
TEN_MINUTES = 600.0


def rows() -> Iterator[Row]:
    """Yield the cases."""
    yield Row("unannounced", partial(_unannounced, slow_start=False))
    yield Row("unannounced-slow-start", partial(_unannounced, slow_start=True))
    for name in models():
        yield Row(f"half-{name}", partial(_half, name))
    for name in models():
        yield Row(f"pair-{name}", partial(_pair, name))
    for name in models():
        yield Row(f"late-{name}", partial(_late, name))


def _unannounced(*, slow_start: bool) -> list[Result]:
    """A bucket of 5 that we take for 60 a minute."""
    model = models()["bucket-5"]
    runs = [
        alone(
            ours(LIMIT_V1, slow_start=slow_start),
            server,
            requests=REQUESTS,
            most=10 * REQUESTS,
            seed=seed,
        )
        for server, seed in cases(model, range(1, 7))
    ]
    longest = max(run.makespan for run in runs) / best(model, START, REQUESTS)
    name = "unannounced-slow-start" if slow_start else "unannounced"
    wrong = "" if all(run.finished for run in runs) else "some never finish"
    if slow_start:
        throttled = max(run.before + run.after for run in runs)
        counts = [Result(f"{name}: 429s", throttled, 6)]
    else:
        counts = [
            Result(f"{name}: 429s before one is back", max(run.before for run in runs), AT_A_TIME),
            Result(f"{name}: 429s after it", max(run.after for run in runs), 6),
        ]
    return [*counts, Result(f"{name}: time / best", longest, 1.05, wrong)]


def _half(name: str) -> list[Result]:
    """We believe 120 a minute, and 60 are allowed."""
    model = models()[name]
    runs = [
        alone(ours(LIMIT_V4), server, requests=None, most=TEN_MINUTES, seed=seed)
        for server, seed in cases(model)
    ]
    most = allowed(model, START, TEN_MINUTES)
    unused = 1 - min(run.passed for run in runs) / most
    # A bucket of 5 is another thing than a half: its figures are told, without a limit.
    bound = name != "bucket-5"
    return [
        Result(
            f"half-{name}: 429s before one is back",
            max(run.before for run in runs),
            AT_A_TIME if bound else None,
        ),
        Result(
            f"half-{name}: 429s after it", max(run.after for run in runs), 12 if bound else None
        ),
        Result(
            f"half-{name}: % unused",
            100 * unused,
            10 if bound else None,
            note=f"{min(run.passed for run in runs)} of {most}",
        ),
    ]


def _pair(name: str) -> list[Result]:
    """Two that do not know of each other begin at the same time."""
    pairs = list(_pairs(models()[name], late=0.0))
    bound = name != "bucket-5"
    most = allowed(models()[name], START, TEN_MINUTES)
    share = max(abs(one.passed / (one.passed + other.passed) - 0.5) for one, other in pairs)
    unused = 1 - min(one.passed + other.passed for one, other in pairs) / most
    return [
        Result(f"pair-{name}: % from an equal share", 100 * share, 10 if bound else None),
        Result(f"pair-{name}: % unused", 100 * unused, 10 if bound else None),
        Result(
            f"pair-{name}: % 429s after the first",
            100 * max(map(_throttled, pairs)),
            3 if bound else None,
            note=f"{max(one.before + other.before for one, other in pairs)} before it is back",
        ),
    ]


def _late(name: str) -> list[Result]:
    """The second begins two minutes and ten seconds after the first: what it has of the rest."""
    late = 130.0
    shares = []
    for one, other in _pairs(models()[name], late=late):
        total = one.passed + other.passed
        shares.append(other.passed / total / (0.5 * (TEN_MINUTES - late) / TEN_MINUTES))
    note = f"of an equal share, at worst; on average {100 * sum(shares) / len(shares):.0f}"
    return [Result(f"late-{name}: % that the newcomer has", 100 * min(shares), None, note=note)]


def _pairs(model: Model, *, late: float) -> Iterator[tuple[Run, Run]]:
    for server, seed in cases(model):
        one, other = together(
            ours(LIMIT_V1),
            server,
            clients=2,
            requests=None,
            most=TEN_MINUTES,
            seed=seed,
            late=late,
        )
        yield one, other


def _throttled(pair: tuple[Run, Run]) -> float:
    """Return the part of the requests that were refused and left when a 429 was back already."""
    requests = sum(run.before + run.after + run.passed for run in pair)
    return sum(run.after for run in pair) / requests
