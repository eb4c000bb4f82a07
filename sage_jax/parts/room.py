"""A room: where the parts of one kind live."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from sage_jax.parts.modules import functions


@dataclasses.dataclass(frozen=True)
class Room:
    """Where the parts of a kind live.

    Attributes:
        kind: the word for one of them.
        module: that holds them: all in `__all__`, or every public function it defines; empty where
            there are none of ours.
        suffix: of the functions' names, which a config leaves away.
        given: arguments that the trainer gives to whoever asks for them by name, and that may not
            stand in a config.
        data: names of these; a function that asks for one of them may ask for columns of the data
            too, which are what it takes positionally and no config gives.
        asked: names of these, of which a function has to ask for one that takes anything
            positionally and not from the config.
        field: of the config, that names the part.
    """

    kind: str
    module: str = ""
    suffix: str = ""
    given: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    field: str = ""

    def names(self) -> list[str]:
        """What a config may call them."""
        if not self.module:
            return []
        module = importlib.import_module(self.module)
        public = getattr(module, "__all__", None) or functions(module)
        return sorted(n.removesuffix(self.suffix) for n in public if n.endswith(self.suffix))

    def get(self, name: str) -> Callable[..., Any]:
        """The function behind one of `names`."""
        return getattr(importlib.import_module(self.module), name + self.suffix)
