"""Our losses in google-tunix, which `launch/test_tunix.sh` brings."""
# ruff: noqa: E402
# pyright: reportMissingImports=false

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pages
import pytest
from flax import nnx

tunix = pytest.importorskip("tunix", reason="needs the extra [tunix]", exc_type=ImportError)

from tunix.models.llama3 import model as llama
from tunix.rl import algo_core, common, function_registry
from tunix.rl import utils as rl_utils
from tunix.rl.grpo import grpo_learner
from tunix.rl.rl_cluster import ClusterConfig, RLCluster, RLTrainingConfig, Role
from tunix.rl.rollout.base_rollout import RolloutConfig

from sage_jax.integrations import tunix as ours
from sage_jax.losses import (
    Terms,
    by_name,
    chain,
    clipped_surrogate,
    guides,
    objective,
    recipes,
    reduce,
    reshape,
    reverse_kl,
)

# Tunix uses what JAX and Flax are giving up; our own warnings are UserWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PAD, BOS, EOS = 0, 1, 2
LETTERS = "abcdefghijklm"
VOCABULARY = 3 + len(LETTERS)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(autouse=True, scope="module")
def _jax_as_it_comes():
    """Tunix promotes dtypes and ranks; its rollout is another thread, so a context would not do."""
    names = ("jax_numpy_dtype_promotion", "jax_numpy_rank_promotion")
    before = [getattr(jax.config, name) for name in names]
    jax.config.update(names[0], "standard")
    jax.config.update(names[1], "allow")
    yield
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


class Bigram(nnx.Module):
    """The least model with the call that Tunix makes."""

    def __init__(self, rngs, dtype=jnp.float32):
        self.table = nnx.Param(3 * jax.random.normal(rngs(), (VOCABULARY, VOCABULARY), dtype))

    def __call__(self, tokens, positions, cache=None, attention_mask=None, segment_ids=None):
        return self.table[...][tokens], cache


def config(name="ours", temperature=0.7, **options):
    """A config as the learner leaves it, which adds the temperature of the rollout."""
    options = {"kl_loss_mode": "low_var_kl", "beta": 0.05} | options
    made = grpo_learner.GRPOConfig(policy_loss_fn=name, **options)
    made.temperature = temperature
    return made


@pytest.fixture(scope="module")
def model():
    return Bigram(nnx.Rngs(0))


@pytest.fixture(scope="module")
def example():
    """Four rows of other lengths, with references and old log-probabilities some way off."""
    keys = jax.random.split(jax.random.key(1), 5)
    mask = jnp.arange(5) < jnp.array([[5], [3], [4], [1]])
    prompts = jax.random.randint(keys[0], (4, 3), 1, VOCABULARY).at[1, 0].set(PAD)
    tokens = jnp.where(mask, jax.random.randint(keys[1], (4, 5), 1, VOCABULARY), PAD)
    return grpo_learner.TrainExample(
        prompt_ids=prompts,
        prompt_mask=prompts != PAD,
        completion_ids=tokens,
        completion_mask=mask,
        advantages=jnp.array([1.0, -1.0, 0.5, -0.5]),
        ref_per_token_logps=-3 + jax.random.normal(keys[2], (4, 5)),
        old_per_token_logps=-3 + jax.random.normal(keys[3], (4, 5)),
    )


def graded(loss, model, example, algo_config):
    """Loss, metrics and gradient as Tunix's trainer takes them."""
    given = {"algo_config": algo_config, "pad_id": PAD, "eos_id": EOS}
    fn = nnx.jit(nnx.value_and_grad(lambda m, e: loss(m, e, **given), has_aux=True))
    (value, metrics), grads = fn(model, example)
    return value, metrics, grads["table"][...]


def logits_of(table, example, temperature=0.7):
    """Logits at the completions, without Tunix."""
    ids = jnp.concatenate([example.prompt_ids, example.completion_ids], axis=1)
    return table[ids][:, example.prompt_ids.shape[1] - 1 : -1] / temperature


def terms(table, example, **beside):
    """Terms without Tunix, entropies and log-probabilities by the book."""
    log_probs = jax.nn.log_softmax(logits_of(table, example))
    return Terms(
        logps=jnp.take_along_axis(log_probs, example.completion_ids[..., None], axis=-1)[..., 0],
        mask=example.completion_mask,
        advantages=example.advantages,
        old_logps=example.old_per_token_logps,
        ref_logps=example.ref_per_token_logps,
        entropies=-jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1),
        **beside,
    )


def falling_noise(mask, key, rows, step, ref_entropies):
    """A guide that reads all that SageLearner adds."""
    noise = guides.random(mask, key, rows, epsilon=0.5, sigma=0.1 / (1.0 + step))
    return noise + jnp.where(ref_entropies < 1.5, jnp.log(0.5), 0.0)


def sage(guide=falling_noise, **options):
    return recipes.sage(guide, kl_coef=0.05, **options)


def test_loss_and_gradient_are_those_of_the_objective(model, example):
    objective = recipes.sage(guides.branch_guide(), kl_coef=0.05)
    value, metrics, grads = graded(ours.PolicyLoss(objective), model, example, config())

    def expected(table):
        return objective(terms(table, example), step=0, key=None)[0].value()

    loss, gradient = jax.value_and_grad(expected)(model.table[...])
    close(value, loss)
    close(grads, gradient)
    assert metrics["q/max"] > 1
    assert {"kl", "pg_clipfrac"} <= metrics.keys()


@pytest.mark.parametrize("part", ["whole", "second half"])
def test_step_key_and_reference_travel_in_the_example(model, example, part):
    objective, key = sage(), jax.random.key(5)
    ref_entropies = jnp.linspace(0.0, 3.0, 20).reshape(4, 5)
    whole = ours.extended(example, step=3, key=key, ref_entropies=ref_entropies)
    rows = slice(0, 4) if part == "whole" else slice(2, 4)
    given = rl_utils.get_batch_slice(whole, rows)
    value, _, grads = graded(ours.PolicyLoss(objective), model, given, config())

    def expected(table):
        beside = {"rows": jnp.arange(4), "ref_entropies": ref_entropies}
        found = jax.tree.map(lambda x: x[rows], terms(table, example, **beside))
        return objective(found, step=3, key=key)[0].value()

    loss, gradient = jax.value_and_grad(expected)(model.table[...])
    close(value, loss)
    close(grads, gradient)
    other = given.replace(step=given.step + 1)
    assert abs(graded(ours.PolicyLoss(objective), model, other, config())[0] - value) > 1e-6


def test_a_key_that_no_guide_draws_from_is_not_asked_for(model, example):
    two = chain(*(reshape(guides.branch_guide(threshold=t)) for t in (1.0, 2.0)))  # Folds a key.
    distance = 0.05 * reverse_kl()
    made = objective(clipped_surrogate() + distance, by_name.reduction(reduce.grpo), transform=two)
    _, metrics, _ = graded(ours.PolicyLoss(made), model, example, config())
    assert metrics["q/max"] > 1


REDUCTIONS = {
    "sequence-mean-token-mean": by_name.reduction(reduce.grpo),
    "token-mean": by_name.reduction(reduce.bnpo),
    "sequence-mean-token-scale": by_name.reduction(reduce.dr_grpo, max_completion_length=5),
    "seq-mean-token-sum": by_name.reduction(reduce.dr_grpo, max_completion_length=1),
    "sequence-mean-token-sum-norm": by_name.reduction(reduce.dr_grpo, max_completion_length=1),
}


@pytest.mark.parametrize("mode", REDUCTIONS)
def test_grpo_is_tunixs_own(model, example, mode):
    theirs = config("grpo", loss_agg_mode=mode)
    value, metrics, grads = graded(algo_core.grpo_loss_fn, model, example, theirs)
    objective = recipes.sage(None, kl_coef=0.05, reduction=REDUCTIONS[mode])
    loss, named, gradient = graded(ours.PolicyLoss(objective), model, example, config())
    close(loss, value)
    close(gradient, grads)
    for name in ("kl", "pg_clipfrac"):
        close(named[name], metrics[name])
    assert metrics["pg_clipfrac"] > 0


def test_packed_rows_are_as_tunixs_own(model, example):
    example = dataclasses.replace(example, old_per_token_logps=None)
    (packed,) = next(rl_utils.pack_sequences(iter([[example]]), 40))
    value, _, grads = graded(algo_core.grpo_loss_fn, model, packed, config("grpo"))
    loss = ours.PolicyLoss(recipes.sage(None, kl_coef=0.05), packed=True)
    found, _, gradient = graded(loss, model, packed, config())
    close(found, value)
    close(gradient, grads)


def test_entropies_are_float32_of_bfloat16_logits(example):
    narrow = Bigram(nnx.Rngs(0), jnp.bfloat16)
    loss = ours.PolicyLoss(recipes.sage(guides.branch_guide(), kl_coef=0.05))
    algo_config = config(temperature=1.0)
    _, metrics, _ = graded(loss, narrow, example, algo_config)
    wide = terms(narrow.table[...].astype(jnp.float32) * 0.7, example)  # Divided by 0.7 there.
    expected = jnp.sum(jnp.asarray(wide.entropies), where=example.completion_mask) / 13
    assert metrics["entropy"].dtype == jnp.float32
    np.testing.assert_allclose(metrics["entropy"], expected, rtol=1e-6)


def refused(loss, model, example, algo_config=None):
    with pytest.raises(ValueError) as caught:
        graded(loss, model, example, algo_config or config())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_the_example_lacks_is_named(model, example):
    assert "SageLearner" in refused(ours.PolicyLoss(sage()), model, example)
    for guide, name in ((guides.random_guide(epsilon=0.1, sigma=0.1), "key"),
                        (guides.branch_guide(ratio=lambda step: 0.1 * jnp.asarray(step)), "step"),
                        (guides.gated_guide(), "ref_entropies")):  # fmt: skip
        said = refused(ours.PolicyLoss(sage(guide)), model, example)
        assert f"reads {name}, which is not there; train with" in said
    none = dataclasses.replace(example, ref_per_token_logps=None)
    assert refused(ours.PolicyLoss(sage(None)), model, none).startswith("beta is 0")


def test_packing_refuses_what_it_drops(model, example):
    whole = ours.extended(example, step=0, key=jax.random.key(0))
    (packed,) = next(rl_utils.pack_sequences(iter([[whole]]), 40))
    loss = ours.PolicyLoss(sage(guides.random_guide(epsilon=0.1, sigma=0.1)))
    assert "packed=True" in refused(loss, model, packed)
    said = refused(dataclasses.replace(loss, packed=True), model, packed)
    assert "reads key" in said
    assert "packing drops it" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss_agg_mode": "token-mean"}, "reduce.bnpo"),
        ({"loss_algo": "gspo-token"}, "recipes.gspo()"),
        ({"kl_clamp_value": 10.0}, "kl_clamp_value is 10.0"),
    ],
)
def test_options_that_would_be_ignored_are_refused(model, example, options, says):
    loss = ours.PolicyLoss(recipes.sage(None))
    assert says in refused(loss, model, example, config(**options))


def test_their_default_estimator_is_told_of(model, example):
    with pytest.warns(UserWarning, match="kl_loss_mode 'kl' is not used"):
        graded(ours.PolicyLoss(recipes.sage(None)), model, example, config(kl_loss_mode="kl"))


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        (lambda: sage(None, kl_in="reward"), "kl_in is not 'loss'"),
        (lambda: sage(guides.gated_guide(share=0.2)), "statistics of the whole batch"),
        (lambda: sage(lambda ref_logits: ref_logits), "reads ref_logits"),
        (
            lambda: sage(None, surrogate=clipped_surrogate(top_entropy_quantile=0.2)),
            "reads entropy_threshold",
        ),
    ],
)
def test_objectives_that_need_more_are_refused(objective, says):
    with pytest.raises(ValueError, match=says.replace("(", "\\(")):
        ours.register("refused", objective())
    assert "refused" not in function_registry.default_registry.list_functions("policy_loss_fn")


def test_names_of_tunixs_own_are_refused():
    with pytest.raises(ValueError, match="name is 'grpo'"):
        ours.register("grpo", recipes.grpo())


class Tokenizer:
    """Letters, one token each."""

    def encode(self, text, **_):
        return [3 + LETTERS.index(x) for x in text]

    def decode(self, ids, **_):
        return "".join(LETTERS[i - 3] for i in ids if i > EOS)

    def bos_id(self):
        return BOS

    def eos_id(self):
        return EOS

    def pad_id(self):
        return PAD


def small_llama():
    sizes = {"embed_dim": 16, "hidden_dim": 32, "num_heads": 2, "head_dim": 8, "num_kv_heads": 1}
    made = llama.ModelConfig(
        num_layers=1, vocab_size=VOCABULARY, rope_theta=10_000, norm_eps=1e-5, **sizes
    )
    return llama.Llama3(made, rngs=nnx.Rngs(3))


def cluster():
    """Two prompts a step, sampled together, in micro-batches of one, over two devices."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]).reshape(2, 1), ("fsdp", "tp"))
    roles = (Role.ACTOR, Role.REFERENCE, Role.ROLLOUT)
    training = {"mini_batch_size": 2, "train_micro_batch_size": 1}
    training |= {"rollout_micro_batch_size": 2, "compute_logps_micro_batch_size": 1}
    with mesh:
        return RLCluster(
            actor=small_llama(),
            reference=small_llama(),
            tokenizer=Tokenizer(),
            cluster_config=ClusterConfig(
                role_to_mesh=dict.fromkeys(roles, mesh),
                training_config=RLTrainingConfig(
                    actor_optimizer=optax.adam(0.03),
                    eval_every_n_steps=100,
                    max_steps=3,
                    **training,
                ),
                rollout_config=RolloutConfig(
                    max_tokens_to_generate=4, max_prompt_length=4, kv_cache_size=16, temperature=0.7
                ),
            ),
        )


def reward(prompts, completions, **_):
    """The share of letters from the first half of the alphabet."""
    return [sum(x in LETTERS[:6] for x in text) / max(len(text), 1) for text in completions]


def chance(model):
    """The probability that a completion of the first prompt starts with a rewarded letter."""
    tokens = jnp.array([Tokenizer().encode("ab")])
    logits, _ = model(tokens, jnp.array([[0, 1]]), None, jnp.tril(jnp.ones((1, 2, 2), bool)))
    return float(jax.nn.softmax(logits[0, -1] / 0.7)[3:9].sum())


PROBLEMS = [{"prompts": np.array(["ab", "cde"])}] * 3


class Recorder(ours.SageLearner):
    """Keeps the batches it trained on."""

    def _generate_and_compute_advantage(self, *args, **kwargs):
        made = super()._generate_and_compute_advantage(*args, **kwargs)
        self.seen = [*getattr(self, "seen", []), made]
        return made


def history(learner, name):
    trainer = learner.rl_cluster.actor_trainer
    return trainer.metrics_logger.get_metric_history(trainer.metrics_prefix, name, "train")


def test_sage_learner_trains_with_all_that_an_objective_reads():
    objective = sage(reduction=by_name.reduction(reduce.dapo))
    ours.register("noisy", objective)
    learner = Recorder(cluster(), config("noisy", num_generations=4), reward, seed=1)
    learner.train(PROBLEMS)
    assert [int(x.step[0]) for x in learner.seen] == [0, 1, 2]
    assert len({tuple(x.key[0].tolist()) for x in learner.seen}) == 3
    first = learner.seen[0]
    assert len(np.unique(first.completion_mask.sum(1))) > 1  # Else means by row would do.
    _, logits = common.compute_per_token_logps(
        *nnx.split(small_llama()), first.prompt_ids, first.completion_ids, PAD, EOS,
        return_logits=True, temperature=0.7,
    )  # fmt: skip
    found = ours.terms_of(first, logits, objective)
    close(first.ref_entropies, found.entropies)
    key = jax.random.wrap_key_data(first.key[0])
    loss = objective(found, step=0, key=key)[0].value()
    close(history(learner, "loss")[0], loss)
    assert {len(history(learner, name)) for name in ("kl", "entropy", "q/mean")} == {3}


def test_tunixs_own_learner_trains_with_a_registered_name():
    ours.register("sage", recipes.sage(guides.branch_guide(), kl_coef=0.05))
    learner = grpo_learner.GRPOLearner(cluster(), config("sage", num_generations=16), reward)
    learner.train(PROBLEMS)
    trained, start = chance(learner.rl_cluster.actor_trainer.model), chance(small_llama())
    assert trained > start + 0.1
    assert np.isfinite(history(learner, "loss")).all()
    assert history(learner, "kl")[-1] > history(learner, "kl")[0]


def test_examples_of_the_page_run():
    blocks = [b for b in pages.blocks("docs/reuse.md", "python") if "tunix" in b]
    assert len(blocks) == 2
    names = {"cluster": cluster(), "reward": reward, "problems": PROBLEMS}
    for block in blocks:
        exec(compile(block, "docs/reuse.md", "exec"), names)
    assert len(history(names["learner"], "q/mean")) == len(PROBLEMS)


def test_sage_learner_refuses_what_it_would_train_wrongly_on():
    ours.register("gated", sage(guides.gated_guide()))
    made = cluster()
    with pytest.raises(ValueError, match="policy_loss_fn is 'grpo'"):
        ours.SageLearner(made, config("grpo"), reward)
    with pytest.raises(ValueError, match=r"temperature is 0\.7 and num_iterations is 2"):
        ours.SageLearner(made, config("gated", num_iterations=2), reward)
    made.cluster_config.training_config.max_seq_token_per_tpu = 64
    with pytest.raises(ValueError, match="max_seq_token_per_tpu is 64"):
        ours.SageLearner(made, config("gated"), reward)
