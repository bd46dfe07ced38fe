from dataclasses import replace

import numpy as np
import pytest

from tolman.judge import set_exam
from tolman.progress import Silent
from tolman.recipe import ScratchRecipe
from tolman.scratch import Trial, learn_scratch

TOPICS = {
    "river": ["water", "flows", "past", "the", "muddy", "bank", "where", "herons", "fish", "and", "reeds", "grow"],
    "money": ["loans", "rates", "credit", "and", "interest", "are", "paid", "at", "the", "counter", "by", "clients"],
    "music": [
        "violins",
        "cellos",
        "and",
        "drums",
        "play",
        "a",
        "slow",
        "melody",
        "in",
        "the",
        "old",
        "concert",
        "hall",
    ],
}


SHORT = replace(ScratchRecipe.derive(150), steps=8)


def corpus(documents=150, titled=True):
    generator = np.random.default_rng(0)
    titles, texts = [], []
    for i in range(documents):
        topic, words = list(TOPICS.items())[i % 3]
        chosen = generator.choice(words, 5)
        titles.append(f"{topic} {chosen[0]} {i}" if titled else "")
        body = [f"Of {topic} {' '.join(generator.choice(words, 6))} {i}." for _ in range(5)]
        texts.append(" ".join(body))
    return titles, texts


def learn(titles, texts, **options):
    exam = set_exam(titles, texts, seed=0)
    pool = exam.pool(100, seed=0) if len(exam) else None
    arguments = {"seconds": 30.0, "seed": 0, "corpus": "c", "checkpoint": None, "progress": Silent()} | options
    return learn_scratch(exam, pool, **arguments)


def nearest_share(encoder, texts):
    """How often a document's nearest neighbour is of its topic."""
    vectors = encoder.encode(texts)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return np.mean(cosines.argmax(1) % 3 == np.arange(len(texts)) % 3)


@pytest.mark.parametrize("titled", [True, False])
def test_it_learns_topics_with_and_without_titles(titled):
    titles, texts = corpus(titled=titled)
    learned = learn(titles, texts)
    assert nearest_share(learned.best.encoder, texts) > 0.9


def test_two_runs_are_equal():
    one, two = (learn(*corpus(), recipe=SHORT) for _ in range(2))
    assert one.best.encoder.fingerprint == two.best.encoder.fingerprint
    assert [t.recipe for t in one.trials] == [t.recipe for t in two.trials]


def test_without_the_objective_the_start_comes_back():
    learned = learn(*corpus(), contrastive=False)
    assert not learned.trials
    assert learned.best is learned.start
    assert nearest_share(learned.best.encoder, corpus()[1]) > 0.9


def test_neighbours_are_tried_and_what_is_kept_is_not_worse_than_the_start():
    learned = learn(*corpus(), recipe=SHORT)
    assert not learned.start.beats(learned.best)
    first = replace(SHORT, dim=learned.start.encoder.dim)
    recipes = [trial.recipe for trial in learned.trials]
    assert recipes[0] == first
    assert set(first.neighbours()) <= set(recipes)
    assert len(set(recipes)) == len(recipes)


def test_a_recipe_is_given_up_only_for_a_lead_beyond_noise():
    encoder = learn(*corpus(), contrastive=False).best.encoder

    def trial(grades):
        return Trial(encoder, SHORT, None, np.array(grades), 0.5)

    default = trial([0.5, 0.5, 0.5, 0.5])
    assert trial([0.6, 0.6, 0.7, 0.6]).beats(default)
    assert not trial([1.0, 0.0, 0.9, 0.2]).beats(default)
    assert not trial([0.4, 0.4, 0.4, 0.4]).beats(default)


def test_what_learning_spoils_is_not_returned():
    learned = learn(*corpus(), recipe=replace(SHORT, rate=1e6))
    assert all(trial.grade < learned.start.grade for trial in learned.trials)
    assert learned.best is learned.start
    assert "learned" not in learned.quality


def test_what_does_not_fit_into_the_time_left_is_not_tried():
    assert len(learn(*corpus(), recipe=replace(SHORT, steps=10_000), seconds=2.0).trials) == 1


def test_a_run_that_was_killed_gets_its_finished_trials_back(tmp_path):
    whole = learn(*corpus(), recipe=SHORT, checkpoint=tmp_path)

    class Counting(Silent):
        resumed = 0

        def say(self, message):
            self.resumed += "resuming" in message

    counting = Counting()
    again = learn(*corpus(), recipe=SHORT, checkpoint=tmp_path, progress=counting)
    assert counting.resumed == len(again.trials) > 1
    assert again.best.encoder.fingerprint == whole.best.encoder.fingerprint


def test_two_documents_are_enough():
    learned = learn(["", ""], ["one document about rivers", "another about money"])
    assert np.isfinite(learned.best.encoder.encode(["rivers"])).all()


def test_a_budget_that_is_over_at_once_gives_the_start_and_says_so():
    class Listening(Silent):
        said = ""

        def say(self, message):
            self.said += message

    listener = Listening()
    learned = learn(*corpus(), seconds=1e-6, progress=listener)
    assert learned.best is learned.start
    assert "budget" in listener.said
