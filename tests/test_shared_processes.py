"""Real processes that share a limit, through a file and through Redis; one of them is killed."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sharing import fullest

PROGRAM = Path(__file__).with_name("limit_process.py")
REQUESTS = 20


@pytest.fixture
def places(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """Return where processes of each kind share their limit; both are tried at the same time."""
    return {"host": str(tmp_path), "redis": redis_url}


@contextmanager
def running(
    kind: str, place: str, arrivals: Path, *, per: float, callers: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that sends requests; it is killed in the end, if it runs still."""
    limit = f"{REQUESTS}/{per:g}s"
    command = [sys.executable, str(PROGRAM), kind, place, limit, "60", str(callers), str(arrivals)]
    with subprocess.Popen(command) as process:
        try:
            yield process
            assert process.poll() in (None, -signal.SIGKILL)
        finally:
            process.kill()


def arrived(arrivals: Path) -> list[tuple[str, float]]:
    """Return who sent requests, and when they arrived, in order."""
    lines = arrivals.read_text().splitlines() if arrivals.exists() else []
    return sorted(((who, float(at)) for who, at in map(str.split, lines)), key=lambda one: one[1])


def until(arrivals: Path, processes: int) -> None:
    """Wait until so many processes have sent something."""
    deadline = time.monotonic() + 40
    while len({who for who, _ in arrived(arrivals)}) < processes:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def quiet(arrivals: Path) -> float:
    """Wait until nothing is on the wire, and all callers wait for the next period; return when."""
    while time.monotonic() - arrived(arrivals)[-1][1] < 0.2:
        time.sleep(0.01)
    return time.monotonic()


def test_four_processes_keep_one_limit_and_share_it_fairly(
    places: dict[str, str], tmp_path: Path
) -> None:
    """No window holds more than the limit, little is left over, and all have a part."""
    per = 0.5
    with ExitStack() as stack:
        for kind, place in 4 * [*places.items()]:
            stack.enter_context(running(kind, place, tmp_path / kind, per=per, callers=5))
        for kind in places:
            until(tmp_path / kind, 4)
        began = time.monotonic()
        time.sleep(3 * per)
    for kind in places:
        everything = arrived(tmp_path / kind)
        assert fullest([at for _, at in everything], per) <= REQUESTS
        together = [who for who, at in everything if at >= began]
        assert len(together) >= 0.6 * 3 * REQUESTS
        assert all(0.1 <= count / len(together) <= 0.4 for count in Counter(together).values())


def test_a_killed_process_gives_its_part_to_the_others(
    places: dict[str, str], tmp_path: Path
) -> None:
    """Its places and its reservations are free when its lease is over: before the next period."""
    per = 1.5
    gone, left = dict[str, float](), dict[str, str]()
    with ExitStack() as stack:
        killed = {
            kind: stack.enter_context(running(kind, place, tmp_path / kind, per=per, callers=10))
            for kind, place in places.items()
        }
        for kind, place in places.items():
            process = stack.enter_context(
                running(kind, place, tmp_path / kind, per=per, callers=25)
            )
            left[kind] = str(process.pid)
        for kind in places:
            until(tmp_path / kind, 2)
            gone[kind] = quiet(tmp_path / kind)
            killed[kind].kill()
        time.sleep(per + 0.3)
    for kind, process_id in left.items():
        everything = arrived(tmp_path / kind)
        assert fullest([at for _, at in everything], per) <= REQUESTS
        after = [who for who, at in everything if at >= gone[kind]]
        assert after[:REQUESTS] == [process_id] * REQUESTS
