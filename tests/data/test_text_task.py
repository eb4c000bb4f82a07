"""Problems in words as a task: what its judge is told of a problem."""

import numpy as np
import pytest

from sage_jax.data import Problem
from sage_jax.data.text_task import TextTask

ROOT = Problem(id="root", problem=r"Simplify $\sqrt{452}$.", answer=r"2\sqrt{113}")


class Letters:
    """A tokenizer whose tokens are the code points of the text."""

    chat_template = "{{ messages[0].content }}"

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [ord(letter) for letter in text]}

    def __len__(self):
        return 256

    def apply_chat_template(self, messages, **_):
        return messages[0]["content"]

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


@pytest.fixture
def task(pool):
    return TextTask(
        [ROOT], [ROOT], Letters(), pool, lambda problem, draw: None,
        seed=0, stop_ids=(0,), max_prompt_length=64, max_completion_length=32,
        system_prompt=None, instruction="", prefix="", format_weight=0.0,
    )  # fmt: skip


def rows(*texts):
    """Completions as tokens and mask, both [B, 32]."""
    lengths = np.array([len(text) for text in texts])
    tokens = np.array([[*map(ord, text), *[0] * (32 - len(text))] for text in texts])
    return tokens, np.arange(32)[None] < lengths[:, None]


def test_the_question_copied_earns_nothing(task):
    copied, worked_out = r"\boxed{\sqrt{452}}", r"\boxed{2\sqrt{113}}"
    judged = task.judge(task.train_prompts(0, 1), *rows(copied, worked_out))
    assert judged.rewards.tolist() == [0.0, 1.0]
    assert judged.reasons == ["wrong", "correct"]
    said = task.verify(*rows(copied, worked_out), ROOT.answer, ROOT.problem)
    assert [verdict.reason for verdict in said] == ["wrong", "correct"]


def test_the_value_of_another_question_may_be_spelt_so(task):
    said = task.verify(*rows(r"\boxed{\sqrt{452}}"), ROOT.answer, "How long is it?")
    assert [verdict.reason for verdict in said] == ["correct"]
