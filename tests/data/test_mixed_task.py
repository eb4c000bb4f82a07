"""Mixtures of tasks in words: whose prompt a place is, who judges it, and what is refused."""

from typing import Any

import numpy as np
import pytest
from letters import Letters, rows

from sage_jax.config import ConfigError
from sage_jax.data import DataError, ProblemSet
from sage_jax.data.make_task import make_task
from sage_jax.data.tasks import Setting
from sage_jax.parts import RewardSpec, TaskSpec

SETTING = Setting(0, Letters(), 64, 32, stop_ids=(0,), embeddings=256)
HERE = __name__


def make(*of: Any, rewards=(), setting=SETTING, **options) -> Any:
    spec = TaskSpec.model_validate({"use": "mixture", "of": list(of), "instruction": "", **options})
    return make_task(spec, setting, rewards)


def problem_set(name, count, held_out=3, **options):
    problems = [
        {"id": f"{name}-{i}", "problem": f"{name} {i}?", "answer": str(i), "solution": f"{name}{i}"}
        for i in range(count + held_out)
    ]
    return ProblemSet(problems[:count], problems[count:], reward="number", **options)


def ones(*, name: str = "a"):
    return problem_set(name, 7)


def twos():
    return problem_set("b" * 30, 5, 1)


def copied():
    """Problems to train on of which the source of ones holds one out."""
    train = [{"id": f"c-{i}", "problem": f"a {i}?", "answer": str(i)} for i in (20, 8, 21)]
    return ProblemSet(train, [{"id": "c-h", "problem": "a 30?", "answer": "30"}], reward="number")


def moded():
    return problem_set("m", 4, mode=lambda problem, completion: completion[0])


def length(completion) -> float:
    return float(len(completion))


ONES, TWOS = {"use": f"{HERE}:ones", "weight": 2}, {"use": f"{HERE}:twos", "name": "b"}


class TestPrompts:
    def test_shares_are_by_weight_and_each_source_goes_through_its_own_epochs(self):
        task, alone = make(ONES, TWOS), make(TWOS)
        ids = [id for index in range(7) for id in task.train_prompts(index, 6).ids]
        own = [id for id in ids if id.startswith("a")]
        assert abs(len(own) - 28) <= 2
        for epoch in range(len(own) // 7):
            assert len({*own[7 * epoch : 7 * epoch + 7]}) == 7
        others = [id for id in ids if id.startswith("b")]
        assert others == alone.train_prompts(0, len(others)).ids

    def test_any_batch_without_those_before_and_cut_in_other_sizes(self):
        task = make(ONES, TWOS)
        whole = task.train_prompts(0, 24).ids
        assert [id for index in (0, 1) for id in task.train_prompts(index, 12).ids] == whole
        assert make(ONES, TWOS).train_prompts(3, 6).ids == whole[18:]

    def test_each_says_what_is_its_own_around_its_problems(self):
        task: Any = make(ONES | {"instruction": "Count."}, TWOS | {"prefix": "So"}, instruction="!")
        prompts = task.train_prompts(0, 12)
        texts = [task.spell(t[m]) for t, m in zip(prompts.tokens, prompts.mask, strict=True)]
        assert {text.partition("?")[2] for text in texts if text[0] == "a"} == {"\nCount."}
        assert {text.partition("?")[2] for text in texts if text[0] == "b"} == {"\n!So"}
        pairs = zip(prompts.problems, texts, strict=True)
        assert all(text.startswith(problem.problem) for problem, text in pairs)
        said = np.array([ord("x")])
        judged = {id[0]: task.judged_text(said, id) for id in prompts.ids}
        assert judged == {"a": "x", "b": "Sox"}
        assert task.gold("b" * 30 + "-5") == "5"

    def test_demonstrations_are_of_the_same_prompts(self):
        task: Any = make(ONES, TWOS)
        prompts, shown = task.train_prompts(2, 6), task.demonstrations(2, 6)
        np.testing.assert_array_equal(shown.prompt_tokens, prompts.tokens)
        np.testing.assert_array_equal(shown.prompt_mask, prompts.mask)
        texts = [task.spell(t[m > 0]) for t, m in zip(shown.tokens, shown.mask, strict=True)]
        assert texts == [problem.solution + "\0" for problem in prompts.problems]

    def test_held_out_are_equal_parts_as_far_as_there_are_some(self):
        task: Any = make(ONES, TWOS)
        assert [id[0] for id in task.held_out(9).ids] == [*"aaab"]
        assert [id[0] for id in task.held_out(2).ids] == [*"ab"]
        assert task.num_held_out == 4

    def test_what_is_too_long_is_counted_over_all(self):
        setting = Setting(0, Letters(), 34, 32, stop_ids=(0,))
        small: Any = {"use": f"{HERE}:ones", "instruction": "x" * 28}
        with pytest.raises(DataError, match="all 7 training prompts are longer"):
            make(small | {"instruction": "x" * 40}, TWOS, setting=setting)
        assert make(small, TWOS, setting=setting).train_prompts(0, 4).dropped == 0


class TestVerdicts:
    def test_each_is_judged_by_its_own_rewards(self):
        both = [{"use": "number", "weight": 2}, {"use": f"{HERE}:length", "weight": 0.5}]
        task: Any = make(ONES, TWOS | {"reward": both})
        prompts = task.train_prompts(0, 4)
        golds = [problem.answer for problem in prompts.problems]
        texts = [text for gold in golds for text in (f"\\boxed{{{gold}}}", "no")]
        judged = task.judge(prompts, *rows(*texts))
        assert judged.correct.tolist() == [True, False] * 4
        names = ["ones" if id.startswith("a") else "b" for id in prompts.ids for _ in "12"]
        assert judged.sources == names
        assert {*names} == {"ones", "b"}
        expected = [
            right if name == "ones" else 2 * right + 0.5 * len(text)
            for name, right, text in zip(names, judged.correct, texts, strict=True)
        ]
        np.testing.assert_allclose(judged.rewards, expected)
        assert [*judged.parts] == ["b/number", "b/length"]
        known = ~np.isnan(judged.parts["b/length"])
        assert known.tolist() == [name == "b" for name in names]
        assert judged.means()["reward/b/number"] == 0.5
        only = judged.take(np.flatnonzero(~known))
        assert only.means() == {}
        assert judged.answers[::2] == golds

    def test_the_configs_reward_goes_before_a_tasks_own_and_after_a_sources(self):
        task: Any = make(
            ONES, TWOS | {"reward": "boxed"}, rewards=[RewardSpec(use=f"{HERE}:length")]
        )
        prompts = task.train_prompts(0, 4)
        judged = task.judge(prompts, *rows(*["\\boxed{x}"] * 4))
        assert {*zip(judged.sources, judged.rewards.tolist(), strict=True)} == {
            ("ones", 9.0),
            ("b", 1.0),
        }

    def test_a_source_without_modes_has_one_way_of_being_right(self):
        task: Any = make(ONES, {"use": f"{HERE}:moded", "weight": 2})
        assert task.tells_modes
        prompts = task.train_prompts(0, 6)
        texts = [t for p in prompts.problems for t in (f"q\\boxed{{{p.answer}}}", "no")]
        judged = task.judge(prompts, *rows(*texts))
        assert [*zip(judged.sources, judged.modes, strict=True)][::2] == [
            ("moded", "q") if id.startswith("m") else ("ones", "other") for id in prompts.ids
        ]
        assert {*judged.modes[1::2]} == {""}
        plain: Any = make(ONES, TWOS)
        assert not plain.tells_modes

    def test_a_question_of_ones_own_is_the_first_sources(self):
        task: Any = make(TWOS | {"prefix": "So"}, ONES)
        judged = task.judge(task.ask("1 + 1?", "2"), *rows("\\boxed{2}"))
        assert (judged.correct.tolist(), judged.sources) == ([True], ["b"])


@pytest.mark.parametrize(
    ("of", "kind", "message"),
    [
        ([], ConfigError, "task: `of` names no source"),
        (
            [ONES, ONES | {"name": "again"}],
            DataError,
            "the sources 'ones' and 'again' both have a problem 'a-0'",
        ),
        ([ONES, {"use": "jsonl"}], ConfigError, "task.of.1: .*train_file must be given"),
        ([ONES | {"names": 3}], ConfigError, "task.of.0.names: .*ones has no such argument"),
        ([ONES | {"weight": 0}], ConfigError, r"task.of.0.weight: .*greater than 0 \(got 0\)"),
        ([ONES | {"reward": "nomber"}], ConfigError, "task.of.0.reward.0: there is no reward 'nom"),
        ([ONES, "brackets"], ConfigError, "task.of.1: 'brackets' has a vocabulary of its own"),
        ("ones", ConfigError, "task.of: "),
    ],
)
def test_what_makes_no_mixture(of, kind, message):
    spec = TaskSpec.model_validate({"use": "mixture", "of": of})
    with pytest.raises(kind, match=message):
        make_task(spec, SETTING)


def test_without_a_tokenizer_there_is_no_mixture():
    with pytest.raises(ConfigError, match=r"task.of.0: .*is one in words, and this model has no"):
        make(ONES, setting=Setting(0, None, 8, 8))


class TestContamination:
    COPIED = {"use": f"{HERE}:copied"}  # noqa: RUF012

    @pytest.mark.parametrize("of", [[ONES, COPIED], [COPIED, ONES]])
    def test_what_one_source_holds_out_no_other_trains_on(self, of):
        task = make(*of)
        ids = {id for index in range(20) for id in task.train_prompts(index, 4).ids}
        assert "c-8" not in ids
        assert {"c-20", "c-21"} <= ids
        assert [(one.id, one.evaluation_id) for one in task.problems.contaminated] == [
            ("c-8", "a-8")
        ]

    def test_it_stays_where_that_is_wanted_and_is_told(self):
        task = make(ONES, self.COPIED, decontaminate=False)
        assert "c-8" in {one.id for one in task.problems.train}
        assert [one.id for one in task.problems.contaminated] == ["c-8"]
