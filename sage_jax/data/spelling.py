"""Text to token ids and back, where a control token is told from text that looks like one."""

import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sage_jax.rewards.thinking import is_tag


class Part(NamedTuple):
    """A stretch of text.

    Attributes:
        text: what it says.
        control: whether control tokens spelt in it are meant as such; text of a problem never is.
    """

    text: str
    control: bool = True


class Spelling:
    """The special tokens of a tokenizer, and text with and without them.

    Args:
        tokenizer: a transformers tokenizer; one without a `backend_tokenizer` has no special
            tokens.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        core: Any = getattr(tokenizer, "backend_tokenizer", None)
        added: dict[int, Any] = core.get_added_tokens_decoder() if core is not None else {}
        named = set(getattr(tokenizer, "all_special_ids", ()))
        self._added = {token.content: index for index, token in added.items()}
        self._special = {t.content for i, t in added.items() if t.special or i in named}
        self._hidden = {self._added[one] for one in self._special if not is_tag(one)}

    def ids(self, *parts: Part, frame: bool = False) -> list[int]:
        """Token ids of texts that follow each other.

        Those of the tokenizer itself, but where control tokens are spelt in a part in which they
        are not meant: there they are cut like any text.

        Args:
            parts: what to encode.
            frame: with the tokens that the tokenizer puts around any text.
        """
        text = "".join(part.text for part in parts)
        parts = tuple(_merged(parts))
        meant = sum(self._count(part.text) for part in parts if part.control)
        # Two parts may spell one between them.
        if self._count(text) == meant:
            return list(self._tokenizer(text, add_special_tokens=frame)["input_ids"])
        ids = self._told_apart(parts)
        return self._framed(ids) if frame else ids

    def solution(self, text: str) -> list[int]:
        """Token ids of a completion to imitate: of control tokens it may hold tags alone."""
        pieces = re.split(f"({self._tags.pattern})", text) if self._tags.pattern else [text]
        return self.ids(*(Part(piece, control=is_tag(piece)) for piece in pieces))

    def text(self, ids: Iterable[int]) -> str:
        """Ids as text, without special tokens but for the tags around thoughts and answers."""
        kept = [index for index in ids if index not in self._hidden]
        return self._tokenizer.decode(kept, skip_special_tokens=False)

    def shown(self, text: str) -> str:
        """Text without the special tokens that `text` leaves out."""
        hide = [one for one in self._special if self._added[one] in self._hidden]
        return _any_of(hide).sub("", text) if hide else text

    def spells(self, text: str) -> bool:
        """Whether a special token is spelt in a text."""
        return any(token in text for token in self._special)

    def token_at_start(self, text: str) -> int | None:
        """The added token that a text begins with, the longest if there are several."""
        found = [token for token in self._added if token and text.startswith(token)]
        return self._added[max(found, key=len)] if found else None

    def boundary(self, text: str, place: int) -> int:
        """The place in a text, or the start of the special token that it falls into."""
        for found in self._pattern.finditer(text) if self._special else ():
            if found.start() < place < found.end():
                return found.start()
        return place

    def last_hidden(self, text: str) -> int:
        """Where the last special token in a text ends that `text` leaves out; 0 without any."""
        found = self._pattern.finditer(text) if self._special else ()
        return max((one.end() for one in found if self._added[one[0]] in self._hidden), default=0)

    def name(self, index: int) -> str:
        """How a token is spelt."""
        core = getattr(self._tokenizer, "backend_tokenizer", None)
        return (core is not None and core.id_to_token(index)) or f"<token {index}>"

    def _told_apart(self, parts: Iterable[Part]) -> list[int]:
        disguised = "".join(
            self._pattern.sub(lambda found: self._disguises[found[0]], part.text)
            if part.control
            else part.text
            for part in parts
        )
        core, original = self._disguised
        ids: list[int] = core.encode(disguised, add_special_tokens=False).ids
        return [original.get(one, one) for one in ids]

    def _count(self, text: str) -> int:
        return len(self._pattern.findall(text)) if self._special else 0

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _any_of(self._special)

    @functools.cached_property
    def _tags(self) -> re.Pattern[str]:
        return _any_of(one for one in self._special if is_tag(one))

    @functools.cached_property
    def _disguises(self) -> dict[str, str]:
        """Names of special tokens that nobody types, from the private use area of Unicode."""
        return {one: f"\ue5a6{place}\ue5a7" for place, one in enumerate(sorted(self._special))}

    @functools.cached_property
    def _disguised(self) -> tuple[Any, dict[int, int]]:
        """The tokenizer with its special tokens renamed so, and what its ids mean."""
        from tokenizers import Tokenizer

        described = json.loads(self._tokenizer.backend_tokenizer.to_str())
        for token in described["added_tokens"]:
            token["content"] = self._disguises.get(token["content"], token["content"])
        core: Any = Tokenizer.from_str(json.dumps(described))
        # A name that the vocabulary does not know gets a new id.
        renamed = {self._disguises.get(one, one): index for one, index in self._added.items()}
        places: dict[Any, int] = {core.token_to_id(one): index for one, index in renamed.items()}
        return core, places

    def _framed(self, ids: list[int]) -> list[int]:
        with_frame, bare = (
            list(self._tokenizer("a", add_special_tokens=frame)["input_ids"])
            for frame in (True, False)
        )
        for start in range(len(with_frame)):
            end = start + len(bare)
            if with_frame[start:end] == bare:
                return with_frame[:start] + ids + with_frame[end:]
        return ids


def _merged(parts: Iterable[Part]) -> Iterator[Part]:
    """Neighbours of one kind as one part."""
    for control, group in itertools.groupby(parts, key=lambda part: part.control):
        yield Part("".join(part.text for part in group), control)


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Matches any of some tokens, the longest where one begins another."""
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))))


def joined(text: str, template: str, mark: str, contents: Sequence[str]) -> list[Part] | None:
    """A rendered text in parts: the template's own, and those that stand for `mark` in `template`.

    Args:
        text: as rendered.
        template: rendered with `mark` in the place of the content.
        mark: stands for the content.
        contents: forms that the content may have taken, for example without its outer spaces.

    Returns:
        Parts that are `text` when joined; None if no form fits.
    """
    pieces = template.split(mark)
    for content in contents:
        if len(pieces) > 1 and content.join(pieces) == text:
            parts = [Part(pieces[0])]
            for piece in pieces[1:]:
                parts += [Part(content, control=False), Part(piece)]
            return parts
    return None
