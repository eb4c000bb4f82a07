"""Problems in words of a library of procedural tasks."""

from typing import Any

from sage_jax.data import gym
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import ProblemSet


def reasoning_gym(
    *,
    seed: int,
    names: tuple[str | dict[str, Any], ...],
    num_train: int = 1000,
    num_held_out: int = 100,
    correct_from: float = 1.0,
) -> ProblemSet:
    """Procedural problems of Reasoning Gym by name: 96 data sets (extra `[tasks]`).

    `num_train` and `num_held_out` problems of each of `names`: a name, as leg_counting, or a name
    with options of the library, as {name: basic_arithmetic, min_terms: 2}. The reward is the score
    of the data set itself, 0 to 1, in worker processes; from `correct_from` on an answer counts as
    right. Of the names there are

    ab, acre, advanced_geometry, aiw, arc_1d, arc_agi, base_conversion, basic_arithmetic, bf,
    binary_alternation, binary_matrix, bitwise_arithmetic, boxnet, caesar_cipher,
    calendar_arithmetic, chain_sum, circuit_logic, color_cube_rotation, complex_arithmetic,
    count_bits, count_primes, countdown, course_schedule, cryptarithm, decimal_arithmetic,
    decimal_chain_sum, dice, emoji_mystery, family_relationships, figlet_font,
    fraction_simplification, futoshiki, game_of_life, gcd, graph_color, group_anagrams,
    gsm_symbolic, intermediate_integration, jugs, kakurasu, knights_knaves, largest_island, lcm,
    leg_counting, letter_counting, letter_jumble, list_functions, mahjong_puzzle,
    manipulate_matrix, maze, mini_sudoku, modulo_grid, n_queens, needle_haystack,
    number_filtering, number_format, number_sequence, number_sorting, palindrome_generation,
    palindrome_partitioning, path_star, polynomial_equations, pool_matrix, power_function,
    prime_factorization, products, propositional_logic, quantum_lock, rearc, rectangle_count,
    rotate_matrix, rotten_oranges, rubiks_cube, rush_hour, self_reference, sentence_reordering,
    shortest_path, simple_equations, simple_geometry, simple_integration, sokoban,
    spell_backward, spiral_matrix, string_insertion, string_manipulation, string_splitting,
    string_synthesis, sudoku, survo, syllogism, time_intervals, tower_of_hanoi, tsumego,
    word_sequence_reversal, word_sorting, zebra_puzzles

    and docs/data.md says which are left out, and why.
    """
    if not names:
        raise ValueError("names must name a data set, such as leg_counting")
    if min(num_train, num_held_out) < 1:
        raise ValueError(
            f"num_train {num_train} and num_held_out {num_held_out} must be at least 1"
        )
    if not 0 < correct_from <= 1:
        raise ValueError(f"correct_from {correct_from:g} must be above 0 and at most 1")
    train: dict[str, Problem] = {}
    held_out: dict[str, Problem] = {}
    for name, options in map(gym.read_name, names):
        parts = gym.make_problems(
            seed, name, options, num_train=num_train, num_held_out=num_held_out
        )
        for side, part in zip((train, held_out), parts, strict=True):
            side.update((one.id, one) for one in part)
    return ProblemSet(
        [*train.values()],
        [*held_out.values()],
        worked=gym.worked,
        reward={"use": "reasoning_gym", "isolate": True, "correct_from": correct_from},
        distinct=True,
    )
