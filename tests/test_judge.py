from dataclasses import replace

import numpy as np
import pytest

from tolman.judge import FEWEST_ASKED, MOST_ASKED, Pool, set_exam

WORDS = "river bank loan engine wing storm harvest violin copper lemon glacier senate".split()


def story(i, title):
    """A text of several sentences that repeats its title at the start of every other document."""
    generator = np.random.default_rng(i)
    body = " ".join(f"Sentence {i} {n} about the {' and the '.join(generator.choice(WORDS, 4))}." for n in range(4))
    return f"{title}. {body}" if i % 2 else body


@pytest.fixture(scope="module")
def corpus():
    titles = [f"The {WORDS[i % 12]} of number {i}" for i in range(120)]
    titles[7] = titles[8] = "Re: the same thread"
    return titles, [story(i, t) for i, t in enumerate(titles)]


def test_what_is_asked_is_gone(corpus):
    titles, texts = corpus
    exam = set_exam(titles, texts, seed=0)
    assert FEWEST_ASKED <= len(exam) <= 30
    for question, row, sentence in zip(exam.heads, exam.answers, exam.sentences, strict=True):
        assert question == titles[row]
        assert exam.titles[row] == ""
        assert question.lower() not in exam.texts[row].lower()
        assert sentence
        assert sentence not in exam.texts[row]
    others = set(range(120)) - set(exam.answers.tolist())
    assert all(exam.titles[row] == titles[row] and exam.texts[row] == texts[row] for row in others)


def test_a_sentence_that_says_nothing_is_not_asked():
    texts = [f"A title that stands here. {story(i, '')} Yes. No!" for i in range(120)]
    assert all(len(lost.split()) >= 4 for lost in set_exam([""] * 120, texts, seed=0).sentences)


def test_a_title_on_two_documents_is_never_asked(corpus):
    for seed in range(5):
        assert not {7, 8} & set(set_exam(*corpus, seed=seed).answers.tolist())


def test_without_titles_the_lead_is_asked(corpus):
    _, texts = corpus
    exam = set_exam([""] * len(texts), texts, seed=0)
    for question, row in zip(exam.heads, exam.answers, strict=True):
        assert texts[row].startswith(question)
        assert not exam.texts[row].startswith(question)


def test_seeds_differ_and_repeat(corpus):
    assert set_exam(*corpus, seed=1).heads == set_exam(*corpus, seed=1).heads
    assert set_exam(*corpus, seed=1).heads != set_exam(*corpus, seed=2).heads


def test_few_documents_give_no_questions():
    exam = set_exam(["a b"] * 5, ["too short"] * 5, seed=0)
    assert len(exam) == 0
    assert exam.titles == ["a b"] * 5


def test_many_documents_give_the_most_questions():
    titles = [f"title number {i}" for i in range(2_000)]
    assert len(set_exam(titles, [story(i, "") for i in range(2_000)], seed=0)) == MOST_ASKED


def test_the_pool_begins_with_the_answers(corpus):
    exam = set_exam(*corpus, seed=0)
    pool = exam.pool(60, seed=0)
    assert len(pool.contents) == 60
    assert len(set(pool.rows.tolist())) == 60
    np.testing.assert_array_equal(pool.rows[: len(exam)], exam.answers)
    assert pool.contents[0] == exam.contents[exam.answers[0]]


def test_head_and_sentence_of_a_document_are_both_asked(corpus):
    exam = set_exam(*corpus, seed=0)
    exam.sentences[3] = ""
    pool = exam.pool(60, seed=0)
    asked = [question for question, answer in zip(pool.questions, pool.answers, strict=True) if answer == 2]
    assert asked == [exam.heads[2], exam.sentences[2]]
    assert (pool.answers == 3).sum() == 1
    assert len(pool.questions) == len(pool.answers) == 2 * len(exam) - 1


def test_twins_are_found_and_left_unranked():
    texts = [f"{story(i, '')} {WORDS[i % 12] * 2}" for i in range(100)]
    titles = [f"title number {i}" for i in range(100)]
    exam = set_exam(titles, texts, seed=0)
    asked = int(exam.answers[0])
    other = next(i for i in range(100) if i not in exam.answers)
    exam.texts[other] = exam.texts[asked]
    exam.titles[other] = ""
    pool = exam.pool(100, seed=0)
    twin = int(np.flatnonzero(pool.rows == other)[0])
    assert pool.twins[0, twin]
    assert not pool.twins[0, 0]
    scores = np.zeros((len(pool.questions), 100), np.float32)
    scores[0, twin], scores[0, 0] = 2.0, 1.0
    assert pool.grade_questions(scores)[0] == 1.0


def pool_of(questions, documents):
    return Pool(
        np.arange(documents),
        [""] * documents,
        ["q"] * questions,
        np.arange(questions),
        np.zeros((questions, documents), bool),
        documents,
    )


def test_grades_fall_with_the_logarithm_of_the_place():
    scores = np.tile(-np.arange(200.0, dtype=np.float32), (3, 1))  # right answers at places 0, 1, 2
    expected = [1 - np.log1p(place / 10) / np.log1p(10) for place in (0, 1, 2)]
    np.testing.assert_allclose(pool_of(3, 200).grade_scores(scores), expected, rtol=1e-6)
    np.testing.assert_allclose(pool_of(3, 200).grade_scores(-scores), 0, atol=1e-6)  # beyond the hundredth


def test_places_count_in_the_whole_corpus():
    scores = np.tile(-np.arange(200.0, dtype=np.float32), (3, 1))
    part = replace(pool_of(3, 200), documents=2_000)
    expected = [1 - np.log1p(place / 10) / np.log1p(10) for place in (0, 10, 20)]
    np.testing.assert_allclose(part.grade_scores(scores), expected, rtol=1e-6)


def test_ndcg_is_that_of_one_right_answer():
    scores = np.tile(-np.arange(12.0, dtype=np.float32), (3, 1))
    assert pool_of(3, 12).ndcg(scores) == pytest.approx(np.mean([1, 1 / np.log2(3), 0.5]))
    assert pool_of(2, 12).ndcg(-scores[:2]) == 0


def test_two_questions_may_have_one_answer():
    pool = Pool(np.arange(4), [""] * 4, ["q", "r"], np.array([1, 1]), np.zeros((2, 4), bool), 4)
    scores = np.array([[0, 3, 1, 2], [3, 0, 1, 2]], np.float32)
    np.testing.assert_allclose(pool.ahead(scores), [0, 3])


def test_a_collapsed_space_is_not_rewarded():
    assert pool_of(5, 300).grade_scores(np.ones((5, 300), np.float32)).max() == pytest.approx(0, abs=1e-6)


def test_the_questions_of_a_document_make_one_grade(corpus):
    pool = replace(set_exam(*corpus, seed=0).pool(60, 0), documents=60_000)
    pool.twins[:] = False
    assert len(pool.answers) == 2 * pool.heads
    found = np.eye(len(pool.contents), dtype=np.float32)[pool.answers]
    heads, sentences = found.copy(), found.copy()
    heads[pool.heads :], sentences[: pool.heads] = -found[pool.heads :], -found[: pool.heads]
    assert np.all(pool.grade_scores(found) == 1)
    np.testing.assert_allclose(pool.grade_scores(heads), np.full(pool.heads, 0.5))
    np.testing.assert_allclose(pool.grade_scores(sentences), np.full(pool.heads, 0.5))


def test_questions_of_short_texts_without_titles_are_not_natural(corpus):
    titles, texts = corpus
    short = [f"{title} and {text[:30]}" for title, text in zip(titles, texts, strict=True)]
    assert set_exam(*corpus, seed=0).natural
    assert not set_exam([""] * len(short), short, seed=0).natural
    assert set_exam(titles, short, seed=0).natural
    assert not set_exam([""] * len(short), short, seed=0).pool(60, 0).natural
