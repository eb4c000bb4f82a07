"""What is told to a tracker, on a thread of its own, so that no tracker stops or slows a run."""

import collections
import threading
from collections.abc import Callable

from sage_jax.parts.modules import said

Call = Callable[[], object]


class Outbox:
    """Calls, made one after the other on a thread that nothing waits for but `close`.

    It holds so many and no more; what comes while it is full is dropped. The thread is a daemon,
    which holds up no interpreter's exit.

    Args:
        title: of the tracker, in messages.
        first: call without which the others make no sense: tried until it works.
        say: tells a person a line; of failures the first alone, and at the end how much was lost.
        size: calls held at most.
        retry_s: seconds between two tries of the first.
    """

    def __init__(
        self,
        title: str,
        first: Call,
        say: Callable[[str], None],
        *,
        size: int = 4096,
        retry_s: float = 60.0,
    ):
        self._title, self._first, self._say = title, first, say
        self._size, self._retry_s = size, retry_s
        self._calls: collections.deque[Call] = collections.deque()
        self._changed = threading.Condition()
        self._closing = self._abandoned = self._warned = False
        self._lost = self._all = 0
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)
        self._thread.start()

    def put(self, call: Call) -> None:
        """Have a call made; never waits."""
        with self._changed:
            self._all += 1
            full = len(self._calls) >= self._size
            if full:
                self._lost += 1
            else:
                self._calls.append(call)
            self._changed.notify()
        if full:
            self._warn(f"does not keep up: {self._size} records are waiting, further ones dropped")

    def close(self, last: Call, *, within_s: float) -> None:
        """Make the calls that wait, then a last one; leave after `within_s` seconds whatever."""
        with self._changed:
            self._calls.append(last)
            self._closing = True
            self._changed.notify()
        self._thread.join(within_s)
        with self._changed:
            late, self._abandoned = self._thread.is_alive(), True
            # Of those that wait, the last is no record; one that is being made counts as lost.
            waiting = max(len(self._calls), 1) if late else 0
            lost = min(self._lost + waiting, self._all)
        if late or lost:
            why = f" (not done after {within_s:g} s)" if late else ""
            self._say(f"{self._title}: {lost} of {self._all} records were lost{why}")

    def _run(self) -> None:
        opened = self._open()
        while (call := self._next()) is not None:
            done = opened and self._made(call)
            with self._changed:
                is_last = self._closing and not self._calls
                self._lost += not (done or is_last)

    def _open(self) -> bool:
        """Try the first call until it works; once more where the end comes first."""
        while True:
            last = self._closing
            if self._made(self._first):
                return True
            if last:
                return False
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._retry_s)

    def _next(self) -> Call | None:
        """The next call; None once there is none to come."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closing)
            return self._calls.popleft() if self._calls and not self._abandoned else None

    def _made(self, call: Call) -> bool:
        try:
            call()
        except Exception as error:
            self._warn(said(error))
            return False
        return True

    def _warn(self, text: str) -> None:
        with self._changed:
            first, self._warned = not self._warned, True
        if first:
            self._say(f"{self._title}: {text}; the run goes on")
