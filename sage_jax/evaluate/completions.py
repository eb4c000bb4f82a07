"""Completions of an evaluation, with their verdicts: one a line of a file."""

from typing import NamedTuple


class Completion(NamedTuple):
    """One completion and what came of it.

    Attributes:
        id: of its problem.
        sample: number among the problem's completions, from 0.
        completion: as it is judged, with what stood before it in the model's turn.
        answer: the final answer; empty where there is none.
        correct: whether that is right.
        reward: what training would have given.
        reason: a word on how the verdict came about.
        mode: the way in which it is right; empty where it is wrong, or none are told apart.
        length: in tokens.
        truncated: whether it ran out of room.
    """

    id: str
    sample: int
    completion: str
    answer: str
    correct: bool
    reward: float
    reason: str
    mode: str
    length: int
    truncated: bool
