"""Tolman: one latent space you own, learned on your text, kept in one folder, used for everything.

This file is the table of contents. Names load when they are first used, so `import tolman` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tolman.errors import (
    BudgetError,
    MissingExtra,
    ModelError,
    QueryError,
    SourceError,
    SpaceError,
    SpaceMismatch,
    StorageError,
    TolmanError,
)
from tolman.progress import Progress, Silent

if TYPE_CHECKING:
    from tolman.corpus.corpus import Corpus
    from tolman.corpus.document import Document
    from tolman.corpus.reading import read_corpus
    from tolman.cost import Cost, Meter
    from tolman.distillation import distil
    from tolman.drawing.files import draw_map
    from tolman.drawing.scene import Label
    from tolman.encoding import encode_documents, encode_file
    from tolman.evaluation import Evaluation, evaluate
    from tolman.language_evaluation import PairEvaluation, TextEvaluation, evaluate_pairs, evaluate_text
    from tolman.learning import learn, learn_model, predict_cost
    from tolman.models import load_encoder
    from tolman.models.encoder import Encoder
    from tolman.prediction import Prediction
    from tolman.projection.map import Map
    from tolman.recipe_choice import Tuning, tune
    from tolman.reconstruction import ReconstructionEvaluation, evaluate_reconstruction
    from tolman.search import Hit, SearchResult
    from tolman.senses.word_senses import WordSenses
    from tolman.space.space import LatentSpace, open_space
    from tolman.topics.topics import Place, Topics
    from tolman.topics.tree import Topic
    from tolman.tracking import tracked
    from tolman.words import Words

__version__ = "0.1.0"

_HOMES = {
    "Corpus": "corpus.corpus",
    "Cost": "cost",
    "Document": "corpus.document",
    "Encoder": "models.encoder",
    "Evaluation": "evaluation",
    "Hit": "search",
    "Label": "drawing.scene",
    "LatentSpace": "space.space",
    "Map": "projection.map",
    "Meter": "cost",
    "PairEvaluation": "language_evaluation",
    "Place": "topics.topics",
    "Prediction": "prediction",
    "ReconstructionEvaluation": "reconstruction",
    "SearchResult": "search",
    "TextEvaluation": "language_evaluation",
    "Topic": "topics.tree",
    "Topics": "topics.topics",
    "WordSenses": "senses.word_senses",
    "Words": "words",
    "distil": "distillation",
    "draw_map": "drawing.files",
    "Tuning": "recipe_choice",
    "encode_documents": "encoding",
    "encode_file": "encoding",
    "evaluate": "evaluation",
    "evaluate_pairs": "language_evaluation",
    "evaluate_reconstruction": "reconstruction",
    "evaluate_text": "language_evaluation",
    "learn": "learning",
    "learn_model": "learning",
    "load_encoder": "models",
    "open_space": "space.space",
    "predict_cost": "learning",
    "read_corpus": "corpus.reading",
    "tracked": "tracking",
    "tune": "recipe_choice",
}

__all__ = [
    "BudgetError",
    "Corpus",
    "Cost",
    "Document",
    "Encoder",
    "Evaluation",
    "Hit",
    "Label",
    "LatentSpace",
    "Map",
    "Meter",
    "MissingExtra",
    "ModelError",
    "PairEvaluation",
    "Place",
    "Prediction",
    "Progress",
    "QueryError",
    "ReconstructionEvaluation",
    "SearchResult",
    "Silent",
    "SourceError",
    "SpaceError",
    "SpaceMismatch",
    "StorageError",
    "TextEvaluation",
    "TolmanError",
    "Topic",
    "Topics",
    "Tuning",
    "WordSenses",
    "Words",
    "__version__",
    "distil",
    "draw_map",
    "encode_documents",
    "encode_file",
    "evaluate",
    "evaluate_pairs",
    "evaluate_reconstruction",
    "evaluate_text",
    "learn",
    "learn_model",
    "load_encoder",
    "open_space",
    "predict_cost",
    "read_corpus",
    "tracked",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tolman' has no attribute {name!r}")
    value = getattr(import_module(f"tolman.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
