"""Parts by name: what is found, what is refused, and with which words."""

import sys
import sysconfig

import pytest

from sage_jax import parts
from sage_jax.faults import ConfigError
from sage_jax.losses import by_name
from sage_jax.parts import (
    ADVANTAGES,
    ESTIMATORS,
    GATES,
    GUIDES,
    REDUCTIONS,
    REWARDS,
    SURROGATES,
    Spec,
)

OWN = """
import jax.numpy as jnp

LIMIT = 3


class Ladder:
    def __init__(self, *, rungs: int):
        self.rungs = rungs


def gate(ref_entropies, mask, *, low: float = 0.8, names: list[str] = ()):
    return jnp.zeros_like(mask) + low


def broken(*, size: int):
    if size > 2:
        return {}["nothing"]
    raise ValueError("size is too small")


def odd(*, size: "Nowhere"):
    return size


def opaque(*, array: jnp.ndarray):
    return array


def read(ref_entropy, mask):
    return ref_entropy


def blind(text, gold, *, scale: float = 1.0):
    return scale


def cost(completion, difficulty: int, array: jnp.ndarray, *, scale: float):
    return scale * difficulty
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The name of a module of the user's."""
    (tmp_path / "own_parts.py").write_text(OWN)
    (tmp_path / "torn_parts.py").write_text("def gate(:\n")
    (tmp_path / "failing_parts.py").write_text("import json\n\njson.loads('{')\n")
    (tmp_path / "needy_parts.py").write_text("import nowhere_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_parts"
    for name in ("own", "torn", "failing", "needy"):
        sys.modules.pop(f"{name}_parts", None)


def resolve(**spec):
    return parts.resolve(Spec(**spec), GUIDES, field="guide")


def test_a_part_of_ones_own_is_found_with_its_arguments(own):
    part = resolve(use=f"{own}:gate", low=1, names=["a"])
    assert part.function.__name__ == "gate"
    assert part.options == {"low": 1.0, "names": ["a"]}
    assert part.asks("mask")
    assert not part.asks("max_steps")
    made = resolve(use=f"{own}:Ladder", rungs=3).call(max_steps=5)
    assert made.rungs == 3


def test_every_part_of_a_loss_shows_an_example():
    rooms = (ADVANTAGES, ESTIMATORS, GATES, GUIDES, REDUCTIONS, SURROGATES)
    found = [room.get(name) for room in rooms for name in room.names()]
    assert len(found) > 40
    assert not [one.__name__ for one in found if ">>>" not in (one.__doc__ or "")]


def test_what_a_reward_takes_positionally_may_be_a_column_of_the_data(own):
    def options(**given):
        return parts.resolve(Spec(use=f"{own}:cost", **given), REWARDS, field="reward.0").options

    assert options(scale=2) == {"scale": 2.0}
    assert options(scale=2, difficulty=3) == {"scale": 2.0, "difficulty": 3}
    for given, message in [
        ({}, "reward.0.scale: must be given"),
        ({"scale": 1, "difficulty": "3"}, "reward.0.difficulty: Input should be a valid integer"),
        ({"scale": 1, "dificulty": 3}, r"perhaps difficulty\?\); it takes difficulty, "),
    ]:
        with pytest.raises(ConfigError, match=message):
            options(**given)
    with pytest.raises(
        ConfigError, match="own_parts:blind asks for none of completion, completions, tokens"
    ):
        parts.resolve(Spec(use=f"{own}:blind"), REWARDS, field="reward.0")
    given = {"text": "?", "gold": "!"}  # Of what makes a judge.
    assert parts.resolve(Spec(use=f"{own}:blind", **given), REWARDS, field="r").options == given
    told = parts.listing("reward", f"{own}:cost")
    assert "  form: of one completion\n  given by the trainer: completion\n" in told
    assert "{use: own_parts:cost, scale}" in told
    assert "difficulty: int, default the column of that name\n" in told


REFUSED = [
    ("own_parts:gates", {}, "own_parts.py has no function 'gates' (perhaps gate?); it has Ladder"),
    ("own_parts:LIMIT", {}, "'LIMIT' of "),
    (
        "own_part:gate",
        {},
        "there is no module 'own_part' (perhaps own_parts?): looked for own_part.py",
    ),
    ("own_parts.deep:gate", {}, "there is no module 'own_parts.deep'"),
    ("needy_parts:gate", {}, "importing needy_parts fails: ModuleNotFoundError: No module named"),
    ("needy_parts:gate", {}, "needy_parts.py, line 1)"),
    ("torn_parts:gate", {}, "importing torn_parts fails: SyntaxError: invalid syntax"),
    ("torn_parts:gate", {}, "torn_parts.py, line 1)"),
    ("failing_parts:gate", {}, "importing failing_parts fails: JSONDecodeError"),
    ("failing_parts:gate", {}, "failing_parts.py, line 3)"),
    ("own_parts:gate", {"lo": 1}, "guide.lo: own_parts:gate has no such argument (perhaps low?)"),
    ("own_parts:gate", {"mask": 1}, "guide.mask: is given by the trainer"),
    ("own_parts:gate", {"low": "1e-6"}, "guide.low: Input should be a valid number (got '1e-6')"),
    ("own_parts:gate", {"names": [1]}, "guide.names.0: Input should be a valid string (got 1)"),
    ("own_parts:Ladder", {}, "guide.rungs: must be given (the trainer gives max_steps, logps"),
    ("own_parts:odd", {}, "own_parts:odd: name 'Nowhere' is not defined"),
    ("own_parts:opaque", {}, "own_parts:opaque: no config can hold its argument 'array'"),
    ("own_parts:read", {}, "guide.ref_entropy: must be given (perhaps ref_entropies, which the "),
    (
        "far/own_parts.py:gate",
        {},
        "name a module, not a path: own_parts:gate, found in the working",
    ),
    ("own_parts.py:gate", {}, "name a module, not a path: own_parts:gate, found in the working"),
    (":gate", {}, "guide: ':gate' names no module: write module:function"),
]


@pytest.mark.parametrize(("use", "options", "message"), REFUSED)
def test_mistakes_are_one_line_that_names_the_field(own, use, options, message):
    with pytest.raises(ConfigError) as caught:
        resolve(use=use, **options)
    said = str(caught.value)
    assert message in said
    assert said.startswith("guide")
    assert "\n" not in said


def test_folders_of_programs_are_no_place_for_modules(tmp_path, monkeypatch):
    programs = sysconfig.get_path("scripts")
    monkeypatch.setattr(sys, "path", [programs, str(tmp_path), *sys.path])
    with pytest.raises(ConfigError, match=f"in {tmp_path}, ") as caught:
        resolve(use="nowhere_at_all:gate")
    assert programs not in str(caught.value)


def test_an_exception_of_the_users_names_the_users_line(own):
    with pytest.raises(ConfigError, match=r"guide: size is too small \(.*own_parts.py, line 19\)"):
        resolve(use=f"{own}:broken", size=1).call()
    with pytest.raises(ConfigError, match=r"guide: KeyError: nothing \(.*own_parts.py, line 18\)"):
        resolve(use=f"{own}:broken", size=3).call()


def test_what_functions_of_arrays_read_may_not_stand_in_a_config():
    assert set(parts.GUIDES.given) == {*by_name.READABLE, "max_steps"}
    assert set(parts.ESTIMATORS.given) == set(by_name.READABLE)
    assert set(parts.SURROGATES.given) == set(by_name.READABLE_BY_SURROGATES)
    reductions = {*by_name.READABLE_BY_REDUCTIONS, "max_completion_length"}
    assert set(parts.REDUCTIONS.given) == reductions


def test_specs_are_written_as_short_as_they_can_be():
    for value in ("branch", {"use": "branch", "ratio": 0.2}):
        assert Spec.model_validate(value).model_dump(mode="json") == value
    assert Spec.model_validate({"use": "branch"}).model_dump(mode="json") == "branch"
    assert Spec.model_validate("a:b").is_foreign
