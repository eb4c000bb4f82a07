"""The loop: the only place that owns time and files."""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.losses import reduce
from sage_jax.rollout import Rollout
from sage_jax.train import samples, setup
from sage_jax.train.checkpoint import Checkpoints
from sage_jax.train.console import Console
from sage_jax.train.evaluation import evaluate_model
from sage_jax.train.journal import Journal
from sage_jax.train.keys import Purpose, derive
from sage_jax.train.play import Played, figures, play, trimmed
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.state import TrainState
from sage_jax.train.stop import StopRequest
from sage_jax.train.warmup import warm_up

# (state, step, cursor) -> (next state, metrics on the device, what was played)
Step = Callable[[TrainState, int, int], tuple[TrainState, reduce.Metrics, Played]]


def train(config: configs.Config, folder: RunFolder, stop: StopRequest) -> None:
    """Run a config in a folder from wherever it stands there to its end.

    Raises:
        ConfigError: if the config does not fit the folder, the model or the devices.
        Stopped: if asked to stop; calling again goes on.
    """
    folder.open(config)
    warm_up(config, folder, stop)
    base = setup.open_base(config, source(config, folder))
    try:
        _evaluate_base(config, folder, base)
        _learn(config, folder, base, stop)
    finally:
        base.task.close()


def source(config: configs.Config, folder: RunFolder) -> str:
    """Where the model to start from lies."""
    return str(folder.base) if config.warmup.steps else config.model.source


def _learn(config: configs.Config, folder: RunFolder, base: setup.Base, stop: StopRequest) -> None:
    root = jax.random.key(config.seed)
    start = setup.start(config, base, root)
    state, done, cursor = start.state, 0, 0
    checkpoints = Checkpoints(folder.checkpoints, keep=config.train.keep_checkpoints)
    try:
        if (latest := checkpoints.latest()) is not None:
            state, notes = checkpoints.restore(latest, state)
            done, cursor = latest, notes["cursor"]
        if done < config.train.steps:
            state = _steps(config, folder, base, start, state, done, cursor, checkpoints, stop)
        checkpoints.wait()
        if not folder.eval_file("final").is_file():
            _evaluate(config, folder, base, start, state, "final", config.train.steps,
                      config.eval.num_samples)  # fmt: skip
    finally:
        checkpoints.close()


def _steps(config: configs.Config, folder: RunFolder, base: setup.Base, start: setup.Start,
           state: TrainState, done: int, cursor: int, checkpoints: Checkpoints,
           stop: StopRequest) -> TrainState:  # fmt: skip
    total, knobs = config.train.steps, config.train
    run_step = _make_step(config, base, start)
    console = Console(config.name, total, done=done, line_every=max(1, total // 20))
    with Journal(folder.metrics_file, done=done) as journal, console:
        for step in range(done, total):
            begun = time.perf_counter()
            state, device_metrics, played = run_step(state, step, cursor)
            cursor += played.drawn
            metrics = {n: np.asarray(m.value()).item() for n, m in device_metrics.items()}
            entry = {"step": step + 1, **figures(played), **metrics}
            entry["learning_rate"] = np.asarray(start.learning_rate(state.updates - 1)).item()
            entry |= _timing(played, time.perf_counter() - begun) | _memory()
            journal.write(entry)
            console.step(step + 1, entry)
            if step % knobs.sample_every == 0 or step + 1 == total:
                samples.write(folder.samples_file(step + 1), step + 1, played, base.task)
            if (step + 1) % knobs.checkpoint_every == 0 or step + 1 == total or stop.requested:
                checkpoints.save(step + 1, state, {"cursor": cursor})
                stop.leave_if_requested(checkpoints.wait)
            if knobs.eval_every and (step + 1) % knobs.eval_every == 0 and step + 1 < total:
                _evaluate(config, folder, base, start, state, f"step-{step + 1:06d}", step + 1,
                          config.eval.num_samples_during)  # fmt: skip
    return state


def _make_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    on_device = hasattr(base.task, "reward") and not config.rollout.resample
    return (_whole_step if on_device else _phased_step)(config, base, start)


def _whole_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """Draw, sample, judge and learn as one program."""
    task: Any = base.task
    root = jax.random.key(config.seed)
    whole = setup.keep_sharding(
        start.steps.whole, start.state, draw=task.draw, reward=task.reward,
        num_prompts=config.rollout.num_prompts,
    )  # fmt: skip

    def run(state: TrainState, step: int, cursor: int):
        begun = time.perf_counter()
        state, metrics, rollout, rewards = whole(state, start.frozen, root, jnp.int32(step))
        rewards = np.asarray(rewards)
        rollout = jax.tree.map(np.asarray, rollout)
        ids = [f"step-{step}-{row}" for row in range(config.rollout.num_prompts)]
        prompts = Prompts(ids, rollout.prompt_tokens, rollout.prompt_mask)
        reasons = ["correct" if reward > 0 else "wrong" for reward in rewards]
        judged = Judged(rewards, rewards > 0, [""] * len(rewards), reasons)
        seconds = {"whole": time.perf_counter() - begun}
        return state, metrics, Played(prompts, rollout, judged, 1, seconds)

    return run


def _phased_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """Rollout on the device, rewards on the host, score and update on the device."""
    steps, root = start.steps, jax.random.key(config.seed)
    roll, score = jax.jit(steps.rollout), jax.jit(steps.score)
    learn = setup.keep_sharding(steps.learn, start.state)
    prompt_rows = parallel.batch_sharding(base.mesh, config.rollout.num_prompts)
    rows = parallel.batch_sharding(
        base.mesh, config.rollout.num_prompts * config.rollout.group_size
    )

    def run(state: TrainState, step: int, cursor: int):
        def sample(prompts: Prompts, attempt: int) -> Rollout:
            tokens, mask = jax.device_put((prompts.tokens, prompts.mask), prompt_rows)
            key = derive(root, Purpose.ROLLOUT, step, attempt)
            return roll(state.trained, start.frozen, tokens, mask, key)

        played = play(
            base.task, sample, cursor,
            num_prompts=config.rollout.num_prompts, resample=config.rollout.resample,
        )  # fmt: skip
        begun = time.perf_counter()
        rollout = jax.device_put(trimmed(played.rollout), rows)
        rewards = jax.device_put(played.judged.rewards, rows)
        index = jnp.int32(step)
        terms = score(state.trained, start.frozen, rollout, rewards, root, index)
        scored = time.perf_counter()
        state, metrics = learn(state, start.frozen, rollout, terms, root, index)
        jax.block_until_ready(metrics)
        update = time.perf_counter() - scored
        seconds = {**played.seconds, "score": scored - begun, "update": update}
        return state, metrics, played._replace(seconds=seconds)

    return run


def _timing(played: Played, whole: float) -> dict[str, float]:
    """Seconds of each phase, and completion tokens over them."""
    seconds = {"step": whole, **played.seconds}
    tokens = float(played.rollout.mask.sum())
    timing = {f"seconds/{phase}": value for phase, value in seconds.items()}
    rates = ("rollout", "update", "step")
    return timing | {f"tokens_per_s/{p}": tokens / seconds[p] for p in rates if p in seconds}


def _memory() -> dict[str, float]:
    """Peak bytes: the device's where it tells, else this process's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return {"memory/peak_bytes": float(stats["peak_bytes_in_use"])}
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"memory/peak_bytes": float(peak * unit)}


def _evaluate(config: configs.Config, folder: RunFolder, base: setup.Base, start: setup.Start,
              state: TrainState, tag: str, step: int, num_samples: int) -> None:  # fmt: skip
    fold = jax.jit(start.steps.policy.folded)
    params = fold(state.trained, start.frozen)
    result = evaluate_model(config, base, params, tag=tag, step=step, num_samples=num_samples)
    result.save(folder.eval_file(tag))


def _evaluate_base(config: configs.Config, folder: RunFolder, base: setup.Base) -> None:
    """Evaluate the model before training, once for all arms that start from it."""
    target = folder.eval_file("base")
    if target.is_file():
        return
    result = evaluate_model(
        config, base, base.loaded.params, tag="base", step=0, num_samples=config.eval.num_samples
    )
    result.save(target)
