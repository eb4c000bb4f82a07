"""Where a model's thoughts end: tags of many models, and what follows them."""

import re

_WORDS = r"think|thinking|thought|thoughts|reason|reasoning|seed:think|longcat_think"
# (opening, closing) of each kind; text in one kind of tag is closed by that kind alone.
_FORMS = (
    rf"<(?P<a>/?)(?P<b>{_WORDS})>",  # DeepSeek R1, Qwen 3 and most others
    r"\[(?P<c>/?)THINK\]",  # Magistral
    r"<\|(?P<d>begin|end)_of_thought\|>",  # Sky-T1, OpenThinker
    r"<\|(?P<e>START|END)_THINKING\|>",  # Command A Reasoning
    r"◁(?P<f>/?)think▷",  # Kimi
)
_TAGS = re.compile("|".join(_FORMS))
_ANSWER = re.compile(r"</?answer>|<\|(?:begin|end)_of_(?:solution|answer)\|>|</?solution>")


def after_thinking(completion: str) -> str | None:
    """Return what follows the last thought; None if a thought was opened and never closed.

    A closing tag counts without an opening one too, since the prompt may have held that.

    >>> after_thinking("so 7?</think>It is 8.")
    'It is 8.'
    >>> after_thinking("<think>so 7?</thinking>It is 8.") is None
    True
    """
    opened, end = None, 0
    for tag in _TAGS.finditer(completion):
        kind, closes = _kind(tag)
        if not closes:
            opened = opened or kind
        elif opened in (None, kind):
            opened, end = None, tag.end()
    return None if opened else completion[end:]


def is_tag(token: str) -> bool:
    """Whether a token is a tag around thoughts or answers, and so belongs to what is judged.

    >>> is_tag("</think>"), is_tag("<|im_end|>")
    (True, False)
    """
    return bool(_TAGS.fullmatch(token) or _ANSWER.fullmatch(token))


def first_opening(text: str) -> int | None:
    """Return where the first thought opens, or None if none does."""
    places = (tag.start() for tag in _TAGS.finditer(text) if not _kind(tag)[1])
    return next(places, None)


def _kind(tag: re.Match[str]) -> tuple[str, bool]:
    """The name of a tag, and whether it closes."""
    slash, word = tag["a"], tag["b"]
    if word:
        return word, bool(slash)
    for name in "cdef":
        if tag[name] is not None:
            return name, tag[name] in ("/", "end", "END")
    raise AssertionError(f"no group of {tag[0]!r} has matched")
