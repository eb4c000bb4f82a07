"""Problems as values: what tells them apart, and what runs know them by."""

from sage_jax.data import Problem


def test_a_problem_without_further_columns_is_written_as_ever():
    # Digests that run folders keep are of this text.
    want = "Problem(id='a', problem='b', answer='c', source='s', solution=None)"
    assert repr(Problem("a", "b", "c", "s")) == want
    more = Problem("a", "b", "c", "s", extra={"level": 3})
    assert repr(more) == want.removesuffix(")") + ", extra={'level': 3})"


def test_further_columns_tell_problems_apart_and_leave_them_hashable():
    plain, more = Problem("a", "b", "c"), Problem("a", "b", "c", extra={"tags": ["x"]})
    assert plain != more
    assert more == Problem("a", "b", "c", extra={"tags": ["x"]})
    assert len({plain, more, Problem("a", "b", "c")}) == 2
