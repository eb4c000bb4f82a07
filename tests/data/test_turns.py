"""Templates in the shapes that models come with, and what is found of their turns."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sage_jax.data import DataError
from sage_jax.data.spelling import Spelling
from sage_jax.data.turns import Turns, read_turns

SPECIAL = ["<s>", "</s>", "<|start|>", "<|end|>", "<|eot|>", "[INST]", "[/INST]", "<think>",
           "</think>", "<user>", "<bot>"]  # fmt: skip
ID = {token: place for place, token in enumerate(SPECIAL)} | {"<turn>": len(SPECIAL)}


@pytest.fixture(scope="module")
def make_tokenizer():
    core = Tokenizer(models.BPE({token: i for i, token in enumerate(SPECIAL)}, []))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({t: i for i, t in enumerate([*SPECIAL, "<turn>", *letters])}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    core.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    core.add_special_tokens(SPECIAL)
    core.add_tokens([AddedToken("<turn>", special=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")

    def make(template):
        tokenizer.chat_template = template
        return tokenizer

    return make


LOOP = "{% for m in messages %}"
CHATML = (
    LOOP + "<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n"
)
GO_ON = "{% if add_generation_prompt %}"
SHAPES = {
    "none": (None, Turns()),
    "chatml": (CHATML + "{% endif %}", Turns("", ID["<|end|>"])),
    "opens a thought": (CHATML + "<think>\n{% endif %}", Turns("<think>\n", ID["<|end|>"])),
    "closes an empty thought": (
        CHATML + "<think>\n\n</think>\n\n{% endif %}",
        Turns("<think>\n\n</think>\n\n", ID["<|end|>"]),
    ),
    "puts words into its mouth": (CHATML + "Let us see.{% endif %}", Turns("Let us see.", 3)),
    "an empty thought before the last answer": (
        LOOP + "<|start|>{{ m.role }}\n"
        "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m.content }}<|end|>\n{% endfor %}"
        + GO_ON
        + "<|start|>assistant\n<think>\n{% endif %}",
        Turns("<think>\n", ID["<|end|>"]),
    ),
    "an empty thought before every answer": (
        LOOP + "<|start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think></think>{% endif %}"
        "{{ m.content }}<|end|>\n{% endfor %}"
        + GO_ON
        + "<|start|>assistant\n<think>\n{% endif %}",
        Turns("<think>\n", ID["<|end|>"]),
    ),
    "speaks of a thought in the user's turn": (
        LOOP + "<|start|>{{ m.role }}\n{{ m.content }}{% if m.role == 'user' %} Begin with <think>."
        "{% endif %}<|end|>\n{% endfor %}" + GO_ON + "<|start|>assistant\n{% endif %}",
        Turns("", ID["<|end|>"]),
    ),
    "writes the thought without being asked to": (
        LOOP + "<user>{{ m.content }}{% endfor %}<bot><think>",
        Turns("<think>", None),
    ),
    "prompts alone": (
        LOOP + "{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}"
        "<user>{{ m.content }}{% endfor %}<bot><think>",
        Turns("<think>", None),
    ),
    "prompts alone, no thought": (
        LOOP + "{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}"
        "<user>{{ m.content }}{% endfor %}<bot>",
        Turns("", None),
    ),
    "as DeepSeek": (
        "<s>" + LOOP + "{% if m.role == 'user' %}<user>{{ m.content }}{% else %}<bot>"
        "{{ m.content.split('</think>')[-1] }}</s>{% endif %}{% endfor %}"
        + GO_ON
        + "<bot><think>\n{% endif %}",
        Turns("<think>\n", ID["</s>"]),
    ),
    "as Llama 2": (
        LOOP + "{% if m.role == 'user' %}<s>[INST] {{ m.content | trim }} [/INST]{% else %}"
        " {{ m.content | trim }} </s>{% endif %}{% endfor %}",
        Turns("", ID["</s>"]),
    ),
    "as Llama 3": (
        "<s>" + LOOP + "<|start|>{{ m.role }}\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
        + GO_ON
        + "<|start|>assistant\n\n{% endif %}",
        Turns("", ID["<|eot|>"]),
    ),
    "an end that is no special token": (
        LOOP + "{{ m.role }}: {{ m.content }}<turn>\n{% endfor %}assistant:",
        Turns("", ID["<turn>"]),
    ),
    "two ends": (
        LOOP + "<|start|>{{ m.role }}\n{{ m.content }}<|end|></s>{% endfor %}"
        + GO_ON
        + "<|start|>assistant\n{% endif %}",
        Turns("", ID["<|end|>"]),
    ),
    "the last turn stays open": (
        LOOP + "<|start|>{{ m.role }}\n{{ m.content }}"
        "{% if not loop.last or m.role == 'user' %}<|end|>\n{% endif %}{% endfor %}"
        + GO_ON
        + "<|start|>assistant\n{% endif %}",
        Turns("", ID["<|end|>"]),
    ),
    "turns without an end": (
        LOOP + "{{ '<user>' if m.role == 'user' else '<bot>' }}{{ m.content }}{% endfor %}"
        + GO_ON
        + "<bot>{% endif %}",
        Turns("", None),
    ),
    "an end in words": (
        LOOP + "{{ m.role }}: {{ m.content }}\n###\n{% endfor %}assistant: ",
        Turns("", None),
    ),
    "a word for the last question alone": (
        LOOP + "<user>{{ m.content }}{% if loop.last %} /think{% endif %}<|end|>{% endfor %}"
        + GO_ON
        + "<bot><think>{% endif %}",
        Turns("<think>", ID["<|end|>"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(make_tokenizer, name, caplog):
    template, turns = SHAPES[name]
    tokenizer = make_tokenizer(template)
    found = read_turns(tokenizer, Spelling(tokenizer))
    assert found.end_id == turns.end_id
    told = ["ends a turn with '###', which is no token" in one for one in caplog.messages]
    assert told == [True] * (name == "an end in words")
    assert found.opened.endswith(turns.opened)
    if name != "a word for the last question alone":  # There the start of the turn stays before it.
        assert found.opened == turns.opened


DROPPED = {
    "user": ("{{ 'Solve the problem.' }}", "leaves out the user's message"),
    "system": (
        LOOP + "{% if m.role != 'system' %}<user>{{ m.content }}{% endif %}{% endfor %}<bot>",
        "leaves out the system message, so that the model would never see task.system_prompt",
    ),
    "all but the first": ("{{ messages[0].content }}", "leaves out the user's message"),
    "all but the last": ("{{ messages[-1].content }}", "leaves out the system message"),
    "its letters": (LOOP + "{{ m.content | length }}{% endfor %}", "leaves out the user's message"),
    "a part": (LOOP + "{{ m.content[:4] }}{% endfor %}", "leaves out the user's message"),
    "refused": (LOOP + "{{ raise_exception('odd ' ~ m.role) }}{% endfor %}", "odd system"),
    "random": (LOOP + "{{ m.content }}{{ ['a', 'b'] | random }}{% endfor %}", "draws at random"),
}


@pytest.mark.parametrize("name", DROPPED)
def test_templates_that_drop_a_message_are_refused(make_tokenizer, name):
    template, message = DROPPED[name]
    tokenizer = make_tokenizer(template)
    with pytest.raises(DataError) as caught:
        read_turns(tokenizer, Spelling(tokenizer), system_prompt="Be brief.")
    assert message in str(caught.value)


def test_a_template_without_a_system_message_serves_where_none_is_asked_for(make_tokenizer):
    tokenizer = make_tokenizer(DROPPED["system"][0])
    assert read_turns(tokenizer, Spelling(tokenizer)) == Turns()
