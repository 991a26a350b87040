"""What a 429 teaches: cuts once for a volley and once for a silence, and slow recovery."""

import math

import pytest

from infobip_email_logs.caution import Caution
from infobip_email_logs.lesson import (
    BURST_GROWTH,
    BURST_PART,
    CUT,
    FIRST_CUT,
    RECOVERY,
    SMALLEST_BURST,
    SOON,
    SOON_CUT,
)

RATE, BURST = 1.0, 60.0


def refused(*, retry_after: float | None = 1.0) -> Caution:
    """Return a caution that has just learned of its first 429."""
    caution = Caution(RATE, BURST)
    assert caution.refused(0.1, 0.0, retry_after)
    return caution


def send(caution: Caution, now: float) -> float:
    """Send a request as soon as it may go, from ``now`` on; return when."""
    at = caution.ready(now)
    caution.take(at)
    return at


def passed(caution: Caution, now: float) -> float:
    """Send a request that passes at once; return when."""
    at = send(caution, now)
    caution.passed(at, at)
    return at


def test_nothing_is_kept_while_nothing_was_learned() -> None:
    """Without a 429 everybody may go at once, however many."""
    caution = Caution(RATE, BURST)
    assert caution.idle
    assert caution.ready(5.0, ahead=1000) == 5.0
    assert not caution.passed(5.0, 4.0)


def test_the_first_429_takes_the_burst_down_and_leaves_the_rate() -> None:
    """A bucket that nobody announced refuses bursts; its refill may be the rate that was said."""
    caution = refused()
    assert caution.burst == BURST / BURST_PART
    assert caution.rate == RATE
    assert caution.ready(0.1) == pytest.approx(1.1)
    assert caution.ready(0.1, ahead=2) == pytest.approx(3.1)


def test_a_long_silence_takes_the_rate_down_at_once() -> None:
    """No bucket of the rate that was said is empty for so long: it is a window, and full."""
    assert refused(retry_after=30.0).rate == FIRST_CUT * RATE


def test_a_volley_counts_once() -> None:
    """All that was on the wire when the 429 came says the same thing."""
    caution = refused(retry_after=30.0)
    for _ in range(10):
        assert not caution.refused(0.2, 0.0, 30.0)
    assert not caution.passed(0.2, 0.0)
    assert caution.rate == FIRST_CUT * RATE
    assert caution.ready(0.2) == pytest.approx(2.2)


def test_the_rate_is_cut_once_in_a_silence() -> None:
    """However often the service is asked in vain."""
    caution = refused()
    for _ in range(5):
        at = send(caution, 1.0)
        assert caution.refused(at, at, None)
    assert caution.rate == FIRST_CUT * RATE


def test_a_pass_ends_a_silence() -> None:
    """It says so once."""
    caution = refused()
    first, second = send(caution, 1.0), send(caution, 1.0)
    assert caution.passed(first, first)
    assert not caution.passed(second, second)


def test_later_cuts_are_smaller_and_soon_ones_larger() -> None:
    """The first one finds the rate, the others follow it."""
    caution = refused(retry_after=30.0)
    at = busy(caution, 30.0, until=30.0 + SOON)
    rate = caution.rate
    assert caution.refused(at + 0.1, send(caution, at), 1.0)
    assert caution.rate == pytest.approx(CUT * rate, rel=0.02)
    rate = caution.rate
    at = busy(caution, at, until=at + SOON / 2)
    assert caution.refused(at + 0.1, send(caution, at), 1.0)
    assert caution.rate == pytest.approx(SOON_CUT * rate, rel=0.02)


def busy(caution: Caution, now: float, *, until: float) -> float:
    """Send as much as may go, all of which passes; return when the last one did."""
    while now < until:
        now = passed(caution, now)
    return now


def test_a_burst_that_is_refused_costs_the_burst_and_not_the_rate() -> None:
    """What left in a burst may be refused for that alone; the next time it is the rate, too."""
    caution = refused()
    passed(caution, 2.0)
    at = [send(caution, 60.0) for _ in range(2)][-1]
    assert caution.refused(at + 0.1, at, 1.0)
    assert caution.burst == SMALLEST_BURST
    assert caution.rate == RATE
    passed(caution, at + 2.0)
    at = send(caution, at + 6.0)
    assert caution.refused(at + 0.1, at, 1.0)
    assert caution.rate == pytest.approx(FIRST_CUT * RATE, rel=0.01)


def test_neither_is_cut_to_nothing() -> None:
    """What is recovered meanwhile outweighs the cuts of a service that refuses every second one."""
    caution = refused()
    at = 1.0
    for _ in range(200):
        at = passed(caution, at)
        sent = send(caution, at)
        caution.refused(sent + 0.1, sent, 10.0)
    assert caution.burst > SMALLEST_BURST / 2
    assert caution.rate > RATE / 20


def test_both_recover_slowly_and_then_nothing_is_kept() -> None:
    """By the same amount in each second, but not while the service is silent."""
    caution = refused(retry_after=30.0)
    caution.ready(RECOVERY)
    assert caution.rate == FIRST_CUT * RATE
    at = passed(caution, RECOVERY)
    caution.ready(at + RECOVERY / 10)
    assert caution.rate == pytest.approx((FIRST_CUT + 0.1) * RATE)
    assert caution.burst == pytest.approx(BURST / BURST_PART * math.exp(BURST_GROWTH / 10))
    caution.ready(at + 2 * RECOVERY)
    assert caution.idle
    assert (caution.rate, caution.burst) == (RATE, BURST)


def test_a_clock_that_falls_back_takes_nothing_away() -> None:
    """What was recovered stays."""
    caution = refused(retry_after=30.0)
    at = passed(caution, 10.0)
    caution.ready(at + 100)
    rate = caution.rate
    caution.ready(at + 50)
    assert caution.rate == rate


def test_what_is_given_back_or_given_up_is_counted() -> None:
    """A request that never left costs nothing; one that was lost costs what all others do."""
    caution = refused()
    at = send(caution, 1.0)
    caution.give_back(at)
    assert caution.ready(at) == at
    caution.take(at)
    caution.abandoned(at, at)
    assert caution.ready(at) == pytest.approx(at + 1, abs=0.01)


def test_a_small_limit_keeps_its_burst() -> None:
    """It is never raised by a 429."""
    caution = Caution(0.1, 1.0)
    caution.refused(0.1, 0.0, 1.0)
    assert caution.burst == 1.0
