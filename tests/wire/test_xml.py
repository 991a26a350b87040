"""Answers in XML: the same logs as in JSON, from a parser that takes nothing dangerous."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs import DecodeError, EmailLog, LogError, LogsPage, LogsQuery, ServerError
from infobip_email_logs.wire import V1, Reply, failure, read, v1_xml

XML = {"content-type": "application/xml"}


def page_of(body: bytes, headers: dict[str, str] | None = None) -> tuple[LogsPage, int]:
    """Decode a body to its end; return the page and the number of slices."""
    reply = Reply(200, XML if headers is None else headers, body)
    slices = read(reply, dialect=V1, query=LogsQuery(), page=1, keep_bad=True)
    count = 0
    while True:
        try:
            next(slices)
        except StopIteration as end:
            page: LogsPage = end.value
            return page, count
        count += 1


def response(*records: str) -> bytes:
    """Return an answer with these records."""
    results = "".join(f"<result>{record}</result>" for record in records)
    return f"<LogsResponse><results>{results}</results></LogsResponse>".encode()


def test_none_one_and_many_records_are_read() -> None:
    """An answer without records is an empty page."""
    assert page_of(response())[0].logs == ()
    assert page_of(b"<LogsResponse><results/></LogsResponse>")[0].logs == ()
    assert page_of(response("<messageId>a</messageId>"))[0].logs == (EmailLog(message_id="a"),)
    three = response(*["<messageId>a</messageId>"] * 3)
    assert len(page_of(three)[0].logs) == 3


def test_texts_become_what_they_are() -> None:
    """Numbers and truths are read from text; an empty element is None; the unknown is kept."""
    (log,) = page_of(
        response(
            "<messageCount>1</messageCount><text>a &lt;b&gt; &#233;</text><price/>"
            "<error><id>7</id><permanent>true</permanent></error><new><x>1</x></new>"
        )
    )[0].logs
    assert log.message_count == 1
    assert log.text == "a <b> é"
    assert log.price is None
    assert log.error == LogError(id=7, permanent=True)
    assert log.extra == {"new": {"x": "1"}}


def test_a_bad_record_costs_only_itself() -> None:
    """It is handed over as it came, with its path."""
    page, _ = page_of(response("<messageId>a</messageId>", "<sentAt>soon</sentAt>", "", "text"))
    assert page.logs == (EmailLog(message_id="a"), EmailLog())
    assert [reject.path for reject in page.rejects] == ["$.results[1].sentAt", "$.results[3]"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<LogsResponse>",
        b"<LogsResponse/>",
        b"<LogsResponse><results>text</results></LogsResponse>",
        b"<LogsResponse><results><log/></results></LogsResponse>",
        b"<LogsResponse><results/><results/></LogsResponse>",
        b"<!-- nothing -->",
        b"<Other><results/></Other>",
        b"<html><body>Bad gateway</body></html>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><LogsResponse><results>&a;</results></LogsResponse>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><LogsResponse><results/></LogsResponse>',
        b"<LogsResponse><results>&unknown;</results></LogsResponse>",
        b"<a>" * 100_000,
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """Broken, foreign and dangerous documents are one clear error."""
    with pytest.raises(DecodeError, match="page 1"):
        page_of(body)


@given(st.binary())
def test_any_bytes_are_a_page_or_an_error(body: bytes) -> None:
    """Nothing else gets out."""
    with contextlib.suppress(DecodeError):
        page_of(b"<LogsResponse><results>" + body + b"</results></LogsResponse>")


def test_a_large_answer_is_parsed_in_slices() -> None:
    """The loop gets its turn while a megabyte is parsed."""
    record = f"<text>{'x' * 1000}</text>"
    assert page_of(response(*[record] * 1000))[1] >= 1000 * 1000 // v1_xml.CHUNK


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        (XML, b"", True),
        ({"content-type": "text/xml; charset=utf-8"}, b"", True),
        ({"content-type": "application/problem+xml"}, b"", True),
        ({"content-type": "application/json"}, b"<?xml", False),
        ({"content-type": "text/html"}, b"<html>", False),
        ({}, b"  <?xml version='1.0'?>", True),
        ({}, b"{}", False),
    ],
)
def test_an_answer_is_what_it_says_it_is(headers: Any, body: bytes, found: bool) -> None:  # noqa: FBT001 - a row of the table
    """The type decides; where there is none, the beginning."""
    assert v1_xml.is_xml(Reply(200, headers, body)) is found


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            (
                b"<ApiException><requestError><serviceException><messageId>GENERAL_ERROR</messageId><text>"
                b"Oops</text></serviceException></requestError></ApiException>"
            ),
            "GENERAL_ERROR",
        ),
        (
            (
                b"<ApiError><errorCode>E500</errorCode><description>Oops</description>"
                b"<violations><property>a</property><violation>b</violation></violations></ApiError>"
            ),
            "E500",
        ),
        (b"<!DOCTYPE html><html><body>Oops</body></html>", None),
        (b"<html><body>Oops", None),
    ],
)
def test_errors_in_xml_are_understood(body: bytes, code: str | None) -> None:
    """Both error documents, and pages of a proxy that are none."""
    error = failure(Reply(500, XML, body))
    assert type(error) is ServerError
    assert error.code == code
    assert "Oops" in str(error)


ONE = "<property>limit</property><violation>is too high</violation>"


@pytest.mark.parametrize(
    ("violations", "details"),
    [
        ("<violations/>", ()),
        (f"<violations>{ONE}</violations>", ("limit: is too high",)),
        (f"<violations><item>{ONE}</item></violations>", ("limit: is too high",)),
        (
            f"<violations><item>{ONE}</item><item>{ONE}</item></violations>",
            ("limit: is too high",) * 2,
        ),
        (f"<violations>{ONE}</violations>" * 2, ("limit: is too high",) * 2),
        ("<violations><limit>is too high</limit></violations>", ("limit: is too high",)),
    ],
)
def test_violations_in_xml_are_told_one_by_one(violations: str, details: tuple[str, ...]) -> None:
    """XML has several ways to write a list, and none to tell a list of one from what it holds."""
    body = f"<ApiError><errorCode>E400</errorCode>{violations}<action>Oops</action></ApiError>"
    error = failure(Reply(400, XML, body.encode()))
    assert (error.code, error.text, error.details) == ("E400", "Oops", details)
