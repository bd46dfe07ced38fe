"""The words and phrases of a space, in the latent space of its documents: near ones, analogies, clusters.

Every term is encoded by the encoder of the space, so words and documents can be compared. All words of a space share a
direction that says nothing about any of them; between words it is taken away (Mu and Viswanath 2018, arXiv:1702.01417,
who take away the first components, too: here that was no better).

Legend for shapes:
    V  terms     D  dimensions
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tolman.counting import counted
from tolman.errors import QueryError
from tolman.models.encoder import Floats, unit
from tolman.progress import Progress, Silent
from tolman.space.derived import derived_file, read_derived, write_derived
from tolman.vocabulary import Term, collect_terms

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

_METHOD = 1  # counted up when the same space would give other words
NEAR = 10
_NEVER_ZERO = 1e-3
_ROUNDS = 25  # of k-means


@dataclass(frozen=True, slots=True)
class NearWord:
    """A word or phrase of the space.

    Attributes:
        text: in lower case.
        score: what it was found by: a cosine between words less their common direction, or of a document and a word;
            for an analogy what `Words.analogy` says.
        documents: that have it.
    """

    text: str
    score: float
    documents: int


@dataclass(frozen=True, slots=True)
class WordCluster:
    """Words and phrases that are near each other.

    Attributes:
        name: the word nearest to its middle.
        words: all, nearest to the middle first.
    """

    name: str
    words: tuple[NearWord, ...]


class Words:
    """The words and phrases of a space. What `LatentSpace.words` gives.

    Attributes:
        terms: the most frequent first.
        vectors_VD: of each, unit vectors in the space of the documents.
    """

    def __init__(self, space: "LatentSpace", terms: Sequence[Term], vectors_VD: Floats) -> None:
        self._space, self.terms, self.vectors_VD = space, tuple(terms), vectors_VD
        self._middle_D: Floats = vectors_VD.mean(axis=0)
        self._centred_VD = unit(vectors_VD - self._middle_D)
        self._place = {term.text: place for place, term in enumerate(self.terms)}

    def __len__(self) -> int:
        return len(self.terms)

    def __repr__(self) -> str:
        return f"Words({len(self):,} of {self._space.path})"

    def near(self, text: str, k: int = NEAR) -> list[NearWord]:
        """The words and phrases nearest to a word or phrase, itself and phrases with it left out.

        Raises:
            QueryError: it is empty, nothing in the space has a word of it, or `k` is less than 1.
        """
        return self._best(self._centred_VD @ self._centred(text), k, [text])

    def near_document(self, id: str, k: int = NEAR) -> list[NearWord]:
        """The words and phrases nearest to a document.

        Raises:
            SpaceError: there is none with that id.
            QueryError: `k` is less than 1.
        """
        self._space.take([id])
        (position,) = self._space.store.positions([id])
        return self.near_vector(self._space.vectors()[position], k)

    def near_vector(self, vector_D: Floats, k: int = NEAR) -> list[NearWord]:
        """The words and phrases nearest to a vector of the space.

        Raises:
            QueryError: it has another length, or `k` is less than 1.
        """
        vector_D = np.asarray(vector_D, np.float32)
        if vector_D.shape != (self.vectors_VD.shape[1],):
            raise QueryError(f"expected a vector of {self.vectors_VD.shape[1]} numbers, got shape {vector_D.shape}")
        shared_D = np.asarray(self._space.vectors()).mean(axis=0)  # by all documents; not what all words share
        return self._best(self._centred_VD @ unit(unit(vector_D[None]) - shared_D)[0], k, [])

    def analogy(self, a: str, b: str, c: str, k: int = NEAR) -> list[NearWord]:
        """What is to `c` as `b` is to `a`; none of the three.

        By 3CosMul (Levy and Goldberg 2014, aclanthology.org/W14-1618), which was measured better than 3CosAdd; the
        score is its product of cosines over a cosine, each moved to between 0 and 1.

        Raises:
            QueryError: one of them is empty, nothing in the space has a word of it, or `k` is less than 1.
        """
        asked_3D = np.stack([self._centred(text) for text in (a, b, c)])
        from_V, to_V, at_V = ((self._centred_VD @ asked_3D.T + 1) / 2).T
        return self._best(to_V * at_V / (from_V + _NEVER_ZERO), k, [a, b, c])

    def clusters(self, number: int) -> list[WordCluster]:
        """All terms in `number` clusters, the largest first: spherical k-means, always the same.

        Raises:
            QueryError: fewer than 1, or more than there are terms.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self):
            raise QueryError(f"expected 1 to {len(self):,} clusters, got {number!r}")
        import faiss

        means = faiss.Kmeans(
            self.vectors_VD.shape[1], number, niter=_ROUNDS, seed=1, spherical=True, min_points_per_centroid=1
        )
        means.train(self._centred_VD)
        cosines_VK = self._centred_VD @ np.asarray(means.centroids).T
        nearest_V = cosines_VK.argmax(axis=1)
        found = []
        for cluster in np.unique(nearest_V):
            inside = np.flatnonzero(nearest_V == cluster)
            inside = inside[np.argsort(-cosines_VK[inside, cluster], kind="stable")]
            words = tuple(self._word(place, float(cosines_VK[place, cluster])) for place in inside.tolist())
            found.append(WordCluster(words[0].text, words))
        return sorted(found, key=lambda each: (-len(each.words), each.name))

    def most_frequent(self, k: int = NEAR) -> list[Term]:
        """Words and phrases in most documents.

        Raises:
            QueryError: `k` is less than 1.
        """
        return list(self.terms[: _checked(k)])

    def vector_of(self, text: str) -> Floats:
        """Unit vector (D,) of a word or phrase: from the vocabulary, else encoded now.

        Raises:
            QueryError: it is empty, or nothing in the space has a word of it.
        """
        if not isinstance(text, str) or not text.strip():
            raise QueryError(f"expected a word or phrase, got {text!r}")
        place = self._place.get(_normal(text))
        if place is not None:
            known_D: Floats = self.vectors_VD[place]
            return known_D
        vector_D: Floats = self._space.encoder.encode([text])[0]
        # What was learned on the corpus sees fragments of known words in an unknown one; a pretrained model knows more.
        learned_here = self._space.encoder.family != "transformer"
        if not vector_D.any() or (learned_here and not len(self._space.store.lexical(text, 1)[0])):
            raise QueryError(f"no document of {self._space.path} has the word {text!r}")
        return vector_D

    def _centred(self, text: str) -> Floats:
        centred_D: Floats = unit((self.vector_of(text) - self._middle_D)[None])[0]
        return centred_D

    def _best(self, score_V: Floats, k: int, without: Sequence[str]) -> list[NearWord]:
        """The best terms, without those that consist of these words and perhaps others."""
        k, held_back = _checked(k), [set(_normal(text).split()) for text in without]
        order = np.argsort(-score_V, kind="stable").tolist()
        wanted = (place for place in order if not any(w <= set(self.terms[place].text.split()) for w in held_back))
        return [self._word(place, float(score_V[place])) for place in islice(wanted, k)]

    def _word(self, place: int, score: float) -> NearWord:
        return NearWord(self.terms[place].text, score, self.terms[place].documents)


def words_of(space: "LatentSpace", *, progress: Progress | None = None) -> Words:
    """The words and phrases of `space`, from `derived/` where they were collected before.

    Args:
        space: of which.
        progress: who watches.

    Raises:
        QueryError: no word stands in enough documents.
        SpaceError, ModelError: the space is damaged.
    """
    made_of = [_METHOD, space.store.content_key, space.description.encoder.fingerprint]
    file = derived_file(space.path / "derived", "words", made_of)
    kept = read_derived(file)
    if kept is not None and kept[0].schema.names == ["text", "documents", "vector"]:
        return _of_table(space, kept[0])
    watched = progress or Silent()
    watched.start("collecting words and phrases")
    terms = collect_terms(lambda: _contents(space), lambda word: not len(space.store.lexical(word, 1)[0]))
    if not terms:
        raise QueryError(f"{space.path} is too small to have words of its own: none stands in enough documents")
    watched.start(f"encoding {counted(len(terms), 'word')} and phrases")
    vectors_VD = space.encoder.encode([term.text for term in terms])
    known = np.flatnonzero(vectors_VD.any(axis=1)).tolist()
    table = _as_table([terms[place] for place in known], vectors_VD[known])
    write_derived(file, table, {"terms": len(known)})
    return _of_table(space, table)


def _contents(space: "LatentSpace") -> Any:
    for batch in space.store.batches(["title", "text"]):
        for title, text in zip(batch["title"].to_pylist(), batch["text"].to_pylist(), strict=True):
            yield f"{title}\n\n{text}" if title else text


def _as_table(terms: Sequence[Term], vectors_VD: Floats) -> pa.Table:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(vectors_VD.astype(np.float32).ravel()), vectors_VD.shape[1])
    return pa.table({"text": [t.text for t in terms], "documents": [t.documents for t in terms], "vector": vectors})


def _of_table(space: "LatentSpace", table: pa.Table) -> Words:
    vectors_VD = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    terms = [Term(*row) for row in zip(table["text"].to_pylist(), table["documents"].to_pylist(), strict=True)]
    return Words(space, terms, vectors_VD)


def _normal(text: str) -> str:
    return " ".join(text.lower().split())


def _checked(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise QueryError(f"expected at least 1 word, got k = {k!r}")
    return k
