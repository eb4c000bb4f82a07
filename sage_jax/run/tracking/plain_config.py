"""The config of a run as trackers are told it: nothing in it that could be a key."""

import re
from typing import Any

from sage_jax import config as configs

_KEYS = re.compile(r"(^|_)(key|token|secret|password|credentials?|auth)$", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def plain_config(config: configs.Config) -> dict[str, Any]:
    """All of a config but its listeners, whose arguments may be addresses that nobody is to know.

    Arguments of parts that are named as keys are, `api_key` say, are left out, and so is what
    stands before the @ of an address.
    """
    return _plain(config.model_dump(mode="json", exclude={"listeners"}))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if not _KEYS.search(name)}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _LOGIN.sub("", value) if isinstance(value, str) else value
