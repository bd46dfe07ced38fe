"""A latent space as a step of a scikit-learn pipeline: sort tickets into topics from eight examples of each.

The space is learned from all tickets without their topics; the classifier then sees a few topics.

    python examples/classify_tickets.py
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import tolman


class SpaceVectors(TransformerMixin, BaseEstimator):
    """Texts to their vectors (N, D) in a space. Nothing to fit: the space is learned already."""

    def __init__(self, space: tolman.LatentSpace) -> None:
        self.space = space

    def fit(self, texts: Sequence[str], topics: object = None) -> "SpaceVectors":
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        return self.space.encoder.encode(texts)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def main() -> None:
    corpus = tolman.read_corpus(
        Path(__file__).with_name("tickets.csv"), text="body", title="subject", label="topic", id="id"
    )
    with tempfile.TemporaryDirectory() as folder:
        space = tolman.learn(corpus, Path(folder) / "tickets.space", budget="5s")
        texts, topics = corpus.contents(), np.array([document.label for document in corpus])
        shown = np.concatenate([np.flatnonzero(topics == topic)[:8] for topic in np.unique(topics)])
        held_out = np.setdiff1d(np.arange(len(texts)), shown)
        classifier = make_pipeline(SpaceVectors(space), LogisticRegression(C=10))
        classifier.fit([texts[row] for row in shown], topics[shown])
        accuracy = classifier.score([texts[row] for row in held_out], topics[held_out])
    print(f"{len(shown)} tickets with a topic, {len(held_out)} without: accuracy {accuracy:.2f}")


if __name__ == "__main__":
    main()
