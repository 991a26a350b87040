"""When the next request may leave: the limits, what 429s said, and the caution they taught. Pure.

``now`` is an argument, in seconds of a clock that may stand still but never runs ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bucket import GRACE
from .caution import Caution
from .errors import InvalidInput
from .gate import SHORTEST_PAUSE, Gate
from .slow_start import SlowStart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .bucket import Limit

INTERVALS = 2.0
"""The first silence after a 429 that does not say how long to wait, in intervals of the rate."""


class Budget:
    """The requests that may leave under several limits, which must all agree.

    Args:
        limits: One limit at least.
        slow_start: Whether the first requests leave a few at a time, until it is seen that the
            service bears more.

    Attributes:
        limits: The limits.
        throttled: The 429s that were seen.
        wary: Whether anything but the limits has a say. While nothing has, no answer lets anybody
            go sooner than :meth:`ready` says.
        take: Lets a request leave at the instant that it is given, if it may; says whether it does.
    """

    def __init__(self, limits: Iterable[Limit], *, slow_start: bool = False) -> None:
        self.limits = tuple(limits)
        if not self.limits:
            raise InvalidInput("a limiter needs at least one limit")
        self.throttled = 0
        self._tokens = [limit.tokens() for limit in self.limits]
        self._gate = Gate()
        burst = min(limit.burst for limit in self.limits)
        self._caution = Caution(min(limit.rate for limit in self.limits), burst)
        self._slow_start = SlowStart(burst) if slow_start else None
        self.wary = slow_start
        self.take: Callable[[float], bool]
        self._be_wary(slow_start)

    @property
    def opens(self) -> float:
        """The instant until which a 429 forbids every request."""
        return self._gate.opens

    @property
    def rate(self) -> float:
        """The requests per second that are let go in the long run, as 429s have left it."""
        return self._caution.rate

    @property
    def burst(self) -> int:
        """The requests that are let go at once, as 429s have left it."""
        return int(self._caution.burst)

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the earliest instant at which a request may leave behind ``ahead`` others.

        It may turn out later, when the answers of others are late; it is ``now`` where nothing
        but answers is waited for.
        """
        at = max(self._gate.opens, self._caution.ready(now, ahead))
        return max(at, *[tokens.ready(now, ahead) for tokens in self._tokens])

    def answered(self, now: float, sent_at: float) -> None:
        """A request that left at ``sent_at`` was answered, and not with a 429."""
        for tokens in self._tokens:
            tokens.release(now)
        if not self.wary:
            return
        self._gate.open(now, sent_at)
        if self._caution.passed(now, sent_at):
            for tokens in self._tokens:
                tokens.pardon()
        if self._slow_start:
            self._slow_start.settle(passed=True)

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> None:
        """It was answered with a 429, which asks to wait so many seconds or does not say."""
        self.throttled += 1
        self._be_wary(True)
        self._slow_start = None
        self._gate.close(now, sent_at, retry_after, INTERVALS / self._caution.rate)
        news = self._caution.refused(now, sent_at, retry_after)
        for tokens in self._tokens:
            tokens.give_back() if news else tokens.refuse(now)

    def abandoned(self, now: float, sent_at: float) -> None:
        """It was given up; it may have arrived, or still arrive."""
        for tokens in self._tokens:
            tokens.release(now + GRACE)
        if self.wary:
            self._caution.abandoned(now, sent_at)
            if self._slow_start:
                self._slow_start.settle(passed=False)

    def unused(self, now: float, sent_at: float) -> None:
        """It never left."""
        for tokens in self._tokens:
            tokens.give_back()
        if self.wary:
            self._gate.withdraw(now, sent_at)
            self._caution.give_back(sent_at)
            if self._slow_start:
                self._slow_start.settle(passed=False)

    def use_up(self, now: float, silence: float) -> None:
        """Take it that all that the limits allow was asked for, and that a 429 asks for silence."""
        for limit, tokens in zip(self.limits, self._tokens, strict=True):
            for _ in range(limit.burst):
                tokens.take(now)
                tokens.release(now)
        if silence > 0:
            self._be_wary(True)
            self._gate.close(now, now, max(silence, SHORTEST_PAUSE))

    def left(self, now: float) -> int:
        """Return how many tokens are in hand: requests that may leave now, but for a 429.

        What recovers by then is in :attr:`rate` and :attr:`burst` afterwards.
        """
        self._caution.ready(now)
        return min(tokens.left(now) for tokens in self._tokens)

    def _be_wary(self, wary: bool) -> None:  # noqa: FBT001 - a name would say the same twice
        """Ask everything that has a say; or, as is usual, nothing but the one limit there is."""
        self.wary = wary
        alone = len(self._tokens) == 1 and not wary
        self.take = self._tokens[0].take if alone else self._take_all

    def _take_all(self, now: float) -> bool:
        if self.wary and self._forbidden(now):
            return False
        if not all(tokens.there(now) for tokens in self._tokens):
            return False
        for tokens in self._tokens:
            tokens.take(now)
        if self.wary:
            self._took(now)
        return True

    def _forbidden(self, now: float) -> bool:
        """Say whether a 429, or what it taught, forbids a request now."""
        if now < self._gate.opens or self._caution.ready(now) > now:
            return True
        if self._slow_start:
            if not self._slow_start.over:
                return not self._slow_start.there()
            self._slow_start = None
        self._be_wary(not self._caution.idle or self._gate.probing)
        return False

    def _took(self, now: float) -> None:
        self._gate.pass_through(now)
        self._caution.take(now)
        if self._slow_start:
            self._slow_start.take()
