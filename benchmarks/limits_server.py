"""The service's side: what it counts, in a small model of its own, and the best that it allows.

It knows nothing of the package. Instants are seconds of the loop's clock.
"""

import math
from collections import deque
from collections.abc import Callable
from functools import partial

import attrs

PER = 60.0


class Fixed:
    """So many requests in each minute that begins at a phase."""

    def __init__(self, requests: int, phase: float = 0.0) -> None:
        self.requests, self.phase = requests, phase
        self._begin, self._count = -math.inf, 0

    def wait(self, now: float) -> float:
        """Return the seconds until one more is let in."""
        begin = math.floor((now - self.phase) / PER) * PER + self.phase
        if begin > self._begin:
            self._begin, self._count = begin, 0
        return 0.0 if self._count < self.requests else self._begin + PER - now

    def count(self, now: float) -> None:
        """Count one."""
        self.wait(now)
        self._count += 1


class Sliding:
    """So many requests in any minute."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self._log: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Return the seconds until one more is let in."""
        while self._log and self._log[0] <= now - PER:
            self._log.popleft()
        over = len(self._log) - self.requests
        return 0.0 if over < 0 else self._log[over] + PER - now

    def count(self, now: float) -> None:
        """Count one."""
        self._log.append(now)


class Bucket:
    """A burst, and so many more each second."""

    def __init__(self, burst: int, refill: float = 1.0) -> None:
        self.burst, self.refill = burst, refill
        self._level, self._at = float(burst), 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until one more is let in."""
        self._level = min(self.burst, self._level + (now - self._at) * self.refill)
        self._at = now
        return max(0.0, 1 - 1e-9 - self._level) / self.refill

    def count(self, now: float) -> None:
        """Count one."""
        self.wait(now)
        self._level = max(0.0, self._level - 1)


Meter = Fixed | Sliding | Bucket


@attrs.define
class Server:
    """Lets requests in or answers with a 429.

    Attributes:
        meter: What it counts.
        retry_after: Whether a 429 says when to come back.
        count_rejected: Whether what is turned away counts all the same.
        passed: When each request that was let in arrived.
        rejected: When each other one arrived.
    """

    meter: Meter
    retry_after: bool = True
    count_rejected: bool = False
    passed: list[float] = attrs.field(factory=list)
    rejected: list[float] = attrs.field(factory=list)

    def arrive(self, now: float) -> tuple[bool, float | None]:
        """Return whether a request is let in; if not, what ``Retry-After`` says."""
        wait = self.meter.wait(now)
        admitted = wait <= 0
        if admitted or self.count_rejected:
            self.meter.count(now)
        (self.passed if admitted else self.rejected).append(now)
        if admitted:
            return True, None
        return False, max(wait, self.meter.wait(now)) if self.retry_after else None


Model = Callable[[], Meter]

PHASES = (0.0, 7.0, 23.0, 41.0)


def models(requests: int = 60) -> dict[str, Model]:
    """Return the variants of a service that allows so many requests a minute."""
    return {
        **{f"fixed-{phase:g}": partial(Fixed, requests, phase) for phase in PHASES},
        "sliding": partial(Sliding, requests),
        f"bucket-{requests}": partial(Bucket, requests, requests / PER),
        "bucket-5": partial(Bucket, 5, requests / PER),
    }


def best(model: Model, start: float, requests: int) -> float:
    """Return the seconds from ``start`` until somebody who knows all has got so many let in."""
    meter, now = model(), start
    for _ in range(requests):
        while (wait := meter.wait(now)) > 0:
            now += max(wait, 1e-9)
        meter.count(now)
    return now - start


def allowed(model: Model, start: float, seconds: float) -> int:
    """Return how many requests somebody who knows all has let in within so many seconds."""
    meter, now, count = model(), start, 0
    while True:
        while (wait := meter.wait(now)) > 0:
            now += max(wait, 1e-9)
        if now >= start + seconds:
            return count
        meter.count(now)
        count += 1
