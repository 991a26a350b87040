"""The silence that 429s ask of all who share a ledger. Pure; in whole microseconds.

What :mod:`~infobip_email_logs.gate` is for one process, for many: a 429 is heard of by the others
a little later, and they may have been promised something before.
"""

from __future__ import annotations

import attrs

from .gate import FIRST_PAUSE as FIRST_PAUSE_SECONDS
from .gate import LONGER, LONGEST_ANNOUNCED
from .gate import LONGEST_PAUSE as LONGEST_PAUSE_SECONDS
from .gate import SHORTEST_PAUSE as SHORTEST_PAUSE_SECONDS
from .messages import SECOND

FIRST_PAUSE = int(FIRST_PAUSE_SECONDS * SECOND)
LONGEST_PAUSE = int(LONGEST_PAUSE_SECONDS * SECOND)
SHORTEST_PAUSE = int(SHORTEST_PAUSE_SECONDS * SECOND)
LONGEST_SILENCE = int(LONGEST_ANNOUNCED * SECOND)

FRESH = SECOND
"""How long a promise is good: whoever is to go later asks again first, and hears of 429s."""


@attrs.define
class Quiet:
    """When requests may leave, as far as 429s have a say in it.

    Attributes:
        announced: The end of the silence that a 429 asked for.
        pause: The silence after a 429 that did not say; 0 while there is none.
        silence: How long it has been quiet for such pauses, one after the other.
        heard: From when on everybody who sends has heard of the last 429.
        recalled: The last token that was reserved when it came: what was promised before is void.
        probe_at: When the next probe may leave.
        probe: The token of the probe; 0 while there is none.
    """

    announced: int = 0
    pause: int = 0
    silence: int = 0
    heard: int = 0
    recalled: int = 0
    probe_at: int = 0
    probe: int = 0

    @property
    def opens(self) -> int:
        """The instant from which on requests may leave."""
        return max(self.announced, self.probe_at if self.pause else 0)

    @property
    def probing(self) -> bool:
        """Whether all wait for the answer of one."""
        return self.pause > 0 and self.probe > 0

    def close(self, now: int, left: int, retry_after: int | None, pause: int, number: int) -> bool:
        """Take a 429, and say whether it is news: not one of a volley that was counted already.

        Args:
            now: The ledger's time.
            left: When its request left.
            retry_after: For how long it asks to wait; None, or nonsense, where it does not say.
            pause: For how long to wait in that case, for the first time in a row.
            number: The last token that was reserved.
        """
        news = left >= self.heard
        if retry_after is not None and retry_after >= SHORTEST_PAUSE:
            self.announced = max(self.announced, now + min(retry_after, LONGEST_SILENCE))
        elif news:
            self.pause = self._next(pause)
            self.silence += self.pause
            self.probe, self.probe_at = 0, now + self.pause
        if news:
            self.heard, self.recalled = now + FRESH, number
        return news

    def send_probe(self, number: int, go: int) -> None:
        """Let a token be the probe while there is a pause; the others wait for its answer."""
        if self.pause:
            self.probe, self.probe_at = number, go + self.pause

    def withdraw(self, now: int, number: int) -> None:
        """Let another request be the probe, if this one was to be it; no sooner than this one."""
        if number == self.probe:
            self.probe, self.probe_at = 0, max(now, self.probe_at - self.pause)

    def hand_on(self, number: int, to: int) -> None:
        """Let another token be the probe at its instant, if this one was to be it."""
        if number == self.probe:
            self.probe = to

    def open(self) -> None:
        """Take it that a request passed that left when all had heard of the last 429."""
        self.pause, self.silence, self.probe = 0, 0, 0

    def _next(self, pause: int) -> int:
        """Return the time until the next probe."""
        if not self.pause:
            return min(max(FIRST_PAUSE, pause), LONGEST_PAUSE)
        left = LONGEST_PAUSE - self.silence
        return min((LONGER - 1) * self.silence, left if left > 0 else LONGEST_PAUSE)
