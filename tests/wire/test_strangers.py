"""What strangers sent when the decoders were fuzzed: each let something undocumented out, once."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from infobip_email_logs import DecodeError, LogsPage, LogsQuery, OAuth2
from infobip_email_logs.json_values import DEEPEST, is_too_deep
from infobip_email_logs.wire import Reply, dialect, failure, read

V1 = dialect(1, accept="json", repeat_keys=False)


def page(body: bytes) -> LogsPage:
    """Return a page of version 1, with what can't be decoded in it."""
    steps = read(Reply(200, {}, body), dialect=V1, query=LogsQuery(), page=1, keep_bad=True)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: LogsPage = end.value
            return found


@pytest.mark.parametrize("encoding", ["n", "hex", "utf-7", "idna"])
def test_an_encoding_that_nobody_knows(encoding: str) -> None:
    """It is no XML, be it a page or an error."""
    body = f'<?xml version="1.0" encoding="{encoding}"?><LogsResponse><a>é</a></LogsResponse>'
    with pytest.raises(DecodeError):
        page(body.encode())
    assert failure(Reply(400, {}, body.encode())).text


@pytest.mark.parametrize("beginning", [b"<!--", b"<a x='", b"<", b"<?"])
def test_a_token_without_an_end(beginning: bytes) -> None:
    """It is not begun anew with each chunk: that would take the square of its length."""
    with pytest.raises(DecodeError, match="without an end"):
        page(b"<?xml version='1.0'?>" + beginning + b"x" * (2 << 20))


@pytest.mark.parametrize("filling", [b"x", b" ", b"&amp;", b"]", b"\r\n", b"<![CDATA[y]]>"])
def test_a_long_text_has_no_such_bound(filling: bytes) -> None:
    """A text of some MiB is a text."""
    text = filling * ((2 << 20) // len(filling))
    body = b"<LogsResponse><results><result><text>%b</text></result></results></LogsResponse>"
    (log,) = page(b"<?xml version='1.0'?>" + body % text).logs
    assert log.text


DEEP = [
    lambda depth: b'{"results":[{"x":' + b"[" * depth + b"]" * depth + b"}]}",
    lambda depth: b'{"results":[{"status":{"x":' + b"[" * depth + b"]" * depth + b"}}]}",
    lambda depth: b'{"results":[{"sentAt":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}]}",
    lambda depth: b'{"results":[' + b"[" * depth + b"]" * depth + b"]}",
]


@pytest.mark.parametrize("make", DEEP)
@pytest.mark.parametrize("depth", [40, 300, 600, 900])
def test_a_record_that_is_too_deep(make: Callable[[int], bytes], depth: int) -> None:
    """It is a record that can't be decoded, and what is kept of it can be shown and written."""
    try:
        (reject,) = page(make(depth)).rejects
    except DecodeError:
        return  # Too deep for the parser already.
    pickle.dumps(reject)
    json.dumps(reject.to_dict())
    assert len(repr(reject)) < 2000


def test_a_field_that_is_expected_and_comes_too_deep() -> None:
    """What was a plain value in one record is no way to bring another one in the next."""
    deep = b"[" * 40 + b"]" * 40
    found = page(b'{"results":[{"newlyMet":1},{"newlyMet":2},{"newlyMet":%b}]}' % deep)
    assert [log.extra for log in found.logs] == [{"newlyMet": 1}, {"newlyMet": 2}]
    assert [reject.reason for reject in found.rejects] == [
        f"an unknown field has more than {DEEPEST} levels"
    ]


def test_what_is_deep_enough() -> None:
    """Unknown fields of some levels are kept as they are."""
    value: Any = 1
    for _ in range(DEEPEST - 1):
        value = [value]
    (log,) = page(json.dumps({"results": [{"x": value}]}).encode()).logs
    assert log.extra == {"x": value}
    assert not is_too_deep(value)
    assert is_too_deep([{"a": value}])


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_an_error_that_is_as_deep_as_the_parser_goes(depth: int) -> None:
    """It is told by its status, if it can't be shown."""
    for before, after in ((b"", b""), (b'{"errorCode":', b"}"), (b'{"violations":', b"}")):
        body = before + b"[" * depth + b"]" * depth + after
        assert failure(Reply(500, {}, body)).status == 500
        with pytest.raises(DecodeError):
            page(body)


def test_a_long_value_is_not_repeated() -> None:
    """The reason of what can't be decoded is clipped like the value itself."""
    (reject,) = page(json.dumps({"results": [{"sentAt": "x" * 100_000}]}).encode()).rejects
    assert reject.reason.startswith("Invalid isoformat string")
    assert len(reject.reason) <= 200


def test_a_token_that_lasts_beyond_all_numbers() -> None:
    """It is no token."""
    with pytest.raises(DecodeError, match="no access token"):
        OAuth2("id", "secret").token(b'{"access_token":"a","expires_in":1%b}' % (b"0" * 400), 0.0)


def test_a_page_of_too_many_records() -> None:
    """A hundred times what the service promises is taken, and no more."""
    body = b'{"results":[%b{}]}'
    assert page(body % (b"{}," * 99_999)).size == 100_000
    with pytest.raises(DecodeError, match="100001 records are no page"):
        page(body % (b"{}," * 100_000))
