"""Which answers of one problem vote together."""

import pytest

from sage_jax.rewards import candidates

ONE = {
    "numbers": ["1/4", "0.25", r"\frac14", r"\frac{2}{8}", ".250", r"25\%", "$0.25$", "1/4."],
    "thousands": ["2,300", "2300", "2300.0", r"2\,300", r"2.3 \times 10^3", "2.3e3"],
    "signs": ["-7", "−7", r"-\frac{14}{2}", "-7.0"],
    "unit": ["38", "38 cm", r"38\text{ cm}", "38.0"],
    "names": ["x = 5", "5", r"m + n = 5", "x=5.0"],
    "lists": ["1, 2", r"\{2,1\}", "2 and 1.0", "x = 1, x = 2"],
    "pairs": ["(0.5, 1)", r"\left(\frac12, 1\right)"],
    "words": [r"\text{Eve}", "eve", "Eve.", r"\textbf{(Eve)}"],
    "spelling": [r"2\sqrt3", r"2\sqrt{3}", r"$2 \sqrt 3$"],
    "intervals": ["(2, 3]", r"2 < x \le 3"],
}
APART = {
    "expressions": [r"2\sqrt{3}", r"\sqrt{12}"],
    "values": ["0.3333", r"\frac13", "0.333"],
    "units": ["5 cm", "5 km", "5"],
    "per cent": [r"50\%", "50"],
    "order": ["(1,2)", "(2,1)", "1,2", "[1,2]"],
    "repeated": ["1,2", "1,2,2"],
    "bases": ["52_8", "52_9", "52"],
    "equations": ["2x = 3", "3", "1 = 3"],
    "letters": ["r", "R", "ab"],
    "not read": ["?", "", "4\u200b2", "42", "x" * 3000, "y" * 3000],
}


@pytest.mark.parametrize("answers", ONE.values(), ids=ONE)
def test_equal_in_value_is_one_candidate(answers):
    assert candidates(answers) == [answers[0]] * len(answers)
    assert candidates(answers[::-1]) == [answers[-1]] * len(answers)


@pytest.mark.parametrize("answers", APART.values(), ids=APART)
def test_others_are_apart(answers):
    assert candidates(answers) == answers


def test_a_number_without_a_unit_joins_the_only_unit_there_is():
    assert candidates(["7", "7 cm", "7"]) == ["7", "7", "7"]
    assert candidates(["7", "7 cm", "7 km", "7.0"]) == ["7", "7 cm", "7 km", "7"]


def test_none_is_no_answer():
    assert candidates([]) == []
