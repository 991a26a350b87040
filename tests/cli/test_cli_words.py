"""The pure parts of the command line: ids, times, lines, exit codes."""

import codecs
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobip_email_logs import Forbidden, IncompleteError, InvalidInput, TransportError
from infobip_email_logs.cli import exits
from infobip_email_logs.cli.idfile import ids_in
from infobip_email_logs.cli.output import line
from infobip_email_logs.cli.times import parse_time

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        b"a\nb\n",
        b"a\nb",
        b"a\r\nb\r\n",
        b"a\rb",
        codecs.BOM_UTF8 + b"a\r\n\r\n  b\t\r\n\r\n",
    ],
)
def test_ids(content: bytes) -> None:
    """A byte order mark, line ends of any kind, blank lines and white space don't matter."""
    assert ids_in(content, "ids.txt") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ids.txt holds no ids: nothing is pulled"),
        (codecs.BOM_UTF8 + b"\r\n \r\n", "ids.txt holds no ids: nothing is pulled"),
        (b"a\nb,c\n", "ids.txt, line 2: an id must not hold a comma"),
        (b"a\n\xe4\n", "ids.txt, line 2: this is not UTF-8"),
        ("a\n".encode("utf-16"), "ids.txt is not UTF-8 (UTF-16, as it seems)"),
        ("a\n".encode("utf-16-le"), "ids.txt is not UTF-8 (UTF-16, as it seems)"),
    ],
)
def test_no_ids(content: bytes, message: str) -> None:
    """A file that gives no ids is bad input, told with its line."""
    with pytest.raises(InvalidInput) as caught:
        ids_in(content, "ids.txt")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04:05", NOW),
        ("2026-01-02 03:04:05Z", NOW),
        ("2026-01-02T05:04:05+02:00", NOW),
        (" 90s ", NOW - timedelta(seconds=90)),
        ("30m ago", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
    ],
)
def test_times(text: str, instant: datetime) -> None:
    """A time is ISO 8601, UTC where it names no zone, or how long ago."""
    assert parse_time(text, now=NOW, name="--since") == instant


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "999999999d", "-2h", "0001-01-01T00+10"]
)
def test_no_times(text: str) -> None:
    """Anything else is bad input, told with the option's name."""
    with pytest.raises(InvalidInput, match=r"^--since must be a time such as"):
        parse_time(text, now=NOW, name="--since")


@given(st.dictionaries(st.text(), st.text(st.characters())))
def test_lines(record: dict[str, str]) -> None:
    """A record is one line of UTF-8 that reads back as it was, lone surrogates included."""
    written = line(record)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert json.loads(written.decode()) == record


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput(""), 2),
        (IncompleteError(""), 3),
        (Forbidden(""), 4),
        (TransportError(""), 1),
        (BrokenPipeError(), 141),
        (OSError(), 1),
    ],
)
def test_codes(error: Exception, code: int) -> None:
    """Each decision that the caller takes next has an exit code."""
    assert exits.code(error) == code
