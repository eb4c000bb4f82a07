"""Completions of any program, judged as an evaluation of ours would judge them."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sage_jax import config as configs
from sage_jax.data import verdicts
from sage_jax.data.make_task import open_problems
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import Mode
from sage_jax.data.rewards import Batch, Reward
from sage_jax.data.tasks import Setting
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.completions import Completion, judged, read_completions
from sage_jax.evaluate.counting import as_evaluation, count, suite_of
from sage_jax.faults import ConfigError
from sage_jax.files import ResultError
from sage_jax.parts import RewardSpec, TaskSpec
from sage_jax.paths import as_path
from sage_jax.run.console import warn

_NO_TOKENS = np.zeros((0, 0), np.int32)


class _Suite(NamedTuple):
    """Problems, and what judges answers to them."""

    problems: Mapping[str, Problem]
    rewards: Sequence[Reward]
    mode: Mode | None

    def judge(self, asked: Sequence[Completion]) -> list[Completion]:
        problems = [self.problems[one.id] for one in asked]
        batch = Batch([one.completion for one in asked], problems, _NO_TOKENS, _NO_TOKENS)
        found = verdicts.judge(batch, self.rewards, self.mode)
        return [
            dataclasses.replace(
                one,
                answer=found.answers[row] or None,
                correct=bool(found.correct[row]),
                reward=float(found.rewards[row]),
                reason=found.reasons[row],
                mode=found.modes[row] if found.modes else "",
            )
            for row, one in enumerate(asked)
        ]


def judge_completions(config: configs.Config, source: Path) -> dict[str, EvalResult]:
    """Judge what a file holds, or all files of a folder, on the suites that it has completions of.

    All are judged anew, whatever verdicts stand there.

    Args:
        config: with the suites; without any, the problems that its task holds out are the only one.
        source: JSON Lines of {"id", "completion"}, perhaps gzipped; or a folder of such files, as
            an evaluation keeps them.

    Returns:
        {suite: what came of it}, of the problems of which there are completions.

    Raises:
        ResultError: a completion of no known problem, or not as many of each; one line.
        ConfigError: a suite that is none in words, or a reward that reads tokens.
    """
    with contextlib.ExitStack() as closing:
        suites = {one.name: _opened(config, one, closing) for one in _named(config)}
        rows: dict[str, list[Completion]] = {}
        known = {name: one.problems for name, one in suites.items()}
        for row in _read(source):
            rows.setdefault(suite_of(row, known), []).append(row)
        return {name: _evaluated(config, name, suites[name], own) for name, own in rows.items()}


class _Named(NamedTuple):
    """A suite as the config names it."""

    name: str
    task: TaskSpec
    rewards: Sequence[RewardSpec]
    field: str


def _named(config: configs.Config) -> Iterator[_Named]:
    if not config.eval.suites:
        yield _Named(config.task.label, config.task, config.reward, "task")
    for place, suite in enumerate(config.eval.suites):
        task = suite.as_task(config.task)
        yield _Named(suite.title, task, suite.reward, f"eval.suites.{place}")


def _opened(config: configs.Config, named: _Named, closing: contextlib.ExitStack) -> _Suite:
    setting = Setting(
        config.seed, None, config.rollout.max_prompt_length, config.rollout.max_completion_length
    )
    split, made = open_problems(named.task, setting, named.rewards, field=named.field)
    for one in made:
        closing.callback(one.close)
    for one in made:
        if one.part and (one.part.asks("tokens") or one.part.asks("tokenizer")):
            raise ConfigError(
                f"{named.name}: reward {one.name!r} reads tokens, which stored completions do not "
                "have: name rewards of text"
            )
    return _Suite({one.id: one for one in split.held_out}, made, split.mode)


def _read(source: Path) -> Iterator[Completion]:
    source = as_path(source)
    if not source.is_dir():
        yield from read_completions(source)
        return
    ends = (".jsonl", ".jsonl.gz")
    files = sorted(file for file in source.iterdir() if file.name.endswith(ends))
    if not files:
        raise ResultError(f"{source}: holds no .jsonl or .jsonl.gz file")
    for file in files:
        yield from read_completions(file)


def _evaluated(
    config: configs.Config, name: str, suite: _Suite, rows: Sequence[Completion]
) -> EvalResult:
    asked = {row.id for row in rows}
    golds = {id: one.answer for id, one in suite.problems.items() if id in asked}
    if len(golds) < len(suite.problems):
        warn(f"{name}: {len(golds)} of {len(suite.problems)} problems have completions")
    plain = [dataclasses.replace(row, suite="") for row in rows]  # There is but one here.
    problems = count(judged(plain, suite.judge, again=True), {name: golds})[name]
    # Neither step nor seed is known; the temperature is what the config says.
    temperature, _ = config.eval.drawn_at
    return as_evaluation(problems, tag="stored", step=0, task=name, seed=0, temperature=temperature)
