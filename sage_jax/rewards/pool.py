"""The verifier pool: worker processes that judge text answers under a deadline."""

import math
import queue
import threading
import time
import weakref
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sage_jax.rewards.answers import extract
from sage_jax.rewards.math import CRASHED, DEADLINE, LOST, MEMORY, NO_ANSWER, Verdict, glance
from sage_jax.rewards.process import WALL_PER_DEADLINE, WorkerDied, WorkerOverdue, WorkerProcess

_START_ATTEMPTS = 3
_MOST_WORKERS = 1024  # Each of them is a process and a thread.
# A worker may have been killed from outside, or have little memory left after other answers: a
# fresh one tells whether this text is to blame.
_PERHAPS_ANOTHERS = frozenset({CRASHED, MEMORY})


class VerifierError(RuntimeError):
    """The verifier cannot work: its workers do not start, or the pool was closed."""


@dataclass(frozen=True)
class _Task:
    answer: str
    gold: str
    question: str
    future: "Future[Verdict]"


@dataclass
class _Shared:
    """What the pool and its threads share; it never refers to the pool itself."""

    deadline_s: float
    memory_limit: int
    recycle_after: int
    tasks: "queue.SimpleQueue[_Task | None]" = field(default_factory=queue.SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)
    workers: set[WorkerProcess] = field(default_factory=set)
    threads: list[threading.Thread] = field(default_factory=list)
    lost: "Counter[str]" = field(default_factory=Counter)
    broken: str | None = None
    closed: bool = False

    def spawn(self) -> WorkerProcess:
        """Start a worker, unless the pool is closing: then nothing may be started any more."""
        with self.lock:
            if self.closed:
                raise VerifierError("the verifier pool is closed")
            worker = WorkerProcess(
                memory_limit=self.memory_limit,
                alarm_s=2 * WALL_PER_DEADLINE * self.deadline_s,
                recycle_after=self.recycle_after,
            )
            self.workers.add(worker)
        return worker

    def count(self, reason: str) -> None:
        """Remember a verdict that was not reached."""
        if reason in LOST:
            with self.lock:
                self.lost[reason] += 1

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


class VerifierPool:
    r"""Judges completions in worker processes; a context manager.

    Every verdict is the one of `math.score` but for a deadline, a memory limit and a crash, each
    of which scores 0 with its reason. A worker that passes the deadline is killed and replaced. A
    verdict depends on its own completion and gold alone: not on its neighbours, on the number of
    workers, or on load (the deadline counts the worker's CPU time; start-up is not counted).

    The workers are programs of their own, started without fork and without importing the caller's
    main module. They end with the pool, with the interpreter, and with a parent that was killed.
    May be used from any thread.

    Args:
      num_workers: worker processes; one per free core is right.
      deadline_s: CPU seconds for one answer; five times as many on the wall clock.
      memory_limit: bytes of address space for one worker.
      recycle_after: answers after which a worker is replaced.

    Raises:
      ValueError: if an argument is not positive and finite, or there are over 1,024 workers.

    >>> with VerifierPool(num_workers=1) as pool:
    ...     [verdict.reason for verdict in pool.score([(r"\boxed{x+1}", "1+x"), ("hm", "7")])]
    ['correct', 'no_answer']
    """

    def __init__(
        self,
        num_workers: int,
        deadline_s: float = 3.0,
        *,
        memory_limit: int = 1_500_000_000,
        recycle_after: int = 5_000,
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
        self._shared = _Shared(deadline_s, memory_limit, recycle_after)
        for index in range(num_workers):
            self._start_thread(index)
        # Runs at interpreter exit too, for a pool that nobody closed.
        self._finalizer = weakref.finalize(self, self._shared.close)

    def _start_thread(self, index: int) -> None:
        thread = threading.Thread(
            target=_serve, args=(self._shared,), name=f"verifier-{index}", daemon=True
        )
        self._shared.threads.append(thread)
        thread.start()

    def __enter__(self) -> "VerifierPool":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers and wait for them; questions still open get a `VerifierError`."""
        self._finalizer()

    def submit(self, completion: str, gold: str, question: str = "") -> "Future[Verdict]":
        """Ask for a verdict without waiting for it; see `math.score` for the arguments.

        Raises:
          VerifierError: if the pool is closed or its workers cannot start.
        """
        if self._shared.closed:
            raise VerifierError("the verifier pool is closed")
        if self._shared.broken is not None:
            raise VerifierError(self._shared.broken)
        return self._submit(completion, gold, question)

    def _submit(self, completion: str, gold: str, question: str) -> "Future[Verdict]":
        future: Future[Verdict] = Future()
        started = time.perf_counter()
        answer = extract(completion)
        reason = NO_ANSWER if answer is None else glance(answer, gold, question)
        if answer is None or reason is not None:
            future.set_result(Verdict.of(str(reason), time.perf_counter() - started))
        else:
            self._shared.tasks.put(_Task(answer, gold, question, future))
            _refuse_rest(self._shared)  # the last thread may have left in the meantime
        return future

    @property
    def lost(self) -> dict[str, int]:
        """How many answers got no verdict so far, by reason: "deadline", "memory", "crashed"."""
        with self._shared.lock:
            return {reason: self._shared.lost[reason] for reason in sorted(LOST)}

    def answer(self, completion: str) -> str | None:
        """The final answer that is judged, or None if there is none; see `answers.extract`."""
        return extract(completion)

    def score(self, pairs: Sequence[tuple[str, ...]]) -> list[Verdict]:
        """Judge (completion, gold) or (completion, gold, question) tuples, in the same order.

        Equal ones are judged once. See `math.score` for what they mean.

        Raises:
          VerifierError: if the pool is closed or its workers cannot start.
        """
        futures: dict[tuple[str, ...], Future[Verdict]] = {}
        for pair in pairs:
            if pair not in futures:
                futures[pair] = self.submit(*pair)
        return [futures[pair].result() for pair in pairs]


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
    raise VerifierError(f"a verifier worker does not start: {died or 'no sign of life'}")


def _settle(shared: _Shared, task: _Task, worker: WorkerProcess) -> WorkerProcess:
    """Answer one task and return the worker to use next."""
    started = time.perf_counter()
    try:
        reason, usable = _ask(worker, task, shared.deadline_s)
        if reason in _PERHAPS_ANOTHERS:
            shared.retire(worker)
            worker = _started(shared)
            reason, usable = _ask(worker, task, shared.deadline_s)
    except VerifierError as error:
        task.future.set_exception(error)
        raise
    shared.count(reason)
    task.future.set_result(Verdict.of(reason, time.perf_counter() - started))
    if usable:
        return worker
    shared.retire(worker)
    return _started(shared)


def _ask(worker: WorkerProcess, task: _Task, deadline_s: float) -> tuple[str, bool]:
    """The reason for the verdict, and whether the worker can be asked again."""
    asked = {"answer": task.answer, "gold": task.gold, "question": task.question}
    try:
        reply = worker.ask(asked, deadline_s=deadline_s)
    except WorkerOverdue:
        return DEADLINE, False
    except WorkerDied:
        return CRASHED, False
    return reply["reason"], not reply["last"]


def _refuse_rest(shared: _Shared) -> None:
    """Refuse what is still queued once no thread is left to answer it."""
    if not (shared.closed or shared.broken):
        return
    message = shared.broken or "the verifier pool is closed"
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
