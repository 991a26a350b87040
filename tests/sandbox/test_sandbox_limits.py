"""The service's limits, counted when a request arrives."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from asking import V1, V4, asking
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.sandbox import Settings, TimeWindow, TokenBucket
from infobip_email_logs.sandbox.limits import Gate, Limit

TWO = Settings(v1_limits=[TimeWindow(2, 10.0)], v4_limits=[TimeWindow(2, 10.0)])


def _let_in(limits: list[Limit], moments: list[float], *, count_rejected: bool = False) -> str:
    """Tell which of the requests at these moments are let in."""
    gate = Gate()
    waits = [gate.arrive(limits, now, count_rejected=count_rejected) for now in moments]
    return "".join("-" if wait else "+" for wait in waits)


@pytest.mark.parametrize(
    ("limits", "moments", "let_in"),
    [
        ([TimeWindow(2, 10)], [0, 5, 9, 10, 14, 15], "++-+-+"),
        ([TimeWindow(2, 10, "fixed")], [8, 9, 9.5, 10, 11, 12], "++-++-"),
        ([TimeWindow(2, 10, "fixed", phase=5)], [4, 4, 4, 5, 5, 10], "++-++-"),
        ([TokenBucket(2, 0.5)], [0, 0, 0, 1, 2, 3, 4], "++--+-+"),
        ([TokenBucket(2, 1), TimeWindow(3, 100)], [0, 0, 0, 1, 2, 3, 100], "++-+--+"),
        ([], [0, 0, 0], "+++"),
    ],
)
def test_what_is_let_in(limits: list[Limit], moments: list[float], let_in: str) -> None:
    """Sliding and fixed windows and token buckets let in what they say; all must agree."""
    assert _let_in(limits, moments) == let_in


@pytest.mark.parametrize(
    ("limit", "let_in"),
    [
        (TimeWindow(1, 10), "+----"),
        (TimeWindow(1, 10, "fixed"), "+-+-+"),
        (TokenBucket(1, 0.1), "+----"),
    ],
)
def test_rejected_requests_may_count(limit: Limit, let_in: str) -> None:
    """Where rejected requests count, who keeps asking is kept out."""
    assert _let_in([limit], [0, 6, 12, 18, 24], count_rejected=True) == let_in


@given(
    st.lists(st.floats(0, 50, allow_nan=False), max_size=60),
    st.integers(1, 5),
    st.sampled_from([1.0, 7.0]),
)
def test_a_sliding_window_never_holds_too_many(moments: list[float], most: int, per: float) -> None:
    """However requests come, no window that slides holds more than its number."""
    ordered = sorted(moments)
    told = _let_in([TimeWindow(most, per)], ordered)
    times = [moment for moment, sign in zip(ordered, told, strict=True) if sign == "+"]
    assert all(late >= early + per for early, late in zip(times, times[most:], strict=False))


@given(
    moments=st.lists(st.floats(0, 9), min_size=1, max_size=20),
    limit=st.sampled_from([TimeWindow(2, 3), TimeWindow(2, 3, "fixed", 1), TokenBucket(2, 0.7)]),
    count_rejected=st.booleans(),
)
def test_the_wait_that_is_told_is_right(
    moments: list[float], limit: Limit, *, count_rejected: bool
) -> None:
    """Who waits as long as is told, and an instant, is let in."""
    gate, last = Gate(), 0.0
    for moment in sorted(moments):
        last = moment
        wait = gate.arrive([limit], moment, count_rejected=count_rejected)
    if wait:
        assert gate.arrive([limit], last + wait + 1e-9, count_rejected=False) == 0


@pytest.mark.parametrize(
    "broken",
    [
        lambda: TimeWindow(0),
        lambda: TimeWindow(1, 0),
        lambda: TokenBucket(0, 1),
        lambda: TokenBucket(1, 0),
    ],
)
def test_a_limit_lets_something_in(broken: Any) -> None:
    """A limit that would let nothing in is refused."""
    with pytest.raises(ValueError, match="must be"):
        broken()


@pytest.mark.parametrize("path", [V1, V4])
async def test_too_many(path: str) -> None:
    """Beyond the limit a request is a 429 in the words of its version, until time has passed."""
    async with asking(settings=TWO) as (sandbox, ask):
        replies = [await ask(path) for _ in range(3)]
        await asyncio.sleep(10)
        assert [reply.status for reply in (*replies, await ask(path))] == [200, 200, 429, 200]
        assert sandbox.throttled == 1
    assert ("TOO_MANY_REQUESTS" if path == V1 else "E429") in replies[2].body
    assert "Retry-After" not in replies[2].headers


async def test_the_versions_do_not_share() -> None:
    """Each version has a limit of its own; a request without credentials has none."""
    async with asking(settings=TWO) as (sandbox, ask):
        for _ in range(4):
            await ask(V1, Authorization="")
        replies = [await ask(path) for path in (V1, V4, V1, V4)]
    assert [reply.status for reply in replies] == [200] * 4
    assert sandbox.throttled == 0


@pytest.mark.parametrize(("path", "most"), [(V1, 60), (V4, 120)])
async def test_the_published_limits(path: str, most: int) -> None:
    """Without settings the limits are the published ones, a minute long and sliding."""
    async with asking() as (sandbox, ask):
        for _ in range(most):
            await ask(path)
        await asyncio.sleep(59)
        assert (await ask(path)).status == 429
        await asyncio.sleep(1)
        assert (await ask(path)).status == 200
        assert len(sandbox.arrivals) == most + 2


@pytest.mark.parametrize(
    ("retry_after", "told"), [("seconds", "8"), ("date", "Wed, 01 Jul 2026 12:00:10 GMT")]
)
async def test_when_to_come_back(retry_after: Any, told: str) -> None:
    """A 429 tells in whole seconds, or as a date, when to come back, and never too early."""
    settings = Settings(v1_limits=[TimeWindow(1, 10.0)], retry_after=retry_after)
    async with asking(settings=settings) as (_, ask):
        await ask(V1)
        await asyncio.sleep(2.5)
        assert (await ask(V1)).headers["Retry-After"] == told


async def test_limits_can_be_changed() -> None:
    """Other limits hold from the next request on, with nothing counted."""
    async with asking(settings=TWO) as (sandbox, ask):
        for _ in range(3):
            await ask(V1)
        sandbox.settings.v1_limits = [TimeWindow(1, 10.0)]
        assert [(await ask(V1)).status for _ in range(2)] == [200, 429]


async def test_latency() -> None:
    """A request arrives, and is counted, after the first half of its round trip."""
    async with asking(settings=Settings(latency=(2.0, 2.0))) as (sandbox, ask):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await ask(V1)
        assert loop.time() - began == pytest.approx(2)
        assert sandbox.arrivals[0].at - began == pytest.approx(1)


async def test_latency_is_drawn_from_the_seed() -> None:
    """Equal seeds make equal latencies, and they differ from request to request."""
    runs = [await _gaps(seed=5), await _gaps(seed=5), await _gaps(seed=6)]
    assert runs[0] == pytest.approx(runs[1])
    assert runs[0] != pytest.approx(runs[2])
    assert len(set(runs[0])) > 1


async def _gaps(*, seed: int) -> list[float]:
    async with asking(settings=Settings(latency=(0.1, 2.0)), seed=seed) as (sandbox, ask):
        for _ in range(4):
            await ask(V1)
    return [late.at - early.at for early, late in pairwise(sandbox.arrivals)]
