"""Models put onto the Hugging Face hub."""

import re
from pathlib import Path
from typing import Any

from sage_jax.config import ConfigError
from sage_jax.paths import local_copy
from sage_jax.telling import OneLine, UserError, brief

_NAME = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


class PushError(OneLine, UserError):
    """The hub does not take a model; the message says why, and never the token."""


def refuse_unready(name: str) -> None:
    """Ask the hub who we are, before anything is loaded for it.

    Raises:
        ConfigError: the name is not of the form ORG/NAME.
        PushError: there is no token, no network, or the hub does not know the token.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--push is {brief(name)}; it must be ORG/NAME, as on the hub")
    if not _token():
        raise PushError(f"--push {name}: no token of the hub: set HF_TOKEN, or run `hf auth login`")
    try:
        _api().whoami()
    except Exception as error:  # offline, refused, timed out: a dozen classes of three libraries
        raise PushError(f"--push {name}: the hub does not answer us ({_said(error)})") from None


def push(folder: Path, name: str) -> str:
    """Upload a folder as a model, made if it is not there, and return where it lies.

    Raises:
        PushError: the hub does not take it, or the folder cannot be read; it stays where it is.
    """
    api = _api()
    try:
        with local_copy(folder, ["*"]) as local:
            api.create_repo(name, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=str(local))
    except Exception as error:
        raise PushError(
            f"--push {name}: not uploaded ({_said(error)}); {folder} is there and whole"
        ) from None
    return f"https://huggingface.co/{name}"


def _api() -> Any:
    import huggingface_hub

    return huggingface_hub.HfApi()


def _token() -> str | None:
    import huggingface_hub

    return huggingface_hub.get_token()


def _said(error: Exception) -> str:
    text, token = " ".join(str(error).split()), _token()
    text = text.replace(token, "...") if token else text
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
