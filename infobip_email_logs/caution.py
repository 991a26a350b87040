"""How far below the limit 429s make us stay. Pure; instants in seconds.

A 429 though our own budget was kept says that the service allows less than we were told, or that
somebody else uses the account. Then a burst and a rate of our own are kept besides: cut at once,
recovered slowly. What is cut of the rate is a part of what one has, what is recovered is the same
amount for everybody; so programs that do not know of each other come to equal shares (additive
increase, multiplicative decrease, as in TCP).

Two things it can't do. A newcomer who is not told when to come back hardly ever meets the moments
in which another's tokens are on their way, while that one uses a whole window in one burst. And
without that, a window that begins a second after the first burst costs a few 429s more.

The figures were chosen by trying many of them on models of a service that counts in fixed and
sliding windows and in buckets: ``benchmarks/limits.py`` shows what they come to.
"""

from __future__ import annotations

import math

from .bucket import RefillingTokens

BURST_PART = 24
"""By what a first 429 divides the burst: a burst is what a bucket that nobody announced refuses."""

FIRST_CUT = 0.5
"""What the first cut leaves of the full rate: two programs come to equal shares at once."""

CUT = 0.89
"""What a later cut leaves of the rate."""

SOON_CUT = 0.85
"""What a cut leaves that comes less than :data:`SOON` after another: that one was too small."""

SOON = 20.0
"""Seconds in which another 429 comes soon."""

SMALLEST_BURST = 2.0
"""The burst is cut no further: while one request is on the wire, another may leave."""

RECOVERY = 2000.0
"""Seconds in which the rate would come back from nothing to the full limit."""

BURST_GROWTH = 3.0
"""How often the burst grows by e times in that time: slowly where it is small."""

PATIENT = 2.0
"""For how many intervals between requests a bucket may be empty; a longer silence is a window's."""


class Caution:
    """The burst and the rate that 429s have left, while they are below the limit's own.

    A *volley* is what was on the wire when a 429 came: its members say the same thing. A *silence*
    lasts from a 429 until a request passes that left after it; the rate is cut once in each at
    most, however often the service is asked in vain.

    Args:
        rate: The requests per second that the limits allow in the long run.
        burst: The requests that they allow at once.

    Attributes:
        rate: What is kept now.
        burst: Likewise.
        idle: Whether there is nothing to keep.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._full = rate, burst
        self.rate, self.burst = rate, burst
        self.idle = True
        self._tokens = RefillingTokens(burst, rate)
        self._began = self._recovered = -math.inf
        self._volley = self._told = self._burst_at = -math.inf
        self._cut_at: float | None = None
        self._silent = False
        self._to_cut = False

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a request may leave, behind ``ahead`` others."""
        if not self.idle:
            self._recover(now)
        return now if self.idle else self._tokens.ready(now, ahead)

    def take(self, now: float) -> None:
        """A request leaves."""
        if not self.idle:
            self._tokens.take(now)
            if self._tokens.there(now):
                self._burst_at = now

    def give_back(self, sent_at: float) -> None:
        """A request that was to leave at ``sent_at`` did not."""
        if self._counts(sent_at):
            self._tokens.give_back()

    def abandoned(self, now: float, sent_at: float) -> None:
        """A request that left at ``sent_at`` was given up."""
        if self._counts(sent_at):
            self._tokens.release(now)

    def passed(self, now: float, sent_at: float) -> bool:
        """A request that left at ``sent_at`` was answered well; say whether it ends a silence."""
        if sent_at <= self._volley:  # before the 429: what it took was gone by then
            self.give_back(sent_at)
            return False
        self.abandoned(now, sent_at)
        ended, self._silent = self._silent, False
        return ended

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> bool:
        """A request that left at ``sent_at`` was answered with a 429; say whether that is news."""
        self.give_back(sent_at)
        news = sent_at > self._volley
        if news:
            self._volley = now
            self._learn(now, retry_after or 0.0)
        self._tokens.empty(now)
        return news

    def _learn(self, now: float, silence: float) -> None:
        """Take the burst down, and the rate where the burst can't be the reason."""
        if self._silent:  # the service refuses even what is sent one by one
            self._cut(now, self._part(now))
            return
        self._silent = self._to_cut = True
        if self.idle:
            self._begin(now)
            if silence > PATIENT / self.rate:
                self._cut(now, FIRST_CUT)
            return
        self._recover(now)
        by_burst = self._burst_at > now - self.burst / self.rate and now - self._told > SOON
        self._told = now
        self._set(now, burst=max(SMALLEST_BURST, self.burst / 2), rate=self.rate)
        if not by_burst:
            self._cut(now, self._part(now))

    def _part(self, now: float) -> float:
        """Return what a cut leaves."""
        if self._cut_at is None:
            return FIRST_CUT
        return SOON_CUT if now - self._cut_at < SOON else CUT

    def _begin(self, now: float) -> None:
        """Keep the full rate and a part of the burst; what is on the wire is not counted."""
        self.idle = False
        self._began = self._recovered = now
        self._cut_at = None
        self.burst = min(self.burst, max(SMALLEST_BURST, self.burst / BURST_PART))
        self._tokens = RefillingTokens(self.burst, self.rate)

    def _cut(self, now: float, part: float) -> None:
        if self._to_cut:
            self._to_cut, self._cut_at = False, now
            self._set(now, burst=self.burst, rate=self.rate * part)

    def _recover(self, now: float) -> None:
        """Let the rate and the burst grow by the time that went by; in a silence they do not."""
        grown, self._recovered = max(0.0, now - self._recovered) / RECOVERY, now
        if self._silent or not grown:
            return
        rate, burst = self._full
        self._set(
            now,
            burst=min(burst, self.burst * math.exp(BURST_GROWTH * grown)),
            rate=min(rate, self.rate + grown * rate),
        )
        self.idle = (self.rate, self.burst) == self._full

    def _set(self, now: float, *, burst: float, rate: float) -> None:
        self.burst, self.rate = burst, rate
        self._tokens.alter(now, burst=burst, refill=rate)

    def _counts(self, sent_at: float) -> bool:
        return not self.idle and sent_at > self._began


class SlowStart:
    """How many requests may be on the wire at first: one more for every two that pass.

    It ends when so many have passed that a whole burst may go at once.

    Args:
        burst: The burst.

    Attributes:
        over: Whether it has ended.
    """

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._passed = 0
        self._on_wire = 0
        self.over = False

    def there(self) -> bool:
        """Say whether another request may leave."""
        return self._on_wire <= self._passed // 2

    def take(self) -> None:
        """A request leaves."""
        self._on_wire += 1

    def settle(self, *, passed: bool) -> None:
        """A request was answered, given up, or never left."""
        self._on_wire -= 1
        self._passed += passed
        self.over = self._passed >= 2 * self._burst
