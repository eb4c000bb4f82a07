"""The tokenizer of a Hugging Face folder: the ids are those of its `tokenizer.json`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_jax.models.errors import ModelError
from sage_jax.models.safetensors_file import read_json
from sage_jax.telling import brief, line

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_log = logging.getLogger("sage_jax.models")

_JSON, _SETTINGS = "tokenizer.json", "tokenizer_config.json"
_FILES = (_JSON, _SETTINGS, "tokenizer.model", "vocab.json")
_NAMED = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


def folder_tokenizer(folder: Path) -> PreTrainedTokenizerFast | None:
    """The tokenizer of a folder, or None if it holds none.

    `tokenizer.json` is read as it is. The class that `tokenizer_config.json` names may cut text
    into words in a way of its own (Transformers 5), which the model was not trained with.

    Raises:
        ModelError: Its files are there but cannot be read.
    """
    if not any((folder / name).exists() for name in _FILES):
        return None
    try:
        if not (folder / _JSON).exists():
            return _of_its_class(folder)
        return _read(folder)
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception on damaged files
        raise ModelError(f"the tokenizer in {folder} cannot be read: {line(error)}") from error


def _of_its_class(folder: Path) -> Any:
    """Of older files, from which Transformers builds a fast tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_fast=True
    )


def _read(folder: Path) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer.from_file(str(folder / _JSON))
    # Settings of a training run that files sometimes keep: they would cut or fill what is encoded.
    core.no_truncation()
    core.no_padding()
    if getattr(core.model, "dropout", None):
        core.model.dropout = None  # Of merges, at random: the same text would get other ids.
    settings = _optional(folder / _SETTINGS)
    _tell_other_class(core, settings.get("tokenizer_class"))
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        chat_template=_template(folder, settings),
        clean_up_tokenization_spaces=False,
        **_named(core, _optional(folder / "special_tokens_map.json") | settings),
    )


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _named(core: Tokenizer, settings: Mapping[str, Any]) -> dict[str, str]:
    """The tokens with a name, such as `eos_token`, that the vocabulary has."""
    found = {}
    for name in (f"{one}_token" for one in _NAMED):
        token = settings.get(name)
        token = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(token, str) and core.token_to_id(token) is not None:
            found[name] = token
        elif token:
            _log.warning(
                "%s names %s %s, which is not in %s: left out", _SETTINGS, name, brief(token), _JSON
            )
    return found


def _template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """The chat template, from the newest of the places where Transformers has kept it."""
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template") or _optional(folder / "chat_template.json").get(
        "chat_template"
    )
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
        if template is None:
            raise ModelError(
                f"the chat templates in {folder} are named {', '.join(map(brief, named))}; one "
                "must be named 'default'"
            )
    if template is not None and not isinstance(template, str):
        raise ModelError(f"chat_template in {folder} is {brief(template)}; it must be text")
    return template or None


def _tell_other_class(core: Tokenizer, name: Any) -> None:
    """Say so where the class named would cut text in another way than the file does."""
    parts = _cutting(_small(name))
    if parts is not None and parts != _cutting(core):
        _log.warning(
            "%s names %s, which would cut text in another way; the ids are those of %s",
            _SETTINGS,
            name,
            _JSON,
        )


def _small(name: Any) -> Tokenizer | None:
    """What a class of Transformers builds for a vocabulary of one token, if it builds anything."""
    import transformers

    base = transformers.PreTrainedTokenizerFast
    kind = getattr(transformers, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not issubclass(kind, base) or kind is base:
        return None
    try:
        return kind(vocab={"a": 0}, merges=[]).backend_tokenizer
    except Exception:  # It wants other arguments, and before version 5 takes what the file says.
        return None


def _cutting(core: Tokenizer | None) -> dict[str, Any] | None:
    if core is None:
        return None
    parts = (core.normalizer, core.pre_tokenizer)
    return {str(i): part and json.loads(part.__getstate__()) for i, part in enumerate(parts)}
