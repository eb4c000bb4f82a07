"""What a run will see, before it starts."""

import io
import json

import pytest
from rich.console import Console

from sage_jax.faults import ConfigError
from sage_jax.run.preview import preview


def shown(config, **options) -> str:
    out = io.StringIO()
    preview(config, Console(file=out, width=160, highlight=False), **options)
    return out.getvalue()


def test_problems_what_is_left_out_lengths_and_prompts(make_words_config, tmp_path):
    rows = [
        {"id": "both", "problem": "3 + 1?", "answer": "4"},
        {"id": "new", "problem": "3 + 9?", "answer": "12"},
    ]
    file = tmp_path / "suite.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"use": "jsonl", "name": "mine", "eval_file": str(file)}
    mixed = {"use": "mixture", "of": [suite]}
    config = make_words_config(
        {"task": {"repairs": ["near_copies"], "instruction": "Box it."},
         "eval": {"suites": [suite, mixed]}}
    )  # fmt: skip
    text = shown(config, prompts=2)
    table = {
        line.split("│")[1].strip(): line.split("│") for line in text.splitlines() if "│" in line
    }
    assert table["to train on"][2].strip() == "11"
    assert table["held out"][2].strip() == "4"
    assert table["suite mine"][2].strip() == table["suite mixture"][2].strip() == "2"
    assert "repair near_copies: 0 problems to train on" in text
    assert "left out: 1 evaluated on too (task.decontaminate)" in text
    assert "train-3 is both (equal 1.00)" in text
    assert sum(line.count("█") for line in text.splitlines()) >= 40
    assert text.count("Box it.") == 2
    assert "train-0, answer 1" in text
    assert "train-11, answer 12" in text
    assert "a completion ends with" in text


def test_a_task_of_tokens_shows_some_problems(make_config):
    text = shown(make_config(), prompts=2)
    assert "task brackets, drawn by the seed" in text
    assert len(text.strip().splitlines()) == 3


def test_what_the_run_would_refuse_is_refused(make_words_config):
    with pytest.raises(ConfigError, match="positions"):
        preview(make_words_config({"rollout": {"max_completion_length": 9999}}), Console())
    with pytest.raises(ConfigError, match="--prompts is -1; show 0 or more"):
        preview(make_words_config(), Console(), prompts=-1)
