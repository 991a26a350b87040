"""The arithmetic of limits: no I/O, no clock. ``now`` is an argument, in seconds.

"60 per minute" is *not* a bucket of 60 refilled at one a second: that admits 119 in its first
minute. Here a limit of N per T is N tokens, and a token comes back T seconds after the answer to
its request arrived. A token's next request thus leaves at least T after its last one was known to
have reached the service; so no window of T on the service's side, fixed or sliding and wherever
it starts, holds more than N requests, whatever the latency.
"""

from __future__ import annotations

import bisect
import math
import re
from collections import deque
from typing import Any

import attrs

from .errors import InvalidInput

SLACK = 0.001
"""Seconds by which a token comes back late, for the rounding of clocks on both sides."""

GRACE = 5.0
"""Seconds after its connection was closed in which an abandoned request may still arrive."""

_TEXT = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9}(?:\.\d{1,6})?)?\s*([smh]?)\s*", re.ASCII)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def _check_requests(_limit: object, _field: object, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidInput(f"a limit needs at least one request, a whole number, not {value!r}")


def _check_per(_limit: object, _field: object, value: Any) -> None:
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidInput(f"the period of a limit must be above zero seconds, not {value!r}")


@attrs.frozen
class TimeLimit:
    """A number of requests in any stretch of time.

    Attributes:
        requests: How many requests.
        per: In how many seconds.

    Raises:
        InvalidInput: Less than one request, or a period that is not above zero.
    """

    requests: int = attrs.field(validator=_check_requests)
    per: float = attrs.field(default=60.0, kw_only=True, validator=_check_per)

    @classmethod
    def parse(cls, text: str) -> TimeLimit:
        """Return the limit that ``text`` names: ``60/60s``, ``60/m``, ``1000/h``.

        Raises:
            InvalidInput: It names none.
        """
        if not (found := _TEXT.fullmatch(text)) or not (found[2] or found[3]):
            raise InvalidInput(f"a limit is written as 60/60s or 60/m, not {text!r}")
        return cls(int(found[1]), per=float(found[2] or 1) * _UNITS[found[3]])

    def __str__(self) -> str:
        """Return the limit as :meth:`parse` takes it."""
        return f"{self.requests}/{self.per:g}s"


class ReturningTokens:
    """The tokens of one :class:`TimeLimit`: in hand, on the wire, or on their way back."""

    def __init__(self, limit: TimeLimit) -> None:
        self.limit = limit
        self._in_hand = limit.requests
        self._coming: deque[float] = deque()

    def ready(self, now: float, ahead: int = 0) -> float:
        """Return the instant at which a token is there, behind ``ahead`` others that want one.

        Never later than it will be: a token on the wire counts as back after the whole period,
        though its answer may be late. An instant, since what is added to a clock is rounded: a
        timer that is set to it finds the token there.
        """
        self._collect(now)
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
        self._collect(now)
        if not self._in_hand:
            return False
        self._in_hand -= 1
        return True

    def give_back(self) -> None:
        """Put a token back whose request never left."""
        self._in_hand += 1

    def release(self, arrived: float) -> None:
        """Let a token return, whose request reached the service at ``arrived`` at the latest."""
        back = arrived + self.limit.per + SLACK
        if not self._coming or back >= self._coming[-1]:
            self._coming.append(back)
        else:
            bisect.insort(self._coming, back)

    def _collect(self, now: float) -> None:
        while self._coming and self._coming[0] <= now:
            self._coming.popleft()
            self._in_hand += 1
