"""Disturbs a task in the n-th turn of its loop, for every n until the task is over before that.

Whatever a task waits for, and whatever the tasks wait for that it began, they wait through some
turn of the loop; so what is disturbed in each turn is disturbed at every await. The disturbance
comes last of what sockets and timers brought in its turn: it meets those whose answer came in this
very turn, and who have not seen it yet.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

AT_ONCE = 1e-10
"""Seconds after which a timer is due in the turn in which it is set, and not a turn later."""

OPEN = Path("/dev/fd")
"""Names the files and sockets that this process has open."""

Work = Callable[[], Coroutine[Any, Any, None]]


class Blow:
    """What disturbs a task: its cancellation, once or several times.

    Args:
        name: What it is, for the name of a test.
        times: In how many turns, one after the other.
        apart: How many turns lie between two of them.
    """

    expected: type[BaseException] = asyncio.CancelledError

    def __init__(self, name: str, *, times: int = 1, apart: int = 1) -> None:
        self._name = name
        self._last = (times - 1) * apart
        self._apart = apart

    def __repr__(self) -> str:
        """Return its name."""
        return self._name

    def hits(self, later: int) -> bool:
        """Say whether it strikes so many turns after the first time."""
        return 0 <= later <= self._last and later % self._apart == 0

    async def around(self, work: Work) -> None:
        """Do the work."""
        await work()

    def strike(self, task: asyncio.Task[None]) -> None:
        """Disturb the task, in this turn."""
        loop = task.get_loop()
        loop.call_at(loop.time() + AT_ONCE, task.cancel)


class Timeout(Blow):
    """An ``asyncio.timeout`` that fires."""

    expected = TimeoutError

    async def around(self, work: Work) -> None:
        """Do the work within the time that it may take."""
        async with asyncio.timeout(None) as self._scope:
            await work()

    def strike(self, task: asyncio.Task[None]) -> None:
        """Let the time be over, in this turn."""
        if not task.done():
            self._scope.reschedule(task.get_loop().time() + AT_ONCE)


CANCEL = Blow("cancelled")
TIMEOUT = Timeout("timeout")
TWICE = Blow("twice", times=2)
SOON_AGAIN = Blow("soon again", times=2, apart=2)
STUBBORN = Blow("stubborn", times=50)  # while it goes on, no time passes
BLOWS = (CANCEL, TIMEOUT, TWICE, SOON_AGAIN, STUBBORN)


async def each_turn(work: Work, blow: Blow = CANCEL) -> AsyncGenerator[bool]:
    """Do the work again and again, disturbed a turn later each time, until it is done before.

    Yields:
        Whether the blow ended it.

    Raises:
        BaseException: What else ended it.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(False)  # it notes where everything was made, which takes most of the time
    for first in itertools.count(1):  # in the first turn of all nothing has begun
        task = loop.create_task(blow.around(work))
        with _struck(loop, blow, first, task) as count:
            await asyncio.wait([task])
        yield _ended(task, blow)
        del task  # it holds the frames of what it did
        if next(count) <= first:
            return


def _ended(task: asyncio.Task[None], blow: Blow) -> bool:
    try:
        task.result()
    except blow.expected:
        return True
    return False


@contextmanager
def _struck(
    loop: asyncio.AbstractEventLoop, blow: Blow, first: int, task: asyncio.Task[None]
) -> Iterator[Iterator[int]]:
    """Let a blow strike a task from some turn of the loop on; gives the count of its turns."""
    selector = vars(loop)["_selector"]
    select, count = selector.select, itertools.count()

    def turn(timeout: float | None = None) -> Any:
        events = select(timeout)
        if blow.hits(next(count) - first):
            blow.strike(task)
        return events

    with mock.patch.object(selector, "select", turn):
        yield count


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks beside this one that are not the sandbox's."""
    running = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in running if "RequestHandler" not in repr(task.get_coro())}


@contextmanager
def no_files_left() -> Iterator[None]:
    """Fail where files or sockets are open afterwards that were not before."""
    before = sorted(OPEN.iterdir())
    yield
    assert sorted(OPEN.iterdir()) == before
