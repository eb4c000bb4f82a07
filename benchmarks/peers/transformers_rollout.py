"""Transformers `generate`, served to a contest: SDPA attention, its own cache and defaults.

It compiles nothing, so that warming up writes 8 tokens a row.
"""

import torch
from serve import serve
from transformers import AutoModelForCausalLM


def open_task(task):
    """Load the model; a run completes all prompts once."""
    device = "cuda" if task["device"] == "gpu" else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        task["folder"], dtype=getattr(torch, task["dtype"]), attn_implementation="sdpa"
    ).to(device)
    tokens = torch.tensor(task["tokens"], device=device)
    mask = torch.tensor(task["mask"], device=device)
    # Without stop ids rows must not end at the model's own end token either.
    model.generation_config.eos_token_id = task["stop_ids"] or None

    def run(seed, warming=False):
        torch.manual_seed(seed)
        length = 8 if warming else task["length"]
        with torch.inference_mode():
            out = model.generate(
                tokens, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                num_return_sequences=task["group_size"], max_new_tokens=length,
                pad_token_id=task["pad_id"],
            )  # fmt: skip
        return {"lengths": lengths(out[:, tokens.shape[1] :].cpu(), task["stop_ids"])}

    return run


def lengths(completions, stop_ids):
    """Tokens of each row, the one that ended it included."""
    stops = torch.isin(completions, torch.tensor(stop_ids, dtype=torch.long))
    first = torch.where(stops.any(1), stops.int().argmax(1) + 1, completions.shape[1])
    return first.tolist()


serve(open_task)
