import numpy as np

from tolman.judge import Exam
from tolman.lesson import Lesson
from tolman.objectives.contrastive import HeadsAndBodies, SpansAndDocuments, SpansAndSpans
from tolman.recipe import ScratchRecipe

WORDS = "river bank loan engine wing storm harvest violin copper lemon glacier senate".split()


def lesson(words: int, *, titled: bool) -> list[type]:
    """What a corpus of texts of so many words is learned from."""
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, words)) for _ in range(60)]
    titles = [" ".join(generator.choice(WORDS, 3)) if titled else "" for _ in range(60)]
    made = Lesson.prepare(Exam(titles, texts, np.empty(0, np.int64), [], []), ScratchRecipe.derive(60), 0)
    return [type(source) for _, source in made.objective(made.recipe).sources]


def test_what_is_learned_from_follows_the_length_and_titles_of_the_documents() -> None:
    assert lesson(100, titled=True) == [HeadsAndBodies, SpansAndDocuments]
    assert lesson(20, titled=True) == [HeadsAndBodies, SpansAndDocuments]
    assert lesson(10, titled=False) == [SpansAndSpans]
    assert SpansAndSpans not in lesson(100, titled=False)
