"""How much is on the wire before anything is known of the service. Pure."""

from __future__ import annotations


class SlowStart:
    """How many requests may be on the wire at first: one more for every two that pass.

    It ends when so many have passed that a whole burst may go at once.

    Args:
        burst: The burst.

    Attributes:
        over: Whether it has ended.
    """

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._passed = 0
        self._on_wire = 0
        self.over = False

    def there(self) -> bool:
        """Say whether another request may leave."""
        return self._on_wire <= self._passed // 2

    def take(self) -> None:
        """A request leaves."""
        self._on_wire += 1

    def settle(self, *, passed: bool) -> None:
        """A request was answered, given up, or never left."""
        self._on_wire -= 1
        self._passed += passed
        self.over = self._passed >= 2 * self._burst
