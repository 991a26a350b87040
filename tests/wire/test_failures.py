"""Answers with another status become the error that says what to do next."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs import (
    Forbidden,
    RateLimited,
    RequestRejected,
    ServerError,
    ServiceError,
    Unauthorized,
)
from infobip_email_logs.wire import Reply, failure, notices
from infobip_email_logs.wire.retry_after import LONGEST

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def answer(status: int, body: Any = b"", **headers: str) -> ServiceError:
    """Return the error for an answer; header names are written with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure(Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw))


VERSION_1 = {
    "requestError": {
        "serviceException": {
            "messageId": "BAD_REQUEST",
            "text": "Bad Request",
            "validationErrors": {"limit": ["must be less than 1000"]},
        }
    }
}
VERSION_4 = {
    "errorCode": "E400",
    "description": "Request cannot be processed.",
    "action": "Check the syntax.",
    "violations": [{"property": "limit", "violation": "must be less than 1000"}],
    "resources": [{"name": "docs", "url": "https://example.com"}],
}


@pytest.mark.parametrize(("body", "code"), [(VERSION_1, "BAD_REQUEST"), (VERSION_4, "E400")])
def test_both_error_bodies_are_understood(body: Any, code: str) -> None:
    """Code, text and details are taken from either form."""
    error = answer(400, body)
    assert type(error) is RequestRejected
    assert (error.status, error.code) == (400, code)
    assert error.text
    assert "limit: " in error.details[0]
    assert "must be less than 1000" in str(error)
    assert code in str(error)


def test_details_may_be_plain_texts() -> None:
    """Whatever a list of violations holds is told."""
    error = answer(400, {"errorCode": "E400", "violations": ["limit", 5, None]})
    assert error.details == ("limit", "5", "")


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, RequestRejected, ""),
        (401, Unauthorized, "keys expire"),
        (403, Forbidden, "email:logs:read"),
        (404, RequestRejected, ""),
        (408, ServerError, ""),
        (414, RequestRejected, "longer than the service takes"),
        (418, RequestRejected, ""),
        (425, ServerError, ""),
        (429, RateLimited, ""),
        (500, ServerError, ""),
        (502, ServerError, ""),
        (503, ServerError, ""),
        (599, ServerError, ""),
        (204, RequestRejected, ""),
    ],
)
def test_a_status_names_the_decision(status: int, kind: type[ServiceError], told: str) -> None:
    """One class for each decision that the caller takes next, with a hint where there is one."""
    error = answer(status)
    assert type(error) is kind
    assert str(status) in str(error)
    assert told in str(error)


def test_a_redirect_is_named_but_not_followed() -> None:
    """Only where it points to is told: its query might hold anything."""
    error = answer(302, location="https://login.example.com/sso?token=made-up-secret")
    assert type(error) is RequestRejected
    assert "https://login.example.com" in str(error)
    assert "made-up-secret" not in str(error)
    assert "another place" in str(answer(302, location="http://[bad"))
    assert "another place" in str(answer(301))


def test_a_foreign_body_is_clipped_to_a_line() -> None:
    """A proxy's page of HTML does not fill a log."""
    error = answer(502, b"<html>\n<body>Bad\ngateway</body>" + b"x" * 100_000)
    assert "Bad gateway" in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 400


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "requestError",
                        "serviceException",
                        "errorCode",
                        "violations",
                        "validationErrors",
                        "text",
                        "messageId",
                    ]
                ),
                x,
            )
        ),
    )
)
def test_any_body_gives_an_error_and_no_other(body: Any) -> None:
    """Whatever a failing service sends, the error is one of ours."""
    error = answer(500, body)
    assert type(error) is ServerError
    assert len(str(error)) < 5000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("999999999999999999", LONGEST),
        ("9" * 35, LONGEST),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("inf", LONGEST),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("9" * 100, None),
        ("Wed, 99 Foo 2026 07:28:30 GMT", None),
    ],
)
def test_retry_after_is_read_or_is_nonsense(text: str, seconds: float | None) -> None:
    """Seconds, fractions and dates are bounded; nonsense is as good as nothing."""
    assert answer(429, retry_after=text, date=DATE).retry_after == seconds


def test_a_date_to_wait_for_needs_the_services_clock() -> None:
    """Our own clock may be wrong, and is not asked."""
    assert answer(429, retry_after="Wed, 21 Oct 2026 07:28:30 GMT").retry_after is None


@given(st.text())
def test_no_header_breaks_the_reading(text: str) -> None:
    """`Retry-After`, `Date` and `Location` may hold anything."""
    wait = answer(429, retry_after=text, date=text).retry_after
    assert wait is None or 0 <= wait <= LONGEST
    answer(302, location=text)
    notices(Reply(200, {"date": text, "sunset": text}, b""))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Wed, 21 Oct 2026 07:28:00 GMT", 7),
        ("Wed, 21 Oct 2026 07:28:00 -0000", 7),
        ("Wed, 21 Oct 2026 09:28:00 +0200", 7),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("", None),
    ],
)
def test_the_services_clock_is_read_in_utc(text: str, hour: int | None) -> None:
    """Whatever zone it is told in; beyond the calendar there is none."""
    told = notices(Reply(200, {"date": text}, b""))
    assert (told.date and told.date.hour) == hour


def test_the_announcement_of_an_end_is_noticed() -> None:
    """Deprecated paths say so in their headers."""
    told = notices(Reply(200, {"deprecation": "true", "sunset": DATE, "date": DATE}, b""))
    assert told.deprecation == f"Deprecation: true, Sunset: {DATE}"
    assert told.date
    assert notices(Reply(200, {}, b"")).deprecation is None
