"""Parts of the user's own in whole runs: used, known again, and refused once they are others."""

import re
import sys
from typing import Any

import jax.numpy as jnp
import pages
import pytest
import yaml
from runs import StopAt, entries

from sage_jax import config as configs
from sage_jax import parts, setup
from sage_jax.run import facts
from sage_jax.run.arms import train_arms
from sage_jax.run.inputs import InputError
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest
from sage_jax.setup import objective

OWN = """
import jax.numpy as jnp
from bent_helper import OFFSET
from sage_jax.losses import guides


def gate(ref_entropies, mask, *, low: float = 0.8):
    return guides.bounded_log(jnp.where(ref_entropies < 1.0, low, 1.0), mask)


def half(pass_rate, mask, *, share: float = 0.5):
    return jnp.where(pass_rate < share, 1.0, share) + 0.0 * jnp.where(mask, 1.0, 0.0)


def clipped(rewards, *, group_size, scale: float = 1.0):
    away = rewards.reshape(-1, group_size)
    away = away - away.mean(axis=1, keepdims=True) + OFFSET
    return jnp.clip(scale * away, -1, 1).reshape(-1)


def flat(rewards, *, group_size):
    return rewards.sum()


def no_guide(*, size: int = 1):
    return size


def narrow(entropies, mask):
    return entropies.sum()


def looking(logits, mask):
    return logits.max(-1) * 0.1


def eager(ratios, advantages, *, power: int = 1):
    return float(ratios[0, 0]) * advantages


def crossed(entropies, mask):
    return entropies * mask.mean(axis=1)[None]


def by_group(rewards, *, group_size):
    groups = rewards.reshape(-1, group_size)
    return (groups - groups.mean(axis=1)[None]).reshape(-1)


def nothing(mask):
    mask.sum()


def silent(rewards):
    rewards.sum()


def blind(*, power: int = 1):
    return power


def by_row(logps, anchor_logps, *, scale: float = 1.0):
    return scale * (logps - anchor_logps).sum(axis=1)


def summed(losses, mask):
    return losses.sum()
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that writes the user's module anew, as another process would find it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text=OWN, offset=0.0):
        for name in ("bent_parts", "bent_helper"):
            sys.modules.pop(name, None)
        (tmp_path / "bent_helper.py").write_text(f"OFFSET = {offset}\n")
        (tmp_path / "bent_parts.py").write_text(text)

    write()
    yield write
    for name in ("bent_parts", "bent_helper"):
        sys.modules.pop(name, None)


# The KL comes off the rewards.
REWARDED = {"kl_in": "reward", "kl_estimator": "k1", "advantage": "rloo"}
PARTS = {
    "guide": {"use": "bent_parts:gate", "low": 0.9},
    "loss": {
        "kl_gates": [
            "unclipped",
            {"use": "pass_rate", "at_least": 1.0, "outside": 0.5},
            {"use": "bent_parts:half", "share": 0.25},
        ],
        "kl_in": "advantage",
        "advantage": [
            {"use": "bent_parts:clipped", "scale": 2.0},
            {"use": "rare_by_logps", "temperature": 0.3},
            "rare_by_mode",
        ],
    },
}


def test_a_run_with_parts_of_ones_own_is_resumed_and_refuses_others(make_config, tmp_path, own):
    config, folder = make_config(PARTS), RunFolder(tmp_path / "run")
    with pytest.raises(Stopped):
        train(config, folder, StopAt(8))
    own(offset=0.1)
    with pytest.raises(InputError, match=r"parts of your own \(bent_parts\): bent_helper.py holds"):
        train(config, folder, StopRequest())
    own(OWN + "# longer\n")
    with pytest.raises(InputError, match=r"bent_parts.py was \d+ bytes, is \d+ bytes"):
        train(config, folder, StopRequest())
    own()
    train(config, folder, StopRequest())
    assert [entry["step"] for entry in entries(folder)] == [1, 2, 3, 4]
    assert all(entry["q/max"] <= 1 for entry in entries(folder))
    assert all(0 <= entry["modes/found"] <= 4 * entry["pass@1"] for entry in entries(folder))
    # Of groups that are all right the one gate leaves all and the other a quarter, else half.
    assert all(0.125 <= entry["kl/gate"] <= 0.5 for entry in entries(folder))


def test_processes_with_other_parts_are_told_apart(make_config, own):
    config = make_config({"arms": {"gated": PARTS}})
    before = facts.facts(config)
    own(offset=0.5)
    after = facts.facts(config)
    assert [name for name in before if before[name] != after[name]] == ["parts"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guide": "bent_parts:gates"}, r"has no function 'gates' \(perhaps gate\?\)"),
        ({"guide": "bent_parts:no_guide"}, "guide: bent_parts:no_guide gives 1 and not a guide"),
        ({"guide": "bent_parts:narrow"}, r"guide: the guide narrow gives shape \(\); log q"),
        # Shapes that fit by accident where there are as many rows as tokens, or as many groups as
        # completions of each.
        (
            {"guide": "bent_parts:crossed", "rollout": {"num_prompts": 2}},
            r"guide: .*shapes .*\(12, 8\).*bent_parts.py, line",
        ),
        ({"loss": {"advantage": "bent_parts:by_group"}}, r"advantage.0: .*\(3, 4\), \(1, 3\)"),
        ({"guide": "bent_parts:nothing"}, r"guide: .* gives None; an array \[B, T\] of log q is "),
        ({"loss": {"surrogate": "bent_parts:nothing"}}, "surrogate: .* gives None; .*is a return"),
        ({"loss": {"kl_estimator": "bent_parts:nothing"}}, "estimator: .* gives None; an array"),
        ({"loss": {"reduction": "bent_parts:nothing"}}, "reduction: .* gives None; a losses.Mean"),
        ({"loss": {"advantage": "bent_parts:silent"}}, r"gives None .*\(is a return missing\?\)"),
        ({"loss": {"surrogate": "bent_parts:blind"}}, "surrogate: bent_parts:blind asks for no"),
        (
            {"loss": {"surrogate": "bent_parts:eager"}},
            r"loss.surrogate: ConcretizationTypeError: .*\(.*bent_parts.py, line \d+\)",
        ),
        (
            {"loss": {"surrogate": {"use": "bent_parts:eager", "ratios": 1}}},
            "loss.surrogate.ratios: is given by the trainer",
        ),
        (
            {"loss": {"kl_estimator": "bent_parts:by_row"}},
            r"kl_estimator: the estimator by_row gives shape \(12,\); it must be .* \(12, 8",
        ),
        (
            {"loss": REWARDED | {"kl_estimator": "bent_parts:by_row"}},
            "is loss.kl_estimator 'k1', not 'bent_parts:by_row'",
        ),
        (
            {"guide": "bent_parts:looking", "loss": REWARDED},
            "guide: terms.logits is None; the guide looking needs it",
        ),
        (
            {"guide": "support", "loss": REWARDED},
            "guide: support reads ref_logits, which there are none of before the rewards",
        ),
        (
            {"loss": {"kl_gates": ["wrong", "bent_parts:halves"]}},
            r"loss.kl_gates.1: .* has no function 'halves' \(perhaps half\?\)",
        ),
        (
            {"loss": {"kl_gates": {"use": "bent_parts:half", "share": "1"}}},
            "loss.kl_gates.0.share: Input should be a valid number",
        ),
        (
            {"loss": {"kl_gates": "bent_parts:narrow"}},
            r"the gate narrow gives shape \(\); it must be \[B, T\] = \(12, 8\) or \[B, 1\]",
        ),
        ({"loss": {"kl_gates": "bent_parts:nothing"}}, r"gives None; a factor \[B, T\] or \[B, 1"),
        ({"loss": {"kl_gates": "bent_parts:blind"}}, "kl_gates.0: bent_parts:blind asks for no a"),
        (
            {"loss": REWARDED | {"kl_gates": "bent_parts:looking"}},
            "looking reads logits, which there are none of yet where loss.kl_in is reward",
        ),
        (
            {"loss": {"kl_gates": "base_pass_rate"}},
            "the loss reads base_pass_rate, a column of the data, which the task 'brackets' does",
        ),
        (
            {"loss": {"kl_gates": "unlikely", "surrogate": "clip_cov"}},
            "loss: two parts of a loss choose tokens of the whole batch; terms.chosen holds one",
        ),
        ({"loss": {"reduction": "bent_parts:summed"}}, r"summed gives shape \(\); it must be"),
        ({"loss": {"advantage": "bent_parts:flat"}}, r"bent_parts:flat gives .*\(\)"),
        ({"loss": {"advantage": {"use": "bent_parts:clipped", "scale": "2"}}}, "advantage.0.scale"),
        ({"arms": {"odd": {"guide": "no_such_parts:gate"}}}, "no module 'no_such_parts'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(
    make_config, tmp_path, own, changes, message
):
    with pytest.raises(configs.ConfigError, match=message):
        train_arms(make_config(changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "bent_parts:cost"}, "asks for 'difficulty', which the config does"),
        (
            {"loss": {"advantage": ["group", "rare_by_mode"]}},
            "the loss reads modes, and the task 'jsonl' tells no ways of being right apart",
        ),
    ],
)
def test_what_no_problem_has_is_refused_before_anything_is_written(
    make_words_config, tmp_path, own, changes, message
):
    own("def cost(completion, difficulty):\n    return 1.0\n")
    config = make_words_config(changes)
    with pytest.raises(configs.ConfigError, match=message):
        train(config, RunFolder(tmp_path / "run"), StopRequest())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "reference", "full_vocabulary", "old_logps"),
    [
        ({}, True, False, False),
        ({"guide": "none", "loss": {"kl_coef": 0.0}}, False, False, False),
        ({"loss": {"kl_estimator": "exact"}, "guide": "none"}, True, True, False),
        ({"guide": "bent_parts:looking"}, True, True, False),
        ({"guide": "none", "loss": {"kl_gates": "bent_parts:looking"}}, True, True, False),
        ({"guide": "none", "loss": {"kl_in": "advantage"}}, True, False, True),
        (
            {"guide": "none", "loss": {"kl_in": "advantage", "kl_estimator": "exact"}},
            True,
            True,
            True,
        ),
        ({"guide": "support", "loss": {"kl_in": "advantage"}}, True, True, True),
        ({"loss": {"sampler_correction": "mask"}}, True, False, True),
        ({"loss": REWARDED}, True, False, True),
        ({"optimizer": {"num_minibatches": 2}}, True, False, True),
    ],
)
def test_what_the_parts_need_is_computed(
    make_config, own, changes, reference, full_vocabulary, old_logps
):
    config = make_config(changes)
    nothing: Any = None
    learner = setup.make_learner(config, setup.Base(nothing, nothing, nothing))
    assert learner.needs_reference == reference
    assert learner.needs_logits == full_vocabulary
    assert learner.needs_old_logps == old_logps


def test_advantages_of_ones_own_get_their_arguments(make_config, own):
    config = make_config(PARTS | {"rollout": {"num_prompts": 1, "group_size": 4}})
    rule, *_ = objective.make_advantages(config)
    found = rule(jnp.array([1.0, 0.0, 0.0, 0.6]), group_size=4)
    assert found.tolist() == pytest.approx([1.0, -0.8, -0.8, 0.4])


PAGE = pages.text("docs/losses.md")
TABLES = {
    "Advantages of counts": "advantage",
    "Surrogates": "surrogate",
    "Rules in a row": "advantage",
    "Where the KL holds": "gate",
}


@pytest.mark.parametrize("title", TABLES)
def test_what_the_page_of_losses_names_is_there(make_config, title):
    section = re.split(r"^#+ ", PAGE.split(f"### {title}\n")[1], flags=re.MULTILINE)[0]
    told = parts.listing(TABLES[title])
    named = re.findall(r"^\| `(\w+)`", section, flags=re.MULTILINE)
    assert len(named) > 3
    for name in named:
        assert re.search(rf"^  (\{{use: )?{name}\b", told, flags=re.MULTILINE), name
    for shown in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL):
        objective.check(make_config(yaml.safe_load(shown)))
    if TABLES[title] == "gate":
        assert set(named) == set(parts.GATES.names())


def test_a_rule_of_counts_that_is_named_is_that_rule(make_config):
    shown = {"loss": {"advantage": {"use": "pkpo", "k": 4}}}
    (rule,) = objective.make_advantages(make_config(shown))
    rewards = jnp.array([1.0, 0.0, 0.0, 0.0])
    assert rule(rewards, group_size=4).tolist() == pytest.approx([4.0, 0.0, 0.0, 0.0])
