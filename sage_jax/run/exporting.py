"""Models out: a run's model as files that other programs load, and onto the hub."""

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import Any, NamedTuple

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.models.safetensors_file import ADAPTER_CONFIG, CONFIG
from sage_jax.models.save import write_json
from sage_jax.paths import is_remote
from sage_jax.run.console import log, warn
from sage_jax.run.export_check import check
from sage_jax.run.model_card import Made, model_card
from sage_jax.run.pushing import push, refuse_unready
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.trained import Trained, load_trained


class Asked(NamedTuple):
    """What is exported.

    Attributes:
        adapter: the adapter alone, in PEFT's format; else all weights, adapters folded in.
        dtype: of the files, `float32` or `bfloat16`.
        shard_gb: size of one file of weights, in 10^9 bytes.
        push: name on the hub, ORG/NAME; empty uploads nothing.
        check: read it back and compare.
    """

    adapter: bool = False
    dtype: str = "float32"
    shard_gb: float = 5.0
    push: str = ""
    check: bool = False


PLAIN = Asked()


def export_run(path: Path, config: configs.Config, out: Path, asked: Asked = PLAIN) -> None:
    """Write a run's newest model with tokenizer, sampling and card: whole or not at all.

    Raises:
        ConfigError: something is asked for that cannot be; nothing was loaded.
        ModelError: the folder holds something already.
        CheckError: what was written is not the run's model; nothing is left of it.
        PushError: the hub does not answer, or not take it.
    """
    _refuse(config, out, asked)
    trained = load_trained(path, config)
    last = ADAPTER_CONFIG if asked.adapter else CONFIG
    with (
        contextlib.closing(trained.base.task),
        models.written_whole(out, last=last) as home,
    ):
        _write(home, RunFolder(path), trained, config, out, asked)
        found = check(trained, config, home, dtype=asked.dtype) if asked.check else ""
    if found:
        log(found)
    log(f"wrote {out}")
    if asked.push:
        log(f"pushed to {push(out, asked.push)}")


def _refuse(config: configs.Config, out: Path, asked: Asked) -> None:
    """Everything that can be said before weights are read."""
    if asked.adapter and not config.lora.rank:
        raise ConfigError("--adapter: this run trained all weights (lora.rank is 0); leave it out")
    if not (math.isfinite(asked.shard_gb) and asked.shard_gb > 0):
        raise ConfigError(f"--shard_gb is {asked.shard_gb}; it must be positive")
    models.refuse_filled(out)
    if asked.push:
        refuse_unready(asked.push)


def _write(
    home: Path,
    folder: RunFolder,
    trained: Trained,
    config: configs.Config,
    out: Path,
    asked: Asked,
) -> None:
    shape, tokenizer = exported_config(trained.base), trained.base.loaded.tokenizer
    if asked.adapter:
        base = _base_name(folder.source(config))
        options: Any = {"alpha": config.lora.alpha, "base": base, "dtype": asked.dtype}
        models.write_adapter(home, shape, trained.weights, **options)
        if tokenizer is not None:
            tokenizer.save_pretrained(home)
    else:
        options = {"max_shard_bytes": int(asked.shard_gb * 1e9), "dtype": asked.dtype}
        models.write_hf(home, shape, trained.export(), tokenizer, **options)
    write_json(home / "generation_config.json", generation(config, shape))
    made = Made(asked.push or str(out), trained.step, asked.adapter, asked.dtype)
    (home / "README.md").write_text(model_card(folder, config, made), encoding="utf-8")


def _base_name(source: str) -> str:
    """What PEFT is to load an adapter on: a hub id as it is, a folder whole."""
    if models.is_hub_id(source) or is_remote(source):
        return source
    if not Path(source).expanduser().is_dir():
        warn(f"adapter_config.json names {source}, which PEFT cannot load: give it that model in "
             "Hugging Face's form")  # fmt: skip
        return source
    return str(Path(source).expanduser().resolve())


def generation(config: configs.Config, shape: models.ModelConfig) -> dict[str, Any]:
    """`generation_config.json`: Transformers samples as the run did, and stops where it did."""
    options = config.rollout
    ends = shape.eos_ids
    known = {
        "bos_token_id": shape.bos_id,
        "eos_token_id": list(ends) or None,
        "pad_token_id": ends[0] if shape.pad_id is None and ends else shape.pad_id,
        "min_p": options.min_p or None,
    }
    return {
        "do_sample": True,
        "temperature": options.temperature,
        # 0 keeps all; left out, Transformers keeps 50.
        "top_k": options.top_k,
        "top_p": options.top_p,
        **{name: value for name, value in known.items() if value is not None},
    }


def exported_config(base: setup.Base) -> models.ModelConfig:
    """The model's config, which names all tokens that ended its turns in training.

    A template may end turns with a token that no config names; whoever runs the exported model
    would never stop there.
    """
    config = base.loaded.config
    ends = dict.fromkeys((*config.eos_ids, *base.task.stop_ids))
    return dataclasses.replace(config, eos_ids=tuple(ends))
