"""`pull` and `get` against a sandbox, in this process."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from credentials import KEY
from shell import GENEROUS, NOWHERE, environment, here, process, served

from infobip_email_logs.sandbox import Fault, Record, Sandbox, Settings, TimeWindow, Traffic

BAD = {"results": [{"messageId": "good"}, {"messageId": "bad", "price": {"pricePerMessage": []}}]}


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """Serve an account with some bulks, and some messages without."""
    with served(Traffic(bulks=5, bulk_size=(3, 60), loose=300)) as sandbox:
        yield sandbox


def of_bulks(sandbox: Sandbox, *bulk_ids: str) -> list[Record]:
    """Return the records of some bulks."""
    return [one for one in sandbox.records if one.bulk_id in bulk_ids]


def faulty(body: Any) -> Fault:
    """Return the fault that answers `body`."""
    return Fault(200, json.dumps(body), content_type="application/json")


def test_bulks(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """All logs of all bulks that are named arrive, in the model's names."""
    first, second, *_ = account.bulk_ids
    told = here(capfd, account.url, "pull", "--bulk-id", first, "--bulk-id", second)
    wanted = of_bulks(account, first, second)
    assert told.code == 0
    assert told.err == ""
    assert {log["message_id"] for log in told.logs} == {one.message_id for one in wanted}
    assert len(told.logs) == len(wanted)
    assert told.logs[0]["sent_at"].endswith("Z")
    assert isinstance(told.logs[0]["price"]["price_per_message"], str)


def test_files_and_report(
    capfd: pytest.CaptureFixture[str], account: Sandbox, tmp_path: Path
) -> None:
    """Ids come from a file, logs and the report go to files, and absent ids are named."""
    ids, out, report = (tmp_path / name for name in ("ids.txt", "logs.jsonl", "report.json"))
    there = account.message_ids[:120]
    absent = [f"absent-{number}" for number in range(7)]
    ids.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*there, "", *absent]).encode())
    told = here(
        capfd,
        account.url,
        *("pull", "--message-ids-file", str(ids), "-o", str(out), "--report", str(report), "-v"),
    )
    assert told.code == 0
    assert told.out == b""
    assert "7 ids without a log that matches: absent-" in told.err
    assert " and 2 more\n" in told.err
    assert len(out.read_bytes().splitlines()) == 120
    written = json.loads(report.read_bytes())
    assert sorted(written["missing_ids"]) == absent
    assert (written["records"], written["complete"], written["gaps"]) == (120, True, [])
    assert "error" not in written
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ids.txt",
        "logs.jsonl",
        "report.json",
    ]


def test_both_kinds_of_ids(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """Bulk ids and message ids together mean logs that have both."""
    first, second, *_ = account.bulk_ids
    inside = [one.message_id for one in of_bulks(account, first, second)]
    outside = [one.message_id for one in of_bulks(account, account.bulk_ids[2])]
    names = [text for one in (inside[0], inside[-1], outside[0]) for text in ("--message-id", one)]
    for bulks in (["--bulk-id", first, "--bulk-id", second], ["--bulk-id", first]):
        told = here(capfd, account.url, "pull", *map(str, names), *bulks)
        assert told.code == 0
        assert {log["message_id"] for log in told.logs} <= {inside[0], inside[-1]}
        assert told.logs


def test_filters(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """Every filter arrives at the service."""
    told = here(
        capfd,
        account.url,
        *("pull", "--since", "2d", "--until", "1h", "--from", "a", "--to", "b"),
        *("--status", "DELIVERED", "--campaign", "c", "--application-id", "d", "--limit", "7"),
        *("--entity-id", "e"),
    )
    assert told.code == 0
    query = parse_qs(account.arrivals[-1].query)
    for name, value in {
        "sentUntil": "20",
        "from": "a",
        "to": "b",
        "generalStatus": "DELIVERED",
        "campaignReferenceId": "c",
        "applicationId": "d",
        "entityId": "e",
    }.items():
        assert query[name][0].startswith(value)
    assert "sentSince" in query


def test_limit_in_total(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """A limit bounds the logs of all ids together."""
    bulks = [text for one in account.bulk_ids for text in ("--bulk-id", one)]
    told = here(capfd, account.url, "pull", *bulks, "--limit", "4")
    assert (told.code, len(told.logs)) == (0, 4)


def test_get(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """`get` makes one request, and tells when its answer is full."""
    before = len(account.arrivals)
    told = here(capfd, account.url, "get", "--limit", "3")
    assert (told.code, len(told.logs), len(account.arrivals) - before) == (0, 3, 1)
    assert told.err == (
        "infobip-email-logs: the answer is full (3 of 3): there may be more; see pull\n"
    )
    told = here(capfd, account.url, "get", "--bulk-id", account.bulk_ids[0], "--limit", "1000")
    assert (told.code, told.err) == (0, "")


def test_status(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """A group is taken in any case; one that is not documented is asked for, and doubted."""
    told = here(capfd, account.url, "get", "--status", "delivered", "--limit", "1")
    assert len(told.logs) == 1
    told = here(capfd, account.url, "get", "--status", "DELIVERED,REJECTED")
    assert told.code == 0
    assert told.logs == []
    assert "warning: --status DELIVERED,REJECTED: no documented group (ACCEPTED, " in told.err
    assert told.err.endswith("no log matches\n")


def test_xml(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """The same logs come from answers in either form."""
    arguments = ("pull", "--bulk-id", account.bulk_ids[0])
    plain = here(capfd, account.url, *arguments)
    told = here(capfd, account.url, *arguments, "--accept", "xml")
    assert account.arrivals[-1].accept == "application/xml"
    assert told.code == 0
    logs, plain_logs = told.logs, plain.logs
    for log in (*logs, *plain_logs):  # equal numbers, but XML writes them with more digits
        log["price"]["price_per_message"] = Decimal(log["price"]["price_per_message"])
    assert logs == plain_logs


BAD_INPUT = {
    "reversed window": (("--since", "1h", "--until", "2h"), "sent_since ("),
    "no time": (("--since", "soon"), "--since must be a time"),
    "no option": (("--bulkid", "a"), "No such option '--bulkid'"),
    "no number": (("--limit", "x"), "Invalid value for '--limit'"),
    "limit too high": (("--limit", "1001"), "limit must be a whole number from 1 to 1000"),
    "no rate": (("--rate", "fast"), "a limit is written as 60/60s"),
    "no concurrency": (("--concurrency", "0"), "concurrency must be a whole number from 1"),
    "empty id": (("--bulk-id", ""), "bulk_id must not be empty"),
    "no id file": (("--bulk-ids-file", "/nope/x"), "--bulk-ids-file: '/nope/x' can't be read: No"),
    "a folder for ids": (("--bulk-ids-file", "/"), "--bulk-ids-file: '/' can't be read: Is a dir"),
    "empty id file": (
        ("--message-ids-file", "/dev/null"),
        "--message-ids-file: /dev/null holds no",
    ),
    "stdin twice": (("--bulk-ids-file", "-", "--message-ids-file", "-"), "only one of --bulk-ids"),
    "no folder": (("-o", "/nope/x"), "--output: '/nope/x' can't be written: No such file"),
    "a folder": (("-o", "/"), "--output: '/' can't be written: Is a directory"),
    "no report": (("--report", "/nope/x"), "--report: '/nope/x' can't be written: No such file"),
    "stdout twice": (("--report", "-"), "--output and --report are the same: stdout"),
    "unquoted key": (("--api-key", "App", KEY), "an argument that belongs to no option"),
    "plain http": (("--base-url", "http://example.com"), "plain http:// would send"),
    "two kinds": (("--api-key", KEY, "--basic", KEY), "several kinds of credentials: --api-key, "),
    "no base64": (("--basic", KEY), "--basic: "),
    "empty key": (("--api-key", ""), "--api-key: "),
    "no CA file": (("--ca-file", "/nope/x"), "/nope/x can't be used as CA file"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input(capfd: pytest.CaptureFixture[str], account: Sandbox, name: str) -> None:
    """Bad input is one line and exit code 2, before any request."""
    arguments, message = BAD_INPUT[name]
    before = len(account.arrivals)
    told = here(capfd, account.url, "pull", *arguments)
    assert (told.code, told.out) == (2, b"")
    assert told.err.startswith(f"infobip-email-logs: error: {message}")
    assert told.err.count("\n") == 1
    assert len(account.arrivals) == before


def test_credentials_of_arguments(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """Arguments win over the environment, which may add the other half of a user's."""
    user, password = account.credentials.username, account.credentials.password
    environ = environment(account.url, INFOBIP_API_KEY="wrong", INFOBIP_PASSWORD=password)
    assert here(capfd, NOWHERE, "get", "--username", user, env=environ).code == 0
    assert here(capfd, NOWHERE, "get", "--bearer-token", "wrong", env=environ).code == 4
    client = account.credentials
    oauth2 = ("--client-id", client.client_id, "--client-secret", client.client_secret)
    assert here(capfd, NOWHERE, "get", *oauth2, env=environ).code == 0


def test_no_credentials(capfd: pytest.CaptureFixture[str]) -> None:
    """Without credentials nothing is asked, and the line says what to set."""
    told = here(capfd, NOWHERE, "pull", env={})
    assert told.code == 2
    assert "no credentials: set INFOBIP_API_KEY" in told.err


def test_wrong_key(capfd: pytest.CaptureFixture[str], account: Sandbox, tmp_path: Path) -> None:
    """A wrong key is exit code 4, and leaves the last file alone; the report tells it."""
    out, report = tmp_path / "logs.jsonl", tmp_path / "report.json"
    out.write_text("yesterday's\n")
    paths = ("-o", str(out), "--report", str(report))
    told = here(capfd, account.url, "pull", "--api-key", f"{KEY}-not", *paths)
    assert told.code == 4
    assert told.err.startswith("infobip-email-logs: error: HTTP 401")
    assert told.err.count("\n") == 1
    assert out.read_text() == "yesterday's\n"
    assert json.loads(report.read_text())["error"].startswith("HTTP 401")


def test_forbidden(capfd: pytest.CaptureFixture[str]) -> None:
    """Credentials without the scope are exit code 4, and the line names the scope."""
    with served(settings=Settings(forbidden=frozenset({"App"}))) as sandbox:
        told = here(capfd, sandbox.url, "get")
    assert told.code == 4
    assert "email:logs:read" in told.err


def test_unreachable(capfd: pytest.CaptureFixture[str]) -> None:
    """An unreachable host is told attempt by attempt, then as the error: exit code 1."""
    told = here(capfd, NOWHERE, "get", "--attempts", "2")
    assert told.code == 1
    first, second = told.err.splitlines()
    assert first.startswith("infobip-email-logs: attempt 1 failed: http://127.0.0.1:1 can't be")
    assert second.startswith("infobip-email-logs: error: http://127.0.0.1:1 can't be reached")


def test_gaps(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is not proven to be complete is exit code 3, after all that could be had."""
    report = tmp_path / "report.json"
    settings = Settings(page_cap=1000)
    with served(Traffic(bulks=1, bulk_size=(1200, 1200), spread=0.0, loose=0), settings) as sandbox:
        told = here(
            capfd, sandbox.url, "pull", "--bulk-id", sandbox.bulk_ids[0], "--report", str(report)
        )
    assert told.code == 3
    assert len(told.logs) >= 1000
    assert told.err.startswith("infobip-email-logs: error: not proven to be complete")
    written = json.loads(report.read_text())
    assert written["gaps"]
    assert written["complete"] is False


def test_rejects(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A record that can't be decoded goes to its file, beside the good ones: exit code 3."""
    rejects = tmp_path / "rejects.jsonl"
    with served() as sandbox:
        for command in ("pull", "get"):
            sandbox.script(faulty(BAD))
            told = here(capfd, sandbox.url, command, "--rejects", str(rejects))
            assert told.code == 3
            assert [log["message_id"] for log in told.logs] == ["good"]
            (rejected,) = map(json.loads, rejects.read_text().splitlines())
            assert rejected["raw"]["messageId"] == "bad"
            assert rejected["path"].startswith("$.results[1].price")
        sandbox.script(faulty(BAD))
        told = here(capfd, sandbox.url, "pull")
    assert told.code == 1
    assert "$.results[1].price" in told.err


def test_failure_in_the_middle(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A pull that fails leaves what it received, and says in the report how it ended."""
    out, report = tmp_path / "logs.jsonl", tmp_path / "report.json"
    with served(Traffic(bulks=2, bulk_size=(5, 5), loose=0)) as sandbox:
        sandbox.script(None, Fault(500), Fault(500))
        bulks = [text for one in sandbox.bulk_ids for text in ("--bulk-id", one)]
        paths = ("-o", str(out), "--report", str(report), "--concurrency", "1", "--attempts", "2")
        told = here(capfd, sandbox.url, "pull", *bulks, *paths)
    assert told.code == 1
    assert len(out.read_text().splitlines()) == 5
    written = json.loads(report.read_text())
    assert (written["records"], written["retries"], written["complete"]) == (5, 1, False)
    assert written["error"].startswith("HTTP 500")


def test_disk_full(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """A full disk is one line and exit code 1."""
    told = here(capfd, account.url, "pull", "-o", "/dev/full")
    assert told.code == 1
    assert told.err == "infobip-email-logs: error: writing failed: No space left on device\n"


def test_warnings(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """What the package warns of is a line on stderr, and no error."""
    told = here(capfd, account.url, "pull", "--since", "2021-01-02", "--to", "nobody@example.com")
    assert told.code == 0
    assert told.err.startswith("infobip-email-logs: warning: the window begins before the last 48")


def test_verbose(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """A summary is told when asked for."""
    told = here(capfd, account.url, "pull", "--bulk-id", account.bulk_ids[0], "-v")
    assert re.search(r" logs, \d+ requests, 0 times throttled, 0 retries, ", told.err)


def test_hundred_thousand_ids(tmp_path: Path) -> None:
    """Ids from stdin, 100 000 of them, are pulled in as few requests as their length allows."""
    ids = "\n".join(map(str, range(100_000)))
    report = tmp_path / "report.json"
    with served(settings=Settings(v1_limits=(TimeWindow(10_000, 1.0),))) as sandbox:
        told = process(
            sandbox.url,
            *("pull", "--message-ids-file", "-", "--report", str(report), "--rate", "10000/s"),
            stdin=ids.encode(),
        )
    assert told.code == 0, "the service has no log at all, so none is missed"
    assert told.err.count("\n") < 5
    assert len(told.err) < 1000
    written = json.loads(report.read_text())
    assert len(written["missing_ids"]) == 100_000
    assert written["unconfirmed_ids"] == []
    assert written["requests"] < 300


def test_unusual_text(capfd: pytest.CaptureFixture[str]) -> None:
    """Text of any kind is written as JSON that reads back the same."""
    text = 'ü\u2028"\ud800\x1b[31m'
    with served() as sandbox:
        sandbox.script(faulty({"results": [{"messageId": "a", "text": text}]}))
        told = here(capfd, sandbox.url, "get", *GENEROUS)
    assert told.logs[0]["text"] == text


def test_no_escapes_to_the_terminal(capfd: pytest.CaptureFixture[str], account: Sandbox) -> None:
    """Control characters of foreign text don't reach the terminal."""
    told = here(capfd, account.url, "pull", "--bulk-id", "a\x1b[31m")
    assert "a\\x1b[31m" in told.err
    assert "\x1b" not in told.err


def test_the_file_of_ids_is_never_written_over(
    capfd: pytest.CaptureFixture[str], account: Sandbox, tmp_path: Path
) -> None:
    """An output that is the file of ids is refused, and the ids are still there."""
    ids = tmp_path / "ids.txt"
    ids.write_text("a\nb\n")
    told = here(capfd, account.url, "pull", "--message-ids-file", str(ids), "-o", str(ids))
    assert told.code == 2
    assert "--message-ids-file and --output are the same" in told.err
    assert ids.read_text() == "a\nb\n"
