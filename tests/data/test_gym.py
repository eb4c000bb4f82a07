"""Problems of Reasoning Gym: of a library in its form, and of itself where it is installed."""

import dataclasses
import random
import re
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
from letters import Letters, rows

from sage_jax.config import ConfigError
from sage_jax.data import gym
from sage_jax.data.make_task import make_task
from sage_jax.data.parts import reasoning_gym
from sage_jax.data.problem_set import is_held_out
from sage_jax.data.tasks import Setting
from sage_jax.parts import TaskSpec


@dataclasses.dataclass
class SumsConfig:
    most: int = 50
    signs: tuple[str, ...] = ("+",)
    seed: int = 0
    size: int = 500

    def validate(self):
        assert self.most > 0, "most must be positive"


class Int(int):
    """As NumPy's, whose text is no literal."""

    def __repr__(self):
        return f"Int({int(self)})"


class Sums:
    """As the library's data sets: problem i of seed s is problem 0 of seed s + i."""

    def __init__(self, config):
        self.config = config

    def __getitem__(self, place):
        drawn = random.Random(self.config.seed + place)
        pair = (drawn.randrange(self.config.most), drawn.randrange(self.config.most))
        return self.entry(pair)

    def entry(self, pair):
        answer = str(sum(pair)) if pair[0] else None
        question = f"{pair[0]} {self.config.signs[0]} {pair[1]}?"
        return {"question": question, "answer": answer, "metadata": {"pair": [*map(Int, pair)]}}


class Shaky(Sums):
    """Draws from the random numbers of the whole process, and prints."""

    def __getitem__(self, place):
        print(".", end="")  # noqa: T201
        return self.entry((random.randrange(10**6), np.random.randint(10**6)))  # noqa: NPY002


class Short(Sums):
    """Ends after seven problems."""

    def __getitem__(self, place):
        if place >= 7:
            raise IndexError
        return super().__getitem__(place)


class Torn(Sums):
    def __getitem__(self, place):
        raise IndexError(f"nothing at {place}")


@pytest.fixture
def fake(monkeypatch):
    sets = {"sums": Sums, "shaky": Shaky, "short": Short, "torn": Torn, "codeio": Sums}

    def create_dataset(name, **options):
        config = SumsConfig(**options)
        config.validate()
        return sets[name](config)

    found = types.SimpleNamespace(
        create_dataset=create_dataset,
        factory=types.SimpleNamespace(DATASETS={name: (sets[name], SumsConfig) for name in sets}),
    )
    monkeypatch.setitem(sys.modules, "reasoning_gym", found)


def drawn(name="sums", seed=0, num_train=40, num_held_out=10, **options):
    return gym.make_problems(seed, name, options, num_train=num_train, num_held_out=num_held_out)


@pytest.mark.usefixtures("fake")
class TestDrawn:
    def test_no_held_out_problem_is_trained_on_under_any_seed(self):
        trained = {one.problem for seed in range(3) for one in drawn(seed=seed, most=12)[0]}
        held_out = {one.problem for one in drawn(seed=7, most=12, num_train=1, num_held_out=20)[1]}
        assert len(trained) > 40
        assert len(held_out) == 20
        assert not trained & held_out

    def test_held_out_are_a_fifth_by_a_hash_of_the_statement(self):
        train, held_out = drawn()
        assert not any(is_held_out(one, share=0.2) for one in train)
        assert all(is_held_out(one, share=0.2) for one in held_out)

    def test_the_same_problems_again_and_fewer_are_the_first(self):
        train, held_out = drawn()
        assert drawn() == (train, held_out)
        assert drawn(num_train=5, num_held_out=3) == (train[:5], held_out[:3])
        assert len({one.problem for one in train}) == len(train) == 40

    def test_seeds_side_by_side_have_little_in_common(self):
        one, other = ({p.id for p in drawn(seed=seed, most=10**6)[0]} for seed in (0, 1))
        assert not one & other

    def test_random_numbers_of_the_process_are_seeded_and_left_as_they_were(self, capsys):
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        first = drawn("shaky")
        after = random.random(), np.random.rand()  # noqa: NPY002
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        assert after == (random.random(), np.random.rand())  # noqa: NPY002
        assert drawn("shaky") == first
        assert capsys.readouterr().out == ""

    def test_a_data_set_may_end_early(self):
        assert len(drawn("short", most=10**6)[0]) == 40
        with pytest.raises(ValueError, match="names: torn: IndexError: nothing at 0"):
            drawn("torn")

    def test_what_there_is_too_little_of(self):
        told = r"names: sums has too few distinct problems for num_train 40: \d+ were found; ask"
        with pytest.raises(ValueError, match=told):
            drawn(most=4)

    def test_a_problem_holds_what_its_scorer_asks_for(self):
        one = next(p for p in drawn(signs=("plus",))[0] if p.answer)
        first, second = map(int, re.findall(r"\d+", one.problem))
        assert one.answer == str(first + second)
        assert one.source == "reasoning_gym/sums"
        assert one.extra == {
            "data_set": "sums",
            "options": "{'signs': ('plus',)}",
            "metadata": f"{{'pair': [{first}, {second}]}}",
        }
        assert gym.worked(one, 0) == f"\\boxed{{{one.answer}}}"
        assert gym.worked(dataclasses.replace(one, answer=""), 0) is None
        assert gym.worked(dataclasses.replace(one, answer="a } b"), 0) is None

    def test_options_are_of_the_type_they_have_in_the_library(self):
        named = gym.read_name({"name": "sums", "most": 7, "signs": ["plus"]})
        assert named == ("sums", {"most": 7, "signs": ("plus",)})
        assert gym.read_name("sums") == ("sums", {})

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("sumz", "names: there is no data set 'sumz' (perhaps sums?)"),
            ("codeio", "names: codeio is not offered: it runs code that a language model wrote"),
            ({"most": 3}, "names: {'most': 3} has no name: write {name: leg_counting, ...}"),
            (
                {"name": "sums", "mots": 3},
                "names: sums has no option 'mots' (perhaps most?); it takes most, signs",
            ),
            ({"name": "sums", "seed": 3}, "names: sums has no option 'seed'; it takes most, signs"),
            (
                {"name": "sums", "most": "3"},
                "names: sums.most: Input should be a valid integer (got '3')",
            ),
            ({"name": "sums", "signs": [1]}, "names: sums.signs.0: Input should be a valid string"),
            ({"name": "sums", "most": 0}, "names: sums: AssertionError: most must be positive"),
        ],
    )
    def test_names_and_options_that_are_not_there(self, given, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            reasoning_gym(seed=0, names=(given,), num_train=2, num_held_out=1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"names": ()}, "names must name a data set"),
            ({"num_train": 0}, "num_train 0 and num_held_out 100 must be at least 1"),
            ({"correct_from": 1.5}, "correct_from 1.5 must be above 0 and at most 1"),
        ],
    )
    def test_arguments_that_make_no_sense(self, options, message):
        with pytest.raises(ValueError, match=message):
            reasoning_gym(**{"seed": 0, "names": ("sums",), **options})


class TestLibrary:
    """Data sets as they are."""

    @pytest.fixture(autouse=True)
    def library(self):
        return pytest.importorskip("reasoning_gym", reason="needs the extra [tasks]")

    NAMES = (
        "leg_counting", {"name": "basic_arithmetic", "min_terms": 2}, "n_queens", "countdown",
        "list_functions", "knights_knaves", "boxnet",
    )  # fmt: skip

    def test_every_name_is_told(self, library):
        told = reasoning_gym.__doc__ or ""
        block = told.partition("there are\n\n")[2].partition("\n\n")[0]
        listed = re.split(r",\s+", block.strip())
        assert listed == gym.offered()
        assert f"{len(listed)} data sets" in told
        assert {*listed} | {*gym.LEFT_OUT} == {*library.factory.DATASETS}

    def test_another_process_draws_the_same(self):
        code = (
            "from sage_jax.data.parts import reasoning_gym\n"
            f"found = reasoning_gym(seed=3, names={self.NAMES}, num_train=6, num_held_out=2)\n"
            "print([*found.train, *found.held_out])"
        )
        there = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "1"},
        )  # fmt: skip
        found = reasoning_gym(seed=3, names=self.NAMES, num_train=6, num_held_out=2)
        every = [*found.train, *(found.held_out or ())]
        assert there.stdout.strip() == repr(every)
        assert len(every) == 8 * len(self.NAMES)

    def test_problems_are_judged_in_worker_processes(self):
        setting = Setting(0, Letters(), 5000, 700, stop_ids=(0,))
        task: Any = self.make(setting, names=self.NAMES[:-1], num_train=2, num_held_out=2)
        try:
            shown = task.demonstrations(0, 12)
            judged = task.judge(task.train_prompts(0, 12), shown.tokens, shown.mask)
            assert judged.correct.all()
            judged = task.judge(task.held_out(1), *rows(r"\boxed{nothing}"))
            assert not judged.correct.any()
        finally:
            task.close()

    def make(self, setting, **options):
        spec = TaskSpec.model_validate({"use": "reasoning_gym", "instruction": "", **options})
        return make_task(spec, setting, ())

    def test_a_bad_name_is_told_in_one_line(self):
        told = r"task: names: there is no data set 'leg_countin' \(perhaps leg_counting\?\)"
        with pytest.raises(ConfigError, match=told):
            self.make(Setting(0, Letters(), 64, 32, stop_ids=(0,)), names=("leg_countin",))

    def test_integrals_that_nobody_solved_are_passed_over(self):
        name = "intermediate_integration"
        train, held_out = gym.make_problems(3, name, {}, num_train=8, num_held_out=2)
        assert not [one for one in (*train, *held_out) if "Integral" in one.answer]
