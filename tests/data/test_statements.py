import pytest

from sage_jax.data.statements import asked, letters, particulars, plain, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"Let $x = 2$ .", r"let \( x=2 \)."),
        (r"\[\dfrac{1}{2}\]", r"$$\frac{1}{2}$$"),
        (r"\left( a \right)\,b", "( a ) b"),
        (r"5~\text{cm}", "5 {cm}"),
        (r"a \leq b \leqslant c", "a ≤ b ≤ c"),
        (r"2 \times 3 \cdot 4", "2×3·4"),
        (r"costs \$1,200", "costs 1200"),
        (r"costs $1{,}200$", "costs 1200"),
        ("40\\% of it", "40% of it"),
        ("x² − 1", "x^2 - 1"),
        ("the ﬁrst", "the first"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "Full width"),
        ("\x0crac{1}{2}", r"\frac{1}{2}"),
        ("2 \times 3", r"2 \times 3"),
        ("How many?\n", "how many"),
    ],
)
def test_written_differently_the_same(one, other):
    assert letters(plain(one)) == letters(plain(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x + 1", "x - 1"),
        ("x^2", "x2"),
        ("(a + b)c", "a + bc"),
        ("{1, 2}", "{12}"),
        ("the points (1,200) and (3,4)", "the points (1,20) and (3,4)"),
        (r"\sin x", r"\cos x"),
        ("12", "1 3"),
        ("a ≤ b", "a ≥ b"),
    ],
)
def test_what_means_something_else_is_not(one, other):
    assert letters(plain(one)) != letters(plain(other))


def test_plain_is_plain():
    texts = [r"Find $\tfrac12$ of \(x\) \quad and \% of~it", "若 $x²$，求 1,000 ×２"]
    for text in map(plain, texts):
        assert plain(text) == text


def test_words_of_chinese_are_characters():
    assert words("求 x2 的最大值 max_2") == [
        *("求", "x", "2", "的", "最", "大", "值"), *("max", "2"),
    ]  # fmt: skip


def test_particulars():
    text = "A man has a dog; let P and QR be 3 of |x|, [asy] draw((7,8)); [/asy] so \\cos x ≥ 3"
    assert particulars(text) == {"P", "QR", "3", "|", "x", "\\cos", "≥"}
    assert particulars("What is the shape of it?") == set()


@pytest.mark.parametrize(
    "tail",
    [
        "The answer can be written as m/n. Find m+n.",
        "Express your answer as a common fraction.",
        "It is m/n in lowest terms. What is m + n?",
        "The area is a\\sqrt{b}, where b is square-free. Compute a-b.",
        "[asy] draw((0,0)--(1,1)); [/asy]",
        "答案为 m/n 的格式，请给出 m + n 的值。",
    ],
)
def test_how_an_answer_is_written_is_not_asked(tail):
    assert asked(f"How long is AB? {tail}") == "How long is AB?"


def test_something_is_always_asked():
    assert asked("Write your answer in base 9.") == "Write your answer in base 9."
    assert asked("Find a + b. Then find the area.") == "Then find the area."
