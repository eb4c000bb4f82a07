import pytest

from sage_jax.rewards.names import is_label, is_name
from sage_jax.rewards.reading import read
from sage_jax.rewards.tidy import tidy
from sage_jax.rewards.units import split_unit


def reading(text, *, is_gold=False):
    tidied = tidy(text)
    assert tidied is not None
    return read(tidied, is_gold=is_gold)


@pytest.mark.parametrize(
    ("text", "kind", "items"),
    [
        ("42", "number", []),
        (r"42\text{ cm}", "number", []),
        (r"50\%", "number", []),
        ("1,234", "number", []),
        (r"\text{even}", "words", []),
        ("52_8", "based", []),
        ("1, 2", "list", ["1", "2"]),
        (r"1 \text{ or } 2", "list", ["1", "2"]),
        (r"\{1; 2\}", "list", ["1", "2"]),
        ("(1, [2, 3])", "list", ["1", "[2, 3]"]),
        (r"2 \pm \sqrt{3}", "list", [r"2 + \sqrt{3}", r"2 - \sqrt{3}"]),
        (r"-2 \le x < 7", "list", ["-2", "7"]),
        ("3 > x", "list", [r"-\infty", "3"]),
        ("x = 1,234", "equation", ["x", "1,234"]),
        ("x = 1, y = 2", "list", ["x = 1", "y = 2"]),
        (r"x = \frac{1}{3} \approx 0.33", "equation", ["x", r"\frac{1}{3}"]),
        (r"x \approx 5", "other", []),
        (r"\neq 5", "other", []),
        (r"(1,2) \cup (3,4)", "union", ["(1,2)", "(3,4)"]),
        (r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}", "matrix", ["1", "2", "3", "4"]),
        (r"2\sqrt{5}", "expression", []),
        ("((42))", "number", []),
        ("(1)(2)", "expression", []),
    ],
)
def test_shapes(text, kind, items):
    got = reading(text)
    assert (got.kind, [item.text for item in got.items]) == (kind, items)


def test_a_bare_letter_is_a_unit_only_in_an_answer():
    assert reading("3 s", is_gold=True).kind == "expression"
    assert reading(r"3\text{ s}", is_gold=True).unit == "s"
    assert reading("3 s").unit == "s"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (r"\$42", "dollar"),
        (r"42 \text{ dollars}", "dollar"),
        ("42 cm^2", "cm^2"),
        ("42 square centimeters", "cm^2"),
        ("42 km/h", "km/h"),
        ("42 kilometers per hour", "km/h"),
        ("42 per day", "/day"),
        (r"42^\circ", "degree"),
        ("42 degrees", "degree"),
        ("42 percent", "%"),
        ("42 apples", "apple"),
        ("42", None),
        ("42 million", None),
        ("42 thousands", None),
        ("42 M", None),
        ("42 k", None),
        ("42 gross", None),
        ("42 is wrong", None),
        ("42 plus", None),
    ],
)
def test_units(text, unit):
    tidied = tidy(text)
    assert tidied is not None
    value, found = split_unit(tidied, counted=True)
    assert found == unit
    assert value == ("42" if unit else text)


@pytest.mark.parametrize("text", ["x", r"\theta", "C_1", "x_{12}", "f(x)", r"f(x, \theta)"])
def test_names(text):
    assert is_name(text)
    assert is_label(text)


@pytest.mark.parametrize("text", ["2x", "x + 1", "x^2", "6 * 7", r"\sqrt{4}", r"\text{a b c d e}"])
def test_no_labels(text):
    assert not is_name(text)
    assert not is_label(text.replace("a b c d e", "one two three four"))
