"""docs/failures.md, row by row: what a fault does to a request, to a call, and to the limit."""

from pathlib import Path

import attrs
import pytest
from faulty_ways import ATTEMPTS, playing
from service import service

from infobip_email_logs import (
    DecodeError,
    EmailLog,
    EmailLogsError,
    Pull,
    RequestRejected,
    Retry,
    RetryPolicy,
    TransportError,
    errors,
)
from infobip_email_logs.cli import exits
from infobip_email_logs.sandbox import FAULTS, Fault, Sandbox

DOCUMENT = (Path(__file__).parents[1] / "docs" / "failures.md").read_text()
RESENT = {"yes": ATTEMPTS - 1, "no": 0, "once, with a new token": 1}


@attrs.frozen
class Row:
    """A row of the table."""

    fault: str
    what: str
    again: str
    delivered: str
    raised: str
    counts: str
    exit_code: str


ROWS = [
    Row(*(cell.strip(" `") for cell in line.strip("|").split("|")))
    for line in DOCUMENT.splitlines()
    if line.startswith("| `")
]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.fault for row in ROWS])


def of(sandbox: Sandbox, *bulk_ids: str) -> list[str]:
    """Return the message ids of some bulks."""
    return sorted(one.message_id or "" for one in sandbox.records if one.bulk_id in bulk_ids)


async def received(pull: Pull) -> tuple[list[str], EmailLogsError | None]:
    """Return the ids of what a pull delivers, and the error that it ends with."""
    logs: list[EmailLog] = []
    error = None
    try:
        async for log in pull:
            logs += [log]
    except EmailLogsError as met:
        error = met
    return sorted(log.message_id or "" for log in logs), error


def test_every_fault_has_a_row() -> None:
    """The table is about all that the sandbox plays, and what no server can play."""
    ways = {"connection-refused", "name-not-resolved", "tls-broken", "tls-untrusted"}
    assert {row.fault for row in ROWS} == FAULTS.keys() | ways | {"token-refused"}


@every_row
async def test_a_fault_that_is_met_once(row: Row) -> None:
    """What is tried again is delivered, once; what is not ends the pull behind what came before."""
    told: list[Retry] = []
    async with playing(row.fault, on_retry=told.append) as played:
        ids = played.sandbox.bulk_ids
        played.once()
        got, error = await received(pull := played.client.logs_by_bulk_id(ids))
        if row.delivered == "all, once":
            assert (got, error) == (of(played.sandbox, *ids), None)
            assert pull.report.complete
        else:
            assert got == of(played.sandbox, ids[0])
            assert type(error) is getattr(errors, row.raised)
            assert not pull.report.complete
        assert [retry.attempt for retry in told] == ([1] if row.again == "yes" else [])


@every_row
async def test_a_fault_that_lasts(row: Row) -> None:
    """The error is the documented one, after so many attempts; each permit is accounted for."""
    async with playing(row.fault) as played:
        played.always()
        got, error = await received(pull := played.client.logs_by_bulk_id(played.sandbox.bulk_ids))
        assert got == of(played.sandbox, played.sandbox.bulk_ids[0])
        assert type(error) is getattr(errors, row.raised)
        assert error
        assert exits.code(error) == int(row.exit_code)
        assert not pull.report.complete
        ends = played.limiter.ends.copy()
        ends["answered"] -= 1
        assert +ends == {row.counts: RESENT[row.again] + 1}
        assert played.limiter.given == RESENT[row.again] + 2
        assert pull.report.requests == played.limiter.given - ends["unused"]
        if not isinstance(error, TransportError) or error.sent:
            assert len(played.sandbox.arrivals) == played.limiter.given


@pytest.mark.parametrize("row", [row for row in ROWS if row.delivered == "all but that record"])
async def test_a_record_that_is_wrong_costs_only_itself(row: Row) -> None:
    """Kept raw where that was asked for, it ends nothing."""
    async with playing(row.fault, on_bad_record="keep") as played:
        ids = played.sandbox.bulk_ids
        played.once()
        got, error = await received(pull := played.client.logs_by_bulk_id(ids))
        assert error is None
        assert len(pull.rejects) == pull.report.rejected == 1
        whole = of(played.sandbox, *ids)
        assert set(got) < set(whole)
        assert len(got) == len(whole) - 1


async def test_a_redirect_brings_nothing_to_another_origin() -> None:
    """Neither the credentials nor a request: nobody connects there."""
    async with Sandbox() as elsewhere, service() as (sandbox, client):
        place = {"Location": f"{elsewhere.url}/email/1/logs"}
        for status in (301, 302, 303, 307, 308):
            sandbox.script(Fault(status, headers=place))
            with pytest.raises(RequestRejected, match=f"points to {elsewhere.url}"):
                await client.get_page()
        assert elsewhere.arrivals == []


async def test_an_answer_that_is_no_page_is_never_an_empty_one() -> None:
    """Of a stream of all logs, neither its only page nor its last may be lost so."""
    for name in ("empty-200", "html-with-200", "error-with-200", "results-null", "results-missing"):
        async with service(retry=RetryPolicy(attempts=2)) as (sandbox, client):
            sandbox.settings.fault = FAULTS[name]
            logs, error = await received(client.logs())
            assert (logs, type(error)) == ([], DecodeError)
            assert "no JSON" in str(error) or "no list of results" in str(error)
