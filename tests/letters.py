"""A tokenizer of letters, and completions in it."""

import numpy as np


class Letters:
    """A tokenizer whose tokens are the code points of the text."""

    eos_token_id = 0
    chat_template = "{{ messages[0].content }}"

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [ord(letter) for letter in text]}

    def __len__(self):
        return 256

    def apply_chat_template(self, messages, **_):
        return messages[0]["content"]

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


def rows(*texts):
    """Completions as tokens and mask, both [B, 32]."""
    lengths = np.array([len(text) for text in texts])
    tokens = np.array([[*map(ord, text), *[0] * (32 - len(text))] for text in texts])
    return tokens, np.arange(32)[None] < lengths[:, None]
