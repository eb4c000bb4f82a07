"""Worker processes that answer questions under a deadline: a pool of them."""

import math
import queue
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sage_jax.rewards import frames
from sage_jax.rewards.math import CRASHED, DEADLINE, LOST, MEMORY
from sage_jax.rewards.process import WALL_PER_DEADLINE, WorkerDied, WorkerOverdue, WorkerProcess
from sage_jax.telling import UserError

MEMORY_LIMIT = 1_500_000_000
"""Bytes that a worker may map beside what it begins with, unless said otherwise."""

_T = TypeVar("_T")
_START_ATTEMPTS = 3
_MOST_WORKERS = 1024  # Each of them is a process and a thread.


class VerifierError(UserError, RuntimeError):
    """Workers cannot work: they do not start, lose everything, or their pool was closed."""


@dataclass(frozen=True)
class _Task:
    frame: bytes
    read: Callable[[dict[str, Any], float], Any]
    future: "Future[Any]"


@dataclass
class _Shared:
    """What the pool and its threads share; it never refers to the pool itself."""

    title: str
    settings: Mapping[str, Any]
    deadline_s: float
    give_up: int
    tasks: "queue.SimpleQueue[_Task | None]" = field(default_factory=queue.SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)
    workers: set[WorkerProcess] = field(default_factory=set)
    threads: list[threading.Thread] = field(default_factory=list)
    lost: "Counter[str]" = field(default_factory=Counter)
    answered: int = 0
    broken: str | None = None
    closed: bool = False

    def spawn(self) -> WorkerProcess:
        """Start a worker, unless the pool is closing: then nothing may be started any more."""
        with self.lock:
            if self.closed:
                raise VerifierError(self.refusal)
            worker = WorkerProcess(self.settings)
            self.workers.add(worker)
        return worker

    def count(self, reason: str | None) -> None:
        """Remember an answer, or that it was lost."""
        with self.lock:
            if reason in LOST:
                self.lost[str(reason)] += 1
            else:
                self.answered += 1
            if self.answered == 0 and 0 < self.give_up <= self.lost.total() and not self.broken:
                said = ", ".join(f"{name} {count}" for name, count in sorted(self.lost.items()))
                self.broken = (
                    f"{self.title}: all of the first calls were lost ({said}); see what "
                    "it does without `isolate`"
                )

    @property
    def refusal(self) -> str:
        """Why nothing is answered any more; empty where all is well."""
        return self.broken or (f"{self.title}: its workers are closed" if self.closed else "")

    def retire(self, worker: WorkerProcess) -> None:
        """Kill a worker and forget it."""
        worker.kill()
        with self.lock:
            self.workers.discard(worker)

    def close(self) -> None:
        """End all workers and threads; questions still open are refused."""
        with self.lock:
            self.closed = True
            for worker in self.workers:
                worker.signal_end()
        for _ in self.threads:
            self.tasks.put(None)
        for thread in self.threads:
            thread.join()


class WorkerPool:
    """Asks a function in worker processes; a context manager.

    A worker that passes the deadline is killed, with all that it started, and replaced. An answer
    depends on its own question alone: not on its neighbours, on the number of workers, or on load
    (the deadline counts the worker's CPU time; start-up is not counted).

    The workers are programs of their own, started without fork and without importing the caller's
    main module, on the caller's path. They end with the pool, with the interpreter, and with a
    parent that was killed. May be used from any thread.

    Args:
        maker: (`module:function`, its options as JSON holds them): makes, in a worker, the function
            that answers: it is called with the members of a question and gives a dict.
        title: who asks, for messages.
        num_workers: worker processes; one per free core is right.
        deadline_s: CPU seconds for one answer; five times as many on the wall clock.
        memory_limit: bytes of address space that a worker may map beside what it begins with.
        recycle_after: answers after which a worker is replaced.
        give_up: lost answers, while there is no other, after which the pool refuses to go on; with
            0 it never does.

    Raises:
        ValueError: if an argument is not positive and finite, or there are over 1,024 workers.
    """

    def __init__(
        self,
        maker: tuple[str, Mapping[str, Any]],
        *,
        title: str,
        num_workers: int,
        deadline_s: float,
        memory_limit: int = MEMORY_LIMIT,
        recycle_after: int = 5_000,
        give_up: int = 0,
    ):
        for name, value in (
            ("num_workers", num_workers),
            ("deadline_s", deadline_s),
            ("memory_limit", memory_limit),
            ("recycle_after", recycle_after),
        ):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value}")
        if num_workers > _MOST_WORKERS:
            raise ValueError(f"num_workers must be at most {_MOST_WORKERS}, got {num_workers}")
        settings = {
            "use": maker[0],
            "options": maker[1],
            "memory_limit": memory_limit,
            "recycle_after": recycle_after,
            "alarm_s": 2 * WALL_PER_DEADLINE * deadline_s,
        }
        self._shared = _Shared(title, settings, deadline_s, give_up)
        for index in range(num_workers):
            self._start_thread(index)
        # Runs at interpreter exit too, for a pool that nobody closed.
        self._finalizer = weakref.finalize(self, self._shared.close)

    def _start_thread(self, index: int) -> None:
        thread = threading.Thread(
            target=_serve, args=(self._shared,), name=f"worker-{index}", daemon=True
        )
        self._shared.threads.append(thread)
        thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers and wait for them; questions still open get a `VerifierError`."""
        self._finalizer()

    def ask(
        self, question: Mapping[str, Any], read: Callable[[dict[str, Any], float], _T]
    ) -> "Future[_T]":
        """Ask without waiting for the answer.

        Args:
            question: members by name, as JSON holds them.
            read: makes the result of the answer, or of {"reason": one of `LOST`}, and of the
                seconds that it took.

        Raises:
            VerifierError: if the pool is closed or its workers cannot start.
            TypeError, ValueError: of what JSON does not hold.
        """
        self.refuse_closed()
        future: Future[_T] = Future()
        self._shared.tasks.put(_Task(frames.encode(question), read, future))
        _refuse_rest(self._shared)  # the last thread may have left in the meantime
        return future

    def refuse_closed(self) -> None:
        """Raise a `VerifierError` if nothing is answered any more."""
        if said := self._shared.refusal:
            raise VerifierError(said)

    @property
    def lost(self) -> dict[str, int]:
        """How many answers were lost so far, by reason: "deadline", "memory", "crashed"."""
        with self._shared.lock:
            return {reason: self._shared.lost[reason] for reason in sorted(LOST)}


def _serve(shared: _Shared) -> None:
    """Thread: own one worker process, replace it when needed, answer tasks until closing."""
    worker: WorkerProcess | None = None
    try:
        worker = _started(shared)
        while (task := shared.tasks.get()) is not None:
            worker = _settle(shared, task, worker)
    except VerifierError as error:
        with shared.lock:
            shared.broken = None if shared.closed else str(error)
    finally:
        if worker is not None:
            shared.retire(worker)
        _refuse_rest(shared)


def _started(shared: _Shared) -> WorkerProcess:
    """Start a worker and see it ready, trying again if it dies."""
    died = None
    for _ in range(_START_ATTEMPTS):
        worker = None
        try:
            worker = shared.spawn()
            worker.wait_ready()
        except (WorkerDied, WorkerOverdue, OSError) as error:
            died = error
            if worker is not None:
                shared.retire(worker)
        else:
            return worker
    raise VerifierError(f"{shared.title}: a worker process does not start: {died}")


def _settle(shared: _Shared, task: _Task, worker: WorkerProcess) -> WorkerProcess:
    """Answer one task and return the worker to use next."""
    started = time.perf_counter()
    try:
        reply = _ask(worker, task, shared.deadline_s)
        # A worker may have been killed from outside, or have little memory left after other
        # answers: a fresh one tells whether this question is to blame.
        if reply.get("reason") == MEMORY or reply is _DIED:
            shared.retire(worker)
            worker = _started(shared)
            reply = _ask(worker, task, shared.deadline_s)
    except VerifierError as error:
        task.future.set_exception(error)
        raise
    shared.count(reply.get("reason"))
    _tell(task, reply, time.perf_counter() - started)
    if not (reply["last"] or shared.broken):
        return worker
    shared.retire(worker)
    if shared.broken:
        raise VerifierError(shared.broken)
    return _started(shared)


def _tell(task: _Task, reply: dict[str, Any], seconds: float) -> None:
    try:
        result = task.read(reply, seconds)
    except Exception as error:
        task.future.set_exception(error)
    else:
        task.future.set_result(result)


_OVERDUE: dict[str, Any] = {"reason": DEADLINE, "last": True}
_DIED: dict[str, Any] = {"reason": CRASHED, "last": True}


def _ask(worker: WorkerProcess, task: _Task, deadline_s: float) -> dict[str, Any]:
    """What the worker says, with whether it can be asked again."""
    try:
        return worker.ask(task.frame, deadline_s=deadline_s)
    except WorkerOverdue:
        return _OVERDUE
    except WorkerDied:
        return _DIED


def _refuse_rest(shared: _Shared) -> None:
    """Refuse what is still queued once no thread is left to answer it."""
    message = shared.refusal
    if not message:
        return
    words = 0
    while True:
        try:
            task = shared.tasks.get_nowait()
        except queue.Empty:
            break
        if task is None:
            words += 1
        else:
            task.future.set_exception(VerifierError(message))
    for _ in range(words):  # To leave, for threads that have not looked yet.
        shared.tasks.put(None)
