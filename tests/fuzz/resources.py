"""What one input may cost, and what may come of it."""

import gc
import resource
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from infobip_email_logs import EmailLogsError

T = TypeVar("T")

SECONDS = 10.0
"""The seconds of CPU for one small input: whatever takes so long on any machine has no end."""

LINEAR = 3.0
"""How many times the CPU one of two inputs may cost that is twice as large; four is quadratic."""

JITTER = 0.3
"""Seconds of CPU that may come from somewhere else."""

MEMORY = 160 << 20
"""The bytes of memory for the records of the largest page that is taken, kept for their faults."""

MEMORY_PER_BYTE = 64
"""And for each byte of what was received: `{},` is a dictionary and a place in a list."""

ADDRESS_SPACE = 4 << 30
"""The bytes of memory for the whole program: beyond that it ends, and no machine suffers."""

LONGEST = 4000
"""The characters of an error."""


class TooSlowError(BaseException):
    """An input took too long; not an Exception, lest the code under test swallow it."""


@contextmanager
def in_time() -> Iterator[None]:
    """End what has no end."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def grows_evenly(work: Callable[[bytes], None], half: bytes, whole: bytes) -> None:
    """Fail where an input that is twice as large costs far more than twice the time."""
    first, second = (_spent(work, body) for body in (half, whole))
    assert second <= LINEAR * first + JITTER, f"{first:.2f} s, and {second:.2f} s for twice as much"


def _spent(work: Callable[[bytes], None], body: bytes) -> float:
    """Return the seconds of CPU that an input costs, the better of two tries."""
    tries: list[float] = []
    gc.freeze()  # What others left behind is not this input's to look through.
    try:
        for _ in range(2):
            before = time.process_time()
            work(body)
            tries.append(time.process_time() - before)
    finally:
        gc.unfreeze()
    return min(tries)


def in_memory(work: Callable[[bytes], None], body: bytes) -> None:
    """Fail where an input needs more memory than its size allows."""
    tracemalloc.start()
    try:
        work(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = MEMORY + MEMORY_PER_BYTE * len(body)
    assert peak <= most, f"{peak} bytes of memory for {len(body)} bytes of input"


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def no_more_memory() -> None:
    """Bound the memory of this program."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def only(documented: type[EmailLogsError], work: Callable[[], T]) -> T | None:
    """Return what comes of work; None where it raises the documented error, in a few lines."""
    try:
        return work()
    except documented as error:
        told, fields = str(error), repr(vars(error))
    assert len(told) <= LONGEST, f"an error of {len(told)} characters"
    assert len(fields) <= 2 * LONGEST, "an error with long fields"
    return None
