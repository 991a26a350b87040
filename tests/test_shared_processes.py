"""Real processes that share a limit, through a file and through Redis; one of them is killed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import redis_server
from sharing import fullest

PROGRAM = Path(__file__).with_name("limit_process.py")
REQUESTS = 20


@pytest.fixture
def places(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return where processes of each kind share their limit; both are tried at the same time."""
    places = {"host": str(tmp_path)}
    if "REDIS_URL" in os.environ or redis_server.found() or redis_server.PROMISED:
        places["redis"] = request.getfixturevalue("redis_url")
    return places


@contextmanager
def running(
    kind: str, place: str, arrivals: Path, *, per: float, callers: tuple[int, ...]
) -> Iterator[list[int]]:
    """Run processes with so many callers each; return their ids. In the end they are killed."""
    limit, numbers = f"{REQUESTS}/{per:g}s", ",".join(map(str, callers))
    command = [sys.executable, str(PROGRAM), kind, place, limit, "60", numbers, str(arrivals)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        try:
            yield [int(child) for child in process.stdout.readline().split()]
            assert process.poll() is None, "one of them failed"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


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
        for kind, place in places.items():
            stack.enter_context(running(kind, place, tmp_path / kind, per=per, callers=(5,) * 4))
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
        ids = {
            kind: stack.enter_context(
                running(kind, place, tmp_path / kind, per=per, callers=(10, 25))
            )
            for kind, place in places.items()
        }
        for kind, (killed, stays) in ids.items():
            until(tmp_path / kind, 2)
            gone[kind], left[kind] = quiet(tmp_path / kind), str(stays)
            os.kill(killed, signal.SIGKILL)
        time.sleep(per + 0.3)
    for kind, process_id in left.items():
        everything = arrived(tmp_path / kind)
        assert fullest([at for _, at in everything], per) <= REQUESTS
        after = [who for who, at in everything if at >= gone[kind]]
        assert after[:REQUESTS] == [process_id] * REQUESTS
