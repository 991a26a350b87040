"""Everything that can go wrong, scripted."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError, ClientOSError, ClientPayloadError
from asking import V1, V4, Asker, asking, sent

from infobip_email_logs.sandbox import Fault, Sandbox, Settings

ONE = [sent("a", 1, text=1000 * "long ")]


async def test_faults_come_in_their_order() -> None:
    """Each request meets the next fault of the script; None, or the script's end, is none."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(500), None, Fault(503, headers={"Retry-After": "7"}))
        replies = [await ask(V1) for _ in range(4)]
        assert [arrival.fault and arrival.fault.status for arrival in sandbox.arrivals] == [
            500,
            None,
            503,
            None,
        ]
    assert [reply.status for reply in replies] == [500, 200, 503, 200]
    assert replies[2].headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        (V1, 500, "GENERAL_ERROR"),
        (V4, 500, "E500"),
        (V4, 503, "E503"),
        (V1, 418, "BAD_REQUEST"),
        (V1, 429, "TOO_MANY_REQUESTS"),
        (V4, 307, "E307"),
    ],
)
async def test_a_fault_is_worded_by_the_service(path: str, status: int, word: str) -> None:
    """Without a body of its own, an error has the words of the version."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(status))
        reply = await ask(path)
        assert (reply.status, sandbox.throttled) == (status, 0)
    assert word in reply.body


async def test_a_proxy_in_front() -> None:
    """A fault can be any body of any kind, also with a status that is fine."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(502, "<h1>Bad gateway</h1>", content_type="text/html"))
        sandbox.script(Fault(body=b'{"results": [{'))
        proxy, broken = [await ask(V1) for _ in range(2)]
    assert (proxy.status, proxy.body) == (502, "<h1>Bad gateway</h1>")
    assert proxy.headers["Content-Type"] == "text/html"
    assert (broken.status, broken.body) == (200, '{"results": [{')
    assert broken.headers["Content-Type"] == "application/json"


async def test_a_redirect() -> None:
    """A fault can send elsewhere."""
    async with asking() as (sandbox, ask):
        sandbox.script(Fault(302, headers={"Location": "https://example.com/"}))
        reply = await ask(V1)
    assert (reply.status, reply.headers["Location"]) == (302, "https://example.com/")


async def test_a_fault_is_counted() -> None:
    """A request that meets a fault has arrived, and counts."""
    async with asking() as (sandbox, ask):
        sandbox.script(*(Fault(500) for _ in range(60)))
        statuses = [(await ask(V1)).status for _ in range(61)]
        assert statuses == [500] * 60 + [429]
        assert sandbox.throttled == 1


async def test_a_delay() -> None:
    """A fault can be a good answer that is late."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(delay=30.0))
        began = asyncio.get_running_loop().time()
        assert (await ask(V1)).ids == ["a"]
        assert asyncio.get_running_loop().time() - began == pytest.approx(30)


async def test_a_fault_for_all() -> None:
    """A fault in the settings meets every request that the script has none for."""
    async with asking(settings=Settings(fault=Fault(503))) as (sandbox, ask):
        sandbox.script(Fault(500))
        assert [(await ask(V1)).status for _ in range(3)] == [500, 503, 503]


async def test_a_reset_of_a_used_connection() -> None:
    """A kept connection can be reset instead of an answer; the next request has a new one."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(None, Fault(disconnect="before_headers"), Fault(disconnect="before_headers"))
        await ask(V1)
        with pytest.raises(ClientOSError, match="reset"):
            await _post(sandbox, ask)
        with pytest.raises(ClientError):
            await _post(sandbox, ask)
        assert (await ask(V1)).ids == ["a"]
        assert [arrival.status for arrival in sandbox.arrivals] == [200, None, None, 200]
        assert [arrival.connection for arrival in sandbox.arrivals] == [1, 1, 2, 3]


async def _post(sandbox: Sandbox, ask: Asker) -> None:
    """Ask in a way that aiohttp does not repeat by itself."""
    async with ask.session.post(sandbox.url + V1):
        pass


async def test_a_truncated_body() -> None:
    """A connection can be closed in the middle of the body, which shows."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(Fault(disconnect="in_body"))
        with pytest.raises(ClientPayloadError):
            await ask(V1)
        assert sandbox.arrivals[0].status == 200


@pytest.mark.parametrize("fault", [Fault(stalls=True), Fault(endless=True), Fault(delay=1e6)])
async def test_patience_ends(fault: Fault) -> None:
    """An answer that stops halfway, or never ends, or never begins, is left by the client."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.script(fault)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ask(V1)
        assert (await ask(V1)).ids == ["a"]


@pytest.mark.parametrize("fault", [Fault(stalls=True), Fault(endless=True), Fault(delay=1e6)])
async def test_the_sandbox_ends_at_once(fault: Fault) -> None:
    """Leaving the sandbox drops requests in flight, and takes no time."""
    async with asking(records=ONE) as (sandbox, ask):
        sandbox.settings.fault = fault
        loop = asyncio.get_running_loop()
        async with Sandbox(settings=Settings(fault=fault)) as other:
            asker = Asker(ask.session, other)
            asked = [asyncio.create_task(asker(V1)) for _ in range(3)]
            await asyncio.sleep(0.5)
            began = loop.time()
        assert loop.time() - began < 0.1
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, ClientError) for result in results)


@pytest.mark.parametrize(
    ("kind", "options"), [(Fault, {"disconnect": "never"}), (Settings, {"order": "upwards"})]
)
def test_typing_errors_are_refused(kind: Any, options: dict[str, str]) -> None:
    """A fault or a setting that does not exist is refused at once."""
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
