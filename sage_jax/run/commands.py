"""What the commands do with a finished or unfinished run: evaluate it, sample it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console as Terminal
from rich.table import Table
from rich.text import Text

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Prompts, Task
from sage_jax.evaluate import EvalResult, paired_differences
from sage_jax.evaluate.report.plots import describe
from sage_jax.evaluate.report.printed import print_suites
from sage_jax.evaluate.report.suite_section import lay_out, write_tables
from sage_jax.evaluate.seeded import SeededResult
from sage_jax.evaluate.suites import contaminated, suite_file
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import of_rollout
from sage_jax.parallel import hosts
from sage_jax.run import inputs
from sage_jax.run.console import log
from sage_jax.run.evaluation import Asked, evaluate_model
from sage_jax.run.rejudging import judge_completions
from sage_jax.run.starting import source_of_config
from sage_jax.run.suites import Candidate, evaluate_suites
from sage_jax.run.trained import Trained, load_trained, open_base, open_run


def evaluate_config(config: configs.Config, home: Path) -> None:
    """Evaluate the model that a config starts from, and print the table.

    Args:
        config: names the model, and what it is evaluated on.
        home: folder in which completions and results of suites are kept.

    Raises:
        ConfigError: if the model comes from a warm-up, which belongs to a run.
    """
    base = open_base(config, source_of_config(config), bool(config.eval.suites))
    try:
        model = (base.loaded.graphdef, base.loaded.params)
        if config.eval.suites:
            candidates = [Candidate("base", 0, model)]
            _show_suites(config, evaluate_suites(config, base, candidates, home), home)
        else:
            _show([_evaluated(config, base, model, "base", 0)])
    finally:
        base.task.close()


def evaluate_stored(config: configs.Config, source: Path, home: Path) -> None:
    """Judge completions of any program, print the table, and keep the results.

    Args:
        config: says what they are judged by, see `judge_completions`.
        source: the completions.
        home: folder of the results.
    """
    found = judge_completions(config, source)
    if hosts.is_main():
        for name, result in found.items():
            result.save(suite_file(home, name, result.tag, result.seed))
    seeded = {"stored": {name: SeededResult((one,)) for name, one in found.items()}}
    _show_suites(config, seeded, home)


def evaluate_run(path: Path, config: configs.Config) -> None:
    """Evaluate a run's base and trained model anew and print them side by side.

    Results on the run's own held-out problems are kept where they were made with the run's own
    settings; with others they are only printed, so that runs stay comparable. Those on suites are
    kept always, in `suites/`.
    """
    folder = open_run(path)
    own = config == folder.load()
    if own:
        inputs.refuse_others(config, folder, inputs.of_evaluation(config))
    trained = load_trained(path, config, on_suites=bool(config.eval.suites))
    loaded = trained.base.loaded
    tag = "final" if trained.step == config.train.steps else f"step-{trained.step:06d}"
    candidates = [
        Candidate("base", 0, (loaded.graphdef, loaded.params)),
        Candidate(tag, trained.step, trained.decoder()),
    ]
    try:
        if config.eval.suites:
            found = evaluate_suites(config, trained.base, candidates, folder.suites)
            unclean = [] if folder.load().task.decontaminate else [folder.contaminated_file]
            _show_suites(config, found, folder.suites, trained_on=unclean)
            return
        if own:
            inputs.refuse_other_problems(folder, trained.base.task, [inputs.HELD_OUT])
        results = [
            _evaluated(config, trained.base, model, tag, step) for tag, step, model in candidates
        ]
    finally:
        trained.base.task.close()
    if own and hosts.is_main():
        for result in results:
            result.save(folder.eval_file(result.tag))
    _show(results)


def _evaluated(
    config: configs.Config, base: setup.Base, model: tuple[Any, Any], tag: str, step: int
) -> EvalResult:
    return evaluate_model(config, base, model, Asked(tag, step, config.eval.num_samples))


def _show(results: list[EvalResult]) -> None:
    """One row a figure, one column a model, and the paired difference of the last to the first."""
    if not hosts.is_main():
        return
    table = Table(
        "",
        *(f"{r.tag} (step {r.step})" for r in results),
        title=f"{results[0].task}: {describe(results[0])}, 95% intervals",
    )
    summaries = [_figures(result) for result in results]
    for name in summaries[0]:
        table.add_row(name, *(_cell(summary.get(name)) for summary in summaries))
    Terminal().print(table)
    if len(results) == 2:
        base, final = results
        difference = paired_differences(
            final.ids, final.pass_table([1]), base.ids, base.pass_table([1])
        )[0]
        Terminal().print(f"pass@1, trained - base: {_cell(dataclasses.asdict(difference))}")


def _show_suites(
    config: configs.Config,
    results: dict[str, dict[str, SeededResult]],
    home: Path,
    *,
    trained_on: Sequence[Path] = (),
) -> None:
    """The table of runs against suites, printed and beside the results as Markdown and LaTeX."""
    if not hosts.is_main():
        return
    known = contaminated(trained_on, results)
    table = lay_out(results, config.eval.ks, contaminated=known)
    write_tables(home / "table", table)
    print_suites(table)
    log(f"{home / 'table.md'}, table.tex")


def _figures(result: EvalResult) -> dict[str, Any]:
    return result.summary() | {f"tokens/{name}": one for name, one in result.tokens.items()}


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, list | tuple):
        return " ".join(f"{one:.2f}" for one in value)
    if isinstance(value, dict):
        return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return f"{value:.3f}"


def sample_run(path: Path, config: configs.Config, *, prompt: str, gold: str, count: int) -> None:
    """Print completions of a prompt, each token shaded by the entropy it was drawn with."""
    if count < 1:
        raise ConfigError(f"--count is {count}; ask for 1 completion or more")
    trained = load_trained(path, config)
    try:
        _print_samples(config, trained, prompt, gold, count)
    finally:
        trained.base.task.close()


def _print_samples(
    config: configs.Config, trained: Trained, prompt: str, gold: str, count: int
) -> None:
    base = trained.base
    prompts = base.task.ask(prompt, gold) if prompt else base.task.held_out(1)
    decoding = dataclasses.replace(setup.decoding(config, base.task), group_size=count)
    draw = setup.sampler(trained.learner.policy, decoding)
    (graphdef, params), key = trained.decoder(), jax.random.key(config.seed)
    rollout = draw(graphdef, params, prompts.tokens, prompts.mask, key)
    each = Pass(config.rollout.temperature, count, trained.learner.shards)
    _, entropies = logprobs(graphdef, params, of_rollout(rollout), each=each)
    tokens, mask = np.asarray(rollout.tokens), np.asarray(rollout.mask)
    judged = not prompt or bool(gold) or not _has_answers(base.task)
    rewards = _rewards(base.task, prompts, tokens, mask) if judged else _UNJUDGED * count
    terminal = Terminal(highlight=False)
    terminal.print(f"prompt: {base.task.spell(prompts.tokens[0][prompts.mask[0]])}", markup=False)
    for row, (ids, kept, shades) in enumerate(
        zip(tokens, mask, np.asarray(entropies), strict=True)
    ):
        terminal.rule(f"{row + 1}: {rewards[row]}, mean entropy {_mean(shades, kept):.3f} nats")
        terminal.print(_shaded(base.task, ids, kept, shades))


_UNJUDGED = ["not judged (no --gold)"]


def _has_answers(task: Task) -> bool:
    """Whether its completions are compared with a right answer."""
    return bool(task.gold(task.held_out(1).ids[0]))


def _rewards(task: Task, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> list[str]:
    judged = task.judge(prompts, tokens, mask)
    pairs = zip(judged.rewards, judged.reasons, strict=True)
    return [f"reward {reward:g} ({reason})" for reward, reason in pairs]


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    return float((values * mask).sum() / max(mask.sum(), 1))


_SHADES = ["default", "yellow", "dark_orange", "red"]  # Below 0.5, 1.2 and 2.5 nats, and above.


def _shaded(task: Task, ids: np.ndarray, mask: np.ndarray, entropies: np.ndarray) -> Text:
    text = Text()
    for token, kept, entropy in zip(ids, mask, entropies, strict=True):
        if kept:
            shade = int(np.searchsorted([0.5, 1.2, 2.5], entropy))
            text.append(task.spell(np.array([token])), style=_SHADES[shade])
            text.append(f"[{entropy:.1f}]", style="dim")
    return text
