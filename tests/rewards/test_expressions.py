import pytest

from sage_jax.rewards.expressions import Library, Unreadable, UnreadableGold, admit

LIBRARY = Library()


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        (r"2\sqrt{5}", r"\sqrt{20}", True),
        (r"2\sqrt{5}", r"\sqrt{20} + 10^{-30}", False),
        (r"\pi", "3.14159265358979323846264338327950288419716939937510", False),
        ("x^2-1", "(x+1)(x-1)", True),
        ("x", r"\sqrt{x^2}", False),
        ("x+1", r"\frac{(x+1)(x-2)}{x-2}", True),
        ("1+2i", "2i+1", True),
        (r"\frac{5}{1-2i}", "1+2i", True),
        (r"\sin^2 x", r"1-\cos^2 x", True),
        (r"\frac{r}{R}", "1", False),
        ("u(t)", "u(2t)", False),
        (r"1.5 x", r"\frac{3x}{2}", True),
        (r"0.1 x", r"0.1000000000000000055 x", False),
        (r"\frac{1}{x}", r"\frac{x}{x^2}", True),
        ("E_1+E_2", "E_2+E_1", True),
        ("2 x y z", "2zyx", True),
    ],
)
def test_same_value(gold, answer, same):
    assert LIBRARY.same(gold, answer) is same


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        (("y", "2x+3"), ("2x-y+3", "0"), True),
        (("y", "2x+3"), ("2y", "2x+3"), False),
        (("x", "5"), ("0", "0"), False),
        ((r"\frac{dv}{dt}", "-kv"), (r"kv+\frac{dv}{dt}", "0"), True),
    ],
)
def test_same_equation(gold, answer, same):
    assert LIBRARY.same_equation(gold, answer) is same


REFUSED = [
    r"\sum_{n=1}^{9} n",
    r"\int x dx",
    "5!",
    r"\operatorname{eye}(3)",
    "9^{9^{9}}",
    "9^9^9",
    "2^{99999}",
    "print(x)",
    "x;y",
    "x#",
    r"\exp(\exp(x))",
    "((((((((((x))))))))))",
    "---x",
    r"\det x",
    "x@y",
]


@pytest.mark.parametrize("answer", REFUSED)
def test_only_as_much_as_the_gold_asks_for(answer):
    with pytest.raises(Unreadable):
        admit("x+1", answer)
    admit(answer, answer)


def test_what_cannot_be_parsed():
    with pytest.raises(Unreadable):
        LIBRARY.same("x", r"\frac{}{}")
    with pytest.raises(UnreadableGold):
        LIBRARY.same(r"\frac{}{}", "x")
