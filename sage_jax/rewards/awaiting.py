"""Coroutines of the user's own, awaited from code that is none."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

_TO_LEAVE_S = 1.0  # For what is cancelled to close its connections.
_WALL_PER_DEADLINE = 5.0


class Stuck(Exception):
    """A call blocks the event loop, so that nothing is awaited any more."""


class EventLoop:
    """An event loop in a thread of its own, for as long as a reward is used.

    A loop of its own, since a notebook already runs one in its main thread; and one for all calls,
    since a client that is opened in a loop works in that one alone.

    >>> async def double(x): return 2 * x
    >>> loop = EventLoop()
    >>> loop.gather([double(1), double(2)], deadline_s=5.0)
    [(2,), (4,)]
    >>> loop.close()
    """

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="reward-loop", daemon=True)
        self._thread.start()
        self._stuck = False

    def gather(
        self, calls: Sequence[Coroutine[Any, Any, Any]], *, deadline_s: float
    ) -> list[tuple[Any, ...]]:
        """Await all calls together.

        Args:
            calls: to await; each must look after its own exceptions, the first of which is raised.
            deadline_s: seconds on the wall clock after which those still open are cancelled.

        Returns:
            For each, its result in a tuple, which is empty where it was cancelled.

        Raises:
            Stuck: if a call keeps the loop busy for five times as long.
        """
        if self._stuck:
            for call in calls:
                call.close()
            raise Stuck
        coming = asyncio.run_coroutine_threadsafe(_gathered(calls, deadline_s), self._loop)
        try:
            return coming.result(_WALL_PER_DEADLINE * deadline_s + 2 * _TO_LEAVE_S)
        except concurrent.futures.TimeoutError:
            if coming.done():  # A TimeoutError of a call's own.
                raise
            coming.cancel()
            self._stuck = True
            raise Stuck from None

    def close(self) -> None:
        """Cancel what still runs and end the thread; one that is stuck ends with the program."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2 * _TO_LEAVE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(_left(asyncio.all_tasks(self._loop)))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _gathered(
    calls: Sequence[Coroutine[Any, Any, Any]], deadline_s: float
) -> list[tuple[Any, ...]]:
    tasks = [asyncio.ensure_future(_without_leaving(call)) for call in calls]
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=deadline_s)
    await _left(late)
    ended = {task for task in done if not task.cancelled()}
    for task in ended:
        task.exception()  # One that nobody asks for is logged; the first is raised below.
    return [(task.result(),) if task in ended else () for task in tasks]


async def _without_leaving(call: Coroutine[Any, Any, Any]) -> Any:
    """What a call gives; that it would end the program ends the call alone, and not the loop."""
    try:
        return await call
    except (KeyboardInterrupt, SystemExit) as error:
        raise RuntimeError(f"it raises {type(error).__name__}") from error


async def _left(tasks: set["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and give them a moment; one that will not be cancelled is waited for no more."""
    for task in tasks:
        task.cancel()
    if tasks:
        left, _ = await asyncio.wait(tasks, timeout=_TO_LEAVE_S)
        for task in left:
            _ = task.cancelled() or task.exception()
