"""Processes that wait for one ledger: order, cancellation, 429s, outages; in virtual time."""

import asyncio
import contextlib
import copy
import random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sharing import Account, Shelf, between, fullest, now
from virtual_time import VirtualTimeLoop

from infobip_email_logs import (
    InvalidInput,
    InvalidState,
    Permit,
    Priority,
    Snapshot,
    TimeLimit,
    WaitTooLong,
)
from infobip_email_logs.bucket import GRACE, SLACK, Limit, TokenLimit
from infobip_email_logs.errors import LimiterUnavailable
from infobip_email_logs.line import IN_A_ROW
from infobip_email_logs.messages import SECOND, Answer, Message
from infobip_email_logs.quiet import FRESH
from infobip_email_logs.shared_limiter import SharedLimiter

SOON = 0.02
"""Seconds by which a caller may be late because its process asks again."""


def sharers(count: int, limit: Limit, shelf: Shelf | None = None) -> list[SharedLimiter]:
    """Return the limiters of so many processes."""
    shelf = shelf or Shelf()
    return [SharedLimiter(shelf, limit) for _ in range(count)]


async def waiting(limiter: SharedLimiter) -> asyncio.Task[Permit]:
    """Return a task that waits for a permit, as the ledger knows by now."""
    task = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.001)
    return task


async def cancelled(*tasks: asyncio.Task[Permit]) -> None:
    """Cancel tasks, and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_process_has_the_whole_limit() -> None:
    """Three of each period leave together, as through a limiter of its own."""
    (limiter,) = sharers(1, TimeLimit(3, per=10))
    account, start = Account(), now()
    left = await asyncio.gather(*(account.ask(limiter) for _ in range(7)))
    assert [round(at - start, 1) for at in left] == [0, 0, 0, 10, 10, 10, 20]
    assert limiter.waiting == 0


async def test_a_second_process_finds_what_the_first_one_left() -> None:
    """One after the other shares the budget, and so does one beside the other."""
    one, other = sharers(2, TimeLimit(3, per=10))
    account, start = Account(), now()
    await asyncio.gather(*(account.ask(one) for _ in range(2)))
    left = await asyncio.gather(*(account.ask(other) for _ in range(2)))
    assert [round(at - start, 1) for at in left] == [0, 10]


async def test_those_who_came_first_go_first_in_all_processes() -> None:
    """The queue is one queue."""
    limiters = sharers(3, TimeLimit(1, per=1))
    account, order = Account(), list[int]()

    async def caller(number: int) -> None:
        await account.ask(limiters[number % 3])
        order.append(number)

    tasks = []
    for number in range(9):
        tasks.append(asyncio.create_task(caller(number)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert order == list(range(9))


async def test_lookups_go_before_bulk_pulls_and_neither_starves() -> None:
    """Those of one process before those of another; a bulk pull of each goes after a few."""
    one, other = sharers(2, TimeLimit(1, per=2))
    account, order = Account(), list[str]()

    async def caller(name: str, limiter: SharedLimiter, priority: Priority) -> None:
        await account.ask(limiter, priority=priority)
        order.append(name)

    await account.ask(one)
    tasks = []
    for name, limiter in (("other's", other), ("bulk 0", one), ("bulk 1", one)):
        tasks.append(asyncio.create_task(caller(name, limiter, Priority.BULK)))
        await asyncio.sleep(0.001)
    lookups = [f"lookup {number}" for number in range(IN_A_ROW + 1)]
    tasks += [asyncio.create_task(caller(name, one, Priority.LOOKUP)) for name in lookups]
    await asyncio.gather(*tasks)
    assert order == [*lookups[:-1], "other's", "bulk 0", lookups[-1], "bulk 1"]


async def test_a_lookup_goes_before_what_another_process_was_promised() -> None:
    """But for the next second; and those who have many bulk pulls lose nothing else."""
    pulls, asks = sharers(2, TimeLimit(10, per=10))
    account, start = Account(), now()
    await asyncio.gather(*(account.ask(pulls, priority=Priority.BULK) for _ in range(10)))
    bulk = [asyncio.create_task(account.ask(pulls, priority=Priority.BULK)) for _ in range(20)]
    await asyncio.sleep(5)
    lookup = asyncio.create_task(account.ask(asks))
    assert await lookup - start == pytest.approx(10, abs=SOON)
    assert await asyncio.gather(*bulk) == pytest.approx(
        [start + 10] * 9 + [start + 20] * 10 + [start + 30], abs=3 * SOON
    )


async def test_a_steady_stream_of_lookups_lets_bulk_pulls_of_others_pass() -> None:
    """One after every few lookups, however many come."""
    pulls, asks = sharers(2, TimeLimit(1, per=1))
    account, order = Account(), list[str]()

    async def caller(limiter: SharedLimiter, priority: Priority) -> None:
        await account.ask(limiter, priority=priority)
        order.append(priority.value)

    bulk = [asyncio.create_task(caller(pulls, Priority.BULK)) for _ in range(30)]
    lookups = []
    for _ in range(120):
        lookups.append(asyncio.create_task(caller(asks, Priority.LOOKUP)))
        await asyncio.sleep(0.5)
    seen = order[1:50]
    assert seen.count("bulk") == pytest.approx(len(seen) / (IN_A_ROW + 1), abs=1)
    await asyncio.gather(*bulk, *lookups)


async def test_a_bulk_pull_is_told_that_lookups_go_before_it() -> None:
    """A wait that is known to be too long is refused for those who would wait so long only."""
    (limiter,) = sharers(1, TimeLimit(1, per=10))
    account = Account()
    await account.ask(limiter)
    bulk = asyncio.create_task(account.ask(limiter, max_wait=15, priority=Priority.BULK))
    lookup = asyncio.create_task(account.ask(limiter, max_wait=15))
    start = now()
    with pytest.raises(WaitTooLong) as caught:
        await bulk
    assert now() - start < SOON
    assert caught.value.wait == pytest.approx(20, abs=0.1)
    assert await lookup - start == pytest.approx(10, abs=SOON)


async def test_a_priority_that_does_not_exist_is_refused() -> None:
    """And so is a patience that is no number."""
    (limiter,) = sharers(1, TimeLimit(1, per=10))
    with pytest.raises(InvalidInput, match="Priority"):
        await limiter.acquire(priority="bulk")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="nan"):
        await limiter.acquire(max_wait=float("nan"))


async def test_nobody_asks_in_vain() -> None:
    """A call of the ledger for a caller who comes, and one for a request that ended; no polling."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(1, per=60), shelf)
    account = Account()
    for _ in range(3):
        await account.ask(limiter, there=0.1)
    per_admission = len(shelf.messages) / 3
    assert per_admission <= 60 / 5 + 2  # the lease's thirds, while somebody waits, and the two
    await asyncio.sleep(0.1)
    before = len(shelf.messages)
    await asyncio.sleep(1000)
    assert len(shelf.messages) == before


@pytest.mark.parametrize("place", range(4))
async def test_a_cancelled_waiter_stalls_nobody(place: int) -> None:
    """Wherever in the queue it stood, the others move up, those of its own process first."""
    limiters = sharers(2, TimeLimit(1, per=1))
    account, start = Account(), now()
    await account.ask(limiters[0])
    tasks = []
    for number in range(4):
        tasks.append(asyncio.create_task(account.ask(limiters[number % 2])))
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.5)
    tasks.pop(place).cancel()
    left = await asyncio.gather(*tasks)
    assert sorted(round(at - start, 1) for at in left) == [1, 2, 3]


async def test_a_waiter_cancelled_in_the_turn_of_its_grant_gives_its_token_back() -> None:
    """The token goes to the next one, in another process when that is heard of next."""
    one, other = sharers(2, TimeLimit(1, per=10))
    first = await one.acquire()
    second = await waiting(one)
    third = await waiting(other)
    first.unused()
    while one.waiting:
        await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    start = now()
    (await third).unused()
    assert now() - start <= one._lease / 3


@pytest.mark.parametrize("processes", [1, 4])
async def test_a_storm_of_timeouts_leaves_no_phantom_queue(processes: int) -> None:
    """Ten callers a second who give up after half a second use every token, and the next waits."""
    limiters = sharers(processes, TokenLimit(burst=1, refill=1))
    granted = list[float]()

    async def caller(number: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                permit = await limiters[number % processes].acquire()
            granted.append(now())
            permit.answered()

    async with asyncio.TaskGroup() as group:
        for number in range(600):
            group.create_task(caller(number))
            await asyncio.sleep(0.1)
    assert len(granted) >= 58
    start = now()
    (await limiters[0].acquire()).answered()
    assert now() - start <= 1.0


async def test_a_bucket_admits_its_burst_and_then_its_rate() -> None:
    """Never more than the burst and what was refilled, in any stretch of time."""
    limiters = sharers(2, TokenLimit(burst=5, refill=2))
    account, start = Account(), now()
    asked = (account.ask(limiters[number % 2]) for number in range(15))
    left = sorted(at - start for at in await asyncio.gather(*asked))
    assert left[4] < SOON
    assert left[14] == pytest.approx(5, abs=SOON)
    for width in (1, 2, 3):
        assert fullest(account.arrivals, width) <= 5 + 2 * width


async def test_several_limits_must_agree() -> None:
    """Two a second, and three in ten seconds, and a bucket that is never the one that counts."""
    shelf = Shelf()
    bucket = TokenLimit(burst=3, refill=100)
    limits: list[Limit] = [TimeLimit(2, per=1), TimeLimit(3, per=10), bucket]
    limiter = SharedLimiter(shelf, limits)
    account, start = Account(), now()
    left = await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
    assert [round(at - start, 1) for at in left] == [0, 0, 1, 10, 10]
    assert limiter.pace(5) == 10
    assert str(limiter) == "2/1s, 3/10s, 3+100/s"


async def test_a_token_returns_a_period_after_its_answer() -> None:
    """A slow answer holds its token longer, also for others."""
    one, other = sharers(2, TimeLimit(1, per=10))
    account, start = Account(), now()
    await account.ask(one, there=3, back=4)
    assert await account.ask(other) - start == pytest.approx(17 + SLACK, abs=SOON)


async def test_an_abandoned_attempt_counts_for_a_while_longer() -> None:
    """Its request may arrive after its connection was closed."""
    one, other = sharers(2, TimeLimit(1, per=10))
    account, start = Account(), now()
    (await one.acquire()).abandoned()
    assert await account.ask(other) - start == pytest.approx(10 + GRACE + SLACK, abs=0.1)


async def test_what_is_told_twice_of_a_permit_counts_once() -> None:
    """A token can't return twice."""
    one, other = sharers(2, TimeLimit(1, per=10))
    permit = await one.acquire()
    permit.answered()
    permit.unused()
    with pytest.raises(WaitTooLong):
        await other.acquire(max_wait=5)


async def test_what_a_cancelled_caller_gives_back_is_used_at_its_own_instant() -> None:
    """By whoever comes next, though later instants were promised to others meanwhile."""
    one, other = sharers(2, TimeLimit(3, per=10))
    account, start = Account(), now()
    await asyncio.gather(*(account.ask(one, back=wait) for wait in (0, 1, 2)))
    gives_up, stays = await waiting(one), [await waiting(other) for _ in range(2)]
    await cancelled(gives_up)
    assert await account.ask(one) - start == pytest.approx(10, abs=SOON)
    for task in stays:
        (await task).unused()
    assert now() - start == pytest.approx(12, abs=SOON)


async def test_a_429_stops_all_processes_until_its_deadline() -> None:
    """A shorter deadline never overrides a longer one; then they go on with less than before."""
    one, other = sharers(2, TimeLimit(10, per=1))
    account, start = Account(), now()
    permits = [await one.acquire() for _ in range(2)]
    permits[0].throttled(20)
    permits[1].throttled(5)
    assert one.pause == 20
    await asyncio.sleep(0.001)
    left = await asyncio.gather(*(account.ask(limiter) for limiter in (one, other, other)))
    assert [at - start for at in left] == pytest.approx([20, 20, 20.2], abs=SOON)


async def test_a_429_reaches_those_whose_instant_was_promised() -> None:
    """Whoever is to go later than in a second looks again before it goes."""
    one, other = sharers(2, TimeLimit(2, per=10))
    account, start = Account(), now()
    await account.ask(other)
    permit = await one.acquire()
    task = asyncio.create_task(account.ask(other))
    await asyncio.sleep(10 - 2 * FRESH / SECOND)
    permit.throttled(30)
    assert await task - start == pytest.approx(40 - 2 * FRESH / SECOND, abs=SOON)


async def test_a_429_that_does_not_say_how_long_lets_one_probe_out_at_a_time() -> None:
    """Of all processes; the pauses grow while probes are refused; when one passes, all go on."""
    limiters = sharers(2, TimeLimit(100, per=1))
    start, left = now(), list[float]()

    async def caller(limiter: SharedLimiter) -> None:
        while True:
            permit = await limiter.acquire()
            left.append(now() - start)
            await asyncio.sleep(0.1)
            if now() - start > 14:
                return permit.answered()
            permit.throttled(None)

    await asyncio.gather(*(caller(limiters[number % 2]) for number in range(6)))
    assert left[:6] == pytest.approx([0] * 6, abs=SOON)
    assert left[6:9] == pytest.approx([1.1, 4.2, 16.3], abs=0.2)
    assert max(left) < 16.3 + 2  # the other process hears of it when it asks again
    assert len(left) == 14


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), 1e300, -5.0])
async def test_a_429_that_asks_for_nonsense_is_bounded(nonsense: float) -> None:
    """It asks for an hour at most, or does not say; nobody waits for ever."""
    shelf = Shelf()
    limiter = SharedLimiter(shelf, TimeLimit(2, per=10), max_pause=4000)
    account, start = Account(), now()
    (await limiter.acquire()).throttled(nonsense)
    assert limiter.snapshot().not_before <= 3600
    assert await account.ask(limiter) - start == pytest.approx(3600 if nonsense > 0 else 10, abs=1)


async def test_a_silence_that_is_too_long_is_refused() -> None:
    """A limiter does not wait for an hour unless it was told to."""
    one, other = sharers(2, TimeLimit(10, per=1))
    permits = [await one.acquire() for _ in range(10)]
    waits = await waiting(one)
    permits[0].throttled(3000)
    with pytest.raises(WaitTooLong, match="3000 s"):
        await waits
    with pytest.raises(WaitTooLong, match="3000 s"):
        await one.acquire()
    with pytest.raises(WaitTooLong, match="3000 s"):
        await other.acquire()


async def test_a_wait_that_is_known_to_be_too_long_is_refused_at_once() -> None:
    """After one look into the ledger; the error tells the numbers."""
    one, other = sharers(2, TimeLimit(1, per=10))
    account = Account()
    await account.ask(one)
    ahead = await waiting(one)
    start = now()
    with pytest.raises(WaitTooLong, match="1/10s") as caught:
        await other.acquire(max_wait=15)
    assert now() == start
    assert caught.value.wait == pytest.approx(20, abs=0.1)
    assert caught.value.max_wait == 15
    await cancelled(ahead)


async def test_only_those_are_refused_who_would_wait_too_long() -> None:
    """Of many who come together each is told its own wait; who leaves lets others move up."""
    (limiter,) = sharers(1, TimeLimit(2, per=10))
    account = Account()
    await asyncio.gather(account.ask(limiter), account.ask(limiter))
    start = now()
    asked = [account.ask(limiter, max_wait=wait) for wait in (5, 15, 15, 15, 25, 25, 5)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    refused = [isinstance(one, WaitTooLong) for one in told]
    assert refused == [True, False, False, True, False, False, True]
    assert now() - start < 21


async def test_who_is_cancelled_in_the_turn_of_an_answer_is_in_nobodys_way() -> None:
    """The one behind moves up, and is not refused for a wait that is not its own."""

    class Cancelling(Shelf):
        async def tell(self, message: Message) -> Answer:
            answer = await super().tell(message)
            if message.lookups == 2:
                leaves.cancel()
            return answer

    (limiter,) = sharers(1, TimeLimit(2, per=10), Cancelling())
    account = Account()
    await account.ask(limiter)
    await asyncio.sleep(5)
    await account.ask(limiter)
    leaves = asyncio.create_task(account.ask(limiter))
    start, stays = now(), asyncio.create_task(account.ask(limiter, max_wait=7))
    assert await stays - start == pytest.approx(5, abs=SOON)
    assert leaves.cancelled()


async def test_a_wait_that_turns_out_too_long_ends_in_time() -> None:
    """Where it could not be known, the caller is let go at its bound."""
    one, other = sharers(2, TimeLimit(1, per=10))
    start = now()
    held = await one.acquire()
    task = asyncio.create_task(other.acquire(max_wait=12))
    await asyncio.sleep(5)
    held.answered()
    with pytest.raises(WaitTooLong):
        await task
    assert now() - start == pytest.approx(12)
    assert await Account().ask(one) - start == pytest.approx(15 + SLACK, abs=SOON)


async def test_a_process_that_is_gone_gives_back_what_it_had_reserved() -> None:
    """Its lease runs out; its callers' places and promised instants are the others'."""
    gone, left = sharers(2, TimeLimit(4, per=10))
    account, start = Account(), now()
    await asyncio.gather(*(account.ask(gone) for _ in range(4)))
    tasks = [asyncio.create_task(gone.acquire()) for _ in range(8)]
    await asyncio.sleep(1)
    gone._talk = asyncio.ensure_future(asyncio.sleep(0))  # it says nothing any more
    await cancelled(*tasks)
    went = await asyncio.gather(*(account.ask(left) for _ in range(8)))
    assert [round(at - start, 1) for at in went] == [10] * 4 + [20] * 4


async def test_a_request_on_the_wire_counts_though_its_process_is_gone() -> None:
    """From the end of the lease on, and for the grace of what was given up."""
    gone, left = sharers(2, TimeLimit(1, per=10))
    start = now()
    await gone.acquire()
    await asyncio.sleep(0.001)
    gone._talk = asyncio.ensure_future(asyncio.sleep(0))
    assert await Account().ask(left) - start == pytest.approx(5 + GRACE + 10, abs=0.1)


async def test_a_process_that_ends_well_leaves_at_once() -> None:
    """What it had reserved is free, and what ended is told."""
    one, other = sharers(2, TimeLimit(2, per=10))
    account, start = Account(), now()
    async with one:
        await asyncio.gather(account.ask(one), account.ask(one))
        tasks = [await waiting(one) for _ in range(3)]
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, InvalidState) for end in ends)
    left = await asyncio.gather(account.ask(other), account.ask(other))
    assert [round(at - start, 1) for at in left] == [10, 10]
    with pytest.raises(InvalidState):
        await one.acquire()


async def test_what_is_on_the_wire_at_the_end_counts_as_given_up() -> None:
    """And is not told twice, should its answer come all the same."""
    one, other = sharers(2, TimeLimit(1, per=10))
    permit, start = await one.acquire(), now()
    await one.aclose()
    permit.answered()
    assert await Account().ask(other) - start == pytest.approx(10 + GRACE + SLACK, abs=0.1)


async def test_what_is_closed_twice_is_closed_once() -> None:
    """The second time changes nothing, whatever became of the place of the ledger."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(1, per=10), shelf)
    async with limiter:
        (await limiter.acquire()).answered()
        await limiter.aclose()
        told = len(shelf.messages)
    assert len(shelf.messages) == told


async def test_processes_that_fork_after_it_was_built_are_not_taken_for_one() -> None:
    """Each has a copy that was not used yet, and none may go with what another was given."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(2, per=10), shelf)
    forked = copy.deepcopy(limiter, {id(shelf): shelf})
    account = Account()
    await asyncio.gather(*(account.ask(one, 0.1, 0.1) for one in (limiter, forked) * 3))
    assert fullest(account.arrivals, 10) == 2


@pytest.mark.parametrize("max_pause", [0, -1, float("nan"), "1"])
def test_a_longest_silence_of_nothing_is_refused(max_pause: Any) -> None:
    """When the limiter is built."""
    with pytest.raises(InvalidInput, match="max_pause"):
        SharedLimiter(Shelf(), TimeLimit(1, per=10), max_pause=max_pause)


class SlowOnce(Shelf):
    """A ledger that gets one message long after its member gave it up, behind newer ones."""

    slow = False

    async def tell(self, message: Message) -> Answer:
        """Give the ledger a message, soon or late."""
        if not self.slow:
            return await super().tell(message)
        self.slow = False
        self.late = asyncio.create_task(self._later(message))
        await asyncio.sleep(2)
        raise LimiterUnavailable("no answer in time")

    async def _later(self, message: Message) -> None:
        await asyncio.sleep(2.3)
        await super().tell(message)


async def test_a_message_that_comes_late_takes_nothing_away() -> None:
    """It says that nobody waits; those who came since keep what they were given."""
    shelf = SlowOnce()
    one, other = sharers(2, TimeLimit(4, per=10), shelf)
    account = Account()
    permit = await one.acquire()
    shelf.slow = True
    permit.unused()
    await asyncio.sleep(2.1)
    asked = [asyncio.create_task(account.ask(one, there=0.1, back=0.8)) for _ in range(4)]
    await shelf.late
    await asyncio.gather(*asked, *(account.ask(other) for _ in range(4)))
    assert fullest(account.arrivals, 10) == 4


async def test_a_message_that_comes_late_gives_nothing_back() -> None:
    """It says that requests are on the wire, which ended since."""
    shelf = SlowOnce()
    (limiter,) = sharers(1, TimeLimit(4, per=10), shelf)
    account = Account()
    asked = [asyncio.create_task(account.ask(limiter, back=1)) for _ in range(4)]
    await asyncio.sleep(0.5)
    shelf.slow = True
    with pytest.raises(LimiterUnavailable):
        await limiter.acquire()
    await asyncio.gather(*asked, *(account.ask(limiter) for _ in range(4)))
    assert shelf.late.done()
    assert fullest(account.arrivals, 10) == 4


@pytest.mark.parametrize("given_up", [False, True])
async def test_what_is_said_again_since_the_answer_was_lost_counts_once(given_up: bool) -> None:  # noqa: FBT001
    """In the same message, or in the next one: no token is missing."""

    class Deaf(Shelf):
        deaf = False

        async def tell(self, message: Message) -> Answer:
            answer = await super().tell(message)
            if not self.deaf:
                return answer
            self.deaf = False
            if given_up:
                raise LimiterUnavailable("no answer in time")
            return await super().tell(message)

    shelf = Deaf()
    one, other = sharers(2, TimeLimit(3, per=10), shelf)
    account = Account()
    await asyncio.gather(account.ask(one), account.ask(one))
    shelf.deaf = True
    await asyncio.sleep(2)
    assert not one._ended
    start = now()
    assert await account.ask(other) == start


async def test_flushing_tells_the_others_at_once() -> None:
    """Nothing is held back then."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(1, per=10), shelf)
    await Account().ask(limiter)
    start = now()
    await limiter.flush()
    assert now() == start
    assert [one.end for one in shelf.messages[-1].ended] == ["answered"]


async def test_a_lost_ledger_begins_empty() -> None:
    """Whoever saw it knows, and all wait for a period, as if the limit had just been used up."""
    shelf = Shelf()
    limiters = sharers(2, TimeLimit(3, per=10), shelf)
    account = Account()
    await asyncio.gather(*(account.ask(limiters[number % 2]) for number in range(3)))
    await asyncio.sleep(1)
    shelf.ledger, lost = None, now()
    left = await asyncio.gather(*(account.ask(limiters[number % 2]) for number in range(3)))
    assert all(at - lost == pytest.approx(10, abs=SOON) for at in left)
    assert fullest(account.arrivals, 10) <= 3


async def test_a_ledger_that_expired_is_no_lost_one() -> None:
    """Whoever was silent for long remembers nothing that still counts."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(3, per=10), shelf)
    await Account().ask(limiter)
    await asyncio.sleep(100)
    shelf.ledger, start = None, now()
    assert await Account().ask(limiter) == start


async def test_while_the_ledger_is_away_nothing_is_sent() -> None:
    """Those who wait and those who come are told why; when it is back, all goes on by itself."""
    shelf = Shelf()
    (limiter,) = sharers(1, TimeLimit(1, per=10), shelf)
    account = Account()
    permit = await limiter.acquire()
    waits = await waiting(limiter)
    shelf.away = True
    permit.answered()
    with pytest.raises(LimiterUnavailable, match="away") as caught:
        await waits
    assert isinstance(caught.value.__cause__, LimiterUnavailable)
    with pytest.raises(LimiterUnavailable):
        await limiter.acquire()
    await limiter.flush()
    shelf.away, start = False, now()
    assert await account.ask(limiter) - start == pytest.approx(10, abs=0.1)


async def test_alone_a_process_keeps_to_its_share_and_returns() -> None:
    """Its share begins used up; what it sent alone counts when the ledger is back."""
    shelf = Shelf()
    limiter = SharedLimiter(shelf, TimeLimit(4, per=10), alone=[TimeLimit(2, per=10)])
    account, start = Account(), now()
    await asyncio.gather(*(account.ask(limiter) for _ in range(4)))
    shelf.away = True
    tasks = [asyncio.create_task(account.ask(limiter, back=5)) for _ in range(5)]
    await asyncio.sleep(12)
    assert [round(at - start) for at in account.arrivals] == [0] * 4 + [10] * 2
    assert limiter.waiting == 3
    assert limiter.pause == 0
    shelf.away = False
    await asyncio.gather(*tasks)
    await asyncio.gather(*(account.ask(limiter) for _ in range(4)))
    assert fullest(account.arrivals, 10) <= 4
    assert len(account.arrivals) == 13


async def test_alone_a_429_is_heeded_and_patience_kept() -> None:
    """A share is kept as a limit is."""
    shelf = Shelf()
    shelf.away = True
    limiter = SharedLimiter(shelf, TimeLimit(4, per=10), alone=[TimeLimit(2, per=10)])
    start = now()
    with pytest.raises(WaitTooLong):
        await limiter.acquire(max_wait=5)
    permit = await limiter.acquire(max_wait=11)
    (await limiter.acquire()).unused()
    permit.throttled(50)
    assert limiter.pause == 50
    (await limiter.acquire()).abandoned()
    assert now() - start == pytest.approx(60, abs=SOON)
    await limiter.aclose()


async def test_alone_a_share_of_several_limits_begins_used_up_in_all_of_them() -> None:
    """Not in the smallest one only."""
    alone: list[Limit] = [TimeLimit(3, per=10), TokenLimit(burst=1, refill=1)]
    limiter = SharedLimiter(Shelf(away=True), TimeLimit(9, per=10), alone=alone)
    account, start = Account(), now()
    await account.ask(limiter)
    assert now() - start == pytest.approx(10, abs=SOON)


async def test_who_is_cancelled_in_the_turn_of_its_refusal_is_refused() -> None:
    """Nothing was granted, so nothing is given back."""
    shelf = Shelf(away=True)
    (limiter,) = sharers(1, TimeLimit(1, per=10), shelf)
    waits = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    while limiter.waiting:
        await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert not limiter._ended


async def test_flushing_waits_for_what_is_said_already() -> None:
    """What ended while a message was on its way goes with the next."""
    shelf = Shelf(delay=lambda: 0.1)
    (limiter,) = sharers(1, TimeLimit(2, per=10), shelf)
    permits = [await limiter.acquire() for _ in range(2)]
    permits[0].throttled(1)
    await asyncio.sleep(0)
    permits[1].answered()
    await limiter.flush()
    told = [one.end for message in shelf.messages for one in message.ended]
    assert told == ["throttled", "answered"]


async def test_another_event_loop_is_told_to_make_its_own() -> None:
    """A limiter belongs to the loop it was first used on."""
    (limiter,) = sharers(1, TimeLimit(1, per=10))
    await Account().ask(limiter)
    told = await asyncio.to_thread(lambda: _error_of(limiter))
    assert "another event loop" in str(told)


def _error_of(limiter: SharedLimiter) -> Exception | None:
    try:
        asyncio.run(limiter.acquire())
    except InvalidState as error:
        return error
    return None


async def test_what_breaks_on_the_way_is_told_to_those_who_wait() -> None:
    """Nobody hangs, whatever goes wrong, and what is to be told is not tried over and over."""

    class Broken(Shelf):
        tells = 0

        async def tell(self, message: Message) -> Answer:
            self.tells += 1
            if self.tells == 2:
                raise ZeroDivisionError("oh")
            return await super().tell(message)

    shelf = Broken()
    limiter = SharedLimiter(shelf, TimeLimit(1, per=10))
    permit = await limiter.acquire()
    with pytest.raises(LimiterUnavailable, match="oh"):
        await limiter.acquire()
    permit.answered()
    await asyncio.sleep(0.9)
    assert shelf.tells == 2
    await asyncio.sleep(0.2)
    assert shelf.tells == 3
    assert not limiter._ended


async def test_a_snapshot_tells_what_this_process_knows() -> None:
    """Its callers and its 429s, also while it is alone; nobody but the ledger knows the tokens."""
    shelf = Shelf()
    limits: list[Limit] = [TimeLimit(4, per=10), TokenLimit(burst=3, refill=2)]
    limiter = SharedLimiter(shelf, limits, alone=[TimeLimit(2, per=10)])
    known = Snapshot(tokens=None, waiting=0, not_before=0.0, throttled=0, rate=0.4, burst=3)
    assert limiter.snapshot() == known
    permit = await limiter.acquire()
    permit.throttled(50)
    waits = await waiting(limiter)
    met = attrs.evolve(known, waiting=1, throttled=1, not_before=limiter.pause, burst=2)
    assert limiter.snapshot().rate == pytest.approx(0.4 / 2, rel=0.001)
    assert attrs.evolve(limiter.snapshot(), rate=known.rate) == met
    assert limiter.pause == pytest.approx(50, abs=SOON)
    shelf.away = True
    await asyncio.sleep(30)
    alone = attrs.evolve(met, rate=0.2, tokens=2, not_before=limiter.pause)
    assert limiter.snapshot() == alone
    assert limiter.pause == pytest.approx(20, abs=SOON)
    await cancelled(waits)
    await limiter.aclose()


async def test_a_limiter_tells_what_it_keeps() -> None:
    """Its text holds the limits and how many wait."""
    limiter = SharedLimiter(Shelf(), "60/60s, 20+10/s")
    assert repr(limiter) == "SharedLimiter(60/60s, 20+10/s; 0 waiting)"
    assert limiter.pause == 0
    assert limiter.pace(61) == 60


def test_a_limiter_without_a_limit_is_refused() -> None:
    """Nothing to keep is a mistake."""
    with pytest.raises(InvalidInput):
        SharedLimiter(Shelf(), [])
    with pytest.raises(InvalidInput):
        SharedLimiter(Shelf(), "60/abc")


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 6),
    st.floats(0.3, 8),
    st.integers(1, 4),
    st.integers(0, 1_000_000),
)
def test_no_window_of_the_service_ever_holds_more_than_the_limit(
    requests: int, per: float, processes: int, seed: int
) -> None:
    """Under random arrivals, delays, patience, cuts of the line, deaths and lost ledgers."""
    loop = VirtualTimeLoop()
    try:
        account = loop.run_until_complete(_live(TimeLimit(requests, per=per), processes, seed))
    finally:
        loop.close()
    assert fullest(account.arrivals, per - 1e-6) <= requests


async def _live(limit: TimeLimit, processes: int, seed: int) -> Account:
    """Let processes live together for a while; who never saw a lost ledger can't know of it."""
    rng = random.Random(seed)
    shelf = Shelf(delay=between(rng, 0.0, 0.05))
    limiters, may_come = sharers(processes, limit, shelf), True
    account = Account()

    async def caller(limiter: SharedLimiter) -> None:
        with contextlib.suppress(TimeoutError, WaitTooLong, InvalidState, LimiterUnavailable):
            async with asyncio.timeout(rng.choice([0.1, 1, 1000])):
                await account.ask(limiter, there=rng.uniform(0, 0.3), back=rng.uniform(0, 0.3))

    async with asyncio.TaskGroup() as group:
        for _ in range(rng.randrange(10, 60)):
            group.create_task(caller(rng.choice(limiters)))
            await asyncio.sleep(rng.expovariate(requests_a_second(limit)))
            if rng.random() < 0.1 and all(now() - one._told < limit.per for one in limiters):
                shelf.ledger, may_come = None, False
            if rng.random() < 0.05:
                cut = rng.choice(limiters)
                cut._book, book = Shelf(away=True), cut._book
                asyncio.get_running_loop().call_later(
                    rng.uniform(0, 5), setattr, cut, "_book", book
                )
            if rng.random() < 0.03 and may_come:
                await limiters.pop(rng.randrange(processes)).aclose()
                limiters += sharers(1, limit, shelf)
    for limiter in limiters:
        await limiter.aclose()
    return account


def requests_a_second(limit: TimeLimit) -> float:
    """Return the rate at which callers come: about twice what the limit allows."""
    return 2 * limit.requests / limit.per


def test_all_of_the_limit_is_used_where_there_is_work() -> None:
    """Four processes with more than enough to ask for leave nothing over, and share fairly."""
    loop = VirtualTimeLoop()
    try:
        counts = loop.run_until_complete(_work(TimeLimit(40, per=10)))
    finally:
        loop.close()
    assert sum(counts) == 40 * 5
    assert all(0.22 <= count / sum(counts) <= 0.28 for count in counts)


async def _work(limit: TimeLimit) -> list[int]:
    rng = random.Random(1)
    limiters = sharers(4, limit, Shelf(delay=between(rng, 0.0, 0.005), ahead=2 * SECOND))
    account, counts = Account(), [0] * 4

    async def caller(number: int) -> None:
        while True:
            await account.ask(limiters[number], there=rng.uniform(0, 0.1), back=0.05)
            counts[number] += 1

    tasks = [asyncio.create_task(caller(number)) for number in range(4) for _ in range(15)]
    await asyncio.sleep(49)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for limiter in limiters:
        await limiter.aclose()
    assert fullest(account.arrivals, 10) <= 40
    return counts
