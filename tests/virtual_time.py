"""An event loop whose clock is virtual and whose sockets are real.

While there is something to do, no time passes. When nothing is ready and no socket has
anything to say, the clock jumps to the next timer instead of waiting for it. Work that the
loop cannot see the end of (threads, subprocesses, whatever is inside `held`) is waited for
really: the clock stands still meanwhile, and a timer whose whole delay went by is let go.
"""

import asyncio
import itertools
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Self, TypeVarTuple

Arguments = TypeVarTuple("Arguments")

START = 1000.0
"""What the clock of a new loop says. Not zero: no real clock ever says zero."""

IN_FLIGHT = 0.001
"""Seconds that bytes between two sockets of this machine may need, as a loaded machine has it."""

UNSENT = 0.05
"""Seconds that a socket with bytes to send may need: more than the kernel delays an ACK."""


class _Instant(float):
    """A point in time that knows its turn: of equal ones, the first set comes first."""

    turn: int

    def __new__(cls, when: float, turn: int) -> Self:
        instant = super().__new__(cls, when)
        instant.turn = turn
        return instant

    def __lt__(self, other: float) -> bool:
        if isinstance(other, _Instant) and float(self) == float(other):
            return self.turn < other.turn
        return super().__lt__(other)


class _Selector(selectors.DefaultSelector):
    """A selector that asks `idle` what to do when it would have to wait for a timer."""

    idle: Callable[[float], list[tuple[selectors.SelectorKey, int]]]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0 if timeout is not None else None)
        return self.idle(timeout) if timeout and timeout > 0 and not events else events

    def wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for the sockets, really."""
        return super().select(seconds)

    def patience(self) -> float:
        """Tell the real seconds after which nothing can be in flight any more."""
        watched = self.get_map().values()
        if any(key.events & selectors.EVENT_WRITE for key in watched):
            return UNSENT
        return IN_FLIGHT if len(watched) > 1 else 0  # The loop always watches its own pipe.


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for a timer, and always for I/O."""

    def __init__(self) -> None:
        self._now = START
        self._turns = itertools.count()
        self._holds = 0
        self._waited = 0.0
        self._children: list[asyncio.SubprocessTransport] = []
        self._patient = _Selector()
        self._patient.idle = self._idle
        super().__init__(self._patient)

    def time(self) -> float:
        """Tell the virtual time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as if the loop had been held that long."""
        self._now += seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait really, for something that this loop cannot see, until the context is left."""
        self._hold()
        try:
            yield
        finally:
            self._release()

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer; those of the same instant go off in the order they were set."""
        instant = _Instant(when, next(self._turns))
        return super().call_at(instant, callback, *args, context=context)

    def run_in_executor(self, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Give work to a thread, and hold the clock until it is done or given up."""
        future = super().run_in_executor(*args)
        self._hold()
        future.add_done_callback(self._release)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait really for the threads to end."""
        with self.held():
            await super().shutdown_default_executor(*args)

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Start a program, and hold the clock while it runs."""
        return await self._child(super().subprocess_exec(*args, **options))

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """Start a command line, and hold the clock while it runs."""
        return await self._child(super().subprocess_shell(*args, **options))

    async def _child(self, starting: Any) -> Any:
        with self.held():
            transport, protocol = await starting
        self._children.append(transport)
        return transport, protocol

    def _hold(self) -> None:
        self._holds += 1

    def _release(self, _: object = None) -> None:
        self._holds -= 1

    def _busy(self) -> bool:
        self._children = [child for child in self._children if child.get_returncode() is None]
        return bool(self._holds or self._children)

    def _idle(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what the sockets say before the next timer is due; jump there if nothing."""
        began = time.monotonic()
        if self._busy():
            events = self._patient.wait(max(timeout - self._waited, 0))
            self._waited += time.monotonic() - began
        else:
            events = self._patient.wait(self._patient.patience())
        if not events:
            self._jump()
        return events

    def _jump(self) -> None:
        """Set the clock to the next timer, to the last bit of it."""
        scheduled: list[asyncio.TimerHandle] = vars(self)["_scheduled"]
        self._now = max(self._now, float(scheduled[0].when()))
        self._waited = 0.0
