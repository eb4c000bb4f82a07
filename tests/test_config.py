"""The config: what is read back, what is overridden, and what is refused with which message."""

import doctest
import importlib
from pathlib import Path

import pytest
import yaml

from sage_jax import config as configs
from sage_jax.data.rates import COLUMNS
from sage_jax.parts.listing import ROOMS
from sage_jax.setup import objective, reads

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
BRACKETS = {
    "name": "tiny",
    "model": {"source": "random"},
    "task": {"use": "brackets"},
    "warmup": {"steps": 2},
}
TEXT = {
    "name": "words",
    "model": {"source": "somewhere"},
    "task": {"use": "arithmetic"},
}


def merged(base: dict, changes: dict) -> dict:
    return configs.merge(base, changes)


# The KL comes off the rewards.
REWARDED = {"kl_in": "reward", "kl_estimator": "k1", "advantage": "rloo"}
REFUSED = [
    ({"loss": {"klcoef": 0.1}}, "loss.klcoef: there is no such field"),
    ({"looss": {}}, "looss: there is no such field"),
    ({"rollout": {"parts": 2}}, "rollout.parts: is named rollout.chunks now"),
    ({"loss": {"kl_coef": "0.1"}}, "loss.kl_coef: Input should be a valid number (got '0.1')"),
    ({"seed": 1.5}, "seed: Input should be a valid integer"),
    ({"seed": -1}, "seed: Input should be greater than or equal to 0 (got -1)"),
    ({"guide": "trunk"}, "guide: there is no guide 'trunk'; there are branch, gated, none, random"),
    ({"guide": "toke"}, "(perhaps token?)"),
    ({"guide": {"use": "branch", "rato": 0.2}}, "guide.rato: branch has no such argument"),
    ({"guide": {"use": "token", "max_steps": 5}}, "guide.max_steps: is given by the trainer"),
    ({"guide": {"use": "token", "normalize": "max"}}, "should be 'minmax', 'rank' or 'zscore'"),
    ({"guide": {"use": "token", "alpha": "1e-1"}}, "guide.alpha: Input should be float or [float,"),
    ({"guide": {"ratio": 0.2}}, "guide.use: must be given"),
    (
        {"guide": {"use": "branch", "ratio": "0.2"}},
        "guide.ratio: Input should be a valid number (got '0.2')",
    ),
    ({"name": "a/b"}, "name: String should match pattern"),
    ({"task": {"template_date": "2021-02-30"}}, "template_date: Input should be a date such as"),
    ({"task": {"template_date": "today"}}, "template_date: Input should be a date such as"),
    ({"task": {"template_date": 20210304}}, "template_date: Input should be a valid string"),
    (
        {"reward": [{"use": "math", "weight": "1"}]},
        "reward.0.weight: Input should be a valid",
    ),
    (
        {"reward": ["a:b", "c:b"]},
        "reward.1: two rewards are named 'b'",
    ),
    (
        {"reward": ["math", {"use": "boxed", "correct_from": 0.5}]},
        "reward.1.correct_from: the first reward alone says",
    ),
    (
        {"reward": ["boxes"]},
        "reward.0: there is no reward 'boxes' (perhaps boxed?)",
    ),
    ({"reward": [{"use": "matches"}]}, "reward.0.pattern: must be given"),
    (
        {"task": {"format_weight": 0.1}},
        "is a reward of its own now: reward: [{use: math",
    ),
    ({"rollout": {"group_size": 1}}, "rollout.group_size is 1, but loss.advantage 'group'"),
    (
        {"loss": {"advantage": "grop"}},
        "loss.advantage.0: there is no advantage 'grop'",
    ),
    (
        {"loss": {"advantage": {"use": "group", "epsilon": "1e-6"}}},
        "advantage.0.epsilon: Input",
    ),
    ({"loss": {"advantage": {"use": "rloo", "group_size": 2}}}, "is given by the trainer"),
    ({"loss": {"advantage": "pkpo"}}, "loss.advantage.0.k: must be given"),
    (
        {"loss": {"advantage": {"use": "pass_at_k", "k": 8}}, "rollout": {"group_size": 8}},
        "loss.advantage.0: k is 8; it must be a whole number of 1 to 7 with group_size 8",
    ),
    ({"loss": {"advantage": {"use": "focal", "gamma": -1.0}}}, "advantage.0: gamma is -1.0; it"),
    (
        {"loss": {"advantage": "maxrl", "kl_in": "reward", "kl_estimator": "k1"}},
        "loss.advantage 'maxrl' only counts the rewards that are right, and would not see the KL",
    ),
    (
        {"loss": {"advantage": ["rare_by_rank", "group"], "kl_in": "reward", "kl_estimator": "k1"}},
        "loss.kl_in is 'reward', and loss.advantage 'group' divides by the deviation in each group",
    ),
    (
        {"loss": {"advantage": ["rare_by_rank", {"use": "pkpo", "k": 2}]}},
        "loss.advantage.1 'pkpo' counts which rewards are right, not what 'rare_by_rank' made of",
    ),
    (
        {"loss": {"advantage": ["rare_by_logps", "group"]}},
        "'rare_by_logps' weighs advantages, and comes after a rule that makes them of rewards: [gr",
    ),
    ({"loss": {"advantage": []}}, "loss.advantage names no rule: `none` subtracts the mean of the"),
    (
        {"loss": {"advantage": ["group", {"use": "smoothed", "gamma_right": -1.0}]}},
        "loss.advantage.1: gamma_right is -1.0; it must be 0 or more",
    ),
    (
        {"loss": {"kl_gates": ["wrong", "uncliped"]}},
        "loss.kl_gates.1: there is no gate 'uncliped' (perhaps unclipped?); there are base_pass_",
    ),
    (
        {"loss": {"kl_gates": {"use": "hinge", "distance": -1.0}}},
        "loss.kl_gates.0: distance is -1.0; it must be 0 or more",
    ),
    ({"loss": {"kl_gates": "ramp"}}, "loss.kl_gates.0.at_zero: must be given"),
    ({"loss": {"kl_gates": {"use": "hinge", "logps": 1}}}, "kl_gates.0.logps: is given by the tr"),
    (
        {"loss": REWARDED | {"kl_gates": "unclipped"}},
        "loss.kl_gates.0: unclipped reads advantages, which there are none of yet where loss.kl_in",
    ),
    (
        {"guide": "none", "loss": {"kl_coef": 0.0, "kl_gates": "wrong"}},
        "loss.kl_gates are set, but loss.kl_coef is 0",
    ),
    ({"loss": {"kl_in": "advantages"}}, "loss.kl_in: Input should be 'loss', 'reward' or 'advan"),
    ({"loss": {"kl_coef": 0.0}}, "guide is 'branch', but loss.kl_coef is 0"),
    ({"optimizer": {"num_minibatches": 7}}, "num_minibatches 7 does not divide the 256"),
    ({"optimizer": {"micro_batch": 7}}, "optimizer.micro_batch 7 does not divide the 256 rows"),
    ({"loss": {"kl_estimator": "k1"}}, "'k1' in the loss has an expected gradient of zero"),
    ({"loss": {"kl_in": "reward"}}, "loss.kl_in reward takes the log-ratio itself"),
    ({"loss": {"kl_estimator": {"use": "k3", "renormalize": True}}}, "k3 has no such argument"),
    (
        {"loss": {"kl_renormalize": True}},
        "argument of the estimator now: kl_estimator: {use: exact",
    ),
    (
        {"loss": {"kl_estimator": "k4"}},
        "there is no estimator 'k4'; there are exact, forward, ",
    ),
    ({"loss": {"surrogate": {"use": "clipped", "epsilon_high": 0.3}}}, "(perhaps eps_high?)"),
    ({"loss": {"surrogate": {"use": "clipped", "eps_low": 1.5}}}, "surrogate: eps_low is 1.5; it"),
    ({"loss": {"epsilon_high": 0.3}}, "argument of the surrogate: surrogate: {use: clipped, eps_"),
    ({"loss": {"reduction": "mean"}}, "there is no reduction 'mean'; there are bnpo, dapo"),
    (
        {"guide": "none", "loss": {"kl_coef": 0.0, "kl_in": "reward", "kl_estimator": "k1"}},
        "loss.kl_in is 'reward', but loss.kl_coef is 0",
    ),
    ({"task": {"use": "hf"}}, "task.path: must be given"),
    (
        {"eval": {"suites": [{"use": "aime24", "deadline_s": 1}]}},
        "eval.suites.0.deadline_s: is said once for all tasks: task.deadline_s",
    ),
    ({"eval": {"suites": [{"use": "aime24", "name": ".."}]}}, "eval.suites.0.name: String should"),
    ({"eval": {"ks": [1, 1]}}, "eval.ks holds 1 twice"),
    (
        {"task": "bracket"},
        "task: there is no task 'bracket' (perhaps brackets?); there are aime24, ",
    ),
    ({"task": {"use": None}}, "task.use: Input should be a valid string"),
    ({"task": {"use": "brackets", "min_operand": 3}}, "task.min_operand: brackets has no such"),
    ({"task": {"use": "brackets", "seed": 3}}, "task.seed: is given by the trainer"),
    ({"task": {"use": "arithmetic", "operations": ["divide"]}}, "task.operations.0: Input should"),
    ({"task": {"num_workers": 0}}, "task.num_workers: Input should be greater than or equal to 1"),
    ({"task": {"held_out_share": 1.0}}, "task.held_out_share: Input should be less than 1"),
    ({"warmup": {"steps": 0}}, "model.source 'random' knows nothing to explore from"),
    ({"mesh": {"data": -1, "fsdp": -1}}, "only one of data, fsdp and tensor may be -1"),
    ({"mesh": {"tensor": 0}}, "an axis of 0 devices holds nothing"),
    ({"lora": {"targets": ["w1"]}}, "lora.targets ['w1'] must name some of"),
    (
        {"model": {"architecture": {"num_heads": 4, "num_kv_heads": 3}}},
        "num_kv_heads 3 does not divide num_heads 4",
    ),
    (
        {"model": {"architecture": {"hidden_size": 36, "num_heads": 4}}},
        "hidden_size 36 does not give 4 heads an even number of dimensions",
    ),
    ({"model": {"attention": "cudnn"}}, "model.attention 'cudnn' has no kernel for float32"),
    (
        {"optimizer": {"schedule": "cosine", "warmup_steps": 100}},
        "optimizer.warmup_steps 100 leaves nothing of the run's 100 updates",
    ),
    ({"rollout": {"temperature": 0.0}}, "rollout.temperature: Input should be greater than 0"),
    (
        {"guide": {"use": "branch", "q_min": 1.2}},
        "guide: q_min is 1.2 and q_max is 1.4; 0 < q_min <= 1",
    ),
    (
        {"guide_options": {"ratio": 0.2}},
        "stand beside the guide's name now, as in guide: {use: branch",
    ),
    ({"rollout": {"stop": ["."]}}, "rollout.stop ['.'] needs a tokenizer"),
    ({"warmup": {"batch_size": 100}, "optimizer": {"micro_batch": 64}}, "warmup.batch_size 100"),
    ({"lora": {"targets": ["all-linear", "q_proj"]}}, "'all-linear' stands alone"),
    ({"guide": {"use": "token", "alpha": [0.1, 0.2]}}, "upper >= lower >= 0 must hold"),
    ({"guide": {"use": "random", "epsilon": 2.0}}, "a probability is 1 or less"),
    ({"seed": 2**32}, "seed: Input should be less than 4294967296"),
    (
        {"loss": {"surrogate": {"use": "clipped", "delta": 0.5}}},
        "loss.surrogate: delta is 0.5; it must be above 1",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_impossible_configs_are_refused_by_name(changes, message):
    with pytest.raises(configs.ConfigError) as caught:
        configs.parse(merged(BRACKETS, changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("task", [{"kind": "puzzle"}, {"use": "brackets", "kind": "x"}])
def test_the_old_name_of_a_task_is_told_with_the_new_one(task):
    with pytest.raises(configs.ConfigError, match=r"task\.kind: is named task\.use now$"):
        configs.parse(BRACKETS | {"task": task})


def test_a_task_is_written_whole_and_read_back():
    config = configs.parse(BRACKETS | {"task": "brackets"})
    assert config == configs.parse(BRACKETS)
    written = config.model_dump(mode="json")["task"]
    assert written["use"] == "brackets"
    assert written["num_workers"] == 2
    assert configs.parse(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--task.num_workers", "4"], "num_workers", 4),
        (["--task.system_prompt", "Be brief: yes # no"], "system_prompt", "Be brief: yes # no"),
        (["--task.prefix={"], "prefix", "{"),
    ],
)
def test_fields_beside_a_task_on_the_command_line(words, field, value):
    config = configs.parse(TEXT)
    rest, changes = configs.part_arguments(words, config)
    assert not rest
    assert getattr(configs.override(config, changes).task, field) == value


@pytest.mark.parametrize(
    ("words", "field", "expected"),
    [
        (["--loss.advantage", "rloo"], "advantage", [("rloo", {})]),
        (
            ["--loss.advantage", "group", "{use: rare_by_logps, temperature: 0.3}"],
            "advantage",
            [("group", {}), ("rare_by_logps", {"temperature": 0.3})],
        ),
        (["--loss.advantage.0.epsilon", "1e-3"], "advantage", [("group", {"epsilon": 1e-3})]),
        (["--loss.kl_gates=wrong"], "kl_gates", [("wrong", {})]),
        (["--loss.kl_gates"], "kl_gates", []),
        (
            ["--loss.kl_gates", "unclipped", "wrong", "--loss.kl_gates.0.eps_low", "0.1"],
            "kl_gates",
            [("unclipped", {"eps_low": 0.1}), ("wrong", {})],
        ),
    ],
)
def test_several_parts_of_a_loss_on_the_command_line(words, field, expected):
    config = configs.parse(BRACKETS)
    rest, changes = configs.part_arguments(words, config)
    assert rest == []
    found = getattr(configs.override(config, changes).loss, field)
    assert [(one.use, one.options) for one in found] == expected


def test_arguments_of_a_task_on_the_command_line():
    config = configs.parse(TEXT)
    _, changes = configs.part_arguments(["--task.max_operand", "30"], config)
    assert configs.override(config, changes).task.options == {"max_operand": 30}
    _, changes = configs.part_arguments(["--task", "{use: my_tasks:x, level: 3}"], config)
    assert configs.override(config, changes).task.options == {"level": 3}


def test_files_of_parts_are_known_by_their_names():
    task = {"use": "jsonl", "train_file": "a", "eval_file": "b", "prepared_dir": "c"}
    config = configs.parse(TEXT | {"task": task, "reward": [{"use": "m:f", "words_file": "d"}]})
    assert config.files == {
        "task.train_file": "a", "task.eval_file": "b", "reward.0.words_file": "d",
    }  # fmt: skip


def test_a_missing_section_is_named():
    with pytest.raises(configs.ConfigError, match="model: must be given; task: must be given"):
        configs.parse({"name": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not valid YAML"),
        ("- a\n- b\n", "a config is a mapping of sections, not list"),
        ("name: a\nname: b\n", "the key 'name' is given twice"),
        ("", "a config is a mapping of sections, not NoneType"),
        ("name: a\nseed: .nan\n", "seed: nan is a value that is neither text nor finite number"),
        ("name: 2020-01-01\n", "a value that is neither text nor finite number"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(configs.ConfigError) as caught:
        configs.load(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(configs.ConfigError, match="cannot be read"):
        configs.load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("module", ["sage_jax.telling", "sage_jax.json_text", "sage_jax.yaml_text",
                                    "sage_jax.config.files", "sage_jax.parts.spec",
                                    "sage_jax.parts.arguments"])  # fmt: skip
def test_examples_in_docstrings(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.fixture(scope="module")
def ours():
    """Every config that comes with the project, and its arms, by the file's name."""
    loaded = {file.stem: configs.load(file) for file in FILES}
    return {name: (config, configs.arms(config)) for name, config in loaded.items()}


@pytest.mark.filterwarnings("error")  # Of a guide, say, that cannot act.
@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_every_config_of_ours_can_be_run(name, ours):
    config, arms = ours[name]
    for one in arms.values() or [config]:
        objective.check(one)


@pytest.mark.parametrize("name", ["arena_gsm8k", "arena_7b"])
def test_an_arena_has_arms_of_every_kind(name, ours):
    """Each differs from the base by some part, and together they name some of every kind."""
    config, arms = ours[name]
    losses = [arm.loss for arm in arms.values()]
    plain = config.loss
    assert len({arm.model_dump_json(exclude={"name"}) for arm in arms.values()}) == len(arms) >= 10
    assert {arm.guide.use for arm in arms.values()} >= {"branch", "gated", "rival", "support"}
    assert {loss.kl_in for loss in losses} == {"loss", "reward", "advantage"}
    assert {loss.kl_estimator.use for loss in losses} >= {"k1", "k2", "k3", "exact"}
    assert any(loss.kl_gates for loss in losses)
    assert any(loss.surrogate != plain.surrogate for loss in losses)
    assert any(len(loss.advantage) > 1 for loss in losses)
    assert any(loss.kl_coef == 0 and loss.advantage == plain.advantage for loss in losses)


def test_the_arena_of_7b_is_in_the_papers_setting(ours):
    """Its base is the paper's config for that slice, of which a guide is an arm."""
    config, arms = ours["arena_7b"]
    of_paper, _ = ours["r1_distill_qwen_7b_lora_v5e-64"]
    told = {"name", "arms", "eval"}
    assert arms["branch"].model_dump(exclude=told) == of_paper.model_dump(exclude=told)
    assert {arm.mesh for arm in arms.values()} == {config.mesh} == {of_paper.mesh}


def test_arms_that_read_rates_name_the_file_that_the_command_of_their_config_writes(ours):
    config, arms = ours["arena_7b"]
    of = {name: arm.task.rates_file for name, arm in arms.items() if reads(arm) & COLUMNS}
    assert of == dict.fromkeys(("pba", "dph"), f"runs/{config.name}/rates.jsonl")
    text = (CONFIGS / "arena_7b.yaml").read_text()
    assert "#   sage-jax rate configs/arena_7b.yaml\n# It writes runs/arena_7b/rates.jsonl" in text


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if room.module.startswith("sage_jax.losses")],
    ids=lambda room: room.kind,
)  # fmt: skip
def test_every_part_of_a_loss_is_in_a_config_of_ours(room, ours):
    runs = [one for config, arms in ours.values() for one in arms.values() or [config]]
    used = {spec.use for one in runs for _, spec, where in one.parts if where == room}
    assert used >= set(room.names())


def test_what_a_loss_takes_beside_its_parts_is_listed():
    fields = {room.field.removeprefix("loss.").partition(".")[0] for room in ROOMS}
    told = configs.switches()
    listed = {line.strip().partition(":")[0] for line in told.splitlines()[1:] if line[2] != " "}
    assert listed == set(configs.Loss.model_fields) - fields
    for line in ("entropy_coef: 0.0", "kl_in: loss", "mask_truncated: false",
                 "entropy_advantage: {alpha: 0.0, kappa: 2.0}"):  # fmt: skip
        assert f"  {line}\n      " in told


SWITCHES = {
    "gated": {"share", "hold", "cover", "width"},
    "tempered": {"ramp", "threshold", "by_reward", "over"},
    "clipped": {"delta"},
    "dppo": {"divergence"},
    "exact": {"renormalize"},
}  # fmt: skip


@pytest.mark.parametrize("use", SWITCHES)
def test_options_that_make_another_loss_are_in_an_arm_of_7b(use, ours):
    _, arms = ours["arena_7b"]
    specs = [spec for arm in arms.values() for _, spec, _ in arm.parts if spec.use == use]
    assert {name for spec in specs for name in spec.options} >= SWITCHES[use]


@pytest.mark.parametrize("name", ["tiny", "1e5", "9E999", "0E0", "12", "true", "2020-01-01"])
def test_dump_and_load_are_inverse(tmp_path, name):
    changes = {
        "name": name,
        "loss": {"surrogate": {"use": "clipped", "delta": 3.0}},
        "arms": {"a": {"seed": 3}},
    }
    config = configs.parse(merged(BRACKETS, changes))
    path = tmp_path / "config.yaml"
    path.write_text(configs.dump(config))
    assert configs.load(path) == config


NUMBERS = ["5e-6", "5E-6", "+5e-6", "5.e-6", ".5e-5", "5.0e-6", "5e-06", "0.000_005", "5_000e-9"]
NOT_NUMBERS = {
    "'5e-6'": "valid number (got '5e-6'); write it without quotes",
    "5e\u22126": "; write 5e-06",
    "5e-6f": "; write 5e-06",
    "5*10^-6": "; write a number, such as 1e-6",
    "5 %": "; write a number, such as 1e-6",
    "1:30": "1:30 may mean 90 or not, by YAML's version",
}
NOT_WHOLE = {
    "1e3": "valid integer (got 1000.0); write 1000",
    "'10'": "; write it without quotes",
    "1k": "; write a number, such as 100",
    "010": "010 may mean 8 or not, by YAML's version",
    "-010": "may mean -8 or not",
    "0x10x": "; write a number, such as 100",
}
NO_TEXT = {"name: 1e5": "YAML takes it for a float: write text in quotes",
           "guide: no": "YAML takes it for a bool: write text in quotes",
           "rollout: {stop: END}": "; write a list, [...]",
           "optimizer: {packing: 'no'}": "; write true or false"}  # fmt: skip
MEANT = [
    *((f"optimizer: {{learning_rate: {text}}}", told) for text, told in NOT_NUMBERS.items()),
    *((f"seed: {text}", told) for text, told in NOT_WHOLE.items()),
    *NO_TEXT.items(),
]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_read_however_they_are_written(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(BRACKETS) + f"optimizer: {{learning_rate: {text}}}\n")
    assert configs.load(path).optimizer.learning_rate == 5e-6


def test_a_date_is_kept_as_text(tmp_path):
    path = tmp_path / "c.yaml"
    start = "name: x\nmodel: {source: somewhere}\ntask: {use: arithmetic, template_date: "
    path.write_text(start + "'2021-03-04'}\n")
    config = configs.load(path)
    assert config.task.template_date == "2021-03-04"
    path.write_text(configs.dump(config))
    assert configs.load(path) == config
    path.write_text(start + "2021-03-04}\n")
    with pytest.raises(configs.ConfigError, match=r"task\.template_date: .* needs quotes"):
        configs.load(path)


@pytest.mark.parametrize(("text", "told"), MEANT)
def test_what_was_meant_is_told(tmp_path, text, told):
    path = tmp_path / "config.yaml"
    field = text.partition(":")[0]
    rest = {name: value for name, value in BRACKETS.items() if name != field}
    path.write_text(yaml.safe_dump(rest) + text + "\n")
    with pytest.raises(configs.ConfigError) as caught:
        configs.load(path)
    assert told in str(caught.value)


def test_arms_of_one_warm_up_may_differ_in_what_it_does_not_see():
    curriculum, other = {"curriculum": "solvable"}, {"curriculum": "solvable", "instruction": "!"}
    arms = {"easy": {"task": curriculum}, "odd": {"task": other}}
    config = configs.parse(merged(BRACKETS, {"arms": arms}))
    task = configs.arm(config, "easy").task
    assert (task.use, task.curriculum and task.curriculum.use) == ("brackets", "solvable")
    with pytest.raises(configs.ConfigError, match="so task cannot differ"):
        configs.arm(config, "odd")


def test_arms_change_only_what_they_name():
    config = configs.parse(
        merged(BRACKETS, {"arms": {"plain": {"guide": "none", "loss": {"kl_coef": 0.0}}}})
    )
    arm = configs.arms(config)["plain"]
    assert (arm.name, arm.guide.use, arm.loss.kl_coef, arm.arms) == ("plain", "none", 0.0, {})
    assert arm.loss.surrogate == config.loss.surrogate


def test_a_broken_arm_is_named():
    config = configs.parse(merged(BRACKETS, {"arms": {"odd": {"loss": {"kl_coef": 0.0}}}}))
    with pytest.raises(configs.ConfigError, match=r"arms\.odd.*kl_coef is 0"):
        configs.arms(config)


def test_override_checks_the_whole():
    config = configs.parse(TEXT)
    assert configs.override(config, {"rollout": {"group_size": 4}}).rollout.group_size == 4
    with pytest.raises(configs.ConfigError, match="group_size is 1"):
        configs.override(config, {"rollout": {"group_size": 1}})


def test_configs_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        configs.parse(TEXT).seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("words", "guide"),
    [
        (["--guide", "none"], "none"),
        (["--guide.ratio", "5e-1"], {"use": "branch", "ratio": 0.5}),
        (["--guide=token", "--guide.alpha=[0.2, 0.1]"], {"use": "token", "alpha": [0.2, 0.1]}),
        (["--guide", "{use: token, alpha: 0.2}"], {"use": "token", "alpha": 0.2}),
    ],
)
def test_parts_are_chosen_on_the_command_line(words, guide):
    config = configs.parse(BRACKETS)
    rest, changes = configs.part_arguments(["--seed", "3", *words, "--name", "x"], config)
    assert rest == ["--seed", "3", "--name", "x"]
    assert configs.override(config, changes).model_dump(mode="json")["guide"] == guide


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--guide.alpha"], "--guide.alpha: a value must follow"),
     (["--loss.epsilon_high", "0.3"], "--loss.epsilon_high: is an argument of the surrogate: "),
     (["--loss.beta=0.3"], "--loss.beta: is named loss.kl_coef here"),
     (["--guide.alpha", "["], "--guide.alpha: line 1"),
     (["--guide", "{"], "a part: line 1")],
)  # fmt: skip
def test_broken_arguments_of_parts_are_told(words, told):
    with pytest.raises(configs.ConfigError, match=told.replace(".", r"\.")):
        configs.part_arguments(words, configs.parse(BRACKETS))


def test_parts_of_the_loss_are_chosen_on_the_command_line():
    config = configs.parse(BRACKETS)
    words = ["--loss.surrogate.eps_high", "0.3", "--loss.kl_estimator=exact", "--loss.reduction",
             "{use: dapo}", "--loss.kl_estimator.renormalize", "false"]  # fmt: skip
    rest, changes = configs.part_arguments(words, config)
    loss = configs.override(config, changes).model_dump(mode="json")["loss"]
    assert not rest
    assert loss["surrogate"] == {"use": "clipped", "eps_high": 0.3}
    assert loss["kl_estimator"] == {"use": "exact", "renormalize": False}
    assert loss["reduction"] == "dapo"


def test_a_reward_is_a_word_or_a_list_and_its_arguments_are_options():
    config = configs.parse(TEXT | {"reward": "math"})
    assert config.model_dump(mode="json")["reward"] == ["math"]
    rewards = ["math", {"use": "boxed", "weight": 0.1, "name": "form"}]
    config = configs.parse(TEXT | {"reward": rewards})
    assert config.model_dump(mode="json")["reward"] == rewards
    assert configs.parse(yaml.safe_load(configs.dump(config))) == config
    rest, changes = configs.part_arguments(["--reward.1.weight", "0.2"], config)
    changed = configs.override(config, changes)
    assert (rest, changed.reward[1].weight, changed.reward[0].use) == ([], 0.2, "math")
