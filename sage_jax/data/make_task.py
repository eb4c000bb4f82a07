"""Opening a task by its kind."""

from collections.abc import Sequence
from typing import Any, Literal

from sage_jax.data import arithmetic, jsonl
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.rewards import closed_on_failure, make_reward, refuse_missing_columns
from sage_jax.data.tasks import Task
from sage_jax.data.text_task import TextTask, Worked
from sage_jax.data.token_task import BracketsTask
from sage_jax.parts import RewardSpec
from sage_jax.rewards import VerifierPool

# Shares of all distinct problems that are drawn for each part, and at most how many. The split is
# 4 to 1 by a hash, so that small ranges do not hit it exactly: the shares leave some room.
_TRAIN, _HELD_OUT = (0.7, 2000), (0.15, 500)


def make_task(
    kind: Literal["brackets", "arithmetic", "jsonl"],
    *,
    seed: int,
    tokenizer: Any,
    stop_ids: tuple[int, ...],
    max_prompt_length: int,
    max_completion_length: int,
    train_file: str,
    eval_file: str,
    source_prefix: str,
    exclude_ids: Sequence[str],
    prepared_dir: str,
    system_prompt: str,
    instruction: str,
    prefix: str,
    min_operand: int,
    max_operand: int,
    operations: Sequence[arithmetic.Operation],
    reward: Sequence[RewardSpec],
    num_workers: int,
    deadline_s: float,
    template_date: str,
    embeddings: int | None,
) -> Task:
    """The task of a kind; arguments that a kind does not need are ignored.

    Raises:
        DataError: if files, problems or the tokenizer are not what the kind needs.
        ConfigError: if a reward that is named is not there or does not fit.
    """
    if kind == "brackets":
        return BracketsTask(seed=seed)
    if tokenizer is None:
        raise DataError(f"task.kind {kind!r} needs a tokenizer, which this model does not have")
    usual = RewardSpec(use="number" if kind == "arithmetic" else "math")
    rewards = closed_on_failure(
        make_reward(spec, field=f"reward.{place}", tokenizer=tokenizer, seed=seed,
                    num_workers=num_workers, deadline_s=deadline_s)
        for place, spec in enumerate(reward or [usual])
    )  # fmt: skip
    try:
        if kind == "arithmetic":
            train, held_out, worked = _arithmetic(seed, min_operand, max_operand, operations)
        else:
            train = _read(train_file, source_prefix, exclude_ids, prepared_dir)
            held_out, worked = _read(eval_file, "", (), prepared_dir), _solution
            for pool in (one.judge for one in rewards if isinstance(one.judge, VerifierPool)):
                jsonl.check_golds([*train, *held_out], pool)
        refuse_missing_columns(rewards, [*train, *held_out])
        return TextTask(
            train, held_out, tokenizer, rewards, worked,
            seed=seed,
            stop_ids=(*stop_ids, *_eos(tokenizer)),
            max_prompt_length=max_prompt_length,
            max_completion_length=max_completion_length,
            system_prompt=system_prompt or None,
            instruction=instruction,
            prefix=prefix,
            template_date=template_date,
            embeddings=embeddings,
        )  # fmt: skip
    except BaseException:
        for one in rewards:
            one.close()
        raise


def _eos(tokenizer: Any) -> tuple[int, ...]:
    return () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)


def _arithmetic(
    seed: int, low: int, high: int, operations: Sequence[arithmetic.Operation]
) -> tuple[list[Problem], list[Problem], Worked]:
    def draw(split: arithmetic.Split, share: float, most: int) -> list[Problem]:
        distinct = arithmetic.count_problems(operations, low=low, high=high)
        count = max(1, min(most, int(share * distinct)))
        return arithmetic.make_problems(
            seed, count, operations=operations, low=low, high=high, split=split
        )

    return draw("train", *_TRAIN), draw("held_out", *_HELD_OUT), _any_style


def _any_style(problem: Problem, draw: int) -> str:
    styles = list(arithmetic.solutions(problem).values())
    return styles[draw % len(styles)]


def _solution(problem: Problem, draw: int) -> str | None:
    return problem.solution


def _read(
    path: str, source_prefix: str, exclude_ids: Sequence[str], prepared_dir: str
) -> list[Problem]:
    prefix = source_prefix or None
    if prepared_dir:
        from sage_jax.data import builders  # TFDS takes seconds.

        source = builders.data_source(
            {"problems": path}, split="problems", data_dir=prepared_dir, source_prefix=prefix
        )
        problems = [builders.as_problem(item) for item in source]
    else:
        problems = jsonl.read_problems(path, source_prefix=prefix)
    excluded = set(exclude_ids)
    missing = excluded - {problem.id for problem in problems}
    if missing:
        raise DataError(f"task.exclude_ids: {path} has no problem {sorted(missing)[0]!r}")
    return [problem for problem in problems if problem.id not in excluded]
