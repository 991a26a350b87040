"""For how long somebody waits for a limit, and what one who waits no longer is told. Pure."""

from __future__ import annotations

import math
from typing import Any

from .errors import InvalidInput, WaitTooLong


def above_zero(name: str, value: Any) -> float:
    """Return a number of seconds.

    Raises:
        InvalidInput: It is none, or not above zero.
    """
    if not isinstance(value, int | float) or not value > 0:
        raise InvalidInput(f"{name} must be above zero seconds, not {value!r}")
    return float(value)


def check_max_wait(max_wait: Any) -> None:
    """Refuse what is no time to wait.

    Raises:
        InvalidInput: It is none.
    """
    if max_wait is None:
        return
    if not isinstance(max_wait, int | float) or math.isnan(max_wait):
        raise InvalidInput(f"max_wait must be a number of seconds, not {max_wait!r}")


def too_long(limits: object, wait: float, max_wait: float) -> WaitTooLong:
    """Return what somebody is told who would have to wait, or has waited, for too long.

    Args:
        limits: What made it wait.
        wait: For how many seconds, as far as that is known.
        max_wait: For how many it was prepared to.
    """
    known = f"makes this request wait {wait:.1f} s, longer than the {max_wait:g} s it may"
    over = f"did not admit this request within {max_wait:g} s"
    return WaitTooLong(
        f"the limit of {limits} {known if wait > max_wait else over}", wait=wait, max_wait=max_wait
    )


def silenced(pause: float, max_pause: float) -> WaitTooLong:
    """Return what everybody is told where a 429 asks for a longer silence than is waited for."""
    return WaitTooLong(
        f"a 429 asks everybody to wait for {pause:.0f} s, "
        f"longer than the {max_pause:g} s that are waited for",
        wait=pause,
        max_wait=max_pause,
    )
