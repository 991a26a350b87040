"""What 429s have to say about when the next request may leave. Pure; instants in seconds."""

from __future__ import annotations

import math

FIRST_PAUSE = 1.0
"""Seconds of silence, at least, after a 429 that does not say how long to wait."""

LONGEST_ANNOUNCED = 3600.0
"""The longest silence, in seconds, that a ``Retry-After`` is taken at its word for."""

LONGER = 4
"""By what the silence has grown when a probe that was refused is followed by the next one."""

SHORTEST_PAUSE = 0.1
"""A ``Retry-After`` below so many seconds says nothing."""

LONGEST_PAUSE = 60.0
"""Seconds after which a probe goes out in any case: what was counted a minute ago is forgotten."""


class Gate:
    """When the next request may leave, as far as 429s have a say in it. Deadlines, no flags.

    Attributes:
        opens: The instant from which on requests may leave.
    """

    def __init__(self) -> None:
        self.opens = -math.inf
        self._announced = -math.inf
        self._probe_at = -math.inf
        self._pause = 0.0
        self._silence = 0.0
        self._closed_at = -math.inf

    @property
    def probing(self) -> bool:
        """Whether a 429 that did not say how long has not been followed by a good answer yet."""
        return self._pause > 0

    def pass_through(self, now: float) -> None:
        """A request leaves; while it is a probe, the others wait for its answer."""
        if self._pause:
            self._probe(now + self._pause)

    def close(
        self, now: float, sent_at: float, retry_after: float | None, pause: float = FIRST_PAUSE
    ) -> None:
        """A request that left at ``sent_at`` was answered with a 429.

        Args:
            now: The instant.
            sent_at: Likewise.
            retry_after: The seconds that it asks to wait; None, or nonsense, when it does not say.
            pause: The seconds to wait in that case, for the first time in a row.
        """
        if retry_after is not None and retry_after >= SHORTEST_PAUSE:
            self._announced = max(self._announced, now + min(retry_after, LONGEST_ANNOUNCED))
            self.opens = max(self._announced, self._probe_at)
            return
        if sent_at >= self._closed_at:  # not one of a volley that has been counted already
            self._pause = self._next(pause)
            self._silence += self._pause
            self._closed_at = now
        self._probe(now + self._pause)

    def _next(self, pause: float) -> float:
        """Return the seconds until the next probe."""
        if not self._pause:
            self._silence = 0.0
            return min(max(FIRST_PAUSE, pause), LONGEST_PAUSE)
        longer = (LONGER - 1) * self._silence
        left = LONGEST_PAUSE - self._silence
        return min(longer, left if left > 0 else LONGEST_PAUSE)

    def withdraw(self, now: float, sent_at: float) -> None:
        """A request that was to leave at ``sent_at`` did not: another may be the probe."""
        if self._pause and sent_at >= self._closed_at:
            self._probe(now)

    def open(self, now: float, sent_at: float) -> None:
        """A request that left at ``sent_at`` was answered well."""
        if self._pause and sent_at >= self._closed_at:
            self._pause = 0.0
            self._probe(now)

    def _probe(self, at: float) -> None:
        self._probe_at = at
        self.opens = max(self._announced, at)
