"""What all requests of a client may spend on further attempts, together. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import EmailLogsError

RESERVE = 10
"""The further attempts, at most, that no answer earned: a fifth of fifty callers' requests."""

SOONEST, LATEST = 0.5, 8.0
"""The seconds between two that try, while nothing is left: at first, and at most."""

FORGOTTEN = 60.0
"""The seconds without anybody who tries, after which nothing is known any more."""


class RetryBudget:
    """Every answer earns a further attempt, up to the reserve, and every further one spends it.

    So it is used up where more than half of all attempts fail; where a fifth of them does, once in
    a million requests. Then a request is sent now and then, to see; all others are refused, the
    first attempts as well, until one of these is answered.

    What a request has spent itself is not held against it: whoever is alone is as patient as its
    own bounds allow.
    """

    def __init__(self) -> None:
        self._left = RESERVE
        self._pause = SOONEST
        self._next = -math.inf
        self._failure: EmailLogsError | None = None

    def refusal(self, now: float, spent: int) -> EmailLogsError | None:
        """Return why a request must not be sent now: what failed last; None where it may be sent.

        Args:
            now: The time, in seconds.
            spent: What the request has spent itself.
        """
        if self._left + spent > 0 or now >= self._next:
            return None
        return self._failure

    def admit(self, now: float, spent: int) -> None:
        """A request that is not refused is about to be sent."""
        if self._left + spent > 0:
            return
        if now < self._next + FORGOTTEN:
            self._wait(now)
        else:
            self._left, self._pause = RESERVE, SOONEST

    def spend(self, now: float, failure: EmailLogsError) -> None:
        """A request failed so, and is sent again, or given up."""
        self._failure = failure
        self._left -= 1
        if not self._left:
            self._wait(now)

    def earn(self) -> None:
        """A request was answered: what is owed is forgotten."""
        self._left = min(RESERVE, max(0, self._left) + 1)
        self._pause = SOONEST

    def _wait(self, now: float) -> None:
        """Let the next one try after a pause that grows."""
        self._next = now + self._pause
        self._pause = min(LATEST, 2 * self._pause)
