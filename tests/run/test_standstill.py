"""Steps from which nothing is learned are told of once, with what to change."""

import pytest
from runs import step_done

from sage_jax.run.events import TrainingStarted
from sage_jax.run.standstill import STEPS, Standstill

CUT, EQUAL = "truncated", "groups/zero_variance"
GOOD = {CUT: 0.5, EQUAL: 0.25, "pass@1": 0.5}


def told(config, entries, before=()):
    """(number of the entry, message) of all that is said."""
    said = []
    watch = Standstill(config, lambda text: said.append((number, text)))
    watch(TrainingStarted(len(before), 1000, before))
    for number, entry in enumerate(entries, start=1):
        watch(step_done(number, entry))
    return said


@pytest.mark.parametrize("name", [CUT, EQUAL])
def test_is_told_once_after_ten_steps_in_a_row(make_config, name):
    bad = GOOD | {name: 1.0}
    said = told(make_config(), [GOOD, *[bad] * (STEPS - 1), GOOD, *[bad] * 40])
    assert [number for number, _ in said] == [2 * STEPS + 1]
    assert said[0][1].startswith(f"step {2 * STEPS + 1}: in {STEPS} steps ")


def test_nearly_all_is_not_all(make_config):
    assert not told(make_config(), [GOOD | {CUT: 0.99, EQUAL: 0.99}] * 30)


def test_both_are_told(make_config):
    said = told(make_config(), [GOOD | {CUT: 1.0, EQUAL: 1.0}] * 30)
    assert [number for number, _ in said] == [STEPS] * 2


BOXES = {"pass@1": 0.0, "reward/math": 0.0}


def test_says_what_to_change(make_words_config):
    config = make_words_config({"reward": "math"})
    (_, cut), (_, wrong) = told(config, [BOXES | {CUT: 1.0, EQUAL: 1.0}] * STEPS)
    assert "rollout.max_completion_length 8: raise it" in cut
    assert "rollout.stop" in cut
    for hint in ("easier", "warmup.steps", "rollout.dynamic_sampling", "use: boxed"):
        assert hint in wrong
    ((_, other),) = told(config, [{EQUAL: 1.0, "pass@1": 0.0, "reward/brevity": 0.0}] * STEPS)
    assert "use: boxed" not in other
    ((_, right),) = told(config, [{EQUAL: 1.0, "pass@1": 1.0}] * STEPS)
    assert "all are right: take harder problems" in right


def test_a_resumed_run_counts_on_and_does_not_repeat_itself(make_config):
    bad = GOOD | {CUT: 1.0}
    assert [n for n, _ in told(make_config(), [bad] * 9, before=[bad] * (STEPS - 1))] == [1]
    assert not told(make_config(), [bad] * 9, before=[bad] * STEPS)


def test_a_step_without_the_figure_counts_as_another(make_config):
    assert not told(make_config(), [*[{CUT: 1.0}] * 9, {CUT: None}, *[{CUT: 1.0}] * 9])


def test_rewards_that_take_most_of_the_time_are_told(make_words_config):
    slow = GOOD | {"seconds/reward": 3.0, "seconds/step": 5.0}
    own = {"use": "mine:slow", "weight": 0.5}
    for reward, hints in [
        ("math", ["raise task.num_workers 1"]),
        (own, ["`isolate: true` beside mine:slow", "for a batch (completions)"]),
        (own | {"isolate": True}, ["raise task.num_workers 1"]),
        ("boxed", ["see which of them takes so long"]),
    ]:
        ((number, said),) = told(make_words_config({"reward": [reward]}), [slow] * 30)
        assert number == STEPS
        assert "now 3 s of 5 s: " + hints[0] in said
        assert all(hint in said for hint in hints)
        assert ("isolate" in said) == (reward == own)
    assert not told(make_words_config(), [slow | {"seconds/reward": 2.5}] * 30)


def test_q_in_place_of_its_logarithm_is_told_at_once(make_config):
    high = GOOD | {"q/min": 1.9, "q/max": 2.7}  # exp(0.64) and exp(1).
    own = make_config({"guide": "mine:gate"})
    ((number, said),) = told(own, [high] * 30)
    assert number == 1
    assert "q is 1.9 to 2.7, far above 1 everywhere: did guide mine:gate give q in place" in said
    assert not told(own, [high] * 9, before=[high])
    assert not told(own, [GOOD | {"q/min": 0.6, "q/max": 2.7}] * 30)
    assert not told(make_config(), [high] * 30)


def test_weights_that_do_not_move_are_told(make_config):
    still = GOOD | {"updates/changed": 0.002, "updates/skipped": 0, "learning_rate": 1e-12}
    ((number, said),) = told(make_config(), [still] * 30)
    assert number == STEPS
    assert "now 1e-12, is too small for them: raise optimizer.learning_rate 0.001" in said
    assert not told(make_config(), [still | {"updates/changed": 0.02}] * 30)
    assert not told(make_config(), [still | {"updates/skipped": 1}] * 30)
    # Equal rewards are the reason, and are told of.
    assert len(told(make_config(), [still | {EQUAL: 1.0}] * 30)) == 1
