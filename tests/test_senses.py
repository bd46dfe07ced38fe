import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from banks import RIVER, planted, shuffled, static_encoder, transformer_encoder
from conftest import tree

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.errors import MissingExtra, QueryError
from tolman.models.blended import BlendedEncoder
from tolman.models.encoder import Encoder
from tolman.senses.word_senses import WordSenses
from tolman.space.space import LatentSpace, open_space

FAMILIES = ("static", "transformer", "blended")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    static, transformer = static_encoder(), transformer_encoder(tmp_path_factory.mktemp("models") / "bert")
    return {"static": static, "transformer": transformer, "blended": BlendedEncoder((static, transformer), (0.5, 0.5))}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, encoders: dict[str, Encoder]) -> LatentSpace:
    return LatentSpace.create(tmp_path_factory.mktemp("spaces") / "x.space", planted(70, 40), encoders["static"])


def purity(senses: WordSenses) -> float:
    """Share of occurrences that are with their planted kind."""
    kinds = [Counter(o.id[:5] for o in senses.occurrences if o.sense == sense.number) for sense in senses.senses]
    return sum(max(kind.values()) for kind in kinds) / len(senses.occurrences)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_planted_senses_are_found(family: str, encoders: dict[str, Encoder], tmp_path: Path) -> None:
    senses = LatentSpace.create(tmp_path / "x.space", planted(70, 40), encoders[family]).senses("bank")
    assert [sense.size for sense in senses.senses] == pytest.approx([70, 40], abs=4)
    assert purity(senses) >= 0.95
    assert sum(sense.share for sense in senses.senses) == pytest.approx(1)
    first, second = (set(sense.words) for sense in senses.senses)
    assert {"loan", "money"} & first
    assert {"water", "river"} & second
    assert not first & second


@pytest.mark.parametrize("family", FAMILIES)
def test_one_planted_sense_stays_one(family: str, encoders: dict[str, Encoder], tmp_path: Path) -> None:
    senses = LatentSpace.create(tmp_path / "x.space", planted(110, 0), encoders[family]).senses("bank")
    assert [(sense.number, sense.size) for sense in senses.senses] == [(1, 110)]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_rows_changes_nothing(family: str, encoders: dict[str, Encoder], tmp_path: Path) -> None:
    corpus = planted(50, 30)
    found = [
        LatentSpace.create(tmp_path / f"{seed}.space", shuffled(corpus, seed), encoders[family]).senses("bank")
        for seed in (1, 2)
    ]
    first, second = (
        [(o.id, o.start, o.sense, pytest.approx(o.confidence, abs=1e-3)) for o in senses.occurrences]
        for senses in found
    )
    assert [(s.size, s.words) for s in found[0].senses] == [(s.size, s.words) for s in found[1].senses]
    assert first == second


def test_an_occurrence_says_where_it_is(space: LatentSpace) -> None:
    senses = space.senses("BANK")
    contents = {d.id: d.content for d in space.take([o.id for o in senses.occurrences])}
    assert {contents[o.id][o.start : o.end] for o in senses.occurrences} == {"bank"}
    assert all(0 <= o.confidence <= 1 for o in senses.occurrences)
    assert senses.documents == len({o.id for o in senses.occurrences}) == 110
    for sense in senses.senses:
        assert all(e.text[e.start : e.end] == "bank" and e.text in contents[e.document] for e in sense.examples)


def test_forms_that_full_text_takes_as_one_word_are_one(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    documents = list(planted(40, 30))
    several = [Document(f"{d.id}s", d.text.replace("bank", "Banks"), title="") for d in documents[:70]]
    space = LatentSpace.create(tmp_path / "x.space", Corpus.from_documents([*documents, *several]), encoders["static"])
    space.store.index_fulltext("English")
    assert space.senses("bank").forms == ("bank", "banks")
    assert len(space.senses("banks").occurrences) == len(space.senses("bank").occurrences) == 140
    assert len(space.senses("bank", exact=True).occurrences) == 70
    assert purity(space.senses("bank")) >= 0.95


def test_comparatives_belong_to_an_english_adjective_that_has_both(
    encoders: dict[str, Encoder], tmp_path: Path
) -> None:
    said = ["a hard {} task", "an even harder {} task", "the hardest {} task", "we serve {} food", "the server is {}"]
    documents = [Document(f"d{i}{j}", text.format(word)) for j, text in enumerate(said) for i, word in enumerate(RIVER)]
    space = LatentSpace.create(tmp_path / "x.space", Corpus.from_documents(documents), encoders["static"])
    space.store.index_fulltext("English")
    space.describe(replace(space.description, corpus=replace(space.description.corpus, language="English")))
    assert set(space.senses("hard").forms) == {"hard", "harder", "hardest"}
    assert len(space.senses("hard").occurrences) == 30
    assert space.senses("serve").forms == ("serve",)


def test_a_place_far_inside_a_long_document_is_found(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    long = [Document(d.id, "the old town " * 200 + d.text, title="On towns") for d in planted(40, 40, 0)]
    space = LatentSpace.create(tmp_path / "x.space", Corpus.from_documents(long), encoders["static"])
    senses = space.senses("bank")
    contents = {document.id: document.content for document in space.take([o.id for o in senses.occurrences])}
    assert {contents[o.id][o.start : o.end] for o in senses.occurrences} == {"bank"}
    assert all(e.text[e.start : e.end] == "bank" for sense in senses.senses for e in sense.examples)
    assert len(senses.senses) == 2
    assert purity(senses) >= 0.95


def test_without_igraph_the_install_line_is_told(
    encoders: dict[str, Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = LatentSpace.create(tmp_path / "x.space", planted(20, 20), encoders["static"])
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tolman\[topics\]'"):
        space.senses("bank")


def test_what_full_text_passes_over_is_found_by_reading(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    corpus = planted(30, 30)
    space = LatentSpace.create(tmp_path / "x.space", corpus, encoders["static"])
    space.store.index_fulltext("English")
    assert not len(space.store.lexical("the", 1)[0])
    having = [d for d in corpus if "the" in d.text.split()]
    assert space.senses("the").documents == len(having)


def test_a_word_stands_in_titles_too_and_never_inside_another(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    documents = [Document(f"d{i}", f"riverbank banker number {i}", title="The Bank") for i in range(12)]
    senses = LatentSpace.create(tmp_path / "x.space", Corpus.from_documents(documents), encoders["static"]).senses(
        "bank"
    )
    assert {(o.start, o.end) for o in senses.occurrences} == {(4, 8)}
    assert len(senses.occurrences) == 12


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("", "expected a word"),
        ("  ", "expected a word"),
        ("river bank", "one word"),
        ("bank?", "one word"),
        ("xyzzy", "no document of .* has the word 'xyzzy'"),
    ],
)
def test_what_has_no_senses_is_told(space: LatentSpace, word: str, told: str) -> None:
    before = tree(space.path)
    with pytest.raises(QueryError, match=told) as caught:
        space.senses(word)
    assert "\n" not in str(caught.value)
    assert tree(space.path) == before


def test_too_few_occurrences_are_told(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "x.space", planted(4, 3), encoders["static"])
    with pytest.raises(QueryError, match="only 7 times: to tell its senses apart takes 10"):
        space.senses("bank")


def test_no_such_sense(space: LatentSpace) -> None:
    for number in (0, 3, True, "1"):
        with pytest.raises(QueryError, match="has 2 senses here, numbered from 1"):
            space.senses("bank").sense(number)  # type: ignore[arg-type]


def test_senses_are_kept_and_made_anew_where_that_is_damaged(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    path = tmp_path / "x.space"
    found = LatentSpace.create(path, planted(30, 30), encoders["static"]).senses("bank")
    (file,) = (path / "derived").glob("senses-*.arrow")
    written = file.stat().st_mtime_ns
    assert open_space(path).senses("bank") == found
    assert file.stat().st_mtime_ns == written
    for damage in (b"", b"ARROW1", file.read_bytes()[:-40]):
        file.write_bytes(damage)
        assert open_space(path).senses("bank") == found
        assert file.stat().st_size > 100


def test_senses_follow_the_documents(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "x.space", planted(40, 40), encoders["static"])
    assert len(space.senses("bank")) == 2
    space.remove([f"river{i:03d}" for i in range(40)])
    assert len(space.senses("bank")) == 1
    assert len(list((space.path / "derived").glob("senses-*"))) == 1


def test_a_folder_that_cannot_be_written_only_keeps_nothing(encoders: dict[str, Encoder], tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "x.space", planted(30, 30), encoders["static"])
    expected = space.senses("bank")
    derived = space.path / "derived"
    derived.rename(tmp_path / "away")
    derived.write_text("no folder")  # what even root can't write into
    before = tree(space.path)
    assert space.senses("bank") == expected
    assert tree(space.path) == before


# ---- search


@pytest.mark.parametrize("mode", ["dense", "hybrid", "lexical"])
@pytest.mark.parametrize(("hint", "kind"), [("river", "river"), ("loan", "money"), ("1", "money"), ("2", "river")])
def test_the_sense_meant_comes_first(space: LatentSpace, mode: str, hint: str, kind: str) -> None:
    found = space.search(f"bank~{hint}", 20, mode=mode)  # type: ignore[arg-type]
    assert sum(hit.id.startswith(kind) for hit in found) >= 19
    assert found.query == f"bank~{hint}"
    assert found.senses[0].number == (1 if kind == "money" else 2)
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)


def test_the_others_follow(space: LatentSpace) -> None:
    inside = set(space.senses("bank").documents_of(2))
    for query, said in (
        ("bank~river", "bank river"),
        ("bank~2", " ".join(["bank", *space.senses("bank").sense(2).words[:3]])),
    ):
        plain, found = (space.search(q, len(space), mode="dense") for q in (said, query))
        assert {hit.id for hit in found[: len(inside)]} == inside
        assert [hit.id for hit in found[: len(inside)]] == [hit.id for hit in plain if hit.id in inside]
        assert [hit.id for hit in found[len(inside) :]] == [hit.id for hit in plain if hit.id not in inside]


def test_a_filter_holds_for_a_sense_too(space: LatentSpace) -> None:
    found = space.search("bank~river", 5, where="id LIKE 'river00%'")
    assert {hit.id for hit in found} <= {f"river00{i}" for i in range(10)}
    assert not [hit for hit in space.search("bank~river", 5, where="id LIKE 'money00%'") if "river" in hit.id]


@pytest.mark.parametrize(
    "query", ["bank ~5 minutes", "~/bank", "bank ~ river", "bank~", "~river", "/home~1/bank", "5~6 bank", "bank~~river"]
)
def test_a_tilde_in_ordinary_text_is_text(space: LatentSpace, query: str) -> None:
    found = space.search(query, 10)
    assert found.senses == ()
    assert found.query == query


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("xyzzy~river money", "no document"),
        ("hall~river", "has one sense"),
        ("bank~3", "has 2 senses"),
        ("bank~xyzzy", "fits no sense"),
    ],
)
def test_a_hint_that_chooses_nothing_is_text_and_says_why(space: LatentSpace, query: str, note: str) -> None:
    found = space.search(query, 10)
    assert note in found.senses[0].note
    assert found.senses[0].number is None
    assert [hit.id for hit in found] == [hit.id for hit in space.search(query.replace("~", " "), 10)]


def test_queries_of_a_batch_have_senses_of_their_own(space: LatentSpace) -> None:
    batch = space.search_many(["bank~river", "bank", "bank~loan"], 5)
    for result in batch:
        assert [hit.id for hit in result] == [hit.id for hit in space.search(result.query, 5)]
    assert [len(result.senses) for result in batch] == [1, 0, 1]


def test_a_search_with_a_sense_that_has_no_tilde_costs_nothing(space: LatentSpace) -> None:
    before = tree(space.path / "derived")
    space.search("bank river")
    assert tree(space.path / "derived") == before
    assert np.isfinite([hit.score for hit in space.search("bank~river", 10)]).all()
