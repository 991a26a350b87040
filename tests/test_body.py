"""A body is decompressed piece by piece, never beyond its bound, and never half."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import SMALL, service

from infobip_email_logs import DecodeError, Forbidden, Network, RetryPolicy
from infobip_email_logs.body import Body, BrokenBody
from infobip_email_logs.sandbox import PASSING, Fault, Settings

MOST = 1000
MIB = 1 << 20


def read(sent: bytes, *, encoding: str = "gzip", most: int = MOST, size: int = 7) -> bytes:
    """Return a body that comes in pieces of a size."""
    body = Body(encoding, most=most)
    for start in range(0, len(sent), size):
        body.feed(sent[start : start + size])
    return body.whole()


@given(st.lists(st.binary(max_size=300), max_size=3), st.integers(1, 50))
def test_what_was_compressed_comes_out(parts: list[bytes], size: int) -> None:
    """In pieces of any size, and from several parts, too."""
    whole = b"".join(parts)
    assert read(b"".join(map(gzip.compress, parts)), size=size) == whole
    for encoding in ("", "identity", " Identity "):
        assert read(whole, encoding=encoding, size=size) == whole


@pytest.mark.parametrize("encoding", ["", "GZIP"])
def test_a_body_may_be_as_large_as_its_bound(encoding: str) -> None:
    """And not larger by a byte."""
    for length in (MOST, MOST + 1):
        sent = gzip.compress(b"x" * length, mtime=0) if encoding else b"x" * length
        if length == MOST:
            assert len(read(sent, encoding=encoding)) == MOST
        else:
            with pytest.raises(DecodeError, match="max_body"):
                read(sent, encoding=encoding)


@given(st.integers(1, 60))
def test_a_body_that_ends_too_early_is_never_taken_for_whole(cut: int) -> None:
    """Wherever it is cut."""
    sent = gzip.compress(bytes(range(100)), mtime=0)
    with pytest.raises(BrokenBody, match="too early"):
        read(sent[: -min(cut, len(sent) - 1)])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"no gzip at all", "can't be decompressed"),
        (gzip.compress(b"abc", mtime=0)[:-8] + bytes(8), "can't be decompressed"),
        (gzip.compress(b"", mtime=0) * 1001, "more than 1000"),
    ],
)
def test_what_is_broken_is_told(sent: bytes, told: str) -> None:
    """Its checksum counts, and there is no end of parts to wait for."""
    with pytest.raises(BrokenBody, match=told):
        read(sent)


def test_a_compression_that_was_not_asked_for_is_told() -> None:
    """By its name, clipped."""
    with pytest.raises(BrokenBody, match="br, which was not asked for"):
        Body("br", most=MOST)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(403, headers={"Content-Encoding": "br"}),
        Fault(403, gzip="garbled"),
        Fault(403, gzip="whole", padding=MIB),
    ],
)
async def test_a_refusal_in_a_broken_body_is_a_refusal(fault: Fault) -> None:
    """Its status says it all; it is not tried again."""
    network = Network(max_body=MIB)
    async with service(Settings(fault=fault), network=network) as (sandbox, client):
        with pytest.raises(Forbidden):
            await client.get_page()
        assert len(sandbox.arrivals) == 1


def test_a_piece_that_becomes_a_gigabyte_takes_no_more_than_the_bound() -> None:
    """Measured while it is fed, whole and at once."""
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(bytes(MIB)) for _ in range(64)) + squeeze.flush()
    assert len(bomb) < MIB / 10
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            Body("gzip", most=MIB).feed(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["huge-body", "gzip-bomb"])
async def test_a_body_without_measure_takes_no_more_memory_than_its_bound(name: str) -> None:
    """On its way through sockets: three times the bound, and what the sandbox has of it."""
    settings = Settings(v1_limits=(), fault=PASSING[name])
    network, policy = Network(max_body=8 * MIB), RetryPolicy(attempts=2)
    async with service(settings, SMALL, network=network, retry=policy) as (_, client):
        tracemalloc.start()
        try:
            with pytest.raises(DecodeError, match="max_body"):
                await client.get_page()
            assert tracemalloc.get_traced_memory()[1] < 3 * 8 * MIB
        finally:
            tracemalloc.stop()
        await asyncio.sleep(1)  # until the sandbox has seen that nobody listens
