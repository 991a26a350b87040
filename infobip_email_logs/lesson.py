"""What 429s teach of a limit: the burst and the rate that are kept below it. Pure; in seconds.

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
from typing import Self

import attrs

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

LONG_AGO = -1e9
"""Before anything that matters."""


@attrs.define
class Lesson:
    """The burst and the rate that are kept, from a first 429 until all of it is recovered.

    A *silence* lasts from a 429 until a request passes that left after it; the rate is cut once
    in each at most, however often the service is asked in vain.

    Attributes:
        full_rate: The requests per second that the limits allow in the long run.
        full_burst: The requests that they allow at once.
        rate: What is kept of that.
        burst: Likewise.
        recovered: Until when what has recovered is in that.
        told: When a later 429 was learned from.
        burst_at: When a request last left while another might have, too.
        cut_at: When the rate was cut.
        silent: Whether there is a silence.
        to_cut: Whether the rate may be cut in it.
    """

    full_rate: float
    full_burst: float
    rate: float
    burst: float
    recovered: float
    told: float = LONG_AGO
    burst_at: float = LONG_AGO
    cut_at: float = LONG_AGO
    silent: bool = True
    to_cut: bool = True

    @classmethod
    def first(cls, now: float, *, rate: float, burst: float, silence: float) -> Self:
        """Return what a first 429 teaches, which asks for so many seconds of silence, or for 0."""
        kept = min(burst, max(SMALLEST_BURST, burst / BURST_PART))
        lesson = cls(rate, burst, rate, kept, now)
        if silence > PATIENT / rate:
            lesson.cut(now)
        return lesson

    @property
    def over(self) -> bool:
        """Whether all has recovered."""
        return (self.rate, self.burst) == (self.full_rate, self.full_burst)

    def refused(self, now: float) -> None:
        """Take the burst down after another 429, and the rate where that can't be the reason."""
        if self.silent:  # the service refuses even what is sent one by one
            self.cut(now)
            return
        self.recover(now)
        self.silent = self.to_cut = True
        by_burst = self.burst_at > now - self.burst / self.rate and now - self.told > SOON
        self.told = now
        self.burst = min(self.burst, max(SMALLEST_BURST, self.burst / 2))
        if not by_burst:
            self.cut(now)

    def passed(self) -> bool:
        """Take it that a request passed that left after the 429; say whether it ends a silence."""
        ended, self.silent = self.silent, False
        return ended

    def cut(self, now: float) -> None:
        """Take the rate down, once in a silence."""
        if self.to_cut:
            self.rate *= self._part(now)
            self.to_cut, self.cut_at = False, now

    def recover(self, now: float) -> None:
        """Let the rate and the burst grow by the time that went by; in a silence they do not."""
        grown, self.recovered = max(0.0, now - self.recovered) / RECOVERY, now
        if grown and not self.silent:
            growth = math.exp(BURST_GROWTH * grown)
            self.burst = min(self.full_burst, self.burst * growth)
            self.rate = min(self.full_rate, self.rate + grown * self.full_rate)

    def _part(self, now: float) -> float:
        """Return what a cut leaves."""
        if self.cut_at == LONG_AGO:
            return FIRST_CUT
        return SOON_CUT if now - self.cut_at < SOON else CUT
