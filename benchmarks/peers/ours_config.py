"""A benchmark's task as a config of sage_jax."""


def describe(task):
    """The task as a config."""
    return {
        "name": "benchmark",
        "model": {"source": task["folder"]},
        "task": {
            "use": "jsonl", "train_file": task["file"], "eval_file": task["file"],
            "instruction": task["instruction"],
        },
        "guide": task["guide"],
        "lora": {"rank": task["rank"], "alpha": task["alpha"]},
        "rollout": {
            "num_prompts": task["prompts"], "group_size": task["group_size"],
            "max_prompt_length": task["width"], "max_completion_length": task["length"],
            "stop": task.get("stop", []),
        },
        "loss": {
            "kl_coef": task["kl_coef"],
            "surrogate": {"use": "clipped", "eps_low": task["clip"], "eps_high": task["clip"]},
        },
        "optimizer": {
            "learning_rate": task["learning_rate"], "micro_batch": task["micro_batch"],
            "packing": task.get("packing", True),
        },
    }  # fmt: skip
