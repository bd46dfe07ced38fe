"""How many operations a second this machine can do at most: what a run's speed is measured by."""

import math
import time

import torch

from tolman.models.trunk import Precision

_SECONDS = 0.3
_SIZE = {"cpu": 1024, "cuda": 8192}


def matrix_ceiling(precision: Precision, device: torch.device) -> float:
    """FLOP/s of the product of two large square matrices, the best of as many as fit into a moment."""
    size = _SIZE[device.type]
    a = torch.randn(size, size, device=device).to(getattr(torch, precision))
    best, until = math.inf, time.perf_counter() + _SECONDS
    float((a @ a)[0, 0])  # the first is slower
    while time.perf_counter() < until:
        began = time.perf_counter()
        float((a @ a)[0, 0])  # waits for it
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
