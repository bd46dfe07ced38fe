"""`distil`: from a space to one of the same documents with a static encoder that does as the space's own, and what it
lost by that.

Legend for shapes:
    N  documents     Q  questions     A  documents that questions were taken from     D  dimensions
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tolman.card import DISTILLATION, PRETRAINED
from tolman.corpus.corpus import TEXT_FIELDS, Corpus, CorpusReport
from tolman.cost import Meter, Stopwatch, parse_budget
from tolman.curves.curve import LearningCurve
from tolman.encoding import encode_documents
from tolman.errors import SourceError, SpaceError, TolmanError
from tolman.judge import Exam, Pool, set_exam
from tolman.learners import work_of
from tolman.learning import count_cost, publish_space, require_seed, workshop_path
from tolman.making import COSTLY, POOL, TAUGHT, rows_to_learn_from, settle
from tolman.metrics import shared_nearest, spearman
from tolman.models.encoder import Encoder, Floats
from tolman.models.static import StaticEncoder
from tolman.progress import Progress, Silent
from tolman.space.description import SearchSettings, SpaceDescription, space_path
from tolman.space.space import LatentSpace
from tolman.space.staging import Staging, require_place
from tolman.storage import folders_above
from tolman.student import Teaching, learn_student, teach
from tolman.training import Run

_RESERVE = 0.1  # of the budget, for judging
_FEWEST_DOCUMENTS = 2


def distil(
    space: LatentSpace | str | Path,
    path: str | Path | None = None,
    *,
    budget: str | float = "60s",
    seed: int = 0,
    progress: Progress | None = None,
) -> LatentSpace:
    """Distil the encoder of a space into a static one, and build a space of the same documents with it.

    What that loses is measured on questions that the student never saw, and stands in `description.recipe` under
    "distillation", on the card, and in `quality` beside what the teacher reaches.

    Args:
        space: whose encoder teaches, open or its path.
        path: of the new space; None: NAME-distilled.space beside it. A space that is there is replaced when the new
            one is whole.
        budget: time for the teacher's reading and for learning, "60s", "5m", "2h" or seconds. Encoding the documents
            anew, and building, are not in it.
        seed: of every draw.
        progress: who watches; nobody when None.

    Returns:
        The new space, open.

    Raises:
        SpaceError: no space at `space`, or something else at `path`, or it is the same place.
        SourceError: fewer documents than anything could be learned from.
        BudgetError: a budget that can't be read, or is over before the teacher has read anything.
        TolmanError: the encoder is a static one already, or no such seed.
        StorageError: the disk refused.
    """
    progress, seconds, seed = Stopwatch(progress or Silent()), parse_budget(budget), require_seed(seed)
    space = space if isinstance(space, LatentSpace) else LatentSpace.open(space)
    path = space_path(path) if path is not None else distilled_path(space.path)
    _require_distillable(space, path)
    with Meter() as meter, folders_above(path):
        corpus = corpus_of(space)
        key = {"corpus": corpus.fingerprint, "teacher": space.description.encoder.fingerprint}
        key |= {"seconds": str(seconds), "seed": str(seed)}
        with Staging(workshop_path(path), key, made_for=path, costly=COSTLY) as workshop:
            with meter.kept_in(workshop.folder / "cost.json"):
                made = _make(space, corpus, seconds=seconds, seed=seed, workshop=workshop.folder, progress=progress)
                distilled = _publish(path, corpus, space, made, meter=meter, progress=progress)
            shutil.rmtree(workshop.folder)
    return distilled


def distilled_path(path: Path) -> Path:
    """`tickets-distilled.space` for `tickets.space`."""
    return path.with_name(f"{path.name.removesuffix('.space')}-distilled.space")


def corpus_of(space: LatentSpace) -> Corpus:
    """All documents of a space, in its order, with all their metadata."""
    table = space.table()
    empty = pa.nulls(len(table), pa.string())
    filled = {
        "title": pc.fill_null(table["title"], ""),
        "label": table["label"] if "label" in table.schema.names else empty,
        "duplicate_ids": pa.array([ids or [] for ids in table["duplicate_ids"].to_pylist()], TEXT_FIELDS[-1].type),
    }
    for name, values in filled.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, values)
    digest = hashlib.sha256()
    for row in zip(*(table[name].to_pylist() for name in ("id", "title", "text")), strict=True):
        digest.update("\0".join(row).encode())
        digest.update(b"\1")
    known = space.description.corpus
    report = CorpusReport(known.source, len(table), columns=dict(known.columns))
    return Corpus(table, digest.hexdigest(), report)


def _require_distillable(space: LatentSpace, path: Path) -> None:
    if space.description.encoder.family == StaticEncoder.family:
        raise TolmanError(f"the encoder of {space.path} is static already: there is nothing to gain")
    if path.resolve() == space.path.resolve():
        raise SpaceError(f"{path} is the space that is distilled: expected another place for what comes of it, see -o")
    require_place(path)
    if len(space) < _FEWEST_DOCUMENTS:
        raise SourceError(f"distilling needs at least {_FEWEST_DOCUMENTS} documents, {space.path} has {len(space)}")


@dataclass(frozen=True)
class _Made:
    encoder: StaticEncoder
    run: Run | None
    search: SearchSettings
    quality: Mapping[str, Any]
    lost: Mapping[str, Any]
    questions: int


def _make(
    space: LatentSpace, corpus: Corpus, *, seconds: float, seed: int, workshop: Path, progress: Progress
) -> _Made:
    """Exam, teacher, student, and what the judge says of both."""
    started, teacher = time.monotonic(), space.encoder
    progress.start("questions for the judge")
    rows = rows_to_learn_from(len(corpus), seed, progress)
    chosen = corpus.table.select(["title", "text"]).take(rows)
    exam = set_exam(chosen["title"].to_pylist(), chosen["text"].to_pylist(), seed=seed)
    kept = workshop / TAUGHT
    vectors_ND = np.asarray(space.vectors()[rows], np.float32)
    teaching = teach(
        exam, teacher, vectors_ND, started=started, seconds=seconds, seed=seed, kept=kept, progress=progress
    )
    recipe = json.dumps([corpus.fingerprint, teacher.fingerprint, seconds, seed])
    encoder, run = learn_student(
        exam,
        teaching,
        ended=started + seconds * (1 - _RESERVE),
        seed=seed,
        recipe=hashlib.sha256(recipe.encode()).hexdigest(),
        checkpoint=workshop,
        progress=progress,
    )
    progress.start("judging")
    return _judged(exam, teacher, teaching, encoder, run, seed=seed, progress=progress)


def _judged(
    exam: Exam,
    teacher: Encoder,
    teaching: Teaching,
    encoder: StaticEncoder,
    run: Run | None,
    *,
    seed: int,
    progress: Progress,
) -> _Made:
    """What the judge says of teacher and student."""
    pool = exam.pool(POOL, seed) if len(exam) else None
    quality: dict[str, Any] = {}
    student_QN = _cosines(encoder, pool, encode_documents(encoder, pool.contents).vectors_ND) if pool else None
    search = settle(exam.natural, pool, student_QN, quality, pretrained=False, seed=seed, progress=progress)
    lost: Mapping[str, Any] = {}
    if pool is not None and student_QN is not None:
        lost = _lost(pool, _cosines(teacher, pool, teaching.documents_ND[pool.rows]), student_QN)
        quality["teacher"] = lost["teacher_ndcg"]
        progress.say(show_lost(lost))
    return _Made(encoder, run, search, quality, lost, len(teaching.questions))


def _cosines(encoder: Encoder, pool: Pool, vectors_ND: Floats) -> Floats:
    return encoder.encode(pool.questions, "query") @ vectors_ND.T


def _lost(pool: Pool, teacher_QN: Floats, student_QN: Floats) -> dict[str, Any]:
    teacher, student = pool.ndcg(teacher_QN), pool.ndcg(student_QN)
    return {
        "questions": len(pool.questions),
        "teacher_ndcg": teacher,
        "student_ndcg": student,
        "kept": student / teacher if teacher else None,
        "spearman": spearman(teacher_QN.ravel(), student_QN.ravel()),
        "shared_nearest": shared_nearest(teacher_QN, student_QN),
    }


def show_lost(lost: Mapping[str, Any]) -> str:
    """What distilling lost, in one line."""
    if not lost:
        return "what it lost was not measured: the documents gave no questions to measure with"
    kept = "none" if lost["kept"] is None else f"{lost['kept']:.0%}".replace("%", " %")
    return (
        f"kept {kept} of the teacher's nDCG@10 ({lost['student_ndcg']:.3f} of {lost['teacher_ndcg']:.3f}) on "
        f"{lost['questions']} held-out questions; Spearman of similarities {lost['spearman']:.2f}, "
        f"{lost['shared_nearest']:.0%} of the ten nearest documents shared".replace("% of the ten", " % of the ten")
    )


def _publish(
    path: Path, corpus: Corpus, space: LatentSpace, made: _Made, *, meter: Meter, progress: Stopwatch
) -> LatentSpace:
    """The space, with all that is known of it."""
    taught = space.description
    run = {name: value for name, value in asdict(made.run).items() if name != "curve"} if made.run else None
    teacher = {"family": taught.encoder.family, "dim": taught.encoder.dim, "fingerprint": taught.encoder.fingerprint}
    teacher |= {"space": space.path.name}
    recipe = {"teacher": teacher, "questions_read": made.questions, "run": run, DISTILLATION: dict(made.lost)}
    recipe[PRETRAINED] = taught.recipe.get(PRETRAINED)
    parents = (taught.encoder.fingerprint,)
    description = SpaceDescription(recipe=recipe, quality=made.quality, parents=parents, search=made.search)
    learned = made.run
    curve = [asdict(point) for point in learned.curve] if learned else []
    return publish_space(
        path,
        corpus,
        made.encoder,
        description,
        curve=LearningCurve.of(path.name, curve, learned.resumed if learned else ()),
        cost=lambda: count_cost(meter, asdict(work_of(learned)), progress),
        progress=progress,
    )
