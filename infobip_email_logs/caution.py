"""How far below the limit 429s make one process stay. Pure; instants in seconds."""

from __future__ import annotations

import math

from .bucket import RefillingTokens
from .lesson import Lesson


class Caution:
    """The tokens of the burst and the rate that 429s have left, while there is such a lesson.

    A *volley* is what was on the wire when a 429 came: its members say the same thing.

    Args:
        rate: The requests per second that the limits allow in the long run.
        burst: The requests that they allow at once.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._full = rate, burst
        self._lesson: Lesson | None = None
        self._tokens = RefillingTokens(burst, rate)
        self._began = self._volley = -math.inf

    @property
    def idle(self) -> bool:
        """Whether there is nothing to keep."""
        return self._lesson is None

    @property
    def rate(self) -> float:
        """The requests per second that are kept now."""
        return self._lesson.rate if self._lesson else self._full[0]

    @property
    def burst(self) -> float:
        """The requests at once that are kept now."""
        return self._lesson.burst if self._lesson else self._full[1]

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a request may leave, behind ``ahead`` others."""
        if self._lesson:
            self._lesson.recover(now)
            self._adjust(now, self._lesson)
        return self._tokens.ready(now, ahead) if self._lesson else now

    def take(self, now: float) -> None:
        """A request leaves."""
        if self._lesson:
            self._tokens.take(now)
            if self._tokens.there(now):
                self._lesson.burst_at = now

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
        return self._lesson.passed() if self._lesson else False

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
        if self._lesson:
            self._lesson.refused(now)
        else:
            rate, burst = self._full
            self._lesson = Lesson.first(now, rate=rate, burst=burst, silence=silence)
            self._began = now
            self._tokens = RefillingTokens(self.burst, rate)  # what is on the wire is not counted
        self._adjust(now, self._lesson)

    def _adjust(self, now: float, lesson: Lesson) -> None:
        """Have as many tokens as the lesson says; none, once it is over."""
        self._tokens.alter(now, burst=lesson.burst, refill=lesson.rate)
        if lesson.over:
            self._lesson = None

    def _counts(self, sent_at: float) -> bool:
        return self._lesson is not None and sent_at > self._began
