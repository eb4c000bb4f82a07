"""Exports as Transformers and PEFT read them on torch: logits and greedy continuations.

Standard input holds one JSON line a case: {"name", "folder", "adapter", "tokens", "steps"}; with an
adapter, the folder is its base. Standard output gets one line each: {"name", "logits", "greedy"}.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging

logging.disable_progress_bar()


def open_model(case):
    """The model in float32, adapted where there is an adapter."""
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = AutoModelForCausalLM.from_pretrained(case["folder"], **options)
    if case["adapter"]:
        from peft import PeftModel

        return PeftModel.from_pretrained(model, case["adapter"]).eval()
    GenerationConfig.from_pretrained(case["folder"]).validate(strict=True)
    return model.eval()


def answer(case):
    """What one case gives."""
    model = open_model(case)
    tokens = torch.tensor(case["tokens"])
    with torch.inference_mode():
        logits = model(input_ids=tokens).logits
        row = tokens
        for _ in range(case["steps"]):
            last = model(input_ids=row).logits[:, -1]
            row = torch.cat([row, last.argmax(-1, keepdim=True)], dim=1)
    greedy = row[:, tokens.shape[1] :].tolist()
    return {"name": case["name"], "logits": logits.tolist(), "greedy": greedy}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
