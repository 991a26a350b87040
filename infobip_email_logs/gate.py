"""What 429s have to say about when the next request may leave. Pure; instants in seconds."""

from __future__ import annotations

FIRST_PAUSE = 1.0
"""Seconds of silence after a 429 that does not say how long to wait; doubled while they go on."""

SHORTEST_PAUSE = 0.1
"""A ``Retry-After`` below so many seconds says nothing."""

LONGEST_PAUSE = 60.0
"""The longest of these silences, in seconds."""


class Gate:
    """When the next request may leave, as far as 429s have a say in it. Deadlines, no flags."""

    def __init__(self) -> None:
        self._announced = float("-inf")
        self._probe_at = float("-inf")
        self._pause = 0.0
        self._closed_at = float("-inf")

    @property
    def opens(self) -> float:
        """The instant from which on requests may leave."""
        return max(self._announced, self._probe_at)

    def pass_through(self, now: float) -> None:
        """A request leaves; while it is a probe, the others wait for its answer."""
        if self._pause:
            self._probe_at = now + self._pause

    def close(self, now: float, sent_at: float, retry_after: float | None) -> None:
        """A request that left at ``sent_at`` was answered with a 429."""
        if retry_after is not None and retry_after >= SHORTEST_PAUSE:
            self._announced = max(self._announced, now + retry_after)
            return
        if sent_at >= self._closed_at:  # not one of a volley that has been counted already
            self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
            self._closed_at = now
            self._probe_at = now + self._pause

    def withdraw(self, now: float, sent_at: float) -> None:
        """A request that was to leave at ``sent_at`` did not: another may be the probe."""
        if self._pause and sent_at >= self._closed_at:
            self._probe_at = now

    def open(self, now: float, sent_at: float) -> None:
        """A request that left at ``sent_at`` was answered well."""
        if self._pause and sent_at >= self._closed_at:
            self._pause = 0.0
            self._probe_at = now
