"""A step of TRL's GRPOTrainer, served to a contest.

A step is what the trainer does between its callbacks `on_step_begin` and `on_step_end`. Gradient
checkpointing is off, which is faster where memory allows. PyTorch compiles nothing, so that its
warm-up steps write 8 tokens.
"""

import time

import torch
from datasets import Dataset
from peft import LoraConfig
from reward import pay
from serve import Channel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


class Turns(TrainerCallback):
    """Lets the trainer go on when it is its turn."""

    def __init__(self, channel):
        self.channel, self.warmups, self.trainer = channel, channel.task["warmups"], None
        self.lengths, self.begun = [], 0.0

    def pay(self, completions, completion_ids, answer, **_):
        """The reward function."""
        self.lengths = [len(ids) for ids in completion_ids]
        return pay(completions, answer)

    def on_step_begin(self, args, state, control, **_):
        """Wait, once warm."""
        task, warming = self.channel.task, state.global_step < self.warmups
        if state.global_step == self.warmups:
            self.channel.ready()
        if not warming:
            torch.manual_seed(self.channel.receive()["seed"])
        self.trainer.generation_config.max_new_tokens = 8 if warming else task["length"]
        self.begun = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        """Answer."""
        seconds = time.perf_counter() - self.begun
        if state.global_step > self.warmups:
            mean_length = sum(self.lengths) / len(self.lengths)
            self.channel.answer({"seconds": seconds, "mean_length": mean_length})


def main():
    """Train until the contest is over."""
    turns = Turns(Channel())
    task = turns.channel.task
    model = AutoModelForCausalLM.from_pretrained(task["folder"], attn_implementation="sdpa")
    tokenizer = AutoTokenizer.from_pretrained(task["folder"], padding_side="left")
    # What follows a stop is padding, and only the end of a turn is looked for to tell where.
    tokenizer.pad_token = tokenizer.eos_token
    turns.trainer = GRPOTrainer(
        model,
        turns.pay,
        args=arguments(task),
        train_dataset=Dataset.from_dict({"prompt": task["texts"], "answer": task["answers"]}),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=task["rank"], lora_alpha=task["alpha"], target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[turns],
    )  # fmt: skip
    turns.trainer.train()


def arguments(task):
    """The recipe as TRL names it."""
    rows = task["prompts"] * task["group_size"]
    micro_batch = min(task["micro_batch"], rows)
    return GRPOConfig(
        output_dir="/tmp/trl", use_cpu=True, bf16=False, gradient_checkpointing=False,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
        max_steps=100_000, per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=rows // micro_batch, num_generations=task["group_size"],
        max_prompt_length=None, max_completion_length=task["length"], temperature=1.0, top_k=0,
        top_p=1.0, beta=task["kl_coef"], epsilon=task["clip"], learning_rate=task["learning_rate"],
        lr_scheduler_type="constant", loss_type="grpo",
        # A row that ends otherwise than with its turn counts one token more than it has.
        generation_kwargs={"eos_token_id": task["stop_ids"]} if task["stop_ids"] else None,
    )  # fmt: skip


main()
