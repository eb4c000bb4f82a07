"""Any config is one that runs or one clear message, and nothing in it runs or grows."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import changed, fuzzed, spoilt, values

from sage_jax import config as configs
from sage_jax import yaml_text

HOME = Path(__file__).parents[2] / "configs"
# An arena is a config with very many arms, each of which takes as long as a whole config.
FILES = sorted(path for path in HOME.glob("*.yaml") if not path.name.startswith("arena"))
TEXTS = [path.read_text() for path in FILES]
TREES = [yaml.safe_load(text) for text in TEXTS]
WHOLE = configs.load(HOME / "r1_distill_qwen_7b_lora_v5e-16.yaml").model_dump(mode="json")
SECTIONS = {(): WHOLE} | {(k,): v for k, v in WHOLE.items() if isinstance(v, dict) if k != "arms"}
FIELDS = [(*way, field) for way, section in SECTIONS.items() for field in section]
PIECES = (
    "&a ", "*a", "<<: *a\n", "? ", ": ", "- ", "\n", "\t", "  ", "{", "}", "[", "]", "|\n", ">\n",
    "'", '"', '"\\ud800"', '"\\x00"', "\x00", "\x85", "\ufeff", "%", "@", "`", "---\n", "...\n",
    "#", "!!python/object/apply:os.system ['touch owned']", "!!python/name:os.system ", "!!int ",
    "!!int ''", "!!float x", "!!bool x", "!!null x", "!!timestamp x", "!!binary '?'", "!!set ",
    "!!omap ", "!!map ", "!!seq ", "!!str ", "!x ", "2020-13-45", "1:99", "0x", "0b", "09", ".nan",
    "-.inf", "9" * 5000, "1e999", "~", "null", "yes", "é", "\U0001f600", "[" * 2000, "- " * 2000,
    "a: " * 50, "&a [*a]", "{? {} : }", "name: x\n", "seed: 1\n",
)  # fmt: skip


def outcome(make):
    """The config made, or the message of why not; anything else goes through and fails the test."""
    try:
        return make()
    except configs.ConfigError as error:
        message = str(error)
        assert message.isprintable(), message
        assert 0 < len(message) < 3000
        return message


def check(made):
    """What holds of any config that is accepted: it can be kept, and its arms be told."""
    if isinstance(made, str):
        return
    assert configs.parse(yaml_text.read(configs.dump(made))) == made
    outcome(lambda: configs.arms(made))


@fuzzed(500)
@given(st.sampled_from(TREES).flatmap(changed))
def test_changed_configs(tree):
    check(outcome(lambda: configs.parse(tree)))


@fuzzed(100)
@given(values)
def test_anything(tree):
    assert isinstance(outcome(lambda: configs.parse(tree)), str)


@fuzzed(300)
@given(st.sampled_from(FIELDS), values)
def test_a_value_that_is_refused_is_named(way, value):
    *sections, field = way
    change = {field: value}
    for section in sections:
        change = {section: change}
    made = outcome(lambda: configs.parse(configs.merge(WHOLE, change)))
    check(made)
    if isinstance(made, str):
        # A part that is not there is told under the field that names it, and not as its `use`.
        assert (sections[-1] if field == "use" else field) in made, (way, value, made)


@fuzzed(350)
@given(st.sampled_from(TEXTS).flatmap(lambda text: spoilt(text, PIECES)))
def test_spoilt_files(scratch, text):
    path = scratch / "spoilt.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    made = outcome(lambda: configs.load(path))
    if isinstance(made, str):
        assert str(path) in made
    check(made)
    assert not Path("owned").exists()


@fuzzed(100)
@given(st.sampled_from(TEXTS).flatmap(
    lambda text: spoilt(text.encode(), (b"\xff", b"\x00", b"\xc3", b"\xed\xa0\x80", b"\xfe\xff"))
))  # fmt: skip
def test_spoilt_bytes(scratch, data):
    path = scratch / "bytes.yaml"
    path.write_bytes(data)
    check(outcome(lambda: configs.load(path)))


def laughs(first, link):
    """Nine levels, each of nine times the level before."""
    levels = [f"{name}: &{name} {link(before)}\n" for before, name in pairwise("abcdefghi")]
    return f"a: &a {first}\n" + "".join(levels)


BOMBS = {
    "lists": laughs("[0]", lambda name: "[" + ",".join([f"*{name}"] * 9) + "]"),
    "mappings": laughs("[0]", lambda name: "{" + ",".join(f"{i}: *{name}" for i in range(9)) + "}"),
    "merges": laughs("{k: 0}", lambda name: "{<<: [" + ",".join([f"*{name}"] * 9) + "]}"),
    "itself": "a: &a [*a]\n",
    "itself in a mapping": "a: &a {b: {c: *a}}\n",
    "merged into itself": "a: &a {<<: *a}\n",
    "depth": "[" * 100_000,
    "depth of mappings": "".join(" " * i + "a:\n" for i in range(1500)),
    "a key many times": "".join(f"k{i}: 0\n" for i in range(20_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(tmp_path, name):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name])
    begun = time.process_time()
    assert isinstance(outcome(lambda: configs.load(path)), str)
    assert time.process_time() - begun < 20
