"""The arithmetic of several limits, in a world of latencies, losses, stalls and late timers."""

import heapq
import itertools
import math

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobip_email_logs.bucket import GRACE, SLACK, Limit, TimeLimit, TokenLimit
from infobip_email_logs.budget import Budget
from infobip_email_logs.errors import InvalidInput

TIME_LIMITS = st.builds(TimeLimit, st.integers(1, 8), per=st.floats(0.1, 20))
TOKEN_LIMITS = st.builds(TokenLimit, burst=st.integers(1, 8), refill=st.floats(0.05, 10))
ROUNDING = 1e-9
"""Seconds by which sums may differ that are formed in another order."""

LIMITS = st.lists(st.one_of(TIME_LIMITS, TOKEN_LIMITS), min_size=1, max_size=3)


@attrs.frozen
class Attempt:
    """What becomes of a request.

    Attributes:
        idle: Seconds after the last one left before anybody wants to send it.
        there: Seconds on the way there.
        back: Seconds until its end is known, after it arrived.
        end: How it ends; one that is abandoned may arrive up to the grace later, or never.
        late: Seconds by which a timer is late.
        stall: Seconds for which our clock stands still meanwhile.
        step: Seconds by which it falls back.
    """

    idle: float
    there: float
    back: float
    end: str
    late: float
    stall: float
    step: float


ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        idle=st.one_of(st.just(0.0), st.floats(0, 3)),
        there=st.floats(0, 4),
        back=st.floats(0, 4),
        end=st.sampled_from(["answered"] * 6 + ["abandoned", "lost", "unused"]),
        late=st.one_of(st.just(0.0), st.floats(0, 0.5)),
        stall=st.one_of(st.just(0.0), st.floats(0, 2)),
        step=st.one_of(st.just(0.0), st.just(0.0), st.just(0.0), st.floats(0, 2)),
    ),
    min_size=1,
    max_size=50,
)


class World:
    """Sends attempts as early as they may go. `arrivals` are in the service's time, not in ours."""

    def __init__(self, limits: list[Limit]) -> None:
        self.limits = limits
        self.budget = Budget(limits)
        self.time = 1000.0
        self.lag = 0.0
        self.stepped = False
        self.arrivals: list[float] = []
        self.known: list[float] = []
        self._ends: list[tuple[float, int, Attempt, float]] = []
        self._turns = itertools.count()

    @property
    def now(self) -> float:
        """What our clock says."""
        return self.time - self.lag

    @property
    def on_wire(self) -> int:
        """How many have not ended yet."""
        return len(self._ends)

    def run(self, attempts: list[Attempt]) -> None:
        """Send all of them."""
        for attempt in attempts:
            self.pass_time(attempt.idle)
            self.pass_time(attempt.stall, stopped_at=self.now)
            self.lag += attempt.step
            self.stepped = self.stepped or attempt.step > 0
            while not self.budget.take(self.now):
                ready = self.budget.ready(self.now)
                assert ready > self.now
                assert self.stepped or self.must_wait(self.now)
                assert self.stepped or self.must_wait(ready - 1e-6)
                self.pass_time(ready - self.now + attempt.late)
            self.send(attempt)

    def send(self, attempt: Attempt) -> None:
        """Let one leave."""
        arrival = self.time + attempt.there
        if attempt.end == "answered":
            self.arrivals.append(arrival)
            ends = arrival + attempt.back
        else:
            ends = self.time + min(attempt.there, attempt.back)
            if attempt.end == "abandoned":  # as late as it may be
                self.arrivals.append(max(arrival, ends) if arrival < ends else ends + GRACE)
        heapq.heappush(self._ends, (ends, next(self._turns), attempt, self.now))

    def pass_time(self, seconds: float, *, stopped_at: float | None = None) -> None:
        """Let time go by, and tell the budget what ends meanwhile; our clock may have stopped."""
        until = max(self.time + seconds, math.nextafter(self.time, math.inf if seconds else 0.0))
        while self._ends and self._ends[0][0] <= until:
            ends, _, attempt, sent_at = heapq.heappop(self._ends)
            self.set_time(ends, stopped_at)
            self.end(attempt, sent_at)
        self.set_time(until, stopped_at)

    def set_time(self, time: float, stopped_at: float | None) -> None:
        """Let it be later."""
        self.time = max(self.time, time)
        if stopped_at is not None:
            self.lag = self.time - stopped_at

    def end(self, attempt: Attempt, sent_at: float) -> None:
        """Tell the budget how one ended."""
        if attempt.end == "answered":
            self.known.append(self.now)
            self.budget.answered(self.now, sent_at)
        elif attempt.end == "unused":
            self.budget.unused(self.now, sent_at)
        else:
            self.known.append(self.now + GRACE)
            self.budget.abandoned(self.now, sent_at)

    def must_wait(self, now: float) -> bool:
        """Say whether one more might be too many then: if all arrived as late as can be."""
        return any(_forbids(limit, self.known, self.on_wire, now) for limit in self.limits)


def _forbids(limit: Limit, known: list[float], on_wire: int, now: float) -> bool:
    """Say whether a limit forbids one more, from its definition and nothing else."""
    if isinstance(limit, TimeLimit):
        recent = sum(at + limit.per + SLACK + ROUNDING > now for at in known)
        return recent + on_wire >= limit.requests
    later = sum(at > now for at in known)
    come = sorted((min(at + SLACK, now) for at in known if at <= now), reverse=True)
    held = [on_wire + later + 1.0]
    held += [n + on_wire + later + 1 - limit.refill * (now - at) for n, at in enumerate(come, 1)]
    return max(held) > limit.burst - limit.refill * 2 * SLACK - 1e-6


@settings(deadline=None)  # a loaded machine may take its time
@given(LIMITS, ATTEMPTS)
def test_no_window_holds_more_and_nothing_waits_in_vain(
    limits: list[Limit], attempts: list[Attempt]
) -> None:
    """Whatever the latencies, losses, stalls of our clock and late timers: never one too many."""
    world = World(limits)
    world.run(attempts)
    arrivals = sorted(world.arrivals)
    for limit in limits:
        if isinstance(limit, TimeLimit):
            for first, beyond in zip(arrivals, arrivals[limit.requests :], strict=False):
                assert beyond - first >= limit.per
        else:
            assert _most_at_once(arrivals, limit) <= limit.burst + 1e-6


def _most_at_once(arrivals: list[float], limit: TokenLimit) -> float:
    """Return how many tokens a bucket would have to hold for these arrivals."""
    lacking, at, most = 0.0, -math.inf, 0.0
    for arrival in arrivals:
        lacking = max(0.0, lacking - (arrival - at) * limit.refill) + 1
        at, most = arrival, max(most, lacking)
    return most


@given(LIMITS, st.integers(0, 40))
def test_the_wait_behind_others_is_never_told_too_long(limits: list[Limit], ahead: int) -> None:
    """What is told of a wait is at most what it is: nobody is refused who could have gone."""
    told = Budget(limits).ready(1000.0, ahead)
    world = World(limits)
    world.run([Attempt(0.0, 0.0, 0.0, "answered", 0.0, 0.0, 0.0)] * (ahead + 1))
    assert told <= world.arrivals[-1] + 1e-6


def test_a_limit_is_needed() -> None:
    """A budget of nothing is a mistake."""
    with pytest.raises(InvalidInput):
        Budget([])


@pytest.mark.parametrize("limits", [[TimeLimit(3, per=60)], [TimeLimit(3), TimeLimit(9, per=90)]])
def test_a_probe_has_a_token_though_all_were_refused(limits: list[Limit]) -> None:
    """What was refused holds its tokens, but for one with which the service is asked again."""
    budget = refused_all(Budget(limits))
    assert budget.throttled == 3
    assert budget.opens == 30.1
    assert not budget.take(30.0)
    assert budget.left(30.2) == 1
    assert budget.take(30.2)
    assert not budget.take(30.2)


def test_what_was_refused_counts_no_more_when_a_later_one_passes() -> None:
    """The service shows that it does not count it, or no more."""
    budget = refused_all(Budget([TimeLimit(3, per=60)]))
    assert budget.take(30.2)
    assert budget.left(30.2) == 0
    budget.answered(30.3, 30.2)
    assert budget.left(30.3) == 2


def test_what_was_refused_counts_for_a_period_while_nothing_passes() -> None:
    """The service may count what it refuses."""
    budget = refused_all(Budget([TimeLimit(3, per=60)]))
    assert budget.take(30.2)
    budget.refused(30.3, 30.2, 2.0)
    assert budget.left(60.0) == 1
    assert budget.left(60.2) == 3


def test_a_token_that_is_back_is_not_pardoned_once_more() -> None:
    """A pass long after a refusal finds nothing left to give back."""
    budget = refused_all(Budget([TimeLimit(3, per=60)]))
    assert budget.take(70.0)
    assert budget.left(70.0) == 2
    budget.answered(70.1, 70.0)
    assert budget.left(70.1) == 2


def refused_all(budget: Budget) -> Budget:
    """Send three requests at once, all of which are refused for half a minute."""
    for _ in range(3):
        assert budget.take(0.0)
    for _ in range(3):
        budget.refused(0.1, 0.0, 30.0)
    return budget


def test_a_bucket_refills_what_was_refused_like_all_else() -> None:
    """A 429 that names no later instant is a token spent."""
    budget = Budget([TokenLimit(burst=3, refill=0.5)])
    for _ in range(3):
        assert budget.take(0.0)
    budget.refused(0.1, 0.0, 1.0)
    budget.refused(0.1, 0.0, 1.0)
    budget.answered(0.1, 0.0)
    assert budget.take(2.2)
    budget.answered(2.3, 2.2)
    assert budget.left(2.3) == 1


def test_slow_start_lets_one_more_go_for_every_two_that_pass() -> None:
    """A small bucket is found with few requests; what is lost or unused adds nothing."""
    budget = Budget([TimeLimit(8, per=60)], slow_start=True)
    assert budget.take(0.0)
    assert not budget.take(0.0)
    budget.unused(0.1, 0.0)
    assert budget.take(0.2)
    budget.abandoned(0.3, 0.2)
    for _ in range(2):
        assert budget.take(0.4)
        assert not budget.take(0.4)
        budget.answered(0.5, 0.4)
    assert budget.take(0.6)
    assert budget.take(0.6)
    assert not budget.take(0.6)


def test_slow_start_ends_when_a_burst_may_go_at_once() -> None:
    """Then nothing but the limits has a say."""
    budget = Budget([TimeLimit(4, per=1)], slow_start=True)
    for second in range(8):
        assert budget.take(2.0 * second)
        budget.answered(2.0 * second, 2.0 * second)
    assert budget.wary
    for _ in range(4):
        assert budget.take(20.0)
    assert not budget.wary


def test_slow_start_ends_with_a_429() -> None:
    """What the 429 taught takes its place."""
    budget = Budget([TimeLimit(30, per=60)], slow_start=True)
    assert budget.take(0.0)
    budget.refused(0.1, 0.0, 1.0)
    assert budget.rate == 0.5
    assert budget.burst == 2
    assert budget.take(2.2)
    budget.unused(2.3, 2.2)
    assert budget.take(2.3)
    budget.abandoned(2.4, 2.3)
    assert budget.take(4.5)


def test_a_budget_that_recovered_is_not_wary_any_more() -> None:
    """Half an hour after a 429 the limits alone have a say."""
    budget = Budget([TimeLimit(30, per=60)])
    assert budget.take(0.0)
    budget.refused(0.1, 0.0, None)
    assert budget.take(10.0)
    budget.answered(10.1, 10.0)
    assert budget.take(2000.0)
    assert not budget.wary
    assert (budget.rate, budget.burst) == (0.5, 30)
