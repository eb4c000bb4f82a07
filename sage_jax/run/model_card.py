"""The card (README.md) of an exported model: what it is, how it was made, and what it scored."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sage_jax import config as configs
from sage_jax import models, yaml_text
from sage_jax.evaluate import EvalResult, Interval, paired_differences
from sage_jax.evaluate.passk import ladder
from sage_jax.evaluate.report.plots import describe
from sage_jax.evaluate.runs import read_run
from sage_jax.models.license import license_of
from sage_jax.run.run_folder import RunFolder

_TAGS = ["sage-jax", "reinforcement-learning", "rlvr"]


class Made(NamedTuple):
    """What was exported.

    Attributes:
        name: that it is loaded by: on the hub, or the folder's.
        step: of training.
        adapter: whether it is an adapter alone.
        dtype: of the weights.
    """

    name: str
    step: int
    adapter: bool
    dtype: str


def model_card(folder: RunFolder, config: configs.Config, made: Made) -> str:
    """The card as Markdown under the YAML head that the hub reads.

    Args:
        folder: of the run, with its evaluations.
        config: of the run, resolved.
        made: what was exported.

    Raises:
        ResultError: an evaluation in the folder is damaged.
    """
    parts = [
        f"# {config.name}",
        _what(config, made),
        _use(config, made),
        "## Recipe",
        _table(("", ""), [(name, _code(value)) for name, value in _recipe(config, made)]),
        "## Figures",
        *_figures(folder, config),
        "## Config",
        _fenced(configs.dump(config), "yaml"),
    ]
    return f"---\n{yaml_text.write(_head(config, made))}---\n\n" + "\n\n".join(parts) + "\n"


def _head(config: configs.Config, made: Made) -> dict[str, Any]:
    source = config.model.source
    # The hub takes names of its own alone.
    known = {"base_model": source} if models.is_hub_id(source) else {}
    found = None if source == "random" else license_of(source)
    return {
        **known,
        **({"license": found} if found else {}),
        "library_name": "peft" if made.adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": [*_TAGS, *(["lora"] if config.lora.rank else [])],
    }


def _what(config: configs.Config, made: Made) -> str:
    source, steps = config.model.source, config.warmup.steps
    base = "A model of random weights" if source == "random" else _code(source)
    warmed = f", warmed up by {steps} supervised steps and" if steps else ""
    form = "a LoRA adapter in PEFT's format" if made.adapter else "all weights, merged"
    return (
        f"{base}{warmed} trained by reinforcement learning with verifiable rewards, in JAX by "
        f"sage_jax: step {made.step} of {config.train.steps}. This is {form}, {made.dtype}."
    )


def _use(config: configs.Config, made: Made) -> str:
    kind, room = ("AutoPeftModelForCausalLM", "peft") if made.adapter else (
        "AutoModelForCausalLM", "transformers",
    )  # fmt: skip
    code = f"from {room} import {kind}\n\nmodel = {kind}.from_pretrained({made.name!r})"
    stops = config.rollout.stop
    also = f"\n\nIn training a completion also ended with {_code(list(stops))}." if stops else ""
    return _fenced(code, "python") + also


def _recipe(config: configs.Config, made: Made) -> Iterable[tuple[str, Any]]:
    whole = config.model_dump(mode="json")
    loss, rollout = whole["loss"], config.rollout
    yield "base", config.model.source
    yield "data", whole["task"]
    yield "reward", whole["reward"] or "the task's own"
    yield "guide", whole["guide"]
    yield "estimator", loss["kl_estimator"]
    yield "kl_coef", config.loss.kl_coef
    yield "KL in", config.loss.kl_in
    yield "policy gradient", loss["surrogate"]
    yield "advantage", loss["advantage"]
    yield "reduction", loss["reduction"]
    yield "steps", made.step
    yield "completions a step", f"{rollout.num_prompts} prompts x {rollout.group_size}"
    yield "temperature", rollout.temperature
    yield "learning rate", config.optimizer.learning_rate
    if config.lora.rank:
        yield "adapters", whole["lora"]
    yield "seed", config.seed


def _figures(folder: RunFolder, config: configs.Config) -> list[str]:
    run = read_run(folder.path)
    results = [result for result in (run.base, run.final) if result is not None]
    found = [_evaluated(results)] if results else ["This run was not evaluated."]
    table = folder.suites / "table.md"
    suites = [table.read_text(encoding="utf-8").strip()] if table.is_file() else []
    return [*found, *suites]


def _evaluated(results: list[EvalResult]) -> str:
    """pass@k and majority@k in percent, with their intervals, one column a model."""
    summaries = [result.summary() for result in results]
    names = [f"pass@{k}" for k in ladder(results[-1].largest_k)]
    names += [name for name in summaries[-1] if name.startswith("majority@")]
    rows = [(name, *(_cell(one.get(name)) for one in summaries)) for name in names]
    heads = [f"{result.tag} (step {result.step})" for result in results]
    caption = (
        f"Held-out problems of {results[-1].task}: {describe(results[-1])}. In percent, with 95% "
        "bootstrap intervals over problems."
    )
    return "\n\n".join([caption, _table(("", *heads), rows), *_difference(results)])


def _difference(results: list[EvalResult]) -> list[str]:
    if len(results) < 2 or {*results[0].ids} != {*results[1].ids}:
        return []
    base, final = results
    ks = sorted({1, min(base.largest_k, final.largest_k)})
    tables = (final.pass_table(ks), base.pass_table(ks))
    found = paired_differences(final.ids, tables[0], base.ids, tables[1])
    told = ", ".join(f"pass@{k} {_points(one)}" for k, one in zip(ks, found, strict=True))
    return [f"Trained less base, problem by problem, in points: {told}."]


def _cell(figure: Mapping[str, float] | None) -> str:
    return "" if figure is None else _points(Interval(**figure), sign="")


def _points(one: Interval, *, sign: str = "+") -> str:
    mean, low, high = (100 * x for x in (one.mean, one.low, one.high))
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _code(value: Any) -> str:
    """A value of a config as code that stands in a line, also of a table.

    >>> _code({"use": "branch", "ratio": 0.2})
    '`{use: branch, ratio: 0.2}`'
    """
    if isinstance(value, dict):
        text = yaml_text.write_line(value)
    elif isinstance(value, list):
        return ", ".join(map(_code, value))
    else:
        text = " ".join(str(value).split())
    fence = "`" * (1 + _longest_fence(text))
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _fenced(text: str, kind: str) -> str:
    fence = "`" * max(3, 1 + _longest_fence(text))
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def _longest_fence(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
