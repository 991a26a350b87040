"""One request: what goes out, what comes back, and what goes wrong, over real sockets."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from service import all_of, service

from infobip_email_logs import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    DecodeError,
    EmailLogsClient,
    EmailLogsError,
    IbssoToken,
    InvalidInput,
    InvalidState,
    LocalLimiter,
    LogsQuery,
    Network,
    RateLimited,
    Retry,
    RetryPolicy,
    ServerError,
    TimeLimit,
    Timeouts,
    TransportError,
    WaitTooLong,
)
from infobip_email_logs.sandbox import Fault, Sandbox, Settings, TimeWindow

IMPATIENT = RetryPolicy(attempts=1)


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "pick",
    [
        lambda known: ApiKey(known.api_key),
        lambda known: ApiKey(f"App {known.api_key}"),
        lambda known: Basic(known.username, known.password),
        lambda known: IbssoToken(known.ibsso_token),
        lambda known: Bearer(known.bearer_token),
    ],
)
async def test_each_way_of_authorization_is_accepted(pick: Callable[[Any], Auth]) -> None:
    """The service lets all four in."""
    async with (
        Sandbox() as sandbox,
        EmailLogsClient(sandbox.url, pick(sandbox.credentials)) as client,
    ):
        await client.get_page(LogsQuery(limit=1))


async def test_a_page_is_exactly_one_request() -> None:
    """The query travels as it is, without a limit of our own."""
    async with service() as (sandbox, client):
        page = await client.get_page(LogsQuery(bulk_id=sandbox.bulk_ids[0]))
        (arrival,) = sandbox.arrivals
        assert arrival.query == f"bulkId={sandbox.bulk_ids[0]}"
        truth = sandbox.matching(bulk_id=sandbox.bulk_ids[0])
        assert page.size == min(len(truth), 50)
        assert page.full == (len(truth) >= 50)


async def test_a_page_without_a_query_is_the_latest_fifty() -> None:
    """That is the service's default, and the page says that it may be cut."""
    async with service() as (sandbox, client):
        page = await client.get_page()
        assert (page.size, page.limit, page.full) == (50, 50, True)
        assert sandbox.arrivals[0].query == ""


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(500), ServerError),
        (Fault(429, headers={"Retry-After": "1"}), RateLimited),
        (Fault(disconnect="before_headers"), TransportError),
    ],
    ids=str,
)
async def test_attempts_are_bounded(fault: Fault, kind: type[EmailLogsError]) -> None:
    """After the last attempt the error is the last one's, with what caused it."""
    async with service(Settings(fault=fault), retry=RetryPolicy(attempts=3)) as (sandbox, client):
        with pytest.raises(kind) as caught:
            await client.get_page()
        assert len(sandbox.arrivals) == 3
    if kind is RateLimited:
        assert "delivery reports" in str(caught.value)
    if kind is TransportError:
        assert isinstance(caught.value.__cause__, aiohttp.ClientError)


async def test_patience_is_bounded_by_time() -> None:
    """No attempt begins later than the total after the first failure."""
    async with service(Settings(fault=Fault(500)), retry=RetryPolicy(attempts=1000, total=60)) as (
        sandbox,
        client,
    ):
        start = now()
        with pytest.raises(ServerError):
            await client.get_page()
        assert 20 < now() - start < 61
        assert 4 < len(sandbox.arrivals) < 40


async def test_a_429_that_asks_for_too_long_is_told_at_once() -> None:
    """An hour is longer than a request is patient; others need not ask to learn it."""
    fault = Fault(429, headers={"Retry-After": "3600"})
    async with service() as (sandbox, client):
        sandbox.script(fault)
        start = now()
        with pytest.raises(RateLimited, match="delivery reports") as caught:
            await client.get_page()
        assert caught.value.retry_after == 3600
        with pytest.raises(WaitTooLong) as refused:
            await client.get_page()
        assert refused.value.wait == pytest.approx(3600)
        assert now() == start
        assert len(sandbox.arrivals) == 1


async def test_a_429_makes_everybody_wait() -> None:
    """One caller's 429 keeps all the others silent until its deadline."""
    async with service() as (sandbox, client):
        sandbox.script(Fault(429, headers={"Retry-After": "20"}))
        start = now()
        first = asyncio.create_task(client.get_page())
        while client._limiter.pause == 0:
            await asyncio.sleep(0.01)
        await asyncio.gather(first, *(client.get_page() for _ in range(5)))
        first_of_all, *others = (round(arrival.at - start) for arrival in sandbox.arrivals)
        assert first_of_all == 0
        assert others == [20, 20, 21, 23, 25, 27]  # a burst of two; then at the rate that is left


async def test_lookups_pass_bulk_pulls_in_the_line() -> None:
    """Whoever waits for one log, or one page, goes before a pull that asked first."""
    async with service(limit="1/60s") as (sandbox, client):
        message_id = sandbox.message_ids[0]
        await client.get_page(LogsQuery(limit=1))
        pull = asyncio.create_task(all_of(client.logs_by_bulk_id(sandbox.bulk_ids[0])))
        await asyncio.sleep(1)
        await asyncio.gather(client.get_page(LogsQuery(limit=2)), client.get_log(message_id))
        assert not pull.done()
        await pull
        asked = [arrival.query.partition("=")[0] for arrival in sandbox.arrivals]
        assert asked[:4] == ["limit", "limit", "messageId", "bulkId"]


async def test_a_caller_may_be_impatient() -> None:
    """`max_wait` raises at once when the wait for the limit is known to exceed it."""
    async with service(limit="1/60s") as (_, client):
        await client.get_page()
        with pytest.raises(WaitTooLong):
            await client.get_page(max_wait=10)


async def test_an_unreachable_host_is_a_transport_error() -> None:
    """Its address may be wrong: it is tried three times, costs no token, and is told."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        limiter = LocalLimiter(TimeLimit(1, per=1000))
        told: list[Retry] = []
        async with EmailLogsClient(
            url, ApiKey("k"), limiter=limiter, on_retry=told.append
        ) as client:
            with pytest.raises(TransportError, match=f"{url} can't be reached") as caught:
                await client.get_page()
            assert caught.value.sent is False
            assert len(told) == 2
            (await limiter.acquire(max_wait=0)).unused()


async def test_a_service_that_goes_away_is_waited_for() -> None:
    """Once it has answered, its address is right, and all attempts are made."""
    told: list[Retry] = []
    async with Sandbox() as sandbox:
        auth = ApiKey(sandbox.credentials.api_key)
        client = EmailLogsClient(sandbox.url, auth, on_retry=told.append)
        await client.get_page()
    async with client:
        with pytest.raises(TransportError):
            await client.get_page()
    assert len(told) == 7


async def test_a_slow_service_is_given_up() -> None:
    """The total timeout bounds an attempt."""
    async with service(
        Settings(fault=Fault(delay=100)), retry=IMPATIENT, timeouts=Timeouts(total=5)
    ) as (_, client):
        start = now()
        with pytest.raises(TransportError, match="did not answer in time"):
            await client.get_page()
        assert now() - start == pytest.approx(5, abs=0.5)


async def test_an_answer_may_be_compressed() -> None:
    """Compression is asked for and understood."""
    async with service(Settings(gzip=True)) as (_, client):
        assert (await client.get_page()).size == 50


async def test_the_size_of_an_answer_is_bounded() -> None:
    """An endless body is given up, and the message says how to allow more."""
    async with service(Settings(fault=Fault(endless=True)), network=Network(max_body=1 << 20)) as (
        _,
        client,
    ):
        with pytest.raises(DecodeError, match="max_body"):
            await client.get_page()


async def test_an_old_window_is_warned_about_by_the_services_clock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What begins before the last 48 hours is warned about once, and asked for all the same."""
    async with service() as (sandbox, client):
        query = LogsQuery(sent_since=sandbox.now() - timedelta(hours=49))
        await client.get_page(query)
        await client.get_page(query)
        await client.get_page(LogsQuery(sent_since=sandbox.now() - timedelta(hours=47)))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "48 hours" in caplog.text


async def test_the_announcement_of_an_end_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Deprecation and sunset headers are a warning."""
    settings = Settings(deprecation="true", sunset="Wed, 01 Dec 2027 00:00:00 GMT")
    async with service(settings) as (_, client):
        await client.get_page()
        await client.get_page()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Sunset: Wed, 01 Dec 2027" in caplog.text


async def test_a_record_that_cannot_be_decoded_is_named_with_its_page() -> None:
    """The error of a page says where to look."""
    body = '{"results":[{"messageId":"a"},{"messageId":"b","sentAt":"soon"}]}'
    async with service(Settings(fault=Fault(200, body))) as (_, client):
        with pytest.raises(DecodeError, match=r"\$\.results\[1\]\.sentAt"):
            await client.get_page()
    async with service(Settings(fault=Fault(200, body)), on_bad_record="keep") as (_, client):
        page = await client.get_page()
        assert [log.message_id for log in page.logs] == ["a"]
        assert page.rejects[0].raw["messageId"] == "b"


async def test_a_filter_that_is_ignored_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """Records that were not asked for are named, not believed."""
    async with service(Settings(ignored_filters={"bulkId"})) as (sandbox, client):
        query = LogsQuery(bulk_id=sandbox.bulk_ids[0], limit=1000)
        page = await client.get_page(query)
        truth = sandbox.matching(bulk_id=sandbox.bulk_ids[0])
        assert len(page.logs) == len(truth)
        assert page.contradictions == {"bulk_id": page.size - len(truth)}
    assert "bulk_id" in caplog.text


async def test_a_session_of_the_callers_is_used_and_left_open() -> None:
    """It is never closed by us, and its closing is noticed."""
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        auth = ApiKey(sandbox.credentials.api_key)
        async with EmailLogsClient(sandbox.url, auth, session=session) as client:
            await client.get_page()
        assert not session.closed
        client = EmailLogsClient(sandbox.url, auth, session=session)
        await session.close()
        with pytest.raises(InvalidState, match="session"):
            await client.get_page()


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated")
async def test_a_session_with_credentials_of_its_own_is_refused() -> None:
    """Two `Authorization` headers can't be sent."""
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession(auth=aiohttp.BasicAuth("a", "b")) as session,
    ):
        client = EmailLogsClient(sandbox.url, ApiKey("k"), session=session)
        with pytest.raises(InvalidInput, match=r"(?i)authorization"):
            await client.get_page()


async def test_middlewares_of_a_callers_session_still_run() -> None:
    """Ours is added to them."""
    seen: list[str] = []

    async def watch(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    async with Sandbox() as sandbox, aiohttp.ClientSession(middlewares=[watch]) as session:
        auth = ApiKey(sandbox.credentials.api_key)
        async with EmailLogsClient(sandbox.url, auth, session=session) as client:
            await client.get_page()
    assert seen == ["GET"]


async def test_a_closed_client_says_so() -> None:
    """After `close`, nothing is asked, and no session is made anew."""
    async with service() as (sandbox, client):
        pull = client.logs()
        await client.close()
        with pytest.raises(InvalidState, match="closed"):
            await client.get_page()
        with pytest.raises(InvalidState, match="closed"):
            client.logs()
        with pytest.raises(InvalidState, match="closed"):
            await all_of(pull)
        await client.close()
        assert sandbox.arrivals == []


async def test_closing_ends_what_still_runs() -> None:
    """A request under way fails instead of opening new connections."""
    async with service(Settings(fault=Fault(delay=10))) as (sandbox, client):
        task = asyncio.create_task(client.get_page())
        while not sandbox.arrivals:
            await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(EmailLogsError):
            await task
        assert len(sandbox.arrivals) == 1


async def test_closing_is_told_to_those_who_wait_for_the_limit() -> None:
    """They need not wait for a turn that they can't take; a limiter of others is left alone."""
    async with service(limit="1/1000s") as (_, client):
        await client.get_page()
        waiting = [asyncio.create_task(client.get_page()) for _ in range(3)]
        await asyncio.sleep(1)
        start = now()
        await client.close()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in done] == [InvalidState] * 3
        assert now() == start
    shared = LocalLimiter(TimeLimit(1, per=10))
    async with service(limiter=shared) as (_, client):
        await client.get_page()
        patient = asyncio.create_task(shared.acquire())
        await asyncio.sleep(1)
        await client.close()
        (await patient).unused()


async def test_another_event_loop_is_told_to_make_its_own_client() -> None:
    """A client belongs to the loop it was first used on."""
    async with service() as (_, client):
        await client.get_page()

        def elsewhere() -> str:
            try:
                asyncio.run(client.get_page())
            except InvalidState as error:
                return str(error)
            return "no error"

        assert "another event loop" in await asyncio.to_thread(elsewhere)


async def test_dead_connections_cost_a_token_for_every_request_on_the_wire() -> None:
    """Nothing is sent again unasked: arrivals are never more than tokens."""
    limiter = _CountingLimiter(TimeLimit(1000, per=60))
    async with service(Settings(v1_limits=()), limiter=limiter) as (sandbox, client):
        await asyncio.gather(*(client.get_page() for _ in range(5)))
        sandbox.script(*[Fault(disconnect="before_headers")] * 5)
        await asyncio.gather(*(client.get_page() for _ in range(5)))
        assert len(sandbox.arrivals) == limiter.admitted == 15


class _CountingLimiter(LocalLimiter):
    """Counts the permits that it gives."""

    admitted = 0

    async def acquire(self, **options: Any) -> Any:
        """Count one more."""
        self.admitted += 1
        return await super().acquire(**options)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://api.example.com", "in clear"),
        ("ftp://api.example.com", "must be an address"),
        ("https://", "must be an address"),
        ("https://user:made-up-secret@api.example.com", "no user"),
        ("https://api.example.com?x=made-up-secret", "no user"),
        ("https://api.example.com:99999", "must be an address"),
        ("https://[::1", "must be an address"),
        ("http://127.0.0.1.example.com", "in clear"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused(url: str, told: str) -> None:
    """The message says what to do, and holds no credential."""
    with pytest.raises(InvalidInput, match=told) as caught:
        EmailLogsClient(url, ApiKey("k"))
    assert "made-up-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, "https://api.infobip.com"),
        ("xyz.api.infobip.com", "https://xyz.api.infobip.com"),
        ("https://xyz.api.infobip.com///", "https://xyz.api.infobip.com"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080/x/", "http://[::1]:8080/x"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080"),
    ],
)
def test_a_base_url_is_completed(url: str | None, shown: str) -> None:
    """`https://` is added, slashes at the end are cut, the shared host is the default."""
    assert shown in repr(EmailLogsClient(url, ApiKey("made-up-secret")))
    assert "made-up-secret" not in repr(EmailLogsClient(url, ApiKey("made-up-secret")))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "8"}, "concurrency"),
        ({"max_ids_length": 0}, "max_ids_length"),
        ({"on_bad_record": "drop"}, "raise, keep"),
        ({"limit": "60/abc"}, "60/60s"),
        ({"limit": "1/s", "limiter": LocalLimiter(TimeLimit(1))}, "not both"),
        ({"network": "proxy"}, "network"),
        ({"auth": "key"}, "ApiKey"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(options: dict[str, Any], told: str) -> None:
    """Each with one clear error, when the client is built."""
    with pytest.raises(InvalidInput, match=told):
        EmailLogsClient(None, **{"auth": ApiKey("k"), **options})


@pytest.mark.parametrize(
    "build",
    [
        lambda: Timeouts(total=0),
        lambda: Timeouts(connect=float("nan")),
        lambda: RetryPolicy(attempts=0),
        lambda: RetryPolicy(total=-1),
        lambda: EmailLogsClient(None, ApiKey("k"), network=Network(ca_file="no such file")),
        lambda: Network(proxy="proxy.example.com:8080"),
        lambda: Network(max_body=0),
    ],
)
def test_settings_that_cannot_be_used_are_refused(build: Callable[[], object]) -> None:
    """Each with one clear error, when it is built."""
    with pytest.raises(InvalidInput):
        build()


def test_certificate_authorities_are_added_to_the_systems() -> None:
    """A CA file does not take the others' place, and a context of one's own is used as it is."""
    known = ssl.create_default_context()
    network = Network(ca_file=str(Path(__file__).parent / "data" / "authority.pem"))
    context = network.verification()
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509"] == known.cert_store_stats()["x509"] + 1
    assert Network(ssl_context=known).verification() is known
    assert Network().verification() is True


async def test_requests_are_spread_over_the_limit() -> None:
    """600 requests, 50 at a time, through 60 in 3 s: no 429, at most 1.05 x the best possible."""
    settings = Settings(v1_limits=[TimeWindow(60, 3.0)], latency=(0.02, 0.12))
    async with service(settings, limit="60/3s", concurrency=50) as (sandbox, client):
        start = now()
        room = asyncio.Semaphore(50)

        async def one() -> None:
            async with room:
                await client.get_page(LogsQuery(limit=1))

        await asyncio.gather(*(one() for _ in range(600)))
        assert sandbox.throttled == 0
        assert len(sandbox.arrivals) == 600
        assert now() - start <= 27 * 1.05
