"""How well processes share a limit, through a file and through Redis, in real time.

    python benchmarks/limits_shared.py                    # all rows, in eight minutes
    python benchmarks/limits_shared.py 'host-*'           # these
    python benchmarks/limits_shared.py --list

A row is ok when its figure is at most its limit. All of them are counts, or ratios of what was
measured to what is possible: requests are counted where they arrive, 20 to 120 ms after they left.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from measuring import Result, Row
from sharing_process import Arrivals, Job, RedisServer, limiter_at, processes, serving

from infobip_email_logs import TimeLimit, TokenLimit

LIMIT = TimeLimit(200, per=10.0)
SECONDS = 30.0
CALLERS = 50
MANY = 80
"""Callers of a process, so that three of four can use the limit."""
SMALL = TimeLimit(50, per=2.0)
THERE = 0.15
"""Seconds that the first one may need to reconnect, and to arrive where it is counted."""
ON_THE_WAY = 0.01
"""What the way to the ledger and back may add to a wait, where the last token has just gone."""

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


@contextmanager
def shared_at(kind: str, folder: Path) -> Iterator[tuple[str, RedisServer | None]]:
    """Give processes a place to share their limit at."""
    if kind == "host":
        yield str(folder), None
        return
    with serving(folder) as server:
        server.old(LIMIT.per)
        yield server.url, server


def four(kind: str) -> list[Result]:
    """Four processes for half a minute, the clocks of one of them two seconds ahead."""
    with tempfile.TemporaryDirectory() as name, shared_at(kind, Path(name)) as (place, server):
        file = Path(name) / "arrivals"
        jobs = [
            Job(place, LIMIT, SECONDS + 5, CALLERS, file, ahead=2.0 * (number == 0))
            for number in range(4)
        ]
        with processes(jobs):
            begun = first_of(file)
            time.sleep(max(0.0, begun + SECONDS + 0.3 - time.monotonic()))
            calls = server.scripts() if server else None
        all_of_them = Arrivals.of(file)
    counted = all_of_them.between(begun, begun + SECONDS)
    possible = LIMIT.requests * SECONDS / LIMIT.per
    steady = counted.between(begun + LIMIT.per, begun + SECONDS).shares()
    results = [
        Result(f"{kind}-four window", all_of_them.fullest(LIMIT.per), LIMIT.requests),
        Result(f"{kind}-four unused", 1 - len(counted.times) / possible, 0.03),
        Result(
            f"{kind}-four share off 25 %",
            max(abs(share - 0.25) for share in steady),
            0.03,
            wrong="" if len(steady) == len(jobs) else "a process had nothing",
            note=" ".join(f"{share:.1%}" for share in steady),
        ),
    ]
    if calls is not None:
        per_admission = calls / len(all_of_them.times)
        results.append(Result(f"{kind}-four calls/admission", per_admission, 2.0))
    return results


def killed(kind: str, *, on_the_wire: bool) -> list[Result]:
    """One of four processes ends midway by ``kill -9``, with nothing or with much on the wire."""
    name_of = f"{kind}-killed-{'busy' if on_the_wire else 'idle'}"
    with tempfile.TemporaryDirectory() as name, shared_at(kind, Path(name)) as (place, _):
        file = Path(name) / "arrivals"
        with processes([Job(place, LIMIT, 60, MANY, file) for _ in range(4)]) as running:
            begun = first_of(file)
            time.sleep(max(0.0, begun + LIMIT.per + 0.5 - time.monotonic()))
            next_burst = begun + 2 * LIMIT.per
            while on_the_wire and Arrivals.of(file).times[-1] < next_burst:
                time.sleep(0.005)
            time.sleep(0.0 if on_the_wire else LIMIT.per / 2)
            running[0].kill()
            gone = time.monotonic()
            time.sleep(2 * LIMIT.per + 10 if on_the_wire else 15)
        everything = Arrivals.of(file)
    after = everything.between(gone, gone + 15).fullest(LIMIT.per)
    later = everything.between(gone + 15, gone + 30).fullest(LIMIT.per)
    note = f"15 to 30 s after: {1 - later / LIMIT.requests:.3f}" if on_the_wire else ""
    return [
        Result(f"{name_of} window", everything.fullest(LIMIT.per), LIMIT.requests),
        Result(
            f"{name_of} unused",
            1 - after / LIMIT.requests,
            None if on_the_wire else 0.05,
            note=note,
        ),
    ]


def restarted(*, kept: bool) -> list[Result]:
    """Redis is killed midway and started again, with its state or without."""
    name_of = f"redis-restart-{'kept' if kept else 'lost'}"
    limit = SMALL if kept else LIMIT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder, *(ALWAYS if kept else ())) as server:
            server.old(limit.per)
            file = folder / "arrivals"
            with processes([Job(server.url, limit, 60, CALLERS, file) for _ in range(2)]):
                begun = first_of(file)
                time.sleep(max(0.0, begun + 2.6 * limit.per - time.monotonic()))
                server.kill()
                server.start()
                back = time.monotonic()
                time.sleep(3 * limit.per)
        everything = Arrivals.of(file)
    after = everything.between(back, back + 60).times
    took = after[0] - back if after else 60.0
    within = 2.0 if kept else limit.per  # an empty bucket is back a period after, and not sooner
    return [
        Result(f"{name_of} window", everything.fullest(limit.per), limit.requests),
        Result(
            f"{name_of} goes on: s", took, within + THERE, note=f"within {within:g} s and the way"
        ),
    ]


def storm(kind: str) -> list[Result]:
    """Ten callers a second for a minute, who give up after half a second, with one a second."""
    with tempfile.TemporaryDirectory() as name, shared_at(kind, Path(name)) as (place, _):
        refill = 1.0
        granted, waited = asyncio.run(_storm(place, refill))
    return [
        Result(f"{kind}-storm missed grants of 60", 60 - granted, 2),
        Result(f"{kind}-storm next waits / refill", waited * refill, 1 + ON_THE_WAY),
    ]


async def _storm(place: str, refill: float) -> tuple[int, float]:
    """Return how many were granted, and how long the next caller waits."""
    async with AsyncExitStack() as stack:
        limit = TokenLimit(burst=1, refill=refill)
        limiters = [await limiter_at(stack, place, limit) for _ in range(2)]
        loop, granted = asyncio.get_running_loop(), 0

        async def caller(number: int) -> None:
            nonlocal granted
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    permit = await limiters[number % 2].acquire()
                granted += 1
                permit.answered()

        begun = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(600):
                group.create_task(caller(number))
                await asyncio.sleep(max(0.0, begun + (number + 1) / 10 - loop.time()))
        begun = loop.time()
        (await limiters[0].acquire()).answered()
        return granted, loop.time() - begun


def first_of(file: Path) -> float:
    """Wait for the first request, and return when it arrived."""
    while not (file.exists() and file.read_text().endswith("\n")):
        time.sleep(0.01)
    return Arrivals.of(file).times[0]


def rows() -> Sequence[Row]:
    """Return the rows."""
    kinds = ("host", "redis")
    made: list[tuple[str, Callable[[], Sequence[Result]]]] = [
        *((f"{kind}-four", partial(four, kind)) for kind in kinds),
        *((f"{kind}-killed-idle", partial(killed, kind, on_the_wire=False)) for kind in kinds),
        *((f"{kind}-killed-busy", partial(killed, kind, on_the_wire=True)) for kind in kinds),
        ("redis-restart-kept", partial(restarted, kept=True)),
        ("redis-restart-lost", partial(restarted, kept=False)),
        *((f"{kind}-storm", partial(storm, kind)) for kind in kinds),
    ]
    return [Row(name, run) for name, run in made]


def main() -> int:
    """Print the table; return 1 when a row fails."""
    parser = argparse.ArgumentParser(description="Measure how processes share a limit.")
    parser.add_argument("names", nargs="*", default=["*"], help="rows, with * for any text")
    parser.add_argument("--list", action="store_true", help="name the rows, and run none")
    given = parser.parse_args()
    chosen = [row for row in rows() if any(fnmatchcase(row.name, name) for name in given.names)]
    if given.list or not chosen:
        print("\n".join(row.name for row in rows()))
        return 0 if given.list else 2
    print(f"{'figure':<44} {'measured':>9} {'reach':>6} ok")
    results = [result for row in chosen for result in shown(row)]
    return 0 if all(result.ok for result in results) else 1


def shown(row: Row) -> Sequence[Result]:
    """Run a row, print its lines, and return them."""
    results = row.run()
    for one in results:
        reach = "" if one.limit is None else f"{one.limit:g}"
        told = "; ".join(filter(None, [one.wrong, one.note]))
        ok = "ok" if one.ok else "FAIL"
        print(f"{one.name:<44} {one.measured:>9.4g} {reach:>6} {ok:<4} {told}", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
