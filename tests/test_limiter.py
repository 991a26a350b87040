"""Waiting for the limit: order, cancellation, 429s; all of it in virtual time."""

import asyncio
import contextlib
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from infobip_email_logs import (
    InvalidInput,
    InvalidState,
    LocalLimiter,
    Permit,
    Priority,
    Snapshot,
    TimeLimit,
    TokenLimit,
    WaitTooLong,
)
from infobip_email_logs.bucket import GRACE, SLACK
from infobip_email_logs.gate import FIRST_PAUSE, LONGEST_PAUSE


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


async def use(limiter: LocalLimiter, took: float = 0.0) -> float:
    """Send a request that takes so many seconds; return when it left."""
    permit = await limiter.acquire()
    left = now()
    await asyncio.sleep(took)
    permit.answered()
    return left


async def waiting(limiter: LocalLimiter) -> asyncio.Task[Permit]:
    """Return a task that waits for a permit by now."""
    task = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    return task


async def test_a_burst_goes_at_once_and_the_rest_a_period_later() -> None:
    """Three of each period leave together."""
    limiter = LocalLimiter(TimeLimit(3, per=10))
    start = now()
    left = await asyncio.gather(*(use(limiter) for _ in range(7)))
    assert [round(at - start) for at in left] == [0, 0, 0, 10, 10, 10, 20]
    assert limiter.waiting == 0


async def test_those_who_came_first_go_first() -> None:
    """Waiters are served in their order."""
    limiter = LocalLimiter(TimeLimit(1, per=1))
    order: list[int] = []

    async def caller(number: int) -> None:
        await use(limiter)
        order.append(number)

    await asyncio.gather(*map(caller, range(10)))
    assert order == list(range(10))


async def test_a_token_returns_a_period_after_its_answer() -> None:
    """A slow answer holds its token longer."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    start = now()
    await use(limiter, took=7)
    assert await use(limiter) - start == pytest.approx(17 + SLACK)


async def test_a_wake_up_finds_its_token() -> None:
    """Whatever the clock is rounded to, nobody is woken in vain, over and over."""
    limiter = LocalLimiter(TimeLimit(7, per=0.3))
    woken = 0
    grant = limiter._grant

    def counting() -> None:
        nonlocal woken
        woken += 1
        grant()

    limiter._grant = counting  # type: ignore[method-assign]
    await asyncio.gather(*(use(limiter, took=0.1 * (n % 7) / 3) for n in range(300)))
    assert woken < 3 * 300


async def test_several_limits_must_agree() -> None:
    """Two a second and three in ten seconds."""
    limiter = LocalLimiter([TimeLimit(2, per=1), TimeLimit(3, per=10)])
    start = now()
    left = await asyncio.gather(*(use(limiter) for _ in range(5)))
    assert [round(at - start) for at in left] == [0, 0, 1, 10, 10]


@pytest.mark.parametrize("place", range(4))
async def test_a_cancelled_waiter_stalls_nobody(place: int) -> None:
    """Wherever in the queue it stood, the others move up."""
    limiter = LocalLimiter(TimeLimit(1, per=1))
    start = now()
    await use(limiter)
    tasks = [asyncio.create_task(use(limiter)) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks.pop(place).cancel()
    left = await asyncio.gather(*tasks)
    assert [round(at - start) for at in left] == [1, 2, 3]
    assert limiter.waiting == 0


async def test_a_waiter_cancelled_in_the_turn_of_its_grant_gives_its_token_back() -> None:
    """The token goes to the next one at once, and none is lost."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    first = await limiter.acquire()
    second, third = await waiting(limiter), await waiting(limiter)
    first.unused()
    second.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await second
    start = now()
    (await third).unused()
    assert now() == start
    assert limiter.waiting == 0


async def test_thousands_of_cancelled_waiters_leave_nothing_behind() -> None:
    """A storm of callers who give up does not pile up in the queue."""
    limiter = LocalLimiter(TimeLimit(1, per=1000))
    await use(limiter)
    for _ in range(20):
        tasks = [await waiting(limiter) for _ in range(100)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.waiting == 0
    assert limiter._line.length == 0
    assert limiter._timer is None


async def test_an_abandoned_attempt_counts_for_a_while_longer() -> None:
    """Its request may arrive after its connection was closed."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    start = now()
    (await limiter.acquire()).abandoned()
    assert await use(limiter) - start == pytest.approx(10 + GRACE + SLACK)


async def test_an_attempt_that_never_left_costs_nothing() -> None:
    """Its token is there at once."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    start = now()
    (await limiter.acquire()).unused()
    assert await use(limiter) == start


async def test_what_is_told_twice_of_a_permit_counts_once() -> None:
    """A token can't return twice."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    permit = await limiter.acquire()
    permit.answered()
    permit.unused()
    permit.throttled(None)
    with pytest.raises(WaitTooLong):
        await limiter.acquire(max_wait=5)
    assert limiter.pause == 0


async def test_a_429_stops_everybody_until_its_deadline() -> None:
    """A shorter deadline never overrides a longer one."""
    limiter = LocalLimiter(TimeLimit(10, per=1))
    start = now()
    permits = [await limiter.acquire() for _ in range(2)]
    permits[0].throttled(20)
    permits[1].throttled(5)
    assert limiter.pause == 20
    left = await asyncio.gather(*(use(limiter) for _ in range(3)))
    assert {round(at - start) for at in left} == {20}


async def test_a_429_that_does_not_say_how_long_lets_one_probe_out_at_a_time() -> None:
    """The pauses grow while probes are refused; when one passes, all go on."""
    limiter = LocalLimiter(TimeLimit(100, per=1))
    start = now()
    left: list[float] = []

    async def caller() -> None:
        while True:
            permit = await limiter.acquire()
            left.append(round(now() - start, 3))
            await asyncio.sleep(0.1)
            if now() - start > 14:
                return permit.answered()
            permit.throttled(None)

    await asyncio.gather(*(caller() for _ in range(5)))
    assert left[:8] == [0.0] * 5 + [1.1, 4.2, 16.3]
    assert len(left) == 12
    assert left[-1] < 17


async def test_the_pauses_are_bounded() -> None:
    """However often a probe is refused, the next is not more than a minute away."""
    limiter = LocalLimiter(TimeLimit(100, per=1))
    for _ in range(20):
        (await limiter.acquire()).throttled(None)
        assert FIRST_PAUSE <= limiter.pause <= LONGEST_PAUSE
    assert limiter.pause == LONGEST_PAUSE


async def test_a_wait_that_is_known_to_be_too_long_is_refused_at_once() -> None:
    """The error tells the numbers, and no time passes."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    await use(limiter)
    ahead = await waiting(limiter)
    start = now()
    with pytest.raises(WaitTooLong, match="1/10s") as caught:
        await limiter.acquire(max_wait=15)
    assert now() == start
    assert caught.value.wait == pytest.approx(20, abs=0.1)
    assert caught.value.max_wait == 15
    ahead.cancel()


async def test_a_wait_that_turns_out_too_long_ends_in_time() -> None:
    """Where it could not be known, the caller is let go at its bound."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    start = now()
    held = await limiter.acquire()
    task = asyncio.create_task(limiter.acquire(max_wait=12))
    await asyncio.sleep(5)
    held.answered()
    with pytest.raises(WaitTooLong):
        await task
    assert now() - start == pytest.approx(12)
    assert limiter.waiting == 0
    assert await use(limiter) - start == pytest.approx(15 + SLACK)


async def test_a_wait_within_its_bound_is_granted() -> None:
    """Patience that suffices changes nothing."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    await use(limiter)
    (await limiter.acquire(max_wait=11)).answered()


async def test_a_wait_that_is_over_in_the_instant_of_its_turn_is_granted() -> None:
    """It was not too long."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    await use(limiter)
    start = now()
    (await limiter.acquire(max_wait=10 + SLACK)).answered()
    assert now() - start == pytest.approx(10 + SLACK)


async def test_another_event_loop_is_told_to_make_its_own() -> None:
    """A limiter belongs to the loop it was first used on."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    await use(limiter)
    caught: list[InvalidState] = []

    def elsewhere() -> None:
        try:
            asyncio.run(limiter.acquire())
        except InvalidState as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "another event loop" in str(caught[0])


async def test_a_limiter_tells_what_it_keeps() -> None:
    """Its text holds the limits and how many wait."""
    limiter = LocalLimiter([TimeLimit(60), TimeLimit(5, per=1)])
    assert repr(limiter) == "LocalLimiter(60/60s, 5/1s; 0 waiting)"
    assert limiter.pause == 0


@pytest.mark.parametrize("limits", [[], "", "60/abc", "60/60s,", 60, None, [60], ["60/60s"]])
def test_what_is_no_limit_is_refused(limits: Any) -> None:
    """Nothing to keep, or nonsense, is a mistake that is told when it is made."""
    with pytest.raises(InvalidInput):
        LocalLimiter(limits)


@pytest.mark.parametrize("max_pause", [0, -1, float("nan"), "1"])
def test_a_patience_of_nothing_is_refused(max_pause: Any) -> None:
    """A limiter that waits for no 429 would be of no use."""
    with pytest.raises(InvalidInput):
        LocalLimiter("60/60s", max_pause=max_pause)


async def test_a_priority_that_does_not_exist_is_refused() -> None:
    """Also where nobody waits."""
    limiter = LocalLimiter("60/60s")
    with pytest.raises(InvalidInput):
        await limiter.acquire(priority="urgent")  # type: ignore[arg-type]


async def test_a_max_wait_that_is_no_number_is_refused() -> None:
    """No timer can be set to it."""
    limiter = LocalLimiter("1/60s")
    await use(limiter)
    with pytest.raises(InvalidInput):
        await limiter.acquire(max_wait=float("nan"))
    assert limiter.waiting == 0


def test_limits_are_taken_as_text() -> None:
    """For configuration; several have a comma between them."""
    limiter = LocalLimiter("60/60s, 20+10/s")
    assert limiter.limits == (TimeLimit(60), TokenLimit(burst=20, refill=10))
    assert str(limiter) == "60/60s, 20+10/s"
    assert limiter.pace(61) == 60


async def test_a_burst_goes_at_once_and_the_rest_as_it_is_refilled() -> None:
    """A burst of three, and two more each second."""
    limiter = LocalLimiter(TokenLimit(burst=3, refill=2))
    start = now()
    left = await asyncio.gather(*(use(limiter) for _ in range(7)))
    assert [round(at - start, 1) for at in left] == [0, 0, 0, 0.5, 1, 1.5, 2]


async def test_lookups_go_before_bulk_pulls_which_have_their_turn() -> None:
    """Of five that go, one is a bulk pull; nobody else's order changes."""
    limiter = LocalLimiter(TimeLimit(1, per=1))
    await use(limiter)
    order: list[str] = []

    async def caller(name: str, priority: Priority) -> None:
        (await limiter.acquire(priority=priority)).answered()
        order.append(name)

    bulk = [caller(f"bulk {number}", Priority.BULK) for number in range(3)]
    lookups = [caller(f"lookup {number}", Priority.LOOKUP) for number in range(6)]
    await asyncio.gather(*bulk, *lookups)
    assert order == [
        *(f"lookup {number}" for number in range(4)),
        "bulk 0",
        "lookup 4",
        "lookup 5",
        "bulk 1",
        "bulk 2",
    ]


async def test_a_storm_of_timeouts_loses_no_token() -> None:
    """Ten callers a second who give up after half a second: each second one of them goes."""
    limiter = LocalLimiter(TokenLimit(burst=1, refill=1))
    granted = 0

    async def caller(number: int) -> None:
        nonlocal granted
        await asyncio.sleep(number / 10)
        async with asyncio.timeout(0.5):
            (await limiter.acquire()).answered()
            granted += 1

    await asyncio.gather(*map(caller, range(600)), return_exceptions=True)
    assert granted >= 58
    assert limiter.waiting == 0
    await limiter.acquire(max_wait=1)


@pytest.mark.parametrize("place", range(5))
async def test_whoever_is_cancelled_in_the_turn_of_its_grant_passes_it_on(place: int) -> None:
    """Its token goes to the next one at once, also when it is cancelled before it was granted."""
    limiter = LocalLimiter(TimeLimit(5, per=10))
    held = [await limiter.acquire() for _ in range(5)]
    tasks = [await waiting(limiter) for _ in range(6)]
    start = now()
    if place % 2:
        tasks[place].cancel()
    for permit in held:
        permit.unused()
    tasks[place].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(one, Permit) for one in done) == 5
    assert now() == start


async def test_those_who_all_left_do_not_stand_in_the_way() -> None:
    """Who comes in the turn in which all others were cancelled has to wait for nobody."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    held = await limiter.acquire()
    tasks = [await waiting(limiter) for _ in range(3)]
    for task in tasks:
        task.cancel()
    held.unused()
    start = now()
    (await limiter.acquire()).answered()
    assert now() == start
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_429_ends_the_waits_that_it_makes_too_long() -> None:
    """At once, with the numbers; those with more patience stay."""
    limiter = LocalLimiter(TimeLimit(1, per=10))
    held = await limiter.acquire()
    hasty = asyncio.create_task(limiter.acquire(max_wait=30))
    patient = asyncio.create_task(limiter.acquire(max_wait=100))
    await asyncio.sleep(5)
    held.throttled(60)
    start = now()
    with pytest.raises(WaitTooLong) as caught:
        await hasty
    assert now() == start
    assert (caught.value.wait, caught.value.max_wait) == (65, 30)
    (await patient).answered()
    assert now() - start == pytest.approx(60, abs=0.1)


async def test_the_wait_for_a_refill_is_known_at_once() -> None:
    """Behind those who wait already, of one's own priority and of the one that goes first."""
    limiter = LocalLimiter(TokenLimit(burst=1, refill=0.1))
    await use(limiter)
    tasks = [await waiting(limiter) for _ in range(2)]
    for priority, wait in ((Priority.LOOKUP, 30), (Priority.BULK, 30)):
        with pytest.raises(WaitTooLong) as caught:
            await limiter.acquire(max_wait=25, priority=priority)
        assert caught.value.wait == pytest.approx(wait, abs=0.1)
    limiter.dismiss(lambda: InvalidState("enough"))
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, InvalidState) for one in done)
    assert limiter._timer is None


async def test_a_snapshot_tells_what_is_known() -> None:
    """For people and for metrics; nothing in it changes later."""
    limiter = LocalLimiter("3/60s, 60/1s")
    assert limiter.snapshot() == Snapshot(
        tokens=3, waiting=0, not_before=0.0, throttled=0, rate=0.05, burst=3
    )
    permits = [await limiter.acquire() for _ in range(3)]
    task = await waiting(limiter)
    before = limiter.snapshot()
    permits[0].throttled(90)
    assert (before.tokens, before.waiting, before.throttled) == (0, 1, 0)
    assert limiter.snapshot() == Snapshot(
        tokens=1, waiting=1, not_before=90.0, throttled=1, rate=0.025, burst=2
    )
    task.cancel()


async def test_a_snapshot_tells_what_has_recovered() -> None:
    """Also when nobody asked for anything meanwhile."""
    limiter = LocalLimiter("60/60s")
    (await limiter.acquire()).throttled(30)
    assert limiter.snapshot().rate == 0.5
    (await limiter.acquire()).answered()
    await asyncio.sleep(10_000)
    assert (limiter.snapshot().rate, limiter.snapshot().burst) == (1, 60)


async def test_many_waiters_cost_no_more_each_than_few() -> None:
    """The calls and the timers for each of them do not depend on how many wait."""
    asyncio.get_running_loop().set_debug(False)  # it notes where each task was made
    few, many = await calls_per_waiter(1000), await calls_per_waiter(8000)
    assert many < 1.1 * few


async def calls_per_waiter(waiters: int) -> float:
    """Return how many functions of the package are called for each of those who wait at once."""
    limiter = LocalLimiter(TimeLimit(60, per=60))
    count = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and "infobip_email_logs" in frame.f_code.co_filename

    sys.setprofile(profile)
    try:
        await asyncio.gather(*(use(limiter) for _ in range(waiters)))
    finally:
        sys.setprofile(None)
    return count / waiters
