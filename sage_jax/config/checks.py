"""Combinations of fields that cannot run, each told as a sentence that names them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sage_jax import parts
from sage_jax.faults import ConfigError

if TYPE_CHECKING:
    from sage_jax.config.sections import Config

_LORA_TARGETS = {
    "all-linear", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
}  # fmt: skip


def impossible(c: Config) -> Iterator[str]:
    """What does not go together in a config whose fields are right each by itself."""
    for check in (
        _groups,
        _parts,
        _rows,
        _anchor,
        _rules,
        _surrogate,
        _warmup,
        _exact,
        _suites,
        _mixtures,
        _stop,
        _lora,
        _rewards,
        _mesh,
        _architecture,
        _attention,
        _schedule,
    ):
        yield from check(c)


def _groups(c: Config) -> Iterator[str]:
    comparing = [one.use for one in c.loss.advantage if not one.is_foreign]
    if c.rollout.group_size == 1 and comparing:
        yield (
            f"rollout.group_size is 1, but loss.advantage {comparing[0]!r} compares "
            "completions of one prompt: take a group of 2 or more"
        )
    if not c.loss.advantage:
        yield "loss.advantage names no rule: `none` subtracts the mean of the group"


def _rows(c: Config) -> Iterator[str]:
    rows, updates = c.rollout.num_completions, c.optimizer.num_minibatches
    if rows % updates:
        yield (
            f"optimizer.num_minibatches {updates} does not divide the {rows} rows of a rollout "
            "(rollout.num_prompts x rollout.group_size)"
        )
    if c.rollout.num_prompts % c.rollout.chunks:
        yield (
            f"rollout.chunks {c.rollout.chunks} does not divide rollout.num_prompts "
            f"{c.rollout.num_prompts}"
        )
    per_update, micro = rows // updates, c.optimizer.micro_batch
    if micro and per_update % micro:
        yield f"optimizer.micro_batch {micro} does not divide the {per_update} rows of an update"


def _anchor(c: Config) -> Iterator[str]:
    if c.loss.kl_coef > 0:
        return
    if c.loss.kl_in != "loss":
        yield f"loss.kl_in is {c.loss.kl_in!r}, but loss.kl_coef is 0"
    if c.loss.kl_gates:
        yield "loss.kl_gates are set, but loss.kl_coef is 0"
    # A surrogate of one's own may read the anchor too.
    if not c.loss.surrogate.is_foreign and (c.guide.is_foreign or _make(c, "guide")):
        yield (
            f"guide is {c.guide.use!r}, but loss.kl_coef is 0, so there is no anchor to reshape: "
            "set loss.kl_coef above 0 or guide 'none'"
        )


def _rules(c: Config) -> Iterator[str]:
    """Rules of advantages in an order, or beside a KL, that they make nothing of."""
    found = [(place, one.use, _asked(one, place)) for place, one in enumerate(c.loss.advantage)]
    if found and "advantages" in found[0][2]:
        yield (
            f"loss.advantage.0 {found[0][1]!r} weighs advantages, and comes after a rule that "
            f"makes them of rewards: [group, {found[0][1]}]"
        )
    counting = [(place, name) for place, name, asked in found if "right_above" in asked]
    for _, name in counting[:1] if c.loss.kl_in == "reward" else ():
        yield (
            f"loss.kl_in is 'reward', but loss.advantage {name!r} only counts the rewards "
            "that are right, and would not see the KL: set it 'loss', or take another rule"
        )
    if c.loss.kl_in == "reward" and any(name == "group" for _, name, _ in found):
        yield (
            "loss.kl_in is 'reward', and loss.advantage 'group' divides by the deviation in each "
            "group: one of equal rewards would learn from its KL alone, at full size whatever "
            "loss.kl_coef is; set loss.advantage 'rloo', 'none' or 'batch'"
        )
    for place, name in counting:
        if place and not any(one.is_foreign for one in c.loss.advantage[:place]):
            yield (
                f"loss.advantage.{place} {name!r} counts which rewards are right, not what "
                f"{found[place - 1][1]!r} made of them: put it first"
            )


def _asked(rule: parts.Spec, place: int) -> set[str]:
    """What a rule of ours takes by name; the user's own are imported once they are needed."""
    if rule.is_foreign:
        return set()
    part = parts.resolve(rule, parts.ADVANTAGES, field=f"loss.advantage.{place}")
    return set(inspect.signature(part.function).parameters)


def _surrogate(c: Config) -> Iterator[str]:
    if c.loss.surrogate.use == "kl_cov" and c.optimizer.num_minibatches * c.optimizer.epochs == 1:
        yield (
            "loss.surrogate 'kl_cov' holds tokens where they were when sampled, where a single "
            "update of each rollout begins: set optimizer.num_minibatches or optimizer.epochs "
            "above 1, or take 'clip_cov'"
        )


def _warmup(c: Config) -> Iterator[str]:
    if not c.warmup.steps:
        if c.model.source == "random":
            yield "model.source 'random' knows nothing to explore from: set warmup.steps above 0"
        return
    if c.warmup.batch_size % (c.optimizer.micro_batch or 1):
        yield (
            f"optimizer.micro_batch {c.optimizer.micro_batch} does not divide warmup.batch_size "
            f"{c.warmup.batch_size}"
        )


def _exact(c: Config) -> Iterator[str]:
    if c.eval.exact and c.eval.drawn_at[1] < 1:
        yield (
            f"eval.top_p is {c.eval.drawn_at[1]:g}, but with eval.exact the chances of completions "
            "are those of all tokens: set eval.top_p 1"
        )


def _stop(c: Config) -> Iterator[str]:
    if c.rollout.stop and c.model.source == "random":
        yield (
            f"rollout.stop {list(c.rollout.stop)} needs a tokenizer, which model.source 'random' "
            "does not have"
        )


def _lora(c: Config) -> Iterator[str]:
    targets = list(c.lora.targets)
    if "all-linear" in targets and len(targets) > 1:
        yield f"lora.targets {targets}: 'all-linear' stands alone"
    if not targets or not _LORA_TARGETS.issuperset(targets):
        yield f"lora.targets {targets} must name some of {sorted(_LORA_TARGETS)}"


def _parts(c: Config) -> Iterator[str]:
    """Names and arguments of parts of ours; the user's own are imported once they are needed."""
    for field, spec, _ in c.parts:
        if not spec.is_foreign:
            try:
                _make(c, field)
            except ConfigError as error:
                yield str(error)


def _make(c: Config, field: str) -> Any:
    """What becomes of the part in a field, as far as a config alone can tell."""
    from sage_jax.parts import making  # Not before a config is read: it brings JAX with it.

    spec, room = next((spec, room) for name, spec, room in c.parts if name == field)
    part, like = parts.resolve(spec, room, field=field), making.shapes(3, 2)
    if room is parts.GUIDES:
        return making.guide(part, like, max_steps=c.scheduled_steps)
    if room is parts.SURROGATES:
        return making.surrogate(part, like, level=c.loss.level)
    if room is parts.ESTIMATORS:
        return making.estimator(part, like, kl_in=c.loss.kl_in if c.loss.kl_coef > 0 else None)
    if room is parts.GATES:
        return making.gate(part, like, level=c.loss.level, kl_in=c.loss.kl_in)
    if room is parts.REDUCTIONS:
        return making.reduction(part, like, max_completion_length=2)
    if room is parts.ADVANTAGES:
        size = c.rollout.group_size
        return making.advantage(part, making.shapes(3 * size, 2), group_size=size)
    return part


def _rewards(c: Config) -> Iterator[str]:
    before: dict[str, list[str]] = {}
    for field, one, room in c.parts:
        if room is not parts.REWARDS:
            continue
        assert isinstance(one, parts.RewardSpec)
        titles = before.setdefault(field.rpartition(".")[0], [])
        if one.title in titles:
            yield f"{field}: two rewards are named {one.title!r}: give this one another `name`"
        if titles and one.correct_from is not None:
            yield f"{field}.correct_from: the first reward alone says what is correct"
        titles.append(one.title)


def _suites(c: Config) -> Iterator[str]:
    names = [one.title for one in c.eval.suites]
    for name in names:
        if names.count(name) > 1:
            yield f"eval.suites names {name!r} twice: give one of them another `name`"
    for k in c.eval.ks:
        if c.eval.ks.count(k) > 1:
            yield f"eval.ks holds {k} twice: it is a column of the table"
        if not 1 <= k <= c.eval.num_samples:
            yield f"eval.ks holds {k}; known are 1 to eval.num_samples {c.eval.num_samples}"
    if c.eval.exact and c.eval.suites:
        yield "eval.suites are sampled: leave eval.exact false"


def _mixtures(c: Config) -> Iterator[str]:
    for field, spec, room in c.parts:
        of = parts.sources_of(spec) if room is parts.TASKS else ()
        names = [one.title for one in of]
        for place, one in enumerate(of):
            if one.title in names[:place]:
                yield (
                    f"{field}.of.{place}: two sources are named {one.title!r}: give this one "
                    "another `name`"
                )
            if parts.sources_of(one):
                yield f"{field}.of.{place}: a mixture of mixtures: name its sources one by one"


def _mesh(c: Config) -> Iterator[str]:
    axes = (c.mesh.data, c.mesh.fsdp, c.mesh.tensor)
    if axes.count(-1) > 1:
        yield "mesh: only one of data, fsdp and tensor may be -1"
    if 0 in axes:
        yield "mesh: an axis of 0 devices holds nothing; take 1 or more, or -1 for what is left"


def _architecture(c: Config) -> Iterator[str]:
    shape = c.model.architecture
    if shape.num_heads % shape.num_kv_heads:
        yield (
            f"model.architecture.num_kv_heads {shape.num_kv_heads} does not divide num_heads "
            f"{shape.num_heads}"
        )
    if shape.hidden_size % (2 * shape.num_heads):
        yield (
            f"model.architecture.hidden_size {shape.hidden_size} does not give {shape.num_heads} "
            "heads an even number of dimensions each"
        )


def _attention(c: Config) -> Iterator[str]:
    if c.model.attention == "cudnn" and c.model.compute_dtype != "bfloat16":
        yield (
            f"model.attention 'cudnn' has no kernel for {c.model.compute_dtype}: set "
            "model.compute_dtype bfloat16 or attention 'plain'"
        )


def _schedule(c: Config) -> Iterator[str]:
    if c.optimizer.schedule != "constant" and c.optimizer.warmup_steps >= c.total_updates:
        yield (
            f"optimizer.warmup_steps {c.optimizer.warmup_steps} leaves nothing of the run's "
            f"{c.total_updates} updates for the schedule"
        )
