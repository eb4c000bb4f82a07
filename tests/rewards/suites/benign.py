# ruff: noqa: E501 (rows of examples)
r"""Completions as models write them: right answers in many formats, and plain wrong ones.

Everything is made from problems with golds. The formats are picked by what the gold looks like, and
values are worked out here with fractions and strings alone, without the code under test.
"""

import json
import random
import re
from fractions import Fraction
from itertools import cycle

from suites.case import Case

FRAMES = (
    r"So the answer is $\boxed{@}$.",
    "First we add.\n\n\\[\n\\boxed{@}\n\\]",
    r"<think>Is it \boxed{17}? No.</think>Therefore \boxed{@}",
    r"hm, perhaps \boxed{0}</think>We get $$\boxed{@}.$$ I hope it is correct.",
    r"At first \boxed{0}, but then **\boxed {@}**",
    "Final answer:\n\\fbox{@}\n",
    r"The final answer is 17. Hm, no: $x = \boxed{@}$",
    r"$\boxed{\boxed{@}}$",
    "The steps:\n1. Add $2+2=4$.\n2. Done.\n\nThe answer is \\( \\boxed{ @ } \\).",
)
STATED = (
    "So we are done. The answer is $@$.", "Adding up.\n#### @", "**Answer:** @", "The final answer is: @", "Final answer: $@$",
    "<think>The answer is 17.</think>The answer is \\(@\\). I hope it is correct.", "**Final Answer**\n\n@", "### Final Answer\n$@$",
    "Step by step.\n\n## Answer:\n\\[\n@\n\\]\n", "The answer is:\n$$\n@\n$$", "<think>17</think>\n<answer>@</answer>",
    "<answer>\n$@$\n</answer><|im_end|>", "So, **the answer is $@$**, since nothing else fits.", "The answer is \\(@\\), so we are done.",
    "Therefore the correct answer is **@**!", "**Final Answer:**\n\n> So it was.\n\nAnswer: `@`", "\\boxed{17}? <answer> @ </answer>",
    "Final Answer\n------------\n\n**\\(@\\)**\n\nLet me know if you have questions!", "答案是 $@$。",
)  # fmt: skip
# Formats that are expressions a question may ask to be simplified.
QUOTABLE = {"one root", "cdot root", "power root", "terms reversed", "explicit product"}


def load(path):
    """Problems of a JSON Lines file as dictionaries."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def right(problems, *, per_gold=4, seed=0):
    """Completions that give the gold in another format; `per_gold` of the formats of each gold."""
    generator, frames, stated = random.Random(seed), cycle(FRAMES), cycle(STATED)
    cases = []
    for problem in problems:
        gold = problem["answer"]
        # What stands in the question already would be copied from it.
        asked = problem["problem"].replace(" ", "")
        formats = sorted({(form, text) for form, text in variants(gold)
                          if form not in QUOTABLE or text.replace(" ", "") not in asked})  # fmt: skip
        for form, text in generator.sample(formats, min(per_gold, len(formats))):
            frame = next(frames) if generator.random() < 0.85 else next(stated)
            name = f"{form}:{problem['id']}"
            cases.append(Case(name, frame.replace("@", text), gold, 1.0, problem["problem"]))
    return cases


def wrong(problems, *, per_gold=2, seed=0):
    """Completions that give another answer: a perturbed number or the gold of another problem."""
    generator, frames = random.Random(seed), cycle(FRAMES)
    golds = [problem["answer"] for problem in problems]
    cases = []
    for problem in problems:
        gold = problem["answer"]
        others = [other for other in generator.sample(golds, 4) if key(other) != key(gold)]
        for text in [*perturbed(gold), *others][:per_gold]:
            text = next(frames).replace("@", text)
            cases.append(Case(f"wrong:{problem['id']}", text, gold, 0.0, problem["problem"]))
    return cases


def key(gold):
    """Golds with one key may be equal in value."""
    number = exact(gold)
    if number is not None:
        return number
    text = re.sub(r"\s|\\!|\\left|\\right|\^\\circ|\^\{\\circ\}|\\\$|,(?=\d{3}\b)", "", gold)
    return re.sub(r"^[a-zA-Z](=|\\in)", "", text).replace("dfrac", "frac").replace("tfrac", "frac")


def exact(gold):
    """The value of a plain number, else None."""
    text = re.sub(r"\\!\s*|(?<=\d),(?=\d{3}\b)|^\\\$|^x=|\^\\circ$", "", gold.strip())
    match = re.fullmatch(r"(-?)\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", text)
    if match:
        return Fraction(int(match[1] + "1") * int(match[2]), int(match[3]))
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text):
        return Fraction(text)
    return None


def perturbed(gold):
    number = exact(gold)
    if number is None:
        return []
    if number.denominator == 1 and abs(number) < 10**15:
        return [str(number + 1), str(number * 10 + 3), str(-number - 1)]
    return [decimal(number * Fraction(11, 10) + 1), decimal(number + 1)]


def variants(gold):
    """(name of the format, text) pairs, all equal in value to the gold."""
    yield "same", gold
    yield "spaced", f" {gold} "
    yield "dollars", f"${gold}$"
    yield "full stop", f"{gold}."
    if "=" not in gold and r"\in" not in gold:
        yield "label", f"x = {gold}"
    number = exact(gold)
    if number is not None and re.fullmatch(r"[-+\d.e]+", gold):
        yield from numbers(gold, number)
    elif number is not None and "frac" in gold:
        yield from fractions(number)
    yield from latex(gold)


def numbers(gold, number):
    """Of a gold such as 42, -3.5 or 4.5e33."""
    whole = number.denominator == 1
    yield "signed math", f"${gold}$ "
    yield "text", rf"\text{{{gold}}}"
    yield "named", rf"\text{{Total}} = {gold}"
    yield "function", f"f(2) = {gold}"
    if "e" in gold:
        mantissa, exponent = gold.split("e")
        yield "times ten", rf"{mantissa} \times 10^{{{int(exponent)}}}"
        yield "cdot ten", rf"{mantissa}\cdot 10^{{{int(exponent)}}}"
        yield "unicode ten", f"{mantissa} × 10^{{{int(exponent)}}}"
        yield "capital E", f"{mantissa}E{exponent}"
        yield "scientific unit", rf"{mantissa} \times 10^{{{int(exponent)}}} \text{{ kg}}"
        return
    for unit in (r"\text{ cm}", r"\text{ dollars}", r"\ \text{apples}", r" \text{ miles per hour}", r"^\circ", r"\text{ units}",
                 r"\mathrm{~m}", r"\text{ cm}^2", " students", r"\text{ km/h}", r"\,\text{hours}", r"^{\circ}", r"\text{ square feet}"):  # fmt: skip
        yield "unit", gold + unit
    yield "bold", rf"\textbf{{{gold}}}"
    if number >= 0:
        yield "currency", rf"\${gold}"
        yield "plain currency", f"€{gold}"
    if number >= 1:
        yield "percent sign", rf"{gold}\%"
    if whole:
        yield from integers(int(number))
    else:
        yield from decimals(number)


def integers(number):
    yield "decimal zero", f"{number}.0"
    yield "decimal zeros", f"{number}.00"
    yield "equality", f"{number - 7} + 7 = {number}"
    if number >= 0:
        yield "plus", f"+{number}"
    if abs(number) >= 1000:
        yield "thousands", f"{number:,}"
        yield "thousands space", f"{number:,}".replace(",", r"\,")
        yield "thousands brace", f"{number:,}".replace(",", "{,}")
        yield "thousands thin", f"{number:,}".replace(",", r",\!")


def decimals(number):
    if number.denominator < 10**6:
        yield "as fraction", rf"\frac{{{number.numerator}}}{{{number.denominator}}}"
        yield "as quotient", f"{number.numerator}/{number.denominator}"
    yield "trailing zero", decimal(number) + "0"
    yield "percent of it", rf"{decimal(number * 100)}\%"


def fractions(number):
    sign, top, bottom = "-" if number < 0 else "", abs(number.numerator), number.denominator
    yield "frac", rf"{sign}\frac{{{top}}}{{{bottom}}}"
    yield "dfrac", rf"{sign}\dfrac{{{top}}}{{{bottom}}}"
    yield "tfrac", rf"{sign}\tfrac{{{top}}}{{{bottom}}}"
    yield "slash", f"{sign}{top}/{bottom}"
    yield "spaced slash", f"{sign}{top} / {bottom}"
    yield "not reduced", rf"{sign}\frac{{{2 * top}}}{{{2 * bottom}}}"
    yield "sign inside", rf"\frac{{{sign}{top}}}{{{bottom}}}"
    if top < 10 and bottom < 10:
        yield "short frac", rf"{sign}\frac{top}{bottom}"
    if top > bottom > 1:
        yield "mixed", rf"{sign}{top // bottom}\frac{{{top % bottom}}}{{{bottom}}}"
        yield "mixed words", f"{sign}{top // bottom} {top % bottom}/{bottom}"
    if exact_decimal := decimal(number):
        yield "decimal", exact_decimal
        yield "fraction = decimal", rf"{sign}\frac{{{top}}}{{{bottom}}} = {exact_decimal}"
        yield "percent", rf"{decimal(number * 100)}\%"
        yield "percent word", f"{decimal(number * 100)} percent"
    else:
        about = f"{float(number):.4f}"
        yield "with approximation", rf"{sign}\frac{{{top}}}{{{bottom}}} \approx {about}"


def decimal(number):
    """A decimal that is exactly the number, "" if there is none."""
    bottom = number.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    if bottom != 1:
        return ""
    places = 0
    while (number * 10**places).denominator != 1:
        places += 1
    digits = f"{abs(int(number * 10**places)):0{places + 1}d}"
    text = digits[: len(digits) - places] + ("." + digits[len(digits) - places :] if places else "")
    return ("-" if number < 0 else "") + text


def latex(gold):
    """Rewritings of the LaTeX that leave the value alone."""
    if r"\frac" in gold and r"\dfrac" not in gold:
        yield "dfrac inside", gold.replace(r"\frac", r"\dfrac")
        yield "tfrac inside", gold.replace(r"\frac", r"\tfrac")
    if re.match(r"^[(\[].*[)\]]$", gold) and r"\cup" not in gold:
        yield "left right", rf"\left{gold[0]}{gold[1:-1]}\right{gold[-1]}"
        yield "big", rf"\big{gold[0]}{gold[1:-1]}\big{gold[-1]}"
        if "," in gold and r"\left" not in gold:
            yield "commas spaced", re.sub(r"\s*,\s*", r" ,\\ ", gold)
            yield "member", rf"x \in {gold}"
    if r"\left" in gold:
        yield "no left right", gold.replace(r"\left", "").replace(r"\right", "")
    if re.fullmatch(r"-?\d+(,\s*-?\d+)+", gold) and not re.fullmatch(r"-?\d{1,3}(,\d{3})+", gold):
        parts = re.split(r",\s*", gold)
        yield "reversed", ", ".join(reversed(parts))
        yield "set", r"\{" + ",".join(parts) + r"\}"
        yield "and", ", ".join(parts[:-1]) + r" \text{ and } " + parts[-1]
        yield "or", " or ".join(parts)
        yield "labels", ", ".join(f"x = {part}" for part in parts)
    if match := re.fullmatch(r"(\d*)\s*\\sqrt\{?(\d+)\}?", gold):
        factor, radicand = match[1] or "1", match[2]
        yield "one root", rf"\sqrt{{{int(factor) ** 2 * int(radicand)}}}"
        yield "cdot root", rf"{factor} \cdot \sqrt{{{radicand}}}"
        yield "power root", rf"{factor} \cdot {radicand}^{{1/2}}"
        yield "unicode root", f"{match[1]}√{radicand}"
        yield "root unit", rf"{gold} \text{{ cm}}"
    if match := re.fullmatch(r"(\d+)\s*\\pi", gold):
        yield "pi first", rf"\pi \cdot {match[1]}"
        yield "unicode pi", f"{match[1]}π"
        yield "pi unit", rf"{gold} \text{{ square units}}"
    if match := re.fullmatch(r"([^{}]+?)\s*\\pm\s*(.+)", gold):
        yield "both signs", f"{match[1]} + {match[2]}, {match[1]} - {match[2]}"
        yield "plus-minus with x", rf"x = {gold}"
    if re.fullmatch(r"[a-zA-Z0-9]+( [-+] [a-zA-Z0-9]+)+", gold):
        terms = re.findall(r"([-+]?)\s*([a-zA-Z0-9]+)", gold)
        backwards = "".join((sign or "+") + term for sign, term in reversed(terms))
        yield "terms reversed", backwards.lstrip("+")
    if re.fullmatch(r"[-+ 0-9a-zA-Z^{}]+", gold) and re.search("[-+]", gold[1:]):
        yield "no spaces", gold.replace(" ", "")
        yield "parentheses", f"({gold})"
    if match := re.fullmatch(r"\\text\{\(?(\w+)\)?\}", gold):
        yield "bare word", match[1]
        yield "bold word", rf"\textbf{{{match[1]}}}"
        yield "word in brackets", rf"(\text{{{match[1]}}})"
        yield "word stop", rf"\text{{{match[1]}}}."
    if match := re.fullmatch(r"(.+)\^\\circ", gold):
        yield "no degrees", match[1]
        yield "degree words", rf"{match[1]} \text{{ degrees}}"
        yield "degree braces", rf"{match[1]}^{{\circ}}"
        yield "degree character", f"{match[1]}°"
    if match := re.fullmatch(r"(\w+)_\{?(\d+)\}?", gold):
        yield "base braces", f"{match[1]}_{{{match[2]}}}"
        yield "base text", rf"{match[1]}_{{\text{{{match[2]}}}}}"
    if "pmatrix" in gold:
        yield "bmatrix", gold.replace("pmatrix", "bmatrix")
        yield "matrix fractions", re.sub(r"(\d+)/(\d+)", r"\\frac{\1}{\2}", gold)
        yield "matrix tight", gold.replace(r" \\ ", r"\\").replace(" & ", "&")
    if match := re.fullmatch(r"([a-z])\s*(?:=|\\in)\s*(.+)", gold):
        yield "no label", match[2]
    if match := re.fullmatch(r"\\\$(.+)", gold):
        yield "no currency", match[1]
        yield "currency words", rf"{match[1]} \text{{ dollars}}"
        yield "no thousands", gold.replace(r",\!", "")
    if match := re.fullmatch(r"([\d.]+)\s*\\(?:mbox|text)\{\s*(\w+)\s*\}(.*)", gold):
        yield "no unit", match[1]
        yield "mathrm", rf"{match[1]}\ \mathrm{{{match[2]}}}{match[3]}"
        yield "bare unit", f"{match[1]} {match[2]}{match[3]}"
    if "^{" in gold:
        yield "spaces in braces", gold.replace("^{", "^{ ")
    if re.search(r"\d\\sqrt", gold):
        yield "explicit product", re.sub(r"(\d)\\sqrt", r"\1 \\cdot \\sqrt", gold)
