"""An object that belongs to one event loop of one process, and says so elsewhere."""

from __future__ import annotations

import asyncio
import os
import weakref

from .errors import InvalidState


class OneLoop:
    """The event loop that something was first used on.

    What was not used yet when a process is forked can be used in each of the processes.

    Args:
        owner: What it is, for the error.

    Attributes:
        first: That loop; None before the first use, and where it is another process's.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._forked = False
        self.first: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> asyncio.AbstractEventLoop:
        """Return the loop that is running, if it is the first one.

        Raises:
            InvalidState: It is another one, or another process.
        """
        if self._forked:
            raise InvalidState(
                f"this {self._owner} was in use before the process was forked; make one for each"
            )
        loop = asyncio.get_running_loop()
        if self.first is None:
            self.first = loop
            _in_use.add(self)
        elif self.first is not loop:
            raise InvalidState(
                f"this {self._owner} is in use on another event loop; make one for each"
            )
        return loop

    @property
    def over(self) -> bool:
        """Whether that loop is closed, and all with it that ran there."""
        return self.first is not None and self.first.is_closed()

    def fork(self) -> None:
        """This is another process now: connections and files are those of the one before."""
        self._forked, self.first = True, None


_in_use: weakref.WeakSet[OneLoop] = weakref.WeakSet()


def _forked() -> None:
    for one in _in_use:
        one.fork()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_forked)
