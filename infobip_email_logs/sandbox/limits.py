"""The service's own limits, counted where it counts: when a request arrives."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["fixed", "sliding"]


def _above_zero(_limit: object, field: attrs.Attribute[float], value: float) -> None:
    if value <= 0:
        raise ValueError(f"{field.name} must be above zero, not {value!r}")


class Meter(Protocol):
    """What one limit has counted. Instants are seconds since the sandbox started."""

    def wait(self, now: float) -> float:
        """Return the seconds until a request would be let in; 0 for at once."""
        ...

    def count(self, now: float) -> None:
        """Count a request."""
        ...


@attrs.frozen
class TimeWindow:
    """So many requests per period.

    Attributes:
        n: How many requests.
        per: The period, in seconds.
        kind: ``sliding``: no stretch of ``per`` seconds holds more than ``n``. ``fixed``: the
            count starts anew each ``per`` seconds, so twice ``n`` may meet at a boundary.
        phase: Where the fixed windows begin, in seconds after the sandbox's start.
    """

    n: int = attrs.field(validator=attrs.validators.ge(1))
    per: float = attrs.field(default=60.0, validator=_above_zero)
    kind: Kind = attrs.field(default="sliding", validator=attrs.validators.in_(get_args(Kind)))
    phase: float = 0.0

    def meter(self) -> Meter:
        """Return an empty count for this limit."""
        return _Sliding(self) if self.kind == "sliding" else _Fixed(self)


@attrs.frozen
class TokenBucket:
    """A burst, then a steady rate.

    Attributes:
        burst: How many requests a full bucket lets in at once.
        refill: How many come back per second.
    """

    burst: int = attrs.field(validator=attrs.validators.ge(1))
    refill: float = attrs.field(validator=_above_zero)

    def meter(self) -> Meter:
        """Return a full bucket."""
        return _Bucket(self)


Limit = TimeWindow | TokenBucket


class _Sliding:
    def __init__(self, limit: TimeWindow) -> None:
        self._limit = limit
        self._counted: deque[float] = deque()

    def wait(self, now: float) -> float:
        while self._counted and self._counted[0] + self._limit.per <= now:
            self._counted.popleft()
        over = len(self._counted) - self._limit.n
        return 0.0 if over < 0 else self._counted[over] + self._limit.per - now

    def count(self, now: float) -> None:
        self._counted.append(now)


class _Fixed:
    def __init__(self, limit: TimeWindow) -> None:
        self._limit = limit
        self._window: float = -math.inf
        self._counted = 0

    def wait(self, now: float) -> float:
        self._turn(now)
        if self._counted < self._limit.n:
            return 0.0
        return (self._window + 1) * self._limit.per + self._limit.phase - now

    def count(self, now: float) -> None:
        self._turn(now)
        self._counted += 1

    def _turn(self, now: float) -> None:
        window = math.floor((now - self._limit.phase) / self._limit.per)
        if window != self._window:
            self._window, self._counted = window, 0


class _Bucket:
    def __init__(self, limit: TokenBucket) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._filled = 0.0

    def wait(self, now: float) -> float:
        self._fill(now)
        return max(0.0, (1 - self._tokens) / self._limit.refill)

    def count(self, now: float) -> None:
        self._fill(now)
        self._tokens = max(0.0, self._tokens - 1)

    def _fill(self, now: float) -> None:
        come = (now - self._filled) * self._limit.refill
        self._tokens, self._filled = min(self._limit.burst, self._tokens + come), now


class Gate:
    """All limits of one version together: a request is let in when all of them agree."""

    def __init__(self) -> None:
        self._limits: tuple[Limit, ...] = ()
        self._meters: list[Meter] = []

    def arrive(self, limits: Sequence[Limit], now: float, *, count_rejected: bool) -> float:
        """Count a request that arrives at ``now``.

        Args:
            limits: The limits in force. Others than last time begin with nothing counted.
            now: Seconds since the sandbox started.
            count_rejected: Whether a request that is turned away counts all the same.

        Returns:
            0 when the request is let in, else the seconds until one would be.
        """
        self._take(tuple(limits))
        admitted = self._wait(now) <= 0
        if admitted or count_rejected:
            for meter in self._meters:
                meter.count(now)
        return 0.0 if admitted else self._wait(now)

    def _wait(self, now: float) -> float:
        return max((meter.wait(now) for meter in self._meters), default=0.0)

    def _take(self, limits: tuple[Limit, ...]) -> None:
        if limits != self._limits:
            self._limits = limits
            self._meters = [limit.meter() for limit in limits]
