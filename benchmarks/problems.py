"""The same word problems for every contestant: GSM8K where it is at hand, made ones otherwise."""

import json
import os
import random
from pathlib import Path

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."


def problems(count: int) -> list[dict[str, str]]:
    """{"id", "problem", "answer"} of the first `count` in the file of the folder SAGE_DATA_DIR."""
    file = Path(os.environ.get("SAGE_DATA_DIR", "")) / "gsm8k_train.jsonl"
    if not file.is_file():
        return [_made(index) for index in range(count)]
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(count), lines, strict=False)]
    return [{key: row[key] for key in ("id", "problem", "answer")} for row in rows]


def write_problems(rows: list[dict[str, str]], folder: Path) -> str:
    """The path of a new file of them in `folder`, as the task `jsonl` reads it."""
    file = folder / "problems.jsonl"
    file.write_text("".join(json.dumps(row | {"source": "benchmark"}) + "\n" for row in rows))
    return str(file)


def _made(index: int) -> dict[str, str]:
    draw = random.Random(index)
    crates, each, sold = draw.randint(3, 12), draw.randint(6, 48), draw.randint(1, 17)
    name = draw.choice(["Maya", "Tom", "Ines", "Omar"])
    text = (
        f"{name} has {crates} crates with {each} apples in each of them. At the market {sold} "
        f"apples are sold in the morning, and twice as many in the afternoon. How many apples "
        f"does {name} have left in the evening?"
    )
    return {"id": f"made-{index}", "problem": text, "answer": str(crates * each - 3 * sold)}
