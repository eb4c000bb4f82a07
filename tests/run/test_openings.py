"""Arms that would not open, refused before the first one starts."""

import pytest

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.config import ConfigError
from sage_jax.run.arms import train_arms
from sage_jax.run.openings import try_openings

RATED = {"loss": {"kl_gates": {"use": "base_pass_rate", "at_most": 0.0}}}
ABSENT = "nowhere.jsonl"


def cost(completion, difficulty):
    return 1.0


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (RATED, "12 of 12 have none, as 'train-0'"),
        (RATED | {"task": {"rates_file": ABSENT}}, ABSENT),
        ({"task": {"train_file": ABSENT}}, ABSENT),
        ({"eval": {"suites": [{"use": "jsonl", "eval_file": ABSENT}]}}, ABSENT),
        ({"eval": {"held_out": {"use": "jsonl", "eval_file": ABSENT}}}, ABSENT),
        ({"eval": {"exact": True}}, "'jsonl' cannot list its right completions"),
        ({"reward": f"{__name__}:cost"}, "asks for 'difficulty'"),
        ({"loss": {"advantage": ["group", "rare_by_mode"]}}, "the loss reads modes"),
        ({"model": {"source": ABSENT}}, ABSENT),
        ({"rollout": {"max_completion_length": 4096}}, "the model has positions for"),
    ],
)  # fmt: skip
def test_an_arm_that_would_not_open_is_refused_before_the_first_starts(
    make_words_config, tmp_path, arm, message
):
    config = make_words_config({"arms": {"fine": {}, "odd": arm}})
    with pytest.raises(ConfigError) as caught:
        train_arms(config, tmp_path / "arms")
    assert str(caught.value).startswith("arms.odd: ")
    assert message in str(caught.value)
    assert not (tmp_path / "arms").exists()


def test_a_stop_string_that_the_model_cannot_write_is_one_of_them(make_words_config, monkeypatch):
    monkeypatch.setattr("sage_jax.rollout.special_id", lambda tokenizer, text: 10**6)
    config = make_words_config({"arms": {"odd": {"rollout": {"stop": ["<end>"]}}}})
    with pytest.raises(ConfigError, match=r"arms\.odd: rollout\.stop '<end>' is token 1000000"):
        try_openings(config, configs.arms(config))


def test_a_model_of_random_weights_has_the_positions_of_the_base(make_config, tmp_path):
    config = make_config({"arms": {"long": {"rollout": {"max_completion_length": 9}}}})
    with pytest.raises(ConfigError, match=r"arms\.long: .* is 15, .* has positions for 14"):
        train_arms(config, tmp_path / "arms")


def test_what_arms_share_is_opened_once_and_the_bases_not_at_all(make_words_config, monkeypatch):
    opened, open_task = [], setup.open_task

    def counted(config, *others):
        opened.append(config.name)
        return open_task(config, *others)

    monkeypatch.setattr(setup, "open_task", counted)
    long = {"rollout": {"max_prompt_length": 40}}
    arms = {"weak": {"loss": {"kl_coef": 0.1}}, "long": long, "too": long | {"guide": "none"}}
    config = make_words_config({"arms": arms})
    try_openings(config, configs.arms(config))
    assert opened == ["long"]
