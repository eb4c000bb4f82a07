# ruff: noqa: E501 (rows of examples)
r"""Completions without a box that must get nothing: quoted, taken back, several, or of another value.

Every kind returns rows (completion, gold[, question]), as those of `hostile`.
"""

# Of every way to state an answer; @ stands for what is stated.
ANNOUNCED = (
    "The answer is @.", "Answer: @", "**Answer:** @", "#### @", "**Final Answer**\n\n@", "### Answer\n@", "Final answer:\n@",
    "<answer>@</answer>", "The answer is **@**.", "The answer is $@$.", "The answer is:\n\\[\n@\n\\]", "Answer: `@`", "答案是 @。",
    "The correct answer is therefore @, so we are done.", "Final Answer\n=====\n\n@", "**Final Answer**\n\n- $@$",
)  # fmt: skip


def announced(values, golds=("42",)):
    return [
        (form.replace("@", value), gold) for gold in golds for value in values for form in ANNOUNCED
    ]


def other_values_stated():
    """Another value, two of them, a hedge or a condition, in every form."""
    of_42 = [
        "43", "-42", "420", "42 or 43", "42, 43", "42 and 43", "not 42", "about 42", "less than 42", "at most 42", "between 41 and 43",
        "42 million", "42 dozen", "42 if x > 0", "42 unless x = 0", "42?", "42 more than x", "42 times 2", "37 + 5", "42 plus 1",
        "42 at the most", "42 to the power of 2", "42/43", "42 hundred in total", "42 or so", "roughly 42", "42 thousand of the pages",
    ]  # fmt: skip
    return announced(of_42) + announced(["x", "x-1", "x+1 or x-1", "x+1, x"], ("x+1",))


def taken_back():
    after = [
        "Wait, that is wrong.", "No, it is 43.", "Hmm, let me check again.", "Actually 43.", "Sorry, I made a mistake.", "But x > 0, so 43.",
        "However, 43 fits better.", "Or 43.", "Oops.", "It should be 43.", "Correction: 43", "43", "$43$", "**43**", "(43)",
    ]  # fmt: skip
    forms = [form for form in ANNOUNCED if not form.endswith("@")] + [
        "Answer: @.",
        "#### @.",
        "**Final Answer**\n\n@.",
    ]
    return [(form.replace("@", "42") + "\n\n" + text, "42") for form in forms for text in after]


def not_said_by_the_text():
    """Supposed, quoted, or the answer of somebody else."""
    before = [
        "If", "Suppose", "Assume that", "Let us pretend", "Whether", "Bob says that", "Ada claimed", "It cannot be that", "I do not think",
        "Perhaps", "Maybe", "I doubt that", "It is not true that", "Twice", "Half of", "One more than", "The sum of the digits of",
    ]  # fmt: skip
    whose = [
        "The wrong answer is 42.", "Bob's answer is 42.", "A common wrong answer is 42.", "The other answer is 42.", "Your answer is 42.",
        "The student's final answer is 42.", "An incorrect answer: 42", "The expected answer is 42", "The previous answer was 42.",
        "The answer isn't 42.", "The answer is never 42.", "She wrote \"the answer is 42\" on it.", "> **Final Answer**\n> 42",
        "> The answer is 42.", "The sheet says:\n\n> ## Answer\n>\n> 42\n\nIt is old.", "The heading is \"Final Answer\"\n42",
        "The answer, which is 42, is wrong.", "The answer to that would be 42 if x were 0.", "Which answer is 42?", "answers are 42",
    ]  # fmt: skip
    return [(f"{text} the answer is 42.", "42") for text in before] + [
        (text, "42") for text in whose
    ]


def headings():
    """Quoted from the question, twice, too early, with several values, or with none."""
    texts = [
        "The question ends with\n\n**Final Answer**\n\n42\n\nwhich is a misprint for 43.", "**Answer**\n\n42\n\nThat was the example. Here it is 40 + 3 = 43.",
        "**Final Answer**\n\n42\n\n**Final Answer**\n\n43", "## Answer\n42\n\n## Answer\n43", "**Final Answer**\n\n**Work**\n\n42",
        "**Final Answer**\n\n42\n43", "**Final Answer**\n\n42\n\n43", "**Final Answer**\n\n1. 42\n2. 43", "**Final Answer**\n\n- 42\n- 43",
        "**Final Answer**\n\n(a) 42\n(b) 43", "**Final Answer**\n\nx = 42\ny = 43", "**Final Answer**\n\n| 42 | 43 |", "**Final Answer**\n\n[number]\n\n42",
        "**Final Answer**", "**Final Answer**\n\n", "42\n\n**Final Answer**", "**Final Answer** is what they want, 42", "# Answers\n\n42",
        "**Final Answer**\n\nThere are **42** boys and **1** girl.", "**Final Answer**\n\nIt is not **42**.", "**Final Answer**\n\nHalf of it is **42**.",
        "**Final Answer**\n\nLess than it has $42$.", "**Final Answer**\n\nThe remainder of this is **42**.", "**Final Answer**\n\nAda has **42**. Bob has **43**.",
        "**Final Answer**\n42\n" + "x" * 2000, "**Steps**\n\n42", "**Final Answer**\n\n> 42", "**Final Answer**\n\n42 is on the sheet.\n\nI get more.",
    ]  # fmt: skip
    ones = ["**Final Answer**\n\n1. Forty-two", "Answer:\n1. Add both.", "### Answer\n\n1) C"]
    minus = ["**Final Answer**\n\n- 42", "Answer:\n- 42", "**Final Answer**\n\n* 42"]
    return [(t, "42") for t in texts] + [(t, "1") for t in ones] + [(t, "-42") for t in minus]


def tags():
    """Inside a thought, unclosed, several, empty, or about the tags themselves."""
    texts = [
        "<think><answer>42</answer>", "<think><answer>42</answer></think>", "<think><answer>42</answer></think> So it goes.", "<answer>42",
        "42</answer>", "<answer>42<answer>", "</answer>42<answer>", "<answer></answer> 42", "<answer>42</answer> No: <answer>43</answer>",
        "<answer>42</answer><answer>43</answer>", "<answer>42</answer> Wait, no.", "<answer>42</answer> <answer>43", "<answer>42, 43</answer>",
        "<answer>42\n43</answer>", "<answer>42 43</answer>", "<answer>4\n2</answer>", "<answer>I think of 42 things</answer>", "<answer>42</answer>\n\n43",
        "<answer>42</answer> The answer is 43.", "<answer>42</answer> so \\boxed{43}", "\\boxed{42} <answer>43</answer>", "<answers>42</answers>",
        "<answer>\\boxed{43}</answer>", "<answer>42 \\boxed{43}</answer>", "<answer><think>42</answer>", "<answer>43</answer><think>42</think>",
        "I write <answer> and </answer> around it: 42", "<solution>42</solution>", "[answer]42[/answer]", "<answer>If the answer is 42, x = 0</answer>",
        "<answer>The answer is 42. Wait, no.</answer>", "<answer>" + "42 " * 900 + "</answer>", "<answer>It cannot be **42**.</answer>",
    ]  # fmt: skip
    return [(t, "42") for t in texts]


def choices():
    """A letter sprayed over all choices, or taken from a word."""
    sprayed = [
        "A, B, C, D", "(A) (B) (C) (D)", "A B C D", "A/B/C/D", "A. B. C. D.", "A or B", "A and C", "ABCD", "(A), (B), (C), (D)", "A) B) C) D)",
        "A; B; C; D", "not A", "A, or C", "either A or C", "A|B|C|D", "all of A, B, C, D", "A-D", "A to D", "none of A, B, C", "E",
    ]  # fmt: skip
    lines = [
        "Answer: A\nB\nC\nD", "**Answer**\n\nA\n\nB\n\nC", "**Answer**\n\n- A\n- B\n- C\n- D", "Answer: A\n\n(C)", "Answer: (A)\n(B)\n(C)",
        "Answer: D\n\nWait: C, or A", "The correct option is A or C.", "The correct option is not C.", "The correct option is one of A, B, C.",
        "<answer>A</answer><answer>B</answer><answer>C</answer><answer>E</answer>", "A common wrong answer is C.", "A answer C", "Answer choices: C",
        "Answer: Can it be?", "Answer: C or so", "The correct choice is between A and C.", "#### A B C",
    ]  # fmt: skip
    golds = ("A", "C", r"\text{(C)}")
    return announced(sprayed, golds) + [(t, gold) for t in lines for gold in golds]


def boxes_without_braces():
    texts = [
        r"\boxed 4 2", r"$\boxed 42$", r"$\boxed42$", r"\boxed 4", r"$\boxed -42$", r"\boxed$42$", r"$\boxed 42 + 1$", r"\boxed", r"$\boxed x = 42$",
        r"\boxedd 42", r"$\boxed 4^2$", r"$\boxed\frac{42}1 2$", r"$\boxed{43}$ or $\boxed 42$", r"<think>$\boxed 4$</think>", r"$\fbox 42$",
    ]  # fmt: skip
    fours = [
        r"$\boxed 42$",
        r"\boxed 4 or 5",
        r"$\boxed 4 + 1$",
        r"$\boxed 4.5$",
        r"$\boxed 4,200$",
        r"$\boxed 4!$",
        r"$\boxed 4^2$",
        r"$\boxed 4_8$",
        r"$\boxed 4x$",
    ]
    return [(t, "42") for t in texts] + [(t, "4") for t in fours]


def endless():
    """Megabytes of what announces, opens and marks."""
    pieces = ["**", "`", "_", "__", "<answer>", "<answer></answer>", "<answer>4</answer>", "**Final Answer**\n", "Answer:\n", "- 4\n", "A. ", "the answer is ",
              r"\boxed 4 ", r"\(", r"\[", "$ ", "$4", "answer to the x ", ", so ", " in total", "> ", "(", "if the answer is ", "```\n", "答案是", "1. "]  # fmt: skip
    long = [(piece * 60_000)[:200_000] for piece in pieces]
    return [(t, "42") for t in long] + [(f"<answer>{t[:40_000]}</answer>", "42") for t in long]


KINDS = (
    other_values_stated, taken_back, not_said_by_the_text, headings, tags, choices, boxes_without_braces, endless,
)  # fmt: skip
