"""Every YAML that a page shows is a config or a piece of one."""

import functools
import re

import pages
import pytest

from sage_jax import config as configs
from sage_jax import yaml_text
from sage_jax.setup import objective

BLOCKS = [one for one in pages.every_block() if one.language == "yaml"]
SECTION = re.compile(rf"({'|'.join(configs.Config.model_fields)}): [^.]*$")
# In lines of text: what begins as a section of a config does.
LINES = [
    pytest.param(code, id=f"{page}: {code}")
    for page in pages.names()
    for code in dict.fromkeys(pages.inline(page))
    if SECTION.match(code)
]


@functools.cache
def base(name):
    """A config that pieces are laid over, with no guide."""
    return configs.override(configs.load(configs.shipped(name) or ""), {"guide": "none"})


def check(text):
    """Parse a config, or a piece of one, and find all that it names."""
    piece = yaml_text.read(text)
    exact = piece.get("eval", {}).get("exact")
    over = base("quickstart" if exact else "smollm2_gsm8k")
    config = configs.parse(piece) if "name" in piece else configs.override(over, piece)
    objective.check(config)
    for arm in configs.arms(config).values():
        objective.check(arm)
    return config


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_is_a_config_or_a_piece_of_one(block, folder_of_ones_own):
    lines = block.text.splitlines()
    keys = [line.partition(":")[0] for line in lines]
    # The same key in every line: ways to write it, each for itself.
    several = len(lines) > 1 and len(set(keys)) == 1
    assert all(map(check, lines if several else [block.text]))


@pytest.mark.parametrize("code", LINES)
def test_what_stands_in_a_line_is_a_piece_of_a_config(code, folder_of_ones_own):
    assert check(code)
