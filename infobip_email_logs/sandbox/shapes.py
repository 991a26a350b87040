"""How the loose mails of a traffic lie in its hours: evenly, as day and night, or in bursts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Shape = Literal["uniform", "diurnal", "bursts"]
MINUTE = 60_000
DAY = 86_400_000
_PEAK = DAY * 14 // 24
_SWING = 0.75
"""How far the wave goes from its mean, both ways: the peak is seven times the trough."""


def uniform(count: int, length: int, random: Random) -> Iterator[int]:
    """Yield ``count`` moments, each as likely anywhere in ``length`` milliseconds."""
    for _ in range(count):
        yield int(random.random() * length)


def diurnal(count: int, length: int, random: Random, *, first: int) -> Iterator[int]:
    """Yield ``count`` moments, most of them around two in the afternoon, UTC.

    Args:
        count: How many.
        length: The milliseconds that they lie in.
        random: Where they are drawn from.
        first: The instant from which they are counted, in milliseconds from 1970.
    """
    turn, before_peak = math.tau / DAY, first - _PEAK
    left = count
    while left:
        moment = int(random.random() * length)
        height = 1 + _SWING * math.cos(turn * (before_peak + moment))
        if random.random() * (1 + _SWING) < height:
            left -= 1
            yield moment


def bursts(count: int, length: int, random: Random, *, size: int) -> Iterator[int]:
    """Yield ``count`` moments in groups of ``size``, each within a minute of its own."""
    minute = min(MINUTE, length)
    for done in range(0, count, size):
        begin = int(random.random() * (length - minute))
        for _ in range(min(size, count - done)):
            yield begin + int(random.random() * minute)
