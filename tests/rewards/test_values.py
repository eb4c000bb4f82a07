"""What rewards give, read as numbers of whatever kind, or refused."""

import doctest
import fractions

import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.rewards import values


def test_examples_in_docstrings():
    assert doctest.testmod(values) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize(
    "value",
    [True, 1, 1.0, fractions.Fraction(1), np.bool_(True), np.float16(1), np.array([[1]]),
     jnp.array(1.0), jnp.array([1], jnp.bfloat16)],
)  # fmt: skip
def test_numbers_of_every_kind(value):
    found = values.number(value)
    assert type(found) is float
    assert found == 1.0


class Odd:
    def __float__(self):
        return float("inf")


@pytest.mark.parametrize(
    "value",
    [None, "1", b"1", float("nan"), -float("inf"), 1e39, 10**400, 1j, [], [1.0], {}, (1.0,),
     (1.0, "a", "b"), ("a", 1.0), np.array([1, 2]), np.array(np.nan), object, Odd()],
)  # fmt: skip
def test_what_is_no_number(value):
    for read in (values.number, values.with_word, lambda one: values.numbers([1, one], 2)):
        with pytest.raises(ValueError, match=r"gives .*, which is no finite number"):
            read(value)


@pytest.mark.parametrize("many", [[0, 1], (0, True), np.array([0, 1]), jnp.array([0.0, 1.0])])
def test_lists_of_numbers(many):
    assert values.numbers(many, 2) == [0.0, 1.0]


@pytest.mark.parametrize("many", [[1.0], 1.0, "ab", {0, 1}, {0: 1, 1: 1}, None, iter([1, 2]),
                                  np.array(1.0), np.ones((1, 2))])  # fmt: skip
def test_what_is_no_list_of_so_many(many):
    with pytest.raises(ValueError, match=r"2 numbers are needed|gives 1 numbers for 2 compl"):
        values.numbers(many, 2)


def test_a_coroutine_is_told_and_leaves_no_warning():
    async def late():
        return 1.0

    for read in (values.number, values.with_word, lambda one: values.numbers(one, 2)):
        with pytest.raises(ValueError, match=r"gives a coroutine.*async def"):
            read(late())
