"""Nothing tells a credential: neither what trackers of errors capture, nor debug mode, nor a log.

That no test of the whole suite does is seen to by `leaks.py`; here is what it would not come by.
"""

import asyncio
import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from credentials import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    FORMS,
    KEY,
    PASSWORD,
    SESSION_TOKEN,
    USER,
    accepted,
)
from origins import origin
from service import SMALL, all_of
from watch import WATCH

from infobip_email_logs import (
    ApiKey,
    Basic,
    Bearer,
    EmailLogsClient,
    EmailLogsError,
    IbssoToken,
    InvalidInput,
    LogsQuery,
    Network,
    OAuth2,
    RetryPolicy,
    Timeouts,
    from_environment,
)
from infobip_email_logs.sandbox import Fault, Sandbox, Settings
from infobip_email_logs.secret import Secret, blanked
from infobip_email_logs.wire import Reply

ALL: dict[str, Callable[[], Any]] = {
    "key": lambda: ApiKey(KEY),
    "password": lambda: Basic(USER, PASSWORD),
    "session token": lambda: IbssoToken(SESSION_TOKEN),
    "access token": lambda: Bearer(ACCESS_TOKEN),
    "client credentials": lambda: OAuth2(CLIENT_ID, CLIENT_SECRET),
}

TROUBLE = {
    "refused": Fault(400),
    "unauthorized": Fault(401),
    "failed": Fault(500, "oops"),
    "throttled": Fault(429),
    "no page": Fault(200, "<html>"),
    "a bad record": Fault(200, '{"results": [{"sentAt": "soon"}]}'),
    "too large": Fault(200, "x" * 200_000),
    "reset": Fault(disconnect="before_headers"),
    "cut": Fault(disconnect="in_body"),
    "late": Fault(delay=100),
}


def told(said: str) -> list[str]:
    """Return which credentials a text tells."""
    return sorted({name for name, form in FORMS if form in said.encode()})


def captured(error: BaseException) -> str:
    """Return what a tracker of errors sends away: a traceback with the variables of its frames.

    Those of the tests themselves are left out: they hold credentials as text.
    """
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    for one in (trace, trace.__cause__, trace.__context__):
        for frame in one.stack if one else ():
            if frame.filename.startswith(str(Path(__file__).parent)):
                frame.locals = None
    return "".join(trace.format())


@pytest.mark.parametrize(
    ("kind", "name"),
    [*((kind, "failed") for kind in ALL), *(("client credentials", name) for name in TROUBLE)],
)
async def test_the_variables_of_frames_tell_no_credential(kind: str, name: str) -> None:
    """Whatever goes wrong with a request, for whatever credentials."""
    auth = ALL[kind]()
    options: dict[str, Any] = {
        "retry": RetryPolicy(attempts=2),
        "timeouts": Timeouts(total=5),
        "network": Network(max_body=100_000),
    }
    settings = Settings(fault=TROUBLE[name])
    async with (
        Sandbox(settings=settings, credentials=accepted()) as sandbox,
        EmailLogsClient(sandbox.url, auth, **options) as client,
    ):
        with pytest.raises(EmailLogsError) as caught:
            await client.get_page(LogsQuery(limit=1))
    shown = captured(caught.value)
    assert "infobip_email_logs/asking.py" in shown
    assert "/aiohttp/" not in shown  # Its frames hold what is sent, and who knows in which form.
    assert told(shown) == []


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\n\n" + '{"access_token": "' + ACCESS_TOKEN + '", "expires_in": -1}',
        "HTTP/1.1 200 OK\n\n" + '{"access_token": "' + ACCESS_TOKEN + ' x"}',
        "HTTP/1.1 401 No\n\n" + '{"error": "invalid_client"}',
        "HTTP/1.1 500 Oops\n\n" + f'{{"client_secret": "{CLIENT_SECRET}"}}',
        "HTTP/1.1 nonsense\n\n",
        "",
    ],
)
async def test_a_token_that_is_not_had_is_not_shown(answer: str) -> None:
    """Neither half of it, nor what was given for it."""
    async with origin(answer.replace("\n", "\r\n").encode(), close=True) as service:
        auth, retry = OAuth2(CLIENT_ID, CLIENT_SECRET), RetryPolicy(attempts=2)
        async with EmailLogsClient(service.url, auth, retry=retry) as client:
            with pytest.raises(EmailLogsError) as caught:
                await client.get_page()
    assert told(captured(caught.value)) == []


async def test_a_cancelled_request_tells_no_credential() -> None:
    """The frames that a cancelled task came through are those of this package."""
    async with (
        Sandbox(settings=Settings(latency=(100, 100)), credentials=accepted()) as sandbox,
        EmailLogsClient(sandbox.url, Basic(USER, PASSWORD)) as client,
    ):
        task = asyncio.create_task(client.get_page())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert told(captured(caught.value)) == []


@pytest.mark.parametrize("kind", ALL)
async def test_debug_mode_tells_no_credential(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every step of the loop is logged with what it is made of, and every request of aiohttp's."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    caplog.set_level(logging.DEBUG)
    settings = Settings(token_lifetime=1, latency=(0.1, 0.5), gzip=True)
    async with (
        Sandbox(traffic=SMALL, settings=settings, credentials=accepted()) as sandbox,
        EmailLogsClient(sandbox.url, ALL[kind]()) as client,
    ):
        sandbox.script(Fault(500), Fault(disconnect="before_headers"))
        await all_of(client.logs_by_bulk_id(sandbox.bulk_ids))
    assert len(caplog.records) > 100
    assert told(caplog.text) == []


def test_what_is_shown_of_credentials() -> None:
    """Alone, as their fields, as their header, within a dict: their kind, and stars."""
    for make in ALL.values():
        auth = make()
        header = getattr(auth, "header", lambda: Secret(KEY))()
        for one in (auth, [auth], vars_of(auth), {"Authorization": header}, copy.deepcopy(auth)):
            assert told(repr(one)) == []
        assert repr(header) == "'***'"
        assert pickle.loads(pickle.dumps(auth)) == auth
        assert repr(pickle.loads(pickle.dumps(vars_of(auth)))) == repr(vars_of(auth))


def vars_of(auth: Any) -> dict[str, Any]:
    """Return the fields of credentials."""
    return attrs.asdict(auth)


def test_variables_that_cannot_be_used_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error does not lead to the frames in which a value was looked at."""
    monkeypatch.setenv("INFOBIP_API_KEY", f"{KEY} x")
    with pytest.raises(InvalidInput, match="INFOBIP_API_KEY") as caught:
        from_environment()
    assert caught.value.__context__ is None
    assert told(captured(caught.value)) == []


async def test_credentials_of_ones_own_are_hidden_as_well() -> None:
    """A plain text as header is hidden from there on; what is no text is refused."""

    class Own:
        header_value: Any = f"App {KEY}"

        def header(self) -> Any:
            return self.header_value

    async with Sandbox(credentials=accepted()) as sandbox:
        own = Own()
        async with EmailLogsClient(sandbox.url, own, retry=RetryPolicy(attempts=1)) as client:
            await client.get_page()
            sandbox.settings.fault = Fault(500)
            with pytest.raises(EmailLogsError) as caught:
                await client.get_page()
            assert told(captured(caught.value)) == []
            own.header_value = None
            with pytest.raises(InvalidInput, match="text"):
                await client.get_page()


def test_a_reply_shows_no_body() -> None:
    """It may hold a token, an address, or a text."""
    assert ACCESS_TOKEN not in repr(Reply(200, {}, ACCESS_TOKEN.encode()))


def test_what_is_blanked_out() -> None:
    """The secret to the letter, in its length; one that may be any word is left."""
    assert blanked("a secret-key b", Secret("secret-key")) == f"a {'*' * 10} b"
    assert blanked(b"a secret-key b", "secret-key") == b"a ********** b"
    assert blanked("key", "key") == "key"
    assert blanked("", "") == ""
    assert blanked("p\xe4ss-word", "p\xe4ss-word") == "*********"


PEOPLE = ("ada@example.com", "Dear Ada, your code is 123456")


async def test_addresses_and_texts_are_logged_at_debug_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a service repeats of a query or of a record, and whatever goes wrong."""
    caplog.set_level(logging.INFO, "asyncio")
    caplog.set_level(logging.DEBUG)
    address, text = PEOPLE
    repeats = f'{{"errorCode": "E500", "description": "{address}: {text}"}}'
    record = f'{{"messageId": "a", "to": "{address}", "text": "{text}"'
    answers = [
        Fault(500, repeats),
        Fault(429, repeats),
        Fault(200, f'{{"results": [{record}, "sentAt": "{address}"}}]}}'),
        Fault(200, f'{{"results": [{record}, "bulkId": "b"}}]}}'),
        Fault(400, repeats),
        Fault(200, text),
    ]
    query = LogsQuery(destination=address, bulk_id="c")
    async with Sandbox(credentials=accepted()) as sandbox:
        for keep in ("raise", "keep"):
            sandbox.script(*answers)
            async with EmailLogsClient(
                sandbox.url, ApiKey(KEY), on_bad_record=keep, concurrency=1
            ) as client:
                for _ in range(4):
                    try:
                        await all_of(client.logs(query))
                    except EmailLogsError:
                        continue
    loud = [one.getMessage() for one in caplog.records if one.levelno > logging.DEBUG]
    quiet = [one.getMessage() for one in caplog.records if one.levelno == logging.DEBUG]
    assert any("HTTP 500" in one for one in loud)
    assert any("does not keep" in one for one in loud)
    assert not [one for one in loud if any(words in one for words in PEOPLE)]
    assert [one for one in quiet if address in one]


def test_the_watch_is_awake() -> None:
    """The plugin that looks through all output is a part of this run."""
    assert EmailLogsError.__init__.__name__ == "noted"
    assert WATCH.found == []
