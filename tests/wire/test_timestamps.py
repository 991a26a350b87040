"""Instants in every format of the references, to the millisecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs.moments import MILLISECOND
from infobip_email_logs.wire import timestamps

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(
    min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=OFFSETS,
)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2016-09-01T10:29:00.440+0000", 440_000),
        ("2016-09-01T10:29:00.440Z", 440_000),
        ("2016-09-01T11:29:00.440+01:00", 440_000),
        ("2016-09-01T10:29:00Z", 0),
        ("2016-09-01T05:29:00-0500", 0),
        ("2016-09-01T10:29:00.4Z", 400_000),
        ("2016-09-01T10:29:00.123456789Z", 123_456),
    ],
)
def test_every_format_of_the_references_is_read(text: str, microsecond: int) -> None:
    """Offsets with and without a colon, `Z`, and fractions of any length give UTC."""
    instant = timestamps.read(text)
    assert instant == datetime(2016, 9, 1, 10, 29, 0, microsecond, tzinfo=UTC)
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "now", "2016-09-01T10:29:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """A time without an offset names no instant."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        timestamps.read(text)


@given(INSTANTS)
def test_what_is_written_is_read_again(instant: datetime) -> None:
    """Writing and reading keep the instant, to the millisecond."""
    down = timestamps.floor(instant)
    assert timestamps.read(timestamps.write(down)) == down


@given(INSTANTS)
def test_rounding_widens_a_window_by_less_than_a_millisecond(instant: datetime) -> None:
    """The beginning is rounded down and the end up, so that nothing falls out."""
    down, up = timestamps.floor(instant), timestamps.ceil(instant)
    assert down <= instant <= up
    assert instant - down < MILLISECOND > up - instant
    assert not down.microsecond % 1000
    assert not up.microsecond % 1000


def test_the_ends_of_the_calendar_are_kept() -> None:
    """No rounding leaves the calendar."""
    assert timestamps.ceil(datetime.max.replace(tzinfo=UTC)).year == 9999
    assert timestamps.floor(datetime.min.replace(tzinfo=UTC)).year == 1


def test_an_offset_that_is_no_whole_minute_is_written_as_utc() -> None:
    """Historical zones have offsets with seconds, which the service's format has no room for."""
    odd = datetime(2026, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28)))
    assert timestamps.write(odd) == "2025-12-31T23:06:32.000Z"
