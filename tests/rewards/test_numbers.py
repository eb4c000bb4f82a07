import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_jax.rewards.numbers import plain_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-42", -42),
        ("+42", 42),
        ("−42", -42),
        ("042", 42),
        (" 42. ", 42),
        (".5", Fraction(1, 2)),
        ("1,234,567.5", Fraction(2469135, 2)),
        (r"10,\!080", 10080),
        (r"11,\! 111,\! 111,\! 100", 11111111100),
        ("10{,}080", 10080),
        (r"10\,080", 10080),
        ("4.5e33", 45 * 10**32),
        ("4e-3", Fraction(1, 250)),
        (r"4.5 \times 10^{33}", 45 * 10**32),
        (r"4.5\cdot10^{-2}", Fraction(9, 200)),
        ("4.5 * 10^2", 450),
        ("1/3", Fraction(1, 3)),
        ("-1./3", Fraction(-1, 3)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"-\dfrac{3}{4}", Fraction(-3, 4)),
        (r"\tfrac{-3}{4}", Fraction(-3, 4)),
        (r"\frac12", Fraction(1, 2)),
        (r"\frac 34", Fraction(3, 4)),
        (r"\frac{270}7", Fraction(270, 7)),
        (r"1\frac{4}{5}", Fraction(9, 5)),
        (r"-1 \frac{4}{5}", Fraction(-9, 5)),
        ("1 4/5", Fraction(9, 5)),
        (r"-(\frac{1}{2})", Fraction(-1, 2)),
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"-1.2\overline{34}", Fraction(-611, 495)),
        ("10 080", 10080),
        ("10^{11}", 10**11),
        ("2 × 10⁻³", Fraction(1, 500)),
        ("½", Fraction(1, 2)),
        ("４２", 42),
    ],
)
def test_reads(text, value):
    assert plain_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "-",
        "x",
        "1,23",
        "1,2,3",
        "1/0",
        r"\frac{1}{0}",
        "1/2/3",
        "50%",
        "1e9999",
        "10^10^10",
        r"2\times10^{x}",
        "1e",
        "0x10",
        "1_000",
        "inf",
        "nan",
        "52_8",
        r"x\frac{4}{5}",
        "",
        "4 2",
    ],
)
def test_leaves_alone(text):
    assert plain_number(text) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1000))
def test_round_trip(value):
    assert plain_number(rf"\frac{{{value.numerator}}}{{{value.denominator}}}") == value
    assert plain_number(f"{value.numerator}/{value.denominator}") == value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="0123456789.,eE+-/^{}\\frac times", max_size=30))
def test_never_fails(text):
    number = plain_number(text)
    assert number is None or abs(number.numerator) < 10**2100


def test_other_digits_are_read_as_digits():
    assert plain_number("٤٢") == 42
    assert sys.get_int_max_str_digits() >= 400 * 5
