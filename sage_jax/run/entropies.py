"""The command `entropies`: where the reference branches, and a threshold for a gate."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.bar import Bar
from rich.console import Console as Terminal
from rich.table import Table

from sage_jax import config as configs
from sage_jax import parallel, setup
from sage_jax.config import ConfigError
from sage_jax.evaluate.branching import Branching
from sage_jax.evaluate.entropies import Proposal, bins, by_position, propose
from sage_jax.evaluate.report.entropy_plot import plot_entropies
from sage_jax.evaluate.report.theme import save
from sage_jax.files import write_atomically
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import of_rollout
from sage_jax.learn.shards import Shards
from sage_jax.parallel import hosts
from sage_jax.run.console import log
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stages import stage
from sage_jax.run.starting import source_of_config, source_of_run

_SHOWN = 16  # Positions that the terminal names.


def entropies_of_config(config: configs.Config, out: Path, *, problems: int) -> None:
    """Draw the entropies of the model that a config starts from; see `entropies`.

    Raises:
        ConfigError: as `source_of_config`.
    """
    source = source_of_config(config, because="; its reference is the warmed-up model")
    entropies(config, source, out, problems=problems)


def entropies_of_run(
    folder: RunFolder, config: configs.Config, out: Path, *, problems: int
) -> None:
    """Draw the entropies of the model that a run started from, its reference; see `entropies`.

    Raises:
        ConfigError, InputError: as `source_of_run`.
    """
    entropies(config, source_of_run(folder, config), out, problems=problems)


def entropies(config: configs.Config, source: str, out: Path, *, problems: int) -> None:
    """Sample training problems, print and write down the reference's entropies and a threshold.

    One completion of each problem is drawn as in training, from the reference itself. `out` gets
    `entropies.json` and `entropies.png`.

    Raises:
        ConfigError: if `problems` is less than 1.
    """
    if problems < 1:
        raise ConfigError(f"--problems is {problems}; take 1 problem or more")
    base = setup.open_base(config, source)
    try:
        values, mask = sampled_entropies(config, base, problems=problems)
    finally:
        base.task.close()
    if hosts.is_main():
        _tell(config, source, values, mask, out)


def keep_entropies(config: configs.Config, base: setup.Base, folder: RunFolder) -> None:
    """Write down and draw the entropies of a run's reference, where its page finds them.

    `train.entropies` says of how many problems. Arms share those of the folder they lie in, and
    what is there already is kept. A collective.
    """
    problems, out = config.train.entropies, folder.path / "entropies"
    known = folder.is_arm() or (out / "entropies.json").is_file()
    if not problems or hosts.agree(known):
        return
    with stage("the reference's entropies"):
        values, mask = sampled_entropies(config, base, problems=problems)
    if hosts.is_main():
        log(_write(config, folder.source(config), values, mask, out).told())


def sampled_entropies(
    config: configs.Config, base: setup.Base, *, problems: int
) -> tuple[np.ndarray, np.ndarray]:
    """A model's entropies at the tokens of completions of its own, one a training problem.

    Of several completions of a problem the first tokens would all have one entropy.

    Returns:
        float32[problems, T] in nats, and the mask, 1 at the tokens of the completions.
    """
    shards = parallel.row_shards(base.mesh)
    rows = min(config.eval.batch_prompts, problems)
    rows = -(-rows // shards) * shards
    draw, root = _drawing(config, base, rows), jax.random.key(config.seed)
    found = []
    for index in range(-(-problems // rows)):
        prompts = base.task.train_prompts(index, rows)
        key = derive(root, Purpose.EVALUATION, index)
        found.append(jax.tree.map(np.asarray, draw(prompts.tokens, prompts.mask, key)))
    values, mask = (np.concatenate(parts)[:problems] for parts in zip(*found, strict=True))
    return values, mask


def _drawing(config: configs.Config, base: setup.Base, rows: int) -> Callable[..., Any]:
    """(prompt_tokens, prompt_mask, key) -> (entropies, mask), [rows, T], on every device."""
    decoding = dataclasses.replace(setup.decoding(config, base.task), group_size=1)
    sample = setup.sampler(setup.make_policy(config, base), decoding)
    shards = Shards.of(base.mesh, base.loaded.config.vocab_size)
    each, graphdef = Pass(config.rollout.temperature, rows, shards), base.loaded.graphdef

    @jax.jit
    def draw(params: Any, tokens: jax.Array, mask: jax.Array, key: jax.Array) -> Any:
        rollout = sample(graphdef, params, tokens, mask, key)
        _, found = logprobs(graphdef, params, of_rollout(rollout), each=each)
        whole = parallel.replicated(base.mesh)
        return jax.lax.with_sharding_constraint((found, rollout.mask), whole)

    def drawn(tokens: np.ndarray, mask: np.ndarray, key: jax.Array) -> Any:
        sharding = parallel.batch_sharding(base.mesh, rows)
        return draw(base.loaded.params, *parallel.shard((tokens, mask), sharding), key)

    return drawn


def _tell(
    config: configs.Config, source: str, values: np.ndarray, mask: np.ndarray, out: Path
) -> None:
    proposal = _write(config, source, values, mask, out)
    flat = _flat(values, mask)
    terminal = Terminal(highlight=False)
    terminal.print(_histogram(*bins(flat), flat.size, len(values)))
    for line in _position_lines(by_position(values, mask)):
        terminal.print(line, markup=False)
    terminal.print(proposal.told(), markup=False)
    if proposal.valley is not None:
        line = f"guide: {{use: gated, threshold: {proposal.valley.threshold:.2f}}}"
        terminal.print(line, markup=False)
    terminal.print(f"wrote {out / 'entropies.png'} and entropies.json", markup=False)


def _flat(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    # Of a certain token rounding may leave a little less than nothing.
    return np.maximum(values[mask > 0], 0.0)


def _write(
    config: configs.Config, source: str, values: np.ndarray, mask: np.ndarray, out: Path
) -> Proposal:
    """Write `entropies.json` and `entropies.png`, and give the threshold they propose."""
    flat, positions = _flat(values, mask), by_position(values, mask)
    proposal = propose(flat)
    found = Branching.of(flat, proposal, positions, task=config.task.label)
    written = {
        "name": config.name,
        "model": source,
        "task": config.task.label,
        "temperature": config.rollout.temperature,
        "problems": len(values),
        **proposal.as_json(),
        "histogram": {"edges": found.edges.tolist(), "shares": found.shares.tolist()},
        "positions": [{"mean": mean, "tokens": count} for mean, count in positions],
    }
    save(plot_entropies(found), out / "entropies.png")
    write_atomically(out / "entropies.json", (json.dumps(written, indent=1) + "\n").encode())
    return proposal


def _histogram(edges: np.ndarray, shares: np.ndarray, tokens: int, completions: int) -> Table:
    table = Table(
        title=f"entropy of the reference at {tokens} tokens of {completions} completions",
        title_justify="left",
        box=None,
    )
    table.add_column("nats", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", width=48)
    for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
        table.add_row(f"{left:g}-{right:g}", f"{share:.1%}", Bar(shares.max(), 0, share))
    return table


def _position_lines(positions: list[tuple[float, int]]) -> Iterator[str]:
    means = " ".join(f"{mean:.2f}" for mean, _ in positions[:_SHOWN])
    more = "" if len(positions) <= _SHOWN else f" ... {len(positions)} positions in all"
    yield f"mean by position: {means}{more}"
