"""Answers without a box: what is read, and what is not."""

import pytest

from sage_jax.rewards.answers import extract
from sage_jax.rewards.boxes import boxes
from sage_jax.rewards.sentence import said

UNDER_A_HEADING = [
    ("**Final Answer**\n\n51", "51"),
    ("***Final Answer***\n\n**51**", "51"),
    ("### Answer\n51", "51"),
    ("#### Final Answer\n51", "51"),
    ("FINAL ANSWER\n\n$51$", "51"),
    ("Final Answer\n============\n51", "51"),
    ("---\n**Final Answer:**\n---\n51", "51"),
    ("### ✅ Final Answer:\n**$51$** 🎉", "51"),
    ("### Step 5: Final Answer\n\n51", "51"),
    ("\\textbf{Final Answer}\n\n51", "51"),
    ("**最终答案**\n\n51", "51"),
    ("**Final Answer (in km)**\n\n51 km", "51 km"),
    ("**Final Answer**\n\n$x = 51$\n\n$\\square$", "x = 51"),
    ("**Final Answer**\n\n- $x = 3$\n- $x = -2$", "x = 3, x = -2"),
    ("**Final Answer**\n\nThe album has **51** pages in all.", "51 pages"),
    ("**Final Answer**\n```\n51\n```", "51"),
    ("**Final Answer**\n\n50\n\n## Answer\n51", "51"),
    ("**Final Answer**\n\n51\n\n50", None),
    ("**Final Answer**\n\n51\n50", None),
    ("**Final Answer**\n\n51\n\nHm, or 50.", None),
    ("**Final Answer**\n\n1. 51\n2. 50", None),
    ("**Final Answer**\n\n- 51", None),
    ("> **Final Answer**\n> 51", None),
    ('Below "**Final Answer**"\n51', None),
    ("**Answer**\n12\n\nSo much for the example: 50 + 1 = 51.", None),
]
IN_MARKUP = [
    ("The answer is **51** pages.", "51 pages"),
    ("Answer: `51`", "51"),
    ("The answer is __51__.", "51"),
    ("**The answer is 51.**", "51"),
    ("**Answer**: *51*", "51"),
    ("**Answer:** **$51$**", "51"),
    ("<b>Answer:</b> 51", "51"),
    ("The answer is **51**!", "51"),
    ("The answer is 51!", "51!"),
    ("Answer: 2**5", "2**5"),
    ("The answer is $1,251.50 in total.", "$1,251.50"),
    ("The answer is $5 or $6.", "$5 or $6"),
    ("The answer is \\(3\\), \\(4\\) and \\(5\\).", "3,  4  and  5"),
    ("The answer is 51.<|im_end|>", "51"),
]
GOES_ON = [
    ("The answer is 51, so the shelf is full.", "51"),
    ("The answer is 51 because 50 + 1 = 51.", "51"),
    ("The answer is 51 (since 50 + 1 = 51).", "51"),
    ("The answer is 51 — as required.", "51"),
    ("The answer is 51, not 50.", "51"),
    ("The answer is $3x$, where $x$ is the width.", "3x"),
    ("The answer is 51 pages of the book.", "51 pages"),
    ("The answer is 51 km/h.", "51 km/h"),
    ("The answer is 51 or 50.", "51 or 50"),
    ("The answer is 51 and 50.", "51 and 50"),
    ("The answer is 51 if x > 0.", "51 if x > 0"),
    ("The answer is 51 at the most.", "51 at the most"),
    ("The answer is 51 million dollars.", "51 million dollars"),
    ("The answer is 51, so wait, that is wrong.", None),
]
ANNOUNCED = [
    ("The answer to the question is 51.", "51"),
    ("The answer, therefore, is 51.", "51"),
    ("which means the answer is 51", "51"),
    ("The answer comes out to be exactly 51.", "51"),
    ("Ans: 51", "51"),
    ("答案是 $51$。", "51"),
    ("The correct option is (C)", "(C)"),
    ("The correct answer is option C.", "C"),
    ("Answer: C) 51", "C) 51"),
    ("Answer: C. 51", "C. 51"),
    ("The correct answer is C. The others are too small.", "C"),
    ("Answer: A. B. C.", "A. B. C"),
    ("Answer: 51\n\n#### Explanation\nWe add.", "51"),
    ("The answer is 51. The answer is correct.", "51"),
    ("If the answer is 51, x is 1.", None),
    ("Bob says the answer is 51.", None),
    ("Bob's answer is 51.", None),
    ("Twice the answer is 51.", None),
    ("It cannot be that the answer is 51.", None),
    ('He wrote "the answer is 51".', None),
    ("So x = 51.", None),
    ("= 51", None),
    ("It is **51**.", None),
]
DISPLAYED = [
    ("The answer is:\n\\[\n51\n\\]", "51"),
    ("Hence the final answer is:\n$$\n51\n$$", "51"),
    ("The final answer is as follows:\n\n\\[\n\\frac{3}{8}\n\\]\n", r"\frac{3}{8}"),
    ("Answer:\n\\begin{equation}\n51\n\\end{equation}", "51"),
    ("The answer is:\n\\[\n51\n\\]\nor\n\\[\n50\n\\]", None),
    ("The answer is:\n\\[\n51\n\\]\n\\[\n50\n\\]", None),
    ("The answer is:\n\\[\n51", None),
]
IN_TAGS = [
    ("<answer>51</answer>", "51"),
    ("<think>50 + 1</think> <answer> $51$ </answer>", "51"),
    ("<answer>\n\\[\n51\n\\]\n</answer><|im_end|>", "51"),
    ("<ANSWER>51</ANSWER>", "51"),
    ("<answer>The answer is 51.</answer>", "51"),
    ("<answer>There are **51** pages.</answer>", "51 pages"),
    (r"<answer>so \boxed{51}, as</answer>", "51"),
    (r"\boxed{50} <answer>51</answer>", "51"),
    (r"<answer>50</answer> \boxed{51}", "51"),
    (r"\boxed{51} <answer>Ada has 50 pages and one</answer>", "51"),
    ("<answer>50</answer> No, wait: <answer>51</answer>", "51"),
    ("<answer>51</answer>\n<answer></answer>", "51"),
    ("<answer>51\n50</answer>", "51, 50"),
    ("<answer>51", None),
    ("<answer>51</answer> or <answer>", None),
    ("<answer>51</answer> Wait, no.", None),
    ("<answer>51</answer> The answer is 50.", None),
    ("<think><answer>51</answer> hm", None),
    ("<think><answer>51</answer></think> hm", None),
]


@pytest.mark.parametrize(
    ("completion", "answer"),
    UNDER_A_HEADING + IN_MARKUP + GOES_ON + ANNOUNCED + DISPLAYED + IN_TAGS,
)
def test_extract(completion, answer):
    assert extract(completion) == answer


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"$\boxed 7$", ["7"]),
        (r"$\boxed7$.", ["7"]),
        (r"\boxed x", ["x"]),
        (r"\boxed\pi", [r"\pi"]),
        (r"\[\boxed\frac12\]", [r"\frac12"]),
        (r"\(\boxed\sqrt{2}\)", [r"\sqrt{2}"]),
        (r"\boxed{3}, then $\fbox 7$", ["3", "7"]),
        (r"\boxed{x = \boxed 7}", [r"x = \boxed 7"]),
        (r"$\boxed 42$", []),
        (r"$\boxed 7 + 1$", []),
        (r"$\boxed x^2$", []),
        (r"$\boxed 7.5$", []),
        (r"\boxed 7 or 8", []),
        (r"\boxedx", []),
        (r"\boxed(7)", []),
    ],
)
def test_boxes_without_braces(text, found):
    assert boxes(text) == found


def test_what_a_sentence_goes_on_with_is_kept_apart():
    taken = said("**51** pages, so it is full. We check.")
    assert (taken.answer, taken.more, taken.rest) == ("51 pages", ", so it is full", " We check.")
