"""A static student of any encoder, for the words of one corpus.

The table is fitted in closed form first: ridge regression from the weighted words of documents and questions to the
teacher's vectors of them, by conjugate gradients. It is refined by imitation, and a little by the pairs that the corpus
gives away for free, until the budget ends. Documents cost the teacher nothing: the space holds their vectors. What it
must encode are short questions, titles and sentences.

Legend for shapes:
    N  documents     Q  questions     A  documents that the judge took questions from
    V  tokens        D  dimensions    M  texts of both kinds
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from tokenizers import Tokenizer

from tolman.corpus.pairs import lead
from tolman.corpus.passages import sentences, words
from tolman.encoding import encode_documents
from tolman.errors import BudgetError
from tolman.judge import Exam
from tolman.lesson import Lesson, paired
from tolman.models.encoder import Encoder, Floats, Role
from tolman.models.lsa import term_importance
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.static_trunk import term_counts
from tolman.objectives.imitation import Imitation
from tolman.optimization import Optimizers, all_alike
from tolman.progress import Progress
from tolman.recipe import ScratchRecipe
from tolman.storage import storing
from tolman.tokenization import TokenSequences, tokenize, train_tokenizer
from tolman.training import Run, Schedule, train

MOST_QUESTIONS = 20_000
_TO_THE_TEACHER = 0.4  # of the budget ends with what it reads ...
_AT_LEAST = 0.15  # ... unless what comes before questions took so long: so much is theirs in any case
_AT_ONCE = 256  # questions
_SENTENCES = 2  # of a document
_LONGEST = 400  # characters of a question
_FEWEST_WORDS = 2
_PENALTY = 0.5  # of the ridge; bags have unit length
_ITERATIONS = 30
_OF_ITS_OWN = 0.2  # what the pairs of the corpus count beside the teacher
_STEPS = 96
_WARMUP_STEPS = 10


@dataclass(frozen=True)
class Teaching:
    """What a teacher says of a corpus.

    Attributes:
        documents_ND: its vectors of the documents, as a learner may see them.
        questions: titles, or how documents begin, and sentences; those it found the time for.
        origins_Q: the document of each.
        questions_QD: its vectors of them.
    """

    documents_ND: Floats
    questions: Sequence[str]
    origins_Q: NDArray[np.int64]
    questions_QD: Floats


def teach(
    exam: Exam,
    teacher: Encoder,
    vectors_ND: Floats,
    *,
    started: float,
    seconds: float,
    seed: int,
    kept: Path,
    progress: Progress,
) -> Teaching:
    """Have questions encoded by `teacher`; from the file `kept` where a killed run had them.

    Args:
        exam: documents as a learner may see them.
        teacher: any encoder.
        vectors_ND: its vectors of the whole documents; those that lost a question are encoded again.
        started: moment of `time.monotonic` from which the budget counts.
        seconds: of the budget.
        seed: of the questions' order.
        kept: a .npz file.
        progress: told what goes on.

    Raises:
        BudgetError: the budget was over before the first questions were encoded.
        StorageError: the disk refused.
    """
    questions, origins_Q = questions_of(exam, seed)
    if kept.exists():
        with np.load(kept) as stored:
            found = len(stored["questions"])
            return Teaching(stored["documents"], questions[:found], origins_Q[:found], stored["questions"])
    progress.start("the teacher reads", len(questions))
    documents_ND = vectors_ND.copy()
    contents = exam.contents
    documents_ND[exam.answers] = encode_documents(teacher, [contents[row] for row in exam.answers]).vectors_ND
    if time.monotonic() - started > seconds:
        raise BudgetError(
            f"a budget of {seconds:g} s is over before the teacher has read a question: give more, "
            f"like {2 * seconds:g}s"
        )
    until = max(started + _TO_THE_TEACHER * seconds, time.monotonic() + _AT_LEAST * seconds)
    parts: list[Floats] = [np.empty((0, teacher.dim), np.float32)]
    for first in range(0, len(questions), _AT_ONCE):
        if first and time.monotonic() > until:
            break
        parts.append(teacher.encode(questions[first : first + _AT_ONCE], "query"))
        progress.advance(len(parts[-1]))
    questions_QD = np.concatenate(parts)
    with storing(f"can't write {kept}"):
        beside = kept.with_name(f"partial-{kept.name}")
        np.savez(beside, documents=documents_ND, questions=questions_QD)
        beside.replace(kept)
    return Teaching(documents_ND, questions[: len(questions_QD)], origins_Q[: len(questions_QD)], questions_QD)


def questions_of(exam: Exam, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Titles, or how documents begin, and sentences, in random order, and the row of the document of each."""
    generator = np.random.default_rng([seed, 5])
    pairs: list[tuple[str, int]] = []
    for row, (title, text) in enumerate(zip(exam.titles, exam.texts, strict=True)):
        spans = sentences(text)
        drawn = generator.permutation(len(spans))[:_SENTENCES]
        asked = [title or text[slice(*lead(text))], *(text[slice(*spans[place])] for place in drawn)]
        pairs += [(question[:_LONGEST], row) for question in asked if len(words(question)) >= _FEWEST_WORDS]
    chosen = [pairs[place] for place in generator.permutation(len(pairs))[:MOST_QUESTIONS]]
    return [question for question, _ in chosen], np.array([row for _, row in chosen], np.int64)


def learn_student(
    exam: Exam,
    teaching: Teaching,
    *,
    ended: float,
    seed: int,
    recipe: str,
    checkpoint: Path,
    progress: Progress,
) -> tuple[StaticEncoder, Run | None]:
    """The student, and what its training did; None where no time was left beyond the fit in closed form.

    Args:
        exam: documents as a learner may see them.
        teaching: what the teacher says of them.
        ended: moment of `time.monotonic` that ends training.
        seed: of every draw.
        recipe: fingerprint of all that determines the run.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
    """
    progress.start("fitting the table")
    sizes = ScratchRecipe.derive(len(exam.texts))
    contents = exam.contents
    tokenizer = train_tokenizer(contents, vocabulary=sizes.vocabulary)
    documents, questions = tokenize(tokenizer, contents), tokenize(tokenizer, teaching.questions)
    lesson = _fitted(exam, tokenizer, documents, questions, teaching)
    trunk = lesson.trunk()
    if time.monotonic() >= ended:
        progress.say("the budget is over: the table stays as it was fitted")
        return trunk.finished(tokenizer), None
    imitation = Imitation(
        questions, documents, teaching.origins_Q, teaching.questions_QD, teaching.documents_ND, sizes.batch
    )
    run = train(
        trunk,
        [(1.0, imitation), (_OF_ITS_OWN, lesson.objective(lesson.recipe))],
        Schedule.until(ended, _STEPS, warmup=_WARMUP_STEPS / _STEPS),
        Optimizers(all_alike(sizes.rate)(trunk)),
        seed=seed,
        checkpoint=checkpoint,
        recipe=recipe,
        progress=progress,
    )
    return trunk.finished(tokenizer), run


def _fitted(
    exam: Exam, tokenizer: Tokenizer, documents: TokenSequences, questions: TokenSequences, teaching: Teaching
) -> Lesson:
    """Where the student begins: the closed form, its rows scaled to a root-mean-square norm of 1."""
    saturation = TermSaturation(max(1.0, float(documents.lengths.mean())))
    importance_V = term_importance(term_counts(documents, tokenizer.get_vocab_size()))
    bags_MV = sparse.vstack(
        [_bags(documents, "document", importance_V, saturation), _bags(questions, "query", importance_V, saturation)]
    ).tocsr()
    table_VD = ridge(bags_MV, np.concatenate([teaching.documents_ND, teaching.questions_QD]), _PENALTY)
    size = float(np.sqrt((table_VD**2).sum(axis=1).mean()))
    recipe = replace(ScratchRecipe.derive(len(documents)), dim=table_VD.shape[1])
    start_VD = table_VD / max(size, 1e-12)
    return Lesson(recipe, tokenizer, documents, *paired(exam, tokenizer), start_VD, importance_V, saturation)


def _bags(texts: TokenSequences, role: Role, importance_V: Floats, saturation: TermSaturation) -> sparse.csr_matrix:
    """Weighted words of each text, unit length."""
    bags = term_counts(texts, len(importance_V))
    lengths_E = np.repeat(texts.lengths.astype(np.float32), np.diff(bags.indptr))
    weights_E = saturation.query(bags.data) if role == "query" else saturation.document(bags.data, lengths_E)
    bags.data = weights_E * importance_V[bags.indices]
    norms = np.sqrt(np.asarray(bags.multiply(bags).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.maximum(norms, 1e-12)) @ bags).astype(np.float32).tocsr()


def ridge(bags_MV: sparse.csr_matrix, targets_MD: Floats, penalty: float) -> Floats:
    """Table (V, D) that minimises |bags table - targets|^2 + penalty |table|^2, by conjugate gradients (Hestenes and
    Stiefel 1952), all columns at once."""
    transposed_VM = bags_MV.T.tocsr()
    table_VD = np.zeros((bags_MV.shape[1], targets_MD.shape[1]), np.float32)
    residual_VD = np.asarray(transposed_VM @ targets_MD, np.float32)
    direction_VD, size_D = residual_VD.copy(), (residual_VD**2).sum(axis=0)
    for _ in range(_ITERATIONS):
        image_VD = transposed_VM @ (bags_MV @ direction_VD) + penalty * direction_VD
        step_D = size_D / np.maximum((direction_VD * image_VD).sum(axis=0), 1e-12)
        table_VD += step_D * direction_VD
        residual_VD -= step_D * image_VD
        before_D, size_D = size_D, (residual_VD**2).sum(axis=0)
        direction_VD = residual_VD + size_D / np.maximum(before_D, 1e-12) * direction_VD
    return table_VD
