"""Errors travel through worker queues whole."""

import pickle

import pytest

from infobip_email_logs import (
    DecodeError,
    EmailLogsError,
    Gap,
    IncompleteError,
    InvalidInput,
    InvalidState,
    RateLimited,
    TransportError,
    WaitTooLong,
)
from infobip_email_logs.errors import clip


@pytest.mark.parametrize(
    "error",
    [
        EmailLogsError("m"),
        InvalidInput("m"),
        InvalidState("m"),
        TransportError("m", sent=False),
        WaitTooLong("m", wait=3.0, max_wait=1.0),
        RateLimited("m", status=429, code="C", text="t", details=["d"], retry_after=2.5),
        DecodeError("m", page=2, index=7, path="$.x", value="v"),
        IncompleteError("m", gaps=[Gap(None, None, {"bulk_id": ("b",)}, "full page")]),
    ],
)
def test_an_error_is_the_same_after_a_journey(error: EmailLogsError) -> None:
    """Pickling keeps the class, the message and every field."""
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error) == "m"
    assert vars(back) == vars(error)


def test_foreign_text_is_cut_to_one_short_line() -> None:
    """What others wrote neither breaks lines nor fills a log."""
    assert clip("a\n  b\tc") == "a b c"
    assert len(clip("x" * 10_000)) == 200
