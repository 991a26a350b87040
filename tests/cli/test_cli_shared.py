"""Commands that share the account's limit: one beside or after the other, here and by Redis."""

import os
import sys
from pathlib import Path
from unittest import mock

import pytest
from credentials import KEY
from shell import GENEROUS, Told, environment, here, process, served

from infobip_email_logs.cli.commands import run
from infobip_email_logs.host_limiter import cache_folder
from infobip_email_logs.sandbox import Settings, TimeWindow, Traffic

TRAFFIC = Traffic(bulks=3, bulk_size=(2, 2), loose=0)


def twice(url: str, bulk_ids: list[str], *options: str) -> list[Told]:
    """Run a command that takes three requests twice, as processes."""
    bulks = [text for one in bulk_ids for text in ("--bulk-id", one)]
    return [process(url, "pull", *bulks, *options) for _ in range(2)]


def shared(*options: str) -> None:
    """See two runs take the whole limit of three, one after the other, without a 429."""
    with served(TRAFFIC, Settings(v1_limits=(TimeWindow(3, 1.5),))) as sandbox:
        runs = twice(sandbox.url, sandbox.bulk_ids, "--rate", "3/1.5s", *options)
        assert [len(told.logs) for told in runs] == [6, 6]
        assert (len(sandbox.arrivals), sandbox.throttled) == (6, 0)


def test_two_runs_of_a_command_share_the_limit() -> None:
    """The second one knows what the first one used, with nothing to configure."""
    shared()


def test_a_run_by_itself_does_not_know_of_the_one_before() -> None:
    """That is what sharing is for, and this is how the test above would fail."""
    with served(TRAFFIC, Settings(v1_limits=(TimeWindow(3, 60.0),))) as sandbox:
        alone = ("--limiter", "process", "--rate", "3/60s", "--attempts", "1")
        first, second = twice(sandbox.url, sandbox.bulk_ids, *alone)
        assert (first.code, second.code) == (0, 1)
        assert sandbox.throttled > 0


def test_two_runs_share_the_limit_by_redis(redis_url: str) -> None:
    """Wherever they run."""
    shared("--redis", redis_url)


def test_redis_may_be_named_by_the_environment(
    capfd: pytest.CaptureFixture[str], redis_url: str
) -> None:
    """And an argument wins over it."""
    with served(Traffic(bulks=1, loose=0)) as sandbox:
        env = {"INFOBIP_BASE_URL": sandbox.url, "INFOBIP_API_KEY": KEY}
        unreachable = {"INFOBIP_REDIS_URL": "redis://127.0.0.1:1"}
        told = here(
            capfd, sandbox.url, "get", *GENEROUS, env=env | {"INFOBIP_REDIS_URL": redis_url}
        )
        assert told.code == 0
        told = here(capfd, sandbox.url, "get", "--limiter", "process", env=env | unreachable)
        assert told.code == 0
        told = here(capfd, sandbox.url, "get", *GENEROUS, env=env | unreachable)
    assert told.code == 1
    assert "Redis, which keeps the shared limit, can't be used" in told.err
    assert "--limiter process" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--redis", "redis://localhost", "--limiter", "host"), "keep one of them"),
        (("--redis", "http://user:hidden@localhost"), "such as redis://localhost:6379/0"),
        (("--limiter", "nobody"), "'host', 'process'"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Bad input, told in one line that repeats no address."""
    told = here(capfd, "http://127.0.0.1:1", "get", *arguments)
    assert told.code == 2
    assert said in told.err
    assert "hidden" not in told.err


def test_a_traceback_repeats_no_part_of_an_address(capfd: pytest.CaptureFixture[str]) -> None:
    """What Redis' client can't read of it, it repeats: a slash ends a password."""
    with mock.patch.dict(os.environ, environment("http://127.0.0.1:1"), clear=True):
        code = run(["get", "-vv", "--redis", "redis://user:hidden/too@localhost"])
    told = capfd.readouterr().err
    assert code == 2
    assert "Traceback" in told
    assert "hidden" not in told


def test_without_the_extra_it_is_told_what_to_install(capfd: pytest.CaptureFixture[str]) -> None:
    """Redis is no part of the command line by itself."""
    with mock.patch.dict(sys.modules, {"redis.asyncio": None}):
        told = here(capfd, "http://127.0.0.1:1", "get", "--redis", "redis://localhost")
    assert told.code == 2
    assert "pip install 'infobip_email_logs[redis]'" in told.err


def test_a_cache_folder_that_can_not_be_used_is_told(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The limit is never kept in silence for one command alone."""
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    env = {"INFOBIP_API_KEY": KEY, "XDG_CACHE_HOME": str(nowhere)}
    if not str(cache_folder(env)).startswith(str(nowhere)):
        pytest.skip("this platform has its cache folder elsewhere")
    told = here(capfd, "http://127.0.0.1:1", "get", env=env)
    assert told.code == 1
    assert "the file of the shared limit" in told.err
    assert "--limiter process" in told.err
