"""Where documents lie on the plane, so that those near each other in the latent space are neighbours there too.

t-SNE (van der Maaten and Hinton 2008) on the graph of nearest neighbours, all of the same weight: points are drawn to
their neighbours and pushed away by all others (`repulsion`). Early exaggeration is annealed and the rate is N over it
(Belkina et al. 2019, openTSNE); we differ in how little of both is needed from a start on the principal plane.

Everything is single-threaded and in a fixed order: the same bytes come out however many threads there are.

Legend for shapes:
    N  points
    K  neighbours of each
    E  pairs of neighbours
    D  dimensions
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.projection.repulsion import Repulsion

_START_SPREAD, _JITTER = 1e-4, 1e-2  # the second as a share of the first
_MOMENTUM = 0.9
_GAIN_UP, _GAIN_DOWN, _LEAST_GAIN = 0.2, 0.8, 0.01
_LONGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Some steps of a descent, along which attraction is exaggerated from `first` to `last` times."""

    steps: int
    first: float
    last: float


LAYING_OUT = (Stage(100, 4.0, 1.0), Stage(100, 1.0, 1.0))
SETTLING = (Stage(60, 1.0, 1.0),)


def start_on_plane(vectors_ND: Floats, seed: int) -> Floats:
    """(N, 2): the first two principal components, small, with a little noise that tells equal documents apart."""
    with threadpool_limits(1):
        centred_ND = vectors_ND - vectors_ND.mean(axis=0)
        _, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND)
        axes_D2 = axes_DD[:, :-3:-1]
        axes_D2 *= np.sign(axes_D2[np.abs(axes_D2).argmax(axis=0), np.arange(axes_D2.shape[1])])
        plane_N2 = np.zeros((len(vectors_ND), 2))
        plane_N2[:, : axes_D2.shape[1]] = centred_ND @ axes_D2
    plane_N2 /= plane_N2[:, 0].std() or 1.0
    noise_N2 = np.random.default_rng(seed).normal(size=plane_N2.shape)
    return np.asarray((plane_N2 + _JITTER * noise_N2) * _START_SPREAD, np.float32)


def lay_out(neighbours_NK: Ints, start_N2: Floats, watch: Callable[[], None] = lambda: None) -> Floats:
    """Places (N, 2) of points that all may move.

    Args:
        neighbours_NK: nearest others of each.
        start_N2: where they begin.
        watch: called after every step.
    """
    return _descend(_Attraction(neighbours_NK), start_N2, LAYING_OUT, slice(None), watch)


def settle(neighbours_NK: Ints, places_N2: Floats, frozen: int) -> Floats:
    """Move all points but the first `frozen`, which stay as they are to the last bit."""
    moved_N2 = _descend(_Attraction(neighbours_NK), places_N2, SETTLING, slice(frozen, None), lambda: None)
    return np.concatenate([places_N2[:frozen], moved_N2[frozen:]])


class _Attraction:
    """Pairs of neighbours, each pair once, drawing each other."""

    def __init__(self, neighbours_NK: Ints) -> None:
        points, k = neighbours_NK.shape
        starts = np.arange(0, points * k + 1, k)
        directed = sparse.csr_matrix((np.ones(points * k, np.float32), neighbours_NK.ravel(), starts), (points, points))
        self._pairs = sparse.triu(directed + directed.T, 1).tocsr()
        self._mirrored = self._pairs.T
        self._weights_E = (self._pairs.data / (2 * self._pairs.data.sum(dtype=np.float64))).astype(np.float32)
        self._others_E = self._pairs.indices
        self._ones_E = np.repeat(np.arange(points, dtype=np.int32), np.diff(self._pairs.indptr))

    def __call__(self, x_N: Floats, y_N: Floats) -> tuple[Floats, Floats]:
        """How hard each point is drawn along x and y: the sum over its neighbours of weight * offset / (1 + d²)."""
        across_E = np.take(x_N, self._ones_E) - np.take(x_N, self._others_E)
        along_E = np.take(y_N, self._ones_E) - np.take(y_N, self._others_E)
        across_E *= across_E
        along_E *= along_E
        across_E += along_E
        across_E += 1
        self._pairs.data = self._mirrored.data = self._weights_E / across_E
        places_N3 = np.stack([x_N, y_N, np.ones_like(x_N)], axis=1)
        drawn_N3 = self._pairs @ places_N3
        drawn_N3 += self._mirrored @ places_N3
        return drawn_N3[:, 2] * x_N - drawn_N3[:, 0], drawn_N3[:, 2] * y_N - drawn_N3[:, 1]


def _descend(
    attraction: _Attraction, start_N2: Floats, stages: tuple[Stage, ...], free: slice, watch: Callable[[], None]
) -> Floats:
    """Down the slope with momentum; the gain of a coordinate grows while its direction stays (Jacobs 1988)."""
    places_2N = np.array(start_N2.T, np.float32, order="C")
    speed_2N = np.zeros_like(places_2N[:, free])
    gain_2N = np.ones_like(speed_2N)
    repulsion, points = Repulsion(), places_2N.shape[1]
    for stage in stages:
        for step in range(stage.steps):
            exaggeration = stage.first + (stage.last - stage.first) * step / stage.steps
            slope_2N = _slope(attraction, repulsion, places_2N, exaggeration)[:, free]
            onward = (slope_2N > 0) == (speed_2N > 0)  # uphill: the speed is against the slope
            gain_2N = np.where(onward, gain_2N * np.float32(_GAIN_DOWN), gain_2N + np.float32(_GAIN_UP))
            np.maximum(gain_2N, _LEAST_GAIN, out=gain_2N)
            speed_2N *= np.float32(_MOMENTUM)
            speed_2N -= np.float32(points / exaggeration) * gain_2N * slope_2N
            np.clip(speed_2N, -_LONGEST_STEP, _LONGEST_STEP, out=speed_2N)
            places_2N[:, free] += speed_2N
            if free == slice(None):
                places_2N -= places_2N.mean(axis=1, keepdims=True)
            watch()
    return np.ascontiguousarray(places_2N.T)


def _slope(
    attraction: _Attraction, repulsion: Repulsion, places_2N: Floats, exaggeration: float
) -> NDArray[np.float32]:
    """Of the Kullback-Leibler divergence that t-SNE lowers."""
    near_N, *slopes = repulsion(*places_2N)
    everything = float(near_N.sum(dtype=np.float64)) - len(near_N)  # no point pushes itself
    push = np.float32(0.5 / max(everything, 1e-12))
    drawn = attraction(*places_2N)
    return np.stack(
        [
            4 * (np.float32(exaggeration) * pull_N + push * slope_N)
            for pull_N, slope_N in zip(drawn, slopes, strict=True)
        ]
    )
