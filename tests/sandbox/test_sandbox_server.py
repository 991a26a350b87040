"""The sandbox as a server: its clock, its address, its trace."""

import ast
import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asking import NOW, V1, asking, sent

import infobip_email_logs.sandbox
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, Traffic


async def test_the_clock_goes_with_the_loop() -> None:
    """The wall clock starts where it is told and goes with the loop's time."""
    async with asking() as (sandbox, ask):
        await asyncio.sleep(90)
        assert sandbox.now() == NOW + timedelta(seconds=90)
        assert (await ask(V1)).headers["Date"] == "Wed, 01 Jul 2026 12:01:30 GMT"


async def test_the_clock_starts_now() -> None:
    """Without a word about it, the wall clock is the real one."""
    async with Sandbox() as sandbox:
        assert abs(sandbox.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_no_clock_before_the_start() -> None:
    """A sandbox that does not run has no clock and no address."""
    sandbox = Sandbox()
    assert sandbox.url == ""
    with pytest.raises(RuntimeError, match="has not started"):
        sandbox.now()


async def test_the_clock_needs_a_time_zone() -> None:
    """A wall clock without a time zone is refused."""
    with pytest.raises(ValueError, match="aware"):
        async with Sandbox(now=NOW.replace(tzinfo=None)):
            pass


async def test_arrivals_tell_what_came() -> None:
    """Each request leaves a trace, in the order of arrival."""
    async with asking(records=[sent("a", 1)]) as (sandbox, ask):
        await ask(f"{V1}?to=a%2Bb", Accept="application/json")
        await ask("/elsewhere?x=1")
        first, second = sandbox.arrivals
    assert (first.method, first.path, first.query) == ("GET", V1, "to=a%2Bb")
    assert (first.version, second.version) == (1, None)
    assert (first.status, second.status) == (200, 404)
    assert (first.records, first.accept, first.error) == (0, "application/json", "")
    assert first.connection == second.connection == 1
    assert first.at <= second.at
    assert not first.throttled
    assert second.fault is None


async def test_requests_at_once() -> None:
    """Requests at once are answered at once, each on its connection."""
    async with asking(traffic=Traffic(), settings=Settings(latency=(1.0, 1.0))) as (sandbox, ask):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(ask(f"{V1}?limit=1000") for _ in range(20)))
        assert loop.time() - began == pytest.approx(1)
        assert {arrival.connection for arrival in sandbox.arrivals} == set(range(1, 21))


async def test_a_client_that_left_is_counted() -> None:
    """A request on its way arrives though its client has given up meanwhile."""
    async with asking(settings=Settings(latency=(2.0, 2.0))) as (sandbox, ask):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await ask(V1)
        await asyncio.sleep(3)
        assert len(sandbox.arrivals) == 1


@pytest.mark.parametrize(
    ("host", "warns"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)]
)
async def test_others_can_reach_it(
    *, host: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Listening where others can reach it is worth a warning."""
    async with Sandbox(host=host) as sandbox:
        assert sandbox.url.startswith(f"http://{host}:")
    assert any(record.levelno == logging.WARNING for record in caplog.records) == warns


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_other_names_of_this_machine(host: str) -> None:
    """The loopback can be named, or be the one of IPv6."""
    try:
        async with asking(host=host, records=[sent("a", 1)]) as (_, ask):
            assert (await ask(V1)).ids == ["a"]
    except OSError:
        pytest.skip("this machine has no such address")


async def test_a_port_can_be_chosen() -> None:
    """A port that is free again can be taken; one that is taken cannot."""
    async with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with Sandbox(port=port):
                pass
    async with Sandbox(port=port) as second:
        assert second.url == first.url


async def test_the_log_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Only a slip of the client's is worth a line in the log, and none has a credential in it."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "asyncio")
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(500))
        await ask(V1)
        await ask(V1, Authorization="App wrong")
        assert caplog.records == []
        assert sandbox.credentials.password not in repr(sandbox.credentials)
    async with asking() as (sandbox, ask):
        await ask(f"{V1}?limit=0")
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("/email/1/logs is malformed: limit must be")


async def test_a_failing_test_still_ends_it() -> None:
    """An error inside the context passes, and the port is free again."""
    sandbox = Sandbox()
    with pytest.raises(ZeroDivisionError):
        async with sandbox:
            _ = 1 / 0
    async with Sandbox(port=int(sandbox.url.rpartition(":")[2])):
        pass


def test_it_is_an_independent_witness() -> None:
    """The sandbox imports nothing of the package, lest both misunderstand the service alike."""
    for path in Path(infobip_email_logs.sandbox.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1
                assert not (node.module or "").startswith("infobip_email_logs")


def test_all_public_names_are_there() -> None:
    """What is promised can be imported."""
    public = infobip_email_logs.sandbox
    assert all(hasattr(public, name) for name in public.__all__)
