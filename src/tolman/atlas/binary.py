"""Many numbers in one answer: a head of JSON and arrays after it, which a browser uses without parsing.

4 bytes     "TLM1"
4 bytes     length of the head, little-endian
head        JSON, padded with spaces to a multiple of 8: {"arrays": {NAME: {"type", "offset", "length"}}, ...}
arrays      little-endian, each at a multiple of 8 from the end of the head
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"TLM1"
_TYPES = {"float32": "<f4", "uint8": "<u1", "uint16": "<u2", "int32": "<i4"}


def pack(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """`facts` and `arrays` as one message."""
    described, parts, offset = {}, [], 0
    for name, array in arrays.items():
        kind = array.dtype.name
        content = np.ascontiguousarray(array.astype(_TYPES[kind], copy=False)).tobytes()
        described[name] = {"type": kind, "offset": offset, "length": int(array.size)}
        content += b"\0" * (-len(content) % 8)
        parts.append(content)
        offset += len(content)
    head = json.dumps({**facts, "arrays": described}, ensure_ascii=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([MAGIC, len(head).to_bytes(4, "little"), head, *parts])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Inverse of `pack`."""
    assert message[:4] == MAGIC
    start = 8 + int.from_bytes(message[4:8], "little")
    facts = json.loads(message[8:start])
    arrays = {
        name: np.frombuffer(message, _TYPES[a["type"]], a["length"], start + a["offset"])
        for name, a in facts.pop("arrays").items()
    }
    return facts, arrays
