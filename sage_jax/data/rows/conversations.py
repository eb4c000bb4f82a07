"""Conversations in a column: the user's turn is the problem, the assistant's behind it a solution.

Turns are mappings of `role` and `content`, as chat templates take them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sage_jax.data.rows.row import RowError
from sage_jax.telling import brief

_SYSTEM = ("system", "developer")


class Conversation(NamedTuple):
    """What a conversation of one question says.

    Attributes:
        problem: the user's turn.
        solution: the assistant's behind it; empty if there is none.
        system: what goes before both; empty if nothing does.
    """

    problem: str
    solution: str = ""
    system: str = ""


def turns_of(value: Any) -> Any:
    """Turns as a list, where a reader gives their roles and contents as lists; else the value."""
    if not isinstance(value, Mapping):
        return value
    roles, texts = value.get("role"), value.get("content")
    if not isinstance(roles, list | tuple) or not isinstance(texts, list | tuple):
        return value
    if len(roles) != len(texts):
        return value
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of turns."""
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def read_conversation(turns: Sequence[Any]) -> Conversation:
    """A conversation with one question.

    Raises:
        RowError: a turn is none, has a role or content that is not read, or there are others than
            a system turn, one of the user, and one of the assistant, in this order.

    >>> read_conversation([{"role": "user", "content": "1 + 1?"}])
    Conversation(problem='1 + 1?', solution='', system='')
    """
    said = [_turn(turn, number) for number, turn in enumerate(turns, 1)]
    roles = [role for role, _ in said]
    texts = dict(said)
    if roles.count("user") > 1:
        raise RowError(
            f"is a conversation of {len(said)} turns, {roles.count('user')} of them the user's: "
            "only those of one question are read; leave it out by task.where or max_bad_share"
        )
    if [*dict.fromkeys(roles)] != roles or roles != [role for role in _ORDER if role in texts]:
        raise RowError(
            f"has turns of {', '.join(roles)}: one of the user is needed, perhaps behind one of "
            "the system and before one of the assistant"
        )
    if "user" not in texts:
        raise RowError(f"has no turn of the user, only of {', '.join(roles)}")
    return Conversation(texts["user"], texts.get("assistant", ""), texts.get("system", ""))


_ORDER = ("system", "user", "assistant")


def _turn(turn: Any, number: int) -> tuple[str, str]:
    """(role, text) of a turn."""
    if not (isinstance(turn, Mapping) and {"role", "content"} <= turn.keys()):
        has = f"it has {', '.join(map(str, turn))}" if isinstance(turn, Mapping) else brief(turn)
        raise RowError(f"has no `role` and `content` in turn {number} ({has})")
    role = "system" if turn["role"] in _SYSTEM else turn["role"]
    if role not in _ORDER:
        raise RowError(f"has the role {brief(role)} in turn {number}: {', '.join(_ORDER)} are read")
    return role, _content(turn["content"], number)


def _content(content: Any, number: int) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else [content]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    if len(texts) < len(parts) or not all(isinstance(text, str) for text in texts):
        raise RowError(f"has {brief(content)} as the content of turn {number}, which is no text")
    return "".join(texts)  # type: ignore[arg-type]
