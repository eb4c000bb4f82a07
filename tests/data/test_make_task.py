"""Tasks of one's own: what a function may give, and what is said of everything else."""

import dataclasses
import functools
import itertools
import time
from typing import Any

import numpy as np
import pytest
from letters import Letters, rows

from sage_jax.config import ConfigError
from sage_jax.data import DataError, Problem, ProblemSet, brackets, gathering
from sage_jax.data.make_task import make_task
from sage_jax.data.problem_set import Dropped
from sage_jax.data.tasks import Prompts, Setting
from sage_jax.data.token_task import PuzzleTask
from sage_jax.parallel import HostsError, hosts
from sage_jax.parts import RewardSpec, TaskSpec

SETTING = Setting(0, Letters(), 64, 32, stop_ids=(0,), embeddings=256)
BARE = Setting(0, None, 8, 8)
NUMBER = [RewardSpec(use="number")]


def make(function, *, setting=SETTING, rewards: Any = NUMBER, **options: Any):
    name = function if isinstance(function, str) else f"{__name__}:{function.__name__}"
    spec = TaskSpec.model_validate({"use": name, "instruction": "", **options})
    return make_task(spec, setting, rewards)


def sums(count=40, *, first: int = 0) -> list[dict[str, str]]:
    return [{"problem": f"{first + i} + 1?", "answer": str(first + i + 1)} for i in range(count)]


def asked(prompts):
    return [problem.problem for problem in prompts.problems]


def listed():
    return sums()


def rated(*, last: float = 1.0):
    numbers = [*(place / 40 for place in range(39)), last]
    train = [one | {"base_pass_rate": rate} for one, rate in zip(sums(), numbers, strict=True)]
    return ProblemSet(train=train, held_out=sums(2, first=50))


def named():
    for i, one in enumerate(sums()):
        yield Problem(f"own-{i}", one["problem"], one["answer"])


def strings():
    for one in sums():
        yield one["problem"]


class Rows:
    """As a data source: a length, and items by place."""

    def __len__(self):
        return 40

    def __getitem__(self, place):
        return sums()[place] | {"level": place, "image": object()}


class TestForms:
    @pytest.mark.parametrize("function", [listed, named, strings, Rows])
    def test_problems_of_every_form_are_asked(self, function):
        rewards = [RewardSpec(use="boxed")] if function is strings else NUMBER
        task = make(function, rewards=rewards)
        held_out, train = task.held_out(40), task.train_prompts(0, 30)
        assert {*asked(held_out), *asked(train)} <= {one["problem"] for one in sums()}
        assert not {*asked(held_out)} & {*asked(train)}
        for problem in held_out.problems:
            number = int(problem.problem.split()[0])
            right = "" if function is strings else str(number + 1)
            assert task.gold(problem.id) == problem.answer == right
            assert problem.extra.get("level") == (number if function is Rows else None)

    def test_what_the_loss_reads_has_to_be_a_rate_of_every_training_problem(self):
        asking = dataclasses.replace(SETTING, rates=frozenset(("base_pass_rate",)))
        assert make(rated, setting=asking).train_prompts(0, 4).problems[0].extra
        message = (
            r"the loss reads base_pass_rate, .* and 1 of \d+ have none, as '.*' \(1.25\): give"
        )
        with pytest.raises(DataError, match=message):
            make(rated, setting=asking, last=1.25)
        with pytest.raises(DataError, match=r"(\d+) of \1 have none, as 'listed-\d+' \(None\)"):
            make(listed, setting=asking)
        bare = dataclasses.replace(BARE, rates=asking.rates)
        with pytest.raises(ConfigError, match="a column of the data, which the task 'brackets' do"):
            make("brackets", setting=bare, rewards=())

    def test_ids_that_are_missing_are_numbers(self):
        ids = {*make(listed).held_out(40).ids, *make(listed).train_prompts(0, 36).ids}
        assert ids <= {f"listed-{place}" for place in range(1, 41)}

    def test_the_judge_is_told_of_the_problem(self):
        task = make(listed)
        prompts = task.ask("2 + 2?", "4")
        judged = task.judge(prompts, *rows(r"\boxed{4}", r"\boxed{5}"))
        assert judged.reasons == ["correct", "wrong"]

    def test_a_share_is_held_out_whatever_the_order(self):
        share: Any = {"held_out_share": 0.3}
        there = {*asked(make(listed, **share).held_out(40))}
        assert {*asked(make(turned, **share).held_out(40))} == there
        assert there < {*asked(make(listed, held_out_share=0.6).held_out(40))}

    def test_either_part_may_be_asked_for(self):
        task = make(either, level=3)
        assert {*asked(task.train_prompts(0, 4))} == {"3 + 1?", "4 + 1?"}
        assert asked(task.held_out(9)) == ["50 + 1?", "51 + 1?"]
        assert task.held_out(9).ids == ["either-held-out-1", "either-held-out-2"]

    def test_a_set_brings_demonstrations_and_a_reward(self):
        task = make(whole, rewards=())
        prompts = task.train_prompts(0, 1)
        judged = task.judge(prompts, *rows("abc", "a"))
        assert judged.rewards.tolist() == [3.0, 1.0]
        assert [*judged.parts] == ["length"]
        shown = task.demonstrations(0, 1)
        assert task.spell(shown.tokens[0][shown.mask[0] > 0]) == "so 1\0"
        named = make(whole, rewards=NUMBER).judge(prompts, *rows("abc", r"\boxed{2}"))
        assert [*named.parts] == ["number"]

    def test_what_was_left_out_is_handed_on(self):
        task: Any = make(left_out)
        assert task.problems.dropped == (Dropped("too hard", 3),)

    def test_what_is_a_task_judges_by_itself(self):
        task = make(itself, setting=BARE, rewards=())
        assert isinstance(task, PuzzleTask)
        assert task.ask("26 3 5 1 17 6", "").tokens.tolist() == [[26, 3, 5, 1, 17, 6]]
        with pytest.raises(DataError, match="6 token ids below 28"):
            task.ask("26 3", "")


def turned():
    return [*reversed(sums()), {"problem": "A further one?", "answer": "1"}]


def either(*, level: int, held_out: bool):
    return sums(2, first=50 if held_out else level)


def length(completion):
    return float(len(completion))


def whole():
    return ProblemSet(sums(2), sums(2, first=5), worked=lambda p, draw: "so 1", reward=length)


def left_out():
    return ProblemSet(sums(2), sums(2, first=5), dropped=(Dropped("too hard", 3),))


def itself(*, seed: int):
    return PuzzleTask(brackets.PUZZLE, seed=seed)


class Half:
    stop_ids = (1,)

    def judge(self, prompts, tokens, mask):
        pass


class Odd(PuzzleTask):
    @property
    def vocab_size(self):
        return 20


def endless():
    return ({"problem": f"{i}?", "answer": "1"} for i in itertools.count())


def raises_late():
    yield from sums(2)
    raise KeyError("level")


def unlike():
    return [f"{time.perf_counter_ns()}?" for _ in range(40)]


def raises():
    raise ValueError("no such level")


async def waits():
    return sums()


def gives(value):
    """A module-level function that gives a value."""
    name = f"given_{len(globals())}"

    def function():
        return value

    function.__name__ = function.__qualname__ = name
    globals()[name] = function
    return function


def both_ways(*, held_out: bool):
    return ProblemSet(sums(), sums())


def worked_raises():
    return ProblemSet(sums(2), sums(2, first=50), worked=lambda problem, draw: {}[draw])


def parts(train=1, held_out=1, **rest):
    return gives(ProblemSet(sums(train), sums(held_out, first=50), **rest))


def of_ids(*ids):
    return [{"id": id, **one} for id, one in zip(ids, sums(len(ids)), strict=True)]


WRONG = {
    "raises": (raises, r"task: no such level \(.*test_make_task.py, line \d+\)$"),
    "raises on the way": (raises_late, r"task: KeyError: level \(.*line \d+\)$"),
    "nothing": (gives(None), "gives None; problems are needed"),
    "a number": (gives(5), "gives 5; problems are needed"),
    "one text": (gives("1 + 1?"), r"gives '1 \+ 1\?'; problems are needed"),
    "a coroutine": (waits, "is async"),
    "a set": (gives({"a?", "b?"}), "gives a set, whose order changes"),
    "a mapping": (gives({"train": [], "test": []}), r"a mapping of \['train', 'test'\]"),
    "half a task": (gives(Half()), "it lacks vocab_size, pad_id, train_prompts, held_out, ask, "),
    "no problem": (gives([]), "gives no problem$"),
    "a number among them": (gives([*sums(2), 7]), "gives 7 as number 3; problems are needed"),
    "no statement": (
        gives([{"question": "?", "answer": "1"}]),
        "number 1 without `problem`, its statement; it has answer, question$",
    ),
    "an empty statement": (gives([{"problem": " "}]), "number 1 with an empty `problem`"),
    "no text": (
        gives([{"problem": "?", "answer": 12}]),
        'with 12 as `answer`, which is no text; write "12"$',
    ),
    "half a surrogate": (gives(["\ud800?"]), "half a surrogate pair in `problem`"),
    "a repeated id": (gives(of_ids("a", "b", "a")), "the id 'a' to number 1 and to number 3"),
    "an id in both parts": (
        gives(ProblemSet(of_ids("a", "b"), of_ids("b"))),
        "the id 'b' to a problem to train on and to another one",
    ),
    "without end": (endless, "gives more than 50 problems and does not say how many"),
    "other problems each time": (unlike, "gives other problems when it is called again"),
    "nothing held out": (gives(sums(1)), "gives 1 problems, of which none are held out by task.h"),
    "nothing to hold out": (parts(1, 0), "gives no problem to hold out"),
    "both ways": (both_ways, "asks for `held_out` and gives a ProblemSet"),
    "long prompts": (gives([f"{i}" * 70 for i in range(40)]), "prompts are longer than"),
    "a nameless reward": (parts(reward=functools.partial(length)), "which no module holds by name"),
    "no such reward": (parts(reward={"use": "nomber"}), "there is no reward 'nomber'"),
    "a reward's wrong field": (parts(reward={"weight": 1}), "reward: use: must be given"),
}


class TestWrong:
    @pytest.mark.parametrize("case", WRONG)
    def test_each_is_told_in_one_line(self, case, monkeypatch):
        monkeypatch.setattr(gathering, "MOST", 50)
        function, message = WRONG[case]
        rewards = [RewardSpec(use="boxed")] if case == "long prompts" else ()
        with pytest.raises((ConfigError, DataError), match=message) as caught:
            make(function, rewards=rewards)
        assert "\n" not in str(caught.value)

    def test_processes_with_other_problems_are_told(self, monkeypatch):
        other = {f"problems of task {__name__}:listed": "0" * 12}
        monkeypatch.setattr(hosts, "gather", lambda value: [value, other])
        with pytest.raises(HostsError, match=r"listed: .* on process 0, 0+ on process 1"):
            make(listed)

    @pytest.mark.parametrize("reward", ["math", "number"])
    def test_an_answer_that_is_compared_with_must_be_there(self, reward):
        with pytest.raises(
            DataError, match="40 of 40 problems have no answer, as 'strings-"
        ) as told:
            make(strings, rewards=[RewardSpec(use=reward)], num_workers=1)
        assert f"reward {reward!r}" in str(told.value)

    def test_demonstrations_that_fail_name_the_line(self):
        task = make(worked_raises)
        with pytest.raises(ConfigError, match=r"task: KeyError: 0 \(.*test_make_task.py, line"):
            task.demonstrations(0, 1)

    @pytest.mark.parametrize(
        ("task", "setting", "rewards", "message"),
        [
            (listed, BARE, (), "is one in words, and this model has no tokenizer"),
            ("brackets", SETTING, (), "'brackets' has a vocabulary of its own"),
            ("brackets", Setting(0, None, 6, 7), (), "prompts of 6 and completions of 8 tokens"),
            ("brackets", BARE, NUMBER, "reward: the task 'brackets' judges by itself"),
            (gives(Odd(brackets.PUZZLE, seed=0)), BARE, (), "below its vocab_size 20 are needed"),
            (
                itself,
                Setting(0, Letters(), 8, 8, embeddings=20),
                (),
                "of 28 tokens, and the model kno",
            ),
        ],
    )
    def test_a_task_that_does_not_fit_the_model(self, task, setting, rewards, message):
        with pytest.raises(ConfigError, match=message):
            make(task, setting=setting, rewards=rewards)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"programs": 17}, r"task: programs 17 must lie in 2..16"),
            ({"odds": [0.5, 0.5]}, r"task: odds \[0.5, 0.5\] must be 8 positive numbers whose sum"),
            ({"programs": 2, "odds": [0.5, 0.6]}, r"must be 2 positive numbers whose sum is 1"),
            ({"noise": 1.0}, "task: noise 1 must be at least 0 and below 1"),
            ({"modulus": 4}, "task: modulus 4 must lie in 5..97"),
            ({"noises": 0.1}, r"task.noises: programs has no such argument"),
        ],
    )
    def test_a_puzzle_with_options_that_make_no_sense(self, options, message):
        with pytest.raises(ConfigError, match=message):
            make("programs", setting=BARE, rewards=(), **options)

    def test_operands_that_make_no_sense(self):
        with pytest.raises(
            ConfigError, match="task: min_operand 30 and max_operand 20 must satisfy"
        ):
            make("arithmetic", min_operand=30, max_operand=20)


def test_arithmetic_draws_and_works_out_its_own():
    setting = Setting(0, Letters(), 64, 200, stop_ids=(0,))
    task = make("arithmetic", setting=setting, rewards=(), min_operand=1, max_operand=9)
    assert [*task.judge(task.held_out(1), *rows("?")).parts] == ["number"]
    assert np.all(task.demonstrations(0, 2).mask.sum(axis=1) > 0)


def test_problems_of_many_ways_judge_themselves_and_name_the_way():
    setting = Setting(0, Letters(), 500, 200, stop_ids=(0,))
    options = {"domains": ("paths",), "levels": (1,), "num_train": 8, "num_held_out": 2}
    task: Any = make("many_ways", setting=setting, rewards=(), **options)
    prompts = task.held_out(1)
    right = f"\\boxed{{{prompts.problems[0].answer}}}"
    judged = task.judge(prompts, *rows(right, "\\boxed{A}"))
    assert judged.correct.tolist() == [True, False]
    assert judged.modes == [prompts.problems[0].answer.replace(", ", ""), ""]
    shown = task.demonstrations(0, 8)
    assert task.judge(task.train_prompts(0, 8), shown.tokens, shown.mask).correct.all()


def test_a_right_sum_has_its_style_as_mode_and_a_wrong_one_none():
    setting = Setting(0, Letters(), 64, 200, stop_ids=(0,))
    task: Any = make("arithmetic", setting=setting, rewards=(), min_operand=1, max_operand=9)
    prompts = task.held_out(1)
    right = f"\\boxed{{{prompts.problems[0].answer}}}"
    judged = task.judge(prompts, *rows(right, r"\boxed{-1}"))
    assert judged.modes == ["other", ""]
    shown = task.demonstrations(0, 8)
    # Shown are the prompts of the same batch.
    judged = task.judge(task.train_prompts(0, 8), shown.tokens, shown.mask)
    assert judged.correct.all()
    assert set(judged.modes) <= {"direct", "split", "round", "reorder"}
    assert len(set(judged.modes)) > 1


def test_styles_are_demonstrated_by_their_odds():
    setting = Setting(0, Letters(), 64, 200, stop_ids=(0,))
    options = {"min_operand": 1, "max_operand": 9, "odds": (0.7, 0.3, 0.0, 0.0)}
    task: Any = make("arithmetic", setting=setting, rewards=(), **options)
    shown = task.demonstrations(2, 400)
    modes = task.judge(task.train_prompts(2, 400), shown.tokens, shown.mask).modes
    # 400 draws: four standard deviations.
    assert abs(modes.count("direct") - 280) < 4 * (400 * 0.7 * 0.3) ** 0.5
    assert modes.count("direct") + modes.count("split") == 400
    again = task.demonstrations(2, 400)
    np.testing.assert_array_equal(again.tokens, shown.tokens)
    with pytest.raises(ConfigError, match="odds"):
        make("arithmetic", setting=setting, rewards=(), odds=(0.5, 0.6, 0.0, -0.1))


def told_apart():
    return ProblemSet(sums(2), sums(2, first=5), reward="number", mode=first_letter)


def first_letter(problem, completion):
    return completion[0] if completion[0] in "ab" else ""


def test_a_set_may_tell_ways_of_being_right_apart():
    task: Any = make(told_apart, rewards=())
    prompts = task.held_out(1)
    answer = prompts.problems[0].answer
    texts = [f"{begun}\\boxed{{{answer}}}" for begun in "abc"] + [r"a\boxed{-1}"]
    assert task.judge(prompts, *rows(*texts)).modes == ["a", "b", "other", ""]
    assert make(whole, rewards=()).judge(prompts, *rows("a", "b")).modes == []


def one(problem, completion) -> Any:
    return 1


def tells_numbers():
    return ProblemSet(sums(2), sums(2, first=5), reward="number", mode=one)


def test_a_mode_that_is_no_text_is_told():
    task: Any = make(tells_numbers, rewards=())
    prompts = task.held_out(1)
    text = f"\\boxed{{{prompts.problems[0].answer}}}"
    with pytest.raises(ConfigError, match=r"has 1 as `mode` of .*, which is no text"):
        task.judge(prompts, *rows(text))


def test_programs_take_their_options():
    options = {"programs": 3, "odds": [0.5, 0.25, 0.25], "noise": 0.0, "modulus": 7}
    task: Any = make("programs", setting=BARE, rewards=(), **options)
    assert (task.vocab_size, task.stop_ids) == (11, (10,))
    shown = task.demonstrations(0, 8)
    asked = Prompts(["x"] * 8, shown.prompt_tokens, shown.prompt_mask)
    assert task.judge(asked, shown.tokens, shown.mask).correct.all()
