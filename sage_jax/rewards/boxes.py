r"""Boxes: what `\boxed{...}` and `\fbox{...}` hold. One linear pass, nothing is parsed."""

import re

# TeX takes one token where no brace stands; a fraction or a root brings its arguments along.
_ARGUMENT = r"(?:\{[^{}]{1,40}\}|[0-9A-Za-z])"
_TOKEN = (
    rf"\\[dtc]?frac\s?{_ARGUMENT}\s?{_ARGUMENT}|\\sqrt\s?{_ARGUMENT}"
    r"|\\(?:text|mathrm|mathbf|textbf)\{[^{}]{1,40}\}|\\[a-zA-Z]{1,20}|(?<![A-Za-z])[A-Za-z]|\d"
)
# Only where nothing follows that may belong to it: `\boxed 42` is a box of 4 to TeX, and none here.
_ALONE = r"(?=\s{0,8}(?:\Z|\n|\$|\\[)\]]|[.,;](?:\s|\Z)))"
_BRACES = re.compile(
    rf"\\(?:boxed|fbox)\s{{0,8}}(?:\{{|(?P<token>{_TOKEN}){_ALONE})|\\.|[{{}}]", re.DOTALL
)


def boxes(text: str) -> list[str]:
    r"""Return the contents of the balanced, outermost `\boxed{...}`, in order.

    A box inside another belongs to the outer one, `\boxed {...}`, `\fbox{...}` and one token
    without braces (`\boxed 7`, `\boxed\frac12`) count as well, escaped braces `\{` do not open or
    close anything, and a box that never closes is no box.

    >>> boxes(r"\boxed{1}, \boxed{\frac{1}{2}} and \boxed{3"), boxes(r"$\boxed 7$")
    (['1', '\\frac{1}{2}'], ['7'])
    """
    return [content for _, content in placed_boxes(text)]


def placed_boxes(text: str) -> list[tuple[int, str]]:
    """The contents of `boxes`, each with the place where its box begins."""
    opened: list[tuple[int, int, bool]] = []
    found: list[tuple[int, str]] = []
    for match in _BRACES.finditer(text):
        token = match.group()
        if match["token"]:
            found.append((match.start(), match["token"]))
        elif token.endswith("{") and token != r"\{":
            opened.append((match.start(), match.end(), len(token) > 1))
        elif token == "}" and opened:
            start, end, is_box = opened.pop()
            if is_box:
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, text[end : match.start()]))
    return found


def unnested(answer: str) -> str:
    r"""Take `\boxed{\boxed{7}}` for 7.

    >>> unnested(r"\boxed{7}"), unnested(r"x = \boxed{7}")
    ('7', 'x = \\boxed{7}')
    """
    inner = boxes(answer)
    alone = len(inner) == 1 and re.fullmatch(r"\\(?:boxed|fbox)\s{0,8}\{.*\}", answer, re.DOTALL)
    return inner[0].strip() if alone and answer.endswith(inner[0] + "}") else answer
