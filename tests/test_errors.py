"""Errors travel through worker queues whole."""

import copy
import inspect
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

import infobip_email_logs
from infobip_email_logs import (
    DecodeError,
    EmailLogsError,
    Forbidden,
    Gap,
    IncompleteError,
    InvalidInput,
    InvalidState,
    LimiterUnavailable,
    RateLimited,
    RequestRejected,
    Retry,
    ServerError,
    ServiceError,
    TransportError,
    Unauthorized,
    WaitTooLong,
)
from infobip_email_logs.errors import clip, outline, shown

NOW = datetime(2026, 7, 1, tzinfo=UTC)

ALL = [
    EmailLogsError("m"),
    InvalidInput("m"),
    InvalidState("m"),
    LimiterUnavailable("m"),
    TransportError("m", sent=False),
    WaitTooLong("m", wait=3.0, max_wait=1.0),
    *(
        kind("m", status=429, code="C", text="t", details=["d", "e"], retry_after=2.5)
        for kind in (
            ServiceError,
            ServerError,
            RateLimited,
            RequestRejected,
            Unauthorized,
            Forbidden,
        )
    ),
    DecodeError("m", page=2, index=7, path="$.x", value="v"),
    IncompleteError("m", gaps=[Gap(NOW, None, {"bulk_id": ("b",)}, "full page")]),
]


def queued(error: EmailLogsError) -> EmailLogsError:
    """Return an error that went through a queue between processes."""
    there, back = multiprocessing.Pipe()
    with there, back:
        there.send(error)
        received: EmailLogsError = back.recv()
        return received


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "journey",
    [
        *(lambda one, n=n: pickle.loads(pickle.dumps(one, n)) for n in range(2, 6)),
        copy.copy,
        copy.deepcopy,
        queued,
    ],
)
def test_an_error_is_the_same_after_a_journey(
    error: EmailLogsError, journey: Callable[[EmailLogsError], EmailLogsError]
) -> None:
    """Pickling and copying keep the class, the message, every field and every note."""
    noted = copy.copy(error)
    noted.add_note("a note")
    back = journey(noted)
    assert type(back) is type(error)
    assert str(back) == str(error) == "m"
    assert vars(back) == vars(noted)
    assert vars(back).items() >= vars(error).items()
    assert back.__notes__ == ["a note"]


def kinds(kind: type[EmailLogsError]) -> Iterator[type[EmailLogsError]]:
    """Yield a class of errors, and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def test_every_public_error_is_on_the_journey() -> None:
    """With something else than the default in each of its fields."""
    public = {one for one in kinds(EmailLogsError) if one.__name__ in infobip_email_logs.__all__}
    assert public == {type(error) for error in ALL}
    for error in ALL:
        defaults = vars(type(error)("m"))
        assert not [name for name, value in defaults.items() if vars(error)[name] == value]
        told = inspect.signature(type(error).__init__).parameters.keys()
        assert vars(error).keys() == told - {"self", "message", "args", "kwargs"} or not vars(error)


def test_a_retry_travels_too() -> None:
    """Its error with it."""
    retry = Retry(RateLimited("m", retry_after=2.5), 3, 2.5)
    back = pickle.loads(pickle.dumps(retry))
    assert (back.attempt, back.wait, vars(back.error)) == (3, 2.5, vars(retry.error))


def test_foreign_text_is_cut_to_one_short_line() -> None:
    """What others wrote neither breaks lines nor fills a log."""
    assert clip("a\n  b\tc") == "a b c"
    assert len(clip("x" * 10_000)) == 200


def test_a_value_that_cannot_be_shown_is_dots() -> None:
    """Its depth, or a number that Python does not write, is no error of its own."""
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert shown(value) == shown([10**5000]) == "…"
    assert shown(["a\nb"]) == r"['a\nb']"
    while value:
        (value,) = value  # type: ignore[assignment]


def test_an_outline_has_no_words_of_others() -> None:
    """The kind of an error, and its status where it has one."""
    assert outline(ServerError("ada@example.com", status=503)) == "ServerError (HTTP 503)"
    assert outline(TransportError("ada@example.com")) == "TransportError"
