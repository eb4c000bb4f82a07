"""Which problems are held out, and by what two lists of them are compared."""

from sage_jax.data import Problem
from sage_jax.data.problem_set import Split, is_held_out


def make(text, **fields):
    return Problem(id="a", problem=text, answer="1", **fields)


def test_the_share_is_about_that_and_grows():
    problems = [make(f"{i} + 1?") for i in range(2000)]
    small, large = ({p for p in problems if is_held_out(p, share=s)} for s in (0.1, 0.3))
    assert 150 < len(small) < 250
    assert 500 < len(large) < 700
    assert small < large


def test_white_space_and_all_but_the_statement_count_for_nothing():
    for i in range(50):
        one, other = make(f"{i}  +\n1? "), Problem(f"id-{i}", f"{i} + 1?", "2", "source", "so")
        assert is_held_out(one, share=0.5) == is_held_out(other, share=0.5)


def test_a_digest_is_of_all_fields_and_of_no_address():
    held = [make("?")]
    known = Split([make("1?", extra={"image": object(), "level": 1})], held).digest()
    assert Split([make("1?", extra={"image": object(), "level": 1})], held).digest() == known
    assert Split([make("1?", extra={"image": object(), "level": 2})], held).digest() != known
    assert Split(held, [make("1?", extra={"image": object(), "level": 1})]).digest() != known
