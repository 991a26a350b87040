"""What belongs to one event loop of one process: everything says so, and harms nothing."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from entries import ENTRIES, Things
from running import running_sandbox
from service import SMALL
from sharing import fullest

from infobip_email_logs import ApiKey, EmailLogsClient, InvalidState
from infobip_email_logs.sandbox import Sandbox, Settings, TimeWindow

PROGRAM = Path(__file__).with_name("forking_process.py")
FORKS = pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")


def forking(*arguments: str) -> str:
    """Run the program that forks; nothing may be complained about."""
    command = [sys.executable, "-X", "dev", "-W", "error", str(PROGRAM), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", ENTRIES)
async def test_a_second_loop_is_told_so_everywhere(name: str) -> None:
    """Whatever is used there: with one clear error, and the first loop works on."""
    things = await Things.used()

    def elsewhere() -> None:
        with pytest.raises(InvalidState, match=r"in use on another event loop; make one for each"):
            asyncio.run(ENTRIES[name](things))

    await asyncio.to_thread(elsewhere)
    things.permit.unused()
    (await things.local.acquire()).unused()
    (await things.shared.acquire()).unused()
    await things.close()


def test_a_client_can_be_closed_where_its_loop_is_closed() -> None:
    """Its connections ended with the loop; it is told nevertheless that it can't be used there."""
    loop = asyncio.new_event_loop()

    async def use() -> EmailLogsClient:
        async with Sandbox(traffic=SMALL) as box:
            client = EmailLogsClient(box.url, ApiKey(box.credentials.api_key))
            await client.get_page()
            return client

    client = loop.run_until_complete(use())
    loop.close()

    async def again() -> None:
        with pytest.raises(InvalidState, match="another event loop"):
            await client.get_page()
        await client.close()

    asyncio.run(again())


@FORKS
def test_what_was_used_before_a_fork_says_so_after_it() -> None:
    """On the loop that came along, which is the other process's too, and on a new one."""
    lines = forking("used").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [*ENTRIES] * 2
    for line in lines:
        assert "InvalidState" in line
        assert line.endswith("was in use before the process was forked; make one for each")


@FORKS
def test_what_was_built_before_a_fork_can_be_used_in_each_process(tmp_path: Path) -> None:
    """As a server does that loads its application first: they share the limit, and keep it."""
    requests, per = 6, 1.0
    settings = Settings(v1_limits=(TimeWindow(requests, per),))
    with running_sandbox(traffic=SMALL, settings=settings) as box:
        place = (box.url, box.credentials.api_key, str(tmp_path), f"{requests}/{per}s")
        forking("unused", *place, str(requests))
        assert len(box.arrivals) == 2 * requests
        assert box.throttled == 0
        assert fullest([arrival.at for arrival in box.arrivals], per) <= requests
