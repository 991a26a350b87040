"""The command line with version 4 of the API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import NOWHERE, environment, here, served

from infobip_email_logs.cli import options
from infobip_email_logs.sandbox import Sandbox, Traffic
from infobip_email_logs.settings import VARIABLES


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """Serve an account with some bulks, and some messages without."""
    with served(Traffic(bulks=5, bulk_size=(3, 9), loose=30)) as sandbox:
        yield sandbox


def paths(sandbox: Sandbox, since: int) -> set[str]:
    """Return where the requests after the first ``since`` ones went."""
    return {arrival.path for arrival in sandbox.arrivals[since:]}


def test_a_page(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """`get` asks the version that it is told to."""
    before = len(account.arrivals)
    told = here(capfd, account.url, "get", "--api-version", "4", "--limit", "3")
    assert (told.code, len(told.logs)) == (0, 3)
    assert paths(account, before) == {"/email/4/logs"}
    assert told.logs[0]["channel"] is None


def test_the_environment_names_the_version(
    capfd: pytest.CaptureFixture[str], account: Sandbox
) -> None:
    """An argument goes before the variable, and a variable that is empty counts as not set."""
    for variable, arguments, version in (
        ("4", (), 4),
        ("4", ("--api-version", "1"), 1),
        ("", (), 1),
    ):
        before = len(account.arrivals)
        env = environment(account.url, INFOBIP_API_VERSION=variable)
        told = here(capfd, account.url, "get", "--limit", "1", *arguments, env=env)
        assert told.code == 0
        assert paths(account, before) == {f"/email/{version}/logs"}


def test_bulks_are_one_request(
    capfd: pytest.CaptureFixture[str], account: Sandbox, tmp_path: Path
) -> None:
    """`pull` packs the ids of bulks into a list."""
    before = len(account.arrivals)
    file = tmp_path / "bulks.txt"
    file.write_text("\n".join(account.bulk_ids))
    told = here(capfd, account.url, "pull", "--bulk-ids-file", str(file), "--api-version", "4")
    wanted = [one.message_id for one in account.records if one.bulk_id]
    assert told.code == 0
    assert sorted(log["message_id"] for log in told.logs) == sorted(map(str, wanted))
    assert len(account.arrivals) == before + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--api-version", "2"), "'2' is not one of '1', '4'"),
        (("--api-version", "4", "--accept", "xml"), "version 4 of the API answers in JSON only"),
    ],
)
def test_bad_input(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """What a version does not know is told before anything is asked."""
    told = here(capfd, NOWHERE, "get", *arguments)
    assert told.code == 2
    assert message in told.err


@pytest.mark.parametrize(
    ("version", "rate", "limit"),
    [
        ("1", None, "60/60s"),
        ("4", None, "120/60s"),
        ("4", "30/60s", "30/60s"),
    ],
)
async def test_the_rate_goes_with_the_version(
    version: str, rate: Any, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a rate it is the one that the version publishes."""
    for name, value in environment(NOWHERE).items():
        monkeypatch.setenv(name, value)
    nothing = dict.fromkeys((*VARIABLES, "proxy", "ca_file", "rejects", "limiter", "redis"))
    given = {**nothing, "rate": rate, "attempts": 1, "accept": "json", "api_version": version}
    async with options.client(given) as client:
        assert limit in repr(client)


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    """The versions, the variable and both rates are told."""
    told = here(capfd, NOWHERE, "pull", "--help")
    words = " ".join(told.out.decode().split())
    assert "--api-version [1|4]" in words
    assert "INFOBIP_API_VERSION" in words
    assert "60/60s by default, in version 4 120/60s" in words
