"""How strongly every point of a layout is pushed away by all others, in time that grows with the points alone.

Points are spread onto a regular grid, the grid is convolved with the kernel by FFT, and what comes of it is read off
where the points are: Linderman et al. 2019, "Fast interpolation-based t-SNE for improved visualization of single-cell
RNA-seq data" (FIt-SNE). We differ: weights between nodes are linear, and what they blur is divided out of the kernel;
the force is a convolution with the kernel's slope, so that one transform forward and three back are all there is.

Legend for shapes:
    N  points
    G  nodes of the grid along one side
    4  nodes around a point
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from tolman.models.encoder import Floats

_SPACING = 0.5  # between nodes; the kernel is about 1 wide
_MOST_NODES = 1_024  # along a side: beyond, the spacing grows
_STEP = 32  # G is a multiple: FFTs of such lengths are fast, and the kernel is seldom transformed anew


class Repulsion:
    """The sums over all points j of 1 / (1 + d²), and of their slopes, at the place of each point."""

    def __init__(self) -> None:
        self._made_for: tuple[int, float] | None = None
        self._kernels: list[NDArray[np.complex64]] = []

    def __call__(self, x_N: Floats, y_N: Floats) -> tuple[Floats, Floats, Floats]:
        """The sum at each point, itself included, and its derivatives along x and y."""
        low, high = float(min(x_N.min(), y_N.min())), float(max(x_N.max(), y_N.max()))
        nodes, spacing = _grid(high - low)
        weights_NG = _spread(x_N, y_N, low - spacing, spacing, nodes)
        mass = np.bincount(weights_NG.indices, weights_NG.data, nodes * nodes).astype(np.float32)
        found_N3 = weights_NG @ self._convolved(mass.reshape(nodes, nodes), spacing)
        return found_N3[:, 0], found_N3[:, 1], found_N3[:, 2]

    def _convolved(self, mass_GG: Floats, spacing: float) -> Floats:
        """(G * G, 3): the sum and its two slopes at every node. Padded, so that nothing comes around the edge."""
        nodes, padded = len(mass_GG), 2 * len(mass_GG)
        if self._made_for != (nodes, spacing):
            self._kernels, self._made_for = _transformed_kernels(padded, spacing), (nodes, spacing)
        rows = fft.rfft(mass_GG, padded, axis=1)
        spectrum = fft.fft(rows, padded, axis=0, overwrite_x=True)
        out = np.empty((nodes * nodes, 3), np.float32)
        for part, kernel in enumerate(self._kernels):
            columns = fft.ifft(spectrum * kernel, axis=0, overwrite_x=True)[:nodes]
            out[:, part] = fft.irfft(columns, padded, axis=1)[:, :nodes].ravel()
        return out


def _grid(span: float) -> tuple[int, float]:
    spacing = max(_SPACING, span / (_MOST_NODES - 4))
    return -(-int(span / spacing + 4) // _STEP) * _STEP, spacing


def _spread(x_N: Floats, y_N: Floats, low: float, spacing: float, nodes: int) -> Any:
    """(N, G * G) sparse: how much of each point its four nodes get."""
    weights_N4, nodes_N4 = np.empty((len(x_N), 4), np.float32), np.empty((len(x_N), 4), np.int32)
    (row_N, down_N), (column_N, right_N) = (_cell(places_N, low, spacing) for places_N in (x_N, y_N))
    first_N = row_N * nodes + column_N
    for corner, (offset, across_N, along_N) in enumerate(
        (
            (0, 1 - down_N, 1 - right_N),
            (1, 1 - down_N, right_N),
            (nodes, down_N, 1 - right_N),
            (nodes + 1, down_N, right_N),
        )
    ):
        np.multiply(across_N, along_N, out=weights_N4[:, corner])
        np.add(first_N, offset, out=nodes_N4[:, corner])
    starts = np.arange(0, 4 * len(x_N) + 1, 4, dtype=np.int32)
    return sparse.csr_matrix((weights_N4.ravel(), nodes_N4.ravel(), starts), (len(x_N), nodes * nodes))


def _cell(places_N: Floats, low: float, spacing: float) -> tuple[NDArray[np.int32], Floats]:
    """Which node comes before, and how far behind it, in spacings."""
    along_N = (places_N - np.float32(low)) * np.float32(1 / spacing)
    before_N = along_N.astype(np.int32)
    return before_N, (along_N - before_N).astype(np.float32)


def _transformed_kernels(padded: int, spacing: float) -> list[NDArray[np.complex64]]:
    """1 / (1 + d²) and its derivatives, transformed, less the blur of spreading and reading off linearly."""
    steps = np.arange(padded)
    distance = np.minimum(steps, padded - steps) * spacing
    signed = np.where(steps < padded // 2, distance, -distance)
    near = 1 / (1 + (distance**2)[:, None] + (distance**2)[None])
    blur = np.sinc(fft.fftfreq(padded))[:, None] ** 4 * np.sinc(fft.rfftfreq(padded))[None] ** 4
    slope = -2 * near**2
    parts = (near, slope * signed[:, None], slope * signed[None])
    return [(fft.rfft2(part) / blur).astype(np.complex64) for part in parts]
