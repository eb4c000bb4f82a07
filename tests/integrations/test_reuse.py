"""The examples of docs/reuse.md run, and give what `sage_jax.losses` gives on the same arrays."""

import importlib
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pages
import pytest
from flax import linen as nn

from sage_jax import losses
from sage_jax.losses import Terms, from_logits, guides, recipes, reduce

ROOT = Path(__file__).parents[2]


def close(found, expected, rtol=1e-6):
    """Equal but for sums of float32 in another order."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-7)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Names after README's loss and all examples, its imports those of a copy of the folder."""
    home = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(losses.__file__).parent, home / "my_trainer" / "sage")
    code = [next(b for b in pages.blocks("README.md", "python") if "def sage_loss" in b)]
    assert code[0].count("sage_jax") == 1
    code[0] = code[0].replace("sage_jax.losses", "my_trainer.sage")
    code += [b for b in pages.blocks("docs/reuse.md", "python") if "tunix" not in b]
    assert len(code) == 5
    assert all(len([line for line in b.splitlines() if line.strip()]) < 40 for b in code)
    names, after = {}, []
    sys.path.insert(0, str(home))
    try:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # As users.
            for block in code:
                exec(compile(block, "docs/reuse.md", "exec"), names)
                after.append(dict(names))
    finally:
        sys.path.remove(str(home))
    assert Path(str(sys.modules["my_trainer.sage"].__file__)).is_relative_to(home)
    return after


def official(logits, ref_logits, batch):
    """Loss of our recipe on logits, as (mean, metrics)."""
    logps, entropies = from_logits(logits, batch["tokens"], batch["mask"])
    ref_logps, _ = from_logits(ref_logits, batch["tokens"], batch["mask"])
    terms = Terms(
        logps, batch["mask"], batch["advantages"], ref_logps=ref_logps, entropies=entropies
    )
    return recipes.sage(guides.branch_guide(), kl_coef=0.05)(terms, step=0, key=None)


def test_the_readmes_loss_is_the_recipe(examples):
    names = examples[0]
    batch = {"tokens": names["tokens"], "mask": names["mask"], "advantages": names["advantages"]}

    def ours(logits):
        return official(logits, names["ref_logits"], batch)[0].value()

    loss, grads = jax.value_and_grad(ours)(names["logits"])
    close(names["loss"], loss)
    close(names["grads"], grads)


def test_optax_and_a_model_by_hand(examples):
    names = examples[1]
    batch, before = names["batch"], names["batch"]["ref_params"]
    logits = names["model"](before, batch["inputs"])
    close(names["loss"], official(logits, logits, batch)[0].value())
    moved = jax.tree.map(lambda new, old: float(jnp.abs(new - old).max()), names["params"], before)
    assert min(moved.values()) > 0


def test_flax_linen(examples):
    names = examples[3]
    batch, before = names["batch"], names["ref_params"]
    logits = names["decoder"].apply(before, batch["inputs"])
    mean, metrics = official(logits, logits, batch)
    close(names["loss"], mean.value())
    assert names["metrics"].keys() == metrics.keys()
    assert float(names["metrics"]["q/max"]) > 1
    assert names["state"].step == 1


class _Bigram(nn.Module):
    """A model with the call of MaxText's."""

    @nn.compact
    def __call__(self, tokens, positions, decoder_segment_ids=None, enable_dropout=True):
        assert decoder_segment_ids is not None
        assert positions.shape == decoder_segment_ids.shape == tokens.shape
        assert not enable_dropout
        return nn.Dense(32)(nn.Embed(32, 8)(tokens))


@pytest.fixture(scope="module")
def maxtext(examples):
    """The loss function with its model, data and parameters."""
    batch, whole = examples[1]["batch"], jnp.ones((4, 6), jnp.int32)
    data = {
        "inputs": batch["inputs"],
        "inputs_position": jnp.tile(jnp.arange(6), (4, 1)),
        "inputs_segmentation": whole,
        "targets": batch["tokens"],
        "completion_mask": batch["mask"],
        "advantages": jnp.tile(batch["advantages"][:, None], (1, 6)),
        "ref_logps": -3.0 * batch["mask"].astype(jnp.float32),
    }
    model, given = _Bigram(), (data["inputs"], data["inputs_position"], whole, False)
    params = model.init(jax.random.key(1), *given)
    loss_fn = examples[4]["loss_fn"]

    def run(data, steps):
        config = SimpleNamespace(enable_dropout=False, gradient_accumulation_steps=steps)
        fn = jax.value_and_grad(loss_fn, argnums=4, has_aux=True)
        return fn(model, config, data, jax.random.key(2), params)

    return SimpleNamespace(run=run, data=data, logits=model.apply(params, *given))


def test_maxtext(maxtext):
    (loss, aux), grads = maxtext.run(maxtext.data, 1)
    data = maxtext.data
    logps, entropies = from_logits(maxtext.logits, data["targets"], data["completion_mask"])
    terms = Terms(
        logps, data["completion_mask"], data["advantages"][:, 0],
        ref_logps=data["ref_logps"], entropies=entropies,
    )  # fmt: skip
    mean, metrics = recipes.sage(guides.branch_guide(), kl_coef=0.05)(terms, step=0, key=None)
    close(loss, mean.value())
    close(aux["total_loss"] / aux["total_weights"], loss)
    found = aux["intermediate_outputs"]["sage"]
    close(found["kl"], reduce.values(metrics)["kl"])
    assert any(np.any(x) for x in jax.tree.leaves(grads))


def test_maxtext_adds_up_over_micro_batches(maxtext):
    (whole, _), grads = maxtext.run(maxtext.data, 1)
    halves = [maxtext.run({k: v[s] for k, v in maxtext.data.items()}, 2)
              for s in (slice(0, 2), slice(2, 4))]  # fmt: skip
    weight = sum(aux["total_weights"] for (_, aux), _ in halves)
    close(sum(loss for (loss, _), _ in halves) / weight, whole)
    added = jax.tree.map(lambda *g: sum(g) / weight, *(g for _, g in halves))
    jax.tree.map(lambda a, b: close(a, b, 1e-5), added, grads)


def test_without_tunix_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tunix", None)
    monkeypatch.setitem(sys.modules, "tunix.rl", None)
    monkeypatch.delitem(sys.modules, "sage_jax.integrations.tunix", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'sage-jax\[tunix\]'"):
        importlib.import_module("sage_jax.integrations.tunix")
