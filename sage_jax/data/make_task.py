"""Opening the task that a config names."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pydantic

from sage_jax.data import jsonl
from sage_jax.data.mixed_task import MixedTask
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import Split
from sage_jax.data.prompts import Prompting
from sage_jax.data.rates import refuse_missing_rates
from sage_jax.data.reading import ALONE, Beside, read_task
from sage_jax.data.rewards import Reward, closed_on_failure, make_reward, refuse_missing_columns
from sage_jax.data.tasks import Setting, Task
from sage_jax.data.text_task import TextTask
from sage_jax.data.weighing import tell_unknown, weighed
from sage_jax.faults import ConfigError, explain
from sage_jax.parallel import hosts
from sage_jax.parts import TASKS, Part, RewardSpec, SourceSpec, TaskSpec, resolve, sources_of
from sage_jax.rewards import NumberJudge, VerifierPool
from sage_jax.telling import brief


def make_task(
    spec: TaskSpec,
    setting: Setting,
    rewards: Sequence[RewardSpec] = (),
    *,
    field: str = "task",
    to_train: bool = True,
    beside: Beside = ALONE,
    rewards_field: str = "reward",
) -> Task:
    """The task that a config names. A collective.

    Args:
        spec: its name and arguments, and what holds for every task in words.
        setting: what the run gives it.
        rewards: what a config names; none takes the task's own, or else `math`.
        field: of the config, that names the task.
        to_train: refuse one in words that has problems to evaluate on alone.
        beside: problems of other tasks that it is evaluated on.
        rewards_field: of the config, that names the rewards.

    Raises:
        ConfigError: if there is no such task, it or a reward does not fit, or fails.
        DataError: if files, problems or the tokenizer are not what is needed.
        HostsError: if the task gives other problems on another process.
    """
    part = resolve(spec, TASKS, field=field)
    found = _read(part, spec, setting, rewards, to_train=to_train, beside=beside)
    if isinstance(found, MixedTask):
        if spec.rates_file and setting.rates is not None:
            tell_unknown(spec.rates_file, found.ids)
        return found  # Its sources were checked when they were opened.
    if not isinstance(found, Split):
        _refuse_unfit(part, found, setting, rewards)
        _refuse_curriculum(part, spec)
        return found
    if setting.rates is not None:
        found = weighed(found, spec, field=field)
        if spec.rates_file and ".of." not in field:  # Those of a mixture share a file.
            tell_unknown(spec.rates_file, {one.id for one in (*found.train, *found.held_out)})
    if setting.tokenizer is None:
        raise ConfigError(
            f"{field}: {spec.use} is one in words, and this model has no tokenizer: name a "
            "pretrained model as model.source, or a task with a vocabulary of its own, such as "
            "brackets"
        )
    hosts.refuse_difference({f"problems of task {spec.use}": found.digest()})
    rewards = [*rewards] or _own(part, found.reward)
    made = _rewards(spec, found, setting, rewards, rewards_field)
    try:
        said = Prompting(
            spec.system_prompt, spec.instruction, spec.prefix, spec.template_date, spec.thinking
        )
        return TextTask(found, made, said, setting)
    except BaseException:
        for one in made:
            one.close()
        raise


def open_problems(
    spec: TaskSpec, setting: Setting, rewards: Sequence[RewardSpec] = (), *, field: str
) -> tuple[Split, list[Reward]]:
    """The problems of a task in words and their rewards, which are to be closed; no tokenizer.

    Raises:
        ConfigError, DataError: as `make_task`; or it is a mixture, which judges by source.
    """
    if sources_of(spec):
        raise ConfigError(f"{field}: is a mixture: name its sources one by one, as eval.suites")
    part = resolve(spec, TASKS, field=field)
    found = _read(part, spec, setting, rewards, to_train=False, beside=ALONE)
    if not isinstance(found, Split):
        raise ConfigError(f"{field}: {spec.use} is a task of tokens, and not one in words")
    return found, _rewards(spec, found, setting, [*rewards] or _own(part, found.reward), "reward")


def _read(
    part: Part,
    spec: TaskSpec,
    setting: Setting,
    rewards: Sequence[RewardSpec],
    *,
    to_train: bool,
    beside: Beside,
) -> Split | Task:
    """The problems of a task; a mixture opens the tasks that it is of."""

    def open_sources(sources: Sequence[SourceSpec]) -> list[Task]:
        fields = [f"{part.field}.of.{place}" for place in range(len(sources))]
        hold_out = to_train and beside.held_out is None
        held_out = [
            held_out_problems(source.as_task(spec), setting, field=field) if hold_out else ()
            for source, field in zip(sources, fields, strict=True)
        ]
        with contextlib.ExitStack() as opened:
            tasks: list[Task] = []
            for place, (source, field) in enumerate(zip(sources, fields, strict=True)):
                own = (source.reward, f"{field}.reward") if source.reward else (rewards, "reward")
                task = make_task(
                    source.as_task(spec),
                    setting,
                    own[0],
                    field=field,
                    rewards_field=own[1],
                    to_train=to_train,
                    beside=_of_source(beside, place, held_out),
                )
                opened.callback(task.close)
                tasks.append(task)
            opened.pop_all()  # Whoever asked closes them from here on.
        return tasks

    given = {"open_sources": open_sources}
    return read_task(part, spec, setting, to_train=to_train, beside=beside, given=given)


def held_out_problems(spec: TaskSpec, setting: Setting, *, field: str) -> Sequence[Problem]:
    """The problems that a task in words holds out, unchecked; of a mixture those of its sources.

    Those of other tasks are not known.

    Raises:
        ConfigError, DataError: as `make_task`.
    """
    if sources := sources_of(spec):
        parts = [
            held_out_problems(one.as_task(spec), setting, field=f"{field}.of.{place}")
            for place, one in enumerate(sources)
        ]
        return [one for part in parts for one in part]
    found = read_task(resolve(spec, TASKS, field=field), spec, setting, to_train=False)
    return found.held_out if isinstance(found, Split) else ()


def _of_source(beside: Beside, place: int, held_out: Sequence[Sequence[Problem]]) -> Beside:
    """What a source is evaluated on, beside what it holds out itself.

    Problems of another task that are held out stand for all sources, behind the first.
    """
    if beside.held_out is None:
        others = [one for at, part in enumerate(held_out) if at != place for one in part]
        return beside._replace(others=[*beside.others, *others])
    return Beside((), [*beside.others, *beside.held_out]) if place else beside


def _rewards(
    spec: TaskSpec, found: Split, setting: Setting, rewards: Sequence[RewardSpec], field: str
) -> list[Reward]:
    """The rewards of problems, which fit them."""
    made = closed_on_failure(
        make_reward(
            one,
            field=f"{field}.{place}",
            tokenizer=setting.tokenizer,
            seed=setting.seed,
            num_workers=spec.num_workers,
            deadline_s=spec.deadline_s,
        )
        for place, one in enumerate(rewards)
    )
    try:
        problems = [*found.train, *found.held_out]
        _refuse_unanswered(made, problems)
        refuse_missing_columns(made, problems)
        refuse_missing_rates(found.train, setting.rates or ())
    except BaseException:
        for one in made:
            one.close()
        raise
    return made


def _own(part: Part, reward: Any) -> list[RewardSpec]:
    """The rewards of a task whose config names none."""
    every = reward if isinstance(reward, list | tuple) else ["math" if reward is None else reward]
    return [_spec(part, one) for one in every]


def _spec(part: Part, reward: Any) -> RewardSpec:
    if callable(reward):
        name = getattr(reward, "__qualname__", "<unnamed>")
        if not name.isidentifier():
            raise ConfigError(
                f"{part.field}: {part.spec.use} has the reward {brief(reward)}, which no module "
                "holds by name: name a function, with its arguments beside it, as in {'use': "
                "'my_tasks:close', 'tolerance': 0.1}"
            )
        reward = f"{reward.__module__}:{name}"
    try:
        return RewardSpec.model_validate(reward)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{part.field}: {part.spec.use}: reward: {explain(error)}") from None


def _refuse_unanswered(rewards: Sequence[Reward], problems: Sequence[Problem]) -> None:
    """Refuse problems that can never be right."""
    judges = [one for one in rewards if isinstance(one.judge, VerifierPool | NumberJudge)]
    bare = [problem.id for problem in problems if not problem.answer.strip()]
    if judges and bare:
        raise DataError(
            f"{len(bare)} of {len(problems)} problems have no answer, as {bare[0]!r}, and reward "
            f"{judges[0].name!r} compares with one: give answers, or name another reward"
        )
    for pool in (one.judge for one in judges if isinstance(one.judge, VerifierPool)):
        jsonl.check_golds(problems, pool)


def _refuse_curriculum(part: Part, spec: TaskSpec) -> None:
    """Refuse rates of problems beside a task that has none."""
    given = "curriculum" if spec.curriculum else "rates_file" if spec.rates_file else ""
    if given:
        raise ConfigError(
            f"{part.field}.{given}: the task {spec.use!r} draws its prompts itself: take one in "
            "words, whose problems have rates"
        )


def _refuse_unfit(part: Part, task: Task, setting: Setting, rewards: Sequence[RewardSpec]) -> None:
    """Refuse rewards beside a task that judges by itself, and ids that are not the model's."""
    use, size, ends = part.spec.use, task.vocab_size, task.stop_ids
    if rewards:
        raise ConfigError(f"reward: the task {use!r} judges by itself and takes none")
    if setting.rates:
        raise ConfigError(
            f"the loss reads {min(setting.rates)}, a column of the data, which the task {use!r} "
            "does not have: take one in words, whose problems have it"
        )
    if not ends or not all(0 <= one < size for one in (*ends, task.pad_id)):
        raise ConfigError(
            f"{part.field}: {use} has the stop_ids {brief(ends)} and the pad_id "
            f"{brief(task.pad_id)}; one or more below its vocab_size {size} are needed"
        )
    if setting.embeddings is not None and size > setting.embeddings:
        raise ConfigError(
            f"{part.field}: {use} has a vocabulary of {size} tokens, and the model knows "
            f"{setting.embeddings}: take model.source 'random', or the tokenizer's own vocabulary"
        )
