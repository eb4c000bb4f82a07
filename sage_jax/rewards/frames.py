"""Messages between the pool and its workers: a length, then JSON. Never pickle."""

import json
import struct
from typing import Any

HEADER = struct.Struct(">I")


def encode(message: dict[str, Any]) -> bytes:
    """Write a message as a frame; lone surrogates travel as JSON escapes."""
    body = json.dumps(message).encode("ascii")
    return HEADER.pack(len(body)) + body


def decode(buffer: bytes) -> dict[str, Any] | None:
    """Read the one frame in the buffer, or return None while it is incomplete."""
    if len(buffer) < HEADER.size:
        return None
    end = HEADER.size + HEADER.unpack_from(buffer)[0]
    return json.loads(buffer[HEADER.size : end]) if len(buffer) >= end else None
