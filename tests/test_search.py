import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_corpus, tiny_document, tiny_encoder

from tolman.confidence import fit_confidence
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.errors import QueryError, SpaceError
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.ranking import HybridRanking
from tolman.search import search
from tolman.space.description import SearchSettings, SpaceDescription
from tolman.space.space import LatentSpace, open_space
from tolman.tokenization import train_tokenizer

ENCODER = tiny_encoder()
NUMBER = 60
QUERIES = ["refund arrived", "the violin", "word7 word9 parcel", "glacier"]


def make(folder: Path, search: SearchSettings) -> LatentSpace:
    return LatentSpace.create(
        folder / "x.space", tiny_corpus(range(NUMBER)), ENCODER, description=SpaceDescription(search=search)
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> LatentSpace:
    return make(tmp_path_factory.mktemp("spaces"), SearchSettings(lexical_weight=0.7))


def cosines(space: LatentSpace, query: str) -> np.ndarray:
    return space.vectors() @ ENCODER.encode([query], "query")[0]


def bm25(space: LatentSpace, query: str) -> np.ndarray:
    positions, scores = space.store.lexical(query, NUMBER)
    every = np.zeros(NUMBER, np.float32)
    every[positions] = scores
    return every


@pytest.mark.parametrize("query", QUERIES)
def test_each_mode_sorts_by_its_own_score(space: LatentSpace, query: str) -> None:
    names = space.table(["id"])["id"].to_pylist()
    every_cosine, every_bm25 = cosines(space, query), bm25(space, query)
    both = HybridRanking(0.7).score(every_cosine, every_bm25)  # 60 documents are all candidates
    for mode, scores in (("dense", every_cosine), ("lexical", every_bm25), ("hybrid", both)):
        found = space.search(query, 10, mode=mode)
        places = [names.index(hit.id) for hit in found]
        np.testing.assert_allclose([hit.score for hit in found], np.sort(scores)[::-1][: len(found)], atol=1e-4)
        np.testing.assert_allclose([hit.score for hit in found], scores[places], atol=1e-4)
        np.testing.assert_allclose([hit.cosine for hit in found], every_cosine[places], atol=1e-5)
        assert len(found) == (10 if mode != "lexical" else min(10, int((every_bm25 > 0).sum())))


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_many_queries_are_the_same_as_one_by_one(space: LatentSpace, mode: str) -> None:
    many = space.search_many(QUERIES * 30, 5, mode=mode)
    for query, result in zip(QUERIES * 30, many, strict=True):
        alone = space.search(query, 5, mode=mode)
        assert [hit.id for hit in result] == [hit.id for hit in alone]
        np.testing.assert_allclose([h.score for h in result], [h.score for h in alone], atol=1e-5)
    assert search(space, [], 5) == []


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_filter_holds_in_every_mode(space: LatentSpace, mode: str) -> None:
    found = space.search("refund arrived word7", 20, mode=mode, where="year >= 2010 AND shop = 's1'")
    table = space.table(["id"], where="year >= 2010 AND shop = 's1'")
    assert len(found)
    assert {hit.id for hit in found} <= set(table["id"].to_pylist())
    assert len(space.search("refund", 5, mode=mode, where="year > 3000")) == 0


def test_without_a_weight_the_order_is_that_of_the_cosines(tmp_path: Path) -> None:
    opened = make(tmp_path, SearchSettings(lexical_weight=0.0))
    dense = [hit.id for hit in opened.search("refund arrived", mode="dense")]
    assert [hit.id for hit in opened.search("refund arrived")] == dense


def test_a_hit_says_where_in_the_text(space: LatentSpace) -> None:
    for hit in space.search("nobody said word7", 10):
        (document,) = space.take([hit.id])
        assert hit.title == document.title
        assert hit.snippet == document.text[slice(*hit.snippet_span)] != ""
    bare = space.search("nobody said word7", 10, snippets=False)
    assert [hit.id for hit in bare] == [hit.id for hit in space.search("nobody said word7", 10)]
    assert {hit.snippet for hit in bare} == {""}


def test_a_long_sentence_is_shown_with_ellipses(tmp_path: Path) -> None:
    text = " ".join(f"word{n}" for n in range(150))
    corpus = Corpus.from_documents([Document("long", text), tiny_document(0)])
    opened = LatentSpace.create(tmp_path / "x.space", corpus, ENCODER)
    hit = next(hit for hit in opened.search("word75") if hit.id == "long")
    start, end = hit.snippet_span
    assert 0 < start < end < len(text)
    assert hit.snippet == f"…{text[start:end]}…"
    assert set(text[start:end].split()) <= set(text.split())


def test_a_number_of_hits_may_be_one_of_numpy(space: LatentSpace) -> None:
    assert len(space.search("refund", np.int64(3))) == 3  # type: ignore[arg-type]


def test_every_mode_says_the_same_of_an_answer(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rehearsal = random.uniform(0, 0.5, (50, 50)) + 0.5 * np.eye(50)
    fitted = fit_confidence(rehearsal, 10 * rehearsal, np.arange(50), np.full(50, 2), heads=50, seed=0)
    opened = make(tmp_path, SearchSettings(lexical_weight=0.7, confidence=fitted.to_json()))
    for query in ("refund arrived", "refund refugla", "refugla violarri"):
        found = [opened.search(query, mode=mode) for mode in ("dense", "lexical", "hybrid")]
        assert len({result.relevant for result in found}) == 1
        confidences = [{hit.id: hit.confidence for hit in result} for result in found]
        for shared in set(confidences[0]) & set(confidences[2]):
            assert confidences[0][shared] == pytest.approx(confidences[2][shared], abs=1e-6)


def test_a_space_without_documents_says_so(tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "e.space", tiny_corpus(range(2)), ENCODER)
    space.remove(space.table(["id"])["id"].to_pylist())
    with pytest.raises(QueryError, match="no documents: add some"):
        space.search("refund")


def test_words_nobody_knows_are_near_to_nothing(space: LatentSpace) -> None:
    for mode in ("dense", "lexical", "hybrid"):
        result = space.search("xyzzy", mode=mode)
        assert (len(result), result.relevant) == (0, False)


def test_without_a_number_a_small_space_gives_all_it_has(tmp_path: Path) -> None:
    small = LatentSpace.create(tmp_path / "small.space", tiny_corpus(range(4)), ENCODER)
    assert len(small.search("refund arrived", mode="dense")) == 4
    with pytest.raises(QueryError, match="more than the 4 documents"):
        small.search("refund arrived", 5)


def test_fragments_of_unknown_words_are_no_answer(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rehearsal = random.uniform(0, 0.5, (50, 50)) + 0.5 * np.eye(50)
    fitted = fit_confidence(rehearsal, 10 * rehearsal, np.arange(50), np.full(50, 2), heads=50, seed=0)
    texts = [f"refund parcel violin glacier number {i} arrived" for i in range(30)]
    corpus = tiny_corpus(range(30))
    tokenizer = train_tokenizer(texts, vocabulary=400)
    table_VD = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 16)) + 1  # all point one way
    encoder = StaticEncoder(tokenizer, table_VD, TermSaturation(6.0))
    for weight in (0.0, 0.7):
        settings = SearchSettings(lexical_weight=weight, confidence=replace(fitted, threshold=0.5).to_json())
        opened = LatentSpace.create(
            tmp_path / f"{weight}.space", corpus, encoder, description=SpaceDescription(search=settings)
        )
        found = opened.search("refugla violarri")  # pieces of words that are known
        assert found[0].cosine > 0.2
        assert not found.relevant
        assert max(hit.confidence or 0.0 for hit in found) < 0.5


def test_confidence_is_that_of_the_fit(tmp_path: Path, space: LatentSpace) -> None:
    random = np.random.default_rng(0)
    rehearsal = random.uniform(0, 0.5, (50, 50)) + 0.5 * np.eye(50)
    fitted = fit_confidence(rehearsal, 10 * rehearsal, np.arange(50), np.full(50, 2), heads=50, seed=0)
    kept = replace(fitted, threshold=0.0)
    opened = make(tmp_path, SearchSettings(lexical_weight=0.7, confidence=kept.to_json()))
    found = opened.search("refund arrived", 10)
    expected = fitted.of_hits(
        np.array([hit.cosine for hit in found], np.float64),
        bm25(opened, "refund arrived")[opened.store.positions([hit.id for hit in found])].astype(np.float64),
        words=2,
        documents=NUMBER,
    )
    np.testing.assert_allclose([hit.confidence for hit in found], expected, atol=1e-4)
    for threshold, relevant in ((0.0, True), (1.1, False)):
        settings = replace(fitted, threshold=threshold).to_json()
        opened.describe(replace(opened.description, search=SearchSettings(0.7, settings)))
        assert opened.search("refund arrived").relevant is relevant
        assert opened.search("refund arrived", mode="dense").relevant is relevant
    opened.describe(replace(opened.description, search=SearchSettings(confidence={"odd": 1})))
    with pytest.raises(SpaceError, match=r"search\.confidence"):
        opened.search("refund")
    assert {hit.confidence for hit in space.search("refund")} == {None}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"query": ""}, "empty"),
        ({"query": " \n"}, "empty"),
        ({"k": 0}, "at least 1"),
        ({"k": -3}, "at least 1"),
        ({"k": 2.5}, "whole number"),
        ({"k": True}, "whole number"),
        ({"query": "half \udcff"}, "half of one in 'half .udcff'"),
        ({"k": NUMBER + 1}, "more than the 60 documents"),
        ({"mode": "fuzzy"}, "hybrid, dense, lexical"),
        ({"where": "year >"}, "SQL condition"),
        ({"where": "year > 2000; DROP TABLE x"}, "';'"),
    ],
)
def test_what_cannot_be_answered_is_told(space: LatentSpace, asked: dict[str, object], told: str) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        space.search(**({"query": "refund"} | asked))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    with pytest.raises(QueryError, match="one text"):
        space.search_many("refund")


def test_a_result_is_a_sequence_of_plain_values(space: LatentSpace) -> None:
    result = space.search("refund arrived", 4)
    assert [hit.id for hit in result[1:3]] == [result[1].id, result[2].id]
    assert asdict(result[0]).keys() == {"id", "score", "cosine", "confidence", "title", "snippet", "snippet_span"}


def test_a_search_imports_nothing_heavy(space: LatentSpace) -> None:
    code = (
        "import sys; from tolman.space.space import open_space; "
        f"assert len(open_space({str(space.path)!r}).search('refund arrived', 5)) == 5; "
        "sys.exit(', '.join({'torch', 'sklearn', 'transformers', 'scipy', 'rich'} & sys.modules.keys()))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True).stderr.strip() == ""
    )


def test_the_newest_version_is_searched_after_a_change(tmp_path: Path) -> None:
    make(tmp_path, SearchSettings())
    opened = open_space(tmp_path / "x.space")
    assert opened.search("refund arrived")
    opened.add(tiny_corpus([500]))
    for mode in ("dense", "lexical", "hybrid"):
        assert opened.search(tiny_document(500).text, 1, mode=mode)[0].id == "d500"
