"""What is fuzzed: each takes the bytes of a stranger, and lets the documented errors out only.

What was taken must be good for all that is done with it afterwards: shown, compared, kept, written.
"""

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from resources import only

from infobip_email_logs import (
    DecodeError,
    InvalidInput,
    LogsQuery,
    OAuth2,
    ServiceError,
)
from infobip_email_logs.cli.idfile import ids_in
from infobip_email_logs.cli.output import line
from infobip_email_logs.errors import CLIP, EmailLogsError
from infobip_email_logs.matching import sift
from infobip_email_logs.models import EmailLog, LogsPage, RejectedRecord
from infobip_email_logs.query import check_id
from infobip_email_logs.wire import (
    Dialect,
    Reply,
    dialect,
    failure,
    notices,
    read,
    retry_after,
    timestamps,
)

QUERY = LogsQuery(bulk_id="b", sent_since=datetime(2026, 7, 1, tzinfo=UTC))
DIALECTS = [
    dialect(1, accept="json", repeat_keys=False),
    dialect(4, accept="json", repeat_keys=False),
]
TYPES = ["application/json", "application/xml", ""]
DATE = datetime(2026, 7, 1, 12, tzinfo=UTC)


def pages(body: bytes) -> None:
    """Read a page in both versions, in each form; bad records are kept, or end it."""
    for spoken in DIALECTS:
        for kind in TYPES:
            reply = Reply(200, {"content-type": kind} if kind else {}, body)
            for keep in (True, False):
                page = only(DecodeError, partial(_page, reply, spoken, keep=keep))
                if page is not None:
                    _use(page)


def _page(reply: Reply, spoken: Dialect, *, keep: bool) -> LogsPage:
    steps = read(reply, dialect=spoken, query=QUERY, page=1, keep_bad=keep)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            page: LogsPage = end.value
            return page


def _use(page: LogsPage) -> None:
    """Do with a page what is done with one."""
    assert page.size == len(page.logs) + len(page.rejects)
    sifted = sift(page, QUERY)
    assert len(sifted.logs) + len(sifted.left_out) == len(page.logs)
    for log in page.logs[:1000]:
        _use_log(log)
    for reject in page.rejects[:1000]:
        _use_reject(reject)


def _use_log(log: EmailLog) -> None:
    line(log.to_dict())
    repr(log)
    hash(log)
    pickle.dumps(log)
    for instant in (log.sent_at, log.done_at):
        assert instant is None or instant.tzinfo is UTC


def _use_reject(reject: RejectedRecord) -> None:
    line(reject.to_dict())
    pickle.dumps(reject)
    assert len(reject.path) <= CLIP
    assert len(reject.reason) <= 2 * CLIP


def failures(body: bytes) -> None:
    """Read an error, whatever its status is, and whatever its headers say."""
    text = body[:4000].decode("latin-1")
    headers = {"retry-after": text, "date": text, "location": text, "deprecation": text}
    for status in (100, 204, 302, 400, 401, 403, 408, 414, 429, 500, 599, 999):
        reply = Reply(status, headers, body)
        error = failure(reply)
        assert isinstance(error, ServiceError)
        only(ServiceError, partial(_raise, error))
        back = pickle.loads(pickle.dumps(error))
        assert (str(back), vars(back)) == (str(error), vars(error))
        notices(reply)


def _raise(error: EmailLogsError) -> None:
    raise error


def headers(body: bytes) -> None:
    """Read a `Retry-After`, with the service's own clock and without."""
    text = body.decode("utf-8", "surrogateescape")
    for date in (None, DATE, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        wait = retry_after.seconds(text, date)
        assert wait is None or 0 <= wait <= retry_after.LONGEST
    told = notices(Reply(200, {"date": text, "sunset": text}, b""))
    assert told.date is None or told.date.utcoffset() == timedelta(0)
    assert told.deprecation is None or len(told.deprecation) <= 2 * CLIP


def instants(body: bytes) -> None:
    """Read a timestamp, and write it again."""
    try:
        instant = timestamps.read(body.decode("utf-8", "surrogateescape"))
    except ValueError:
        return
    assert instant.tzinfo is UTC
    floor, ceil = timestamps.floor(instant), timestamps.ceil(instant)
    assert floor <= instant
    assert ceil >= floor
    assert timestamps.read(timestamps.write(floor)) == floor


def id_files(body: bytes) -> None:
    """Read the ids of a file."""
    for one in only(InvalidInput, lambda: ids_in(body, "a file")) or ():
        check_id(one).encode()
        assert one == one.strip()


def tokens(body: bytes) -> None:
    """Read the answer of a token endpoint."""
    token = only(DecodeError, lambda: OAuth2("id", "secret").token(body, 0.0))
    if token is not None:
        assert token.until > 0
        assert token.header.isascii()
        assert token.header not in repr(token)


def everything(body: bytes) -> None:
    """Read the same bytes as whatever they could be."""
    for target in TARGETS.values():
        target(body)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "pages": pages,
    "failures": failures,
    "headers": headers,
    "instants": instants,
    "id files": id_files,
    "tokens": tokens,
}
