"""An object that belongs to one event loop, and says so on another."""

from __future__ import annotations

import asyncio

from .errors import InvalidState


class OneLoop:
    """The event loop that something was first used on.

    Args:
        owner: What it is, for the error.

    Attributes:
        first: That loop; None before the first use.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.first: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> asyncio.AbstractEventLoop:
        """Return the loop that is running, if it is the first one.

        Raises:
            InvalidState: It is another one.
        """
        loop = asyncio.get_running_loop()
        if self.first is None:
            self.first = loop
        elif self.first is not loop:
            raise InvalidState(
                f"this {self._owner} is in use on another event loop; make one for each"
            )
        return loop
