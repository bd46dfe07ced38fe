from dataclasses import replace

import numpy as np
import pytest
from planted import planted_material
from sklearn.metrics import adjusted_rand_score

from tolman.errors import QueryError
from tolman.topics.division import NOWHERE, smallest_topic
from tolman.topics.finding import Found, Material, find, find_again
from tolman.topics.tree import Topic, Tree

SIZES = [60, 90, 120, 50, 70]


def as_known(found: Found, known: np.ndarray, count: int):
    """The tree over `count` documents of which those at `known` had been there."""
    shown, fine = np.full(count, NOWHERE), np.full(count, NOWHERE)
    shown[known], fine[known] = found.tree.shown_N, found.tree.fine_N
    return replace(found.tree, shown_N=shown, fine_N=fine)


def test_planted_topics_are_found_and_named_by_their_words():
    material, classes = planted_material(SIZES)
    found = find(material)
    assert adjusted_rand_score(classes, found.tree.shown_N) > 0.99
    names = {topic.name for topic in found.tree.at("shown")}
    assert len(names) == len(SIZES)
    assert any({"parcel", "courier", "late"} & set(name.replace(",", "").split()) for name in names)
    sizes = [topic.size for topic in found.tree.at("shown")]
    assert sizes == sorted(sizes, reverse=True)
    assert [topic.id for topic in found.tree.at("shown")] == list(range(len(SIZES)))


def test_another_order_of_rows_gives_the_same_topics():
    material, _ = planted_material(SIZES, spread=0.9)
    shuffled = np.random.default_rng(3).permutation(len(material))
    first, second = find(material), find(material.take(shuffled))
    assert adjusted_rand_score(first.tree.shown_N[shuffled], second.tree.shown_N) == 1
    assert adjusted_rand_score(first.tree.fine_N[shuffled], second.tree.fine_N) == 1


def test_levels_are_nested():
    material, _ = planted_material([40] * 8 + [30] * 20, spread=0.8, dim=64)
    found = find(material)
    tree = found.tree
    for topic in tree.at("fine"):
        assert set(tree.shown_N[tree.fine_N == topic.id]) == {topic.parent}
    for topic in tree.at("shown"):
        assert topic.size == (tree.shown_N[~found.places.outside_N] == topic.id).sum()
        assert topic.parent is None or tree.topics[topic.parent].depth == "broad"


def test_most_documents_keep_their_topic_and_all_topics_their_names_when_more_come():
    material, _ = planted_material(SIZES, spread=1.0)
    known = np.sort(np.random.default_rng(0).permutation(len(material))[: int(0.8 * len(material))])
    first = find(material.take(known))
    before = as_known(first, known, len(material))
    again = find_again(material, before)
    kept = again.tree.shown_N[known] == first.tree.shown_N
    assert kept.mean() >= 0.98
    for number, topic in first.tree.topics.items():
        if number in again.tree.topics:
            assert again.tree.topics[number].name == topic.name
    assert (again.tree.shown_N >= 0).all()


def test_a_class_that_nobody_had_seen_becomes_a_topic():
    material, classes = planted_material(SIZES)
    known = np.flatnonzero(classes != 2)
    first = find(material.take(known))
    again = find_again(material, as_known(first, known, len(material)))
    new = set(again.tree.shown_N[classes == 2]) - set(first.tree.topics)
    assert len(new) == 1
    assert (again.tree.shown_N[known] == first.tree.shown_N).all()


def test_nothing_that_is_pinned_moves():
    material, classes = planted_material(SIZES, spread=1.0)
    first = find(material)
    wrong = np.where(np.isin(classes, (0, 1)), 0, first.tree.shown_N)  # a person made one topic of two classes
    topic = replace(first.tree.topics[0], pinned=True)
    before = replace(first.tree.with_topic(topic), shown_N=wrong, fine_N=wrong)
    again = find_again(material, before, bearable=1.0)
    assert (again.tree.shown_N[wrong == 0] == 0).all()
    assert again.tree.topics[0].pinned


def test_no_more_documents_move_than_are_bearable():
    material, _ = planted_material(SIZES, spread=1.0)
    first = find(material)
    mixed = first.tree.shown_N.copy()
    strays = np.random.default_rng(0).permutation(len(mixed))[:80]
    mixed[strays] = (mixed[strays] + 1) % 5
    before = replace(first.tree, shown_N=mixed, fine_N=mixed)
    for bearable in (0.0, 0.05):
        again = find_again(material, before, bearable=bearable)
        assert (again.tree.shown_N != mixed).mean() <= bearable
    free = find_again(material, before, bearable=1.0)
    assert adjusted_rand_score(free.tree.shown_N, first.tree.shown_N) > 0.95


def test_an_undivided_topic_that_is_divided_later_gives_its_number_to_no_finer_one():
    material, classes = planted_material(SIZES)
    first = find(material)
    one = replace(first.tree, fine_N=first.tree.shown_N)  # nothing was divided
    mixed = np.where(classes == 0, one.shown_N[classes == 1][0], one.shown_N)  # two classes in one topic
    again = find_again(material, replace(one, shown_N=mixed, fine_N=one.shown_N), bearable=0.0)
    own = again.tree.fine_N == again.tree.shown_N
    assert all(again.tree.topics[number].depth == "fine" for number in set(again.tree.fine_N[~own].tolist()))
    for number, topic in again.tree.topics.items():
        assert topic.size == (again.tree.ids_at(topic.depth) == number).sum()


def test_a_topic_counts_whom_none_of_its_finer_ones_has():
    topics = {0: Topic(0, None, "shown", "a"), 1: Topic(1, 0, "fine", "b")}
    tree = Tree(topics, np.zeros(5, np.int64), np.array([1, 1, 1, 0, 0]), 2).sized(np.ones(5, bool))
    assert (tree.topics[0].size, tree.topics[1].size) == (5, 3)


def test_new_topics_never_get_a_number_that_was_taken():
    material, classes = planted_material(SIZES)
    first = find(material.take(np.flatnonzero(classes != 4)))
    before = as_known(first, np.flatnonzero(classes != 4), len(material))
    again = find_again(material, replace(before, next_id=500))
    new = set(again.tree.topics) - set(first.tree.topics)
    assert new
    assert min(new) >= 500


@pytest.mark.parametrize("rows", [0, 1, 19])
def test_too_few_documents_are_refused(rows):
    material = Material(
        [str(i) for i in range(rows)], ["text"] * rows, np.eye(max(rows, 1), 32, dtype=np.float32)[:rows]
    )
    with pytest.raises(QueryError, match="at least 20 documents"):
        find(material)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_documents_that_are_all_alike_or_all_unknown_have_no_topics(value):
    vectors = np.zeros((50, 8), np.float32)
    vectors[:, 0] = value
    with pytest.raises(QueryError, match="no topics to find"):
        find(Material([str(i) for i in range(50)], ["text"] * 50, vectors))


def test_documents_without_structure_are_one_topic():
    vectors = np.random.default_rng(0).standard_normal((600, 60)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = find(Material([str(i) for i in range(600)], ["red fish"] * 600, vectors))
    assert set(found.tree.shown_N) == {0}


def test_documents_without_known_words_belong_nowhere():
    material, _ = planted_material(SIZES)
    material.vectors_ND[:7] = 0
    found = find(material)
    assert (found.tree.shown_N[:7] == NOWHERE).all()
    assert found.places.outside_N[:7].all()


def test_a_small_corpus_may_have_small_topics():
    assert [smallest_topic(documents) for documents in (30, 1_000, 100_000)] == [3, 5, 10]


def test_probabilities_are_those_of_the_topic_that_a_document_is_in():
    material, _ = planted_material(SIZES, spread=1.2)
    found = find(material)
    numbers = [topic.id for topic in sorted(found.tree.at("shown"), key=lambda topic: topic.id)]
    np.testing.assert_array_equal(np.array(numbers)[found.places.topic_N], found.tree.shown_N)
    assert (found.places.margin_N <= found.places.probability_N + 1e-12).all()


def test_an_old_document_is_never_sent_nowhere():
    material, _ = planted_material(SIZES, spread=1.0)
    first = find(material)
    again = find_again(material, first.tree)
    assert not again.places.outside_N.any()
