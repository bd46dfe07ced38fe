from pathlib import Path

import numpy as np
import pytest
from banks import MONEY, OTHER, RIVER, planted, shuffled, static_encoder
from conftest import tree

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.errors import QueryError, SpaceError
from tolman.models.static import StaticEncoder
from tolman.space.space import LatentSpace, open_space
from tolman.vocabulary import Term, collect_terms

TOPICS = (MONEY, RIVER, OTHER)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> LatentSpace:
    return LatentSpace.create(tmp_path_factory.mktemp("spaces") / "x.space", planted(40, 40, 40), static_encoder())


def topic_of(word: str) -> list[str] | None:
    return next((topic for topic in TOPICS if word in topic), None)


def test_near_words_are_those_of_the_topic(space: LatentSpace) -> None:
    words = space.words()
    for word in (*MONEY, *RIVER, *OTHER):
        near = [each.text for each in words.near(word, 60) if " " not in each.text][:5]
        assert word not in near
        assert sum(topic_of(other) is topic_of(word) for other in near) >= 4


def test_words_and_documents_share_a_space(space: LatentSpace) -> None:
    words = space.words()
    for kind, topic in (("money000", MONEY), ("river000", RIVER), ("other000", OTHER)):
        near = [each.text for each in words.near_document(kind, 5)]
        assert all(topic_of(text.split()[0]) in (topic, None) for text in near)
        assert near == [each.text for each in words.near_vector(space.vectors()[space.store.positions([kind])[0]], 5)]
    term = words.terms[0].text
    np.testing.assert_allclose(words.vector_of(term), space.encoder.encode([term])[0], atol=1e-6)


def test_analogies_are_parallelograms(tmp_path: Path) -> None:
    names = {"paris": (1, 0), "france": (1, 1), "rome": (2, 0), "italy": (2, 1), "oslo": (3, 0), "norway": (3, 1)}
    random = np.random.default_rng(0).standard_normal((8, 24))
    encoder = static_encoder(24)
    table = encoder.table_VD.copy()
    places = {word: encoder.tokenizer.token_to_id(known) for word, known in zip(names, MONEY, strict=False)}
    for word, (city, land) in names.items():
        table[places[word]] = random[city] + land * random[7]
    planted_encoder = StaticEncoder(encoder.tokenizer, table, encoder.saturation)
    known = dict(zip(names, MONEY, strict=False))
    space = LatentSpace.create(tmp_path / "x.space", planted(40, 0), planted_encoder)
    for a, b, c, wanted in (("paris", "france", "rome", "italy"), ("italy", "rome", "norway", "oslo")):
        (best,) = space.words().analogy(known[a], known[b], known[c], k=1)
        assert best.text == known[wanted]


def test_clusters_hold_every_term_once(space: LatentSpace) -> None:
    words = space.words()
    clusters = words.clusters(4)
    assert sorted(w.text for c in clusters for w in c.words) == sorted(t.text for t in words.terms)
    assert all(cluster.name == cluster.words[0].text for cluster in clusters)
    assert clusters == space.words().clusters(4)
    homes = [{i for i, c in enumerate(clusters) if {w.text for w in c.words} & set(topic)} for topic in TOPICS]
    assert [len(home) for home in homes] == [1, 1, 1]


def test_phrases_are_what_stands_together_more_than_by_chance() -> None:
    texts = [f"we saw new york city and {w} in the big {v}" for w in OTHER for v in RIVER]
    texts += [f"a {w} of the old {v}" for w in OTHER for v in MONEY]
    terms = {
        term.text: term.documents for term in collect_terms(lambda: texts, {"the", "and", "in", "we"}.__contains__)
    }
    assert terms["new york city"] == terms["york"] == 100
    assert "big water" not in terms
    assert not {"the", "in the", "the big"} & terms.keys()
    assert list(terms.values()) == sorted(terms.values(), reverse=True)


def test_phrases_do_not_cross_a_sentence() -> None:
    texts = [f"we met at the harbour. master {w} came" for w in OTHER] * 2
    assert "harbour master" not in {term.text for term in collect_terms(lambda: texts, {"the"}.__contains__)}


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    corpus = planted(20, 20, 20)
    found = [LatentSpace.create(tmp_path / f"{s}.space", shuffled(corpus, s), static_encoder()).words() for s in (1, 2)]
    assert found[0].terms == found[1].terms
    assert [w.text for w in found[0].near("loan")] == [w.text for w in found[1].near("loan")]


def test_words_are_kept_and_made_anew_where_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.space"
    terms = LatentSpace.create(path, planted(20, 20), static_encoder()).words().terms
    (file,) = (path / "derived").glob("words-*.arrow")
    written = file.stat().st_mtime_ns
    assert open_space(path).words().terms == terms
    assert file.stat().st_mtime_ns == written
    for damage in (b"", file.read_bytes()[:-60]):
        file.write_bytes(damage)
        assert open_space(path).words().terms == terms
    space = open_space(path)
    space.add(
        [{"id": "new", "text": "loan zebra"}, {"id": "new2", "text": "zebra loan"}, {"id": "new3", "text": "a zebra"}]
    )
    assert Term("zebra", 3) not in terms
    assert len(list((path / "derived").glob("words-*.arrow"))) == 1


def test_a_folder_that_cannot_be_written_only_keeps_nothing(tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "x.space", planted(20, 20), static_encoder())
    derived = space.path / "derived"
    (derived / "elsewhere").mkdir()
    derived.rename(tmp_path / "away")
    derived.write_text("no folder")  # what even root can't write into
    before = tree(space.path)
    assert space.words().near("loan")
    assert tree(space.path) == before


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda words: words.near(""), "expected a word"),
        (lambda words: words.near("xyzzy"), "no document .* 'xyzzy'"),
        (lambda words: words.near("loan", 0), "at least 1"),
        (lambda words: words.near("loan", True), "at least 1"),
        (lambda words: words.analogy("loan", "money", " "), "expected a word"),
        (lambda words: words.clusters(0), "clusters, got 0"),
        (lambda words: words.clusters(10**6), "clusters, got 1000000"),
        (lambda words: words.near_vector(np.ones(3)), "vector of 32 numbers"),
    ],
)
def test_what_cannot_be_answered_is_told(space: LatentSpace, asked: object, told: str) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        asked(space.words())  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_no_such_document(space: LatentSpace) -> None:
    with pytest.raises(SpaceError, match="no document with id 'nobody'"):
        space.words().near_document("nobody")


def test_a_space_without_words_of_its_own(tmp_path: Path) -> None:
    documents = [Document("a", "1 2 3"), Document("b", "4 5 6")]
    space = LatentSpace.create(tmp_path / "x.space", Corpus.from_documents(documents), static_encoder())
    with pytest.raises(QueryError, match="too small"):
        space.words()
