"""The arithmetic of limits: no I/O, no clock. ``now`` is an argument, in seconds.

"60 per minute" is *not* a bucket of 60 refilled at one a second: that admits 119 in its first
minute. Here a limit of N per T is N tokens, and a token comes back T seconds after the answer to
its request arrived. A token's next request thus leaves at least T after its last one was known to
have reached the service; so no window of T on the service's side, fixed or sliding and wherever
it starts, holds more than N requests, whatever the latency.

A burst b that is refilled at r a second is just that, with the same care: a request counts in full
while it is on the wire, and its token begins to be refilled when the answer is there. Of the
requests that reach the service within t seconds, look at the one that left last: all others were on
the wire then, or answered since; so they are no more than b + r·t, whatever the latency.

``now`` comes from a clock that may stand still, or fall back (then all is waited for that much
longer), but never runs ahead of the service's.
"""

from __future__ import annotations

import bisect
import math
import re
from collections import deque
from typing import Any, Protocol

import attrs

from .errors import InvalidInput

SLACK = 0.001
"""Seconds by which a token comes back late, for the rounding of clocks on both sides."""

GRACE = 5.0
"""Seconds after its connection was closed in which an abandoned request may still arrive."""

_TIME = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9}(?:\.\d{1,9})?)?\s*([smh]?)\s*", re.ASCII)
_TOKENS = re.compile(
    r"\s*(\d{1,9})\s*\+\s*(\d{1,9}(?:\.\d{1,15})?)"
    r"\s*/\s*(\d{1,9}(?:\.\d{1,9})?)?\s*([smh]?)\s*",
    re.ASCII,
)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def _check_whole(_limit: object, _field: object, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidInput(f"a limit needs at least one request, a whole number, not {value!r}")


def _check_per(_limit: object, _field: object, value: Any) -> None:
    if not _above_zero(value):
        raise InvalidInput(f"the period of a limit must be above zero seconds, not {value!r}")


def _check_refill(_limit: object, _field: object, value: Any) -> None:
    if not _above_zero(value):
        raise InvalidInput(f"the refill of a limit must be above zero a second, not {value!r}")


def _above_zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


@attrs.frozen
class TimeLimit:
    """A number of requests in any stretch of time.

    Attributes:
        requests: How many requests.
        per: In how many seconds.

    Raises:
        InvalidInput: Less than one request, or a period that is not above zero.
    """

    requests: int = attrs.field(validator=_check_whole)
    per: float = attrs.field(default=60.0, kw_only=True, validator=_check_per)

    @classmethod
    def parse(cls, text: str) -> TimeLimit:
        """Return the limit that ``text`` names: ``60/60s``, ``60/m``, ``1000/h``.

        Raises:
            InvalidInput: It names none.
        """
        if not (found := _TIME.fullmatch(text)) or not (found[2] or found[3]):
            raise InvalidInput(f"a limit is written as 60/60s or 60/m, not {text!r}")
        return cls(int(found[1]), per=_seconds(found[2], found[3]))

    @property
    def burst(self) -> int:
        """The requests that may leave at once."""
        return self.requests

    @property
    def rate(self) -> float:
        """The requests that may leave per second, in the long run."""
        return self.requests / self.per

    def pace(self, requests: int) -> float:
        """Return the seconds until the last of so many requests may leave, from a quiet start."""
        return max(0, requests - 1) // self.requests * self.per

    def tokens(self) -> Tokens:
        """Return the tokens of this limit, all in hand."""
        return ReturningTokens(self)

    def __str__(self) -> str:
        """Return the limit as :meth:`parse` takes it."""
        return f"{self.requests}/{self.per:.12g}s"


@attrs.frozen(kw_only=True)
class TokenLimit:
    """A burst, and the rate at which it is refilled.

    Attributes:
        burst: The requests that may leave at once.
        refill: How many more each second.

    Raises:
        InvalidInput: A burst of less than one request, or a refill that is not above zero.
    """

    burst: int = attrs.field(validator=_check_whole)
    refill: float = attrs.field(validator=_check_refill)

    @classmethod
    def parse(cls, text: str) -> TokenLimit:
        """Return the limit that ``text`` names: ``20+10/s``, ``5+60/m``.

        Raises:
            InvalidInput: It names none.
        """
        found = _TOKENS.fullmatch(text)
        per = _seconds(found[3], found[4]) if found and (found[3] or found[4]) else 0.0
        if not found or not per:
            raise InvalidInput(
                f"a burst and its refill are written as 20+10/s or 5+60/m, not {text!r}"
            )
        return cls(burst=int(found[1]), refill=float(found[2]) / per)

    @property
    def rate(self) -> float:
        """The requests that may leave per second, in the long run."""
        return self.refill

    def pace(self, requests: int) -> float:
        """Return the seconds until the last of so many requests may leave, from a quiet start."""
        return max(0, requests - self.burst) / self.refill

    def tokens(self) -> Tokens:
        """Return the tokens of this limit, all in hand."""
        return RefillingTokens(self.burst, self.refill)

    def __str__(self) -> str:
        """Return the limit as :meth:`parse` takes it."""
        return f"{self.burst}+{self.refill:.12g}/s"


Limit = TimeLimit | TokenLimit

LIMIT_V1 = TimeLimit(60, per=60.0)
"""The published limit of version 1: 60 requests a minute for the whole account."""

LIMIT_V4 = TimeLimit(120, per=60.0)
"""The published limit of version 4: 120 requests a minute for the whole account."""


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Return the limits that ``text`` names, which must all agree: ``60/60s, 20+10/s``.

    Raises:
        InvalidInput: A part of it names none.
    """
    return tuple(
        TokenLimit.parse(part) if "+" in part else TimeLimit.parse(part) for part in text.split(",")
    )


def limits_of(limits: Any) -> tuple[Limit, ...]:
    """Return limits as they may be given: one, several, or their text.

    Raises:
        InvalidInput: Something of it is none.
    """
    if isinstance(limits, str):
        return parse_limits(limits)
    if isinstance(limits, Limit):
        return (limits,)
    try:
        kept: tuple[Any, ...] = tuple(limits)
    except TypeError:
        kept = (limits,)
    for limit in kept:
        if not isinstance(limit, Limit):
            raise InvalidInput(f"a limit is a TimeLimit or a TokenLimit, not {limit!r}")
    return kept


def _seconds(number: str | None, unit: str) -> float:
    return float(number or 1) * _UNITS[unit]


class Tokens(Protocol):
    """The tokens of one limit: in hand, on the wire, or on their way back."""

    def there(self, now: float) -> bool:
        """Say whether a token is in hand."""
        ...  # pragma: no cover - a protocol's body never runs

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a token is there, behind ``ahead`` others that want one.

        Never later than it will be: a token on the wire counts as if its answer came now. An
        instant, since what is added to a clock is rounded: a timer that is set to it finds the
        token there.
        """
        ...  # pragma: no cover - a protocol's body never runs

    def take(self, now: float) -> bool:
        """Take a token for a request that leaves now; say whether there was one."""
        ...  # pragma: no cover - a protocol's body never runs

    def give_back(self) -> None:
        """Put a token back whose request never left."""
        ...  # pragma: no cover - a protocol's body never runs

    def release(self, arrived: float) -> None:
        """Let a token return, whose request reached the service at ``arrived`` at the latest."""
        ...  # pragma: no cover - a protocol's body never runs

    def refuse(self, arrived: float) -> None:
        """Let a token return, whose request was answered with a 429."""
        ...  # pragma: no cover - a protocol's body never runs

    def pardon(self) -> None:
        """A later request passed: those that were refused before it do not count any more."""
        ...  # pragma: no cover - a protocol's body never runs

    def left(self, now: float) -> int:
        """Return how many tokens are in hand."""
        ...  # pragma: no cover - a protocol's body never runs


class ReturningTokens:
    """The tokens of a :class:`TimeLimit`: each is back a period after its request was answered."""

    def __init__(self, limit: TimeLimit) -> None:
        self.limit = limit
        self._per = limit.per + SLACK
        self._in_hand = limit.requests
        self._coming: deque[float] = deque()
        self._refused: list[float] = []

    def there(self, now: float) -> bool:
        """Say whether a token is in hand."""
        coming = self._coming
        while coming and coming[0] <= now:
            coming.popleft()
            self._in_hand += 1
        return self._in_hand > 0

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a token is there, behind ``ahead`` others that want one."""
        self.there(now)
        rounds, ahead = divmod(ahead, self.limit.requests)
        later = rounds * self.limit.per
        if ahead < self._in_hand:
            return now + later
        ahead -= self._in_hand
        if ahead < len(self._coming):
            return self._coming[ahead] + later
        return now + self.limit.per + later

    def take(self, now: float) -> bool:
        """Take a token for a request that leaves now; say whether there was one."""
        if self._in_hand or self.there(now):
            self._in_hand -= 1
            return True
        return False

    def give_back(self) -> None:
        """Put a token back whose request never left."""
        self._in_hand += 1

    def release(self, arrived: float) -> None:
        """Let a token return, whose request reached the service at ``arrived`` at the latest."""
        back = arrived + self._per
        if not self._coming or back >= self._coming[-1]:
            self._coming.append(back)
        else:
            bisect.insort(self._coming, back)

    def refuse(self, arrived: float) -> None:
        """Let a token return, whose request was answered with a 429; it may count all the same."""
        self.release(arrived)
        self._refused = [back for back in self._refused if back > arrived]
        self._refused.append(arrived + self._per)

    def pardon(self) -> None:
        """Take back at once the tokens of requests that were refused."""
        for back in self._refused:
            place = bisect.bisect_left(self._coming, back)
            if place < len(self._coming) and self._coming[place] == back:
                del self._coming[place]
                self._in_hand += 1
        self._refused.clear()

    def left(self, now: float) -> int:
        """Return how many tokens are in hand."""
        self.there(now)
        return self._in_hand


class RefillingTokens:
    """The tokens of a :class:`TokenLimit`: each is refilled from when its request was answered.

    Attributes:
        burst: How many there are.
        refill: How many are refilled per second.
    """

    def __init__(self, burst: float, refill: float) -> None:
        self.burst = burst
        self.refill = refill
        self._on_wire = 0
        self._full_at = -math.inf
        self._arriving: deque[float] = deque()

    def there(self, now: float) -> bool:
        """Say whether a token is in hand."""
        return self.ready(now) <= now

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a token is there, behind ``ahead`` others that want one."""
        self._collect(now)
        lacking = self._on_wire + ahead + 1 - self.burst
        begin = max(now, self._full_at) if lacking > 0 else self._full_at
        return max(now, begin + lacking / self.refill)

    def take(self, now: float) -> bool:
        """Take a token for a request that leaves now; say whether there was one."""
        if self.ready(now) > now:
            return False
        self._on_wire += 1
        return True

    def give_back(self) -> None:
        """Put a token back whose request never left."""
        self._on_wire -= 1

    def release(self, arrived: float) -> None:
        """Let a token be refilled, whose request reached the service at ``arrived`` at the latest.

        It counts as on the wire until then, should that instant lie in the future.
        """
        bisect.insort(self._arriving, arrived + SLACK)

    def refuse(self, arrived: float) -> None:
        """Let a token be refilled, whose request was answered with a 429."""
        self.release(arrived)

    def pardon(self) -> None:
        """Change nothing: what was refused is refilled like all else."""

    def left(self, now: float) -> int:
        """Return how many tokens are in hand."""
        self._collect(now)
        return max(0, math.floor(self.burst - self._on_wire - self._owed(now) + SLACK))

    def alter(self, now: float, *, burst: float, refill: float) -> None:
        """Have another burst and refill from now on; a larger burst is not a present.

        What is missing now goes on missing, unless nothing is.
        """
        self._collect(now)
        owed = self._owed(now)
        if owed:
            owed = max(0.0, owed + burst - self.burst)
        self.burst, self.refill = burst, refill
        self._full_at = now + owed / refill

    def empty(self, now: float) -> None:
        """Have nothing in hand now, as the service said."""
        self._full_at = max(self._full_at, now + self.burst / self.refill)

    def _owed(self, now: float) -> float:
        return max(0.0, (self._full_at - now) * self.refill)

    def _collect(self, now: float) -> None:
        while self._arriving and self._arriving[0] <= now + SLACK:
            self._full_at = max(self._full_at, self._arriving.popleft()) + 1 / self.refill
            self._on_wire -= 1
