"""The verifier pool: worker processes that judge text answers under a deadline."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from sage_jax.rewards.answers import extract
from sage_jax.rewards.math import NO_ANSWER, Verdict, glance
from sage_jax.rewards.workers import MEMORY_LIMIT, WorkerPool


class VerifierPool(WorkerPool):
    r"""Judges completions in worker processes; a context manager.

    Every verdict is the one of `math.score` but for a deadline, a memory limit and a crash, each
    of which scores 0 with its reason. For the rest see `WorkerPool`.

    Args:
        num_workers: worker processes; one per free core is right.
        deadline_s: CPU seconds for one answer; five times as many on the wall clock.
        memory_limit: bytes of address space that a worker may map beside what it begins with.
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
        memory_limit: int = MEMORY_LIMIT,
        recycle_after: int = 5_000,
    ):
        super().__init__(
            ("sage_jax.rewards.verifier:make", {}),
            title="the verifier",
            num_workers=num_workers,
            deadline_s=deadline_s,
            memory_limit=memory_limit,
            recycle_after=recycle_after,
        )

    def submit(self, completion: str, gold: str, question: str = "") -> "Future[Verdict]":
        """Ask for a verdict without waiting for it; see `math.score` for the arguments.

        Raises:
            VerifierError: if the pool is closed or its workers cannot start.
        """
        self.refuse_closed()
        started = time.perf_counter()
        answer = extract(completion)
        reason = NO_ANSWER if answer is None else glance(answer, gold, question)
        if answer is not None and reason is None:
            return self.ask({"answer": answer, "gold": gold, "question": question}, _verdict)
        future: Future[Verdict] = Future()
        future.set_result(Verdict.of(str(reason), time.perf_counter() - started))
        return future

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


def _verdict(reply: dict[str, Any], seconds: float) -> Verdict:
    return Verdict.of(reply["reason"], seconds)
