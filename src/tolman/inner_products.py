"""Inner products of one vector with some rows of a matrix, read where they lie: numpy would copy them first.

Legend for shapes:
    R  rows of the matrix
    D  dimensions
    C  chosen rows
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def inner_products(rows_RD: Floats, vector_D: Floats, chosen_C: NDArray[np.integer[Any]]) -> Floats:
    """Of `vector_D` and each of the chosen rows (C,). `rows_RD` may be mapped from disk, but lies in one piece."""
    import faiss

    products_C = np.empty(len(chosen_C), np.float32)
    vector_D, places_C = np.ascontiguousarray(vector_D, np.float32), np.ascontiguousarray(chosen_C, np.int64)
    pointers = [faiss.swig_ptr(array) for array in (products_C, vector_D, rows_RD, places_C)]
    # mypy: not in FAISS's own list of names
    faiss.fvec_inner_products_by_idx(*pointers, len(vector_D), 1, len(chosen_C))  # type: ignore[attr-defined]
    return products_C
