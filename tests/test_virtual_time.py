"""Virtual time passes at once; whatever is real is waited for."""

import asyncio
import socket
import sys
import time

import pytest
from virtual_time import START, VirtualTimeLoop


def clock() -> VirtualTimeLoop:
    """Return the running loop, which is a virtual one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back every line."""
    while line := await reader.readline():
        writer.write(line)
    writer.close()
    await writer.wait_closed()


async def ask(port: int, text: bytes) -> bytes:
    """Send a line on a connection of its own, and return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text + b"\n")
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer.strip()


async def test_hours_pass_at_once() -> None:
    """A day of sleep takes a moment, and the clock says that it was a day."""
    began = time.monotonic()
    await asyncio.sleep(86_400 * 3)
    assert clock().time() == START + 86_400 * 3
    assert time.monotonic() - began < 1


async def test_no_time_passes_while_there_is_something_to_do() -> None:
    """A thousand turns of the loop take no time at all."""
    for _ in range(1000):
        await asyncio.sleep(0)
    assert clock().time() == START


async def test_timers_go_off_in_order_and_to_the_bit() -> None:
    """Timers go off by their time, each at exactly its own."""
    heard: list[float] = []
    delays = [0.3, 0.1, 7200.7, 0.1 + 0.2, 1 / 3]
    for delay in delays:
        clock().call_later(delay, lambda: heard.append(clock().time()))
    await asyncio.sleep(8000)
    assert heard == sorted(START + delay for delay in delays)


async def test_timers_of_one_instant_go_off_as_they_were_set() -> None:
    """Of timers for the same instant, the first set goes off first, cancelled ones not."""
    heard: list[int] = []
    timers = [clock().call_at(START + 60, heard.append, number) for number in range(100)]
    for timer in timers[::7]:
        timer.cancel()
    await asyncio.sleep(61)
    assert heard == [number for number in range(100) if number % 7]


async def test_a_cancelled_timer_moves_nothing() -> None:
    """The clock does not stop at a timer that was cancelled."""
    clock().call_later(10, lambda: None).cancel()
    await asyncio.sleep(20)
    assert clock().time() == START + 20


async def test_timeouts_are_virtual() -> None:
    """A timeout of an hour ends a wait for nothing, at once."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    assert clock().time() == START + 3600


async def test_time_can_be_let_pass() -> None:
    """A test may say that the loop was held for a while: what was due then goes off."""
    heard: list[float] = []
    clock().call_later(5, lambda: heard.append(clock().time()))
    clock().advance(30)
    await asyncio.sleep(0.001)
    assert heard == [START + 30]


async def test_sockets_are_not_overtaken() -> None:
    """Hundreds of questions to a server in the same loop take no virtual time."""
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(0.001):
            for number in range(200):
                assert await ask(port, b"%d" % number) == b"%d" % number
        assert clock().time() == START
        await asyncio.sleep(1)  # The last connection is closed on the other side, too.


async def test_much_data_is_not_overtaken() -> None:
    """Megabytes, more than any buffer holds, pass before a timer does."""
    sent = b"x" * 8_000_000
    ours, theirs = socket.socketpair()
    reader, back = await asyncio.open_connection(sock=ours)
    _, writer = await asyncio.open_connection(sock=theirs)
    async with asyncio.timeout(0.001):
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
    for end in (writer, back):
        end.close()
        await end.wait_closed()


async def test_a_peer_that_does_not_read_holds_nothing_up() -> None:
    """Bytes that nobody reads do not keep the clock from moving."""
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    writer.write(b"x" * 8_000_000)
    await asyncio.sleep(3600)
    theirs.close()
    writer.close()
    with pytest.raises(OSError, match=r"."):
        await writer.wait_closed()


async def test_threads_are_waited_for() -> None:
    """No timer overtakes work in a thread, and the work takes no virtual time."""
    async with asyncio.timeout(3600):
        await asyncio.to_thread(time.sleep, 0.1)
    assert clock().time() == START


async def test_a_timer_can_end_the_wait_for_a_thread() -> None:
    """A timer still goes off while a thread works: after its delay in real time."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.to_thread(time.sleep, 0.2)
    assert 0.05 <= time.monotonic() - began < 0.2
    assert clock().time() == START + 0.05
    await asyncio.sleep(3600)


async def test_chatter_does_not_put_off_a_timer() -> None:
    """What happens meanwhile does not make a timer's real wait start anew."""

    async def chatter() -> None:
        while True:
            await asyncio.to_thread(time.sleep, 0.01)

    with clock().held(), pytest.raises(TimeoutError):
        await asyncio.wait_for(chatter(), 0.1)
    assert clock().time() == START + 0.1


async def test_programs_are_waited_for() -> None:
    """No timer overtakes a program that the loop started."""
    code = "import time; time.sleep(0.1); print('done')"
    async with asyncio.timeout(3600):
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await program.communicate()
    assert (said.strip(), clock().time()) == (b"done", START)
    await asyncio.sleep(3600)


async def test_what_the_loop_cannot_see_is_waited_for_on_request() -> None:
    """While the clock is held, a call from a thread of somebody else's is waited for."""
    done = asyncio.Event()
    with clock().held():
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05).cancel()
        clock().call_soon_threadsafe(done.set)
        await asyncio.wait_for(done.wait(), 3600)
    assert clock().time() == START


@pytest.mark.real_time
async def test_real_time_on_request() -> None:
    """A test that is marked so runs on a loop whose clock is the real one."""
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    began = time.monotonic()
    await asyncio.sleep(0.05)
    assert time.monotonic() - began >= 0.05


async def test_debug_mode_is_on_and_does_not_mind_long_sleeps() -> None:
    """The loop runs in debug mode, which sees mistakes; slowness it cannot see."""
    assert clock().get_debug()


def test_the_loop_works_outside_of_a_test_function() -> None:
    """The loop can be given to a runner by hand, as a property test does."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(asyncio.sleep(3600, "slept")) == "slept"
