"""The map of a space: every document's place in the plane, which it keeps, and how far it can be trusted.

Legend for shapes:
    N  documents
    Q  vectors to be placed
    D  dimensions
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from tolman.errors import QueryError, SpaceError, SpaceMismatch, StorageError
from tolman.models.encoder import Floats
from tolman.progress import Progress, Silent
from tolman.projection.files import FILE, FOLDER, MapRecord, MapRows, read_map, write_map
from tolman.projection.growing import grow_rows, make_rows
from tolman.projection.order import settled_among
from tolman.projection.placing import place_among
from tolman.projection.trust import neighbours_on_map, shared, trustworthiness

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

FEWEST = 2
DAMAGE = "`tolman map --again` makes the map anew"


class Map:
    """Where the documents of a space lie in the plane. Nothing in it changes.

    Attributes:
        ids: of the documents, in the order of `LatentSpace.table()`.
        positions_N2: where each is; read-only.
        trust_N: the share of each one's 15 nearest in the latent space that are among its 15 nearest on the map
            (all others, where there are fewer); read-only.
        seed: that the map was made with.
    """

    def __init__(self, record: MapRecord, rows: MapRows, vectors_ND: Floats) -> None:
        self._record, self._rows, self._vectors_ND = record, rows, vectors_ND
        self.ids, self.seed = rows.ids, record.seed
        self.positions_N2, self.trust_N = rows.places_N2.view(), rows.trust_N.view()
        for array in (self.positions_N2, self.trust_N):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Map({len(self):,} documents, seed {self.seed}, neighbours kept {self.quality['neighbours_kept']:.3f})"

    @cached_property
    def quality(self) -> Mapping[str, float | None]:
        """How good it is, and what it took.

        `neighbours_kept` is the mean of `trust_N`. `trustworthiness` (Venna and Kaski 2001, at 15) was measured when
        the map was made, on a sample where there are many documents. `placed` counts documents that came later,
        `cpu_seconds` is what making it took.
        """
        return {
            "neighbours_kept": float(self.trust_N.mean(dtype=np.float64)),
            "trustworthiness": self._record.trustworthiness,
            "placed": int(self._rows.placed_N.sum()),
            "cpu_seconds": self._record.cpu_seconds,
        }

    def place(self, vectors_QD: Floats) -> tuple[Floats, Floats]:
        """Where vectors of the same encoder would lie, each by itself: positions (Q, 2) and trust (Q,).

        Raises:
            QueryError: not an array of finite numbers with as many dimensions as the space.
        """
        asked_QD = self._checked(vectors_QD)
        if not len(asked_QD):
            return np.empty((0, 2), np.float32), np.empty(0, np.float32)
        true_QK = settled_among(self._vectors_ND, asked_QD)
        positions_Q2 = place_among(self.positions_N2, true_QK)
        _, near_QK = KDTree(self.positions_N2).query(positions_Q2, k=range(1, true_QK.shape[1] + 1))
        return positions_Q2, shared(true_QK, near_QK)

    def _checked(self, vectors_QD: Floats) -> Floats:
        try:
            asked_QD = np.asarray(vectors_QD, np.float32)
        except (TypeError, ValueError):
            raise QueryError(f"expected an array of vectors, got {type(vectors_QD).__name__}") from None
        dim = self._vectors_ND.shape[1]
        if asked_QD.ndim != 2 or asked_QD.shape[1] != dim:
            shape = " x ".join(map(str, asked_QD.shape)) or "one number"
            raise QueryError(f"expected vectors of {dim} dimensions, one a row; got {shape}")
        if not np.isfinite(asked_QD).all():
            raise QueryError("expected finite numbers in the vectors to be placed")
        return asked_QD


@dataclass(frozen=True, slots=True)
class _Documents:
    """What a map is made of, at one version."""

    ids: Sequence[str]
    vectors_ND: Floats


def map_of(
    space: "LatentSpace",
    *,
    seed: int | None = None,
    again: bool = False,
    must_keep: bool = False,
    progress: Progress | None = None,
) -> Map:
    """The map in the folder of `space`, brought up to date; made, if there is none.

    Args:
        space: of at least two documents.
        seed: of a map that is made now; None: that of the map that is there, else 0.
        again: make it anew, whatever is there. Everybody moves.
        must_keep: refuse where it can't be kept; else it is told, and the map is in memory only.
        progress: who watches.

    Raises:
        SpaceError: fewer than two documents, or the map that is there is damaged or of a newer format.
        SpaceMismatch: it is that of another encoder.
        QueryError: it was made with another seed, or the seed is no whole number from 0 on.
        StorageError: it can't be kept, and must be.
    """
    progress = progress or Silent()
    _require_seed(seed)
    if len(space) < FEWEST:
        raise SpaceError(f"a map needs at least {FEWEST} documents: {space.path} has {len(space)}")
    stored = None if again else read_map(space.path)
    if stored is not None:
        _require_usable(space, stored[0], seed)
    documents = _Documents(space.table(["id"])["id"].to_pylist(), space.vectors())
    if stored is not None and stored[0].content == space.store.content_key:
        _require_same_rows(space, stored[1], documents)
        return Map(*stored, documents.vectors_ND)
    record, rows = _grown(space, stored, documents, progress) or _made(space, seed or 0, documents, progress)
    if stored is None or stored[0].version < record.version:
        _keep(space, record, rows, progress, must_keep=must_keep)
    return Map(record, rows, documents.vectors_ND)


def _made(space: "LatentSpace", seed: int, documents: _Documents, progress: Progress) -> tuple[MapRecord, MapRows]:
    began = time.process_time()
    rows = make_rows(documents.vectors_ND, documents.ids, seed, progress)
    progress.start("measuring")
    near_NK = neighbours_on_map(rows.places_N2, rows.neighbours_NK.shape[1])
    measured = trustworthiness(documents.vectors_ND, near_NK)
    spent = round(time.process_time() - began, 3)
    fingerprint, content = space.description.encoder.fingerprint, space.store.content_key
    return MapRecord(fingerprint, seed, space.version, content, measured, spent), rows


def _grown(
    space: "LatentSpace", stored: tuple[MapRecord, MapRows] | None, documents: _Documents, progress: Progress
) -> tuple[MapRecord, MapRows] | None:
    if stored is None:
        return None
    rows = grow_rows(stored[1], documents.vectors_ND, documents.ids, progress)
    if rows is None:
        return None
    return replace(stored[0], version=space.version, content=space.store.content_key), rows


def _keep(space: "LatentSpace", record: MapRecord, rows: MapRows, progress: Progress, *, must_keep: bool) -> None:
    try:
        write_map(space.path, record, rows)
    except StorageError as error:
        if must_keep:
            raise
        progress.say(f"the map is not kept: {error}")


def _require_seed(seed: int | None) -> None:
    if seed is not None and (not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0):
        raise QueryError(f"expected a seed that is a whole number from 0 on, got {seed!r}")


def _require_usable(space: "LatentSpace", record: MapRecord, seed: int | None) -> None:
    fingerprint = space.description.encoder.fingerprint
    if record.encoder != fingerprint:
        raise SpaceMismatch(f"the map in {space.path} ({DAMAGE})", expected=fingerprint, got=record.encoder)
    if seed is not None and seed != record.seed:
        raise QueryError(
            f"{space.path} has a map, made with seed {record.seed}: to make another with seed {seed}, which moves "
            "every document, say --again (in Python again=True)"
        )


def _require_same_rows(space: "LatentSpace", rows: MapRows, documents: _Documents) -> None:
    if list(rows.ids) != list(documents.ids):
        raise SpaceError(f"{space.path / FOLDER / FILE} is damaged, it names other documents: {DAMAGE}")
