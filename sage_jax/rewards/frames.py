"""Messages between the pool and its workers: a length, then JSON. Never pickle."""

import json
import struct
from collections.abc import Mapping
from typing import Any

HEADER = struct.Struct(">I")


def encode(message: Mapping[str, Any]) -> bytes:
    """Write a message as a frame; lone surrogates travel as JSON escapes.

    Raises:
        TypeError, ValueError: of what JSON does not hold.
    """
    body = json.dumps(message).encode("ascii")
    return HEADER.pack(len(body)) + body


def decode(buffer: bytes) -> dict[str, Any] | None:
    """Read the one frame in the buffer, or return None while it is incomplete.

    Raises:
        ValueError: if it holds no JSON object.
    """
    if len(buffer) < HEADER.size:
        return None
    end = HEADER.size + HEADER.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    message = json.loads(buffer[HEADER.size : end])
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    return message
