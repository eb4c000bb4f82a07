"""An event loop in a thread of its own, and what coroutines can do to it."""

import asyncio
import contextlib
import time

import pytest

from sage_jax.rewards.awaiting import EventLoop, Stuck


@pytest.fixture
def loop():
    made = EventLoop()
    yield made
    made.close()


async def gives(value):
    await asyncio.sleep(0)
    return value


async def waits():
    await asyncio.sleep(600)


async def refuses_to_end(ended):
    while not ended:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(600)


async def raises(error):
    raise error


def test_all_are_awaited_together_under_one_deadline(loop):
    assert loop.gather([], deadline_s=1.0) == []
    here = [asyncio.Event() for _ in range(2)]

    async def meets(mine, other):
        here[mine].set()
        await here[other].wait()
        return mine

    assert loop.gather([meets(0, 1), meets(1, 0)], deadline_s=60.0) == [(0,), (1,)]
    assert loop.gather([gives(1), waits(), gives(2)], deadline_s=0.05) == [(1,), (), (2,)]


def test_a_loop_that_runs_already_is_no_matter(loop):
    async def notebook():
        return loop.gather([gives(1)], deadline_s=60.0)

    assert asyncio.run(notebook()) == [(1,)]


def test_one_loop_lasts_so_that_clients_do(loop):
    async def mine():
        return asyncio.get_running_loop()

    (first,), (second,) = (loop.gather([mine()], deadline_s=60.0)[0] for _ in range(2))
    assert first is second


@pytest.mark.parametrize(
    ("error", "kind"),
    [(KeyError("a"), KeyError), (TimeoutError("b"), TimeoutError), (SystemExit(3), RuntimeError),
     (KeyboardInterrupt(), RuntimeError)],
)  # fmt: skip
def test_the_first_exception_is_raised_and_the_loop_goes_on(loop, error, kind):
    with pytest.raises(kind):
        loop.gather([gives(1), raises(error), raises(KeyError("later"))], deadline_s=60.0)
    assert loop.gather([gives(1)], deadline_s=60.0) == [(1,)]


def test_what_cancels_itself_counts_as_late(loop):
    found = loop.gather([raises(asyncio.CancelledError()), gives(1)], deadline_s=60.0)
    assert found == [(), (1,)]


def test_what_will_not_be_cancelled_is_left(loop, monkeypatch):
    monkeypatch.setattr("sage_jax.rewards.awaiting._TO_LEAVE_S", 0.05)
    ended = []
    assert loop.gather([refuses_to_end(ended)], deadline_s=0.05) == [()]
    assert loop.gather([gives(1)], deadline_s=60.0) == [(1,)]
    ended.append(True)


def test_a_call_that_blocks_is_told_once_and_for_all(loop, monkeypatch):
    monkeypatch.setattr("sage_jax.rewards.awaiting._TO_LEAVE_S", 0.05)
    ended = []

    async def blocks():
        while not ended:
            time.sleep(0.01)

    for _ in range(2):
        with pytest.raises(Stuck):
            loop.gather([blocks()], deadline_s=0.02)
    ended.append(True)


def test_closing_twice_is_no_matter_and_cancels_what_runs():
    loop = EventLoop()
    loop.close()
    loop.close()
    assert not loop._thread.is_alive()
