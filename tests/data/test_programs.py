"""The puzzle of programs against plain Python: values, rewards, slips, and the split."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.data import programs
from sage_jax.data.programs import EIGHT, SIXTEEN, Odds
from sage_jax.data.token_task import PuzzleTask

ODDS = Odds()
CODES = ["00000", "11111", "01010", "10101", "00111", "11000", "01101", "10010"]
DRAWS = 4000


def by_hand(numbers, code, modulus=11):
    """The five values of a program, as the rule is said in words."""
    a, b, c, d = numbers
    value, values = a, []
    for operation, x in zip(code, (b, c, d, a, b), strict=True):
        value = (value - x if operation == "0" else value + 2 * x) % modulus
        values.append(value)
    return values


def worked(prompt, odds=ODDS, codes=CODES):
    modulus, rows = odds.modulus, []
    for place, code in enumerate(codes):
        values = by_hand([int(one) for one in prompt[:4]], code, modulus)
        rows.append([modulus + place, *values, modulus + len(codes)])
    return rows


@pytest.fixture(scope="module")
def shown():
    """Problems with and without slips, of one key."""
    key = jax.random.key(3)
    clean = programs.draw(key, DRAWS, ODDS)
    noisy = programs.demonstrate(key, DRAWS, ODDS)
    return jax.tree.map(np.asarray, (clean, noisy))


def test_all_programs_match_plain_python():
    prompts = programs.draw(jax.random.key(0), 20, ODDS).prompts
    tokens, right = programs.solutions(prompts, ODDS)
    for prompt, found, hits in zip(np.asarray(prompts), tokens, right, strict=True):
        expected = worked(prompt)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(hits, [row[5] == prompt[4] for row in expected])


def test_other_numbers_of_programs_and_moduli_have_their_own_tokens():
    odds = Odds(programs.cut(3), 0.1, 7)
    assert (odds.end, odds.vocab_size) == (10, 11)
    tokens, _ = programs.solutions(jnp.array([[6, 5, 4, 3, 2]], jnp.int32), odds)
    np.testing.assert_array_equal(tokens[0], worked([6, 5, 4, 3, 2], odds, CODES[:3]))


def test_sixteen_programs_differ_and_begin_with_the_eight():
    assert len({tuple(code) for code in programs.CODES.tolist()}) == 16
    assert ["".join(map(str, code)) for code in programs.CODES[:8]] == CODES
    for count in range(2, 17):
        assert sum(programs.cut(count)) == pytest.approx(1)
        assert len(programs.cut(count)) == count
    entropies = [-sum(p * np.log(p) for p in odds) for odds in (EIGHT, SIXTEEN)]
    np.testing.assert_allclose(entropies, [1.90, 2.54], atol=0.005)


@pytest.mark.parametrize("hold_out", [False, True])
def test_planted_answers_are_right_and_lie_on_their_side_of_the_split(hold_out):
    problems = programs.draw(jax.random.key(1), 500, ODDS, hold_out=hold_out)
    numbers = np.asarray(problems.prompts[:, :4])
    np.testing.assert_array_equal((numbers @ [1, 2, 3, 5]) % 11 == 0, hold_out)
    whole = jnp.ones(problems.planted.shape, jnp.float32)
    np.testing.assert_array_equal(
        programs.reward(problems.prompts, problems.planted, whole, ODDS), 1
    )
    np.testing.assert_array_equal(
        programs.mode(problems.prompts, problems.planted, whole, ODDS),
        np.asarray(problems.planted[:, 0]) - 11,
    )


def test_every_change_of_a_token_is_judged_as_by_hand():
    problems = programs.draw(jax.random.key(2), 4, ODDS)
    changes = list(itertools.product(range(4), range(7), range(ODDS.vocab_size)))
    rows, places, others = map(np.array, zip(*changes, strict=True))
    prompts, tokens = np.asarray(problems.prompts)[rows], np.asarray(problems.planted)[rows]
    tokens[np.arange(len(rows)), places] = others
    whole = jnp.ones(tokens.shape, jnp.float32)
    found = programs.reward(jnp.asarray(prompts), jnp.asarray(tokens), whole, ODDS)
    expected = [
        any(row == one.tolist() and row[5] == prompt[4] for row in worked(prompt))
        for prompt, one in zip(prompts, tokens, strict=True)
    ]
    np.testing.assert_array_equal(found, expected)
    assert 4 * 7 <= sum(expected) < len(rows) / 4
    short = whole.at[:, -1].set(0)
    assert programs.reward(jnp.asarray(prompts), jnp.asarray(tokens), short, ODDS).sum() == 0


def slips_of(prompts, written):
    """Which values of completions are not what the step computes from the value before."""
    found = []
    for prompt, row in zip(prompts, written, strict=True):
        a, b, c, d = map(int, prompt[:4])
        before = [a, *map(int, row[1:5])]
        for value, operation, x, z in zip(
            before, CODES[row[0] - 11], (b, c, d, a, b), row[1:6], strict=True
        ):
            step = value - x if operation == "0" else value + 2 * x
            found.append(int(z - step) % 11)
    return np.array(found).reshape(-1, 5)


def test_demonstrations_are_of_the_same_problems_and_go_on_from_what_was_written(shown):
    clean, noisy = shown
    np.testing.assert_array_equal(clean.prompts, noisy.prompts)
    np.testing.assert_array_equal(clean.planted[:, [0, 6]], noisy.planted[:, [0, 6]])
    # Where nothing has slipped yet a value is the clean one; a slip leaves what follows computed.
    slips = slips_of(clean.prompts, noisy.planted)
    untouched = np.cumsum(slips > 0, axis=1) == 0
    np.testing.assert_array_equal(
        noisy.planted[:, 1:6][untouched], clean.planted[:, 1:6][untouched]
    )
    assert not slips_of(clean.prompts, clean.planted).any()


def test_slips_come_at_their_rate_and_evenly_over_the_ten_wrong_values(shown):
    clean, noisy = shown
    slips = slips_of(clean.prompts, noisy.planted)
    # Five standard errors of a share.
    error = 5 * np.sqrt(0.16 * 0.84 / DRAWS)
    np.testing.assert_allclose((slips > 0).mean(axis=0), 0.16, atol=error)
    counts = np.bincount(slips.ravel(), minlength=11)[1:]
    expected = 0.016 * slips.size
    np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(expected))
    chosen = np.bincount(noisy.planted[:, 0] - 11, minlength=8) / DRAWS
    np.testing.assert_allclose(chosen, EIGHT, atol=5 * np.sqrt(0.25 / DRAWS))


@pytest.mark.parametrize(("noise", "slipped"), [(0.0, False), (1.0, True)])
def test_no_noise_slips_never_and_all_noise_always(noise, slipped):
    odds = ODDS._replace(noise=noise)
    problems = programs.demonstrate(jax.random.key(4), 50, odds)
    slips = slips_of(np.asarray(problems.prompts), np.asarray(problems.planted))
    np.testing.assert_array_equal(slips > 0, slipped)


def test_noise_and_odds_may_be_traced():
    key, traced = jax.random.key(5), jax.jit(
        lambda noise, first: programs.demonstrate(
            jax.random.key(5), 64, Odds((first, 1 - first), noise)
        )
    )  # fmt: skip
    found = traced(0.5, 0.25)
    expected = programs.demonstrate(key, 64, Odds((0.25, 0.75), 0.5))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


class TestTask:
    def task(self, seed=5, odds=ODDS):
        return PuzzleTask(programs.puzzle(odds), seed=seed)

    def test_training_never_draws_held_out_operands(self):
        task = self.task()
        for index in range(3):
            for tokens in (
                task.train_prompts(index, 64).tokens,
                task.demonstrations(index, 64).prompt_tokens,
            ):
                assert np.all((tokens[:, :4] @ [1, 2, 3, 5]) % 11)
        held = task.held_out(512).tokens
        assert not np.any((held[:, :4] @ [1, 2, 3, 5]) % 11)
        assert len(np.unique(held, axis=0)) == 512

    def test_a_right_completion_has_its_program_as_mode_and_a_wrong_one_none(self):
        task = self.task()
        prompts = task.held_out(6)
        known = task.right_answers(prompts)
        judged = task.judge(prompts, known.tokens.reshape(48, 7), known.mask.reshape(48, 7))
        np.testing.assert_array_equal(judged.correct, known.right.ravel())
        names = programs.names(ODDS) * 6
        assert judged.modes == [
            name if right else ""
            for name, right in zip(names, known.right.ravel(), strict=True)
        ]  # fmt: skip
        assert judged.answers == list(names)
        assert list(known.modes) == list(programs.names(ODDS))

    def test_ids_and_batches_come_again(self):
        one, two = self.task(), self.task()
        batches = [task.train_prompts(1, 4).tokens for task in (one, two)]
        np.testing.assert_array_equal(batches[0], batches[1])
        assert one.held_out(1).ids[0].startswith("programs-")
        assert programs.puzzle(ODDS) is programs.puzzle(Odds())
