"""By what a vector is known again: a number, the same for the same vector.

Legend for shapes:
    N  vectors
    D  dimensions
"""

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats

Digests: TypeAlias = NDArray[np.uint64]


def digests_of(vectors_ND: Floats) -> Digests:
    """(N,) the first eight bytes of the BLAKE2b of each vector in float32, little-endian."""
    rows = np.ascontiguousarray(vectors_ND, "<f4")
    found = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
    return np.frombuffer(found, "<u8").astype(np.uint64)
