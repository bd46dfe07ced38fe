import time

import numpy as np
import pytest
from scipy import sparse
from tiny import tiny_corpus, tiny_encoder

from tolman.errors import BudgetError
from tolman.judge import set_exam
from tolman.progress import Silent
from tolman.student import questions_of, ridge, teach


def test_ridge_is_the_closed_form():
    generator = np.random.default_rng(0)
    bags = sparse.random(40, 12, 0.4, format="csr", random_state=0, dtype=np.float32)
    targets = generator.standard_normal((40, 3)).astype(np.float32)
    exact = np.linalg.solve((bags.T @ bags).toarray() + 0.5 * np.eye(12), bags.T @ targets)
    np.testing.assert_allclose(ridge(bags, targets, 0.5), exact, atol=1e-4)


def test_the_judges_questions_are_not_taught():
    corpus = tiny_corpus(range(100))
    exam = set_exam(corpus.titles(), corpus.table["text"].to_pylist(), seed=0)
    questions, origins = questions_of(exam, 0)
    asked = dict(zip(exam.answers.tolist(), zip(exam.heads, exam.sentences, strict=True), strict=True))
    taught = [(question, asked.get(row, ())) for question, row in zip(questions, origins.tolist(), strict=True)]
    assert not [question for question, held_out in taught if question in held_out]


def test_what_the_teacher_has_read_is_not_read_again(tmp_path):
    corpus, teacher = tiny_corpus(range(100)), tiny_encoder()
    exam = set_exam(corpus.titles(), corpus.table["text"].to_pylist(), seed=0)
    vectors = teacher.encode(corpus.contents())
    told = {"started": time.monotonic(), "seconds": 60.0, "seed": 0, "kept": tmp_path / "t.npz", "progress": Silent()}
    first = teach(exam, teacher, vectors, **told)
    again = teach(exam, None, None, **told)
    np.testing.assert_array_equal(first.documents_ND, again.documents_ND)
    np.testing.assert_array_equal(first.questions_QD, again.questions_QD)
    assert first.questions == again.questions
    others = np.setdiff1d(np.arange(100), exam.answers)
    np.testing.assert_array_equal(first.documents_ND[others], vectors[others])
    assert (first.documents_ND[exam.answers] != vectors[exam.answers]).any(axis=1).all()


def test_a_slow_machine_reads_questions_all_the_same(tmp_path):
    corpus, teacher = tiny_corpus(range(100)), tiny_encoder()
    exam = set_exam(corpus.titles(), corpus.table["text"].to_pylist(), seed=0)
    told = {"seconds": 60.0, "seed": 0, "kept": tmp_path / "t.npz", "progress": Silent()}
    late = teach(exam, teacher, teacher.encode(corpus.contents()), started=time.monotonic() - 50, **told)
    assert len(late.questions) == len(questions_of(exam, 0)[0])
    (tmp_path / "t.npz").unlink()
    with pytest.raises(BudgetError, match=r"a budget of 60 s is over .* give more, like 120s"):
        teach(exam, teacher, teacher.encode(corpus.contents()), started=time.monotonic() - 61, **told)
    assert not list(tmp_path.iterdir())
