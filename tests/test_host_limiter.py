"""The limiter of one host: its file, who may read it, and what becomes of it."""

import asyncio
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from sharing import Account, fullest, now

from infobip_email_logs import HostLimiter, TimeLimit
from infobip_email_logs.errors import LimiterUnavailable
from infobip_email_logs.host_limiter import cache_folder, file_name

pytestmark = pytest.mark.real_time

LIMIT = TimeLimit(5, per=0.4)


def limiter_in(folder: Path, **options: float) -> HostLimiter:
    """Return a limiter whose file is in a folder."""
    return HostLimiter(LIMIT, key="account:v1", folder=folder, **options)


async def test_two_limiters_of_a_file_share_its_limit(tmp_path: Path) -> None:
    """No window holds more, and nothing waits that could have gone."""
    account = Account()
    one, other = limiter_in(tmp_path), limiter_in(tmp_path)
    async with one, other:
        start = now()
        await asyncio.gather(*(account.ask(each) for each in (one, other) * 5))
        took = now() - start
    assert fullest(account.arrivals, LIMIT.per) <= 5
    assert LIMIT.per <= took < 5 * LIMIT.per


async def test_one_after_the_other_shares_it_too(tmp_path: Path) -> None:
    """What one used is written, whoever asks next."""
    account = Account()
    for _ in range(2):
        async with limiter_in(tmp_path) as limiter:
            await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
    assert fullest(account.arrivals, LIMIT.per) <= 5


async def test_a_wall_clock_that_is_set_changes_nothing(tmp_path: Path) -> None:
    """Not to a process whose clock is ahead, nor to the others."""
    account = Account()
    one, other = limiter_in(tmp_path), limiter_in(tmp_path)
    async with one, other:
        with mock.patch("time.time", return_value=4e9):
            await asyncio.gather(*(account.ask(one) for _ in range(5)))
        start = now()
        await account.ask(other)
    assert LIMIT.per / 2 <= now() - start < 5 * LIMIT.per
    assert fullest(account.arrivals, LIMIT.per) <= 5


async def test_nobody_else_reads_the_file_and_it_holds_no_name(tmp_path: Path) -> None:
    """A hash names it, and only numbers are in it."""
    folder = tmp_path / "cache" / "infobip_email_logs"
    async with limiter_in(folder) as limiter:
        await Account().ask(limiter)
        assert limiter.path.parent == folder
        files = list(folder.iterdir())
        assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not any(b"account" in one.read_bytes() for one in files)
        assert not any("account" in one.name for one in files)


async def test_the_loop_goes_on_while_others_lock_the_file(tmp_path: Path) -> None:
    """A thread waits; and it does not wait for ever."""
    limiter = limiter_in(tmp_path, patience=0.2)
    async with limiter:
        await Account().ask(limiter)
        await limiter.flush()
        holder = sqlite3.connect(limiter.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        turns = 0
        waits = asyncio.create_task(limiter.acquire())
        while not waits.done():
            turns += 1
            await asyncio.sleep(0.005)
        assert turns > 3
        with pytest.raises(LimiterUnavailable, match="locked"):
            await waits
        holder.execute("ROLLBACK")
        holder.close()
        await Account().ask(limiter)


async def test_a_file_that_is_removed_begins_used_up(tmp_path: Path) -> None:
    """Whoever cleans the cache does not double the limit of those who run."""
    account = Account()
    async with limiter_in(tmp_path) as limiter:
        await asyncio.gather(*(account.ask(limiter) for _ in range(5)))
        for file in tmp_path.iterdir():
            file.unlink()
        await account.ask(limiter)
    assert fullest(account.arrivals, LIMIT.per) <= 5


async def test_a_broken_file_is_begun_anew_and_used_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever broke it: no database, or one that holds no ledger; a warning tells."""
    paths = [tmp_path / kind / file_name("account:v1") for kind in ("noise", "empty")]
    for path in paths:
        path.parent.mkdir()
    paths[0].write_bytes(b"no database, by any means" * 99)
    with closing(sqlite3.connect(paths[1])) as connection, connection:
        connection.execute("CREATE TABLE ledger (one INTEGER PRIMARY KEY, ledger TEXT)")
        connection.execute("INSERT INTO ledger VALUES (1, '{}')")
    one, other = (limiter_in(path.parent) for path in paths)
    async with one, other:
        start = now()
        left = await asyncio.gather(*(Account().ask(limiter) for limiter in (one, other)))
    assert min(left) - start >= LIMIT.per
    assert caplog.text.count("was broken") == 2


async def test_a_folder_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    """Nothing is sent that nobody counts."""
    file = tmp_path / "file"
    file.write_text("no folder")
    limiter = limiter_in(file)
    with pytest.raises(LimiterUnavailable, match="can't be used"):
        await limiter.acquire()
    await limiter.aclose()


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/infobip_email_logs"),
        ("linux", {}, "~/.cache/infobip_email_logs"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "~/.cache/infobip_email_logs"),
        ("darwin", {"XDG_CACHE_HOME": "/c"}, "~/Library/Caches/infobip_email_logs"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/infobip_email_logs"),
        ("win32", {}, "~/AppData/Local/infobip_email_logs"),
    ],
)
def test_the_cache_folder_is_the_platforms(
    platform: str, environ: dict[str, str], folder: str
) -> None:
    """Where people look for such files, and may remove them."""
    with mock.patch.object(sys, "platform", platform):
        assert cache_folder(environ) == Path(os.path.expanduser(folder))  # noqa: PTH111 - "~"


def test_each_host_has_a_file_of_its_own() -> None:
    """A home folder may be shared; clocks are not."""
    with mock.patch("platform.node", return_value="one"):
        one = file_name("account:v1")
    with mock.patch("platform.node", return_value="other"):
        assert file_name("account:v1") != one
