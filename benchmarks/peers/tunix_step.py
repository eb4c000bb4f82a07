"""A step of Tunix's GRPOLearner on its Llama model, served to a contest.

The learner asks for the next batch of prompts at the start of a step, so a step is what happens
between two such questions. Reference and policy share their weights but for the adapters.
"""

import time

import jax
import numpy as np
import optax
import qwix
from flax import nnx
from reward import pay
from serve import Channel
from transformers import AutoTokenizer
from tunix.rl import rl_cluster
from tunix.rl.grpo.grpo_learner import GRPOConfig, GRPOLearner
from tunix.rl.rollout.base_rollout import RolloutConfig
from tunix_model import load

LINEAR = ".*(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


class Turns:
    """An endless data set that gives the next batch when it is the learner's turn."""

    def __init__(self, channel, model):
        self.channel, self.model, self.lengths = channel, model, []

    def __iter__(self):
        """Batches; the time from one to the next is a step's."""
        task = self.channel.task

        def batch():
            return {"prompts": list(task["texts"]), "answer": list(task["answers"])}

        # The first is asked for before the first step.
        for _ in range(task["warmups"]):
            yield batch()
            jax.block_until_ready(nnx.state(self.model))
        self.channel.ready()
        while True:
            self.channel.receive()
            begun = time.perf_counter()
            yield batch()
            jax.block_until_ready(nnx.state(self.model))
            seconds = time.perf_counter() - begun
            self.channel.answer({"seconds": seconds, "mean_length": float(np.mean(self.lengths))})


def main():
    """Train until the contest is over."""
    channel = Channel()
    task = channel.task
    mesh = jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    reference = load(task["folder"], mesh=mesh)
    provider = qwix.LoraProvider(module_path=LINEAR, rank=task["rank"], alpha=task["alpha"])
    policy = qwix.apply_lora_to_model(
        reference, provider, rngs=nnx.Rngs(0), **reference.get_model_input()
    )
    tokenizer = AutoTokenizer.from_pretrained(task["folder"])
    turns = Turns(channel, policy)

    def reward(prompts, completions, answer, **_):
        sizes = [len(tokenizer(text)["input_ids"]) + 1 for text in completions]
        turns.lengths = [min(size, task["length"]) for size in sizes]
        return pay(completions, list(answer))

    cluster = rl_cluster.RLCluster(
        actor=policy, reference=reference, tokenizer=tokenizer, cluster_config=configure(task, mesh)
    )
    config = GRPOConfig(
        num_generations=task["group_size"], num_iterations=1, beta=task["kl_coef"],
        epsilon=task["clip"],
    )  # fmt: skip
    GRPOLearner(rl_cluster=cluster, reward_fns=reward, algo_config=config).train(turns)


def configure(task, mesh):
    """The recipe as Tunix names it; its batch sizes count prompts."""
    roles = (rl_cluster.Role.ACTOR, rl_cluster.Role.REFERENCE, rl_cluster.Role.ROLLOUT)
    micro_batch = max(1, task["micro_batch"] // task["group_size"])
    return rl_cluster.ClusterConfig(
        role_to_mesh=dict.fromkeys(roles, mesh),
        training_config=rl_cluster.RLTrainingConfig(
            actor_optimizer=optax.adamw(task["learning_rate"], weight_decay=0.0),
            eval_every_n_steps=10**9, max_steps=10**9, mini_batch_size=task["prompts"],
            train_micro_batch_size=micro_batch, rollout_micro_batch_size=task["prompts"],
            compute_logps_micro_batch_size=micro_batch,
        ),
        rollout_config=RolloutConfig(
            max_tokens_to_generate=task["length"], max_prompt_length=task["width"],
            kv_cache_size=task["width"] + task["length"], temperature=1.0, top_p=1.0, top_k=None,
        ),
    )  # fmt: skip


main()
