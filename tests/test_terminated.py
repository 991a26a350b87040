"""SIGTERM in the middle of a pull: whole lines, nothing reserved any more, and an exit code."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from running import running_sandbox

from infobip_email_logs import ApiKey, HostLimiter, WaitTooLong, account_key
from infobip_email_logs.bucket import GRACE
from infobip_email_logs.host_limiter import cache_folder
from infobip_email_logs.sandbox import Sandbox, Settings, Traffic

PER = 600.0
LIMIT = "3/600s"
BULKS = Traffic(bulks=12, bulk_size=(20, 30), loose=0)
"""A request for each: three leave at once, and more than three wait for the next period."""

SOON = 0.5
"""Seconds for the last answers to come back; it takes a thousandth of one."""

WORKER = Path(__file__).with_name("worker_process.py")


def until(holds: Callable[[], bool]) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def wait_of_another(folder: Path, key: str) -> float:
    """Return for how long another process would have to wait, if it came now."""
    async with HostLimiter(LIMIT, key=key, folder=folder) as limiter:
        with pytest.raises(WaitTooLong) as caught:
            await limiter.acquire(max_wait=PER / 1000)
    return caught.value.wait


def terminated(
    box: Sandbox, command: list[str], folder: Path, key: str
) -> subprocess.CompletedProcess[str]:
    """Terminate a process whose callers wait in line; return how it ends.

    Another one that comes now has to wait for more than a period before, and not after.
    """
    piped = subprocess.PIPE
    with subprocess.Popen(command, stdout=piped, stderr=piped, text=True) as process:
        try:
            until(lambda: len(box.arrivals) == 3)
            time.sleep(SOON)
            until(lambda: asyncio.run(wait_of_another(folder, key)) > PER)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=40)
        finally:
            process.kill()
    assert asyncio.run(wait_of_another(folder, key)) < PER + GRACE
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def lines_of(path: Path, box: Sandbox) -> int:
    """Return how many logs a file holds: whole lines, each once."""
    ids = [json.loads(line)["message_id"] for line in path.read_text().splitlines()]
    assert len(ids) == len(set(ids))
    assert set(ids) <= set(box.message_ids)
    return len(ids)


def test_a_worker_that_is_terminated_ends_in_order(tmp_path: Path) -> None:
    """It closes what it opened: nothing is complained about, and its places are the others'."""
    path = tmp_path / "logs.jsonl"
    with running_sandbox(traffic=BULKS, settings=Settings(v1_limits=())) as box:
        python = [sys.executable, "-X", "dev", "-W", "error", str(WORKER)]
        place = [box.url, box.credentials.api_key, str(tmp_path), LIMIT, str(path)]
        done = terminated(box, [*python, *place, *box.bulk_ids], tmp_path, "account")
        assert (done.returncode, done.stdout, done.stderr) == (143, "cancelled", "")
        assert 0 < lines_of(path, box) <= sum(arrival.records for arrival in box.arrivals)


def test_a_command_that_is_terminated_leaves_its_places_to_the_others(tmp_path: Path) -> None:
    """What was received is written, and the exit code says how it ended."""
    path = tmp_path / "logs.jsonl"
    with running_sandbox(traffic=BULKS, settings=Settings(v1_limits=())) as box:
        url, auth = box.url, ApiKey(box.credentials.api_key)
        bulks = [text for one in box.bulk_ids for text in ("--bulk-id", one)]
        program = [sys.executable, "-m", "infobip_email_logs", "pull", *bulks, "-o", str(path)]
        place = ["--base-url", url, "--api-key", box.credentials.api_key, "--rate", LIMIT]
        folder = cache_folder(os.environ)
        done = terminated(box, [*program, *place], folder, account_key(url, auth))
        assert done.returncode == 143
        assert "Traceback" not in done.stderr
        assert 0 < lines_of(path, box) <= sum(arrival.records for arrival in box.arrivals)
