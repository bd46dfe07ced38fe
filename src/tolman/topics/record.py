"""Topics on disk: `topics/` in the folder of a space. `docs/format.md` lists every field.

`topics.json` is the tree and what places further documents; it names the Arrow file that says where each document is.
That file is written first, under a name of its own, and topics.json then put in place by renaming: whoever reads sees
the old state or the new one. Writers take turns.

Legend for shapes:
    N  documents
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tolman.errors import SpaceError, SpaceMismatch
from tolman.neighbours import Ints
from tolman.space.description import now
from tolman.storage import storing, write_whole
from tolman.topics.division import NOWHERE
from tolman.topics.graph import Weights
from tolman.topics.levels import Level
from tolman.topics.membership import Placing
from tolman.topics.tree import Topic, Tree

FORMAT = 1
FOLDER, FILE, LOCK = "topics", "topics.json", "lock"
_DOCUMENTS = "documents-{}.arrow"
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("topic", pa.int32()),
        pa.field("fine", pa.int32()),
        pa.field("probability", pa.float32()),
        pa.field("margin", pa.float32()),
        pa.field("outside", pa.bool_()),
        pa.field("newcomer", pa.bool_()),
        pa.field("vector_digest", pa.uint64()),
    ]
)


@dataclass(frozen=True)
class Record:
    """The topics of a space, as they are kept.

    Attributes:
        encoder: fingerprint of the encoder whose vectors they were found in.
        ids: of the documents.
        tree: the topics, and which of them each document is nearest to.
        probability_N, margin_N: that it is in that topic, and by how much more than in the next.
        outside_N: too far from everything to belong anywhere.
        newcomers_N: came since topics were found, and were only placed.
        digests_N: of the documents' vectors: one that changed is placed again.
        content_key: of the documents' version, see `DocumentStore.content_key`.
        placing: what places further documents.
        level: how the shown fineness was chosen.
        found: when, ISO 8601.
        generation: how often it was written.
    """

    encoder: str
    ids: pa.Array
    tree: Tree
    probability_N: Weights
    margin_N: Weights
    outside_N: NDArray[np.bool_]
    newcomers_N: NDArray[np.bool_]
    digests_N: NDArray[np.uint64]
    content_key: str
    placing: Placing
    level: Level
    found: str = ""
    generation: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def settled(self) -> Tree:
        """The tree without documents that were only placed or belong nowhere: what the next finding holds on to."""
        loose_N = self.newcomers_N | self.outside_N
        shown_N, fine_N = (np.where(loose_N, NOWHERE, ids_N) for ids_N in (self.tree.shown_N, self.tree.fine_N))
        return replace(self.tree, shown_N=shown_N, fine_N=fine_N)


def write(space: Path, record: Record) -> Record:
    """Put it in the place of the one before; call it inside of `writing`.

    Raises:
        StorageError: the disk refused; the one before is untouched.
    """
    folder = space / FOLDER
    record = replace(record, generation=record.generation + 1, found=record.found or now())
    name = _DOCUMENTS.format(record.generation)
    described = json.dumps(_to_json(record, name), ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / name, lambda file: _write_documents(record, file))
    write_whole(folder / FILE, lambda file: file.write(described.encode()))
    for old in folder.glob(_DOCUMENTS.format("*")):
        if old.name != name:
            with suppress(OSError):
                old.unlink()
    return record


@contextmanager
def writing(space: Path) -> Iterator[None]:
    """Alone among those who change the topics of a space.

    Raises:
        StorageError: the folder can't be written.
    """
    folder = space / FOLDER
    with storing(f"can't write {folder}"):
        folder.mkdir(exist_ok=True)
        lock = (folder / LOCK).open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(space: Path, encoder: str) -> Record | None:
    """The topics of the space whose encoder has this fingerprint; None: none were found yet.

    Raises:
        SpaceError: damaged, or of a newer format.
        SpaceMismatch: found with another encoder.
    """
    file = space / FOLDER / FILE
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, error) from None
    version = stored.get("format") if isinstance(stored, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise SpaceError(f"{file} has format {version}, this Tolman reads up to {FORMAT}: pip install -U tolman")
    try:
        record = _from_json(stored, file.parent)
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise _damaged(file, error) from None
    if record.encoder != encoder:
        raise SpaceMismatch(f"{file}", expected=encoder, got=record.encoder)
    return record


def _damaged(file: Path, error: Exception) -> SpaceError:
    why = f"no {error}" if isinstance(error, KeyError) else (str(error).splitlines() or [type(error).__name__])[0]
    return SpaceError(f"{file} is damaged ({why}): restore it from a backup, or find topics from nothing")


def _write_documents(record: Record, file: BinaryIO) -> None:
    columns = {
        "id": record.ids,
        "topic": _numbers(record.tree.shown_N),
        "fine": _numbers(record.tree.fine_N),
        "probability": record.probability_N.astype(np.float32),
        "margin": record.margin_N.astype(np.float32),
        "outside": record.outside_N,
        "newcomer": record.newcomers_N,
        "vector_digest": record.digests_N,
    }
    table = pa.table(columns, schema=SCHEMA)
    with pa.ipc.new_file(file, SCHEMA) as out:
        out.write_table(table)


def _numbers(ids_N: Ints) -> pa.Array:
    return pa.array(ids_N, pa.int32(), mask=ids_N < 0)


def _to_json(record: Record, documents: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "encoder": record.encoder,
        "found": record.found,
        "generation": record.generation,
        "documents": documents,
        "content_key": record.content_key,
        "next_id": record.tree.next_id,
        "level": asdict(record.level),
        "placing": record.placing.to_json(),
        "topics": [topic.to_json() for topic in record.tree.topics.values()],
    }


def _from_json(stored: dict[str, Any], folder: Path) -> Record:
    if "/" in stored["documents"]:
        raise ValueError("documents leads out of the folder")
    with pa.OSFile(str(folder / stored["documents"]), "rb") as opened:
        table = pa.ipc.open_file(opened).read_all().select(SCHEMA.names).cast(SCHEMA).combine_chunks()
    topics = {topic.id: topic for topic in map(Topic.from_json, stored["topics"])}
    shown_N, fine_N = (_ids(table[name], topics) for name in ("topic", "fine"))
    return Record(
        encoder=str(stored["encoder"]),
        ids=table["id"].combine_chunks(),
        tree=Tree(topics, shown_N, fine_N, int(stored["next_id"])),
        probability_N=table["probability"].to_numpy().astype(np.float64),
        margin_N=table["margin"].to_numpy().astype(np.float64),
        outside_N=table["outside"].to_numpy(),
        newcomers_N=table["newcomer"].to_numpy(),
        digests_N=table["vector_digest"].to_numpy(),
        content_key=str(stored["content_key"]),
        placing=Placing.from_json(stored["placing"]),
        level=Level(**stored["level"]),
        found=str(stored["found"]),
        generation=int(stored["generation"]),
    )


def _ids(column: pa.ChunkedArray, topics: dict[int, Topic]) -> Ints:
    ids_N: Ints = column.fill_null(-1).to_numpy().astype(np.int64)
    unknown = set(np.unique(ids_N[ids_N >= 0]).tolist()) - topics.keys()
    if unknown:
        raise ValueError(f"documents are in topic {min(unknown)}, which is not listed")
    return ids_N
